"""What all published objects are made of, and the warnings in them."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    """An object inside a published one."""

    # Ready when it is first used: a command uses few of them all.
    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True, defer_build=True)


class Noticed(Part):
    """A warning that has a row in the error catalogue; `warnings` holds its text, too."""

    id: str = Field(description="such as ENCODING_GUESSED")
    detail: str


def noticed(warnings: Sequence[str]) -> list[Noticed]:
    """Pick the warnings that have an id."""
    from reatt_store.errors import Notice

    return [Noticed(id=warning.id, detail=warning) for warning in warnings if isinstance(warning, Notice)]
