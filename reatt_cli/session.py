"""One run of one command: its settings, its output, and the store that it opens when that is first needed."""

from __future__ import annotations

import os
import shlex
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reatt_cli.settings import Body, Settings

if TYPE_CHECKING:
    from reatt.api import Store
    from reatt.weights.folder import ModelFolder
    from reatt_store.library import Library


class Session:
    """The first argument of every command's function."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.out = settings.output()
        self.warnings: list[str] = []
        self.alone = False  # whether its warm process, if any, is not asked
        self._named = False  # whether the store's path was printed

    def run(self, body: Body, options: dict[str, Any]) -> int | None:
        """Call a command; under `--verbose` print its time and memory."""
        started = time.monotonic()
        with _closed_pipes_raise():
            code = body(self, **options)
        if self.settings.verbose:
            self.out.note(f"took {time.monotonic() - started:.2f}s, at most {_peak_megabytes():,.0f} MB of memory")
        return code

    def warn(self, text: str) -> None:
        """Warn on stderr, or inside the object under `--json`."""
        self.warnings.append(text)
        self.out.warn(text)

    def print_json(self, compact: bool = False) -> None:
        """Print JSON from now on, also without `--json`."""
        self.out = replace(self.out, json=True, compact=compact)

    @cached_property
    def store(self) -> Store:
        """The store of this run, opened when it is first needed."""
        from reatt.api import Store
        from reatt.places import store_folder

        return Store(store_folder(self.settings.store), self.settings.model, self.settings.device)

    @property
    def folder(self) -> Path:
        """The store's folder, whether it exists or not."""
        return self.store.folder

    @property
    def exists(self) -> bool:
        """Whether there is a store; its path is printed for the user."""
        from reatt_store.errors import ReattError

        if not self.store.exists:
            return False
        with suppress(ReattError):  # a damaged one: the command that opens it reports that
            _ = self.library
        return True

    @property
    def library(self) -> Library:
        """The content of the open store; its path is printed for the user."""
        library = self.store.library
        self.name_store()
        return library

    @property
    def model(self) -> ModelFolder:
        """The requested model, else the store's own, else the bundled one."""
        return self.store.model

    def again(self, command: str, *arguments: str) -> str:
        """Write the command to type next, for the store of this run."""
        named = [] if self.settings.store is None else ["--store", shlex.quote(self.settings.store)]
        return " ".join(["reatt", command, *named, *arguments])

    def name_store(self, new: bool = False) -> None:
        """Print the store's path for the user, once."""
        if not self._named:
            self._named = True
            self.out.note(f"store  {short_path(self.folder)}{'  (new)' if new else ''}")


def page_file(named: str) -> Path:
    """Read the name of a page to write; raises UsageError for a folder, and for a device or pipe.

    A page replaces what has its name, so root would lose /dev/stdout.
    """
    from reatt_store.errors import UsageError

    file = Path(os.path.expanduser(named))
    if not file.name or file.name == ".." or file.is_dir():
        raise UsageError(f"{named} is a folder; a page needs a file", "--report answer.html", named)
    if (file.exists() and not file.is_file()) or Path("/dev") in file.absolute().parents:
        raise UsageError(f"{named} is not a regular file; a page replaces it", "--report answer.html", named)
    return file


def below(root: str, path: str) -> str:
    """Return a path relative to a folder that it lies in, else unchanged; `os.path.join` undoes it.

    >>> below("/home/ada", "/home/ada/hr/leave.md"), below("/home/ada", "/srv/a.md")
    ('hr/leave.md', '/srv/a.md')
    """
    return path.removeprefix(root.rstrip("/") + "/") if root else path


def short_path(path: Path | str) -> str:
    """Shorten a path: relative to the current folder, or with `~`, if that is shorter."""
    text = str(path)
    if not os.path.isabs(text):
        return text
    forms = [text]
    home = os.path.expanduser("~")
    if text == home or text.startswith(home.rstrip("/") + "/"):
        forms.append("~" + text[len(home.rstrip("/")) :])
    with suppress(OSError):  # the current folder may have been deleted
        forms.append(os.path.relpath(text))
    return min(forms, key=lambda form: (form.count(".." + os.sep) > 1, len(form)))


@contextmanager
def _closed_pipes_raise() -> Iterator[None]:
    """Make writes to a closed pipe raise while a command runs, so that a dead parser process does not kill this one."""
    before = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        yield
    except BrokenPipeError as error:
        raise RuntimeError("a helper process closed its pipe") from error
    finally:
        signal.signal(signal.SIGPIPE, before)


def _peak_megabytes() -> float:
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)
