"""One run of one command: its settings, its output, and the store and model it opens, each when first needed."""

from __future__ import annotations

import os
import shlex
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reatt_cli.settings import Body, Settings, registry, store_folder

if TYPE_CHECKING:
    from reatt.model.backbone import Backbone
    from reatt.search.retriever import Retriever
    from reatt.weights.folder import ModelFolder
    from reatt_store.library import Generation, Library


class Session:
    """The first argument of every command's function."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.out = settings.output()
        self.warnings: list[str] = []
        self.cold = False  # whether a warm process must not be used
        self._retrievers: dict[bool, Retriever] = {}  # by whether they have a model
        self._settled: Generation | None = None

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

    @cached_property
    def folder(self) -> Path:
        """The store's folder, whether it exists or not."""
        return store_folder(self.settings.store)

    @property
    def exists(self) -> bool:
        """Whether there is a store. One whose creation was interrupted does not count."""
        from reatt_store.errors import NoStore, ReattError, StoreLocked

        try:
            _ = self.library
        except NoStore:
            return False
        except StoreLocked:  # waiting did not help; once is enough
            raise
        except ReattError:  # damaged, or of a newer version: the command that opens it reports that
            return True
        return True

    @cached_property
    def library(self) -> Library:
        """The open store; its path is printed for the user."""
        from reatt_store.library import Library

        library = Library.open(self.folder)
        self.out.note(f"store  {short_path(self.folder)}")
        return library

    def again(self, command: str, *arguments: str) -> str:
        """Write the command to type next, for the store of this run."""
        named = [] if self.settings.store is None else ["--store", shlex.quote(self.settings.store)]
        return " ".join(["reatt", command, *named, *arguments])

    def library_or_new(self) -> Library:
        """The store; created if there is none."""
        from reatt_store.library import Library

        if self.exists:
            return self.library
        library = Library.create(self.folder)
        self.__dict__["library"] = library
        self.out.note(f"store  {short_path(self.folder)}  (new)")
        return library

    @cached_property
    def model(self) -> ModelFolder:
        """The requested model, else the store's own, else the bundled one."""
        from reatt.weights import models

        return models.find(self.settings.model, registry(), self.library if self.exists else None)

    def backbone(self, model: ModelFolder, method: str | None = None) -> Backbone:
        """Load a model onto the requested device, for the given method or else the store's own."""
        from reatt.weights import models

        made = self.library.generation() if method is None and self.exists else None
        return models.load_for(method or (made.method if made else "reatt"), model, self.settings.device)

    def settle(self) -> Generation | None:
        """Return the current generation; drop a model that was loaded for another one."""
        now = self.library.generation()
        if now != self._settled:
            self._retrievers.clear()
            self.__dict__.pop("model", None)
            self._settled = now
        return now

    def retriever(self, with_model: bool = True) -> Retriever:
        """Make the retriever, once for each generation; search by words alone needs no model."""
        from reatt.search.retriever import Retriever
        from reatt.weights import models
        from reatt.weights.folder import FUSION_WEIGHT

        generation = self.settle()
        loaded = generation is not None and (with_model or True in self._retrievers)
        if loaded not in self._retrievers:
            weight = models.fusion(self.model, FUSION_WEIGHT, generation.method) if generation and loaded else 0.0
            backbone = self.backbone(self.model) if loaded else None
            self._retrievers[loaded] = Retriever(self.library, backbone, generation, weight)
        return self._retrievers[loaded]


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
