"""Which files an ingest reads: named files, folders, globs.

Folders are walked in a fixed order. Hidden files, version control, `node_modules`, editors' lock files (`~$x.docx`),
reatt stores, and symbolic links inside a folder are skipped. A file named on the command line is always read.
"""

from __future__ import annotations

import difflib
import glob
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from reatt_store.errors import NoSuchPath, NothingFound

_NEVER_FOLDERS = frozenset({"node_modules", "__pycache__"})
_NEVER_PREFIXES = (".", "~$")
_STORE_MARK = "reatt.db"


@dataclass(frozen=True)
class FoundFile:
    """One file to read."""

    path: Path  # absolute, symbolic links as given
    explicit: bool  # named on the command line; then a binary file is an error and is not skipped


@dataclass
class _Walk:
    include: Sequence[str]
    exclude: Sequence[str]
    on_link: Callable[[Path], None]
    extensions: Counter[str] = field(default_factory=Counter)  # of skipped files


def find(
    paths: Sequence[str],
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    on_link: Callable[[Path], None] = lambda _: None,
) -> Iterator[FoundFile]:
    """Yield every file once. Globs match the name, or the path below the folder (`*` crosses `/`).

    Raises NoSuchPath before the first file, and NothingFound at the end if there was none. `on_link` is called for each
    symbolic link that is not followed.
    """
    roots = [root for path in paths for root in _roots(path)]
    return _find(roots, _Walk(include, exclude, on_link))


def _roots(path: str) -> list[FoundFile]:
    """Resolve one argument: a path that exists as it is, or a glob."""
    expanded = os.path.abspath(os.path.expanduser(path))
    if os.path.lexists(expanded):
        return [FoundFile(Path(expanded), explicit=True)]
    if glob.has_magic(path):
        return [FoundFile(Path(match), explicit=False) for match in sorted(glob.glob(expanded, recursive=True))]
    raise NoSuchPath(f"no such file or folder: {path}", _suggest(Path(expanded)), path=path)


def _suggest(missing: Path) -> str:
    try:
        near = difflib.get_close_matches(missing.name, os.listdir(missing.parent), n=1)
    except OSError:
        return f"there is no folder {missing.parent}"
    return f"did you mean {missing.parent / near[0]}?" if near else f"look at: ls {missing.parent}"


def _find(roots: Sequence[FoundFile], walk: _Walk) -> Iterator[FoundFile]:
    seen: set[Path] = set()
    for root in roots:
        for found in _below(root.path, walk) if root.path.is_dir() else [root]:
            if found.path not in seen:
                seen.add(found.path)
                yield found
    if not seen:
        raise _nothing(walk)


def _below(root: Path, walk: _Walk) -> Iterator[FoundFile]:
    """Walk one folder: its files in order of their names, then its folders."""
    pending = [root]
    while pending:
        folder = pending.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:  # no permission, a bad disk, or it was just deleted
            yield FoundFile(folder, explicit=True)  # reading it will report the reason
            continue
        if any(entry.name == _STORE_MARK for entry in entries):
            continue
        folders = []
        for entry in entries:
            path = Path(entry.path)
            if _left_out(entry, path.relative_to(root).as_posix(), walk):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)
            elif entry.is_file(follow_symlinks=False):
                yield FoundFile(path, explicit=False)
        pending += reversed(folders)


def _left_out(entry: os.DirEntry[str], below: str, walk: _Walk) -> bool:
    if entry.name.startswith(_NEVER_PREFIXES) or entry.name in _NEVER_FOLDERS:
        return True
    if _matches(entry.name, below, walk.exclude):
        return True
    if entry.is_symlink():
        walk.on_link(Path(entry.path))
        return True
    if entry.is_dir(follow_symlinks=False) or not walk.include or _matches(entry.name, below, walk.include):
        return False
    walk.extensions[os.path.splitext(entry.name)[1] or entry.name] += 1
    return True


def _matches(name: str, below: str, globs: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) or fnmatchcase(below, pattern.rstrip("/")) for pattern in globs)


def _nothing(walk: _Walk) -> NothingFound:
    globs = [f"--include {pattern}" for pattern in walk.include] + [f"--exclude {pattern}" for pattern in walk.exclude]
    under = f" with {' '.join(globs)}" if globs else ""
    common = ", ".join(f"{extension} ({count})" for extension, count in walk.extensions.most_common(3))
    fix = f"skipped: {common}" if common else "name files or folders with PDF, DOCX, HTML, Markdown or text"
    return NothingFound(f"nothing to read{under}", fix)
