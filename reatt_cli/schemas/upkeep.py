"""The JSON objects of `doctor`, `config`, `report` and `export`; `published.py` publishes them with the others."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from reatt_cli.schemas.parts import Part


class Finding(Part):
    """One thing that was looked at."""

    name: str
    status: Literal["ok", "warn", "fail"]
    detail: str
    fix: str = Field(description="what to do about it; empty where nothing is to be done")


class Doctor(Part):
    """`reatt doctor --json`; the command exits 1 if something failed."""

    schema_: Literal["reatt.doctor/1"] = Field(default="reatt.doctor/1", serialization_alias="schema")
    ok: bool = Field(description="whether nothing failed; warnings do not count")
    checks: list[Finding]


class Setting(Part):
    """What one setting is, and who says so."""

    name: str = Field(description="as in the file: `model`, `ask.top`")
    value: str | int | float | list[str] | None
    source: str = Field(description="default, a variable of the environment, or the file's path")


class Config(Part):
    """`reatt config --json`."""

    schema_: Literal["reatt.config/1"] = Field(default="reatt.config/1", serialization_alias="schema")
    path: str = Field(description="of your own file, there or not")
    exists: bool
    settings: list[Setting]
    trusted: list[str] = Field(default=[], description="stores that are used although others could change them")


class Mcp(Part):
    """`reatt mcp --print-config CLIENT --json`."""

    schema_: Literal["reatt.mcp/1"] = Field(default="reatt.mcp/1", serialization_alias="schema")
    client: str
    file: str = Field(description="the client's settings, which `config` belongs in")
    config: str


class Reported(Part):
    """`reatt report --json`."""

    schema_: Literal["reatt.report/1"] = Field(default="reatt.report/1", serialization_alias="schema")
    id: str = Field(description="A-… or R-…")
    path: str = Field(description="of the page")


class Exported(Part):
    """`reatt export FILE --json`."""

    schema_: Literal["reatt.export/1"] = Field(default="reatt.export/1", serialization_alias="schema")
    path: str = Field(description="of the Parquet file")
    form: Literal["int8", "float16"] = Field(description="of the keys in it")
    chunks: int = Field(description="rows of the file")
    keys: int
    width: int = Field(description="numbers in a key")
    bytes: int = Field(description="of the file")
    warnings: list[str]
