"""What a command was told: the options every command has as values, and where the store is."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reatt_cli.output import Color, Output, ProgressStyle

Body = Callable[..., int | None]  # (Session, own options) -> exit code; None is 0


@dataclass(frozen=True)
class Settings:
    """The common options of one run, as given."""

    store: str | None = None
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    color: Color = "auto"
    progress: ProgressStyle = "auto"
    no_input: bool = False
    debug: bool = False
    model: str | None = None
    device: str = "auto"

    def output(self) -> Output:
        """Make the output these options ask for."""
        return Output(self.json, self.quiet, self.color, self.progress)


def told(arguments: list[str]) -> Settings:
    """Read from raw arguments what is needed to report that they, or anything else, went wrong."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    flags = {"json": "--json" in options or "--jsonl" in options, "debug": "--debug" in options}
    return Settings(json=flags["json"], debug=flags["debug"])


def store_folder(named: str | None, start: Path | None = None) -> Path:
    """Say which folder is the store: `--store`, `$REATT_STORE`, the nearest `.reatt/` upwards, or the default one.

    Every command resolves it the same way, so what was just ingested is what is asked.
    """
    if chosen := named or os.environ.get("REATT_STORE"):
        return Path(chosen).expanduser().absolute()
    here = (start or Path.cwd()).absolute()
    for folder in (here, *here.parents):
        if (folder / ".reatt").is_dir():
            return folder / ".reatt"
    return data_folder() / "default"


def data_folder() -> Path:
    """Say where stores and models live that no one gave another place."""
    from platformdirs import user_data_path

    return user_data_path("reatt", appauthor=False)


def registry() -> Path:
    """Say where models lie that `--model` finds by name."""
    return data_folder() / "models"


def cache_folder() -> Path:
    """Say where things lie that may go at any time."""
    from platformdirs import user_cache_path

    return user_cache_path("reatt", appauthor=False)


def log_file() -> Path:
    """Say where tracebacks of internal errors go: `$REATT_LOG` or the user's state folder."""
    from platformdirs import user_state_path

    chosen = os.environ.get("REATT_LOG")
    return Path(chosen) if chosen else user_state_path("reatt", appauthor=False) / "reatt.log"
