"""What must hold of every parser that is our own Python, whatever bytes it gets, and what it is first given.

Of a format that is a zip archive, the bytes are those of one part: broken outside, its checksums would stop all.
"""

import io
import tempfile
import zipfile

from reatt.parsers.registry import PARSERS, STREAMS
from reatt_store.errors import DocumentError

MANY = ("records", "mbox", "packed")  # read from an open file, with many documents in it
KINDS = (*(kind for kind in PARSERS if kind not in ("code", "text")), *MANY)
ZIPPED = ("docx", "pptx", "xlsx", "odt", "odp", "ods", "epub")
LONGEST = 1_000_000
CHOSEN = 250  # parts of archives that one byte can name


def parts_of(sample):
    """Return the parts of a file that is a zip archive; nothing for others."""
    if sample.kind not in ZIPPED or not zipfile.is_zipfile(io.BytesIO(sample.data)):
        return {}
    with zipfile.ZipFile(io.BytesIO(sample.data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


class Fuzzed:
    """One parser, and the samples that its inputs begin as."""

    def __init__(self, kind, samples):
        self.kind = kind
        named = {"records": ("jsonl", "ndjson"), "packed": ("zip", "gz", "xz", "bz2", "tar")}.get(kind, ())
        of_kind = [each for each in samples if each.kind == kind or each.name.rpartition(".")[2] in named]
        if kind == "mbox":
            of_kind = [each for each in samples if each.data.startswith(b"From ")]
        archives = {each.name: parts for each in of_kind if (parts := parts_of(each))}
        self.slots = [(archive, name) for archive in archives for name in archives[archive]][:CHOSEN]
        self.archives = archives
        whole = [each.data for each in of_kind if each.name not in archives and len(each.data) < LONGEST]
        inside = [bytes([at]) + archives[archive][name] for at, (archive, name) in enumerate(self.slots)]
        self.seeds = [data for data in (inside or whole) if len(data) < 200_000]

    def file(self, data):
        """Make a file of some bytes: of an archive, the first byte chooses the part that the others are."""
        if not self.slots:
            return data
        archive, changed = self.slots[(data or b"\0")[0] % len(self.slots)]
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as made:
            for name, part in self.archives[archive].items():
                made.writestr(zipfile.ZipInfo(name), data[1:] if name == changed else part)
        return out.getvalue()

    def check(self, data):
        """Read a file; raise what a parser must not raise, and AssertionError for what it must not return."""
        file = self.file(data)
        try:
            if self.kind in MANY:
                self._many(file)
            else:
                sound(PARSERS[self.kind].read(file, None))
        except DocumentError:
            return

    def _many(self, file):
        with tempfile.TemporaryFile() as stream:
            stream.write(file)
            stream.flush()
            stream.seek(0)
            for said in STREAMS[self.kind](stream, f"a.{self.kind}", LONGEST):
                for text in said.get("record", ())[:4]:
                    text.encode()


def sound(content):
    """Assert that a store can keep what a parser returned."""
    for text in (content.title, content.text, content.author, content.dated, *content.warnings):
        text.encode()
    places = [at for at, _ in content.headings]
    assert all(0 <= at <= len(content.text) for at in (*places, *content.pages))
    assert list(content.pages) == sorted(content.pages)
    assert places == sorted(places), places
