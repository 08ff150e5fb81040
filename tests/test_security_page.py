"""docs/security.md: every promise names tests, and every test that it names exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
TESTS = "\n".join(file.read_text("utf-8") for file in (ROOT / "tests").rglob("test_*.py"))
DEFINED = set(re.findall(r"^def (test_\w+)", TESTS, re.MULTILINE))
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| promise")]


@pytest.mark.parametrize("row", ROWS)
def test_every_promise_names_tests_that_exist(row):
    named = row.rsplit(" | ", 1)[1]
    files, tests = re.findall(r"`(tests/[\w/]+\.py)`", named), re.findall(r"`(test_\w+)`", named)
    assert files or tests
    assert all((ROOT / file).is_file() for file in files)
    assert set(tests) <= DEFINED


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`make ([\w-]+)", PAGE))))
def test_every_target_that_it_names_exists(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)


def test_every_attacker_has_a_part_that_says_what_is_not_promised():
    parts = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    assert [part.splitlines()[0] for part in parts] == [
        "A document", "A store", "A neighbour", "A network file system, and other programs", "A cluster", "A disk",
        "A model", "How to report",
    ]  # fmt: skip
    assert all("Not promised" in part for part in parts if part.startswith("A ") and not part.startswith("A model"))
