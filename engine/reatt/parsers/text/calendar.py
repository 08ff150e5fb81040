"""iCalendar -> text: every entry is a paragraph under its title that says when, where, who, and what it is about."""

from __future__ import annotations

import re
from datetime import date, timedelta

from reatt.parsers.composing import LINE, PARAGRAPH, Composer
from reatt.parsers.content import Content
from reatt.parsers.text.content_lines import Line, content_lines

_ENTRIES = frozenset({"VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY"})
_NAMED = {
    "LOCATION": "Where", "STATUS": "Status", "CATEGORIES": "Categories", "RESOURCES": "Resources",
    "CONTACT": "Contact", "URL": "Web page", "PERCENT-COMPLETE": "Done, in percent", "PRIORITY": "Priority",
    "X-GOOGLE-CONFERENCE": "Video call",
}  # fmt: skip
_TIMES = {"DUE": "Due", "COMPLETED": "Completed", "RECURRENCE-ID": "Instead of", "EXDATE": "Not on", "RDATE": "Also on"}
_TAGGED = re.compile(r"<(?:p|br|a|div|ul|li|b|i|span|html)\b[^<>]*>", re.IGNORECASE)
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(?:\d\d)?(Z?))?")
_DURATION = re.compile(r"[+-]?P(?:(\d{1,5})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,5})M)?(?:(\d{1,5})S)?)?")
_UNITS = ("week", "day", "hour", "minute", "second")
_PERIODS = {"SECONDLY": "second", "MINUTELY": "minute", "HOURLY": "hour", "DAILY": "day", "WEEKLY": "week",
            "MONTHLY": "month", "YEARLY": "year"}  # fmt: skip
_DAYS = {"MO": "Monday", "TU": "Tuesday", "WE": "Wednesday", "TH": "Thursday", "FR": "Friday", "SA": "Saturday",
         "SU": "Sunday"}  # fmt: skip
_MONTHS = "January February March April May June July August September October November December".split()
_ORDER = {"1": "first", "2": "second", "3": "third", "4": "fourth", "5": "fifth", "-1": "last"}
_DAY = re.compile(r"([+-]?\d{0,2})(MO|TU|WE|TH|FR|SA|SU)")


def calendar(source: str) -> Content:
    """Read all entries of a calendar."""
    composer, open_parts, entry, title = Composer(), list[str](), list[Line](), ""
    for line in content_lines(source):
        if line.name == "BEGIN":
            open_parts.append(line.value.strip().upper())
            entry = [] if open_parts[-1] in _ENTRIES else entry
        elif line.name == "END":
            ended = open_parts.pop() if open_parts else ""
            if ended in _ENTRIES:
                _write(composer, entry)
                entry = []
        elif open_parts[-1:] == ["VCALENDAR"]:
            title = line.text if line.name in ("X-WR-CALNAME", "NAME") else title
        elif open_parts and open_parts[-1] in _ENTRIES:
            entry.append(line)
    _write(composer, entry)  # of a file that is cut off
    return composer.content(title)


def _write(composer: Composer, entry: list[Line]) -> None:
    by_name = {line.name: line for line in reversed(entry)}
    title = " ".join(by_name["SUMMARY"].text.split()) if "SUMMARY" in by_name else ""
    composer.add(title, LINE, heading=title)
    composer.add(_when(by_name), LINE)
    for line in entry:
        composer.add(_said(line), LINE)
    composer.add(_attending(entry), LINE)
    for line in entry:
        if line.name in ("DESCRIPTION", "COMMENT"):
            composer.add(_described(line.text), LINE)
    composer.separate(PARAGRAPH)


def _said(line: Line) -> str:
    """Write a property as a line; "" for those that are written elsewhere, and those that only programs use."""
    if line.name in _NAMED:
        value = ", ".join(line.fields(",")) if line.name in ("CATEGORIES", "RESOURCES") else line.text.strip()
        value = value.lower().replace("-", " ") if line.name == "STATUS" else value
        return f"{_NAMED[line.name]}: {value}" if value else ""
    if line.name in _TIMES:
        return f"{_TIMES[line.name]}: {', '.join(_time(each, line) for each in line.value.split(','))}"
    if line.name == "ORGANIZER":
        return f"Organizer: {_person(line)}"
    return f"Repeats: {_repeated(line.value)}" if line.name == "RRULE" else ""


def _described(text: str) -> str:
    """Return a description, which some programs write in HTML."""
    if not _TAGGED.search(text):
        return text.strip()
    from reatt.parsers.markup.html import html

    return html(text).text


def _when(entry: dict[str, Line]) -> str:
    start, end = entry.get("DTSTART"), entry.get("DTEND")
    if start is None:
        return ""
    begins, ends = _time(start.value, start), ""
    if end is not None:
        ends = _time(end.value, end, last="T" not in end.value)
    elif "DURATION" in entry:
        return f"When: {begins}, {_long(entry['DURATION'].value)}"
    if not ends or ends == begins:
        return f"When: {begins}"
    zone = begins.partition(" (")[2]
    if zone and ends.endswith(f" ({zone}"):
        begins = begins.removesuffix(f" ({zone}")
    same_day = begins[:10] == ends[:10] and len(begins) > 10
    return f"When: {begins} – {ends[11:] if same_day else ends}"


def _time(value: str, line: Line, last: bool = False) -> str:
    """Write a date or a time with its zone; `last`: the day before it, because all-day entries end with the next."""
    found = _TIME.fullmatch(value.strip().partition("/")[0])
    if not found:
        return value.strip()
    day = f"{found[1]}-{found[2]}-{found[3]}"
    if found[4] is None:
        return _day_before(day) if last else day
    zone = "UTC" if found[6] else line.first("TZID").lstrip("/")
    return f"{day} {found[4]}:{found[5]}" + (f" ({zone})" if zone else "")


def _day_before(day: str) -> str:
    try:
        return (date.fromisoformat(day) - timedelta(days=1)).isoformat()
    except (ValueError, OverflowError):
        return day


def _long(value: str) -> str:
    found = _DURATION.fullmatch(value.strip())
    counts = [(count, unit) for count, unit in zip(found.groups(), _UNITS, strict=True) if count] if found else []
    return " ".join(f"{count} {unit}{'' if count == '1' else 's'}" for count, unit in counts) or value.strip()


def _person(line: Line) -> str:
    address = line.value.strip()
    address = address[7:] if address.lower().startswith("mailto:") else address
    name = " ".join(line.first("CN").split())
    return f"{name} <{address}>" if name and name != address else address


def _attending(entry: list[Line]) -> str:
    """Return who takes part, and what they have answered."""
    people = []
    for line in entry:
        if line.name == "ATTENDEE":
            answer = line.first("PARTSTAT").lower().replace("-", " ")
            people.append(_person(line) + (f" ({answer})" if answer and answer != "needs action" else ""))
    return f"Attendees: {', '.join(people)}" if people else ""


def _repeated(rule: str) -> str:
    """Write a rule of repetition in words.

    >>> _repeated("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;UNTIL=20240630T000000Z")
    'every 2 weeks on Monday, Wednesday, until 2024-06-30'
    >>> _repeated("FREQ=MONTHLY;BYDAY=-1FR;COUNT=6")
    'every month on the last Friday, 6 times'
    """
    parts = dict(part.partition("=")[::2] for part in rule.strip().upper().split(";"))
    unit = _PERIODS.get(parts.get("FREQ", ""))
    if unit is None:
        return rule.strip()
    often = parts.get("INTERVAL", "1")
    words = f"every {unit}" if often == "1" else f"every {often} {unit}s"
    days = [_named_day(day) for day in parts.get("BYDAY", "").split(",") if day]
    words += f" on {', '.join(days)}" if days else ""
    words += f" on day {parts['BYMONTHDAY'].replace(',', ', ')}" if parts.get("BYMONTHDAY") else ""
    months = [_MONTHS[int(month) - 1] for month in parts.get("BYMONTH", "").split(",") if month in _NUMBERS]
    words += f" in {', '.join(months)}" if months else ""
    words += f", {parts['COUNT']} times" if parts.get("COUNT") else ""
    until = _TIME.fullmatch(parts.get("UNTIL", ""))
    return words + (f", until {until[1]}-{until[2]}-{until[3]}" if until else "")


_NUMBERS = frozenset(map(str, range(1, 13)))


def _named_day(written: str) -> str:
    found = _DAY.fullmatch(written)
    if not found:
        return written
    count = found[1].lstrip("+")
    return f"the {_ORDER.get(count, count)} {_DAYS[found[2]]}" if count else _DAYS[found[2]]
