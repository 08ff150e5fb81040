"""The `reatt` command: its groups, and the one place where an error becomes an exit code and a line.

Nothing heavy is imported here or in the command files: `--help` and every press of TAB run through this module.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from contextlib import suppress
from copy import copy
from types import FrameType
from typing import Annotated, NoReturn

import typer
from typer.exceptions import Abort, TyperException

from reatt_cli import __version__, failures, questions, streams
from reatt_cli.commands import (
    adapt,
    ask,
    cluster,
    completion,
    config,
    contents,
    doctor,
    evaluate,
    export,
    ingest,
    mcp,
    models,
    report,
    serve,
)
from reatt_cli.output import Output, StdoutClosed
from reatt_cli.program import app
from reatt_cli.settings import Settings, log_file, told

# Set before anything is imported that reads them: no command but `models add` may touch the network.
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


__all__ = ["app", "main", "run"]

UNSET = frozenset(("-h", "--help", "--version"))  # available at once, whatever the settings files say


class Terminated(BaseException):
    """SIGTERM arrived: unwind, so that bars vanish and locks are released. Not an error, so not an Exception."""


def _version(given: bool) -> None:
    if given:
        Output().raw(f"reatt {__version__}\n")
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None: ...


GROUPS = (
    ingest, ask, adapt, contents, evaluate, models, serve, cluster, mcp, report, export, doctor, config, completion,
)  # fmt: skip
for group in GROUPS:
    group.register(app)


def main() -> NoReturn:
    """Run the program that the shell called."""
    streams.open_standard()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # as `__main__` leaves it; from here on Ctrl-C can be caught
        signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.update({name: value for name, value in ENVIRONMENT.items() if name not in os.environ})
    code = run(sys.argv[1:])
    _end_quietly()
    if code == 128 + signal.SIGPIPE:  # die as the shell expects when the reader of a pipe has gone
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGPIPE)
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; every failure has been printed on stderr."""
    settings = told(arguments)
    try:
        if arguments[:1] == ["values"]:  # called by a shell at every TAB, so without Typer and pydantic
            completion.values(*arguments[1:])
            return 0
        command = typer.main.get_command(_called(arguments))
        arguments = questions.marked(arguments, getattr(command, "commands", {}))
        usual = {} if UNSET.intersection(arguments) else config.defaults(arguments)
        code = command.main(args=arguments or ["--help"], prog_name="reatt", standalone_mode=False, default_map=usual)
        return int(code or 0)
    except StdoutClosed:
        return 128 + signal.SIGPIPE
    except Terminated:
        return 128 + signal.SIGTERM
    except (KeyboardInterrupt, Abort):
        return 128 + signal.SIGINT
    except Exception as error:
        return _report(error, settings)


def _called(arguments: list[str]) -> typer.Typer:
    """Return the program with no command but the one that is called: to make them all takes longer than most run."""
    chosen = [each for each in app.registered_commands if arguments[:1] == [each.name]]
    if not chosen:
        return app
    program = copy(app)
    program.registered_commands, program.registered_groups = chosen, []
    return program


def _end_quietly() -> None:
    """Let another Ctrl-C end the rest, which is Python's own shutdown, silently."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _report(error: Exception, settings: Settings) -> int:
    """Print what went wrong in one line, with the traceback if asked for, and return the exit code."""
    out = settings.output()
    if settings.debug and not isinstance(error, TyperException):
        with suppress(Exception):
            out.traceback("".join(traceback.format_exception(error)))
    try:
        known = failures.known(error) or failures.internal(error, log_file(), settings.debug)
    except Exception:  # memory, or a home, may be gone
        known = failures.last_resort(error)
    with suppress(Exception):  # stderr may be gone as well; then only the exit code is left
        out.error(known)
    return known.exit_code


def _terminate(signum: int, frame: FrameType | None) -> NoReturn:
    raise Terminated


if __name__ == "__main__":
    main()
