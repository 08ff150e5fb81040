"""Parquet and Arrow files (Feather, IPC files and streams): each row is a record, by the rules of JSON Lines.

A table is read in small batches, and of its columns only those that can matter: a column of vectors beside the text is
never decoded. Memory does not grow with the file, but a batch of an Arrow file is as large as it was written. Every
batch is validated before its values are touched, because the offsets in a hostile file may point anywhere.

`pyarrow` is the extra `parquet`. It is imported only here, and only in the child that reads such a file.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from reatt.parsers.archives import check_ratio
from reatt.parsers.records.fields import TITLES, WHO
from reatt.parsers.records.rows import Row, Rows, records
from reatt.parsers.sandbox import Message
from reatt_store.errors import LibraryMissing, RecordFormat, TooBig

if TYPE_CHECKING:
    import pyarrow as pa

PARQUET, ARROW = b"PAR1", b"ARROW1"
INSTALL = 'pip install "reatt[parquet]"'
_EXAMPLE = 'a table has a column "text", or name the columns: --text-field NAME --id-field NAME'
_BATCH, _ROWS = 4 << 20, 128  # bytes and rows that are taken out of a table at a time
_BUFFER = 1 << 18  # bytes of a Parquet column that are read at a time
_IDS = ("_id", "id")
_READ = ("text", "title", *_IDS)  # whatever they hold
_FRACTION = re.compile(r"\.0+$")
_INDEX = re.compile(r"__index_level_\d+__")  # what pandas adds


def read_arrow(
    file: BinaryIO, name: str, longest: int, texts: Sequence[str] = (), id_field: str = ""
) -> Iterator[Message]:
    """Say how far the check is, then yield the records; RecordFormat, TooBig (`longest` bytes per row) come first.

    Raises LibraryMissing without pyarrow.
    """
    _require_pyarrow()
    with _damage(name):
        table = _Table(file)
        columns, left = _columns(table.schema(), texts, id_field)
    rows = Rows(name, lambda: _rows(table, columns, name, longest), "row", _EXAMPLE, left)
    yield from records(rows, texts, id_field)


def _require_pyarrow() -> None:
    try:
        import pyarrow  # noqa: F401
    except ModuleNotFoundError as error:
        raise LibraryMissing("Parquet and Arrow files need pyarrow, which is not installed", INSTALL) from error
    except ImportError as error:
        raise LibraryMissing(f"pyarrow cannot be loaded ({error})", INSTALL) from error


class _Table:
    """An open file, read as often as is needed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = os.fstat(file.fileno()).st_size
        self._is_parquet, self._is_file = self._begins(PARQUET), self._begins(ARROW)

    def _begins(self, magic: bytes) -> bool:
        self._file.seek(0)
        return self._file.read(len(magic)) == magic

    def schema(self) -> pa.Schema:
        return self._parquet().schema_arrow if self._is_parquet else self._ipc().schema

    def batches(self, columns: Sequence[int]) -> Iterator[pa.RecordBatch]:
        """Yield some of the columns, some rows at a time."""
        for batch in self._of_parquet(columns) if self._is_parquet else self._of_ipc(columns):
            batch.validate(full=True)
            for at in range(0, batch.num_rows, _ROWS):
                yield batch.slice(at, _ROWS)

    def _of_parquet(self, columns: Sequence[int]) -> Iterator[pa.RecordBatch]:
        parquet = self._parquet()
        names, meta = parquet.schema_arrow.names, parquet.metadata
        groups = [meta.row_group(number) for number in range(meta.num_row_groups)]
        widest = max((group.total_byte_size / max(group.num_rows, 1) for group in groups), default=1)
        rows = min(max(int(_BATCH / max(widest, 1)), 1), _ROWS)
        yield from parquet.iter_batches(rows, columns=[names[at] for at in columns], use_threads=False)

    def _of_ipc(self, columns: Sequence[int]) -> Iterator[pa.RecordBatch]:
        reader = self._ipc(columns)
        if not self._is_file:
            yield from reader
            return
        for number in range(reader.num_record_batches):
            yield reader.get_batch(number)

    def _parquet(self) -> Any:
        from pyarrow.parquet import ParquetFile

        self._file.seek(0)
        return ParquetFile(self._file, buffer_size=_BUFFER, pre_buffer=False, page_checksum_verification=True)

    def _ipc(self, columns: Sequence[int] = ()) -> Any:
        from pyarrow import ipc

        self._file.seek(0)
        options = ipc.IpcReadOptions(use_threads=False, included_fields=list(columns))
        return (ipc.open_file if self._is_file else ipc.open_stream)(self._file, options=options)


def _rows(table: _Table, columns: Sequence[int], name: str, longest: int) -> Iterator[Row]:
    """Yield the rows as objects. A value that is missing is no field, except that a text that is missing is empty."""
    number = total = 0
    with _damage(name):
        for batch in table.batches(columns):
            names = batch.schema.names
            has_text = "text" in names
            values = [_values(column, field.name) for column, field in zip(batch.columns, batch.schema, strict=True)]
            for row in zip(*values, strict=True):
                number += 1
                fields = {key: value for key, value in zip(names, row, strict=True) if value is not None}
                if has_text:
                    fields.setdefault("text", "")
                data = json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace")
                if len(data) > longest:
                    raise TooBig(f"{name}:{number}: the row is longer than {longest:,} bytes", "--max-file-size")
                total += len(data)
                check_ratio(total, table.size)
                yield Row(number, fields, data)


def _columns(schema: pa.Schema, texts: Sequence[str], id_field: str) -> tuple[list[int], str]:
    """Choose the columns to read, and say which ones are left out."""
    named = {field.name for field in schema if texts and _holds(field, texts)}
    if not named:
        data = [field.name for field in schema if _is_passed_over(field)]
        said = f"not read: {', '.join(map(_shown, data[:6]))}" if data else ""
        return [at for at, name in enumerate(schema.names) if name not in data], said
    own = {name for name in schema.names if id_field == name or id_field.startswith(name + ".")}
    wanted = {*named, *_IDS, *TITLES, *WHO, *own}
    return [at for at, name in enumerate(schema.names) if name in wanted], ""


def _is_passed_over(field: pa.Field) -> bool:
    return field.name not in _READ and (_INDEX.fullmatch(field.name) is not None or _is_data(field.type))


def _holds(field: pa.Field, texts: Sequence[str]) -> bool:
    """Return whether a column, or a field within it, has one of the names or paths."""
    return any(path in texts or path.rpartition(".")[2] in texts for path in _paths(field.name, field.type, texts))


def _paths(path: str, kind: pa.DataType, texts: Sequence[str]) -> Iterator[str]:
    import pyarrow.types as types

    yield path
    if types.is_map(kind):  # its keys are names
        yield from (f"{path}.{name.rpartition('.')[2]}" for name in texts)
    elif types.is_struct(kind):
        for inner in kind:
            yield from _paths(f"{path}.{inner.name}", inner.type, texts)
    elif _is_list(kind):
        yield from _paths(path, kind.value_type, texts)


def _is_list(kind: pa.DataType) -> bool:
    import pyarrow.types as types

    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    import pyarrow.types as types

    tests = (types.is_binary, types.is_large_binary, types.is_binary_view, types.is_fixed_size_binary)
    return any(test(kind) for test in tests)


def _is_data(kind: pa.DataType) -> bool:
    """Return whether a column holds what no reader reads: bytes, or lists of numbers such as vectors."""
    import pyarrow as pa

    if isinstance(kind, pa.BaseExtensionType):
        return _is_data(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return _is_data(kind.value_type)
    if _is_list(kind):
        return pa.types.is_primitive(kind.value_type) or _is_data(kind.value_type)
    if pa.types.is_struct(kind):
        return any(_is_data(inner.type) for inner in kind)
    return _is_bytes(kind)


def _values(column: pa.Array, name: str) -> list[Any]:
    """Return the values of a column as JSON has them: times and decimal numbers as text, in UTC."""
    import pyarrow as pa

    kind, types = column.type, pa.types
    if types.is_dictionary(kind):
        return _looked_up(column, name)
    if types.is_timestamp(kind) and kind.tz:
        return _moments(column.cast(pa.timestamp(kind.unit)), "Z")
    if types.is_temporal(kind) and not types.is_duration(kind):
        return _moments(column, "")
    if _is_bytes(kind):
        try:
            return _texts(column.cast(pa.binary()) if types.is_fixed_size_binary(kind) else column)
        except pa.ArrowInvalid as error:
            raise ValueError(f"the column {_shown(name)} holds bytes that are no text") from error
    values: list[Any] = column.to_pylist()
    if types.is_string(kind) or types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind):
        return values
    return [_plain(value, kind) for value in values]


def _looked_up(column: pa.DictionaryArray, name: str) -> list[Any]:
    """Return the values of a dictionary column; rows that refer to the same value share it, however large it is."""
    used = column.indices.unique().drop_null()
    values = dict(zip(used.to_pylist(), _values(column.dictionary.take(used), name), strict=True))
    return [values.get(at) for at in column.indices.to_pylist()]


def _texts(column: pa.Array) -> list[Any]:
    import pyarrow as pa

    values: list[Any] = column.cast(pa.string()).to_pylist()
    return values


def _moments(column: pa.Array, zone: str) -> list[Any]:
    """Write times without empty fractions; one that no calendar has is missing."""
    written = (None if value is None or value.startswith("<") else value for value in _texts(column))
    return [None if value is None else _FRACTION.sub("", value) + zone for value in written]


def _plain(value: Any, kind: pa.DataType | None = None) -> Any:
    """Make a value one of JSON; what is neither words nor numbers nor times is left out."""
    import pyarrow.types as types

    if kind is not None and types.is_map(kind) and value is not None:
        value = dict(value)
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return None if isinstance(value, bytes) else str(value)


def _shown(name: str) -> str:
    return name if len(name) < 60 else name[:59] + "…"


@contextmanager
def _damage(name: str) -> Iterator[None]:
    """Report whatever pyarrow says about a hostile file as its damage."""
    import pyarrow as pa

    try:
        yield
    except MemoryError:
        raise
    except (pa.ArrowException, OSError, ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        said = " ".join(str(error).split())[:200]
        raise RecordFormat(f"{name}: cannot be read as a table ({said})", _EXAMPLE) from error
