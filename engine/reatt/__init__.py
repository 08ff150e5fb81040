"""Ask your own documents: one Transformer that retrieves and reads (ReAtt). The library; `reatt` is its command.

`open` gives a `Store`, and a store ingests, asks, searches, evaluates and adapts (docs/library.md). The modules here
are these verbs; the rooms below them hold what they use. A room imports rooms below it and never a verb. Importing
this loads nothing else: each name below is loaded when it is first used.
"""

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from reatt.api import Store, open
    from reatt.ask import Reply
    from reatt.courses import AdaptOptions
    from reatt.evaluate import Evaluation
    from reatt.ingest import IngestOptions, IngestReport
    from reatt.progress import Progress
    from reatt.search.query import Query
    from reatt.search.retriever import Hit
    from reatt_store.errors import ReattError
    from reatt_store.selection import Selection

__all__ = [
    "AdaptOptions",
    "Evaluation",
    "Hit",
    "Hits",
    "IngestOptions",
    "IngestReport",
    "Progress",
    "Query",
    "ReattError",
    "Reply",
    "Selection",
    "Store",
    "open",
]

_WHERE = {
    "AdaptOptions": "reatt.courses",
    "Evaluation": "reatt.evaluate",
    "Hit": "reatt.search.retriever",
    "Hits": "reatt.search.hits",
    "IngestOptions": "reatt.ingest",
    "IngestReport": "reatt.ingest",
    "Progress": "reatt.progress",
    "Query": "reatt.search.query",
    "ReattError": "reatt_store.errors",
    "Reply": "reatt.ask",
    "Selection": "reatt_store.selection",
    "Store": "reatt.api",
    "open": "reatt.api",
}


def __getattr__(name: str) -> object:
    """Load a name of the library when it is first used."""
    if name not in _WHERE:
        raise AttributeError(f"module 'reatt' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_WHERE[name]), name)
    return found


def __dir__() -> list[str]:
    """List what the library offers."""
    return sorted(__all__)
