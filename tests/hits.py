"""Whether two searches found the same, although processors round the products of tables of other shapes otherwise."""

import pytest

NEAR = 1e-4  # of a score


def same(found, expected):
    """Assert that rows of hits are equal: their numbers nearly, their order but for ties; the first number ranks."""
    assert numbers(found) == [pytest.approx(row, rel=NEAR, abs=NEAR) for row in numbers(expected)]
    known = {whose(row): row for row in expected}
    for row in found:
        if whose(row) in known:
            assert numbers([row])[0] == pytest.approx(numbers([known[whose(row)]])[0], rel=NEAR, abs=NEAR)
        else:  # the last of the best may tie with one that is left out
            assert numbers([row])[0][0] == pytest.approx(numbers(expected)[-1][0], rel=NEAR, abs=NEAR)


def numbers(rows):
    """Take the numbers that are no whole ones out of each row."""
    return [[each for each in row if isinstance(each, float)] for row in rows]


def whose(row):
    """Say what a row is of: all but those numbers."""
    return repr([each for each in row if not isinstance(each, float)])
