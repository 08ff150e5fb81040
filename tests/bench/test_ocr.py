"""Laws of the bench of scanned pages."""

import pytest

pytest.importorskip("PIL", reason='the extra is not installed: pip install "reatt[ocr]"')

from bench import ocr
from bench.kit import scans


@pytest.mark.parametrize(("expected", "read", "share"), [("abcd", "abcd", 1), ("abcd", "abd", 0.75), ("ab", "wxyz", 0)])
def test_the_share_of_characters_counts_every_edit(expected, read, share):
    assert ocr.right_share(expected, read) == share


def test_line_ends_are_no_matter_of_reading():
    assert ocr.right_share("a line\nand another", "a line and\n\nanother ") == 1


def test_each_question_is_about_one_page():
    pages = [ocr.plain(page) for page in scans.texts()]
    assert (len(pages), len(ocr.QUESTIONS)) == (20, 20)
    assert all(sum(answer in page for page in pages) == 1 for answer in ocr.QUESTIONS.values())


def test_a_scan_is_the_same_on_every_run():
    first, second = (scans.scanned("Tea.", scans.Look(dpi=40), seed=3) for _ in range(2))
    assert first.tobytes() == second.tobytes()
