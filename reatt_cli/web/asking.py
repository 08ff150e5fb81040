"""Questions that come over HTTP: what they may say, and the objects that answer them, as `--json` prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reatt_cli.replies import lean, lookup
from reatt_cli.serving import warm
from reatt_cli.session import Session
from reatt_cli.settings import Settings

if TYPE_CHECKING:
    from reatt_store.errors import ReattError

STATUS = {2: 400, 10: 404, 11: 503}  # exit code -> status of HTTP; any other failure is 500


class Asked(BaseModel):
    """The body of `POST /v1/ask` and `/v1/search`: the options of the command line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: str = Field(min_length=1, max_length=10_000)
    top: int = Field(default=8, ge=1, le=1000)
    retriever: Literal["attention", "words", "hybrid"] = "hybrid"
    only: str | None = None
    abstain: float | None = Field(default=None, ge=0, le=1)
    answer: Literal["auto", "span", "sentence"] = "auto"
    explain: bool = False
    fields: str | None = None
    compact: bool = False
    stream: bool = False


def asked(body: bytes) -> Asked:
    """Read a question; raises UsageError."""
    from reatt_store.errors import BadQuestion, UsageError

    try:
        found = Asked.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the body"
        raise UsageError(f"{where}: {first['msg']}", '{"question": "…"}') from None
    if not found.question.strip():
        raise BadQuestion("the question is empty", '{"question": "…"}')
    return found


def answer(settings: Settings, command: warm.Command, told: Asked) -> dict[str, Any]:
    """Ask the warm process, and return the object to send; raises ReattError."""
    from reatt.search.query import Query

    query = Query(told.question, told.top, told.retriever, only=told.only, abstain=told.abstain, answer=told.answer)
    chosen = None if told.fields is None else lean.fields(told.fields)
    session = Session(settings)
    try:
        found = lookup.found(session, command, query, cold=False)
        return lean.Lean(found.result, told.explain, chosen, told.compact).model_dump()
    finally:
        session.store.close()


def refusal(error: ReattError) -> tuple[int, dict[str, Any]]:
    """Return the status and the object that tell an error."""
    from reatt_cli.schemas.published import Error

    told = Error(
        code=error.exit_code, id=error.id, message=error.message, fix=error.fix, path=error.path,
        retryable=error.retryable,
    )  # fmt: skip
    return STATUS.get(error.exit_code, 500), told.model_dump(mode="json", by_alias=True)
