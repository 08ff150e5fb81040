"""Coverage-guided fuzzing of our own parsers by atheris (libFuzzer). Run as a script: `make fuzz-parsers`.

    python -m tests.fuzz.parsers --seconds 120                    all, one after another, and a table
    python -m tests.fuzz.parsers --seconds 120 --kinds html csv   some of them

What a parser fails on is kept in .work/fuzz/KIND/crash-...; inputs that reached new code stay in .work/fuzz/KIND/found.
"""

import argparse
import os
import re
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["reatt.parsers"]):
    from tests.fuzz.parser_laws import KINDS, Fuzzed
from tests.formats.conftest import HOSTILE, SAMPLES

WORK = Path(".work/fuzz")
COUNTED = re.compile(r"^(?:Done |#)(\d+)", re.MULTILINE)
COVERED = re.compile(r"cov: (\d+)")
SECONDS_EACH = 10  # that one input may take: all are small
LONGEST = 20_000  # bytes
MEMORY = 1500  # MB


def fuzz(kind, seconds):
    """Fuzz one parser in this process; does not return."""
    fuzzed = Fuzzed(kind, SAMPLES + HOSTILE)
    seeds, found = WORK / kind / "seeds", WORK / kind / "found"
    for folder in (seeds, found):
        folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(fuzzed.seeds):
        (seeds / str(number)).write_bytes(seed)
    limits = [f"-max_len={LONGEST}", f"-timeout={SECONDS_EACH}", f"-rss_limit_mb={MEMORY}"]
    places = [f"-artifact_prefix={WORK / kind}/", str(found), str(seeds)]
    atheris.Setup([sys.argv[0], *limits, f"-max_total_time={seconds}", *places], fuzzed.check)
    atheris.Fuzz()


def run(kind, seconds):
    """Fuzz one parser in a fork; return how often it ran, the code it reached, and what it printed if it failed."""
    log = WORK / f"{kind}.log"
    WORK.mkdir(parents=True, exist_ok=True)
    child = os.fork()
    if not child:
        written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(written, 1)
        os.dup2(written, 2)
        fuzz(kind, seconds)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    said = log.read_text("utf-8", "replace")
    executions = int((COUNTED.findall(said) or ["0"])[-1])
    return executions, (COVERED.findall(said) or ["0"])[-1], said[-1500:] if status else ""


def main():
    """Fuzz the chosen parsers, print a table, and return whether one failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.parsers")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    options = parser.parse_args()
    findings = 0
    print("| parser | executions | branches reached | findings |\n|---|---|---|---|", flush=True)
    for kind in options.kinds:
        executions, covered, finding = run(kind, options.seconds)
        print(f"| {kind} | {executions:,} | {covered} | {int(bool(finding))} |", flush=True)
        if finding:
            findings += 1
            print(finding, file=sys.stderr, flush=True)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
