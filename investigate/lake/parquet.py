"""Parquet files of the lake: written sorted, with statistics, durable before any commit names them."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from investigate.events import iso
from investigate.lake.private import opener

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from investigate.lake.storage import Stored

ROW_GROUP: Final = 32 * 1024
_COMPRESSION: Final = "zstd"
_STATISTICS: Final = ("time", "first", "source", "tenant", "actor", "resource", "src_ip")
_LONGEST_STATISTIC: Final = 256
_RAW: Final = "raw"
_UNIQUE: Final = (_RAW, "event_uid", "request_uid")
"""Hardly two rows have the same: a dictionary of them would cost time and save nothing."""
_DELTAS: Final = ("time", "first", "last", "span")
"""Numbers that are kept as the difference from the row before."""
_LENGTH: Final = 4
"""Bytes before each string of a column without a dictionary (Parquet, "Plain")."""


class Writer:
    """One file, row group by row group.

    Args:
        path: of the file; its folder exists.
        schema: of its rows, without the partition's column.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        named = [name for name in schema.names if name not in (*_UNIQUE, *_DELTAS)]
        deltas = {name: "DELTA_BINARY_PACKED" for name in schema.names if name in _DELTAS}
        self._schema = schema
        self._path = path
        self._out = open(path, "wb", opener=opener)  # noqa: SIM115 - open until `close`
        self._writer = pq.ParquetWriter(
            self._out, schema, compression=_COMPRESSION, use_dictionary=named, column_encoding=deltas
        )

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._out.tell()

    def write(self, rows: pa.Table) -> None:
        """Append rows, in the order they are to have."""
        self._writer.write_table(rows.select(self._schema.names), row_group_size=ROW_GROUP)

    def write_batch(self, rows: pa.RecordBatch) -> None:
        """Append rows, as row groups of their own."""
        self._writer.write_batch(rows, row_group_size=ROW_GROUP)

    def close(self) -> pq.FileMetaData:
        """Finish the file, and make it durable."""
        self._writer.close()
        self._out.flush()
        os.fsync(self._out.fileno())
        self._out.close()
        return pq.read_metadata(self._path)

    def abandon(self) -> None:
        """Let go of a file that nobody wants."""
        with suppress(OSError, pa.ArrowException):
            self._writer.close()
        self._out.close()


def write(path: Path, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> pq.FileMetaData:
    """Write one file and make it durable.

    Args:
        path: of the file; its folder exists.
        batches: rows in the order they are to have, without the partition's column.
        schema: of the batches.
    """
    writer = Writer(path, schema)
    try:
        for batch in batches:
            writer.write_batch(batch)
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
