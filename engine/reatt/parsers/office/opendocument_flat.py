"""OpenDocument in one file of XML (FODT, FODS, FODP), with the parts that its archives have."""

from __future__ import annotations

from collections.abc import Iterator

from reatt.parsers.archives import Event, events

# Elements of the file that belong to a part, by the name of the part in an archive.
_PARTS = {
    "content.xml": frozenset({"automatic-styles", "body"}),
    "styles.xml": frozenset({"styles", "automatic-styles", "master-styles"}),
    "meta.xml": frozenset({"meta"}),
}
_DEPTH = 2  # of these elements


class Flat:
    """A flat file, read as an archive is."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __contains__(self, part: str) -> bool:
        return part in _PARTS

    def events(self, part: str) -> Iterator[Event]:
        """Read one part as events."""
        depth, inside = 0, False
        for event in events(self._data):
            depth += event.kind == "start"
            if depth == _DEPTH and event.kind != "text":
                inside = event.name in _PARTS[part]
            if inside:
                yield event
            depth -= event.kind == "end"
