"""docs/scale.md is what the script computes, and what it computes can be followed by hand."""

import math

import pytest

from bench import scale
from bench.scale import Assumed, Measured, Way


def test_the_page_is_what_the_script_writes(tmp_path):
    scale.main(tmp_path / "scale.md")
    assert scale.PAGE.read_text("utf-8") == (tmp_path / "scale.md").read_text("utf-8")


def way(name, growth=1.0):
    return Way(name, chunks=1000, keys=100_000, seconds=0.5, bytes_a_key=190, growth=growth)


SEEN = Measured(100, way("fast"), Way("words (FTS5)", 1000, 100_000, 0.01, 10, 1.0), 1000.0, 60, ())


def test_what_is_needed_is_worked_out_from_the_rows():
    needed = scale.need(1_000_000, SEEN, Assumed(core_hour=0.1, gb_month=0.5, cores=10, memory_gb=10, question_s=100))
    assert (needed.keys, needed.disk_gb, needed.memory_gb) == (1e8, 20.0, 6.4)
    assert (needed.question_s, needed.machines) == (500.0, 5)
    assert needed.encode_h == pytest.approx(1e5 / 3600)
    assert needed.encode_cost == pytest.approx(needed.encode_h * 0.1)
    assert needed.month_cost == pytest.approx(5 * 10 * 0.1 * 730 + 20 * 0.5)


def test_memory_may_ask_for_more_machines_than_time():
    needed = scale.need(1_000_000, SEEN, Assumed(memory_gb=1, question_s=100))
    assert needed.machines == 8
    assert "memory breaks first, at 8.00" in scale._breaks(needed)


def row(chunks, keys, name, one, all=None):
    return {"what": f"p50 of {chunks:,} chunks, {keys:,} keys: {name}", "one": one, "all": all,
            "also": {"bytes/token": 100.0}}  # fmt: skip


def test_a_scan_grows_with_the_passages_and_another_way_as_it_was_measured():
    rows = [row(1000, 9000, name, 10.0) for name in ("fast", "clusters")]
    rows += [row(100_000, 900_000, name, 100.0, 90.0) for name in ("fast", "clusters")]
    rows += [row(1000, 9000, "two-stage", 1.0), row(100_000, 900_000, "two-stage", 30.0)]
    fast, clusters, two_stage = scale._ways(rows)
    assert (fast.growth, fast.chunks, fast.seconds, fast.at(200_000)) == (1.0, 100_000, 0.09, 0.18)
    assert two_stage.growth == pytest.approx(math.log(30) / math.log(100))
    assert two_stage.at(10_000_000) == pytest.approx(0.9)
    assert clusters.growth == scale.LEAST, "what is read grows so, whatever each question costs beside"
    assert clusters.at(10_000_000) == pytest.approx(0.9)


def test_rows_of_other_stages_are_passed_over():
    assert list(scale._ways([{"what": "a press of TAB", "one": None, "all": 84.0, "also": {}}])) == []
