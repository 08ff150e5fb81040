"""BibTeX -> text: every entry is a paragraph as a list of references has it, with its key, as LaTeX texts cite it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reatt.parsers.composing import LINE, PARAGRAPH, Composer
from reatt.parsers.content import Content
from reatt.parsers.markup.latex import plain_text

_ENTRY = re.compile(r"@[ \t]*([A-Za-z]{1,40})\s*([{(])")
_KEY = re.compile(r"\s*([^\s,={}()\"#]{1,300})\s*(?=[,})])")
_FIELD = re.compile(r"[\s,]*([A-Za-z][\w:+-]{0,60})\s*=\s*")
_NAME = re.compile(r"[A-Za-z][\w:.+/'-]*|\d+")
_MARK = re.compile(r'[{}"\\]')
_AND = re.compile(r"\s+and\s+", re.IGNORECASE)
_NO_ENTRY = frozenset({"comment", "preamble"})
_MONTHS = {name[:3]: name.capitalize() for name in
           "january february march april may june july august september october november december".split()}  # fmt: skip
_WHERE = ("booktitle", "journal", "journaltitle", "series", "school", "institution", "organization", "howpublished")
_SAID = (
    "author",
    "editor",
    "title",
    "subtitle",
    *_WHERE,
    "publisher",
    "year",
    "month",
    "date",
    "volume",
    "number",
    "pages",
)
_LEFT_OUT = frozenset(
    "file bdsk-file-1 bdsk-url-1 owner timestamp date-added date-modified mendeley-groups __markedentry crossref"
    " bibsource biburl langid hyphenation sortkey groups".split()
)
_LONGEST = 100_000  # characters of a value
_MOST_EXPANDED = 10_000_000  # characters of abbreviations that are written out


def bibtex(source: str) -> Content:
    """Read all entries of a file."""
    composer = Composer()
    for key, fields in _entries(source):
        title = ". ".join(fields[name] for name in ("title", "subtitle") if fields.get(name))
        composer.add(f"[{key}] {_reference(fields, title)}", LINE)
        for name, value in fields.items():
            if name not in _SAID and name not in _LEFT_OUT:
                composer.add(f"{name}: {value}", LINE)
        composer.separate(PARAGRAPH)
    return composer.content("")


def _reference(fields: dict[str, str], title: str) -> str:
    """Write an entry as a list of references has it."""
    people = _people(fields.get("author", "")) or _people(fields.get("editor", ""))
    if fields.get("editor") and not fields.get("author"):
        people += " (editor)"
    places = [fields[name] for name in _WHERE if fields.get(name)]
    where = ", ".join([*places, *(f"{name} {fields[name]}" for name in ("volume", "number") if fields.get(name))])
    pages = f"pages {fields['pages']}" if fields.get("pages") else ""
    edited = f"edited by {_people(fields['editor'])}" if fields.get("author") and fields.get("editor") else ""
    year = " ".join(part for part in (fields.get("month", ""), fields.get("year") or fields.get("date", "")) if part)
    rest = ", ".join(part for part in (where, pages, edited, fields.get("publisher", ""), year) if part)
    head = f"{people}: {title}" if people and title else people or title
    return f"{head}{'' if not rest else ' ' if head.endswith(('.', '?', '!')) else '. ' if head else ''}{rest}."


def _people(names: str) -> str:
    """Write names as they are read: `Knuth, Donald E. and Bibby, Duane` is Donald E. Knuth, Duane Bibby."""
    people = []
    for name in _AND.split(names.strip()) if names.strip() else []:
        family, _, given = name.partition(",")
        after, _, first = given.partition(",")
        parts = (first.strip(), family.strip(), after.strip()) if first else (after.strip(), family.strip())
        people.append("others" if name == "others" else " ".join(part for part in parts if part))
    return ", ".join(people)


def _entries(source: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield key and fields of each entry; the values are text."""
    strings = dict(_MONTHS)
    at, left = 0, _MOST_EXPANDED
    while found := _ENTRY.search(source, at):
        at, kind = found.end(), found[1].lower()
        if kind in _NO_ENTRY:
            at = _closed(source, found.end() - 1) if found[2] == "{" else at
            continue
        key = _KEY.match(source, at) if kind != "string" else None
        if kind != "string" and not key:
            continue
        at = key.end() if key else at
        fields = dict[str, str]()
        while name := _FIELD.match(source, at):
            value, at = _value(source, name.end(), strings, left)
            left -= len(value)
            if kind == "string":
                strings[name[1].lower()] = value
            elif value and name[1].lower() not in fields:
                fields[name[1].lower()] = plain_text(value)
        if key:
            yield key[1], fields


def _value(source: str, at: int, strings: dict[str, str], left: int) -> tuple[str, int]:
    """Return a value, which may be joined by #, and the place behind it."""
    parts = list[str]()
    while True:
        if source[at : at + 1] in ("{", '"') and at < len(source):
            end = _closed(source, at)
            parts.append(source[at + 1 : end - 1])
        elif word := _NAME.match(source, at):
            end = word.end()
            said = strings.get(word[0].lower(), word[0])
            left -= len(said)
            parts.append(said if left > 0 else "")
        else:
            break
        at = end
        while source[at : at + 1].isspace():
            at += 1
        if source[at : at + 1] != "#":
            break
        at += 1
        while source[at : at + 1].isspace():
            at += 1
    return "".join(parts), at


def _closed(source: str, at: int) -> int:
    """Return the place behind a group in braces or quotation marks; of one that never ends, its first line."""
    quoted, depth, place = source[at] == '"', 0, at
    if quoted:
        place += 1
    while found := _MARK.search(source, place, at + _LONGEST):
        place = found.end() + (found[0] == "\\")
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if (quoted and found[0] == '"' and depth == 0) or (not quoted and depth == 0 and found[0] == "}"):
            return place
    line = source.find("\n", at)
    return line + 1 if line >= 0 else len(source) + 1
