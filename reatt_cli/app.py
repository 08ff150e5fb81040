"""The `reatt` command: its groups, and the one place where an error becomes an exit code and a line.

Nothing heavy is imported here or in the command files: `--help` and every press of TAB run through this module.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from typer.exceptions import Abort, TyperException

from reatt_cli import __version__, adapt, asking, completing, evaluating, ingesting, library, models, serving
from reatt_cli.output import Output, StdoutClosed
from reatt_cli.settings import Settings, log_file, told

if TYPE_CHECKING:
    from reatt_store.errors import ReattError

# Set before anything is imported that reads them: no command but `models add` may touch the network.
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
}

app = typer.Typer(
    help="Ask your own documents: one Transformer that retrieves and reads, offline.",
    epilog="Start: reatt ingest FOLDER, then: reatt ask QUESTION",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class Terminated(BaseException):
    """SIGTERM arrived: unwind, so that bars vanish and locks are let go. Not an error, so not an Exception."""


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


for group in (ingesting, asking, adapt, library, evaluating, models, serving, completing):
    group.register(app)


def main() -> NoReturn:
    """Run the program the shell called."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, _terminate)
    os.environ.update({name: value for name, value in ENVIRONMENT.items() if name not in os.environ})
    code = run(sys.argv[1:])
    if code == 128 + signal.SIGPIPE:  # die as the shell expects of a program whose reader has gone
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGPIPE)
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; every failure has been told on stderr."""
    settings = told(arguments)
    try:
        if arguments[:1] == ["values"]:  # a shell asks, at every TAB: without Typer, and so without pydantic
            completing.values(*arguments[1:])
            return 0
        command = typer.main.get_command(app)
        code = command.main(args=arguments or ["--help"], prog_name="reatt", standalone_mode=False)
        return int(code or 0)
    except StdoutClosed:
        return 128 + signal.SIGPIPE
    except Terminated:
        return 128 + signal.SIGTERM
    except (KeyboardInterrupt, Abort):
        return 128 + signal.SIGINT
    except Exception as error:
        return _report(error, settings)


def _report(error: Exception, settings: Settings) -> int:
    """Tell what went wrong in one line, with the traceback if asked for, and return the exit code."""
    out = settings.output()
    if settings.debug and not isinstance(error, TyperException):
        out.traceback("".join(traceback.format_exception(error)))
    known = _known(error) or _internal(error, out, settings.debug)
    with suppress(StdoutClosed, OSError):  # stderr may be gone, too: then the exit code is all that is left
        out.error(known)
    return known.exit_code


def _known(error: Exception) -> ReattError | None:
    """Give the error's row in the catalogue; None if it is a bug of ours."""
    from reatt_store import errors

    if isinstance(error, errors.ReattError):
        return error
    if isinstance(error, TyperException):
        return errors.UsageError(error.format_message(), f"{_called(error)} --help")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return errors.DiskFull(
            f"no room left to write {error.filename or 'there'}", "free some space, then run it again"
        )
    if isinstance(error, OSError) and error.errno == errno.EROFS:
        return errors.ReadOnly(f"{error.filename or 'the disk'} is read-only")
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return errors.OutOfMemory("not enough memory", "fewer --top, or --device cpu")
    return None


def _called(error: TyperException) -> str:
    """Name the command whose usage was wrong."""
    context = getattr(error, "ctx", None)
    return str(context.command_path) if context is not None else "reatt"


def _internal(error: Exception, out: Output, debug: bool) -> ReattError:
    """Log a bug's traceback for its report; say where."""
    from reatt_store.errors import InternalError

    path = log_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(path, "a", opener=lambda name, flags: os.open(name, flags, 0o600), errors="backslashreplace") as log:
            log.write(f"reatt {__version__}, Python {sys.version}\n{''.join(traceback.format_exception(error))}\n")
    except OSError:
        return InternalError(f"internal error: {_named(error)}", "the same command with --debug")
    return InternalError(f"internal error: {_named(error)}; traceback in {path}", "" if debug else "--debug", str(path))


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _terminate(signum: int, frame: FrameType | None) -> NoReturn:
    raise Terminated


if __name__ == "__main__":
    main()
