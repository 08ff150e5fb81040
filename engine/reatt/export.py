"""Write passages and their keys to a Parquet file, for another engine to search: one row for each passage.

A row holds the n keys of width d of its passage as bytes, key after key: in 8 bits with one scale for each key
(`codes`, `scales`), or in float16 (`keys`). A passage's score for the queries q_i of weights w_i is
`sum_i w_i max_j <q_i, k_j>`; nothing is normalised. The schema's metadata says what made the keys. Memory does not grow
with the store.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from reatt.progress import OnProgress, Progress
from reatt_store.errors import UsageError
from reatt_store.library import Generation, Library, Segment
from reatt_store.opening import fresh
from reatt_store.records import StoredChunk
from reatt_store.selection import EVERYTHING, Selection

if TYPE_CHECKING:
    import pyarrow as pa

Form = Literal["int8", "float16"]
FORMAT = "reatt.keys/1"
_ROWS = 512  # passages of a row group


@dataclass(frozen=True)
class Exported:
    """What was written."""

    chunks: int
    keys: int
    width: int  # of a key
    bytes: int  # of the file
    changed: bool  # whether the store changed meanwhile, so that the file may lack passages


def export(
    library: Library,
    file: Path,
    form: Form = "int8",
    among: Selection = EVERYTHING,
    on_progress: OnProgress = lambda _: None,
) -> Exported:
    """Write the passages of the current generation to a new file, which then replaces what has its name.

    It is for its owner alone to read, and is removed if the export fails.

    Raises UsageError without pyarrow, and for a store that holds no keys.
    """
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError(f"export needs the library pyarrow ({error})", 'pip install "reatt[parquet]"') from error
    before, made = library.version(), library.generation()
    segments = library.segments(made.id) if made else []
    if made is None or not segments:
        raise UsageError("the store holds no keys", "reatt ingest PATH")
    width = segments[0].codes.shape[1]
    schema = _schema(form, _about(made, width))
    chunks = keys = 0
    with fresh(file.parent) as (unfinished, stream):
        with parquet.ParquetWriter(stream, schema, compression="zstd") as writer:
            for rows in _rows(library, made, segments, form, among):
                chunks, keys = chunks + len(rows), keys + sum(row["key_count"] for row in rows)
                writer.write_batch(_batch(rows, schema))
                on_progress(Progress("export", chunks, None))
        stream.flush()
        size = os.fstat(stream.fileno()).st_size
        unfinished.replace(file)
    return Exported(chunks, keys, width, size, library.version() != before)


def _about(made: Generation, width: int) -> dict[str, str]:
    said = {
        "format": FORMAT, "width": width, "method": made.method, "model": made.model_name,
        "model_sha256": made.model_sha256, "fingerprint": made.fingerprint,
    }  # fmt: skip
    return {"reatt": json.dumps(said)}


def _schema(form: Form, about: dict[str, str]) -> pa.Schema:
    import pyarrow as pa

    text, number = pa.string(), pa.int64()
    place = [
        ("chunk", text), ("doc", text), ("path", text), ("record", text), ("title", text), ("page", number),
        ("line", number), ("char_start", number), ("char_end", number), ("text", text), ("key_count", number),
    ]  # fmt: skip
    own = [("codes", pa.binary()), ("scales", pa.list_(pa.float32()))] if form == "int8" else [("keys", pa.binary())]
    return pa.schema([*place, *own], metadata=about)


def _batch(rows: Sequence[dict[str, Any]], schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    return pa.RecordBatch.from_pylist(list(rows), schema)


def _rows(
    library: Library, made: Generation, segments: Sequence[Segment], form: Form, among: Selection
) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows in the order of the segments, some at a time."""
    for segment in segments:
        for at in range(0, len(segment.digests), _ROWS):
            positions = range(at, min(at + _ROWS, len(segment.digests)))
            found = library.chunk_ids(made.id, [(segment.id, position) for position in positions], among)
            where = {id: position for position, ids in zip(positions, found, strict=True) for id in ids}
            rows = [_row(stored, segment, where[stored.id], form) for stored in library.chunks(list(where))]
            if rows:
                yield rows


def _row(stored: StoredChunk, segment: Segment, position: int, form: Form) -> dict[str, Any]:
    chunk, keys = stored.chunk, slice(*segment.offsets[position : position + 2].tolist())
    row = {
        "chunk": f"C-{stored.id}", "doc": f"D-{stored.document_id}", "path": stored.path,
        "record": stored.external_id, "title": chunk.title, "page": chunk.page, "line": chunk.line,
        "char_start": chunk.char_start, "char_end": chunk.char_end, "text": chunk.text,
        "key_count": keys.stop - keys.start,
    }  # fmt: skip
    if form == "float16":
        return {**row, "keys": segment.keys(keys).astype("<f2").tobytes()}
    return {**row, "codes": segment.codes[keys].tobytes(), "scales": segment.scales[keys].tolist()}
