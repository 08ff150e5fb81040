"""Whatever is handed to `reatt`, settings, questions, judgements or options: an exit code of the table, soon.

A few here, many by `make fuzz-edges COUNT=20000`.
"""

import os
import shutil

from tests.fuzz.edges import case
from tests.fuzz.laws import findings

COUNT = int(os.environ.get("EDGES", "100"))


def test_nothing_handed_to_a_command_makes_it_fail_otherwise_than_the_table_says(world, capsys):
    def hand(pick, where, stores):
        shutil.copytree(stores / "fresh", where / "work" / ".reatt")
        calls = case(pick, where / "work")
        return calls, str(calls)[:400]

    assert not findings(world, COUNT, hand, None, capsys)
