"""The library's one class: a store of documents that can be filled, searched, asked, measured and adapted.

A `Store` opens its database and loads its model when first needed, and keeps them. Other processes may write to it
meanwhile, and move it to another model: what is found is of the generation that was in force when the try began.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reatt.opened import Opened
from reatt.places import store_folder
from reatt.progress import OnProgress
from reatt.search.query import TOP, Query

if TYPE_CHECKING:
    from reatt.adapt import Course
    from reatt.ask import Reply
    from reatt.courses import AdaptOptions, Hooks
    from reatt.evaluate import Evaluation
    from reatt.ingest import IngestOptions, IngestReport
    from reatt.judging.report import Report
    from reatt.model.backbone import Backbone, Encoder, Queries
    from reatt.search.hits import Hits
    from reatt.search.retriever import Retriever
    from reatt.weights.folder import ModelFolder
    from reatt_store.errors import Notice
    from reatt_store.library import Generation

TRIES = 2  # per question; one more holds a store still that keeps moving to other models

Name = str | os.PathLike[str]


def open(path: Name | Sequence[Name] | None = None, *, model: Name | None = None, device: str = "auto") -> Store:
    """Open a store; create it if there is none.

    `path` is its folder; None is the store that the command line would find: `$REATT_STORE`, the nearest `.reatt/`
    upwards, or your own. Several folders are searched as one store, which nothing is written to; each must be there,
    and all must be of one model (docs/library.md). `model` is a name or a folder; None is the store's own model, or the
    bundled one. `device` is "auto", "cpu" or "cuda[:N]". Raises `ReattError`, as everything here does, with what to do
    in `fix`.
    """
    given: Sequence[Name | None] = [path] if path is None or isinstance(path, str | os.PathLike) else path
    if not given:
        from reatt_store.errors import UsageError

        raise UsageError("no store is named", "reatt.open(FOLDER)")
    first, *beside = (store_folder(each) for each in given)
    named = None if model is None else os.fspath(model)
    store = Store(first, named, device, beside)
    _ = store.view if store.several else store.make()
    return store


@dataclass
class _Attempt:
    """One try at a question."""

    generation: Generation | None = None  # whose vectors were searched; None for a search by words
    counts: bool = False  # whether these are still in the store: else some may have been missed


class Store(Opened):
    """One store of documents, or several as one, and the model that searches and reads; a context manager."""

    def __init__(
        self, folder: Path, model: str | None = None, device: str = "auto", beside: Sequence[Path] = ()
    ) -> None:
        super().__init__(folder, model, beside)
        self.device = device
        self._settled: Generation | None = None  # what model and retrievers are for
        self._retrievers: dict[bool, Retriever] = {}  # by whether they have a model
        self._loaded: dict[tuple[str, str], Backbone] = {}  # by method and a name: the latest one alone

    def __enter__(self) -> Store:
        return self

    def close(self) -> None:
        """Close the database and release the model."""
        super().close()
        self._retrievers.clear()
        self._loaded.clear()

    # What it does.

    def ingest(
        self,
        paths: Name | Iterable[Name],
        options: IngestOptions | None = None,
        *,
        method: str | None = None,
        progress: OnProgress | None = None,
        warn: Callable[[str], None] | None = None,
    ) -> IngestReport:
        """Read files, folders and globs into the store. Unchanged files are skipped; a killed run continues.

        `method` is "reatt", "reatt-states" or "intra"; None is the store's own, else "reatt". `warn` hears at once what
        is worth knowing before anything is encoded; without it, the report's warnings begin with that.
        """
        from reatt import ingest as verb
        from reatt.search.workers import require_processor

        self.require_one()
        told = options or verb.IngestOptions()
        named = [os.fspath(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
        verb.preflight(named, told)
        if self.exists:
            self._settle()  # an adaptation, or another process, may have moved it to another model
        require_processor(told.workers, self.device)
        model = self._model_to_ingest_with(told.reencode)
        early = self._untaught(model, method, told.reencode)
        if warn:
            for warning in early:
                warn(warning)
        backbone = self._encoder(model, method, told.reencode)
        library = self.make()  # last, so that no mistake leaves an empty one
        report = verb.ingest(library, backbone, model, named, told, progress or (lambda _: None))
        report.warnings[:0] = [] if warn else early
        return report

    def search(self, question: str | Query, k: int = TOP, retriever: str = "hybrid") -> Hits:
        """Find the passages that match a question best; `retriever` is "hybrid", "attention" or "words".

        A `Query` has these and more options; `k` and `retriever` are only for a question as text.
        """
        query = question if isinstance(question, Query) else Query(question, k, retriever)
        _ = self.view  # before torch is loaded, so that a missing store is reported at once
        from reatt.search import hits

        for last in (*TRIES * [False], True):
            with self._attempt(last) as attempt:
                known, warnings = self._prepared(query)
                found = hits.search(self.retriever(known.retriever != "words"), known)
                attempt.generation = found.generation
            if attempt.counts:
                break
        return replace(found, warnings=[*warnings, *found.warnings])

    def queries(self, question: str) -> Queries:
        """Return the vectors (m, d) and weights (m,) that a question is first searched with, for another engine."""
        return self.retriever().backbone.rounds[0].ask(question, ())

    def ask(self, question: str | Query) -> Reply:
        """Answer a question from the documents; a `Query` says more than the question."""
        query = question if isinstance(question, Query) else Query(question)
        _ = self.view
        from reatt import ask as verb

        for last in (*TRIES * [False], True):
            with self._attempt(last) as attempt:
                known, warnings = self._prepared(query)
                reply = verb.ask(self.retriever(), known)
                attempt.generation = reply.generation
            if attempt.counts:
                break
        return replace(reply, warnings=[*warnings, *reply.warnings])

    def evaluate(
        self,
        queries: Name,
        qrels: Name | None = None,
        how: Query = Query(""),  # noqa: B008  (frozen)
        *,
        read: bool = False,
        limit: int | None = None,
        progress: OnProgress | None = None,
    ) -> Evaluation:
        """Measure how well the store finds, and with `read` answers, on questions and judgements in BEIR's form.

        `how` says which way to look; its question, `abstain` and `answer` do not matter: every answer is a span.
        """
        from reatt import ask, evaluate

        _ = self.view
        finder = self.retriever(read or how.retriever != "words")
        every = replace(how, abstain=0.0, answer="span")
        return evaluate.evaluate(
            evaluate.Held(finder, how), Path(queries), Path(qrels) if qrels else None, limit=limit,
            read=(lambda question: ask.ask(finder, replace(every, question=question)).answer) if read else None,
            stored=lambda ids: evaluate.names_in(self.view, ids), on_progress=progress or (lambda _: None),
        )  # fmt: skip

    def adapt(
        self, minutes: float | None = None, options: AdaptOptions | None = None, progress: OnProgress | None = None
    ) -> Report:
        """Train the model on the store's documents, and use it if it got better on documents that were held out.

        It takes about 20 minutes unless told otherwise. Raises `TooFewSpans` if the store holds
        too little to learn from.
        """
        from reatt import adapt
        from reatt.courses import AdaptOptions, Hooks

        given = options or AdaptOptions()
        given = given if minutes is None else replace(given, minutes=minutes)
        return adapt.run(self.course(given, Hooks(progress) if progress else Hooks()), given.resume)

    def course(self, options: AdaptOptions, hooks: Hooks) -> Course[Any]:
        """Return the input of `adapt.run`: the store, a newly loaded model, and its training material."""
        from reatt import courses

        self._settle()
        return courses.course(self.library, self.model, self.device, options, hooks)

    def retriever(self, with_model: bool = True) -> Retriever:
        """Return the retriever, made once for each generation; search by words alone needs no model."""
        generation = self._settle()
        loaded = generation is not None and (with_model or True in self._retrievers)
        if loaded not in self._retrievers:
            from reatt.search.retriever import NAMED, Retriever
            from reatt.weights import models
            from reatt.weights.folder import FUSION_WEIGHT

            weight = models.fusion(self.model, FUSION_WEIGHT, generation.method) if generation and loaded else 0.0
            named = models.named(self.model, NAMED) if loaded else NAMED
            backbone = self._reader(generation) if generation and loaded else None
            self._retrievers[loaded] = Retriever(self.view, backbone, generation, weight, named=named)
        return self._retrievers[loaded]

    # How.

    def _prepared(self, query: Query) -> tuple[Query, list[str]]:
        """Return a question as the model can ask it, and what is worth knowing about that."""
        from reatt.search.hits import in_known_language

        known, warnings = in_known_language(query, self.model)
        return known, [*warnings, *self.of_several_models()]

    def _settle(self) -> Generation | None:
        """Return the current generation; drop what was opened for another one."""
        now = self.view.generation()
        if now != self._settled:
            self._retrievers.clear()
            self._model = None
            self._settled = now
        return now

    @contextmanager
    def _attempt(self, last: bool) -> Iterator[_Attempt]:
        """Try once; it does not count if the store moved to other vectors. The last try holds the store still."""
        from reatt_store.errors import ReattError

        attempt = _Attempt()
        with self.view.still() if last else nullcontext():
            asked = self._settle()
            try:
                yield attempt
            except (ReattError, OSError):
                if last or self.view.generation() == asked:
                    raise
                return
            used = attempt.generation
            attempt.counts = last or used is None or used.id in {made.id for made in self.view.generations()}

    def _backbone(self, method: str, model: ModelFolder, *known_as: str) -> Backbone:
        """Load a model onto the store's device, for a method; what was loaded last is kept under its path and hash.

        A question knows one of the two: to hash the files of a large model takes longer than to ask it.
        """
        from reatt.weights import models

        keys = [(method, name) for name in known_as]
        loaded = next((self._loaded[key] for key in keys if key in self._loaded), None)
        if loaded is None:
            self._loaded.clear()
            loaded = models.load_for(method, model, self.device)
        self._loaded.update(dict.fromkeys(keys, loaded))
        return loaded

    def _reader(self, made: Generation) -> Backbone:
        """Load the model for a generation; the store's own is known by the hash that the generation names."""
        name = made.model_sha256 if self.model.origin == "store" else str(self.model.path)
        return self._backbone(made.method, self.model, name)

    def _model_to_ingest_with(self, reencode: bool) -> ModelFolder:
        from reatt.weights import models

        return models.bundled() if reencode and self._named is None else self.model

    def _encoder(self, model: ModelFolder, method: str | None, reencode: bool) -> Encoder:
        """Return the model. The one that encoded the store is loaded only when there is something to encode."""
        from reatt.weights.deferred import Deferred

        made, names = self.library.generation() if self.exists else None, (model.sha256, str(model.path))
        if made is None or reencode or made.model_sha256 != model.sha256 or method not in (None, made.method):
            return self._backbone(method or (made.method if made else "reatt"), model, *names)
        return Deferred(made, lambda: self._backbone(made.method, model, *names))

    def _untaught(self, model: ModelFolder, method: str | None, reencode: bool) -> list[Notice]:
        """Warn, before anything is encoded, that the decoder was never trained to retrieve."""
        from reatt_store.errors import Notice

        made = self.library.generation() if self.exists and reencode else None
        if (method or (made and made.method)) != "intra" or model.retrieval_tokens.is_file():
            return []
        told = f"{model.name}'s decoder was never trained to retrieve, so attention finds next to nothing"
        teach = f"reatt adapt {self._option()}--qa queries.jsonl --qrels qrels.tsv"
        return [Notice("UNTAUGHT", f"{told}; {teach} trains it, with little effect on reatt-mini (docs/intra.md)")]

    def _option(self) -> str:
        """Return `--store` for a suggested command, unless the store is found without it."""
        return "" if self.folder == store_folder() else f"--store {shlex.quote(str(self.folder))} "
