"""Map any exception to a row of the error catalogue: our own errors, the system's and torch's."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from typer.exceptions import TyperException

from reatt_cli import __version__
from reatt_cli.questions import ASKING

if TYPE_CHECKING:
    from reatt_store.errors import ReattError

LARGEST_LOG = 1_000_000  # bytes
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DO = {
    errno.EACCES: "check its permissions",
    errno.EPERM: "check its permissions",
    errno.ENAMETOOLONG: "use a shorter path",
    errno.ENOENT: "check that it still exists",
    errno.EMFILE: "raise the limit on open files: ulimit -n",
}
_LOCKLESS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
_ELSEWHERE = "keep the store on a local disk (--store DIR), or mount that file system with locks"
_OURS = (errno.EPIPE, errno.EBADF, errno.EINVAL, errno.EFAULT)
_MEMORY = (
    "can't allocate memory", "Cannot allocate memory", "unable to mmap", "failed to map segment", "std::bad_alloc",
    "cannot map zero-fill pages",
)  # fmt: skip
_DEVICE = ("CUDA error", "CUDA driver", "Found no NVIDIA driver", "The NVIDIA driver on your system")


def known(error: Exception) -> ReattError | None:
    """Return the error's row in the catalogue; None if it is a bug."""
    from reatt_store import errors

    if isinstance(error, errors.ReattError):
        return error
    if type(error).__name__ == "IntegrityError":  # SQLite's, which is not imported here: rows of no store of ours
        return errors.StoreDamaged(f"the store is damaged: {error}", "reatt check --repair")
    if _no_memory(error):
        return errors.OutOfMemory("not enough memory", "close other programs; ask needs less with a smaller --top")
    if isinstance(error, RuntimeError) and os.strerror(errno.EMFILE) in str(error):  # as torch says it
        return _of_system(OSError(errno.EMFILE, os.strerror(errno.EMFILE)))
    if isinstance(error, UnicodeEncodeError):  # half a pair of surrogates, from an argument or from JSON
        return errors.UsageError(f"not UTF-8: {error.object[:80]!r}", "use UTF-8")
    if type(error).__name__ == "ValidationError" and "finite_number" in str(error):  # pydantic's
        return errors.StoreDamaged("a number of the store or of its model is not finite", "reatt check")
    if isinstance(error, TyperException):
        called = _called(error)
        if type(error).__name__ == "NoSuchOption" and called.partition(" ")[2] in ASKING:
            return errors.UsageError(error.format_message(), f'{called} --help, or for a question: {called} -- "-…"')
        return errors.UsageError(error.format_message(), f"{called} --help")
    if isinstance(error, OSError):
        return _of_system(error)
    if type(error).__name__ == "OutOfMemoryError":  # torch's; compared by name, so that torch is not imported here
        return errors.GpuMemory(
            "the memory of the GPU is full", "nvidia-smi shows what uses it; try --device cpu or a smaller --top"
        )
    if type(error).__name__ == "AcceleratorError" or (
        isinstance(error, RuntimeError) and str(error).startswith(_DEVICE)
    ):
        return errors.DeviceError(str(error).partition("\n")[0], "check nvidia-smi, or use --device cpu")
    return None


def internal(error: Exception, log: Path, debug: bool) -> ReattError:
    """Log the traceback of a bug and return an error that says where."""
    from reatt_store.errors import InternalError
    from reatt_store.opening import private, private_folder

    named = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    try:
        private_folder(log.parent)
        mode = "a" if not log.exists() or log.stat().st_size < LARGEST_LOG else "w"  # older ones then go
        with open(log, mode, opener=private, errors="backslashreplace") as file:
            file.write(f"reatt {__version__}, Python {sys.version}\n{''.join(traceback.format_exception(error))}\n")
    except OSError:
        return InternalError(f"internal error: {named}", "run the same command with --debug")
    return InternalError(f"internal error: {named}; traceback in {log}", "" if debug else "--debug", str(log))


def last_resort(error: Exception) -> ReattError:
    """Name an error of which nothing more can be said."""
    from reatt_store.errors import InternalError

    return InternalError(f"internal error: {type(error).__name__}", "run the same command with --debug")


def _of_system(error: OSError) -> ReattError | None:
    """Describe what the system refused. An error without a file name is a bug if only we can have caused it."""
    from reatt_store import errors

    named = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else None
    if error.errno in _FULL:
        return errors.DiskFull(
            f"no space left to write {named or 'there'}", "free some space, then run it again", named
        )
    if error.errno == errno.EROFS:
        return errors.ReadOnly(f"{named or 'the disk'} is read-only", "name another folder", named)
    if error.errno in _LOCKLESS:
        return errors.NoLocks(f"{named or 'a file'} cannot be locked: its file system has no locks", _ELSEWHERE, named)
    if named is None and (error.errno is None or error.errno in _OURS):
        return None
    if named is None:
        return errors.SystemRefused(f"the system refuses: {error.strerror}", _DO.get(error.errno or 0, ""))
    return errors.SystemRefused(f"cannot use {named}: {error.strerror}", _DO.get(error.errno or 0, ""), named)


def _no_memory(error: Exception) -> bool:
    """Return whether memory ran out, which libraries say in many ways."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    foreign = isinstance(error, RuntimeError | OSError | ImportError) or type(error).__name__ == "SafetensorError"
    return foreign and any(words in str(error) for words in _MEMORY)


def _called(error: TyperException) -> str:
    """Name the command whose usage was wrong."""
    context = getattr(error, "ctx", None)
    return str(context.command_path) if context is not None else "reatt"
