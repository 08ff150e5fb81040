"""The commands `search` and `ask`."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from reatt.search.query import Query
from reatt_cli.command import command
from reatt_cli.commands.selecting import After, Before, Kind, Only, Without, selection
from reatt_cli.patterns import as_text, as_utf8
from reatt_cli.session import Session

if TYPE_CHECKING:
    from pathlib import Path

    from reatt.answering.follow_ups import Asked
    from reatt_cli.replies.lean import Lean
    from reatt_cli.replies.lookup import Found
    from reatt_cli.schemas import answers as schemas

    Printed = Callable[[schemas.Search | schemas.Ask], Lean]

PARTLY, NO_ANSWER = 3, 4

RetrieverName = Literal["attention", "words", "hybrid"]
AnswerName = Literal["auto", "span", "sentence"]
SearchName = Literal["auto", "exact", "fast", "clusters", "two-stage"]
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
NoContext = Annotated[bool, typer.Option("--no-context", help="At the prompt, let no question lean on the one before.")]
Answered = Annotated[AnswerName, typer.Option("--answer", help="How it is answered; auto: as its words ask.")]
OkEmpty = Annotated[bool, typer.Option("--ok-empty", help="Exit 0, not 4, if nothing was found.")]
Cold = Annotated[bool, typer.Option("--cold", help="Load the model, even if reatt serve is running.")]
Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster", metavar="ADDRESS", help="Ask the shards that reatt cluster serve has, in place of stores."
    ),
]
Keep = Annotated[
    int, typer.Option("--keep", min=0, metavar="N", help="Remember the last N answers for reatt report A-…; 0: none.")
]
Page = Annotated[str | None, typer.Option("--report", metavar="FILE", help="Also write the answer as HTML.")]
Rounds = Annotated[
    int | None, typer.Option("--rounds", min=1, max=2, help="With --method intra: 1 uses the encoder alone [2].")
]
Abstain = Annotated[
    str, typer.Option("--abstain", metavar="auto|never|P", help="Give no answer below this confidence.")
]
Rerank = Annotated[
    bool, typer.Option("--rerank-only", help="With --method intra: the decoder only reorders what the encoder found.")
]
Explain = Annotated[
    bool,
    typer.Option("--explain", help="Show which words or heads made each score."),
]
Fields = Annotated[
    str | None, typer.Option("--fields", metavar="KEY,KEY...", help="Print JSON with these keys of each passage.")
]
Compact = Annotated[bool, typer.Option("--compact", help="Print JSON without empty keys, spaces, model and times.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    command(app, "search", example='reatt search "parental leave" -k 3', model=True, several=True)(search)
    command(app, "ask", example='reatt ask "How long is parental leave in Norway?"', model=True, several=True)(ask)


def search(
    session: Session,
    question: Question,
    top: Top = 8,
    retriever: By = "hybrid",
    how: How = "auto",
    only: Only = None,
    without: Without = None,
    kind: Kind = None,
    after: After = None,
    before: Before = None,
    explain: Explain = False,
    fields: Fields = None,
    compact: Compact = False,
    ok_empty: OkEmpty = False,
    cold: Cold = False,
    cluster: Cluster = None,
    rounds: Rounds = None,
    rerank_only: Rerank = False,
) -> int:
    """Find the passages that match a question best, without reading an answer."""
    from reatt_cli.replies import answers, lookup

    among = selection(only, without, kind, after, before)
    _not_blank(question, "search")
    printed = _printed(session, explain, fields, compact)
    query = Query(question, top, retriever, how, among, rounds, rerank_only)
    with session.asking(cluster):
        found = lookup.found(session, "search", query, cold=cold)
    result = cast("schemas.Search", found.result)
    session.out.result(printed(result), lambda: answers.render_hits(session.out, result, explain))
    if found.note:
        session.out.note(found.note)
    return PARTLY if result.partial else 0 if result.hits or ok_empty else NO_ANSWER


def ask(
    session: Session,
    question: MaybeQuestion = None,
    top: Top = 8,
    retriever: By = "hybrid",
    how: How = "auto",
    only: Only = None,
    without: Without = None,
    kind: Kind = None,
    after: After = None,
    before: Before = None,
    free: Annotated[bool, typer.Option("--free", help="Allow words that are not in the passages.")] = False,
    beams: Annotated[int, typer.Option("--beams", min=1, max=16, help="Beams: answers kept in mind.")] = 1,
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=1, max=512, help="Longest span in tokens.")] = 32,
    answer: Answered = "auto",
    abstain: Abstain = "auto",
    explain: Explain = False,
    fields: Fields = None,
    compact: Compact = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Print one JSON object per line.")] = False,
    ok_empty: OkEmpty = False,
    cold: Cold = False,
    cluster: Cluster = None,
    report: Page = None,
    keep: Keep = 1000,
    rounds: Rounds = None,
    rerank_only: Rerank = False,
    no_context: NoContext = False,
) -> int:
    """Answer a question from the documents, and show the passages."""
    from reatt_cli.replies import lookup

    how_to_look = (top, retriever, how, selection(only, without, kind, after, before), rounds, rerank_only)
    query = Query(question or "", *how_to_look, _threshold(abstain), free, beams, max_tokens, answer)
    many, talk, codes = question in (None, "-"), _Talk(session, question is None and not no_context), list[int]()
    shown = _printed(session, explain, fields, compact), keep, report, many and not sys.stdin.isatty()
    with session.asking(cluster):
        for each in _queries(session, talk, query, many, jsonl, report, cold):
            codes.append(_show(session, *shown, talk.heard(each, lookup.found(session, "ask", each, cold=cold))))
    return PARTLY if PARTLY in codes else 0 if many or ok_empty else codes[0]


class _Talk:
    """A conversation: the question before, which the next one may lean on, and its answer."""

    def __init__(self, session: Session, leans: bool) -> None:
        self._session, self._leans = session, leans
        self._before: Asked | None = None

    def whole(self, query: Query) -> Query:
        """Add to a question what it leans on, and say so."""
        if not self._leans:
            return query
        from reatt.answering import follow_ups

        whole = follow_ups.whole(query.question, self._before)
        if whole != query.question:
            self._session.out.aside(f"asked as: {whole}   (--no-context: as it stands)")
        return replace(query, question=whole)

    def heard(self, query: Query, found: Found) -> Found:
        """Keep a question and its answer for the next one."""
        if self._leans:
            from reatt.answering import follow_ups

            self._before = follow_ups.Asked(query.question, cast("schemas.Ask", found.result).answer)
        return found


def _queries(
    session: Session, talk: _Talk, query: Query, many: bool, jsonl: bool, report: str | None, cold: bool
) -> Iterator[Query]:
    """Yield the question of the command line, or each of a talk, which are answered with one loaded model."""
    from reatt_cli.replies import lookup
    from reatt_store.errors import UsageError

    if report is not None:
        session.target(report)  # before anything is answered
    texts = _lines(session, query.question, jsonl) if many else iter(())
    if jsonl and not session.out.json:
        session.print_json()
    if not many:
        _not_blank(query.question, "ask")
        yield query
        return
    if report is not None:
        raise UsageError("--report is for one question", 'reatt ask "QUESTION" --report FILE')
    if session.cluster is None and (cold or not lookup.is_warm(session)):
        _ = session.view  # before torch is loaded, so that a missing store is reported at once
        session.store.retriever()
    for line in texts:
        if text := as_text(line).strip():
            yield talk.whole(replace(query, question=text))


def _show(session: Session, printed: Printed, keep: int, report: str | None, echo: bool, found: Found) -> int:
    """Print and keep a reply; return its exit code."""
    from reatt_cli.replies import answers
    from reatt_cli.replies import kept as kept_answers

    reply = cast("schemas.Ask", found.result)
    kept = not session.cluster and not session.several and kept_answers.keep(session.folder, reply, keep)
    lean = printed(reply)
    session.out.result(lean, lambda: answers.render_reply(session.out, reply, lean.explain, echo, kept))
    if session.settings.verbose:
        session.out.note("  ".join(f"{phase} {spent:.0f} ms" for phase, spent in reply.timing_ms.items()))
    if found.note:
        session.out.note(found.note)
    if report is not None:
        _write_report(reply, session.target(report))
    return PARTLY if reply.partial else NO_ANSWER if reply.abstained else 0


def _printed(session: Session, explain: bool, fields: str | None, compact: bool) -> Printed:
    """Return what a reply is printed as; some keys, or none that are empty, are printed as JSON."""
    from reatt_cli.replies import lean

    chosen = None if fields is None else lean.fields(fields)
    if compact or chosen:
        session.print_json(compact)
    return lambda reply: lean.Lean(reply, explain, chosen, compact)


def _write_report(reply: schemas.Ask, file: Path) -> None:
    from reatt_cli.replies import page
    from reatt_store.connection import replace_text

    replace_text(file, page.page(reply))


def _lines(session: Session, question: str, jsonl: bool) -> Iterator[str]:
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
