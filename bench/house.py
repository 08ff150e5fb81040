"""The import graph in figures, read from the code itself: rooms and their tiers, chains, arrows, circles, folders.

    python -m bench.house [--root DIR]

`tests/test_layers.py` holds the rule with the same functions. An import inside a function counts as an arrow and in
circles; the longest chain is of imports that run when a module is imported. A package's `__init__` is no module here.
"""

from __future__ import annotations

import argparse
import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = {"reatt": "engine/reatt", "reatt_cli": "reatt_cli", "reatt_store": "store/reatt_store", "bench": "bench"}
# The rule. A room imports itself and the rooms of the tiers before its own; `verbs` are the modules beside the rooms.
TIERS = (
    ("parsers", "model", "progress", "places"),
    ("documents", "weights"),
    ("search", "answering", "opened"),
    ("lessons",),
    ("training", "judging"),
    ("verbs",),
    ("api",),
    ("cluster",),
)
ALONE = ("progress", "places", "opened", "api")  # modules beside the rooms that are no verbs
MOST = 8  # tiers
LONGEST = 12  # modules of the engine in a chain of imports
LARGEST = 20  # modules in one folder


@dataclass
class Graph:
    """Which module imports which, by their dotted names."""

    files: Mapping[str, Path]
    every: dict[str, set[str]] = field(default_factory=dict)  # wherever the import stands
    first: dict[str, set[str]] = field(default_factory=dict)  # of those, the ones that run at import

    def __post_init__(self) -> None:
        for name, file in self.files.items():
            tree = ast.parse(file.read_text(encoding="utf-8"))
            self.every[name] = self._known(ast.walk(tree)) - {name}
            self.first[name] = self._known(eager(tree)) - {name}

    def _known(self, nodes: Iterator[ast.AST]) -> set[str]:
        return {module for node in nodes for module in imported(node) if module in self.files}


def imported(node: ast.AST) -> Iterator[str]:
    """Yield what an import statement may load: `from a import b` is a, and the module a.b if there is one."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def eager(node: ast.AST) -> Iterator[ast.AST]:
    """Walk what runs when the module is imported: no functions, nothing for type checkers alone."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if "TYPE_CHECKING" not in ast.dump(getattr(child, "test", ast.Pass())):
            yield child
            yield from eager(child)


def modules(root: Path = ROOT, sources: Mapping[str, str] = SOURCES) -> dict[str, Path]:
    """Find every module by its dotted name."""
    return {
        ".".join((package, *file.relative_to(root / folder).with_suffix("").parts)): file
        for package, folder in sources.items()
        for file in sorted((root / folder).rglob("*.py"))
        if file.name != "__init__.py"
    }


def room(module: str) -> str | None:
    """Name the room of a module of the engine; None for what is outside it."""
    package, *parts = module.split(".")
    if package != "reatt":
        return None
    return parts[0] if len(parts) > 1 or parts[0] in ALONE else "verbs"


def upward(graph: Graph) -> list[tuple[str, str]]:
    """List the imports that go to a room which does not stand in a tier before."""
    tier = {name: number for number, names in enumerate(TIERS) for name in names}
    return [
        (module, target)
        for module, targets in graph.every.items()
        for target in sorted(targets)
        if (here := room(module)) and (there := room(target)) and here != there and tier[there] >= tier[here]
    ]


def circle(arrows: Mapping[str, set[str]]) -> list[str]:
    """Name the modules of a circle of imports; none where there is none."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def chain(graph: Graph) -> list[str]:
    """Find the longest chain of imports that run at import."""

    @cache
    def longest(module: str) -> tuple[str, ...]:
        below = [longest(target) for target in sorted(graph.first[module])]
        return (module, *(max(below, key=len) if below else ()))

    every = [longest(module) for module in graph.files]
    found = max(every, key=len)
    return list(found)


def engine_of(graph: Graph) -> Graph:
    """Leave out all but the engine."""
    return Graph({name: file for name, file in graph.files.items() if name.startswith("reatt.")})


def folders(graph: Graph) -> Counter[Path]:
    """Count the modules of every folder."""
    return Counter(file.parent for file in graph.files.values())


def report(root: Path) -> str:
    """Say it all in a few lines."""
    graph = Graph(modules(root))
    product = Graph({name: file for name, file in graph.files.items() if not name.startswith("bench.")})
    engine = {name: product.every[name] for name in product.files if name.startswith("reatt.")}
    held = Counter(target for targets in engine.values() for target in targets if target in engine)
    rooms = Counter(filter(None, map(room, graph.files)))
    rows = [f"tier {number}      {', '.join(f'{name} ({rooms[name]})' for name in names if name in rooms)}"
            for number, names in enumerate(TIERS) if any(name in rooms for name in names)]  # fmt: skip
    longest = chain(engine_of(graph))
    rows += [f"longest     {len(longest)} modules: {' -> '.join(name.partition('.')[2] for name in longest)}"]
    rows += [f"upward      {len(upward(graph))}{''.join(f'; {a} -> {b}' for a, b in upward(graph))}"]
    rows += [f"circles     {' -> '.join(circle(graph.every)) or 'none'}"]
    rows += [f"one user    {sum(count == 1 for count in held.values())} of {len(engine)} modules of the engine"]
    for name, folder in SOURCES.items():
        sizes = {path: count for path, count in folders(graph).items() if path.is_relative_to(root / folder)}
        path = max(sizes, key=lambda each: sizes[each])
        rows += [f"{name:<11} {sum(sizes.values())} modules, at most {sizes[path]} in {path.relative_to(root)}"]
    return "\n".join(rows)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.house", description="Print the import graph in figures.")
    parser.add_argument("--root", type=Path, default=ROOT, help="a checkout [this one]")
    print(report(parser.parse_args().root.resolve()))


if __name__ == "__main__":
    main()
