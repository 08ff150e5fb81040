"""What docs/library.md shows is what happens: its examples are run in their order, by the bundled model."""

import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "library.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def handbook(home):
    """Copy the documents and the judged questions of the examples to where the page has them."""
    shutil.copytree(ROOT / "examples" / "documents", "handbook")
    shutil.copytree(ROOT / "examples" / "beir", "beir")
    return home / "work" / "handbook"


def run(example, names):
    exec(compile(example, str(PAGE), "exec"), names)


def test_the_examples_run_one_after_the_other(handbook, capsys):
    names = {}
    for example in EXAMPLES:
        run(example, names)
    told = capsys.readouterr().out
    assert "travel.md" in told
    assert "NO_SUCH_PATH" in told
    assert len(EXAMPLES) == 10


def test_the_first_program_has_ten_lines_and_answers_from_files_of_many_formats(handbook, capsys):
    assert len(EXAMPLES[0].splitlines()) <= 10
    names = {}
    run(EXAMPLES[0], names)
    answer, *cited = capsys.readouterr().out.splitlines()
    assert re.search(r"\(\d+% sure\)", answer)
    assert "leave.md" in cited[0]
    kinds = {Path(document.path).suffix for document in _documents(handbook)}
    assert kinds >= {".md", ".html", ".pdf"}


def _documents(handbook):
    from reatt_store.library import Library

    with Library.open(handbook / ".reatt") as library:
        return [stored.document for stored in library.documents()]
