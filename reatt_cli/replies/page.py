"""An answer as one HTML page: its text, its passages and their shares of attention.

The page is self-contained: no script, nothing fetched, and every text escaped, because it quotes other people's
documents.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

from reatt_cli import rendering
from reatt_cli.rendering import where
from reatt_cli.replies.answers import weights, where_answered
from reatt_cli.session import labelled, labels

if TYPE_CHECKING:
    from reatt_cli.schemas.answers import Ask, Evidence
    from reatt_store.records import Run

_STYLE = """
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1rem;margin:2rem 0 .3rem}.soft{color:#777}blockquote{margin:0;white-space:pre-wrap;
border-left:3px solid #8886;padding-left:1rem}mark{background:#2a78d633;color:inherit;border-radius:2px}
mark.answer{background:#1a8f4a44;font-weight:600}meter{width:8rem;vertical-align:middle}
"""


def page(reply: Ask) -> str:
    """Write the page of an answer."""
    from reatt.judging.page import page as standing_alone

    answer = _safe(reply.answer) if reply.answer is not None else "No confident answer"
    model = f"{reply.model.name} {reply.model.sha256[:12]}, generation {reply.model.generation}"
    body = [
        f'<p class="soft">{_safe(reply.question)}</p><h1><bdi>{answer}</bdi></h1>{_quotes(reply)}',
        f'<p class="soft">confidence {reply.confidence:.2f} · {_safe(reply.id)} · {_safe(model)}</p>',
        *(_passage(reply, number) for number in range(len(reply.evidence))),
        '<p class="soft">Marked: the words that made the passage\'s score, and the answer. The share is that of the '
        "model's attention when the answer began: what it looked at, not proof that it is true.</p>",
    ]
    return standing_alone(_safe(reply.id), _STYLE, body)


def run_page(run: Run) -> str:
    """Write a page of what the store records of a training run."""
    from reatt.judging.page import page as standing_alone

    figures = run.outcome.before if run.outcome else {}
    after = run.outcome.after if run.outcome else {}
    verdict = "accepted" if run.outcome and run.outcome.accepted else "the old model is kept"
    title = f"R-{run.id}: {verdict if run.outcome else 'it was not finished'}"
    body = [
        f"<h1>{_safe(title)}</h1><p><bdi>{_safe(run.outcome.reason if run.outcome else '')}</bdi></p>",
        _rows("Run", {"mode": run.mode, "began": run.started_at, "ended": run.ended_at or "never"}),
        _rows("Held-out questions", {name: f"{value} → {after.get(name, '?')}" for name, value in figures.items()}),
        _rows("Settings", run.settings),
        '<p class="soft">Made from the record of the run. The page with its curves and examples is only for whoever '
        "trained the model.</p>",
    ]
    return standing_alone(_safe(title), _STYLE, body)


def _quotes(reply: Ask) -> str:
    """List the answers if there are several, or what says yes or no."""
    if len(reply.quotes) < 2 and reply.mode != "yes-no":
        return ""
    told = "<p>Two documents disagree:</p>" if reply.disagree else ""
    items = (
        f'<li><bdi>{_safe(q.text)}</bdi> <span class="soft">passage {q.source + 1}</span></li>' for q in reply.quotes
    )
    return f"{told}<ul>{''.join(items)}</ul>"


def _rows(title: str, values: Mapping[str, object]) -> str:
    lines = (f"<p><bdi>{_safe(name)}</bdi>: <bdi>{_safe(str(value))}</bdi></p>" for name, value in values.items())
    return f"<h2>{_safe(title)}</h2>{''.join(lines)}"


def _passage(reply: Ask, number: int) -> str:
    found = reply.evidence[number]
    record = f" {found.external_id}" if found.external_id is not None else ""
    store = labels(each.store for each in reply.evidence)[found.store]
    path = os.path.join(reply.root, found.path) + record + where(found.page, found.line_start)
    place = _safe(labelled(store, path))
    given = found.attribution
    share = (
        f'<meter value="{given.share:.4f}"></meter> {given.share:.0%} of the attention' if given.read else "not read"
    )
    score = f"score {found.retrieval.score:.3f}"
    title = f'<p class="soft">{_safe(found.title)}</p>' if found.title else ""
    return (
        f"<h2>{number + 1} <bdi>{place}</bdi></h2><p>{share} "
        f'<span class="soft">· {score} · {_safe(found.chunk)}</span></p>{title}'
        f"<blockquote>{_marked(reply, found)}</blockquote>"
    )


def _marked(reply: Ask, found: Evidence) -> str:
    """Mark the terms of the score in a passage, and the answer that was cut from it."""
    text, answer = found.text, where_answered(reply, found)
    spans = rendering.merged(rendering.heaviest(weights(reply.question, found)), text)
    edges = sorted({0, len(text), *(edge for span in [*spans, *([answer] if answer else [])] for edge in span)})
    parts = []
    for start, end in pairwise(edges):
        piece = _safe(text[start:end])
        if answer and answer[0] <= start and end <= answer[1]:
            piece = f'<mark class="answer">{piece}</mark>'
        elif any(a <= start and end <= b for a, b in spans):
            piece = f"<mark>{piece}</mark>"
        parts.append(piece)
    return f"<bdi>{''.join(parts)}</bdi>"


def _safe(text: str) -> str:
    """Make any text safe inside an element or a quoted attribute."""
    return escape(rendering.visible(text.replace("\r\n", "\n")), quote=True)
