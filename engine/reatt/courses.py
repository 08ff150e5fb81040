"""From the options of `adapt` to the course that a store's model takes: ReAtt's encoder, or INTRA's decoder."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reatt.progress import OnProgress
from reatt_store.errors import UsageError

if TYPE_CHECKING:
    from reatt.adapt import Course
    from reatt.adapt_decoder import DecoderCourse
    from reatt.adapt_encoder import EncoderCourse
    from reatt.adapt_keys import KeysCourse
    from reatt.progress import TrainingRow
    from reatt.training.plans import Plan
    from reatt.training.ranks import Ranks
    from reatt.weights.folder import ModelFolder
    from reatt_store.library import Library

MINUTES = 20.0  # of a run for which neither minutes nor steps are given
NOT_REATT = ("qrels", "warm_start")
NOT_KEYS = ("close_from", "preset")  # an option of these, without questions, asks for the whole head
NOT_INTRA = (
    "judged", "spans", "masked", "freeze", "close_from", "preset", "teacher", "wait", "resume", "exclude_source",
)  # fmt: skip


@dataclass(frozen=True)
class AdaptOptions:
    """What to train on, how, for how long, and when to use the result."""

    qa: str | None = None  # questions with answers, JSON Lines
    qrels: str | None = None  # all documents that answer each question; for `intra` alone
    judged: str | None = None  # questions with relevant documents, JSON Lines
    spans: str | None = None  # names and terms to mask first, one a line
    masked: bool = False  # masked sentences beside the files, too
    minutes: float | None = None  # all included; MINUTES if neither these nor steps are given
    steps: int | None = None
    freeze: str | None = None  # "none", "retriever", "reader" or "chunks"; None: by what there is to train on
    hold_out: float = 0.05  # share of the documents held out for measuring
    close_from: str = "words"  # or "attention", or a file
    preset: str = "auto"  # or a name in PRESETS
    teacher: str = "auto"  # or a name in TEACHERS
    wait: bool = True  # train retrieval only after the teacher beats BM25
    seed: int = 0
    resume: bool = False  # continue an interrupted run
    accept: str = "if-better"  # or "always", "never"
    exclude_source: bool = False  # never read the passage that a masked sentence comes from
    warm_start: bool = False  # train the decoder to answer first; for `intra` alone
    method: str | None = None  # "reatt" or "intra"; None: the store's own

    def refuse(self, method: str, names: Sequence[str]) -> None:
        """Raise UsageError if one of these options was given; the method does not have them."""
        others = [name for name in names if getattr(self, name) != getattr(AdaptOptions(), name)]
        if others:
            options = ", ".join(f"--{name.replace('_', '-')}" for name in others)
            raise UsageError(f"--method {method} has no {options}", "leave it out")


@dataclass(frozen=True)
class Hooks:
    """Functions that are called during a run, and one that can stop it."""

    tell: OnProgress = lambda _: None
    on_row: Callable[[TrainingRow, float], None] = lambda row, share: None
    stop: Callable[[], bool] = lambda: False  # whether to end the training and judge what was learnt
    began: float = field(default_factory=time.monotonic)
    ranks: Ranks | None = None  # of several processes; None: this one alone


def checked(library: Library, options: AdaptOptions) -> str:
    """Return the method that is trained, "reatt" or "intra"; raises what makes a run impossible, before any loading."""
    from reatt.adapt_decoder import encoded_for_intra
    from reatt.training import feasible

    made = library.generation()
    asked = options.method or (made.method if made else "reatt")
    method = "intra" if asked == "intra" else "reatt"
    options.refuse(method, NOT_INTRA if method == "intra" else NOT_REATT)
    if options.minutes is not None and options.steps is not None:
        raise UsageError("--minutes and --steps both set the length of the run", "leave one of them out")
    if method == "reatt":
        feasible.in_force(library)
    elif options.qa is None or options.qrels is None:
        message = "--method intra needs questions and the documents that answer them"
        raise UsageError(message, "reatt adapt --qa queries.jsonl --qrels qrels.tsv")
    else:
        encoded_for_intra(library)
    return method


def course(library: Library, folder: ModelFolder, device: str, options: AdaptOptions, hooks: Hooks) -> Course[Any]:
    """Load the model and gather its training material; raises like `checked`, and if there is too little material."""
    method = checked(library, options)
    way = "keys" if method == "reatt" and learns_from_keys(options) else method
    return COURSES[way](library, folder, device, options, hooks)


def learns_from_keys(options: AdaptOptions) -> bool:
    """Return whether only the question's side learns, from stored keys: the default without questions."""
    if options.qa or options.judged or options.exclude_source:
        return False
    usual = AdaptOptions()
    given = [name for name in NOT_KEYS if getattr(options, name) != getattr(usual, name)]
    return options.freeze == "chunks" or (options.freeze is None and not given)


def encoder_course(
    library: Library, folder: ModelFolder, device: str, options: AdaptOptions, hooks: Hooks
) -> EncoderCourse:
    """Train with ReAtt's losses."""
    from reatt.adapt_encoder import EncoderCourse, EncoderOptions, Sources, gather
    from reatt.model.backbone import KEEPING
    from reatt.training import feasible, freezing
    from reatt.training.ranks import ALONE
    from reatt.weights import models

    qa, judged, spans = [None if name is None else Path(name) for name in (options.qa, options.judged, options.spans)]
    sources = Sources(qa, judged, spans, options.masked, options.exclude_source, options.hold_out)
    keeps = feasible.in_force(library).method == KEEPING
    model = models.load(folder, device, keeps_states=keeps)
    material = gather(library, sources, options.seed)
    freeze = options.freeze or freezing.usual(material.split.train)
    how = EncoderOptions(
        _plan(options, model.device.type), freeze, options.close_from, options.teacher, options.accept,
        _minutes(options), options.steps,
    )  # fmt: skip
    ranks = hooks.ranks or ALONE
    heard = replace(Hooks(), began=hooks.began) if ranks.number else hooks  # only the first process is heard
    tell, on_row, stop = heard.tell, heard.on_row, heard.stop
    return EncoderCourse(library, folder, model, material, how, tell, on_row, stop, hooks.began, ranks)


def keys_course(library: Library, folder: ModelFolder, device: str, options: AdaptOptions, hooks: Hooks) -> KeysCourse:
    """Train the question's side of retrieval, from the keys that the store keeps."""
    from reatt.adapt_encoder import Sources, gather
    from reatt.adapt_keys import PASSAGES, KeysCourse, KeysOptions
    from reatt.model.backbone import KEEPING
    from reatt.training import feasible
    from reatt.training.query_projection import PLAN
    from reatt.training.ranks import ALONE
    from reatt.weights import models

    keeps = feasible.in_force(library).method == KEEPING
    model = models.load(folder, device, keeps_states=keeps)
    spans = None if options.spans is None else Path(options.spans)
    material = gather(library, Sources(spans=spans, hold_out=options.hold_out, passages=PASSAGES), options.seed)
    plan = replace(PLAN, seed=options.seed)
    how = KeysOptions(plan, accept=options.accept, minutes=_minutes(options), steps=options.steps)
    ranks = hooks.ranks or ALONE
    return KeysCourse(library, folder, model, material, how, hooks.tell, hooks.on_row, hooks.stop, hooks.began, ranks)


def decoder_course(
    library: Library, folder: ModelFolder, device: str, options: AdaptOptions, hooks: Hooks
) -> DecoderCourse:
    """Train what INTRA learns: retrieval tokens and head weights."""
    from reatt.adapt_decoder import DecoderCourse, DecoderOptions, EvidenceFiles
    from reatt.training import decoder
    from reatt.weights import models

    assert options.qa is not None, "checked"
    assert options.qrels is not None, "checked"
    files = EvidenceFiles(Path(options.qa), Path(options.qrels), options.hold_out)
    plan = replace(decoder.RETRIEVAL_PLAN, seed=options.seed)
    how = DecoderOptions(plan, options.accept, _minutes(options), options.steps, options.warm_start)
    model = models.load_intra(folder, device)
    return DecoderCourse(library, folder, model, files, how, hooks.tell, hooks.on_row, hooks.stop, hooks.began)


COURSES: Mapping[str, Callable[..., Course[Any]]] = {
    "reatt": encoder_course,
    "keys": keys_course,
    "intra": decoder_course,
}


def _minutes(options: AdaptOptions) -> float | None:
    return options.minutes if options.steps is not None else options.minutes or MINUTES


def _plan(options: AdaptOptions, device: str) -> Plan:
    from reatt.training.plans import PRESETS

    usual = {"cpu": "laptop", "cuda": "gpu"}
    plan = PRESETS[usual[device] if options.preset == "auto" else options.preset]
    return replace(plan, seed=options.seed, lead=plan.lead if options.wait else None)
