"""Makes a command of a function, with the options that every command has.

Options stand after the command (`reatt list --json`), so each command declares them all; `command` adds them to a
function's signature, once, for Typer to read.
"""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Annotated, Any

import typer

from reatt_cli.output import Color, ProgressStyle
from reatt_cli.settings import Body, Settings

LARGEST = 1_000_000.0  # of a number with a fraction: seconds, minutes
EXACT = 1 << 53  # of a whole number


def command(
    app: typer.Typer, name: str, *, example: str, model: bool = False, several: bool = False
) -> Callable[[Body], Body]:
    """Register a function as a command with the common options, and those about the model if it uses one.

    `several` is whether it takes several stores as one; any other command refuses them. The example begins with the
    words that call the command.

    The function takes the `Session` first, then its own options; it returns the exit code.
    """

    def register(body: Body) -> Body:
        shared = _shared(model)
        names = [parameter.name for parameter in shared]
        own = _parameters(body)[1:]

        def run(**values: Any) -> int | None:
            from reatt_cli.session import Session

            for option, value in values.items():
                require_number(option, value)
            settings = _settings({option: values.pop(option) for option in names})
            if not several:
                require_one(example[: example.index(name) + len(name)], settings)
            return Session(settings).run(body, values)

        run.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *shared]}
        run.__doc__ = body.__doc__
        app.command(name, epilog=f"Example: {example}")(run)
        return body

    return register


def require_number(option: str, value: object) -> None:
    """Raise UsageError for a number that is none, endless or absurd: no option needs one above a million or 2^53."""
    most = LARGEST if isinstance(value, float) else EXACT
    if isinstance(value, int | float) and not -most <= value <= most:  # not a number is not between, either
        from reatt_store.errors import UsageError

        name = f"--{option.replace('_', '-')}"
        raise UsageError(f"{name} {value!r:.40}: expected a number up to {most:,.0f}", f"{name} N")


def require_one(command: str, settings: Settings) -> None:
    """Raise UsageError if several stores are named, for a command that works on one."""
    if settings.beside:
        from reatt_store.errors import UsageError

        named = [str(settings.store), *settings.beside]
        message = f"{command} works on one store, but {len(named)} are named: {', '.join(named)}"
        raise UsageError(message, f"name one: --store {shlex.quote(named[0])}")


def _common(
    store: Annotated[
        list[str] | None,
        typer.Option(
            "--store", metavar="DIR", help="The store [nearest .reatt, else your default]; for a search, repeatable."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object (see: reatt schema).")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only results and errors.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print times and memory on stderr.")] = False,
    color: Annotated[Color, typer.Option("--color", help="Print bold text.")] = "auto",
    progress: Annotated[
        ProgressStyle, typer.Option("--progress", envvar="REATT_PROGRESS", help="Show progress on stderr.")
    ] = "auto",
    no_input: Annotated[bool, typer.Option("--no-input", help="Never prompt.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None: ...


def _about_model(
    model: Annotated[
        str | None,
        typer.Option(
            "--model", metavar="MODEL", envvar="REATT_MODEL", help="Model name or folder [the store's model]."
        ),
    ] = None,
    device: Annotated[
        str,
        typer.Option(
            "--device", metavar="auto|cpu|cuda[:N]", envvar="REATT_DEVICE", help="Device that runs the model."
        ),
    ] = "auto",
) -> None: ...


@cache
def _shared(model: bool) -> list[inspect.Parameter]:
    """Read the options that all commands have, and those of one that uses a model."""
    return _parameters(_common) + (_parameters(_about_model) if model else [])


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Read a function's parameters with evaluated annotations, as keyword-only ones so that any order is valid."""
    found = inspect.signature(function, eval_str=True).parameters.values()
    return [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in found]


def _settings(values: dict[str, Any]) -> Settings:
    first, *beside = values.pop("store") or [None]
    return replace(Settings(), store=first, beside=tuple(beside), **values)
