"""A question that begins with a dash: it is no option, and the parser has to be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

ASKING = frozenset({"ask", "search"})  # the commands that take a question


class _Command(Protocol):
    params: list[Any]


def marked(arguments: Sequence[str], commands: Mapping[str, _Command]) -> list[str]:
    """Move a question that begins with a dash behind `--`, where the parser takes nothing for an option.

    An argument with a blank before any `=` is no option; neither is one that an option before it waits for.
    """
    if not arguments or arguments[0] not in ASKING or "--" in arguments:
        return list(arguments)
    waiting = {
        name
        for parameter in commands[arguments[0]].params
        if not getattr(parameter, "is_flag", True)
        for name in getattr(parameter, "opts", ())
    }
    for at, argument in enumerate(arguments[1:], 1):
        named = argument.partition("=")[0]
        if argument.startswith("-") and any(each.isspace() for each in named) and arguments[at - 1] not in waiting:
            return [*arguments[:at], *arguments[at + 1 :], "--", argument]
    return list(arguments)
