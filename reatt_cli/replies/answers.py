"""The output of `search` and `ask`: hits and replies as schema objects, and as text for people."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from reatt_cli import rendering
from reatt_cli.output import Output
from reatt_cli.rendering import where
from reatt_cli.session import below, labelled, labels, short_path

if TYPE_CHECKING:
    from rich.text import Text

    from reatt.ask import Reply
    from reatt.search.hits import Hits
    from reatt.search.retriever import Hit
    from reatt.search.rounds import TokenPair
    from reatt_cli.schemas import answers as schemas
    from reatt_store.records import Generation, StoredChunk

UNSURE = 0.5  # below this confidence the passages are printed first, and the answer as unsure
NEAREST = 3  # passages shown when there is no answer
NARROW = 72  # on narrower terminals a passage gets a line of its own
LOUDEST = 12  # terms shown of a score that the decoder's heads make
SHOWN = 48  # characters shown of the text that a head matched
_BY = {"span": "a span", "sentence": "sentences", "list": "a list", "yes-no": "yes or no",
       "comparison": "comparing two values", "free": "its own words"}  # fmt: skip
LEAST = 0.005  # of the attention: a share that is shown as 1 %
MARKS = 8  # columns for brackets and "…"


def search(told: Hits, root: str, warnings: Sequence[str], partial: Sequence[str] = ()) -> schemas.Search:
    """Convert hits to their schema object; their paths are told relative to `root`."""
    from reatt_cli.schemas import answers as schemas
    from reatt_cli.schemas.parts import noticed

    return schemas.Search(
        question=told.question, root=root, hits=[schemas.Hit(**_hit(told.question, each, root)) for each in told],
        model=_model(told.generation) if told.generation else None, timing_ms=told.timing_ms,
        warnings=list(warnings), notices=noticed(warnings), partial=list(partial),
    )  # fmt: skip


def reply(told: Reply, root: str, warnings: Sequence[str], partial: Sequence[str] = ()) -> schemas.Ask:
    """Convert a reply to its schema object; paths are told relative to `root`."""
    from reatt_cli.schemas import answers as schemas
    from reatt_cli.schemas.parts import noticed

    shares = [schemas.Attribution(share=each.share, read=each.read) for each in told.evidence]
    found = zip(told.evidence, shares, strict=True)
    evidence = [schemas.Evidence(**_hit(told.question, each, root), attribution=share) for each, share in found]
    return schemas.Ask(
        id=told.id, question=told.question, root=root, answer=told.answer, abstained=told.abstained,
        confidence=told.confidence, agreement_kl=told.agreement, source=told.source, char_start=told.char_start,
        char_end=told.char_end, mode=told.mode, why=told.why, quotes=[schemas.Quote(**asdict(q)) for q in told.quotes],
        disagree=told.disagree, withheld=told.withheld,
        evidence=evidence, model=_model(told.generation), timing_ms=told.timing_ms,
        warnings=list(warnings), notices=noticed(warnings), partial=list(partial),
    )  # fmt: skip


def _model(made: Generation) -> schemas.Model:
    from reatt_cli.schemas import answers as schemas

    return schemas.Model(name=made.model_name, sha256=made.model_sha256, generation=made.id)


def _hit(question: str, found: Hit, root: str) -> dict[str, Any]:
    """Return the fields of a hit's schema object."""
    from reatt_cli.schemas import answers as schemas

    retrieval = schemas.Retrieval(
        score=found.score, rank=found.rank, attention=found.attention_score, bm25=found.words_score,
        tokens=[_token(question, pair) for pair in found.tokens],
    )  # fmt: skip
    copies = [_copy(each, root) for each in found.copies]
    return {**placed(found.chunk, root), "retrieval": retrieval, "copies": copies}


def _copy(stored: StoredChunk, root: str) -> schemas.Copy:
    from reatt_cli.schemas import answers as schemas

    every = placed(stored, root)
    return schemas.Copy(**{name: every[name] for name in schemas.Copy.model_fields})


def placed(stored: StoredChunk, root: str) -> dict[str, Any]:
    """Describe a chunk as the store knows it: its text and its place."""
    chunk = stored.chunk
    return {
        "store": stored.store, "chunk": stored.name, "doc": stored.document_name, "path": below(root, stored.path),
        "external_id": stored.external_id, "title": chunk.title, "page": chunk.page, "line_start": chunk.line,
        "char_start": chunk.char_start, "char_end": chunk.char_end, "text": chunk.text,
    }  # fmt: skip


def render_hits(out: Output, found: schemas.Search, explain: bool) -> None:
    """Print hits, best first."""
    _passages(out, found, found.hits, [f"{each.retrieval.score:.3f}" for each in found.hits], explain)
    if not found.hits:
        out.note("nothing matches")


def render_reply(out: Output, reply: schemas.Ask, explain: bool, echo: bool, kept: bool = False) -> None:
    """Print an answer with its passages, and its id if it is kept. If the model is unsure, passages come first."""
    if echo:
        out.say(f"? {reply.question}")
    confidence = f"confidence {reply.confidence:.2f}" + (f"   {reply.id}" if kept else "")
    headline, lines = _headline(reply, confidence), _quotes(reply)
    shown = reply.evidence[:NEAREST] if reply.answer is None else reply.evidence
    unsure = reply.answer is not None and reply.confidence < UNSURE
    if not unsure:
        _say(out, [headline, *lines])
    shares, answers = [_share(each) for each in shown], [where_answered(reply, each) for each in shown]
    _passages(out, reply, shown, shares, explain, answers)
    if unsure:
        out.say("unsure: ", headline)
        _say(out, lines)
    if explain and reply.why:
        out.say(f"  answered by {_BY[reply.mode]}: {reply.why}")
    for warning in reply.warnings:
        out.warn(warning)


def _headline(reply: schemas.Ask, confidence: str) -> Text:
    """Say what the answer is, or that there is none."""
    from rich.text import Text

    if reply.answer is None:
        none = f"no answer, because {reply.withheld}" if reply.withheld else "no confident answer"
        return Text(f"{none}   {confidence}" + ("; nearest passages:" if reply.evidence else ""))
    if reply.disagree or (reply.mode == "list" and len(reply.quotes) > 1):
        told = "two documents disagree" if reply.disagree else f"{len(reply.quotes)} answers"
        return Text(f"{told}   {confidence}")
    if reply.mode == "comparison":
        return Text.assemble((rendering.one_line(reply.answer), "bold"), f"   {confidence}")
    if reply.mode == "sentence" or any(each.sentence_start is not None for each in reply.quotes):
        return Text.assemble(_sentence(reply, reply.quotes[0]), f"   {confidence}")
    return Text.assemble((rendering.one_line(reply.answer), "bold"), f"   {confidence}")


def _quotes(reply: schemas.Ask) -> list[Text]:
    """List the quotes, if there are several or if they say yes or no, each with the number of its passage.

    Of sentences the first ones are the headline.
    """
    from rich.text import Text

    if len(reply.quotes) < 2 and reply.mode != "yes-no":
        return []
    told = reply.quotes[1:] if reply.mode == "sentence" else reply.quotes
    return [Text.assemble("  ", _sentence(reply, each), f"  (passage {each.source + 1})") for each in told]


def _sentence(reply: schemas.Ask, quote: schemas.Quote) -> Text:
    """Show sentences on one line; what the model points at is bold and bracketed: words in them, or one of several."""
    found, start, end = reply.evidence[quote.source], quote.char_start, quote.char_end
    mark = (quote.key_start, quote.key_end)
    if quote.sentence_start is not None and quote.sentence_end is not None:
        start, end, mark = quote.sentence_start, quote.sentence_end, (start, end)
    marks = [] if mark[0] is None or mark[1] is None else [(mark[0] - start, mark[1] - start)]
    return rendering.highlighted(found.text[start - found.char_start : end - found.char_start], marks)


def _say(out: Output, lines: Sequence[Text]) -> None:
    for line in lines:
        out.say(line)


def _passages(
    out: Output,
    whole: schemas.Search | schemas.Ask,
    hits: Sequence[schemas.Hit],
    figures: Sequence[str],
    explain: bool,
    answers: Sequence[rendering.Span | None] = (),
) -> None:
    """Print passages as one table; on a narrow terminal each text has a line of its own.

    `figures` are scores or shares of the attention; `answers` says where in each passage the answer stands.
    """
    narrow = out.width < NARROW
    limit = (out.width - 14 if narrow else out.width // 3) if out.on_terminal else None
    stores = labels(each.store for each in hits)
    places = [labelled(stores[each.store], rendering.tail(_place(whole.root, each), limit)) for each in hits]
    room = out.width - 7 if narrow else out.width - max(map(len, places), default=0) - 14
    room = room if out.on_terminal else out.width
    table = []
    rows = zip(hits, places, figures, answers or [None] * len(hits), strict=True)
    for number, (each, place, figure, answer) in enumerate(rows, 1):
        heavy, marked = weights(whole.question, each), answer is not None or (not any(answers) and _counts(each))
        text = rendering.snippet(each.text, heavy, max(20, room - MARKS), answer, marked=marked)
        if narrow:
            out.table([(str(number), place, figure)], indent="  ")
            out.table([(text,)], indent="     ")
        table.append((str(number), place, text, figure))
    if not narrow:
        out.table(table, indent="  ")
    if explain:
        _explain(out, whole.root, hits)


def _explain(out: Output, root: str, hits: Sequence[schemas.Hit]) -> None:
    """Print the terms of each score, the largest first; small terms of the many heads are summed up in one line."""
    stores = labels(each.store for each in hits)
    for number, found in enumerate(hits, 1):
        heads = any(token.layer is not None for token in found.retrieval.tokens)
        terms = sorted(found.retrieval.tokens, key=lambda token: -abs(token.weight) if heads else -token.weight)
        shown, small = (terms[:LOUDEST], terms[LOUDEST:]) if heads else (terms, [])
        total = sum(token.weight for token in terms)
        path = labelled(stores[found.store], short_path(os.path.join(root, found.path)))
        out.say(f"  {number}  {path}  attention {total:.3f}" if terms else f"  {number}  words only")
        rows = [(_asker(t), _short(found.text[t.start : t.end]), f"{t.weight:+.3f}") for t in shown]
        rows += [(f"{len(small)} others", "", f"{sum(t.weight for t in small):+.3f}")] if small else []
        out.table(rows, indent="     ")


def _asker(token: schemas.Token) -> str:
    """Name the source of a term: a word of the question, or a decoder head, which has read all of it."""
    return token.q or "·" if token.layer is None else f"layer {token.layer} head {token.head}"


def _short(text: str) -> str:
    return "·" if not text else text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def weights(question: str, found: schemas.Hit) -> list[rendering.Weight]:
    """Return the words to highlight in a passage: of the terms of its score, or else the question's words.

    Stop words are left out unless there are no others.
    """
    from reatt_store.lexical.terms import marked

    terms = [rendering.Weight(token.start, token.end, token.weight) for token in found.retrieval.tokens]
    words = [term for term in terms if any(map(str.isalnum, found.text[term.start : term.end]))]
    small = rendering.stop_words(found.text)
    content = [each for each in words if not any(start <= each.start and each.end <= end for start, end in small)]
    for some in (content, words):
        if any(weight > 0 for _, _, weight in some):
            return some
    return [rendering.Weight(start, end, 1.0) for start, end in marked(question, found.text)]


def where_answered(reply: schemas.Ask, found: schemas.Evidence) -> rendering.Span | None:
    """Return the span of a passage that the answer was cut from; of sentences the words that the model points at."""
    here = next((each for each in reply.quotes if reply.evidence[each.source] is found), None)
    if here is not None:
        start = here.char_start if here.key_start is None else here.key_start
        end = here.char_end if here.key_end is None else here.key_end
        return start - found.char_start, end - found.char_start
    if reply.source is None or reply.char_start is None or reply.char_end is None:
        return None
    if reply.evidence[reply.source] is not found:
        return None
    return reply.char_start - found.char_start, reply.char_end - found.char_start


def _place(root: str, found: schemas.Hit) -> str:
    """Name the place of a passage: file, record, page or line; and how many more files say the same."""
    record = f" {found.external_id}" if found.external_id is not None else ""
    more = {(each.path, each.external_id) for each in found.copies} - {(found.path, found.external_id)}
    what = rendering.counted(len(more), "more document" if found.external_id is not None else "more file")
    also = f" and {what}" if more else ""
    path = short_path(os.path.join(root, found.path))
    return rendering.one_line(path + record + where(found.page, found.line_start) + also)


def _token(question: str, pair: TokenPair) -> schemas.Token:
    from reatt_cli.schemas import answers as schemas

    (q_start, q_end), (start, end) = pair.question_span, pair.chunk_span
    return schemas.Token(
        q=question[q_start:q_end], q_start=q_start, q_end=q_end, start=start, end=end, weight=pair.weight,
        layer=pair.head[0] if pair.head else None, head=pair.head[1] if pair.head else None,
    )  # fmt: skip


def _counts(found: schemas.Hit) -> bool:
    """Say whether a passage has a share of the attention that is shown as more than 0 %, or was found by a search."""
    told: schemas.Attribution | None = getattr(found, "attribution", None)
    return told is None or told.share >= LEAST


def _share(evidence: schemas.Evidence) -> str:
    """Format a passage's share of the attention, or say that it was not read."""
    told = evidence.attribution
    return f"{told.share:.0%}".replace("%", " %") if told.read else "not read"
