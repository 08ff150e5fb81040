"""Every JSON object that `reatt` prints, as pydantic models; `reatt schema NAME` publishes them.

Within a major version ("reatt.ask/2") keys are only ever added. Offsets are characters, [start, end).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, FiniteFloat

from reatt_cli.schemas.adapt import Adapt
from reatt_cli.schemas.answers import Ask, AskFields, Search, SearchFields
from reatt_cli.schemas.parts import Noticed, Part
from reatt_cli.schemas.store import (
    Check,
    Documents,
    Init,
    Ocr,
    Problem,
    Remove,
    Serve,
    Served,
    Show,
    Status,
)
from reatt_cli.schemas.upkeep import Config, Doctor, Exported, Mcp, Reported


class Files(Part):
    """What became of the files, or records, that an ingest saw."""

    seen: int
    added: int
    changed: int
    unchanged: int
    removed: int
    skipped: int
    failed: int


class Ingest(Part):
    """`reatt ingest --json`."""

    schema_: Literal["reatt.ingest/1"] = Field(default="reatt.ingest/1", serialization_alias="schema")
    store: str
    generation: int | None
    files: Files
    chunks: int
    tokens: int
    bytes: int
    seconds: FiniteFloat
    problems: list[Problem]
    skipped: list[Problem] = Field(default_factory=list, description="files without text that folders hold, and why")
    warnings: list[str]
    notices: list[Noticed] = Field(default_factory=list)
    ocr: Ocr = Field(default_factory=Ocr, description="what this run read by OCR")
    duplicates: int = Field(default=0, description="contents of added files that more than one file has")
    shards: list[str] = Field(default_factory=list, description="the stores that `reatt cluster ingest` wrote to")
    dry_run: bool = Field(default=False, description="true if nothing was read: files are counted by their bytes alone")


class Eval(Part):
    """`reatt eval --json`; a measure that cannot be computed from the files given is null."""

    schema_: Literal["reatt.eval/1"] = Field(default="reatt.eval/1", serialization_alias="schema")
    queries: int
    retriever: str
    search: str
    rounds: int | None = Field(default=None, description="null: all that the store's method has")
    rerank_only: bool = False
    hit_1: FiniteFloat | None = Field(default=None, serialization_alias="hit@1")
    hit_5: FiniteFloat | None = Field(default=None, serialization_alias="hit@5")
    hit_20: FiniteFloat | None = Field(default=None, serialization_alias="hit@20")
    hit_100: FiniteFloat | None = Field(default=None, serialization_alias="hit@100")
    recall_20: FiniteFloat | None = Field(default=None, serialization_alias="recall@20")
    ndcg_10: FiniteFloat | None = Field(default=None, serialization_alias="ndcg@10")
    mrr_10: FiniteFloat | None = Field(default=None, serialization_alias="mrr@10")
    complete_2: FiniteFloat | None = Field(default=None, serialization_alias="complete@2")
    complete_5: FiniteFloat | None = Field(default=None, serialization_alias="complete@5")
    complete_10: FiniteFloat | None = Field(default=None, serialization_alias="complete@10")
    complete_20: FiniteFloat | None = Field(default=None, serialization_alias="complete@20")
    answer_hit_1: FiniteFloat | None = Field(default=None, serialization_alias="answer_hit@1")
    answer_hit_5: FiniteFloat | None = Field(default=None, serialization_alias="answer_hit@5")
    answer_hit_20: FiniteFloat | None = Field(default=None, serialization_alias="answer_hit@20")
    answer_hit_100: FiniteFloat | None = Field(default=None, serialization_alias="answer_hit@100")
    em: FiniteFloat | None = None
    f1: FiniteFloat | None = None
    ci95: dict[str, tuple[FiniteFloat, FiniteFloat]] = Field(description="bootstrap interval of each measure above")
    seconds: FiniteFloat
    warnings: list[str]
    partial: list[str] = Field(
        default_factory=list, description="folders of the shards of a cluster that the result is without; exit code 3"
    )


class KnownModel(Part):
    """A model of the store, or one that `--model` accepts by name."""

    name: str
    path: str
    sha256: str
    origin: Literal["bundled", "added", "store", "folder"]
    generation: int | None = Field(default=None, description="of the store whose vectors it reads; null if none")
    in_force: bool = Field(default=False, description="whether the store answers with it")
    disk_bytes: int = Field(default=0, description="of its files")
    memory_bytes: int | None = Field(default=None, description="of its loaded weights; null if unknown")


class Models(Part):
    """`reatt models list --json`; `add`, `use` and `rollback` give the one that they added or brought into force."""

    schema_: Literal["reatt.models/1"] = Field(default="reatt.models/1", serialization_alias="schema")
    models: list[KnownModel]
    warnings: list[str]


class ProbedHead(Part):
    """How well one attention head retrieves masked sentences."""

    layer: int = Field(description="`retrieval_layer` in config.json")
    head: int = Field(description="`retrieval_head` in config.json")
    hit: FiniteFloat = Field(description="share of sentences whose own chunk scores highest")
    mrr: FiniteFloat = Field(description="mean of 1 / rank of the sentence's own chunk; heads are sorted by it")


class Probe(Part):
    """`reatt models probe --json`; the best head first."""

    schema_: Literal["reatt.probe/1"] = Field(default="reatt.probe/1", serialization_alias="schema")
    model: str
    sentences: int
    chunks: int = Field(description="among which each sentence had to find its own")
    heads: list[ProbedHead]
    chosen: bool = Field(description="whether the first head was written into the model's config")


class Completion(Part):
    """`reatt completion SHELL --json`."""

    schema_: Literal["reatt.completion/1"] = Field(default="reatt.completion/1", serialization_alias="schema")
    shell: str
    script: str


class SchemaNames(Part):
    """`reatt schema --json`."""

    schema_: Literal["reatt.schema/1"] = Field(default="reatt.schema/1", serialization_alias="schema")
    names: list[str]


class Error(Part):
    """What stderr holds, in one line, when a command with `--json` fails."""

    schema_: Literal["reatt.error/1"] = Field(default="reatt.error/1", serialization_alias="schema")
    code: int = Field(description="the exit code")
    id: str
    message: str
    fix: str
    path: str | None
    retryable: bool = Field(default=False, description="whether the same call may succeed a little later")


PUBLISHED: dict[str, type[Part]] = {
    model.model_fields["schema_"].default.removeprefix("reatt.").partition("/")[0]: model
    for model in (
        Ingest, Search, Ask, SearchFields, AskFields, Adapt, Eval, Documents, Show, Remove, Status, Check, Init, Models,
        Probe, Serve, Served, Mcp, Doctor, Config, Reported, Exported, Completion, SchemaNames, Error,
    )
}  # fmt: skip


def json_schema(name: str) -> dict[str, Any]:
    """Give the JSON Schema of a published object, under its own identity."""
    model = PUBLISHED[name]
    identity = model.model_fields["schema_"].default
    described = model.model_json_schema(by_alias=True, mode="serialization")
    if name.endswith("-fields"):
        for part in described["$defs"].values():
            part.pop("required")
        described["required"] = ["schema", "hits" if "hits" in described["properties"] else "evidence"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": identity, **described}
