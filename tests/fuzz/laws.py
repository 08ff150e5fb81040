"""What must hold of every call, whatever it was given: an exit code of the table, soon, and nothing outside changes."""

import hashlib
import os
import random
import re
import shutil
from collections import Counter

from reatt_store import errors
from tests.fuzz.nursery import MEMORY

SEED = int(os.environ.get("SEED", "0"))
FIRST = int(os.environ.get("FIRST", "0"))
BOLD = re.compile("\x1b\\[[01]m")  # what --color always prints
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def codes(kind=errors.ReattError):
    """Return every exit code of the table but that of a bug."""
    found = {kind.exit_code} | {code for each in kind.__subclasses__() for code in codes(each)}
    return found - {errors.InternalError.exit_code}


ALLOWED = (codes() | {0, 4}) - {errors.OutOfMemory.exit_code}


def fingerprint(folder):
    """Say what lies in a folder: names, kinds, sizes, contents."""
    found = {}
    for path in sorted(folder.rglob("*")):
        here = path.lstat()
        content = hashlib.blake2b(path.read_bytes()).hexdigest() if path.is_file() and not path.is_symlink() else ""
        found[str(path)] = (here.st_mode, here.st_size if content else 0, content)
    return found


def place(root):
    """Make the folder that a command runs in, and what it must leave alone."""
    shutil.rmtree(root / "place", ignore_errors=True)
    for name in ("work", "mine"):
        (root / "place" / name).mkdir(parents=True)
    (root / "place" / "mine" / "a.txt").write_text("precious\n")
    return root / "place"


def faults(ended, calls, before, after):
    """Say what is wrong with how the calls ended."""
    call = " ".join(calls[min(len(ended.codes), len(calls) - 1)])
    if ended.status:
        yield f"{call}: ended by {ended.status}: {ended.said[-200:]!r}"
    for code, each in zip(ended.codes, calls, strict=False):
        if code not in ALLOWED:
            yield f"{' '.join(each)}: exit {code}"
    if ended.peak > MEMORY:
        yield f"{ended.peak / 1e6:.0f} MB"
    if before != after:
        changed = {name for name, _ in before.items() ^ after.items()}
        yield f"changed {sorted(changed)}"
    if CONTROL.search(BOLD.sub("", ended.said)):
        yield "a control character was printed"


def findings(world, count, prepare, expected, capsys):
    """Run many cases; return what was wrong with them, which is also printed, with what makes it again.

    `prepare` fills a folder and returns the calls, and what it did; `expected` are the names that may lie there after.
    """
    root, run = world
    found, told = [], Counter()
    for number in range(FIRST, FIRST + count):
        pick, where = random.Random(SEED * 1_000_003 + number), place(root)
        calls, done = prepare(pick, where, root / "stores")
        before = fingerprint(where / "mine")
        ended = run(calls, where / "work", {"REATT_CONFIG": str(where / "work" / "config.toml")})
        told.update(ended.codes)
        if number % 100 == 99:
            with capsys.disabled():
                print(f"\n{number + 1 - FIRST} cases", end="", flush=True)
        wrong = list(faults(ended, calls, before, fingerprint(where / "mine")))
        left = {path.name for path in (where / "work").iterdir()} - (expected or set())
        wrong += [f"left {left}"] if left and expected else []
        if wrong:
            found.append(f"SEED={SEED} FIRST={number} {done}: {wrong}")
            with capsys.disabled():
                print(found[-1][:1500], flush=True)
    with capsys.disabled():
        print(f"\n{count} cases, seed {SEED}: {len(found)} findings; exit codes {dict(sorted(told.items()))}")
    return found
