"""One run of one command: its settings, its output, and the store that it opens when that is first needed."""

from __future__ import annotations

import os
import shlex
import signal
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reatt_cli.settings import Body, Settings

if TYPE_CHECKING:
    from reatt.api import Store
    from reatt.cluster.asking import Cluster
    from reatt.weights.folder import ModelFolder
    from reatt_store.joined.library import JoinedLibrary
    from reatt_store.library import Library


class Session:
    """The first argument of every command's function."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.out = settings.output()
        self.warnings: list[str] = []
        self.alone = False  # whether its warm process, if any, is not asked
        self.cluster: Cluster | None = None  # that is asked in place of stores
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

        beside = [store_folder(named) for named in self.settings.beside]
        return Store(store_folder(self.settings.store), self.settings.model, self.settings.device, beside)

    @property
    def folder(self) -> Path:
        """The store's folder, whether it exists or not; of several, the first."""
        return self.store.folder

    @property
    def several(self) -> bool:
        """Whether several stores are searched as one."""
        return self.store.several

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
    def view(self) -> Library | JoinedLibrary:
        """What is searched: the store, or several as one; their paths are printed for the user."""
        view = self.store.view
        self.name_store()
        return view

    @property
    def model(self) -> ModelFolder:
        """The requested model, else the store's own, else the bundled one."""
        return self.store.model

    @contextmanager
    def asking(self, address: str | None) -> Iterator[None]:
        """Ask the cluster at an address for a block, if there is one; raises NoCluster."""
        if address is None:
            yield
            return
        from reatt.cluster import asking
        from reatt_store.errors import UsageError

        if self.settings.store is not None or self.settings.model is not None:
            raise UsageError("a cluster has its own stores and model", "leave out --store and --model")
        with asking.opened(address) as self.cluster:
            self.out.note(f"cluster  {address}")
            yield

    def target(self, named: str, what: str = "a page", fix: str = "--report answer.html") -> Path:
        """Read the name of a file to write beside the store; raises UsageError as `page_file`, and within a store."""
        from reatt_store.errors import UsageError

        file = page_file(named, what, fix)
        place = os.path.realpath(file.parent)
        for folder in self.store.folders:
            if Path(place).is_relative_to(os.path.realpath(folder)):
                raise UsageError(f"{named} is inside the store {short_path(folder)}; {what} goes elsewhere", fix, named)
        return file

    def again(self, command: str, *arguments: str) -> str:
        """Write the command to type next, for the store of this run."""
        settings = self.settings
        given = [] if settings.store is None else [settings.store, *settings.beside]
        named = [part for store in given for part in ("--store", shlex.quote(store))]
        return " ".join(["reatt", command, *named, *arguments])

    def name_store(self, new: bool = False) -> None:
        """Print the paths of the store, or stores, for the user, once."""
        if not self._named:
            self._named = True
            for folder in self.store.folders:
                self.out.note(f"store  {short_path(folder)}{'  (new)' if new else ''}")


def page_file(named: str, what: str = "a page", fix: str = "--report answer.html") -> Path:
    """Read the name of a file to write; raises UsageError for a folder, and for a device or pipe.

    The file replaces what has its name, so root would lose /dev/stdout.
    """
    from reatt_store.errors import UsageError

    file = Path(os.path.expanduser(named))
    if not file.name or file.name == ".." or file.is_dir():
        raise UsageError(f"{named} is a folder; {what} needs a file", fix, named)
    if (file.exists() and not file.is_file()) or Path("/dev") in file.absolute().parents:
        raise UsageError(f"{named} is not a regular file; {what} replaces it", fix, named)
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


def labels(stores: Iterable[str | None]) -> dict[str | None, str]:
    """Name stores in few words, by their folders, or in full where two are called the same; "" for a single store.

    >>> labels(["/a/office/.reatt", "/b/law", None])
    {'/a/office/.reatt': 'office', '/b/law': 'law', None: ''}
    """
    every = dict.fromkeys(stores)
    paths = {store: Path(store) for store in every if store is not None}
    names = {store: path.parent.name if path.name == ".reatt" else path.name for store, path in paths.items()}
    times = Counter(names.values())
    return {store: "" if store is None else names[store] if times[names[store]] == 1 else short_path(store)
            for store in every}  # fmt: skip


def labelled(label: str, place: str) -> str:
    """Name a place with its store, if that has a name."""
    return f"{label}: {place}" if label else place


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
