"""Stage 4: write the trained model as a folder in the published T5 layout, in half precision.

    python -m recipes.reatt_mini.export --out WORK --model engine/reatt/reatt-mini

`--full` writes the weights as they were trained, to measure what half precision costs.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from reatt.model.t5 import T5
from reatt.model.t5_names import published_weights
from reatt.weights import models
from reatt.weights.folder import ModelFolder
from reatt.weights.t5_files import fill
from recipes.reatt_mini.start import HEAD, SHAPE

SETTINGS = {"name": models.BUNDLED, "question_tokens": 64, "chunk_tokens": 320, "reads": 8, "prior": 1.0}
LARGEST = 40_000_000  # bytes of the weights file: it travels in the wheel


def trained(checkpoint: Path, dtype: torch.dtype) -> T5:
    """Take the model out of a training checkpoint.

    The temperature that training learnt goes into the head's queries: then a softmax over scores is the distribution
    that was trained.
    """
    found = load_file(checkpoint)
    weights = {name.removeprefix("model."): w for name, w in found.items() if name.startswith("model.")}
    head = slice(HEAD.number * SHAPE.d_kv, (HEAD.number + 1) * SHAPE.d_kv)
    weights[f"encoder.blocks.{HEAD.layer}.attention.q.weight"][head] *= found["marks.temperature"]
    return fill(SHAPE, weights, dtype, checkpoint)


def config(t5: T5) -> dict[str, Any]:
    """Describe the model as transformers does, with the retrieval head as the released ReAtt models do."""
    return {
        "architectures": ["T5ForConditionalGeneration"],
        "model_type": "t5",
        "is_encoder_decoder": True,
        **asdict(t5.config),
        "dtype": str(t5.shared.weight.dtype).removeprefix("torch."),
        "retrieval_layer": HEAD.layer,
        "retrieval_head": HEAD.number,
        "reatt": SETTINGS,
    }


def export(checkpoint: Path, tokenizer: Path, folder: Path, dtype: torch.dtype = torch.float16) -> None:
    """Write the three files; the config loses what calibration put there: it was another model's."""
    t5 = trained(checkpoint, dtype)
    weights = {name: weight.contiguous() for name, weight in published_weights(t5).items()}
    overflown = [name for name, weight in weights.items() if not torch.isfinite(weight).all()]
    if overflown:
        raise SystemExit(f"too large for half precision: {', '.join(overflown)}")
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "model.safetensors.part"
    save_file(weights, part, {"format": "pt"})
    if dtype == torch.float16 and part.stat().st_size > LARGEST:
        raise SystemExit(f"{part} has {part.stat().st_size / 1e6:.1f} MB, more than {LARGEST / 1e6:.0f}")
    part.chmod(0o644)
    part.replace(folder / "model.safetensors")
    replace_text(folder / "tokenizer.json", tokenizer.read_text(encoding="utf-8"))
    replace_text(folder / "config.json", json.dumps(config(t5), indent=1) + "\n")


def replace_text(file: Path, text: str) -> None:
    """Put a new file in place of the old one, which a store may hold a link to."""
    part = file.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(file)


def main() -> None:
    """Export, and load the result as a check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(".work/reatt-mini"))
    parser.add_argument("--model", type=Path, default=Path("engine/reatt/reatt-mini"))
    parser.add_argument("--checkpoint", default="checkpoint.safetensors", help="which, in WORK [%(default)s]")
    parser.add_argument("--full", action="store_true", help="as trained, not in half precision")
    options = parser.parse_args()
    dtype = torch.float32 if options.full else torch.float16
    export(options.out / options.checkpoint, options.out / "tokenizer.json", options.model, dtype)
    folder = ModelFolder(options.model)
    models.load(folder, "cpu")
    size = (options.model / "model.safetensors").stat().st_size
    print(f"{options.model}: {size / 1e6:.1f} MB, sha256 {folder.sha256}")


if __name__ == "__main__":
    main()
