"""Download a model from the Hugging Face hub, in a separate process; no other code opens a network connection.

`adding.download` runs it as a script with a name (`owner/model`, optionally `@revision`), a folder, and the number of
its own process, with which this one ends. It prints one JSON object per line:
    {"total": 3132000000}             then, twice a second, {"done": 1200000}
    {"error": "why", "install": true}   `install`: huggingface_hub is missing; `gated`: a licence is not accepted
"""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

from reatt.parsers.confined import die_with

EVERY = 0.5  # seconds
_TOKENIZERS = ("tokenizer.json", "spiece.model")
_WEIGHTS = (  # the first kind that exists is used; the last two are pickles, which are converted
    r"model\.safetensors",
    r"model(-\d+-of-\d+\.safetensors|\.safetensors\.index\.json)",
    r"pytorch_model\.bin",
    r"pytorch_model(-\d+-of-\d+\.bin|\.bin\.index\.json)",
)


def wanted(files: Iterable[str]) -> list[str]:
    """Choose the files of the model from all files of a repository."""
    there = set(files)
    found = [name for name in ("config.json", *_TOKENIZERS) if name in there]
    for kind in _WEIGHTS:
        if weights := sorted(name for name in there if re.fullmatch(kind, name)):
            return found + weights
    return found


def say(**message: object) -> None:
    """Send one message to the parent."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def count(folder: Path, stop: threading.Event) -> None:
    """Report repeatedly how many bytes have arrived, including those of unfinished files."""
    while not stop.wait(EVERY):
        say(done=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()))


def download(name: str, folder: Path) -> None:
    """Fetch the files of one commit; continues a download that was interrupted earlier."""
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
    """Download, or report why that failed."""
    die_with(int(sys.argv[3]))
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
