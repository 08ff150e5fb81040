"""Generate the man page from the commands: `make man`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from textwrap import wrap
from typing import Any

import typer

from reatt_cli.output import Output

DATE = "November 21, 2026"  # date of the last change of the text below
CODES = {
    0: "Success.",
    1: "Failed.",
    2: "The command was given something it cannot use.",
    3: "Some files could not be read; the others were.",
    4: "Nothing was found, or the model is not confident enough to answer.",
    5: "The new model was not better; the old one was kept.",
    10: "There is no store.",
    11: "Another process writes to the store.",
    12: "The store is damaged.",
    13: "The model is not the one that the store was made with.",
    14: "The model is missing, or unsafe.",
    15: "The store was written by a newer version.",
    20: "There is no such device.",
    21: "Out of memory.",
    22: "The disk is full, or read-only.",
    70: "A bug; its traceback was logged.",
    130: "Interrupted (Ctrl-C); 141: closed pipe; 143: asked to end.",
}
VARIABLES = {
    "REATT_STORE": "The store, if --store is not given.",
    "REATT_MODEL": "The model, if --model is not given.",
    "REATT_DEVICE": "The device, as for --device.",
    "REATT_CONFIG": "The configuration file, instead of the usual one.",
    "REATT_PROGRESS": "How to show progress, as for --progress.",
    "REATT_LOG": "The file for tracebacks of bugs.",
    "NO_COLOR": "Set to anything: no bold on the terminal.",
    "XDG_RUNTIME_DIR": "The folder for the sockets of reatt serve.",
}
SHARED = "json"  # first of the options that every command has; they are described once


def page() -> str:
    """Write the page, in the language of mdoc(7)."""
    from reatt_cli.app import app

    root: Any = typer.main.get_command(app)
    commands = list(_commands(root, ()))
    shared = _shared([command for _, command in commands])
    lines = [
        f'.\\" Made by `make man`, not by hand.\n.Dd {DATE}\n.Dt REATT 1\n.Os',
        f".Sh NAME\n.Nm reatt\n.Nd {_text(root.help).rstrip('.').replace(':', ',')}",
        ".Sh SYNOPSIS\n.Nm\n.Ar command\n.Op Ar argument ...\n.Op Fl -option ...",
        ".Sh DESCRIPTION\n.Nm\nreads documents into a store and answers questions from them,\n"
        "with one model and without a network.\nOptions stand after the command.\n.Bl -tag -width Ds",
        *(_described(path, command, shared) for path, command in commands),
        ".El\n.Pp\nOptions of every command that uses them:\n.Bl -tag -width Ds",
        *(_option(option) for option in shared.values()),
        ".El\n.Sh ENVIRONMENT\n.Bl -tag -width Ds",
        *(f".It Ev {name}\n{_text(what)}" for name, what in VARIABLES.items()),
        ".El\n.Sh EXIT STATUS\n.Bl -tag -width Ds",
        *(f".It {code}\n{_text(what)}" for code, what in CODES.items()),
        ".El\n.Sh EXAMPLES\n.Dl reatt ingest ~/handbook\n.Dl reatt ask \\(dqHow long is parental leave?\\(dq",
    ]
    return "\n".join(lines) + "\n"


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command with the words that are typed for it."""
    below = [child for child in getattr(command, "commands", {}).values() if not child.hidden]
    if not below:
        yield path, command
    for child in below:
        yield from _commands(child, (*path, child.name))


def _shared(commands: list[Any]) -> dict[str, Any]:
    """Pick the options that every command has, and those of every command with a model."""
    common = [{each.name: each for each in command.params} for command in commands]
    everywhere = {name: each for name, each in common[0].items() if all(name in other for other in common)}
    return everywhere | {name: each for name, each in common[0].items() if name in ("model", "device")}


def _described(path: tuple[str, ...], command: Any, shared: dict[str, Any]) -> str:
    """Describe one command: usage, purpose, its own options, an example."""
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option" and each.name not in shared]
    typed = " ".join(f"Ar {_word(each)}" if each.required else f"Op Ar {_word(each)}" for each in arguments)
    own = [".Bl -tag -width Ds", *map(_option, options), ".El"] if options else []
    example = [".Pp", f".Dl {_text(command.epilog.removeprefix('Example: '))}"] if command.epilog else []
    return "\n".join([f".It Cm {' '.join(path)} {typed}".rstrip(), _text(command.help), *own, *example])


def _option(option: Any) -> str:
    names = " , ".join(f"Fl {_text(name[1:])}" for name in [*option.opts, *option.secondary_opts])
    value = "" if option.is_flag else f" Ar {_word(option)}"
    return f".It {names}{value}\n{_text(option.help)}"


def _word(parameter: Any) -> str:
    """Name the value of a parameter."""
    described = parameter.type_descriptor
    values = "|".join(described.choices) if described.is_choice else parameter.metavar or "N"
    return _text(values.replace(" ", "\\ "))


def _text(text: str) -> str:
    r"""Write text for mdoc: one sentence per line, and no word that mdoc takes for a request.

    >>> _text("One. Two: a\\b")
    'One.\nTwo: a\\eb'
    """
    escaped = text.replace("\\", "\\e").replace("\\e ", "\\ ").replace("…", "...")
    sentences = re.split(r"(?<=[a-z)][.?]) (?=[A-Z])", " ".join(escaped.split()))
    lines = [line for sentence in sentences for line in wrap(sentence, 78, break_on_hyphens=False)]
    return re.sub(r"(?m)^([.'])", r"\\&\1", "\n".join(lines))


if __name__ == "__main__":
    Output().raw(page())
