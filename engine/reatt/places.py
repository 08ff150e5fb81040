"""The default places of stores and models. Cheap to import, because every command needs it first.

A `.reatt/` that is found upwards may be another user's: whoever can write to it, or replace it, receives what `ingest`
reads there. So it must be closed to others, or trusted by name, as with git's `safe.directory`.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from pathlib import Path

NOWHERE = Path(os.devnull) / "reatt"  # below a device there is nothing
LONGEST = 1_000_000  # bytes of the list of trusted folders


def store_folder(named: str | os.PathLike[str] | None = None, start: Path | None = None) -> Path:
    """Return the store's folder: the one named, `$REATT_STORE`, the nearest `.reatt/` upwards, or the default one.

    Command line and library resolve it in the same way, so `ask` uses the store that `ingest` filled. Raises
    StoreUntrusted for a `.reatt/` that another user could have made or changed.
    """
    place, why = _found(named, start)
    if why is None:
        return place
    from reatt_store.errors import StoreUntrusted

    raise StoreUntrusted(f"the store {place} is not used: {why}", _instead(place), str(place))


def _instead(place: Path) -> str:
    """Say what to do about a store that is not used: to trust one that cannot be read would not help."""
    if not os.access(place, os.R_OK | os.X_OK):
        return "let its owner make it readable for you; or name a store with --store"
    real = shlex.quote(str(Path(os.path.realpath(place)).parent))
    return f"reatt config trust {real}, if you know who made it; or name a store with --store"


def usable_store(named: str | None = None) -> Path | None:
    """Return the store's folder; None if it is not to be trusted, which the command that uses it will report."""
    place, why = _found(named, None)
    return place if why is None else None


def usual(named: str | None = None) -> bool:
    """Return whether a store is neither named nor found upwards, so that it is the one that is used everywhere."""
    return _near(named, None) is None


def _found(named: str | os.PathLike[str] | None, start: Path | None) -> tuple[Path, str | None]:
    """Return the store's folder, and why it must not be used, if so."""
    return _near(named, start) or (data_folder() / "default", None)


def _near(named: str | os.PathLike[str] | None, start: Path | None) -> tuple[Path, str | None] | None:
    """Return the folder of a store that is named or found upwards, and why it must not be used; None without one."""
    if chosen := named or os.environ.get("REATT_STORE"):
        return expanded(chosen), None
    here = (start or Path.cwd()).absolute()
    for folder in (here, *here.parents):
        if (folder / ".reatt").is_dir():
            real = os.path.realpath(folder / ".reatt")
            why = stranger(Path(real))
            return folder / ".reatt", None if why is None or real in trusted() else why
    return None


def expanded(named: str | os.PathLike[str]) -> Path:
    """Read a path that a person gave; raises UsageError for `~name` where there is no such user, and for a NUL."""
    from reatt_store.errors import UsageError

    path = os.path.expanduser(os.fspath(named))
    if "\0" in path:
        raise UsageError("a path cannot hold a NUL character", "leave it out", path)
    if path.startswith("~"):
        raise UsageError(f"{named}: no user of that name has a home folder", "write the path in full", str(named))
    return Path(path).absolute()


def plain(named: str) -> str:
    """Expand `~` in a name that may be a path; `~name` of no user is then the name of a file."""
    path = os.path.expanduser(named)
    return os.path.abspath(path) if path.startswith("~") else path


def has_home() -> bool:
    """Return whether this user has a home folder; a container may run as a user whom the system does not know."""
    return os.path.isabs(os.path.expanduser("~"))


def data_folder() -> Path:
    """Return the default folder of stores and models."""
    from platformdirs import user_data_path

    if not has_home() and not os.environ.get("XDG_DATA_HOME"):
        from reatt_store.errors import UsageError

        raise UsageError("this user has no home folder, so there is no store of yours", "set HOME, or use --store DIR")
    return user_data_path("reatt", appauthor=False)


def config_folder() -> Path:
    """Return the folder of this user's settings; one that cannot exist for a user without a home."""
    from platformdirs import user_config_path

    if not has_home() and not os.environ.get("XDG_CONFIG_HOME"):
        return NOWHERE
    return user_config_path("reatt", appauthor=False)


def cache_folder() -> Path:
    """Return the folder for files that may be deleted at any time; one that cannot exist for a user without a home."""
    from platformdirs import user_cache_path

    if not has_home() and not os.environ.get("XDG_CACHE_HOME"):
        return NOWHERE
    return user_cache_path("reatt", appauthor=False)


def registry() -> Path:
    """Return the folder of models that can be named; one that cannot exist for a user without a home."""
    if not has_home() and not os.environ.get("XDG_DATA_HOME"):
        return NOWHERE
    return own_registry()


def own_registry() -> Path:
    """Return the folder to add models to; raises UsageError for a user without a home."""
    return data_folder() / "models"


def trust_list() -> Path:
    """Return the file that names the folders this user trusts, one on each line."""
    return config_folder() / "trusted"


def trusted() -> list[str]:
    """Return the `.reatt/` folders that this user trusts, whoever owns them."""
    try:
        with open(trust_list(), "rb", opener=_without_waiting) as file:
            return [line for line in os.fsdecode(file.read(LONGEST)).split("\n") if line]
    except OSError:
        return []


def stranger(store: Path) -> str | None:
    """Say by whom a folder could have been made or changed, other than this user and the system's; None if by nobody.

    What lies below a folder that nobody else may enter is closed to others, whatever its own mode is.
    """
    try:
        above = [(folder, folder.lstat()) for folder in store.parents]
        inside = [(Path(entry.path), entry.stat(follow_symlinks=False)) for entry in os.scandir(store)]
        own = (store, store.lstat())
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    mine = _mine()
    for place, found in (own, *inside, *above):
        if found.st_uid not in mine:
            return f"{place} belongs to another user ({found.st_uid})"
    for place, found in (*reversed(above), own):
        sticky = found.st_mode & stat.S_ISVTX and place != store  # others cannot rename what is ours
        if _open(found) and not sticky:
            return f"other users can write to {place}"
        if not found.st_mode & 0o011:
            return None
    return next((f"other users can write to {place}" for place, found in inside if _open(found)), None)


def _mine() -> set[int]:
    """Return the users whose files this user trusts: their own, the system's, and whoever called `sudo`."""
    caller = os.environ.get("SUDO_UID", "")
    return {os.geteuid(), 0} | ({int(caller)} if os.geteuid() == 0 and re.fullmatch(r"[0-9]{1,9}", caller) else set())


def _open(found: os.stat_result) -> bool:
    """Return whether others can write; the group of this user alone, which some systems give to each, is no other."""
    shared = found.st_mode & stat.S_IWGRP and found.st_gid != os.getegid()
    return bool(found.st_mode & stat.S_IWOTH or shared) and not stat.S_ISLNK(found.st_mode)


def _without_waiting(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_NONBLOCK | os.O_CLOEXEC)
