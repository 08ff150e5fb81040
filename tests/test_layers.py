"""The layers and rooms, read from the code itself: who may import whom, and what none of them may do.

The import rule is data: `TIERS` in bench/house.py, which also prints the graph in figures.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from bench import house

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {name: ROOT / folder for name, folder in house.SOURCES.items() if name != "bench"}
SOURCES = sorted(path for folder in FOLDERS.values() for path in folder.rglob("*.py"))
GRAPH = house.Graph(house.modules())
VERBS = {name for name in GRAPH.files if house.room(name) == "verbs"}
HEAVY = {
    "torch",
    "numpy",
    "faiss",
    "transformers",
    "tokenizers",
    "safetensors",
    "sqlite_utils",
    "pypdf",
    "pyarrow",
    "ray",
}
PICKLERS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
# The one module that reads a published pytorch_model.bin.
CONVERTER = FOLDERS["reatt"] / "weights" / "foreign" / "convert.py"
PRINTER = ROOT / "reatt_cli" / "output.py"


class Import(NamedTuple):
    module: str
    where: str


def trees(*folders: Path) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(path for folder in folders for path in folder.rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"line {node.lineno}: relative imports hide the layer"
        return [node.module or ""]
    return []


def imports(tree: ast.Module, name: str = "") -> list[Import]:
    """Every import, in functions and for types too."""
    return [Import(module, f"{name}:{node.lineno}") for node in ast.walk(tree) for module in modules(node)]


def loaded_at_import(body: list[ast.stmt], name: str = "") -> list[Import]:
    """Imports that run when the module is imported: not those in functions, nor those for type checkers alone."""
    found = []
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or "TYPE_CHECKING" in ast.dump(
            getattr(node, "test", ast.Pass())
        ):
            continue
        found += [Import(module, f"{name}:{node.lineno}") for module in modules(node)]
        for field in ("body", "orelse", "handlers", "finalbody"):
            found += loaded_at_import(getattr(node, field, []), name)
    return found


def calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            yield ast.unparse(node.func), node


def root_of(module: str) -> str:
    return module.partition(".")[0]


@pytest.mark.parametrize(
    ("layer", "above"),
    [
        ("reatt_store", {"reatt", "reatt_cli", "torch", "transformers"}),
        ("reatt", {"reatt_cli", "typer", "rich"}),
    ],
)
def test_no_layer_imports_what_stands_above_it(layer, above):
    for name, tree in trees(FOLDERS[layer]):
        assert [found for found in imports(tree, name) if root_of(found.module) in above] == []


def test_a_room_imports_only_rooms_of_the_tiers_before_its_own():
    assert {house.room(name) for name in GRAPH.files} - {None} <= {name for names in house.TIERS for name in names}
    assert house.upward(GRAPH) == []


def test_the_engine_has_few_tiers_and_no_long_chain_of_imports():
    assert len(house.TIERS) <= house.MOST
    assert len(house.chain(house.engine_of(GRAPH))) <= house.LONGEST


def test_no_room_imports_a_verb():
    rooms = [name for name in GRAPH.files if house.room(name) not in (None, "verbs", "api", "cluster")]
    assert {name: GRAPH.every[name] & VERBS for name in rooms if GRAPH.every[name] & VERBS} == {}


def test_no_module_imports_itself_by_way_of_others():
    assert house.circle(GRAPH.every) == []


def test_only_the_program_and_its_commands_import_commands():
    users = {
        name
        for name, targets in GRAPH.every.items()
        if any(target.startswith("reatt_cli.commands.") for target in targets)
    }
    assert {name for name in users if not name.startswith("reatt_cli.commands.")} == {"reatt_cli.app"}


@pytest.mark.parametrize("folder", sorted(house.folders(GRAPH)), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_folder_can_be_overlooked(folder):
    assert house.folders(GRAPH)[folder] <= house.LARGEST


def test_every_folder_of_modules_says_what_lives_in_it():
    for folder in house.folders(GRAPH):
        if folder != ROOT / "bench":
            said = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
            assert 1 <= len(said.strip().splitlines()) <= 9, folder


def test_importing_the_library_loads_nothing_but_itself():
    program = "import sys; before = set(sys.modules); import reatt; print(sorted(set(sys.modules) - before))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "['reatt']"


def test_the_rule_finds_an_upward_arrow_and_a_circle(tmp_path):
    texts = {
        "parsers/html.py": "",
        "model/t5.py": "from reatt.parsers import html",
        "search/index.py": "def f(): from reatt import ask",
        "ask.py": "from reatt.search import index",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    graph = house.Graph(house.modules(tmp_path, {"reatt": "."}))
    assert house.upward(graph) == [
        ("reatt.model.t5", "reatt.parsers.html"),
        ("reatt.search.index", "reatt.ask"),
    ]
    assert {"reatt.ask", "reatt.search.index"} == set(house.circle(graph.every))
    assert house.chain(graph) == ["reatt.ask", "reatt.search.index"]


def test_the_command_line_loads_nothing_heavy_at_import():
    for name, tree in trees(FOLDERS["reatt_cli"]):
        assert [found for found in loaded_at_import(tree.body, name) if root_of(found.module) in HEAVY] == []


def test_importing_the_command_line_loads_nothing_heavy_by_way_of_another_module():
    program = f"import sys, reatt_cli.app; print(sorted({HEAVY} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_slowest_libraries_are_never_loaded_by_importing_a_module():
    for name, tree in trees(*FOLDERS.values()):
        slow = {"transformers", "faiss", "sqlite_utils", "pypdf", "pyarrow", "ray"}
        assert [found for found in loaded_at_import(tree.body, name) if root_of(found.module) in slow] == []


def test_only_the_cluster_imports_ray():
    cluster = FOLDERS["reatt"] / "cluster"
    for name, tree in trees(*FOLDERS.values()):
        found = [each for each in imports(tree, name) if root_of(each.module) == "ray"]
        assert (ROOT / name).is_relative_to(cluster) or found == []


def test_recipes_need_neither_faiss_nor_transformers():
    for name, tree in trees(ROOT / "recipes"):
        assert [found for found in imports(tree, name) if root_of(found.module) in {"faiss", "transformers"}] == []


def test_nothing_unpickles():
    for name, tree in trees(*FOLDERS.values(), ROOT / "recipes"):
        assert [found for found in imports(tree, name) if root_of(found.module) in PICKLERS] == []
        for called, call in calls(tree):
            assert "allow_pickle" not in [keyword.arg for keyword in call.keywords], f"{name}:{call.lineno} {called}"


def test_only_the_converter_calls_torch_load_and_for_weights_alone():
    for name, tree in trees(*FOLDERS.values(), ROOT / "recipes"):
        for call in (call for called, call in calls(tree) if called == "torch.load"):
            assert ROOT / name == CONVERTER, f"{name}:{call.lineno}"
            assert "weights_only=True" in [ast.unparse(keyword) for keyword in call.keywords]


def test_only_the_door_loads_weights():
    """What is not verified first is not loaded: see weights/verify.py."""
    loaders = {"load_t5", "load_bert", "load_t5gemma", "stacks.load_stack", "LOADERS"}
    allowed = {"engine/reatt/weights/models.py", "engine/reatt/weights/stacks.py"}
    for name, tree in trees(*FOLDERS.values(), ROOT / "recipes", ROOT / "bench"):
        found = [f"{name}:{call.lineno}" for called, call in calls(tree) if called in loaders]
        assert name in allowed or found == []
        for found in imports(tree, name):
            assert found.module != "reatt.weights.stacks" or name in allowed, found.where


def test_nothing_links_files_of_a_model_or_store_to_others():
    names = {name: tree for name, tree in trees(*FOLDERS.values()) if name != "store/reatt_store/vouching.py"}
    linked = {
        f"{name}:{call.lineno}" for name, tree in names.items() for called, call in calls(tree) if called == "os.link"
    }
    assert linked == set()


def test_no_code_is_made_from_text():
    for name, tree in trees(*FOLDERS.values()):
        assert [f"{name}:{call.lineno}" for called, call in calls(tree) if called in {"eval", "exec", "compile"}] == []


def test_only_the_output_module_prints():
    for name, tree in trees(*FOLDERS.values()):
        if ROOT / name != PRINTER:
            assert [f"{name}:{call.lineno}" for called, call in calls(tree) if called == "print"] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_and_functions_stay_readable(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 350
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < 40, f"{node.name} is too long"


def test_the_checks_tell_lazy_imports_from_eager_ones():
    source = """
        import a
        if TYPE_CHECKING: import b
        try: import c
        except ImportError: import d
        def f(): import e
        class G: from h.i import j
    """
    tree = ast.parse("\n".join(line[8:] for line in source.splitlines()))
    assert [found.module for found in loaded_at_import(tree.body)] == ["a", "c", "d", "h.i"]
    assert {found.module for found in imports(tree)} == {"a", "b", "c", "d", "e", "h.i"}
