"""What a command was told: the options every command has, and where the store is.

Options stand after the command (`reatt list --json`), so each command declares them all; `command` adds them to a
function's signature, once, for Typer to read.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

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


def command(app: typer.Typer, name: str, *, example: str, model: bool = False) -> Callable[[Body], Body]:
    """Register a function as a command with the common options, and those about the model if it uses one.

    The function takes the `Session` first, then its own options; it returns the exit code.
    """

    def register(body: Body) -> Body:
        shared = _parameters(_common) + (_parameters(_about_model) if model else [])
        names = [parameter.name for parameter in shared]
        own = _parameters(body)[1:]

        def run(**values: Any) -> int | None:
            from reatt_cli.session import Session

            return Session(_settings({name: values.pop(name) for name in names})).run(body, values)

        run.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *shared]}
        run.__doc__ = body.__doc__
        app.command(name, epilog=f"Example: {example}")(run)
        return body

    return register


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


def _common(
    store: Annotated[
        str | None,
        typer.Option("--store", metavar="DIR", help="The store [the nearest .reatt, else your own]."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object (see: reatt schema).")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but results and errors.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say what the run took, on stderr.")] = False,
    color: Annotated[Color, typer.Option("--color", help="Use bold on the terminal.")] = "auto",
    progress: Annotated[
        ProgressStyle, typer.Option("--progress", envvar="REATT_PROGRESS", help="Show progress on stderr.")
    ] = "auto",
    no_input: Annotated[bool, typer.Option("--no-input", help="Never prompt.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None: ...


def _about_model(
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="MODEL", envvar="REATT_MODEL", help="Name or folder [the store's own]."),
    ] = None,
    device: Annotated[
        str, typer.Option("--device", metavar="auto|cpu|cuda[:N]", envvar="REATT_DEVICE", help="Where to compute.")
    ] = "auto",
) -> None: ...


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Read a function's parameters with evaluated annotations, as keyword-only ones so that any order is valid."""
    found = inspect.signature(function, eval_str=True).parameters.values()
    return [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in found]


def _settings(values: dict[str, Any]) -> Settings:
    return replace(Settings(), **values)
