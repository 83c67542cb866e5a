"""Rows that come about in order become files that are sorted, one partition each, with little held back."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from investigate.lake import parquet
from investigate.lake.copies import Copy
from investigate.lake.private import make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from investigate.lake.table import Table

_BACK: Final = 8 * 1024
"""So many rows are held back when others are written: those that come a little late find their place among them."""
_TAILS: Final = 3
"""The rows held back of so many partitions that no more come for are kept, those of others written."""
_RUN: Final = 64 * 1024
"""So many rows of a partition that come in no order make a file, less those held back."""
_OPEN: Final = 8
"""So many files are open at once."""
_LARGEST: Final = 128 * 2**20
"""Bytes, after which a file is closed."""
_TOGETHER: Final = 256
"""Rows that lie together, on average, where it costs less to point at them than to copy them."""


@dataclass(frozen=True)
class Made:
    """A finished file.

    Attributes:
        path: where it lies.
        partition: its value, None in a table without partitions.
        rows: how many.
        copy: of its rows, see `copies`; None where there is none.
    """

    path: Path
    partition: str | None
    rows: int
    copy: Path | None = None

    def footer(self) -> pq.FileMetaData:
        """Its footer, while it lies there; those of a thousand small files would take more memory than their rows."""
        return pq.read_metadata(self.path)


@dataclass
class _Growing:
    """An open file, and what the last row written to it is sorted by."""

    path: Path
    writer: parquet.Writer
    copy: Copy | None
    last: tuple[Any, ...]

    def close(self, partition: str | None) -> Made:
        if self.copy:
            self.copy.close()
        return Made(self.path, partition, self.writer.close().num_rows, self.copy.path if self.copy else None)

    def abandon(self) -> None:
        self.writer.abandon()
        if self.copy:
            with suppress(OSError):
                self.copy.close()


class Sorted:
    """Sorts rows into files.

    A file holds rows of one partition, sorted by the table's order. Rows that come in order, or nearly, make one file
    a partition; rows of any order make several.

    Args:
        folder: for the files; made when the first is.
        table: whose partitions and order they have.
        memory: what may be held of rows that wait, in bytes.
        copied: columns of which each file has a copy beside it; none: no copies.
    """

    def __init__(self, folder: Path, table: Table, memory: int, copied: Sequence[str] = ()) -> None:
        self._folder, self._table, self._memory, self._copied = folder, table, memory, copied
        self._waiting: dict[str | None, list[pa.Table]] = {}  # the one that waits longest for more comes first
        self._open: dict[str | None, _Growing] = {}
        self._disorderly: set[str | None] = set()
        self._tails: dict[str | None, None] = {}  # of which only rows held back wait
        self._made: list[Made] = []
        self._held = self._number = 0
        self._shared = 0  # bytes of rows that were cut into parts of many partitions, and go when all of these do

    def add(self, rows: pa.Table) -> None:
        """Take rows with the table's columns."""
        for partition, part in self._divided(rows):
            waiting = self._waiting.pop(partition, [])
            # Little is copied at once this way: of parts that are in order themselves, long runs stay where they are.
            ordered = _in_order(part, self._table.order)
            waiting.append(ordered)
            self._waiting[partition] = waiting
            self._held += ordered.nbytes
            self._tails.pop(partition, None)
            enough = _RUN if partition in self._disorderly else parquet.ROW_GROUP
            if sum(map(len, waiting)) >= enough + _BACK:
                self._write(partition, _BACK)
        while len(self._tails) > _TAILS:
            self._write(next(iter(self._tails)))
        if self._shared > self._memory:
            for partition in list(self._waiting):
                self._write(partition)
            self._shared = 0
        while self._held > self._memory:
            self._write(next(iter(self._waiting)))

    def finish(self) -> list[Made]:
        """All files, whole and durable."""
        for partition in list(self._waiting):
            self._write(partition)
        for partition in list(self._open):
            self._close(partition)
        return self._made

    def abandon(self) -> None:
        """Close what is open; whoever owns the folder clears it."""
        for growing in self._open.values():
            growing.abandon()
        self._open.clear()
        self._waiting.clear()

    def _divided(self, rows: pa.Table) -> Iterator[tuple[str | None, pa.Table]]:
        by = self._table.partition_by
        if by is None:
            yield None, rows
            return
        runs = sorted(rows[by].value_counts().to_pylist(), key=itemgetter("values"))
        if len(runs) > 1:
            rows = _in_order(rows, (by, *self._table.order))
        rest, start = rows.drop_columns([by]), 0
        shared = len(runs) > _OPEN
        self._shared += rest.nbytes if shared else 0
        for run in runs:
            part = rest.slice(start, run["counts"])
            start += run["counts"]
            # A slice keeps all in memory that it is cut from.
            yield str(run["values"]), part if shared or 2 * len(part) > len(rest) else _copied(part)

    def _write(self, partition: str | None, keep: int = 0) -> None:
        """Write what waits, but for the last rows, which stay."""
        waiting = self._waiting.pop(partition)
        self._tails.pop(partition, None)
        self._held -= sum(part.nbytes for part in waiting)
        rows = _in_order(pa.concat_tables(waiting).unify_dictionaries(), self._table.order)
        if keep:
            rest = _copied(rows.slice(len(rows) - keep))
            rows = rows.slice(0, len(rows) - keep)
            self._waiting[partition], self._tails[partition] = [rest], None
            self._held += rest.nbytes
        growing = self._file(partition, self._place(rows, 0), parquet.coded(rows.schema))
        growing.writer.write(rows)
        growing.last = self._place(rows, -1)
        if growing.writer.size > _LARGEST:
            self._close(partition)

    def _place(self, rows: pa.Table, at: int) -> tuple[Any, ...]:
        """What a row is sorted by."""
        return tuple(rows[name][at].as_py() for name in self._table.order)

    def _file(self, partition: str | None, first: tuple[Any, ...], coded: Sequence[str]) -> _Growing:
        """The open file of a partition, if rows from `first` on can follow what it holds, else a new one.

        Args:
            partition: its value.
            first: what the first row is sorted by.
            coded: columns that come as dictionaries.
        """
        growing = self._open.pop(partition, None)
        if growing is not None and first < growing.last:
            self._disorderly.add(partition)
            self._end(partition, growing)
            growing = None
        if growing is None:
            if len(self._open) >= _OPEN:
                self._close(next(iter(self._open)))
            make_folder(self._folder)
            path = self._folder / f"{self._number:06}.parquet"
            self._number += 1
            schema = self._table.file_schema
            copy = Copy(path.with_suffix(".arrow"), schema, self._copied) if self._copied else None
            writer = parquet.Writer(path, schema, coded, also=copy.write if copy else None)
            growing = _Growing(path, writer, copy, first)
        self._open[partition] = growing
        return growing

    def _close(self, partition: str | None) -> None:
        self._end(partition, self._open.pop(partition))

    def _end(self, partition: str | None, growing: _Growing) -> None:
        self._made.append(growing.close(partition))


def _copied(rows: pa.Table) -> pa.Table:
    """The same rows, of nothing larger."""
    return rows.take(pa.arange(0, len(rows)))


def _in_order(rows: pa.Table, order: Sequence[str]) -> pa.Table:
    """The rows, sorted where they are not already; what lies together in both orders is not copied."""
    lead = rows[order[0]].combine_chunks()
    if len(lead) < 2 or pc.all(pc.less(lead.slice(0, len(lead) - 1), lead.slice(1)), skip_nulls=False).as_py():  # noqa: PLR2004
        return rows
    places = pc.sort_indices(rows.select(order), [(name, "ascending") for name in order]).cast(pa.int64())
    jumps = pc.not_equal(pc.subtract(places.slice(1), places.slice(0, len(places) - 1)), 1)
    if len(places) < _TOGETHER * jumps.true_count:
        return rows.take(places)
    starts = [0, *(jump + 1 for jump in pc.indices_nonzero(jumps).to_pylist()), len(places)]
    return pa.concat_tables([rows.slice(places[at].as_py(), end - at) for at, end in pairwise(starts)])
