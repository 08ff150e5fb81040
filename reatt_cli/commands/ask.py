"""The commands `search` and `ask`."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from reatt_cli.command import command
from reatt_cli.patterns import as_text, as_utf8, folder_or_glob
from reatt_cli.session import Session

if TYPE_CHECKING:
    from reatt_cli.schemas import published as schemas
    from reatt_cli.warm import Wanted
    from reatt_store.errors import UsageError

NO_ANSWER = 4

RetrieverName = Literal["attention", "words", "hybrid"]
SearchName = Literal["auto", "exact", "fast", "two-stage"]
Question = Annotated[str, typer.Argument(metavar="QUESTION", help="The question.", callback=as_utf8)]
MaybeQuestion = Annotated[
    str | None,
    typer.Argument(
        metavar="QUESTION", help='The question; "-": one per line from stdin; none: prompt.', callback=as_utf8
    ),
]
Top = Annotated[int, typer.Option("--top", "-k", min=1, max=1000, help="Number of passages.")]
By = Annotated[RetrieverName, typer.Option("--retriever", help="How passages are found.")]
How = Annotated[SearchName, typer.Option("--search", help="How attention compares the question with the keys.")]
Only = Annotated[
    str | None,
    typer.Option(
        "--only",
        metavar="GLOB|DIR",
        help="Only documents that match the pattern or are in the folder.",
        callback=folder_or_glob,
    ),
]
OkEmpty = Annotated[bool, typer.Option("--ok-empty", help="Exit 0, not 4, if nothing was found.")]
Cold = Annotated[bool, typer.Option("--cold", help="Load the model, even if reatt serve is running.")]
Keep = Annotated[
    int, typer.Option("--keep", min=0, metavar="N", help="Remember the last N answers for reatt report A-…; 0: none.")
]
Page = Annotated[str | None, typer.Option("--report", metavar="FILE", help="Also write the answer as HTML.")]
Rounds = Annotated[
    int | None, typer.Option("--rounds", min=1, max=2, help="With --method intra: 1 uses the encoder alone [2].")
]
Rerank = Annotated[
    bool, typer.Option("--rerank-only", help="With --method intra: the decoder only reorders what the encoder found.")
]
Explain = Annotated[
    bool,
    typer.Option("--explain", help="Show which words or heads made each score."),
]


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    command(app, "search", example='reatt search "parental leave" -k 3', model=True)(search)
    command(app, "ask", example='reatt ask "How long is parental leave in Norway?"', model=True)(ask)


def search(
    session: Session,
    question: Question,
    top: Top = 8,
    retriever: By = "hybrid",
    how: How = "auto",
    only: Only = None,
    explain: Explain = False,
    ok_empty: OkEmpty = False,
    cold: Cold = False,
    rounds: Rounds = None,
    rerank_only: Rerank = False,
) -> int:
    """Find the passages that match a question best, without reading an answer."""
    from reatt_cli import warm
    from reatt_cli.replies import answers, lookup

    _not_blank(question, "search")
    session.cold = cold
    wanted = warm.Wanted("search", question, top, retriever, how, only, rounds=rounds, rerank=rerank_only)
    found = lookup.found(session, wanted)
    result = cast("schemas.Search", found.result)
    session.out.result(result, lambda: answers.render_hits(session.out, question, result.hits, explain))
    if found.note:
        session.out.note(found.note)
    return 0 if result.hits or ok_empty else NO_ANSWER


def ask(
    session: Session,
    question: MaybeQuestion = None,
    top: Top = 8,
    retriever: By = "hybrid",
    how: How = "auto",
    only: Only = None,
    free: Annotated[
        bool, typer.Option("--free", help="Allow words in the answer that are not in the passages.")
    ] = False,
    beams: Annotated[
        int, typer.Option("--beams", min=1, max=16, help="Number of beams in the search for an answer.")
    ] = 1,
    max_tokens: Annotated[
        int, typer.Option("--max-tokens", min=1, max=512, help="Maximum length of the answer in tokens.")
    ] = 32,
    abstain: Annotated[
        str, typer.Option("--abstain", metavar="auto|never|P", help="Give no answer below this confidence.")
    ] = "auto",
    explain: Explain = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Print one JSON object per line.")] = False,
    ok_empty: OkEmpty = False,
    cold: Cold = False,
    report: Page = None,
    keep: Keep = 1000,
    rounds: Rounds = None,
    rerank_only: Rerank = False,
) -> int:
    """Answer a question from the documents, and show the passages."""
    from reatt_cli.warm import Wanted

    threshold = _threshold(abstain)
    many = _questions(session, question, jsonl) if question in (None, "-") else None
    session.cold = cold
    if jsonl:
        session.out = replace(session.out, json=True)
    if many is None:
        _not_blank(question or "", "ask")
    elif report is not None:
        raise _one_at_a_time()
    how_to_read = (free, beams, max_tokens, threshold, rounds, rerank_only)
    wanted = Wanted("ask", question or "", top, retriever, how, only, *how_to_read)
    if many is not None:
        return _ask_many(session, many, wanted, explain, keep)
    reply = _ask_one(session, wanted, explain, keep)
    if report is not None:
        _write_report(reply, report)
    return NO_ANSWER if reply.abstained and not ok_empty else 0


def _ask_many(session: Session, questions: Iterator[str], wanted: Wanted, explain: bool, keep: int) -> int:
    """Answer several questions with one loaded model. Abstaining does not change the exit code here."""
    from reatt_cli.replies import lookup

    if not lookup.is_warm(session):
        _ = session.library  # before torch is loaded, so that a missing store is reported at once
        session.retriever()
    for question in questions:
        if text := as_text(question).strip():
            _ask_one(session, replace(wanted, question=text), explain, keep, echo=not sys.stdin.isatty())
    return 0


def _ask_one(session: Session, wanted: Wanted, explain: bool, keep: int, echo: bool = False) -> schemas.Ask:
    from reatt_cli.replies import answers, lookup
    from reatt_cli.replies import kept as kept_answers

    found = lookup.found(session, wanted)
    reply = cast("schemas.Ask", found.result)
    kept = kept_answers.keep(session.folder, reply, keep)
    session.out.result(reply, lambda: answers.render_reply(session.out, reply, explain, echo, kept))
    if session.settings.verbose:
        session.out.note("  ".join(f"{phase} {spent:.0f} ms" for phase, spent in reply.timing_ms.items()))
    if found.note:
        session.out.note(found.note)
    return reply


def _write_report(reply: schemas.Ask, file: str) -> None:
    from reatt_cli.replies import page
    from reatt_store.connection import replace_text

    replace_text(Path(file), page.page(reply))


def _one_at_a_time() -> UsageError:
    from reatt_store.errors import UsageError

    return UsageError("--report is for one question", 'reatt ask "QUESTION" --report FILE')


def _questions(session: Session, question: str | None, jsonl: bool) -> Iterator[str]:
    """Read questions: one per line from standard input, or from a prompt."""
    from reatt_store.errors import UsageError

    if session.out.json and not jsonl:
        raise UsageError("--json is for one question; use --jsonl for many", "--jsonl")
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # one line that is not text must not stop the others
    if question == "-":
        return (line.rstrip("\r\n") for line in sys.stdin)
    if session.settings.no_input or not sys.stdin.isatty():
        raise UsageError("no question was given", 'reatt ask "QUESTION", or reatt ask - < questions.txt')
    return session.out.prompts("? ")


def _not_blank(question: str, command: str) -> None:
    """Refuse an empty question before a model is loaded for it."""
    from reatt_store.errors import BadQuestion

    if not question.strip():
        raise BadQuestion("the question is empty", f'reatt {command} "QUESTION"')


def _threshold(abstain: str) -> float | None:
    """Read `--abstain`: None means the model's own threshold, 0 means never abstain."""
    from reatt_store.errors import UsageError

    if abstain == "auto":
        return None
    if abstain == "never":
        return 0.0
    try:
        threshold = float(abstain)
    except ValueError:
        threshold = -1.0
    if not 0 <= threshold <= 1:
        raise UsageError(f"--abstain {abstain}: expected auto, never, or a confidence from 0 to 1", "--abstain auto")
    return threshold
