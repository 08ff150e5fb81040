"""Detects the format of a file, from its content and then its name; parses the formats that keep their raw text.

For Markdown, reStructuredText, Org, AsciiDoc, plain text and code the text is the decoded file itself, so every offset
is valid in the file. Parsing them takes time proportional to the length of any file.
"""

from __future__ import annotations

import re
from html import unescape
from pathlib import PurePath

from reatt.parsers.content import Content
from reatt.parsers.encodings import looks_binary
from reatt.parsers.text.terminal import is_printed

_EXTENSIONS = {
    "markdown": "md markdown mdown mkd mdx",
    "rst": "rst rest",
    "org": "org",
    "asciidoc": "adoc asciidoc",
    "html": "html htm xhtml svg",
    "csv": "csv tsv",
    "notebook": "ipynb",
    "mail": "eml emlx mht mhtml",
    "mbox": "mbox mbx",
    "docx": "docx docm dotx",
    "pptx": "pptx pptm ppsx",
    "xlsx": "xlsx xlsm",
    "odt": "odt ott",
    "odp": "odp otp",
    "ods": "ods ots",
    "epub": "epub",
    "latex": "tex ltx latex",
    "bibtex": "bib",
    "man": "man mdoc",
    "subtitles": "srt vtt ass ssa",
    "calendar": "ics ical ifb vcs icalendar",
    "contacts": "vcf vcard",
    "records": "jsonl ndjson jsonl.gz ndjson.gz jsonl.xz ndjson.xz",
    "code": "asm awk bash bat c cc cfg clj cmake conf cpp cs css cu cxx d dart diff el erl ex exs f90 fish fs go gradle"
    " groovy h hh hpp hs ini java jl js json jsx kt kts less lisp lua m mjs mk ml mm nim nix patch php pl pm properties"
    " proto ps1 py pyi pyx r rb rs sass scala scm scss sh sql svelte swift tcl tf toml ts tsx v vb vhd vim vue xml yaml"
    " yml zig zsh",
}
_KINDS = {extension: kind for kind, names in _EXTENSIONS.items() for extension in names.split()}
_HTML_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!doctype html|<(?:\w+:)?html)", re.IGNORECASE)
_MBOX_START = re.compile(rb"From \S+.*\d\d:\d\d.*\d{4}.*\r?\n(?:>?From |[!-9;-~]+:)")
# A message in a folder of mail (Maildir) has no name that tells: its first lines are the heads of one.
_MAIL_START = re.compile(rb"(?:[!-9;-~]+:.*\r?\n(?:[ \t].*\r?\n)*+){3,}+(?:\r?\n|\Z)?")
_MAIL_HEADS = (rb"From", rb"Date|Received|Message-ID|Return-Path", rb"To|Subject|MIME-Version|Delivered-To|Cc|Bcc")
# Formats of text whose first lines tell them apart from any other text.
_TOLD = {
    "subtitles": re.compile(
        rb"WEBVTT[ \t\r\n]|\[Script Info\]\s*\r?\n|\s*+\d{1,6}[ \t]*\r?\n\d{1,4}:\d\d:\d\d[,.]\d{1,3}[ \t]*-->"
    ),
    "calendar": re.compile(rb"\s*+BEGIN:VCALENDAR[ \t]*\r?\n", re.IGNORECASE),
    "contacts": re.compile(rb"\s*+BEGIN:VCARD[ \t]*\r?\n", re.IGNORECASE),
    "man": re.compile(
        rb"\s*+[.'][ \t]*\\\"|\s*+[.'][ \t]*[A-Za-z\\][^\n]*\n(?:[^\n]*\n)*?[.](?:TH|Dd)[ \t]|\s*+[.](?:TH|Dd)[ \t]"
    ),
    "latex": re.compile(rb"(?:[ \t]*%[^\n]*\n|\s*\n)*+\s*\\documentclass\b"),
}
_CODE_NAMES = frozenset({"makefile", "dockerfile", "cmakelists.txt", "jenkinsfile", "rakefile", "gemfile"})

_TEXTS = (".txt", ".text", ".log")
_JSON = re.compile(rb"(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?[\0 \t\r\n]*+[\[{]")
_ASSIGNED = re.compile(rb"\s*+window\.YTD\.[\w.]+\s*=\s*\[")  # JSON in a script, as in an archive of posts
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_COMPRESSED = (b"\x1f\x8b", b"\xfd7zXZ\0", *(b"BZh%d1AY&SY" % level for level in range(1, 10)))
_PDF = re.compile(rb"%PDF-\d\.\d(?P<words>[ \t]*[A-Za-z,.;:]{2})?")
_PDF_OBJECT = re.compile(rb"^\d+ \d+ obj\b", re.MULTILINE)
_SENTENCE = re.compile(rb"[^\n]{0,200}[a-z]{2} [a-z]{2}")
_BLANK = b"\xef\xbb\xbf\0 \t\r\n\f"
_RTF = re.compile(rb"\{\\rtf\d?(?:\s*[\\{}]|\s*\Z)")
_FLAT = re.compile(  # OpenDocument in one file of XML
    rb"[^<]{0,9}<\?xml[^>]*>\s*<office:document\b[^>]*\bmimetype=\"application/vnd\.oasis\.opendocument\.(text|spreadsheet|presentation)"
)
_FLAT_KINDS = {b"text": "odt", b"spreadsheet": "ods", b"presentation": "odp"}
_ZIP = b"PK\x03\x04"
_TABLES = (b"PAR1", b"PARE", b"ARROW1\0\0")  # Parquet, encrypted Parquet, Arrow
_STREAM, _STREAMS = (
    b"\xff\xff\xff\xff",
    (".arrow", ".arrows", ".ipc", ".feather"),
)  # of Arrow: too common without a name
# Formats that are zip archives, and the names of their first entries.
_OPEN = b"mimetypeapplication/vnd.oasis.opendocument."
_ZIPPED = {
    "epub": b"mimetypeapplication/epub+zip", "odt": _OPEN + b"text", "odp": _OPEN + b"presentation",
    "ods": _OPEN + b"spreadsheet", "docx": b"word/", "pptx": b"ppt/", "xlsx": b"xl/",
}  # fmt: skip
_NAME_AT, _FIRST_PARTS = 30, (b"mimetypeapplication/", b"[Content_Types].xml", b"_rels/", b"docProps/")
# Formats that cannot be read, by their first bytes: name, and how to convert the file.
_OFFICE = "convert it: soffice --headless --convert-to pdf"
_PICTURE = "convert it to PNG, JPEG or TIFF"
_MAGIC = (
    (b"\xd0\xcf\x11\xe0", "an old Office file, or one with a password", _OFFICE),
    (_ZIP, "a zip archive of a program", ""),
    (b"PK\x05\x06", "an empty zip archive", ""),
    (b"%!PS-", "PostScript", "convert it: ps2pdf"),
    (b"%!PS\n", "PostScript", "convert it: ps2pdf"),
    (b"GIF87a", "a picture", _PICTURE),
    (b"GIF89a", "a picture", _PICTURE),
    (b"7z\xbc\xaf", "a 7-Zip archive", "unpack it"),
    (b"\x7fELF", "a program", ""),
    (b"FEA1", "Feather of version 1", "convert it: pyarrow.feather.write_feather"),
    (b"SQLite format 3\0", "an SQLite database", ""),
)
HEAD = 8192  # bytes that `kind_of` needs


def kind_of(name: str, head: bytes) -> str:
    """Return the format of a file, or "binary"; the content takes precedence over the name."""
    if begun := _begins_as(name, head):
        return begun
    lower = PurePath(name).name.lower()
    named = _KINDS.get(".".join(lower.split(".")[-2:])) or _KINDS.get(lower.rpartition(".")[2])
    if named == "records":
        return "json" if head.lstrip().startswith(b"[") else named  # may be compressed
    if _is_table(lower, head):
        return "arrow"
    if head.startswith(_ZIP) and (zipped := _zipped(named, lower, head)):
        return zipped
    if _is_packed(lower, head):
        return "packed"
    if flat := _FLAT.match(head):
        return _FLAT_KINDS[flat[1]]
    if named in _ZIPPED:
        named = None
    if known_binary(head):
        return "binary"
    if named is None and is_printed(head):
        return "terminal"
    if named is None and (told := _told(head)):
        return told
    if named in (None, "mbox") and _MBOX_START.match(head):
        return "mbox"
    if named is None and _HTML_START.match(head):
        return "html"
    if named in (None, "mbox") and not lower.endswith(_TEXTS) and _is_message(head):
        return "mail"
    if named == "mbox":
        return "text"
    if _is_json(lower, head):
        return "json"
    if lower in _CODE_NAMES or (named is None and head.startswith(b"#!")):
        return "code"
    return named or "text"


def _begins_as(name: str, head: bytes) -> str | None:
    """Return the format that the first bytes tell, whatever the name is."""
    if _is_pdf(head) or (name.lower().endswith(".pdf") and _PDF.search(head[:1024])):
        return "pdf"
    if _RTF.match(head):
        return "rtf"
    return "picture" if head.startswith(_PICTURES) else None


def _is_json(lower: str, head: bytes) -> bool:
    """Return whether a file is JSON, or a script that only holds some."""
    return bool(lower.endswith(".json") and _JSON.match(head)) or bool(lower.endswith(".js") and _ASSIGNED.match(head))


def _told(head: bytes) -> str | None:
    """Return the format that the first lines of a text tell."""
    head = head.removeprefix(b"\xef\xbb\xbf")
    return next((kind for kind, begins in _TOLD.items() if begins.match(head)), None)


def _zipped(named: str | None, lower: str, head: bytes) -> str | None:
    """Return the format of a zip archive, from its name if that is possible, else from its first entries.

    An archive that only holds such files begins with another entry than they do.
    """
    if named in _ZIPPED:
        return named
    if lower.endswith(".zip") and not head.startswith(_FIRST_PARTS, _NAME_AT):
        return None
    return next((kind for kind, mark in _ZIPPED.items() if mark in head), None)


def _is_pdf(head: bytes) -> bool:
    """Return whether a file is a PDF and no text about one: its mark comes first, or behind a little that is no text.

    >>> _is_pdf(b"%PDF-1.7\\n"), _is_pdf(b"%PDF-1.7 is how such a file begins.")
    (True, False)
    """
    mark = _PDF.search(head[:1024])
    if mark is None or head.startswith((_ZIP, *_COMPRESSED)):
        return False
    return (not head[: mark.start()].strip(_BLANK) and not mark["words"]) or _PDF_OBJECT.search(head) is not None


def _is_table(lower: str, head: bytes) -> bool:
    """Return whether a file is Parquet or Arrow and no text about it."""
    if head.startswith(_STREAM):
        return lower.endswith(_STREAMS)
    return head.startswith(_TABLES) and looks_binary(head)


def _is_packed(lower: str, head: bytes) -> bool:
    """Return whether a file holds others: an archive by its name, because programs are zip archives too."""
    if head.startswith(_ZIP):
        return lower.endswith(".zip")
    return head.startswith(_COMPRESSED) or head[257:262] == b"ustar"


def _is_message(head: bytes) -> bool:
    """Return whether a file begins with the heads that every message has."""
    heads = _MAIL_START.match(head)
    return heads is not None and all(
        re.search(rb"^(?:" + names + rb"):", heads[0], re.MULTILINE | re.IGNORECASE) for names in _MAIL_HEADS
    )


def known_binary(head: bytes) -> tuple[str, str] | None:
    """Name a known binary format and how to convert it; words that begin like one are text."""
    found = next(((magic, name, fix) for magic, name, fix in _MAGIC if head.startswith(magic)), None)
    if found is None or (found[0].isascii() and _is_prose(head, found[0])):
        return None
    return found[1], found[2]


def _is_prose(head: bytes, magic: bytes) -> bool:
    """Return whether a file that begins with letters that mark a format is a text about it."""
    return magic.isalnum() and not looks_binary(head) and _SENTENCE.match(head, len(magic)) is not None


def plain(text: str) -> Content:
    """Return text or code unchanged."""
    return Content(title="", text=text)


_FRONT = re.compile(r"\A(?P<mark>---|\+\+\+)\r?\n(?P<told>.*?)^(?:(?P=mark)|\.\.\.)[ \t]*$", re.MULTILINE | re.DOTALL)
_FRONT_TITLE = re.compile(r"^title[ \t]*+[:=]([^\r\n]*+)", re.MULTILINE | re.IGNORECASE)
_BLOCK = re.compile(
    r"^ {0,3}(?P<fence>`{3,}|~{3,})"
    r"|^ {0,3}#{1,6}(?:[ \t]+(?P<atx>[^\r\n]*))?\r?$"
    r"|^ {0,3}(?P<setext>[^\s>#`~*+\-=|<][^\r\n]*)\r?\n {0,3}(?:=+|--+)[ \t]*\r?$",
    re.MULTILINE,
)


def markdown(text: str) -> Content:
    """Find the title and headings of a Markdown file; the text stays raw."""
    front = _FRONT.match(text)
    found: list[tuple[int, str]] = []
    fence = ""
    for match in _BLOCK.finditer(text, front.end() if front else 0):
        mark = match["fence"]
        if mark:  # a fence is closed by at least as many marks as opened it
            if not fence:
                fence = mark
            elif mark.startswith(fence):
                fence = ""
        elif not fence and (heading := _unmarked(match["atx"] or match["setext"] or "")):
            found.append((match.start(), heading))
    named = _FRONT_TITLE.search(front["told"]) if front else None
    title = named[1].strip().strip("\"'") if named else found[0][1] if found else ""
    return Content(title=title, text=text, headings=tuple(found))


_LONGEST_HEADING = 500  # characters examined; the patterns can take quadratic time


def _unmarked(heading: str) -> str:
    """Return a heading without its marks: closing #, emphasis, code, links, anchors.

    >>> _unmarked("The `ask` [command](cli.md) **now** {#ask} ##")
    'The ask command now'
    """
    heading = re.sub(r"(?:\s+|^)#+\s*$", "", heading[:_LONGEST_HEADING])
    heading = re.sub(r"\s*\{#[^}]*\}\s*$", "", heading)
    heading = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    heading = unescape(re.sub(r"</?[A-Za-z][^<>]*>", "", heading))
    return re.sub(r"\\([#*_`\\\[\]])|[`*]|(?<!\w)_+|_+(?!\w)", r"\1", heading).strip()


_RST_HEADING = re.compile(
    r"^(?:(?P<over>([^\w\s])\2*+)[ \t]*+\r?\n)?(?P<title>[^\r\n]++)\r?\n(?P<under>([^\w\s])\5{2,}+)[ \t]*+\r?$",
    re.MULTILINE,
)


def rst(text: str) -> Content:
    """Find the headings of a reStructuredText file, which are underlined in full; the text stays raw."""
    found = [
        (match.start(), match["title"].strip())
        for match in _RST_HEADING.finditer(text)
        if len(match["title"].strip()) <= len(match["under"]) and re.search(r"\w", match["title"])
    ]
    return Content(title=found[0][1] if found else "", text=text, headings=tuple(found))


_ORG_HEADING = re.compile(r"^\*++[ \t]++(?P<words>[^\r\n]++)", re.MULTILINE)
_ORG_TITLE = re.compile(r"^#\+title:([^\r\n]++)", re.MULTILINE | re.IGNORECASE)
_ORG_PRIORITY = re.compile(r"\[#\w\]")
_ORG_TAGS = re.compile(r":[\w@#%:]++(?<=:)")


def org(text: str) -> Content:
    """Find the title and headings of an Org file, which begin with stars; the text stays raw."""
    found = [(match.start(), _untagged(match["words"])) for match in _ORG_HEADING.finditer(text)]
    headings = tuple((at, heading) for at, heading in found if heading)
    named = _ORG_TITLE.search(text)
    title = named[1].strip() if named else headings[0][1] if headings else ""
    return Content(title=title, text=text, headings=headings)


def _untagged(heading: str) -> str:
    """Return an Org heading without its TODO state, priority and tags.

    >>> _untagged("TODO [#A] Parental leave   :hr:norway:")
    'Parental leave'
    """
    words = heading.split()
    words = words[1:] if words and words[0] in ("TODO", "DONE") else words
    words = words[1:] if words and _ORG_PRIORITY.fullmatch(words[0]) else words
    return " ".join(words[:-1] if words and _ORG_TAGS.fullmatch(words[-1]) else words)


# A heading, or the line that opens and closes a block whose lines are none.
_ADOC = re.compile(
    r"^(?:(?P<fence>-{4,}|\.{4,}|\+{4,}|/{4,}|`{3,})\w*|={1,6}[ \t]++(?P<words>[^\r\n]++))[ \t]*+\r?$", re.MULTILINE
)


def asciidoc(text: str) -> Content:
    """Find the title and headings of an AsciiDoc file, which begin with equal signs; the text stays raw."""
    found, fence = list[tuple[int, str]](), ""
    for match in _ADOC.finditer(text):
        if mark := match["fence"]:
            fence = "" if fence == mark else fence or mark
        elif not fence:
            found.append((match.start(), _unmarked(match["words"])))
    return Content(title=found[0][1] if found else "", text=text, headings=tuple(each for each in found if each[1]))
