"""Whatever the folder of a store holds: an exit code of the table, soon, in little memory, and nothing outside changes.

A few here, many by `make fuzz-stores COUNT=20000`.
"""

import os
import shutil

from tests.fuzz.calls import CALLS, KINDS
from tests.fuzz.damage import damaged
from tests.fuzz.laws import findings

COUNT = int(os.environ.get("STORES", "20"))


def test_no_store_makes_a_command_fail_otherwise_than_the_table_says(world, capsys):
    def damage(pick, where, stores):
        kind, store = pick.choice(KINDS), where / "work" / ".reatt"
        shutil.copytree(stores / kind, store)
        done = damaged(pick, store, where / "mine")
        return [[*call, "--store", str(store)] for call in CALLS], f"{kind} {done}"

    assert not findings(world, COUNT, damage, {".reatt", "page.html"}, capsys)
