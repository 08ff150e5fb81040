"""The command `config`, and the settings files. Options come first, then the environment, then the files.

The user's own file may also set the model, the device, and the usual stores. The `config.toml` in a store may come from
a stranger and sets only options of `ask`, `search` and `ingest`: it can name no command, no path and no other store.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from reatt.places import config_folder, expanded, trust_list, trusted, usable_store, usual
from reatt_cli.command import EXACT, command
from reatt_cli.session import Session, short_path

if TYPE_CHECKING:
    from reatt_cli.schemas import upkeep

FILE = "config.toml"
LARGEST = 1_000_000  # bytes of the user's own file
LARGEST_FOUND = 16_000  # bytes of a store's: the time to read TOML can grow with the square of its length
EVERYWHERE = {
    "model": "REATT_MODEL",
    "device": "REATT_DEVICE",
}  # settings only in the user's own file, with their variables
SECTIONS = {  # the options that may be set, of each command
    "ask": ("top", "retriever", "search", "abstain", "beams", "max_tokens", "keep"),
    "search": ("top", "retriever", "search"),
    "ingest": ("include", "exclude", "max_file_size", "timeout", "encoding"),
}
STORES = "stores"  # a setting only in the user's own file, too: the usual stores, in place of the default one
PARAMETERS = {"search": "how", STORES: "store"}  # options whose parameter has another name


@dataclass(frozen=True)
class Given:
    """A setting in a file."""

    section: str  # "" for model and device
    name: str
    value: Any
    file: Path


def register(app: typer.Typer) -> None:
    """Add this command to the program."""
    command(app, "config", example="reatt config show")(config)


def config(
    session: Session,
    what: Annotated[
        Literal["show", "path", "trust"],
        typer.Argument(
            metavar="show|path|trust", help="Show all settings, or the path of your file; or trust the store in DIR."
        ),
    ] = "show",
    folder: Annotated[
        str | None, typer.Argument(metavar="[DIR]", help="With trust: a folder whose .reatt another user could change.")
    ] = None,
) -> None:
    """Show all settings and where each comes from, the path of your settings file, or trust a store."""
    from reatt_cli.schemas import upkeep
    from reatt_store.errors import UsageError

    if (what == "trust") is (folder is None):
        raise UsageError("only trust takes a folder, and needs one", "reatt config trust DIR")
    store = _trust(folder) if folder is not None else None
    path = own_file()
    rows = list(_settings(session))
    result = upkeep.Config(path=str(path), exists=path.is_file(), settings=rows, trusted=trusted())

    def render() -> None:
        if store is not None:
            session.out.say(f"trusted  {short_path(store)}")
        elif what == "path":
            session.out.say(str(path))
        else:
            session.out.table(
                [(row.name, "" if row.value is None else str(row.value), short_path(row.source)) for row in rows]
            )

    session.out.result(result, render)


def _trust(folder: str) -> str:
    """Add a `.reatt/` to those that are used whoever owns them; return its path."""
    from reatt_store.errors import NoSuchPath
    from reatt_store.opening import private_folder, replace_bytes

    place = os.path.realpath(os.path.expanduser(folder))
    store = place if os.path.basename(place) == ".reatt" else os.path.join(place, ".reatt")
    if not os.path.isdir(store) or "\n" in store:
        raise NoSuchPath(f"there is no .reatt in {folder}", "name the folder that holds it", folder)
    if store not in trusted():
        private_folder(trust_list().parent)
        lines = os.fsencode("".join(f"{each}\n" for each in (*trusted(), store)))
        replace_bytes(trust_list(), lines)
    return store


def own_file() -> Path:
    """Return the user's own file: `$REATT_CONFIG`, or the one in the user's config folder."""
    chosen = os.environ.get("REATT_CONFIG")
    return expanded(chosen) if chosen else config_folder() / FILE


def defaults(arguments: Sequence[str]) -> dict[str, Any]:
    """Read the settings by command and parameter, in the form of Typer's defaults; raises UsageError.

    A cluster has its own stores and model, so those that are set are not for its questions.
    """
    elsewhere = any(word.partition("=")[0] == "--cluster" for word in arguments)
    named = next((after for word, after in pairwise(arguments) if word == "--store"), None)
    found: dict[str, Any] = {}
    for given in _given(named):
        if elsewhere and given.name in (STORES, "model"):
            continue
        if given.section:
            found.setdefault(given.section, {})[_parameter(given.name)] = given.value
        elif given.name == STORES:
            for place in _entries(found, *_OF_STORES):
                place["store"] = given.value
        else:
            for place in _entries(found, *_WITH_MODEL):
                place[given.name] = given.value
    return found


# The commands that load a model, and those that need a store; of a group, after its name.
_WITH_MODEL = ("ingest", "search", "ask", "eval", "adapt", "serve", "doctor", "models use", "models rollback",
               "models probe")  # fmt: skip
_OF_STORES = (*_WITH_MODEL, "list", "show", "remove", "status", "check", "mcp", "report", "export", "models list")


def _entries(found: dict[str, Any], *commands: str) -> Iterator[dict[str, Any]]:
    """Yield the entries of some commands."""
    for each in commands:
        place = found
        for name in each.split():
            place = place.setdefault(name, {})
        yield place


def _given(named: str | None) -> list[Given]:
    """Read both files; the store's comes last, so it takes precedence. The usual stores are for where none is near."""
    own = [given for given in _read(own_file(), own=True) if given.name != STORES or usual(named)]
    stores = next((given.value for given in own if given.name == STORES), None)
    store = usable_store(stores[0] if stores else named)
    return [*own, *(_read(store / FILE, own=False) if store else ())]


def _read(file: Path, own: bool) -> Iterator[Given]:
    """Read a file. A missing file sets nothing; an unknown setting raises UsageError with its name."""
    try:
        text = _small(file, own)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    for name, value in _parsed(file, text).items():
        if isinstance(value, dict) and name in SECTIONS:
            yield from (Given(name, *_known(file, each, SECTIONS[name], name), file) for each in value.items())
        else:
            yield Given("", *_known(file, (name, value), (*EVERYWHERE, STORES) if own else (), ""), file)


def _small(file: Path, own: bool) -> bytes:
    """Read a settings file. In a stranger's store it could be a pipe, which would block, a device, or a link."""
    follow, most = (0, LARGEST) if own else (os.O_NOFOLLOW, LARGEST_FOUND)
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | follow)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise _no_settings(file) from None
    with open(descriptor, "rb") as stream:
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size > most:
            raise _no_settings(file)
        return stream.read(most)


def _no_settings(file: Path) -> Exception:
    from reatt_store.errors import UsageError

    return UsageError(f"{file} is not a settings file", "reatt config path", str(file))


def _parsed(file: Path, text: bytes) -> Mapping[str, Any]:
    import tomllib

    from reatt_store.errors import UsageError

    try:
        return tomllib.loads(text.decode())
    except (ValueError, RecursionError) as error:
        why = "it is nested too deep" if isinstance(error, RecursionError) else error
        raise UsageError(f"{file}: {why}", "reatt config path", str(file)) from None


def _known(file: Path, setting: tuple[str, Any], names: Sequence[str], section: str) -> tuple[str, Any]:
    from reatt_store.errors import UsageError

    name, value = setting
    if name == STORES and name in names:
        return name, _stores(file, value)
    if name in names and _plain(value):
        return name, value
    there = ", ".join(names) if names else f"[{'], ['.join(SECTIONS)}]"
    what = f"{section}.{name}" if section else name
    unknown = f"is not a setting; the settings are: {there}"
    fault = "must be a text, a number, or a list of texts" if name in names else unknown
    raise UsageError(f"{file}: {what} {fault}", "reatt config show", str(file))


def _stores(file: Path, value: Any) -> list[str]:
    """Read the usual stores: a list of folders, each in full, because commands run anywhere."""
    from reatt_store.errors import UsageError

    if isinstance(value, list) and value and all(map(_full, value)):
        return [str(expanded(each)) for each in value]
    message = f'{file}: {STORES} must be a list of folders that begin with "/" or "~"'
    raise UsageError(message, f'{STORES} = ["~/office/.reatt", "~/law/.reatt"]', str(file))


def _full(path: Any) -> bool:
    """Return whether a value is the path of a folder, in full; no path holds a NUL."""
    return isinstance(path, str) and path[:1] in ("/", "~") and "\0" not in path


def _plain(value: Any) -> bool:
    """Return whether a value is a text, a number within bounds, or a list of texts."""
    if isinstance(value, list):
        return all(isinstance(part, str) for part in value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return -EXACT <= value <= EXACT  # not a number is not between, either
    return isinstance(value, str)


def _settings(session: Session) -> Iterator[upkeep.Setting]:
    """Yield every setting with its value and source."""
    from reatt_cli.program import app
    from reatt_cli.schemas import upkeep

    commands: Any = typer.main.get_command(app)
    files = {(given.section, given.name): given for given in _given(session.settings.store)}
    for section, names in {"": (*EVERYWHERE, STORES), **SECTIONS}.items():
        for name in names:
            given, variable = files.get((section, name)), EVERYWHERE.get(name, "") if not section else ""
            default = _default(commands.commands[section or "ask"], _parameter(name))
            value, source = (given.value, str(given.file)) if given else (default, "default")
            if os.environ.get(variable):
                value, source = os.environ[variable], variable
            yield upkeep.Setting(name=f"{section}.{name}" if section else name, value=value, source=source)


def _default(known: Any, parameter: str) -> Any:
    return next(each.default for each in known.params if each.name == parameter)


def _parameter(name: str) -> str:
    return PARAMETERS.get(name, name)
