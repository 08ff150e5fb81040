"""Whatever is published, replaced and removed, in any order: the store equals a dictionary, and its check is clean."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from reatt_store.library import Chunk, Document, Library
from reatt_store.vectors.segments import draft

NAMES = st.sampled_from(["a", "b", "c"])
TEXTS = st.lists(st.sampled_from(["red", "green", "blue", "black"]), max_size=4)


def chunks_of(texts: list[str]) -> list[Chunk]:
    return [Chunk(i, 0, len(text), 1, None, "", text) for i, text in enumerate(texts)]


def keys_of(digest: bytes, generation: int) -> np.ndarray:
    rng = np.random.default_rng([generation, *digest])
    keys = rng.integers(-127, 128, (1 + digest[0] % 3, 4)).astype(np.float32)
    keys[:, 0] = 127  # so that 8 bits are exact
    return keys


class StoreIsADictionary(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.library = Library.create(self.folder)
        self.texts: dict[str, list[str]] = {}
        self.generation = 0
        self.begin(0)

    def teardown(self):
        self.library.close()
        shutil.rmtree(self.folder)

    @rule(seed=st.integers(0, 2))
    def begin(self, seed):
        with self.library.writing() as writer:
            before, self.generation = self.generation, writer.begin_generation(f"print-{seed}", "mini", "aa")
            self.encode(writer, [found.chunk.digest for found in self.library.unencoded(self.generation)])
            writer.switch(self.generation)
            if before not in (0, self.generation):
                writer.drop_generation(before)

    @rule(name=NAMES, texts=TEXTS, early=st.integers(0, 2))
    def publish(self, name, texts, early):
        chunks = chunks_of(texts)
        with self.library.writing() as writer:
            self.encode(writer, [chunk.digest for chunk in chunks[:early]])
            document = Document(f"/{name}", None, "", "text", "", 1, 0)
            writer.publish([(document, chunks)], self.vectors([chunk.digest for chunk in chunks]), self.generation)
        self.texts[name] = texts

    @rule(name=NAMES)
    def remove(self, name):
        with self.library.writing() as writer:
            assert writer.forget_path(f"/{name}") == int(self.texts.pop(name, None) is not None)

    @rule()
    def compact(self):
        with self.library.writing() as writer:
            writer.compact()
        assert self.library.live(self.generation) is None

    def vectors(self, digests):
        lacking = sorted(self.library.missing(self.generation, digests))
        return draft(lacking, [keys_of(digest, self.generation) for digest in lacking]) if lacking else None

    def encode(self, writer, digests):
        writer.publish([], self.vectors(digests), self.generation)

    @invariant()
    def the_store_equals_the_dictionary(self):
        stored = {d.document.path[1:]: self.library.chunks_of(d.id) for d in self.library.documents()}
        assert {name: [c.chunk.text for c in chunks] for name, chunks in stored.items()} == self.texts

    @invariant()
    def living_vectors_are_those_of_the_texts(self):
        segments, live = self.library.segments(self.generation), self.library.live(self.generation)
        places = [(s.id, p) for s in segments for p in range(len(s.digests)) if live is None or live[s.id][p]]
        found = self.library.chunk_ids(self.generation, places)
        assert sorted(id for ids in found for id in ids) == sorted(c.id for c in self.library.every_chunk())
        by_id = {segment.id: segment for segment in segments}
        for (segment, position), ids in zip(places, found, strict=True):
            start, end = by_id[segment].offsets[position : position + 2]
            digest = self.library.chunk(ids[0]).chunk.digest
            np.testing.assert_array_equal(by_id[segment].keys(slice(start, end)), keys_of(digest, self.generation))

    @invariant()
    def the_check_is_clean(self):
        report = self.library.check()
        assert (report.damaged, report.orphans) == ((), 0)


StoreIsADictionary.TestCase.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)
TestStore = StoreIsADictionary.TestCase
