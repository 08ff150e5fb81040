"""Download a model from the Hugging Face hub, in a process of its own: the one place of the product with a network.

Run as a script by `convert.download` with a name (`owner/model`, perhaps `@revision`) and a folder. Says one JSON
object a line:
    {"total": 3132000000}             then, twice a second, {"done": 1200000}
    {"error": "why", "install": true}   `install`: huggingface_hub is not there; `gated`: a licence is not accepted
"""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

EVERY = 0.5  # seconds
_TOKENIZERS = ("tokenizer.json", "spiece.model")
_WEIGHTS = (  # the first kind that is there; the last ones are pickles, which are converted
    r"model\.safetensors",
    r"model(-\d+-of-\d+\.safetensors|\.safetensors\.index\.json)",
    r"pytorch_model\.bin",
    r"pytorch_model(-\d+-of-\d+\.bin|\.bin\.index\.json)",
)


def wanted(files: Iterable[str]) -> list[str]:
    """Choose what makes the model out of all that a repository holds."""
    there = set(files)
    found = [name for name in ("config.json", *_TOKENIZERS) if name in there]
    for kind in _WEIGHTS:
        if weights := sorted(name for name in there if re.fullmatch(kind, name)):
            return found + weights
    return found


def say(**message: object) -> None:
    """Tell the parent one thing."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def count(folder: Path, stop: threading.Event) -> None:
    """Tell again and again how much has arrived, half-loaded files included."""
    while not stop.wait(EVERY):
        say(done=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()))


def download(name: str, folder: Path) -> None:
    """Fetch the files of one commit; what an earlier, killed run fetched is taken up again."""
    from huggingface_hub import HfApi, hf_hub_download

    repository, _, revision = name.partition("@")
    info = HfApi().model_info(repository, revision=revision or None, files_metadata=True)
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
    files = wanted(sizes)
    say(total=sum(sizes[file] for file in files))
    stop = threading.Event()
    counter = threading.Thread(target=count, args=(folder, stop), daemon=True)
    counter.start()
    for file in files:
        hf_hub_download(repository, file, revision=info.sha, local_dir=folder)
    stop.set()
    counter.join()


def main() -> int:
    """Download, or say why not."""
    try:
        download(sys.argv[1], Path(sys.argv[2]))
    except ImportError as error:
        say(error=str(error), install=True)
        return 1
    except Exception as error:  # the hub's client, its HTTP library and the system each have errors of their own
        kind = type(error).__name__
        say(error=str(error).strip().partition("\n")[0] or kind, gated=kind == "GatedRepoError")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
