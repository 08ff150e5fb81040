"""The JSON objects of `search` and `ask`; `published.py` publishes them with the others.

Offsets are characters, [start, end).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, FiniteFloat

from reatt_cli.schemas.parts import Noticed, Part


class Token(Part):
    """One term of a retrieval score: a token of the question, the token of the chunk it matches best, and its share."""

    q: str = Field(description="the question's token, as written in the question")
    q_start: int
    q_end: int
    start: int = Field(description="in the evidence's `text`; start = end where the match is its title or an end mark")
    end: int
    weight: FiniteFloat = Field(description="the weights of one piece of evidence sum to its attention score")
    layer: int | None = Field(default=None, description="of the decoder, from 0, whose head asked; null for a token")
    head: int | None = Field(default=None, description="of that layer, from 0")


class Retrieval(Part):
    """Why a chunk was found."""

    score: FiniteFloat
    rank: int
    attention: FiniteFloat | None
    bm25: FiniteFloat | None = Field(description="of its words; higher is better")
    tokens: list[Token] = Field(description="empty without `--explain`")


class Attribution(Part):
    """How much of the answer's attention a chunk received."""

    share: FiniteFloat = Field(description="in [0, 1]; the shares of all evidence sum to 1; 0 where it was not read")
    read: bool = Field(
        default=True, description="false for passages that were found but not given to the model, which reads the best"
    )


class Copy(Part):
    """Another chunk that says the same as one that was found: equal, or but for details of writing."""

    chunk: str = Field(description="C-…, for `reatt show`")
    doc: str = Field(description="D-…, for `reatt show` and `reatt remove`")
    path: str
    external_id: str | None
    page: int | None
    line_start: int
    store: str | None = Field(default=None, description="the folder of its store, where several were searched as one")


class Hit(Part):
    """A chunk that was found."""

    chunk: str = Field(description="C-…, for `reatt show`")
    doc: str = Field(description="D-…, for `reatt show` and `reatt remove`")
    path: str = Field(description="relative to `root`; absolute if it lies elsewhere")
    external_id: str | None = Field(description="`_id` of a JSON Lines record")
    title: str
    page: int | None
    line_start: int
    char_start: int = Field(description="of `text` in the document")
    char_end: int
    text: str
    retrieval: Retrieval
    copies: list[Copy] = Field(default_factory=list, description="other chunks that say the same; they take no ranks")
    store: str | None = Field(default=None, description="the folder of its store, where several were searched as one")


class Evidence(Hit):
    """A chunk that was found for an answer."""

    attribution: Attribution


class Model(Part):
    """The model that answered, and the generation of vectors it searched."""

    name: str
    sha256: str
    generation: int = Field(
        description="its number in its store; where several were searched, in the first with vectors"
    )


class Search(Part):
    """`reatt search --json`."""

    schema_: Literal["reatt.search/2"] = Field(default="reatt.search/2", serialization_alias="schema")
    question: str
    root: str = Field(
        default="", description="the folder that all documents of the store lie in; empty if they have none in common"
    )
    hits: list[Hit]
    model: Model | None = Field(default=None, description="null where words alone were searched")
    timing_ms: dict[str, FiniteFloat]
    warnings: list[str]
    notices: list[Noticed] = Field(default_factory=list)
    partial: list[str] = Field(
        default_factory=list, description="folders of the shards of a cluster that the result is without; exit code 3"
    )


class Quote(Part):
    """A part of a document that is shown as the answer, as one of several, or as what says yes or no."""

    text: str
    source: int = Field(description="index into `evidence` of the chunk that it was cut from")
    char_start: int = Field(description="in that document")
    char_end: int
    probability: FiniteFloat = Field(description="that the answer stands there; in rows the question counts, too")
    key_start: int | None = Field(
        default=None, description="of sentences: where in the document the words that the model points at begin"
    )
    key_end: int | None = None
    sentence_start: int | None = Field(
        default=None, description="of one of several: where in the document the sentence begins that it stands in"
    )
    sentence_end: int | None = None


class Ask(Part):
    """`reatt ask --json`; one a line under `--jsonl`."""

    schema_: Literal["reatt.ask/2"] = Field(default="reatt.ask/2", serialization_alias="schema")
    id: str = Field(description="A-…")
    question: str
    root: str = Field(
        default="", description="the folder that all documents of the store lie in; empty if they have none in common"
    )
    answer: str | None = Field(description="null if the model abstained")
    abstained: bool
    confidence: FiniteFloat = Field(ge=0, le=1)
    agreement_kl: FiniteFloat = Field(description="KL(attention while answering || attention while searching)")
    source: int | None = Field(description="index into `evidence` of the chunk the answer was cut from")
    char_start: int | None = Field(description="of the answer in that document")
    char_end: int | None
    mode: Literal["span", "sentence", "list", "yes-no", "comparison", "free"] = Field(
        default="span", description="how the question is answered; docs/answers.md"
    )
    why: str = Field(default="", description="in this way")
    quotes: list[Quote] = Field(
        default_factory=list,
        description="what is shown as the answer: `answer` is the first, unless it is yes or no, which the first says, "
        "or the answer of a comparison, whose values they are",
    )
    disagree: bool = Field(default=False, description="whether the quotes are different answers of two documents")
    withheld: str | None = Field(default=None, description="why there is no answer, if not because the model is unsure")
    evidence: list[Evidence]
    model: Model
    timing_ms: dict[str, FiniteFloat]
    warnings: list[str]
    notices: list[Noticed] = Field(default_factory=list)
    partial: list[str] = Field(
        default_factory=list, description="folders of the shards of a cluster that the result is without; exit code 3"
    )


class SearchFields(Search):
    """`reatt search --fields …` or `--compact`: the object of `search` without the keys that were not asked for."""

    schema_: Literal["reatt.search-fields/1"] = Field(  # type: ignore[assignment]
        default="reatt.search-fields/1", serialization_alias="schema"
    )


class AskFields(Ask):
    """`reatt ask --fields …` or `--compact`: the object of `ask` without the keys that were not asked for."""

    schema_: Literal["reatt.ask-fields/1"] = Field(  # type: ignore[assignment]
        default="reatt.ask-fields/1", serialization_alias="schema"
    )
