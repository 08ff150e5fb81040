"""Laws of iCalendar and vCard: folded, escaped and encoded lines are read whole, each entry under its name."""

import doctest
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reatt.parsers.text import calendar as calendar_module
from reatt.parsers.text import content_lines as lines_module
from reatt.parsers.text.calendar import calendar
from reatt.parsers.text.contacts import contacts
from reatt.parsers.text.content_lines import content_lines
from reatt_store.errors import EmptyDocument
from tests.parsers.source_made import parsed

MEETING = r"""BEGIN:VCALENDAR
PRODID:-//Google Inc//Google Calendar 70.9054//EN
VERSION:2.0
X-WR-CALNAME:Rowing club
BEGIN:VTIMEZONE
TZID:Europe/Oslo
BEGIN:STANDARD
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
DTSTART;TZID=Europe/Oslo:20240501T180000
DTEND;TZID=Europe/Oslo:20240501T200000
RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;UNTIL=20240630T000000Z
EXDATE;TZID=Europe/Oslo:20240515T180000
UID:7kukuqrfedlm2f9t0vr1hq@google.com
ORGANIZER;CN="Quist, Ada":mailto:ada@example.org
ATTENDEE;CUTYPE=INDIVIDUAL;PARTSTAT=ACCEPTED;CN=Bo Falk:mailto:bo@example.org
ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:cy@example.org
SUMMARY:Board meeting
LOCATION:Club house\, Harbour Road 9
STATUS:CONFIRMED
DESCRIPTION:<p>The budget of 2025 is de
 cided.</p><ul><li>Bring the keys</li></ul>
BEGIN:VALARM
ACTION:DISPLAY
DESCRIPTION:This is an event reminder
TRIGGER:-P0DT0H30M0S
END:VALARM
END:VEVENT
BEGIN:VEVENT
DTSTART;VALUE=DATE:20240706
DTEND;VALUE=DATE:20240708
SUMMARY:Regatta
DESCRIPTION:Two days.\nTents are welcome\; dogs are not.
END:VEVENT
END:VCALENDAR
"""
BOARD = """Board meeting
When: 2024-05-01 18:00 – 20:00 (Europe/Oslo)
Repeats: every 2 weeks on Monday, Wednesday, until 2024-06-30
Not on: 2024-05-15 18:00 (Europe/Oslo)
Organizer: Quist, Ada <ada@example.org>
Where: Club house, Harbour Road 9
Status: confirmed
Attendees: Bo Falk <bo@example.org> (accepted), cy@example.org
The budget of 2025 is decided.

Bring the keys

Regatta
When: 2024-07-06 – 2024-07-07
Two days.
Tents are welcome; dogs are not."""
TASKS = """begin:vcalendar
version:2.0
begin:vtodo
summary:Tar the ferry
due:20240612T090000Z
priority:1
categories:boats,spring
duration:PT1H30M
dtstart:20240612T073000Z
end:vtodo
begin:vjournal
dtstart;value=date:20240613
summary:Log
description:The tar was dry at noon.
end:vjournal
"""
TASK = """Tar the ferry
When: 2024-06-12 07:30 (UTC), 1 hour 30 minutes
Due: 2024-06-12 09:00 (UTC)
Priority: 1
Categories: boats, spring

Log
When: 2024-06-13
The tar was dry at noon."""
OLD = """BEGIN:VCALENDAR
VERSION:1.0
BEGIN:VEVENT
SUMMARY;ENCODING=QUOTED-PRINTABLE;CHARSET=ISO-8859-1:Fr=FChschoppen =
im Bootshaus
DTSTART:20240501T100000
DTEND:20240502T010000
END:VEVENT
END:VCALENDAR
"""
OUTLOOK_CARD = """BEGIN:VCARD
VERSION:2.1
N;LANGUAGE=de;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=C3=B6rg;;Dr.;
ORG:Nordlys AS;Sales
TEL;WORK;VOICE:+47 555 0182
TEL;CELL:0800 55 71 23
ADR;WORK;PREF;ENCODING=QUOTED-PRINTABLE:;;Hafenstra=C3=9Fe 9=0D=0AHinterhaus;Norden;;26506;=
Germany
EMAIL;PREF;INTERNET:joerg@example.org
PHOTO;TYPE=JPEG;ENCODING=BASE64:
 /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAoHBwgHBgoICAgLCgoLDhgQDg0N
 Dh0VFhEYIx8lJCIfIiEmKzcvJik0KSEiMEExNDk7Pj4+JS5ESUM8SDc9Pjv/

REV:20240501T120000Z
END:VCARD
"""
JOERG = """Dr. Jörg Müller
Organisation: Nordlys AS, Sales
Telephone (work): +47 555 0182
Telephone (cell): 0800 55 71 23
Address (work): Hafenstraße 9 Hinterhaus, Norden, 26506, Germany
E-mail: joerg@example.org"""
APPLE_CARDS = r"""BEGIN:VCARD
VERSION:3.0
PRODID:-//Apple Inc.//macOS 14.4//EN
N:Quist;Ada;;;
FN:Ada Quist
ORG:Harbour Club;
TITLE:Chair
EMAIL;type=INTERNET;type=HOME;type=pref:ada@example.org
item1.TEL:555 0182
item1.X-ABLabel:_$!<HomePage>!$_
item2.X-ABRELATEDNAMES:Bo Falk
item2.X-ABLabel:_$!<Spouse>!$_
BDAY:1974-03-05
NOTE:Has the key of the boat house.\nRows on Monday\, never on Friday.
UID:3F1D0B2A-0000
END:VCARD
BEGIN:VCARD
VERSION:4.0
FN:Lighthouse Dornum
TEL;VALUE=uri;TYPE="voice,home":tel:+49-4933-1
ADR;LABEL="x":;;Am Deich 1;Dornum;;26553;
LANG:de
URL:https://example.org/dornum
CATEGORIES:lights,north
PHOTO:data:image/png;base64,AAAA
END:VCARD
"""
ADA = """Ada Quist
Organisation: Harbour Club
Position: Chair
E-mail (home): ada@example.org
Telephone (homepage): 555 0182
Related (spouse): Bo Falk
Birthday: 1974-03-05
Note: Has the key of the boat house.
Rows on Monday, never on Friday.

Lighthouse Dornum
Telephone (home): +49-4933-1
Address: Am Deich 1, Dornum, 26553
Language: de
Web page: https://example.org/dornum
Categories: lights, north"""


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("name", "source", "kind", "words", "headings"),
    [
        ("a.ics", MEETING, "calendar", BOARD, ["Board meeting", "Regatta"]),
        ("a.ics", TASKS, "calendar", TASK, ["Tar the ferry", "Log"]),
        (
            "a.vcs",
            OLD,
            "calendar",
            "Frühschoppen im Bootshaus\nWhen: 2024-05-01 10:00 – 2024-05-02 01:00",
            ["Frühschoppen im Bootshaus"],
        ),
        ("unnamed", MEETING.removesuffix("END:VCALENDAR\n"), "calendar", BOARD, ["Board meeting", "Regatta"]),
        ("a.vcf", OUTLOOK_CARD, "contacts", JOERG, ["Dr. Jörg Müller"]),
        ("all.vcf", APPLE_CARDS, "contacts", ADA, ["Ada Quist", "Lighthouse Dornum"]),
        ("unnamed", APPLE_CARDS.removesuffix("END:VCARD\n"), "contacts", ADA, ["Ada Quist", "Lighthouse Dornum"]),
    ],
)
def test_entries_are_read_whole_under_their_names(
    tmp_path: Path, name: str, source: str, kind: str, words: str, headings: list[str], line_end: str
) -> None:
    text = parsed(tmp_path, name, source.replace("\n", line_end))
    assert (text.kind, text.text) == (kind, words)
    assert [heading for _, heading in text.headings] == headings
    for at, heading in text.headings:
        assert text.text.startswith(heading, at)


def test_a_calendar_has_its_own_title(tmp_path: Path) -> None:
    assert parsed(tmp_path, "a.ics", MEETING).title == "Rowing club"


def test_a_calendar_without_entries_is_empty(tmp_path: Path) -> None:
    with pytest.raises(EmptyDocument):
        parsed(tmp_path, "a.ics", "BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR\n")


PIECES = """BEGIN:VEVENT|END:VEVENT|BEGIN:VCARD|SUMMARY:a| b|=|FN;ENCODING=QUOTED-PRINTABLE:=FC=|;|X;CN="a|TEL;A;B=,:
DTSTART:00000000T9999|DTEND;VALUE=DATE:00010101|RRULE:FREQ=DAILY;BYMONTH=99""".replace("\n", "|").split("|")


@given(st.lists(st.sampled_from(PIECES)).map("\n".join) | st.text(alphabet='BEGIN:;="\\\n =A3', max_size=60))
def test_any_lines_are_read(source: str) -> None:
    for parse in (calendar, contacts):
        content = parse(source)
        for at, heading in content.headings:
            assert content.text.startswith(heading, at)


@given(st.text(alphabet='A;:="x, \\', max_size=80), st.integers(1, 80))
def test_a_line_means_the_same_wherever_it_is_folded(line: str, at: int) -> None:
    whole = list(content_lines(f"NAME:{line}"))
    assert list(content_lines(f"NAME:{line[:at]}\r\n {line[at:]}")) == whole


def test_the_examples_in_docstrings_hold() -> None:
    assert doctest.testmod(calendar_module).failed == doctest.testmod(lines_module).failed == 0
