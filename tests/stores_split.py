"""One store cut into several that hold its documents, with the very keys that it has."""

from contextlib import closing
from itertools import pairwise

import numpy as np

from reatt_store.library import Library
from reatt_store.vectors.segments import Draft, Memory


def split(store, root, parts, at_a_time=64):
    """Cut a store into so many, in the order of its documents; return their folders."""
    with Library.open(store) as whole:
        documents = list(whole.documents())
        cuts = [round(part * len(documents) / parts) for part in range(parts + 1)]
        folders = [root / f"part{part}" for part in range(parts)]
        for folder, (start, end) in zip(folders, pairwise(cuts), strict=True):
            _copy(whole, documents[start:end], folder, at_a_time)
    return folders


def _copy(whole, documents, folder, at_a_time):
    made = whole.generation()
    segments = {segment.id: segment for segment in whole.segments(made.id)}
    with closing(Library.create(folder)) as library, library.writing() as writer:
        own = writer.begin_generation(made.fingerprint, made.model_name, made.model_sha256, made.method)
        for at in range(0, len(documents), at_a_time):
            some = [(stored, whole.chunks_of(stored.id)) for stored in documents[at : at + at_a_time]]
            fresh = {stored.chunk.digest: stored.id for _, chunks in some for stored in chunks}
            lacking = library.missing(own, fresh)
            places = whole.places(made.id, [id for digest, id in fresh.items() if digest in lacking])
            rows = [(stored.document, [chunk.chunk for chunk in chunks]) for stored, chunks in some]
            writer.publish(rows, _draft([(segments[id], place) for id, place in places.values()]), own)
        writer.switch(own)
        writer.keep_clusters(own)


def _draft(places):
    """Take the vectors of some chunks as they lie in their segments."""
    if not places:
        return None
    digests = [segment.digests[place].tobytes() for segment, place in places]
    cut = [(segment, slice(*segment.offsets[place : place + 2])) for segment, place in places]
    codes, scales = ([getattr(of, name)[rows] for of, rows in cut] for name in ("codes", "scales"))
    half = None if cut[0][0].half is None else np.concatenate([of.half[rows] for of, rows in cut])
    memory = None
    if places[0][0].memory:
        kept = [(segment.memory, slice(*segment.memory.offsets[place : place + 2])) for segment, place in places]
        states, sizes = ([getattr(of, name)[rows] for of, rows in kept] for name in ("codes", "scales"))
        memory = Memory(_offsets(states), np.concatenate(states), np.concatenate(sizes))
    return Draft(digests, _offsets(codes), *map(np.concatenate, (codes, scales)), half, memory)


def _offsets(parts):
    return np.cumsum([0, *map(len, parts)]).astype(np.int64)
