"""Stage 6: write the trained model as a folder (docs/models.md): the average of the weights, in half precision.

    python -m recipes.reatt_mini.export --out WORK --model engine/reatt/reatt-mini

The words' embeddings, which training leaves as they are, lie in a file of their own, in 8 bits. `--full` writes all
weights as they were trained, in one file, to measure what that costs.

`--blend MODEL` averages the weights with those of the exported model that the training began with (`train --begin`), so
that what was learnt last does not cost what was known before.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from reatt.model.stacks.names import published
from reatt.model.t5 import T5
from reatt.weights import models
from reatt.weights.bert_files import eight_bits
from reatt.weights.folder import EMBEDDINGS, ModelFolder, record
from recipes.reatt_mini import shape
from recipes.reatt_mini.fetch import replace_text
from recipes.reatt_mini.losses import Learner
from recipes.reatt_mini.state import CHECKPOINT, load_weights, under

LARGEST = 40_000_000  # bytes of the weights' file: it travels in the wheel


def trained(checkpoint: Path, folder: Path) -> T5:
    """Take the averaged model out of a checkpoint; its queries carry the temperature that was learnt."""
    found = load_file(checkpoint)
    model = shape.empty(folder)
    assert model.retrieval is not None
    learner = Learner(model, *shape.depths(shape.read(folder)))
    load_weights(learner, under(found, "model.") | under(found, "average."))
    model.retrieval.q.weight.data.mul_(learner.temperature.detach().exp())
    return model


def blend(model: T5, other: T5) -> None:
    """Average a model's weights with those of another one, which may have a pointer that compares nothing yet."""
    theirs = other.state_dict()
    for name, parameter in model.named_parameters():
        weight, known = parameter.data, theirs[name].to(parameter)
        weight[: len(known)].lerp_(known, 0.5)
        weight[len(known) :].mul_(0.5**0.5)  # two of these are multiplied: their product is halved, too


def export(checkpoint: Path, work: Path, folder: Path, before: ModelFolder | None = None, *, full: bool) -> None:
    """Write a checkpoint's model with the config and the tokenizer of `work`; SystemExit if it cannot be stored so."""
    model = trained(checkpoint, work)
    if before is not None:
        blend(model, models.load(before, "cpu").t5)
    model.fixed = () if full else (model.shared,)
    dtype = torch.float32 if full else torch.float16
    weights = {name: weight.detach().to(dtype).contiguous() for name, weight in published(model).items()}
    overflown = [name for name, weight in weights.items() if not torch.isfinite(weight).all()]
    if overflown:
        raise SystemExit(f"too large for half precision: {', '.join(overflown)}")
    size = sum(weight.nbytes for weight in weights.values())
    if not full and size > LARGEST:
        raise SystemExit(f"the weights have {size / 1e6:.1f} MB, more than {LARGEST / 1e6:.0f}")
    folder.mkdir(parents=True, exist_ok=True)
    config = shape.read(work) | {"dtype": str(dtype).removeprefix("torch.")}
    replace_text(folder / "config.json", json.dumps(config, indent=1) + "\n")
    replace_text(folder / "tokenizer.json", (work / "tokenizer.json").read_text(encoding="utf-8"))
    (folder / EMBEDDINGS).unlink(missing_ok=True)
    if not full:
        replace_weights(folder / EMBEDDINGS, eight_bits(model.shared.weight.detach()))
    replace_weights(folder / "model.safetensors", weights)


def replace_weights(file: Path, weights: dict[str, Tensor]) -> None:
    """Put a new file of weights in place of the old one, whole or not at all."""
    part = file.with_suffix(".part")
    save_file(weights, part, {"format": "pt"})
    part.chmod(0o644)
    part.replace(file)


def main() -> None:
    """Export, and load the result as a check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(".work/reatt-mini"))
    parser.add_argument("--model", type=Path, default=Path("engine/reatt/reatt-mini"))
    parser.add_argument("--checkpoint", default=CHECKPOINT, help="which, in WORK [%(default)s]")
    parser.add_argument("--full", action="store_true", help="as trained, not in half precision and 8 bits")
    parser.add_argument("--blend", type=Path, help="an exported model to average the weights with")
    options = parser.parse_args()
    before = ModelFolder(options.blend) if options.blend else None
    export(options.out / options.checkpoint, options.out, options.model, before, full=options.full)
    folder = ModelFolder(options.model)
    record(folder)
    models.load(folder, "cpu")
    size = sum(file.stat().st_size for file in folder.files)
    print(f"{options.model}: {size / 1e6:.1f} MB, sha256 {folder.sha256}")


if __name__ == "__main__":
    main()
