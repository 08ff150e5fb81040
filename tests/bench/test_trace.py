"""The way of a question is short: what lies between the command and the first tensor, read from a run of it."""

import sys

from bench import trace

LONGEST = 9  # functions, the command's own and the one that makes the tensor among them


def test_a_question_passes_few_functions_before_it_is_a_tensor(reatt, library):
    seen = trace.Trace(set(), set(), [])
    sys.setprofile(seen)
    try:
        assert reatt("ask", "--cold", "--ok-empty", "When is tea?").code == 0
    finally:
        sys.setprofile(None)
    first, last = seen.chain[0], seen.chain[-1]
    assert (first, last) == ("reatt_cli/commands/ask.py:ask", "engine/reatt/model/stacks/halves.py:pad")
    assert len(seen.chain) <= LONGEST
    assert "engine/reatt/api.py:Store.ask" in seen.chain, "the command line is the library's user"
