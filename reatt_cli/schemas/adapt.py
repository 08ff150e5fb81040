"""The JSON object of `reatt adapt`; `published.py` publishes it with the others."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, FiniteFloat

from reatt_cli.schemas.parts import Part


class Teacher(Part):
    """Whether what reading prefers is the chunk that answers; over the held-out questions whose chunk is known."""

    name: str | None = Field(default=None, description="what was asked: attention, or the likelihood of the answer")
    words_hit: FiniteFloat = Field(
        description="how often the first chunk in the order of BM25 is: what is to be beaten"
    )
    before: FiniteFloat = Field(description="how often the chunk that it gives most is, at the first step")
    after: FiniteFloat = Field(description="the same at the last look")


class Learnt(Part):
    """The model that learnt, and what it became; null where that was not kept."""

    name: str
    parent_sha256: str
    sha256: str | None
    path: str | None


class Forecast(Part):
    """What a run would take, measured on one step, some texts and some questions."""

    steps: int
    step_seconds: FiniteFloat
    seconds: FiniteFloat
    bytes: int = Field(description="on the disk, for a while")


class Step(Part):
    """One step of the training."""

    step: int
    seconds: FiniteFloat = Field(description="since the run began, pauses left out")
    rate: FiniteFloat
    tokens: int
    tokens_per_second: FiniteFloat
    answer: FiniteFloat | None = Field(description="loss; null where only retrieval learns")
    cross_document: FiniteFloat | None = Field(description="loss; null while the teacher may not teach")
    agreement: FiniteFloat | None = Field(
        description="share of questions where retrieval prefers what the teacher, or given evidence, does; null where "
        "the decoder learns to answer"
    )
    teacher_hit: FiniteFloat | None
    cloze: FiniteFloat | None = Field(
        None, description="loss of finding what is close to cloze questions; null where none are asked"
    )


class Side(Part):
    """What one model did with a question."""

    rank: int | None = Field(description="of the right text, from 1; null if it was not among the first ten")
    answer: str | None = Field(description="null if it was not asked to read")


class Moved(Part):
    """A held-out question that got better, or worse, by the figure that decides."""

    question: str = Field(description="with <extra_id_0> for what was masked")
    expected: list[str]
    group: str = Field(description="what was held out together: a document, or the records of one title")
    before: Side
    after: Side


class Adapt(Part):
    """`reatt adapt --json`; figures are named mrr@10, ndcg@10, hit@5, complete@5, em, f1: those that were measured."""

    schema_: Literal["reatt.adapt/1"] = Field(default="reatt.adapt/1", serialization_alias="schema")
    run: str | None = Field(description="R-…; null after --dry-run")
    store: str
    mode: str = Field(description="what was learnt from: masked, question, relevance, evidence, joined by +")
    dry_run: bool
    settings: dict[str, str | int | float | bool | None] = Field(default={}, description="what was asked for")
    accepted: bool = Field(description="whether the new model is in force")
    better: bool = Field(default=False, description="what the figures say, whatever --accept asks for")
    reason: str
    primary: str | None = Field(default=None, description="the figure that decides")
    spans: dict[str, int] = Field(description="examples to learn from, by kind")
    held_out_documents: int = Field(description="groups of documents that nothing was learnt from")
    held_out_questions: int
    before: dict[str, FiniteFloat] = Field(description="means over the held-out questions")
    after: dict[str, FiniteFloat]
    delta_ci95: dict[str, tuple[FiniteFloat, FiniteFloat]] = Field(description="of after - before, resampled by group")
    teacher: Teacher | None
    steps: int
    tokens: int = Field(description="read while learning")
    stopped: bool = Field(description="by Ctrl-C; what was learnt until then was kept")
    log: list[Step] = Field(default=[])
    peak_vram: int | None = Field(default=None, description="bytes; null without a GPU")
    seconds: FiniteFloat
    model: Learnt
    reencoded: int = Field(description="keys that were made anew")
    forecast: Forecast | None = Field(description="null but for --dry-run")
    better_examples: list[Moved] = Field(default=[])
    worse_examples: list[Moved] = Field(default=[])
    report: str | None = Field(description="path of the same as an HTML page")
    warnings: list[str]
