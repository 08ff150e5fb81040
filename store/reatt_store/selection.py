"""Which documents a command is about: by path, kind and date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# A pattern matches a whole path, or its end from any folder on: `*.md`, `reports/*.pdf`. As in SQLite, * matches /.
_PATH = "(documents.path GLOB ? OR documents.path GLOB '*/' || ?)"
_KIND = "(documents.kind = ? OR documents.path GLOB '*.' || ?)"
# The date that a document gives itself, or else its file's; both begin with the day, as 2024-03-05.
_DAY = """nullif(substr((SELECT CASE dated WHEN '' THEN modified ELSE dated END FROM origins
          WHERE document_id = documents.id), 1, 10), '')"""


@dataclass(frozen=True)
class Selection:
    """Some documents of a store: those that every condition allows. Without conditions, all."""

    only: Sequence[str] = ()  # globs: one of them matches the path
    without: Sequence[str] = ()  # globs: none of them does
    kinds: Sequence[str] = ()  # such as "pdf", or the ends of file names: one of them is the document's
    after: str | None = None  # a day, 2024-03-05: documents of this day or later
    before: str | None = None  # documents of this day or earlier

    def __bool__(self) -> bool:
        """Return whether there is a condition."""
        return bool(self.only or self.without or self.kinds or self.after or self.before)

    def condition(self) -> tuple[str, list[str]]:
        """Return an SQL condition on `documents`, and its parameters."""
        parts, parameters = ["1"], list[str]()
        for patterns, sign in ((self.only, ""), (self.without, "NOT ")):
            if patterns:
                parts.append(f"{sign}({' OR '.join([_PATH] * len(patterns))})")
                parameters += [pattern for pattern in patterns for _ in range(2)]
        if self.kinds:
            parts.append(f"({' OR '.join([_KIND] * len(self.kinds))})")
            parameters += [kind for kind in self.kinds for _ in range(2)]
        for day, sign in ((self.after, ">="), (self.before, "<=")):
            if day is not None:
                parts.append(f"{_DAY} {sign} ?")
                parameters.append(day)
        return " AND ".join(parts), parameters


EVERYTHING = Selection()
