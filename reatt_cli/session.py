"""One run of one command: its settings, its output, and the store and model it opens, each when first needed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reatt_cli.settings import Body, Settings, store_folder

if TYPE_CHECKING:
    from reatt_engine.backbone import Backbone
    from reatt_engine.checkpoints import ModelFolder
    from reatt_engine.retrieval import Retriever
    from reatt_store.library import Library
    from reatt_store.records import Generation


class Session:
    """What a command's function gets first."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.out = settings.output()
        self.warnings: list[str] = []
        self._retrievers: dict[str, Retriever] = {}

    def run(self, body: Body, options: dict[str, Any]) -> int | None:
        """Call a command; under `--verbose` say what it took."""
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

    @cached_property
    def folder(self) -> Path:
        """The store's folder, there or not."""
        return store_folder(self.settings.store)

    @cached_property
    def library(self) -> Library:
        """The store, open; a person is told which one it is."""
        from reatt_store.library import Library

        library = Library.open(self.folder)
        self.out.note(f"store  {short_path(self.folder)}")
        return library

    def library_or_new(self) -> Library:
        """The store, made now if there is none."""
        from reatt_store.library import Library

        if (self.folder / "reatt.db").exists():
            return self.library
        library = Library.create(self.folder)
        self.__dict__["library"] = library
        self.out.note(f"store  {short_path(self.folder)}  (new)")
        return library

    @cached_property
    def device(self) -> str:
        """The device to compute on."""
        from reatt_cli.settings import device

        return device(self.settings.device)

    @cached_property
    def model(self) -> ModelFolder:
        """The model that was asked for, else the store's own, else the bundled one."""
        from reatt_engine import checkpoints

        return checkpoints.model_for(self.library, self.settings.model)

    @cached_property
    def backbone(self) -> Backbone:
        """The model, loaded."""
        from reatt_engine import checkpoints

        return checkpoints.load(self.model.path, self.device)

    @cached_property
    def generation(self) -> Generation | None:
        """The vectors in force."""
        return self.library.generation()

    def retriever(self, name: str) -> Retriever:
        """Make what finds chunks; searching by words alone loads no model."""
        from reatt_engine.retrieval import Retriever

        if name not in self._retrievers:
            self._retrievers[name] = Retriever(self.library, None if name == "words" else self.backbone)
        return self._retrievers[name]


def short_path(path: Path | str) -> str:
    """Write a path as a person would: from the current folder, or with `~`, where that is shorter."""
    text = str(path)
    if not os.path.isabs(text):
        return text
    forms = [text]
    home = os.path.expanduser("~")
    if text == home or text.startswith(home.rstrip("/") + "/"):
        forms.append("~" + text[len(home.rstrip("/")) :])
    with suppress(OSError):  # the current folder may be gone
        forms.append(os.path.relpath(text))
    return min(forms, key=lambda form: (form.count(".." + os.sep) > 1, len(form)))


@contextmanager
def _closed_pipes_raise() -> Iterator[None]:
    """Let a write to a closed pipe raise while a command runs: a parser's dead child must not take us with it."""
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
