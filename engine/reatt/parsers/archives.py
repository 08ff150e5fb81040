"""Zip archives of XML parts (DOCX, PPTX, XLSX, EPUB), read within limits because files may be hostile.

A part is looked up by its name and never written anywhere, so a name cannot lead out of the archive. Declared sizes are
checked before the first part is read, true sizes while it is read. Expat reads XML as a stream of events and fetches
nothing. A file that declares entities is refused; no program writes them here.
"""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple
from urllib.parse import unquote
from xml.parsers import expat

from reatt_store.errors import ArchiveLimit, DocumentError

ENTRIES = 10_000
UNPACKED = 500_000_000  # bytes of all parts together
RATIO = 200  # unpacked to packed, for archives above a small size
_LITTLE = 10_000_000
_BLOCK = 1 << 16
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Event(NamedTuple):
    """One event of an XML part; names are without namespaces."""

    kind: Literal["start", "end", "text"]
    name: str  # name of the element; for text, the characters
    attributes: dict[str, str]  # a pointer to another part is called r:id


@dataclass(frozen=True)
class Relation:
    """A pointer from one part of an Office file to another."""

    id: str
    type: str  # the last segment of its address
    target: str  # a part's name


class Archive:
    """An open zip file whose parts are read within limits."""

    def __init__(self, data: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise damaged(f"no zip archive ({error})") from error
        entries = self._zip.infolist()
        if len(entries) > ENTRIES:
            raise ArchiveLimit(f"holds {len(entries):,} parts; the limit is {ENTRIES:,}", "unpack and check it")
        self._left = UNPACKED
        self._check(sum(entry.file_size for entry in entries), len(data))
        self._packed = len(data)

    def __contains__(self, name: str) -> bool:
        return name in self._zip.NameToInfo

    def names(self) -> list[str]:
        """Return the names of all parts, each once."""
        return list(self._zip.NameToInfo)

    def read(self, name: str) -> bytes:
        """Unpack one part; raises ArchiveLimit if it is larger than declared or allowed."""
        if name not in self:
            raise damaged(f"it has no {name}")
        entry = self._zip.getinfo(name)
        if entry.compress_type not in _METHODS or entry.flag_bits & 1:
            raise damaged(f"{name} is encrypted or packed in an unusual way")
        out = bytearray()
        try:
            with self._zip.open(entry) as stream:
                while block := stream.read(_BLOCK):
                    out += block
                    self._left -= len(block)
                    self._check(UNPACKED - self._left, self._packed)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise damaged(f"{name} cannot be unpacked ({error})") from error
        return bytes(out)

    def events(self, name: str) -> Iterator[Event]:
        """Read an XML part as events, neighbouring characters joined."""
        return events(self.read(name))

    def relations(self, part: str) -> list[Relation]:
        """List the targets inside the file that a part of an Office file points to; "" is the file itself."""
        folder, name = posixpath.split(part)
        table = posixpath.join(folder, "_rels", f"{name}.rels")
        if table not in self:
            return []
        found = []
        for event in self.events(table):
            has = event.attributes
            if event.kind == "start" and event.name == "Relationship" and has.get("TargetMode") != "External":
                target = inside(folder, has.get("Target", ""))
                found.append(Relation(has.get("Id", ""), has.get("Type", "").rpartition("/")[2], target))
        return found

    def main_part(self) -> str:
        """Return the name of the document's main part."""
        for relation in self.relations(""):
            if relation.type == "officeDocument":
                return relation.target
        raise damaged("it does not say where its text is")

    def _check(self, unpacked: int, packed: int) -> None:
        if unpacked > UNPACKED:
            raise too_much(unpacked, packed)
        check_ratio(unpacked, packed)


def check_ratio(unpacked: int, packed: int) -> None:
    """Raise ArchiveLimit where a file that is not small unpacks to many times its size."""
    if unpacked > max(_LITTLE, RATIO * packed):
        raise too_much(unpacked, packed)


def too_much(unpacked: int, packed: int) -> ArchiveLimit:
    """Return the error for an archive that unpacks to more than is allowed."""
    most = f"{UNPACKED / 1e6:.0f} MB and {RATIO} times the size"
    what = f"{packed:,} bytes unpack to {unpacked:,} or more; the limit is {most}"
    return ArchiveLimit(what, "unpack and check it")


def events(data: bytes) -> Iterator[Event]:
    """Read XML as events; raises DocumentError if it is broken or declares entities."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    waiting: list[Event] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        waiting.append(Event("start", _local(name), {_attribute(key): value for key, value in attributes.items()}))

    def refuse(*_: object) -> None:
        raise damaged("its XML declares entities, as attacks do")

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda name: waiting.append(Event("end", _local(name), {}))
    parser.CharacterDataHandler = lambda text: waiting.append(Event("text", text, {}))
    parser.EntityDeclHandler = refuse
    for at in range(0, len(data) + 1, _BLOCK):
        block = data[at : at + _BLOCK]
        try:
            parser.Parse(block, at + _BLOCK > len(data))
        except (expat.ExpatError, LookupError, ValueError) as error:  # the two others: an encoding that is unknown
            raise damaged(f"its XML is broken ({error})") from error
        yield from waiting
        waiting.clear()


def first_text(stream: Iterator[Event], name: str) -> str:
    """Return the text of the first element of a name."""
    parts: list[str] = []
    inside_it = False
    for event in stream:
        if event.kind == "text":
            parts += [event.name] if inside_it else []
        elif event.name == name:
            if inside_it:
                break
            inside_it = True
    return " ".join("".join(parts).split())


def inside(folder: str, target: str) -> str:
    """Resolve a reference from a folder of the archive to a part's name; it cannot leave the archive.

    >>> inside("word", "media/a.xml"), inside("ppt/slides", "../notes/n.xml"), inside("ppt", "/xl/b.xml")
    ('word/media/a.xml', 'ppt/notes/n.xml', 'xl/b.xml')
    """
    return posixpath.normpath(posixpath.join("/", folder, unquote(target.partition("#")[0]))).lstrip("/")


def damaged(why: str) -> DocumentError:
    """Return the error for a file that is not a valid file of its format."""
    return DocumentError(f"is damaged: {why}", "open it in its application and save it again")


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


def _attribute(name: str) -> str:
    space, _, local = name.rpartition(" ")
    return "r:id" if local == "id" and space.endswith("/relationships") else local
