"""The JSON objects of the commands that look after a store; `published.py` publishes them with the others."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, FiniteFloat

from reatt_cli.schemas.parts import Part


class Problem(Part):
    """A file that could not be read; the others were."""

    path: str
    id: str = Field(description="its row of the error catalogue, such as PDF_PASSWORD")
    detail: str
    fix: str


class Lock(Part):
    """Who is writing to the store."""

    pid: int
    host: str
    command: str
    since: str


class Sizes(Part):
    """Bytes on disk."""

    sqlite: int
    vectors: int
    cache: int
    models: int


class Ocr(Part):
    """What was read by OCR: scanned pages and pictures."""

    documents: int = 0
    pages: int = 0
    confidence: FiniteFloat | None = Field(
        default=None, description="in [0, 1], the mean over the pages; null if there are none"
    )


class Held(Part):
    """What one of several stores holds."""

    store: str
    documents: int
    chunks: int
    pending: int
    generation: int | None
    model: str | None
    last_ingest: str | None


class Status(Part):
    """`reatt status --json`."""

    schema_: Literal["reatt.status/1"] = Field(default="reatt.status/1", serialization_alias="schema")
    store: str = Field(description="its folder; empty where several are told of")
    format: int
    generation: int | None
    documents: int
    chunks: int
    tokens: int
    bytes: Sizes
    model: str | None
    pending: int = Field(description="chunks without vectors in the current generation; the next ingest makes them")
    last_ingest: str | None
    lock: Lock | None
    problems: list[Problem]
    ocr: Ocr
    stores: list[Held] = Field(default_factory=list, description="each of several stores; the rest tells their sums")


class Listed(Part):
    """A document in a list."""

    doc: str
    path: str = Field(description="relative to `root` where the object names one, and the file lies there")
    external_id: str | None
    title: str
    kind: str
    pages: int
    chunks: int
    bytes: int
    added: str
    store: str | None = Field(default=None, description="the folder of its store, where several are listed")


class Documents(Part):
    """`reatt list --json`."""

    schema_: Literal["reatt.list/2"] = Field(default="reatt.list/2", serialization_alias="schema")
    store: str = Field(description="its folder; empty where several are listed")
    root: str = Field(description="the folder that all documents of the store lie in; empty if there is none")
    documents: list[Listed]


class Piece(Part):
    """A stretch of a document's text; a document's chunks, joined, are its text."""

    chunk: str
    page: int | None
    line_start: int
    char_start: int
    char_end: int
    title: str
    text: str


class Show(Part):
    """`reatt show --json`: a document with all its chunks, or with the one asked for."""

    schema_: Literal["reatt.show/2"] = Field(default="reatt.show/2", serialization_alias="schema")
    id: str
    root: str = Field(description="the folder that all documents of the store lie in; empty if there is none")
    document: Listed
    chunks: list[Piece]


class Remove(Part):
    """`reatt remove --json`."""

    schema_: Literal["reatt.remove/2"] = Field(default="reatt.remove/2", serialization_alias="schema")
    store: str
    root: str = Field(description="the folder that all documents lay in, with the removed ones; empty if there is none")
    dry_run: bool
    removed: list[Listed]


class Damage(Part):
    """Something in a store that is not what it should be."""

    what: str
    id: str
    detail: str
    repairable: bool


class Check(Part):
    """`reatt check --json`."""

    schema_: Literal["reatt.check/1"] = Field(default="reatt.check/1", serialization_alias="schema")
    ok: bool
    checked: int
    damaged: list[Damage] = Field(description="with --repair: what it could not make good")
    repaired: list[Damage] = Field(default=[], description="what --repair made good")
    orphans: int
    seconds: FiniteFloat


class Init(Part):
    """`reatt init --json`."""

    schema_: Literal["reatt.init/1"] = Field(default="reatt.init/1", serialization_alias="schema")
    store: str
    created: bool = Field(description="false if the store was already there")


class Serve(Part):
    """`reatt serve --json`, printed once the model is loaded and questions are answered."""

    schema_: Literal["reatt.serve/1"] = Field(default="reatt.serve/1", serialization_alias="schema")
    store: str
    socket: str
    state: Literal["ready", "already", "stopped", "none"] = Field(
        description="ready: this process answers; already: another one does; after --stop: stopped, or none was there"
    )
    pid: int | None = Field(description="of this process if it answers")
    idle_minutes: FiniteFloat = Field(description="after which it ends by itself")
    address: str | None = Field(default=None, description="of the page, with --http; whoever has it may ask")
    beside: list[str] = Field(default_factory=list, description="the other stores that are searched with it as one")


class Served(Part):
    """`reatt cluster serve --json`, printed once all shards answer."""

    schema_: Literal["reatt.cluster/1"] = Field(default="reatt.cluster/1", serialization_alias="schema")
    address: str = Field(description="for `--cluster`")
    shards: list[str] = Field(description="folders of the stores, one process for each")
    pid: int = Field(description="of this process, with which all of them end")
