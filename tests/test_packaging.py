"""What a stranger gets: every module in the wheel, pins that fit what is declared, one version everywhere.

That the wheel really holds them is looked up in the wheel itself, by .ci/smoke.
"""

import re
import subprocess
import tomllib
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]
FIND = SETUPTOOLS["packages"]["find"]
FOLDERS = [ROOT / "engine" / "reatt", ROOT / "reatt_cli", ROOT / "store" / "reatt_store"]
PINS = {
    re.sub(r"[-_.]+", "-", name).lower(): version
    for name, _, version in (
        line.partition("==") for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    )
    if version
}
EXTRAS = ["cpu", "dev", "hub", "mcp", "ocr", "parquet", "web"]  # gpu is optional on the tested machine


def requirements() -> list[Requirement]:
    project = PROJECT["project"]
    lists = [project["dependencies"], *(project["optional-dependencies"][extra] for extra in EXTRAS)]
    return [Requirement(line) for lines in lists for line in lines]


@cache
def listed() -> set[Path]:
    """Find the folders that setuptools finds: packages below its source roots, by the names that it is to include."""
    found = set()
    for root in (ROOT / where for where in FIND["where"]):
        for path in root.rglob("__init__.py"):
            folders = [path.parent, *path.parent.parents]
            inside = folders[: folders.index(root)]
            name = ".".join(folder.name for folder in reversed(inside))
            whole = all((folder / "__init__.py").is_file() for folder in inside)
            if whole and any(fnmatch(name, pattern) for pattern in FIND["include"]):
                found.add(path.parent)
    return found


def test_the_wheel_has_the_three_packages_and_nothing_else():
    assert {folder for folder in listed() if not (folder.parent / "__init__.py").is_file()} == set(FOLDERS)
    assert all((folder / "py.typed").is_file() for folder in FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_sub_folder_is_listed_in_the_wheel(folder):
    assert {path.parent for path in folder.rglob("*.py")} - listed() == set()


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_every_direct_dependency_is_pinned_within_its_range(requirement):
    name = re.sub(r"[-_.]+", "-", requirement.name).lower()
    assert name in PINS, "constraints.txt does not pin it"
    assert requirement.specifier.contains(PINS[name])


def test_pins_are_plain_versions():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*", line)] == []


def test_the_program_and_the_changelog_tell_the_projects_version():
    code = (ROOT / "reatt_cli" / "__init__.py").read_text(encoding="utf-8")
    assert f'__version__ = "{PROJECT["project"]["version"]}"' in code
    versions = re.findall(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert versions[0] == PROJECT["project"]["version"]


def test_the_licence_is_the_one_declared():
    assert PROJECT["project"]["license"] == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


@pytest.mark.parametrize("target", ["setup", "demo", "test", "lint", "types", "smoke", "bench", "completions", "kills"])
def test_help_lists_every_target(target):
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.search(rf"^{target} ", listed, re.MULTILINE)
