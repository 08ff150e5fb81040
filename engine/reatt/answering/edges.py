"""Where a span may end: not inside a unit or a name, of which it has the beginning.

Numbers and table cells are kept whole by `model/answers/wholes.py`, in every way of answering.
"""

from __future__ import annotations

import re

from reatt.model.backbone import Span

_UNITS = (
    "% ‰ ° °C °F € £ $ Hz kHz MHz GHz V kV A mA W kW MW kWh MWh kB MB GB TB mg g kg lb lbs oz mm cm m km km/h mph ft "
    "ml cl l m² m³ bar hPa min h hr hrs a.m. p.m. am pm EUR USD GBP NOK CHF euro euros dollar dollars pound pounds "
    "percent"
)
_UNIT = re.compile(rf"(?<=\d)[ \u00a0]?(?:{'|'.join(sorted(map(re.escape, _UNITS.split()), reverse=True))})(?![\w²³/])")
_NUMERAL = re.compile(r" [IVX]+(?!\w)")
_SECOND = re.compile(r" (?:(?:van|von|de|der|la) )?[A-Z][\w’'-]*\w(?!\w)")
_CAPITAL = re.compile(r"(?:^|\s)[A-Z][\w’'-]*\w$")


def whole(text: str, span: Span) -> Span:
    """Grow a span to the end of the unit or the name that it cuts off; a name of two words counts as whole.

    >>> text = "Since May Jonas Felder pays 110 euros."
    >>> [text[slice(*whole(text, (text.index(part), text.index(part) + len(part))))] for part in ("110", "Jonas")]
    ['110 euros', 'Jonas Felder']
    """
    start, end = span
    ways = [_UNIT]
    if _CAPITAL.search(text[start:end]):
        ways += [_NUMERAL] if " " in text[start:end] else [_NUMERAL, _SECOND]
    return start, max([end, *(found.end() for found in (way.match(text, end) for way in ways) if found)])
