"""The report of a training run: one HTML page, and the same as JSON (`reatt.adapt/1`).

The page is self-contained: no script, nothing fetched, every text escaped, because it quotes other people's documents.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from html import escape
from operator import attrgetter
from pathlib import Path
from typing import Any

from reatt.judging import charts
from reatt.judging.comparison import NAMES, Asked, Change, Verdict, moved
from reatt.judging.page import page
from reatt.model.tokens import MASK
from reatt.progress import TrainingLog, TrainingRow
from reatt_store.connection import replace_text, translated
from reatt_store.errors import ReattError
from reatt_store.opening import private_folder
from reatt_store.vouching import voucher

EXAMPLES = 10  # examples shown that got better, and as many that got worse
LONGEST = 600  # characters of a text that are shown
GAP = "\u2581\u2581\u2581"  # how a mask is shown

# Controls, bidirectional overrides, and halves of surrogate pairs, which no file can hold.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_CURVES: tuple[tuple[str, Callable[[TrainingRow], float | None]], ...] = (
    ("Loss of the answer", attrgetter("answer")),
    ("Loss across documents", attrgetter("cross_document")),
    ("Teacher prefers the right chunk (teacher_hit@1)", attrgetter("teacher_hit")),
    ("Retrieval prefers what the teacher does", attrgetter("agreement")),
    ("Loss of finding what is close to cloze questions", attrgetter("cloze")),
    ("Tokens per second", attrgetter("tokens_per_second")),
    ("Learning rate", attrgetter("rate")),
)
_TEACHER = 2  # number of the curve that has a goal
_STYLE = """
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.2rem}table{border-collapse:collapse}td,th{padding:.25rem .8rem
.25rem 0;text-align:left;vertical-align:top}th{font-weight:600}.wide{width:100%}.n{font-variant-numeric:tabular-nums}
tr+tr td{border-top:1px solid #8884}.curves{display:flex;flex-wrap:wrap;gap:1rem 2rem}figure{margin:0}
figcaption,small,.soft{color:#777}svg text{font-size:10px;fill:currentColor;opacity:.7}.end{text-anchor:end}
.axis{stroke:currentColor;opacity:.4;fill:none}.curve{stroke:#2a78d6;fill:none;stroke-width:1.6}.dot{fill:#2a78d6}
.goal{stroke:currentColor;stroke-dasharray:4 3;opacity:.6}.better{stroke:#1a8f4a;fill:#1a8f4a;stroke-width:2}
.worse{stroke:#c33;fill:#c33;stroke-width:2}.open{stroke:#888;fill:#888;stroke-width:2}svg{max-width:100%}
"""


@dataclass(frozen=True)
class Named:
    """A model by name, hash and folder."""

    name: str
    sha256: str
    path: str | None = None


@dataclass(frozen=True)
class Report:
    """Everything about one run."""

    run: int
    store: str
    mode: str
    settings: Mapping[str, str | int | float | bool | None]  # what was asked for
    examples: Mapping[str, int]  # learnt from, by kind
    verdict: Verdict
    before: Sequence[Asked]
    after: Sequence[Asked]
    log: TrainingLog
    parent: Named
    model: Named | None  # None if no new model was kept
    reencoded: int  # keys
    seconds: float  # total: mining, training, encoding, measuring
    peak_vram: int | None = None  # bytes; None without a GPU
    warnings: tuple[str, ...] = ()
    report: str | None = None  # where the page is


def to_json(report: Report) -> dict[str, Any]:
    """Return the object that `reatt schema adapt` describes."""
    rows, made = report.log.rows, report.model
    return {
        "schema": "reatt.adapt/1",
        "run": f"R-{report.run}",
        "store": report.store,
        "dry_run": False,
        "forecast": None,
        "mode": report.mode,
        "settings": dict(report.settings),
        "spans": dict(report.examples),
        **_measured(report),
        "teacher": _teacher(report.log),
        "steps": rows[-1].step if rows else 0,
        "tokens": sum(row.tokens for row in rows),
        "stopped": report.log.stopped,
        "log": [asdict(row) for row in rows],
        "peak_vram": report.peak_vram,
        "seconds": report.seconds,
        "model": {
            "name": (made or report.parent).name,
            "parent_sha256": report.parent.sha256,
            "sha256": made.sha256 if made else None,
            "path": made.path if made else None,
        },
        "reencoded": report.reencoded,
        "report": report.report,
        "warnings": list(report.warnings),
    }


def html(report: Report) -> str:
    """Write the page."""
    title = f"R-{report.run}: {'accepted' if report.verdict.accepted else 'the old model is kept'}"
    body = [
        f"<h1>{_safe(title)}</h1><p>{_safe(report.verdict.reason)}</p>",
        _summary(report),
        _figures(report.verdict, report.mode),
        _curves(report.log),
        _examples("Got better", _moved(report)),
        _examples("Got worse", _moved(report, worse=True)),
        _table("Settings", sorted(report.settings.items())),
    ]
    return page(_safe(title), _STYLE, body)


def save(report: Report, file: Path) -> None:
    """Write the page so that a kill leaves the old one or the new one, for the owner alone to read."""
    with translated(file):
        private_folder(file.parent)
    page = html(report)
    replace_text(file, f"{page}<!-- {voucher(page.encode()) or ''} -->\n")


def saved(report: Report, file: Path) -> Report:
    """Write the page of a finished run; if that fails, the report says so and its figures are kept."""
    try:
        save(report, file)
    except (ReattError, OSError) as error:
        return replace(report, report=None, warnings=(*report.warnings, f"the report was not written: {error}"))
    return report


def _safe(text: object) -> str:
    """Make any text safe inside an element or a quoted attribute, and isolate its writing direction."""
    return escape(_UNSEEN.sub("\ufffd", str(text)), quote=True)


def _quoted(text: str) -> str:
    """Quote a document or an answer."""
    cut = text if len(text) <= LONGEST else text[:LONGEST] + "\u2026"
    return f"<bdi>{_safe(cut.replace(MASK, GAP))}</bdi>"


def _summary(report: Report) -> str:
    mix = ", ".join(f"{count:,} {kind}" for kind, count in sorted(report.examples.items(), key=lambda row: -row[1]))
    asked = f"{report.verdict.questions:,} questions in {report.verdict.groups:,} groups that nothing was learnt from"
    made = f"{report.model.name} {report.model.sha256[:12]}" if report.model else "none kept"
    rows: list[tuple[str, object]] = [
        ("learnt from", f"{report.mode}: {mix}"),
        ("held out", asked),
        ("training", f"{len(report.log.rows):,} steps{', stopped early' if report.log.stopped else ''}"),
        ("in all", f"{report.seconds / 60:.1f} minutes"),
        ("model before", f"{report.parent.name} {report.parent.sha256[:12]}"),
        ("model after", made),
        ("encoded again", f"{report.reencoded:,} keys"),
        *(("warning", warning) for warning in report.warnings),
    ]
    return _table("Run", rows)


def _table(title: str, rows: Sequence[tuple[str, object]]) -> str:
    lines = "".join(f"<tr><th>{_safe(name)}</th><td><bdi>{_safe(value)}</bdi></td></tr>" for name, value in rows)
    return f"<h2>{_safe(title)}</h2><table>{lines}</table>"


def _figures(verdict: Verdict, mode: str) -> str:
    """Make a row for each figure: before, after, the change with its interval, and a drawing of the interval."""
    reach = max((max(abs(change.low), abs(change.high)) for change in verdict.figures.values()), default=0.0)
    rows = "".join(
        _figure(NAMES[name] + (" (decides)" if name == verdict.primary else ""), change, reach)
        for name, change in verdict.figures.items()
    )
    head = "<tr><th></th><th>before</th><th>after</th><th>change</th><th>95 % of resamples</th><th></th></tr>"
    note = "Groups are resampled whole."
    if "masked" in mode:
        note += " Masked sentences stand in for questions: what people ask may move otherwise."
    return f"<h2>Held-out questions</h2><table class='n'>{head}{rows}</table><p class='soft'>{note}</p>"


def _figure(name: str, change: Change, reach: float) -> str:
    bounds = f"{change.low:+.3f} to {change.high:+.3f}"
    drawn = charts.interval(name, change.low, change.gain, change.high, reach)
    cells = (_safe(name), f"{change.before:.3f}", f"{change.after:.3f}", f"{change.gain:+.3f}", bounds, drawn)
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _curves(log: TrainingLog) -> str:
    drawn = []
    for number, (title, value) in enumerate(_CURVES):
        points = tuple((float(row.step), float(level)) for row in log.rows if (level := value(row)) is not None)
        goal = log.words_hit if number == _TEACHER else None
        chart = charts.curve(charts.Curve(title, points, goal, "order of words"))
        if chart:
            drawn.append(f"<figure>{chart}<figcaption>{_safe(title)}</figcaption></figure>")
    return f"<h2>Training</h2><div class='curves'>{''.join(drawn)}</div>" if drawn else ""


def _moved(report: Report, worse: bool = False) -> list[tuple[Asked, Asked]]:
    """Pair (before, after) of the questions that changed most by the figure that decides."""
    sides = (report.after, report.before) if worse else (report.before, report.after)
    pairs = moved(*sides, report.verdict.primary, EXAMPLES)
    return [(second, first) for first, second in pairs] if worse else pairs


def _examples(title: str, pairs: Sequence[tuple[Asked, Asked]]) -> str:
    if not pairs:
        return f"<h2>{_safe(title)}</h2><p class='soft'>No held-out question.</p>"
    rows = "".join(
        f"<tr><td>{_quoted(before.question)}<br><small>{_quoted(before.group)}</small></td>"
        f"<td>{_quoted(' | '.join(before.answers[:3]))}</td><td>{_outcome(before)}</td><td>{_outcome(after)}</td></tr>"
        for before, after in pairs
    )
    head = "<tr><th>question</th><th>expected</th><th>before</th><th>after</th></tr>"
    return f"<h2>{_safe(title)}</h2><table class='wide'>{head}{rows}</table>"


def _outcome(asked: Asked) -> str:
    place = f"found at {asked.rank}" if asked.rank else "not found"
    return place if asked.answer is None else f"{place}<br>{_quoted(asked.answer or 'no answer')}"


def _measured(report: Report) -> dict[str, Any]:
    """Return the part of the object about the held-out questions."""
    verdict = report.verdict
    return {
        "accepted": verdict.accepted,
        "better": verdict.better,
        "reason": verdict.reason,
        "primary": verdict.primary,
        "held_out_documents": verdict.groups,
        "held_out_questions": verdict.questions,
        "before": {name: change.before for name, change in verdict.figures.items()},
        "after": {name: change.after for name, change in verdict.figures.items()},
        "delta_ci95": {name: (change.low, change.high) for name, change in verdict.figures.items()},
        "better_examples": [_pair(pair) for pair in _moved(report)],
        "worse_examples": [_pair(pair) for pair in _moved(report, worse=True)],
    }


def _pair(pair: tuple[Asked, Asked]) -> dict[str, Any]:
    before, after = pair
    sides = {"before": before, "after": after}
    outcomes = {name: {"rank": asked.rank, "answer": asked.answer} for name, asked in sides.items()}
    return {"question": before.question, "expected": list(before.answers), "group": before.group, **outcomes}


def _teacher(log: TrainingLog) -> dict[str, float | str | None] | None:
    hits = [row.teacher_hit for row in log.rows if row.teacher_hit is not None]
    if log.words_hit is None or not hits:
        return None
    return {"name": log.teacher, "words_hit": log.words_hit, "before": hits[0], "after": hits[-1]}
