"""vCard -> text: every card is a paragraph under its name, every property a line that says what it is."""

from __future__ import annotations

import re

from reatt.parsers.composing import LINE, PARAGRAPH, Composer
from reatt.parsers.content import Content
from reatt.parsers.text.content_lines import Line, content_lines

_NAMED = {
    "NICKNAME": "Nickname", "ORG": "Organisation", "TITLE": "Position", "ROLE": "Role", "TEL": "Telephone",
    "EMAIL": "E-mail", "ADR": "Address", "LABEL": "Address", "BDAY": "Birthday", "ANNIVERSARY": "Anniversary",
    "DEATHDATE": "Died", "BIRTHPLACE": "Born in", "GENDER": "Gender", "LANG": "Language", "TZ": "Time zone",
    "URL": "Web page", "IMPP": "Messages", "X-SOCIALPROFILE": "Profile", "RELATED": "Related", "MEMBER": "Member",
    "CATEGORIES": "Categories", "HOBBY": "Hobby", "INTEREST": "Interest", "EXPERTISE": "Expertise", "NOTE": "Note",
    "X-ABRELATEDNAMES": "Related", "X-ABDATE": "Date", "X-SPOUSE": "Spouse", "X-MANAGER": "Manager",
    "X-ASSISTANT": "Assistant", "X-PHONETIC-FIRST-NAME": "Spoken", "X-AIM": "AIM", "X-JABBER": "Jabber",
    "X-SKYPE": "Skype", "X-SKYPE-USERNAME": "Skype", "X-ANNIVERSARY": "Anniversary",
}  # fmt: skip
_PARTS = frozenset({"ORG", "ADR", "LABEL", "GENDER"})
_DATES = frozenset({"BDAY", "ANNIVERSARY", "DEATHDATE", "X-ABDATE", "X-ANNIVERSARY"})
_DATE = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:T.*)?")
_NO_KIND = frozenset({"internet", "voice", "pref", "text", "postal", "parcel", "intl", "dom", "msg", "x-user"})
_LABEL = re.compile(r"_\$!<(.*)>!\$_")  # as Apple writes its own ones
_SCHEME = re.compile(r"(?:tel|mailto|xmpp|skype|aim|sip|x-apple):(?://)?", re.IGNORECASE)


def contacts(source: str) -> Content:
    """Read all cards of a file."""
    composer = Composer()
    card: list[Line] = []
    for line in content_lines(source):
        if line.name == "BEGIN":
            card = []
        elif line.name == "END":
            _write(composer, card)
            card = []
        else:
            card.append(line)
    _write(composer, card)  # of a file that is cut off
    return composer.content("")


def _write(composer: Composer, card: list[Line]) -> None:
    name = _name(card)
    composer.add(name, LINE, heading=name)
    labels = {line.group: _LABEL.sub(r"\1", line.text) for line in card if line.name == "X-ABLABEL"}
    for line in card:
        if line.name in _NAMED and (value := _value(line)):
            kind = labels.get(line.group, "") if line.group else ""
            kinds = [kind] if kind else _kinds(line)
            said = f"{_NAMED[line.name]} ({', '.join(kinds).lower()})" if kinds else _NAMED[line.name]
            composer.add(f"{said}: {value}", LINE)
    composer.separate(PARAGRAPH)


def _name(card: list[Line]) -> str:
    """Return the name of a card as it is written, or made of its parts: family, given, other, before, behind."""
    found = {line.name: line for line in reversed(card) if line.name in ("FN", "N", "ORG", "EMAIL")}
    if "FN" in found and (written := " ".join(found["FN"].text.split())):
        return written
    family, given, other, before, behind, *_ = [*(found["N"].fields() if "N" in found else []), *[""] * 5]
    composed = " ".join(part for part in (before, given, other, family, behind) if part)
    return composed or next((_value(found[name]) for name in ("ORG", "EMAIL") if name in found), "")


def _value(line: Line) -> str:
    if line.name in _PARTS:
        text = ", ".join(" ".join(part.split()) for part in line.fields() if part)
    elif line.name in _DATES and (date := _DATE.fullmatch(line.value.strip())):
        text = f"{date[1]}-{date[2]}-{date[3]}"
    elif line.name in ("CATEGORIES", "NICKNAME"):
        text = ", ".join(part for part in line.fields(",") if part)
    else:
        text = _SCHEME.sub("", line.text.strip(), count=1)
    return "" if text.startswith(("data:", "urn:uuid:")) else text


def _kinds(line: Line) -> list[str]:
    kinds = [kind for listed in line.parameters.get("TYPE", []) for kind in listed.split(",")]
    return [kind for kind in kinds if kind and kind.lower() not in _NO_KIND]
