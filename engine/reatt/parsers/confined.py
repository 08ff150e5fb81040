"""What a child process does before it touches a hostile file: it takes limits upon itself, and ends with its parent.

Imports nothing but the standard library, because every child begins with it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_LANDLOCK_CREATE, _LANDLOCK_RESTRICT = 444, 446  # system calls, the same on these machines:
_MACHINES = ("x86_64", "aarch64", "riscv64", "ppc64le", "s390x")
_READING = 0b1100  # to read files and folders
_LOOK = 0.5  # seconds between looks at the parent where the kernel does not tell


def limit(memory: int, cpu_seconds: int, written: int = 0) -> None:
    """Give up rights that a parser never needs; `written` is how large the files may be that it makes."""
    import resource

    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, written),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        try:
            resource.setrlimit(what, (most, most))
        except (ValueError, OSError):
            continue  # not on this system, or already lower


def limit_data(memory: int) -> None:
    """Limit the bytes that this process may fill; libraries may map gigabytes, and those do not count."""
    import resource

    with suppress(ValueError, OSError):  # not on this system, or already lower
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))


def limit_open_files(most: int) -> None:
    """Limit how many files and sockets can be open; 0 lets this process open no more, and keeps those that it has."""
    import resource

    with suppress(ValueError, OSError):  # already lower
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def only_read() -> bool:
    """Give up for ever to run, write, make, cut or remove a file; return whether this system can (Linux with Landlock).

    So does every thread and process that is started afterwards. What else it gives up depends on the kernel: to cut
    files since Linux 6.2, to connect by TCP since 6.7, to send signals to other processes since 6.12. Modes, owners and
    times of files can still be changed.
    """
    if sys.platform != "linux" or os.uname().machine not in _MACHINES:
        return False
    import ctypes

    libc, nothing = ctypes.CDLL(None), ctypes.c_size_t(0)
    version = libc.syscall(_LANDLOCK_CREATE, None, nothing, ctypes.c_uint(1))
    if version < 1:
        return False
    files = (1 << (13 + (version >= 2) + (version >= 3))) - 1
    rights = (ctypes.c_uint64 * 3)(files & ~_READING, 0b11, 0b11)  # files; TCP; signals and abstract sockets
    known = ctypes.c_size_t(8 * (1 + (version >= 4) + (version >= 6)))
    rules = libc.syscall(_LANDLOCK_CREATE, rights, known, ctypes.c_uint(0))
    if rules < 0:
        return False
    try:
        one, none = ctypes.c_ulong(1), ctypes.c_ulong(0)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, one, none, none, none)
        return bool(libc.syscall(_LANDLOCK_RESTRICT, ctypes.c_int(rules), ctypes.c_uint(0)) == 0)
    finally:
        os.close(rules)


def limit_for_now(memory: int, cpu_seconds: int) -> None:
    """Set the limits of the next file: bytes of address space, and seconds of the processor from now on."""
    import resource

    spent = resource.getrusage(resource.RUSAGE_SELF)
    until = int(spent.ru_utime + spent.ru_stime) + cpu_seconds + 1
    for what, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, until)):
        _, hard = resource.getrlimit(what)
        bounds = [bound for bound in (most, hard) if bound != resource.RLIM_INFINITY]
        try:
            resource.setrlimit(what, (min(bounds, default=resource.RLIM_INFINITY), hard))
        except (ValueError, OSError):
            continue  # not on this system


def die_with(parent: int) -> None:
    """End this process when its parent ends, even while a parser is busy; `parent` is the process that started it."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # it ended before we asked
        os._exit(1)


def watch(parent: int) -> None:
    """Wait until the parent has ended, then end this process."""
    while os.getppid() == parent:
        time.sleep(_LOOK)
    os.kill(os.getpid(), signal.SIGKILL)
