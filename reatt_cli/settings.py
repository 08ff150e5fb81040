"""The values of the options that every command has, and the user's log."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reatt_cli.output import Color, Output, ProgressStyle

Body = Callable[..., int | None]  # (Session, own options) -> exit code; None is 0

PRINT_JSON = frozenset(("--json", "--jsonl", "--fields", "--compact"))  # options after which JSON is printed


@dataclass(frozen=True)
class Settings:
    """The common options of one run, as given."""

    store: str | None = None
    beside: tuple[str, ...] = ()  # more stores, which are searched with it as one
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
    """Read from raw arguments what an error report needs, in case parsing them fails."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    as_json = any(option.partition("=")[0] in PRINT_JSON for option in options)
    return Settings(json=as_json, debug="--debug" in options)


def log_file() -> Path:
    """Return the log file for tracebacks of internal errors: `$REATT_LOG`, or one in the user's state folder."""
    from platformdirs import user_state_path

    from reatt.places import NOWHERE, has_home

    if chosen := os.environ.get("REATT_LOG"):
        return Path(chosen)
    there = has_home() or os.environ.get("XDG_STATE_HOME")
    return (user_state_path("reatt", appauthor=False) if there else NOWHERE) / "reatt.log"
