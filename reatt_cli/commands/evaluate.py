"""The command `eval`: measures retrieval and reading on judged questions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reatt_cli.command import command
from reatt_cli.commands.ask import PARTLY, By, Cluster, How, Rerank, Rounds
from reatt_cli.rendering import counted, human_seconds
from reatt_cli.session import Session

if TYPE_CHECKING:
    from reatt.evaluate import Evaluation
    from reatt.search.query import Query
    from reatt_cli.schemas import published as schemas

Queries = Annotated[str, typer.Option("--queries", metavar="FILE", help="BEIR queries (JSON Lines, also .gz or .xz).")]
Qrels = Annotated[str | None, typer.Option("--qrels", metavar="FILE", help="BEIR judgements (tab-separated).")]
Read = Annotated[bool, typer.Option("--read", help="Also answer; measure exact match and F1.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, metavar="N", help="Use only N questions, evenly spaced.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    example = "reatt eval --queries queries.jsonl --qrels qrels/test.tsv"
    command(app, "eval", example=example, model=True, several=True)(evaluate)


def evaluate(
    session: Session,
    queries: Queries,
    qrels: Qrels = None,
    retriever: By = "hybrid",
    how: How = "auto",
    read: Read = False,
    limit: Limit = None,
    cluster: Cluster = None,
    rounds: Rounds = None,
    rerank_only: Rerank = False,
) -> int:
    """Measure retrieval (and answers, with --read) on judged questions in BEIR's format."""
    from reatt.search.query import Query
    from reatt_cli.schemas import published as schemas

    asked = Query("", retriever=retriever, search=how, rounds=rounds, rerank=rerank_only)
    with session.asking(cluster):
        report, partial = _measured(session, queries, qrels, asked, read, limit)
    measures = {name.replace("@", "_"): value for name, value in report.metrics.items()}
    told: dict[str, object] = {
        "queries": report.queries,
        "retriever": retriever,
        "search": how,
        "seconds": report.seconds,
    }
    told |= {"rounds": rounds, "rerank_only": rerank_only}
    warnings = [*session.warnings, *report.warnings]
    told |= {"warnings": warnings, "partial": list(partial)}
    result = schemas.Eval.model_validate({**told, **measures, "ci95": report.intervals})
    session.out.result(result, lambda: _render(session, result))
    return PARTLY if partial else 0


def _measured(
    session: Session, queries: str, qrels: str | None, asked: Query, read: bool, limit: int | None
) -> tuple[Evaluation, Sequence[str]]:
    """Measure a store, several as one, or the shards of a cluster; return also the shards that are missing."""
    from reatt_cli.replies.lookup import warn_of_lost

    if session.cluster is None:
        _ = session.view
    with session.out.progress() as progress:
        if session.cluster is None:
            return session.store.evaluate(queries, qrels, asked, read=read, limit=limit, progress=progress), ()
        files = Path(queries), Path(qrels) if qrels else None
        told = session.cluster.evaluate(*files, asked, read=read, limit=limit, progress=progress)
    warn_of_lost(session, told.partial)
    return told.value, told.partial


def _render(session: Session, result: schemas.Eval) -> None:
    session.out.table(_rows(result))
    found = f"{counted(result.queries, 'question')} in {human_seconds(result.seconds)}"
    session.out.note(f"{found}; retriever {result.retriever}, search {result.search}; brackets: 95 % of resamples")
    for warning in result.warnings:
        session.out.warn(warning)


def _rows(result: schemas.Eval) -> Sequence[tuple[str, str, str]]:
    """Make a row of each measure that could be computed: its name, value and interval."""
    rows = []
    for name, value in result.model_dump(by_alias=True).items():
        if isinstance(value, float) and name != "seconds":
            low, high = result.ci95.get(name, (None, None))
            rows.append((name, f"{value:.4f}", f"[{low:.4f}, {high:.4f}]" if low is not None else ""))
    return rows
