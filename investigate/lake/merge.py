"""Sorted Parquet files as one sorted stream: as many rows of each in memory as fit, however large they are."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from investigate.errors import LakeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MOST_FILES: Final = 128
"""Are open at once; a process may have some 1,000."""
_FEWEST_ROWS: Final = 16
_AT_ONCE: Final = 5
"""Files that are no more than such a part of the memory, unpacked, are read at once: in a third of the time. The rest
is for the rows of a batch, which are there three times, and for what is written."""
_LEAST: Final = 24 * 2**20
"""So many bytes are read at once in any case: to hold many small files open takes as much."""
_BATCH: Final = 8
"""Of the memory, such a part may be a batch of theirs."""
_PART: Final = 32
"""Of the memory given, such a part may be taken by what is read ahead, and by a batch; measured, all of it is used."""
_BUFFER: Final = 16 * 1024
"""Bytes of each column that are read of a file at once."""


def merged(paths: Sequence[Path], order: Sequence[str], rows: int, memory: int) -> Iterator[pa.RecordBatch]:
    """All rows of some files, sorted.

    Args:
        paths: each sorted by `order`; `MOST_FILES` at most.
        order: columns, never null.
        rows: of a batch that is given, at most.
        memory: bytes that all of it may take, about.

    Raises:
        LakeError: a file is not sorted.
    """
    files = [pq.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False) for path in paths]
    try:
        sizes = [_size(file.metadata) for file in files]
        width = max(map(_width, (file.metadata for file in files))) or 1
        if sum(sizes) <= at_once(memory):
            yield from _at_once(files, order, max(1, min(rows, max(memory, _LEAST) // _BATCH // width)))
            return
        room = max(_FEWEST_ROWS, memory // _PART // width)
        share = max(_FEWEST_ROWS, room // len(files) // 2)
        sources = [_Source(file.iter_batches(share, use_threads=False), order) for file in files]
        ready = _ready(sources, [(name, "ascending") for name in order], share)
        yield from _even(ready, min(rows, room))
    finally:
        for file in files:
            file.close()


def at_once(memory: int) -> int:
    """Bytes of rows, unpacked, that are read at once where so much memory is given."""
    return max(_LEAST, memory // _AT_ONCE)


class _Source:
    """The rows of a file that were read and not given yet."""

    def __init__(self, batches: Iterator[pa.RecordBatch], order: Sequence[str]) -> None:
        self._batches, self._order = batches, order
        self.rows: pa.Table | None = None
        self.ended = False
        self.read()

    def read(self) -> None:
        """Read on; what is at hand stays."""
        batch = next(self._batches, None)
        if batch is None:
            self.ended = True
        else:
            table = pa.Table.from_batches([batch])
            self.rows = table if self.rows is None else pa.concat_tables([self.rows, table])

    @property
    def last(self) -> tuple[Any, ...]:
        """What the last row at hand is sorted by."""
        return self._place(-1)

    def before(self, bound: tuple[Any, ...] | None) -> pa.Table | None:
        """Take the rows that are sorted before a bound; all where it is None."""
        if self.rows is None:
            return None
        count = self.rows.num_rows
        if bound is not None:
            count = bisect_left(range(count), bound, key=self._place)
        taken, rest = self.rows.slice(0, count), self.rows.slice(count)
        self.rows = rest if rest.num_rows else None
        return taken if count else None

    def _place(self, at: int) -> tuple[Any, ...]:
        assert self.rows is not None  # noqa: S101 - asked only while there are any
        return tuple(self.rows[name][at].as_py() for name in self._order)


def _ready(sources: list[_Source], order: list[tuple[str, str]], share: int) -> Iterator[pa.Table]:
    """Sorted rows, in parts none of which holds a row that belongs before an earlier part.

    Of each file that goes on at least `share` rows are at hand, and not twice as many: the one that has shown least
    bounds what is ready.
    """
    while sources:
        # No file that goes on holds a row before the last it has shown; of those like that one it may hold more.
        going = [source for source in sources if not source.ended]
        bound = min((source.last for source in going), default=None)
        taken = [rows for source in sources if (rows := source.before(bound)) is not None]
        if taken:
            yield pa.concat_tables(taken).sort_by(order)
        for source in going:
            if source.rows is None or source.rows.num_rows < share or source.last == bound:
                source.read()
        sources = [source for source in sources if source.rows is not None]


def _even(tables: Iterator[pa.Table], rows: int) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of one size, but for the last."""
    held: list[pa.Table] = []
    count = 0
    for table in tables:
        held.append(table)
        count += table.num_rows
        while count >= rows:
            whole = pa.concat_tables(held)
            yield whole.slice(0, rows).combine_chunks().to_batches()[0]
            held, count = [whole.slice(rows)], count - rows
    if count:
        yield pa.concat_tables(held).combine_chunks().to_batches()[0]


def _at_once(files: Sequence[pq.ParquetFile], order: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
    """All rows of some files, sorted; only those of one batch are copied at a time."""
    by = [(name, "ascending") for name in order]
    tables = [file.read(use_threads=False) for file in files]
    ends = list(accumulate(table.num_rows for table in tables))
    places = pc.sort_indices(pa.concat_tables(table.select(order) for table in tables), by)
    for start in range(0, len(places), rows):
        wanted, parts = places.slice(start, rows), []
        for number, end in enumerate(ends):
            # Its rows are in order, so that they come out as they lie there.
            table = tables[number]
            mine = pc.and_(pc.less(wanted, end), pc.greater_equal(wanted, end - table.num_rows))
            parts.append(table.slice(0, mine.true_count))
            tables[number] = table.slice(mine.true_count)
        if sum(map(len, parts)) < len(wanted):
            raise LakeError(
                "The rows of a file are not in order.", "See whether the lake is sound: investigate lake info"
            )
        yield pa.concat_tables(parts).sort_by(by).combine_chunks().to_batches()[0]


def _width(metadata: pq.FileMetaData) -> int:
    """Bytes of a row where rows are longest: long ones may lie together."""
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    return max((group.total_byte_size // max(1, group.num_rows) for group in groups), default=0)


def _size(metadata: pq.FileMetaData) -> int:
    """Bytes of all rows, unpacked: most of it the records, of which the other columns are parts."""
    return sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
