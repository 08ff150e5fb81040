"""How many small faults in store/ its tests notice: `make mutation-score COUNT=100 SEED=0`.

One fault at a time goes into a copy of the package that stands before the installed one on the path: a comparison, a
condition, a number or an operator is changed, a statement left out, None returned. Then those tests run that ran
that line, from the store's fast test files; a fault that no test fails for has survived. Faults are drawn with a
seed from all that there are, so that the share is an estimate for all of them.
"""

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from coverage import CoverageData

ROOT = Path(__file__).resolve().parent.parent
TESTS = "answers edges generations library model nearest repairing runs segments words".split()
FILES = [f"tests/store/test_{name}.py" for name in TESTS]
SECONDS = 120  # for one fault; one that makes the tests hang is noticed, too

FLIPPED = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.BitOr: ast.BitAnd,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A file with one fault."""

    file: str
    line: int
    fault: str
    source: str


def faults(file: Path) -> list[tuple[Path, int, int]]:
    """List the faults that a file can have: by which piece of its code, and which of the faults of that piece."""
    pieces = runs(ast.parse(file.read_text(encoding="utf-8")))
    return [(file, place, number) for place, piece in enumerate(pieces) for number in range(len(faulty(piece)))]


def mutant(file: Path, place: int, number: int) -> Mutant:
    """Write a file with a fault."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    piece = list(runs(tree))[place]
    told = f"{ast.unparse(piece).splitlines()[0]}  ->  "
    wrong = faulty(piece)[number]
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if isinstance(value, list):
                value[:] = [wrong if each is piece else each for each in value]
            elif value is piece:
                setattr(parent, name, wrong)
    told += ast.unparse(wrong).splitlines()[0]
    return Mutant(file.name, piece.lineno, told, ast.unparse(ast.fix_missing_locations(tree)))


def runs(tree: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    """Walk through the code of functions: not what defines, annotates or documents."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for statement in function.body:
                if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
                    yield from _inside(statement)


def _inside(node: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom):
        return
    if isinstance(node, ast.expr | ast.stmt):
        yield node
    for name, child in ast.iter_fields(node):
        if name != "annotation":
            for each in child if isinstance(child, list) else [child]:
                if isinstance(each, ast.AST):
                    yield from _inside(each)


def faulty(node: ast.expr | ast.stmt) -> list[ast.AST]:
    """Give what may stand in the place of a piece of code."""
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in FLIPPED:
            return [ast.Compare(node.left, [FLIPPED[type(operator)]()], node.comparators)]
        case ast.BoolOp(op=operator):
            return [ast.BoolOp(FLIPPED[type(operator)](), node.values)]
        case ast.BinOp(op=operator) if type(operator) in FLIPPED:
            return [ast.BinOp(node.left, FLIPPED[type(operator)](), node.right)]
        case ast.UnaryOp(op=ast.Not()):
            return [node.operand]
        case ast.Constant(value=bool()):
            return [ast.Constant(not node.value)]
        case ast.Constant(value=int()):
            return [ast.Constant(node.value + 1)]
        case ast.If() | ast.While() if not isinstance(node.test, ast.Compare | ast.BoolOp | ast.UnaryOp):
            return [type(node)(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)]
        case ast.Return(value=ast.expr()) if not isinstance(node.value, ast.Constant):
            return [ast.Return(ast.Constant(None))]
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Raise() | ast.Delete():
            return [ast.Pass()]
    return []


def tests_by_line(folder: Path) -> dict[tuple[str, int], set[str]]:
    """Run the tests once; say which of them ran each line."""
    report = folder / "coverage"
    environment = os.environ | {"COVERAGE_FILE": str(report)}
    watched = ["--cov=reatt_store", "--cov-context=test", "--cov-report="]
    subprocess.run([sys.executable, "-m", "pytest", *watched, *FILES], cwd=ROOT, env=environment, check=True)
    data = CoverageData(str(report))
    data.read()
    ran: dict[tuple[str, int], set[str]] = {}
    for file in data.measured_files():
        for line, tests in data.contexts_by_lineno(file).items():
            ran[Path(file).name, line] = {test.partition("|")[0].partition("[")[0] for test in tests if test}
    return ran


def noticed(mutant: Mutant, tests: set[str], folder: Path) -> bool:
    """Say whether one of the tests fails, or hangs, with a fault."""
    package = folder / "reatt_store"
    shutil.rmtree(package, ignore_errors=True)
    shutil.copytree(ROOT / "store" / "reatt_store", package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / mutant.file).write_text(mutant.source, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *sorted(tests)]
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return True
    return done.returncode != 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    every = [fault for file in sorted((ROOT / "store" / "reatt_store").glob("*.py")) for fault in faults(file)]
    drawn = [mutant(*fault) for fault in random.Random(options.seed).sample(every, min(options.count, len(every)))]
    killed = 0
    with tempfile.TemporaryDirectory() as folder:
        ran = tests_by_line(Path(folder))
        for each in drawn:
            tests = ran.get((each.file, each.line), set())
            found = bool(tests) and noticed(each, tests, Path(folder))
            killed += found
            if not found:
                print(f"survived  store/reatt_store/{each.file}:{each.line}  {each.fault}", flush=True)
    share = f"{killed} of {len(drawn)} faults ({killed / len(drawn):.0%})"
    print(f"noticed {share}, drawn from {len(every)} with seed {options.seed}")


if __name__ == "__main__":
    main()
