"""Parquet files of the lake: written sorted, with statistics, durable before any commit names them."""

from __future__ import annotations

import base64
import json
import os
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from investigate.events import iso
from investigate.lake.private import opener

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

    from investigate.lake.storage import Stored

ROW_GROUP: Final = 32 * 1024
_PAGE: Final = 4 * 1024
"""Rows after which a page may end: who reads one has all of its `raw` in memory."""
_COMPRESSION: Final = "zstd"
_STATISTICS: Final = ("time", "first", "source", "tenant", "actor", "resource", "src_ip")
_LONGEST_STATISTIC: Final = 256
_RAW: Final = "raw"
_UNIQUE: Final = (_RAW, "event_uid", "request_uid")
"""Hardly two rows have the same: a dictionary of them would cost time and save nothing."""
_DELTAS: Final = ("time", "first", "last", "span", "evidence_record")
"""Numbers that are kept as the difference from the row before."""
_RANGED: Final = (*_STATISTICS, "event_uid", "evidence_record")
"""Columns of which each row group tells its smallest and largest value: for others, which follow no order, it would
tell nothing, and to compare texts takes its time."""
_FEW: Final = 16
"""So many rows a value: a dictionary of no more values is written as it is, whether or not each of them is there."""
_CODED: Final = pa.dictionary(pa.int32(), pa.string())
"""A column of text with few values, while it is written: no value is looked at more often than there are others."""
_LENGTH: Final = 4
"""Bytes before each string of a column without a dictionary (Parquet, "Plain")."""


class Writer:
    """One file, row group by row group.

    Args:
        path: of the file; its folder exists.
        schema: of its rows, without the partition's column.
        coded: columns of text that mostly come as dictionaries, and are written as such.
        also: gets the rows of each row group, dictionaries with hardly a value that is not theirs.
    """

    def __init__(
        self,
        path: Path,
        schema: pa.Schema,
        coded: Collection[str] = (),
        also: Callable[[pa.Table], None] | None = None,
    ) -> None:
        self._schema, self._also = schema, also
        self._path = path
        self._written = pa.schema(field.with_type(_CODED) if field.name in coded else field for field in schema)
        self._out = open(path, "wb", opener=opener)  # noqa: SIM115 - open until `close`
        self._writer = pq.ParquetWriter(
            self._out,
            self._written,
            compression=_COMPRESSION,
            use_dictionary=[leaf(field) for field in schema if field.name not in (*_UNIQUE, *_DELTAS)],
            column_encoding={name: "DELTA_BINARY_PACKED" for name in schema.names if name in _DELTAS},
            write_statistics=[name for name in schema.names if name in _RANGED],
            write_batch_size=_PAGE,
            store_schema=False,
        )
        # Whoever reads it with Arrow gets the schema's types and what it says of each column, not dictionaries.
        self._writer.add_key_value_metadata({"ARROW:schema": base64.b64encode(schema.serialize()).decode()})

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._out.tell()

    def write(self, rows: pa.Table) -> None:
        """Append rows, in the order they are to have."""
        rows = rows.select(self._schema.names)
        for start in range(0, len(rows), ROW_GROUP):
            part = rows.slice(start, ROW_GROUP)
            columns = [
                _coded(column) if kind == _CODED else column.cast(kind)
                for column, kind in zip(part.columns, self._written.types, strict=True)
            ]
            group = pa.table(columns, schema=self._written)
            self._writer.write_table(group)
            if self._also:
                self._also(group)

    def close(self) -> pq.FileMetaData:
        """Finish the file, and make it durable."""
        self._writer.close()
        self._out.flush()
        os.fsync(self._out.fileno())
        self._out.close()
        return pq.read_metadata(self._path)

    def abandon(self) -> None:
        """Let go of a file that nobody wants."""
        for one in (self._writer, self._out):
            with suppress(OSError, pa.ArrowException):
                one.close()


def coded(schema: pa.Schema) -> list[str]:
    """The columns that are dictionaries of texts."""
    return [field.name for field in schema if pa.types.is_dictionary(field.type)]


def leaf(field: pa.Field) -> str:
    """The name under which Parquet has a column's values."""
    return f"{field.name}.list.{field.type.value_field.name}" if pa.types.is_list(field.type) else field.name


def _coded(column: pa.ChunkedArray) -> pa.DictionaryArray | pa.ChunkedArray:
    """A column of text as a dictionary, with hardly a value that is not its own: all that is in it goes into the file.

    Raises:
        pa.ArrowInvalid: its dictionary has a value twice, which Parquet would mistake for another.
    """
    if not pa.types.is_dictionary(column.type):
        return column.dictionary_encode()
    whole = column.unify_dictionaries().combine_chunks()
    values = whole.dictionary
    if _FEW * len(values) > len(whole):
        codes = whole.indices.dictionary_encode()
        values = values.take(codes.dictionary)
        whole = pa.DictionaryArray.from_arrays(codes.indices, values)
    if len(pc.unique(values)) < len(values):
        raise pa.ArrowInvalid("a dictionary has a value twice")
    return whole


def write(path: Path, batches: Iterable[pa.RecordBatch | pa.Table], schema: pa.Schema) -> pq.FileMetaData:
    """Write one file and make it durable.

    Args:
        path: of the file; its folder exists.
        batches: rows in the order they are to have, without the partition's column; each in row groups of its own.
        schema: of the batches.
    """
    rest = (rows if isinstance(rows, pa.Table) else pa.Table.from_batches([rows]) for rows in batches)
    first = next(rest, None)
    writer = Writer(path, schema, coded(first.schema) if first is not None else ())
    try:
        if first is not None:
            writer.write(first)
        del first  # else it is in memory for as long as the file is written
        for rows in rest:
            writer.write(rows)
        return writer.close()
    except BaseException:
        writer.abandon()
        raise


def add_action(
    stored: Stored, metadata: pq.FileMetaData, partition: dict[str, str], *, data_change: bool = True
) -> AddAction:
    """The action that adds a file to its Delta table, with statistics.

    Args:
        stored: where it lies.
        metadata: its footer.
        partition: partition column to value.
        data_change: False where its rows were in the table before, in other files.
    """
    return AddAction(
        path=stored.name,
        size=stored.size,
        partition_values=partition,
        modification_time=stored.modified,
        data_change=data_change,
        stats=json.dumps(_statistics(metadata)),
    )


def rows_of(action: AddAction) -> int:
    """How many rows the file of an action has."""
    return int(json.loads(action.stats)["numRecords"])


def raw_bytes(metadata: pq.FileMetaData) -> int:
    """Bytes of the vendors' records in a file, told from its footer: exact but for the headers of pages."""
    columns = {metadata.schema.column(at).name: at for at in range(metadata.num_columns)}
    groups = [metadata.row_group(number).column(columns[_RAW]) for number in range(metadata.num_row_groups)]
    return sum(int(group.total_uncompressed_size) - _LENGTH * int(group.num_values) for group in groups)


def _statistics(metadata: pq.FileMetaData) -> dict[str, Any]:
    """What Delta keeps of a file so that readers can pass it over: count, smallest and largest values."""
    smallest: dict[str, Any] = {}
    largest: dict[str, Any] = {}
    wanted = {metadata.schema.column(at).name: at for at in range(metadata.num_columns)}
    for name in _STATISTICS:
        if name not in wanted:
            continue
        groups = [
            metadata.row_group(number).column(wanted[name]).statistics for number in range(metadata.num_row_groups)
        ]
        if not groups or any(group is None or not group.has_min_max for group in groups):
            continue
        low, high = min(group.min for group in groups), max(group.max for group in groups)
        if isinstance(low, str) and max(len(low), len(high)) > _LONGEST_STATISTIC:
            continue
        smallest[name], largest[name] = _plain(low), _plain(high)
    return {"numRecords": metadata.num_rows, "minValues": smallest, "maxValues": largest, "nullCount": {}}


def _plain(value: Any) -> Any:
    return iso(value) if isinstance(value, datetime) else value
