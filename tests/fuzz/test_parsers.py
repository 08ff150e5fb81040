"""No bytes make a parser of ours fail otherwise than by a DocumentError. A few here, many by `make fuzz-parsers`."""

import random

import pytest

from tests.formats.conftest import HOSTILE, SAMPLES
from tests.formats.test_mutations import broken
from tests.fuzz.parser_laws import KINDS, Fuzzed

COUNT = 12
LONGEST = 20_000


@pytest.mark.parametrize("kind", KINDS)
def test_no_bytes_make_a_parser_fail(kind):
    fuzzed = Fuzzed(kind, SAMPLES + HOSTILE)
    assert fuzzed.seeds
    for number in range(COUNT):
        pick = random.Random(number)
        fuzzed.check(broken(pick, pick.choice(fuzzed.seeds), fuzzed.seeds)[:LONGEST])
