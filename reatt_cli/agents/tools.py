"""The tools of `reatt mcp` as plain functions: each answers one call, from the stores as they are now."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, zip_longest
from typing import TYPE_CHECKING, Any

from reatt_cli.agents import reading, results
from reatt_cli.agents.asking import Call, Warmth
from reatt_cli.agents.budget import TOKENS, fitting
from reatt_cli.agents.stores import Named, chosen, document
from reatt_cli.rendering import visible
from reatt_cli.serving import warm
from reatt_cli.session import below

if TYPE_CHECKING:
    from reatt_store.library import Library
    from reatt_store.records import StoredDocument

COUNTS = 0.01  # share of the attention from which a passage is shown with an answer
NEAREST = 3  # passages shown if there is no answer


@dataclass(frozen=True)
class Tools:
    """The stores that a server serves, and what one result may hold."""

    served: Sequence[Named]
    tokens: int = TOKENS
    warmth: Warmth = field(default_factory=Warmth)

    def search(self, question: str, k: int, skip: int, store: str | None, call: Call) -> results.Found:
        """Find passages; of several stores the best of each, by turns."""
        replies = [(each, self._asked(each, "search", question, k + skip, call)) for each in self._chosen(store)]
        by_store = [[self._passage(each, hit) for hit in reply["hits"]] for each, reply in replies]
        every = [passage for turn in zip_longest(*by_store) for passage in turn if passage is not None]
        taken, cut = fitting(every[skip : skip + k], self.tokens)
        return results.Found(
            passages=taken, warnings=_warnings(reply for _, reply in replies),
            more=_again("passages", skip + len(taken)) if cut else None,
        )  # fmt: skip

    def ask(self, question: str, k: int, store: str | None, call: Call) -> results.Answered:
        """Answer a question; of several stores from the one that is surest."""
        replies = [(each, self._asked(each, "ask", question, k, call)) for each in self._chosen(store)]
        best, reply = max(replies, key=lambda told: (told[1]["answer"] is not None, told[1]["confidence"]))
        answer, source = reply["answer"], reply["source"]
        taken, _ = fitting([self._passage(best, hit) for hit in _worth_showing(reply)], self.tokens)
        left = len(reply["evidence"]) - len(taken)
        return results.Answered(
            answer=None if answer is None else visible(answer), confidence=round(reply["confidence"], 3),
            mode=reply["mode"], quotes=_quotes(reply, len(taken)), disagree=reply["disagree"] or None,
            withheld=reply["withheld"],
            source=source if source is not None and source < len(taken) else None, passages=taken,
            warnings=_warnings(reply for _, reply in replies),
            more=f"{left} passages that mattered less were left out: search gives them" if left else None,
        )  # fmt: skip

    def read(self, path: str, lines: str | None, page: int | None, record: str | None, skip: int, store: str | None,
             ) -> results.Read:  # fmt: skip
        """Return lines or a page of a document, or the whole of it."""
        named, library, found = self._document(path, record, store)
        with library:
            part = reading.stretch(library.chunks_of(found.id), lines, page, skip, self.tokens)
            root = library.root()
        told = found.document
        return results.Read(
            store=self._told(named), path=_path(below(root, told.path), f"D-{found.id}"),
            record=_or_none(told.external_id), title=_or_none(told.title), pages=told.pages or None, page=page,
            lines=f"{part.first}-{part.last}", of_lines=part.of, text=visible(part.text),
            more=None if part.skip is None else _again("text", part.skip),
        )  # fmt: skip

    def list(self, only: str | None, skip: int, store: str | None) -> results.Documents:
        """Name the documents, oldest first."""
        every = chain.from_iterable(self._listed(named, only) for named in self._chosen(store))
        taken, cut = fitting(islice(every, skip, None), self.tokens)
        return results.Documents(documents=taken, more=_again("documents", skip + len(taken)) if cut else None)

    def status(self) -> results.Status:
        """Say what the stores hold."""
        return results.Status(stores=[_status(each) for each in self.served])

    def _chosen(self, store: str | None) -> Sequence[Named]:
        return chosen(self.served, store)

    def _told(self, named: Named) -> str | None:
        """Name a store in a result, if that says something."""
        return named.name if len(self.served) > 1 else None

    def _asked(self, named: Named, command: warm.Command, question: str, top: int, call: Call) -> dict[str, Any]:
        from reatt.search.query import Query
        from reatt_store.errors import BadQuestion

        if not question.strip():
            raise BadQuestion("the question is empty", "write it in full")
        return self.warmth.ask(named, command, Query(question, top), call)

    def _passage(self, named: Named, hit: dict[str, Any]) -> results.Passage:
        share = hit.get("attribution", {}).get("share")
        return results.Passage(
            store=self._told(named), path=_path(hit["path"], hit["doc"]), record=_or_none(hit["external_id"]),
            title=_or_none(hit["title"]), page=hit["page"], lines=reading.span(hit["text"], hit["line_start"]),
            score=None if share is not None else round(hit["retrieval"]["score"], 3),
            share=None if share is None else round(share, 3), text=visible(hit["text"]),
        )  # fmt: skip

    def _document(self, path: str, record: str | None, store: str | None) -> tuple[Named, Library, StoredDocument]:
        """Find a document in the chosen stores; the caller closes the library. Raises NoSuchPath, NoSuchId."""
        from reatt_store.errors import NoSuchPath

        for named in self._chosen(store):
            library = named.session().library
            try:
                if (found := document(library, path, record)) is not None:
                    return named, library, found
            except BaseException:
                library.close()
                raise
            library.close()
        raise NoSuchPath(f"no document has the path {path}", "list names the documents; search tells paths", path)

    def _listed(self, named: Named, only: str | None) -> Iterator[results.Document]:
        from reatt_store.selection import Selection

        with named.library() as library:
            root = library.root()
            for stored in library.documents(Selection((only,) if only else ())):
                told = stored.document
                yield results.Document(
                    store=self._told(named), path=_path(below(root, told.path), f"D-{stored.id}"),
                    record=_or_none(told.external_id), title=_or_none(told.title), kind=told.kind,
                    pages=told.pages or None, added=stored.added_at,
                )  # fmt: skip


def _worth_showing(reply: dict[str, Any]) -> list[dict[str, Any]]:
    """Leave out the passages after the last one that mattered; without an answer keep the nearest ones."""
    evidence: list[dict[str, Any]] = reply["evidence"]
    if reply["answer"] is None:
        return evidence[:NEAREST]
    counted = [number for number, each in enumerate(evidence) if each["attribution"]["share"] >= COUNTS]
    return evidence[: 1 + max([0, *counted, reply["source"] or 0, *(each["source"] for each in reply["quotes"])])]


def _quotes(reply: dict[str, Any], shown: int) -> list[results.Quote] | None:
    """Give the quotes of the passages that are shown, if they say more than the answer does."""
    quotes = [each for each in reply["quotes"] if each["source"] < shown]
    if len(quotes) < 2 and reply["mode"] != "yes-no":
        return None
    return [results.Quote(text=visible(each["text"]), source=each["source"]) for each in quotes] or None


def _status(named: Named) -> results.Store:
    with named.library() as library:
        found, made = library.status(), library.generation()
        return results.Store(
            store=named.name, root=visible(library.root()), documents=found.documents, passages=found.chunks,
            model=made.model_name if made else None, last_ingest=found.last_ingest, not_encoded=found.pending,
            not_read=found.problems, being_written=found.holder is not None,
            warm=os.path.lexists(warm.place(library.folder).socket),
        )  # fmt: skip


def _warnings(replies: Iterator[dict[str, Any]]) -> list[str] | None:
    return [visible(warning) for reply in replies for warning in reply["warnings"]] or None


def _again(what: str, skip: int) -> str:
    return f"more {what} were left out: make the same call with skip={skip}"


def _path(path: str, id: str) -> str:
    """Name a document by its path, or by its id where the path has characters that cannot be seen."""
    return path if visible(path) == path else id


def _or_none(text: str | None) -> str | None:
    return visible(text) if text else None
