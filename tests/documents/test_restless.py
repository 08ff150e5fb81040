"""Documents that change, shrink, go or become a pipe while they are read: a whole version is kept, or none."""

import json
import os
import random
import re
import threading
from contextlib import suppress

from reatt_store.library import Library

ROUNDS = int(os.environ.get("ROUNDS", "5"))
LINES = 3000


class Restless(threading.Thread):
    """Changes files all the time, in ways that leave each of them one version, or a beginning of one."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        self.folder, self.pick, self.version, self.over = folder, random.Random(0), 0, False
        self.ways = (
            self.replaced,
            self.replaced,
            self.shrunk,
            self.longer,
            self.piped,
            self.linked,
            self.gone,
            self.foldered,
        )
        for number in range(6):
            self.replaced(folder / f"{number}.{'jsonl' if number % 2 else 'md'}")

    def run(self):
        while not self.over:
            with suppress(OSError):
                self.pick.choice(self.ways)(self.pick.choice(sorted(self.folder.glob("?.*"))))

    def replaced(self, path):
        self.version += 1
        lines = (f"line {line} of version {self.version}" for line in range(LINES))
        if path.suffix == ".jsonl":
            lines = (json.dumps({"_id": str(number), "text": line}) for number, line in enumerate(lines) if number < 50)
        self._put(path, lambda new: new.write_text("\n".join(lines) + "\n"))

    def shrunk(self, path):
        if path.is_file() and not path.is_symlink():
            os.truncate(path, path.stat().st_size // 2)

    def longer(self, path):
        if path.is_file() and not path.is_symlink() and (first := path.read_text()[:200].splitlines()):
            with path.open("a") as file:
                file.write(first[0] + "\n")

    def piped(self, path):
        self._put(path, os.mkfifo)

    def linked(self, path):
        self._put(path, lambda new: new.symlink_to("/dev/zero"))

    def gone(self, path):
        if self.pick.random() < 0.2:
            path.unlink(missing_ok=True)
            self.replaced(path)

    def foldered(self, path):
        if not path.is_dir():
            path.unlink()
            path.mkdir()
        else:
            path.rmdir()
            self.replaced(path)

    def _put(self, path, make):
        new = path.with_name("new")
        new.unlink(missing_ok=True)
        make(new)
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        os.replace(new, path)


def test_what_changes_while_it_is_read_is_kept_whole_or_not_at_all(reatt, home, model, monkeypatch):
    monkeypatch.setenv("REATT_MODEL", str(model))
    folder = home / "work" / "restless"
    folder.mkdir()
    files, told, read = Restless(folder), set(), 0
    files.start()
    for _ in range(ROUNDS):
        done = reatt("ingest", "restless", "--store", "s", "--json", "--max-file-size", "1000000")
        told.add(done.code)
        with Library.open(home / "work" / "s") as library:
            texts = [chunk.chunk.text for chunk in library.every_chunk()]
        read += len(texts)
        assert all(len(set(re.findall(r"version (\d+)\b", text[: text.rfind("\n")]))) <= 1 for text in texts)
    files.over = True
    files.join()
    assert read
    assert told <= {0, 2, 3}  # 2: nothing could be read at all
    assert json.loads(reatt("check", "--store", "s", "--json").out)["damaged"] == []
    print(f"\n{ROUNDS} ingests while {files.version} versions were written; exit codes {sorted(told)}")
