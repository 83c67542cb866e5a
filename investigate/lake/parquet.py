"""Parquet files of the lake: written sorted, with statistics, durable before any commit names them."""

from __future__ import annotations

import json
import os
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from investigate.events import iso
from investigate.lake.private import make_folder, opener

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pyarrow as pa

ROW_GROUP: Final = 64 * 1024
_COMPRESSION: Final = "zstd"
_STATISTICS: Final = ("time", "source", "tenant", "actor", "src_ip")
_LONGEST_STATISTIC: Final = 256


def write(
    root: Path, name: str, batches: Iterable[pa.RecordBatch], schema: pa.Schema, partition: dict[str, str]
) -> AddAction:
    """Write one file below `root` and make it durable.

    Args:
        root: the table's folder.
        name: the file's path below it, with `/`.
        batches: rows in the order they are to have, without the partition's column.
        schema: of the batches.
        partition: partition column to value.

    Returns:
        The action that adds the file to the Delta table, with statistics.
    """
    path = root / name
    make_folder(path.parent)
    with open(path, "wb", opener=opener) as out:
        with pq.ParquetWriter(out, schema, compression=_COMPRESSION, write_statistics=True) as writer:
            for batch in batches:
                writer.write_batch(batch, row_group_size=ROW_GROUP)
        out.flush()
        os.fsync(out.fileno())
    state = path.stat()
    return AddAction(
        path=name,
        size=state.st_size,
        partition_values=partition,
        modification_time=int(state.st_mtime * 1000),
        data_change=True,
        stats=json.dumps(_statistics(pq.read_metadata(path))),
    )


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
