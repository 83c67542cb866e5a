"""Where an acquisition's events wait until all are there: sorted by day as they come, committed together or not at all.

What may be there twice is looked for once, at the end, in the columns that tell one row from another: until then every
row is taken for new, so that rows go from the reader to their file without a detour.
"""

from __future__ import annotations

import secrets
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from investigate.freed import give_back
from investigate.lake import parquet
from investigate.lake.duplicates import Search
from investigate.lake.sorting import Sorted
from investigate.lake.touches import OF_EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from deltalake.transaction import AddAction

    from investigate.lake.scratch import Scratch
    from investigate.lake.sorting import Made
    from investigate.lake.table import Snapshot, Table

_BUFFER: Final = 64 * 1024
"""Bytes of each column that are read of a file at once."""
_PORTION: Final = 4 * 1024
"""Rows of a file that are read at once: the reader needs several times the memory that they take."""
_WAITING: Final = 20
"""So large a part of the memory rows may take that wait to be sorted."""


class Staging:
    """An acquisition's events and rejects, on disk, in a folder of their own; a context manager.

    Args:
        scratch: the folder, named after the acquisition.
        events: the table the events are for.
        rejects: the table the rejects are for.
        memory: what may be held of them, in bytes.

    Attributes:
        events: how many events were put in.
        rejects: how many rejects.
    """

    def __init__(self, scratch: Scratch, events: Table, rejects: Table, memory: int) -> None:
        self.acquisition = scratch.folder.name
        key = ("source", "tenant", "event_uid")
        summed_up = [name for name in OF_EVENTS if name != events.partition_by]
        self.new_events = Pile(scratch, "events", events, key, memory, once=True, copied=summed_up)
        # A record of several events may be rejected several times.
        self.new_rejects = Pile(scratch, "rejects", rejects, ("evidence", "evidence_record"), memory, once=False)
        self.events = 0
        self.rejects = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.new_events.close()
        self.new_rejects.close()

    def add(self, events: pa.Table, rejects: pa.Table) -> None:
        """Put some events and some rejects in."""
        at = rejects.schema.get_field_index("acquisition")
        named = rejects.set_column(at, rejects.schema.field(at), pa.repeat(self.acquisition, rejects.num_rows))
        self.new_events.add(events)
        self.new_rejects.add(named)
        self.events += events.num_rows
        self.rejects += rejects.num_rows


@dataclass
class _Offered:
    """A file of the pile, and the action that would add it to the table once it lies there."""

    made: Made
    action: AddAction | None = None


class Pile:
    """The rows of an acquisition for one table, less those the table has already.

    Args:
        scratch: where files are made.
        name: of the folder for them.
        table: that they are for.
        key: the columns that, with the partition's, make a row the same as another.
        memory: what may be held of the rows, in bytes.
        once: whether the second of two equal rows of this pile is dropped too.
        copied: columns of which a copy is kept, see `copies`.

    Attributes:
        dropped: how many rows were found to be in the table, or twice in the pile.
    """

    def __init__(
        self,
        scratch: Scratch,
        name: str,
        table: Table,
        key: Sequence[str],
        memory: int,
        *,
        once: bool,
        copied: Sequence[str] = (),
    ) -> None:
        self._scratch, self._folder, self._table, self._once = scratch, scratch.folder / name, table, once
        self._search = Search(table, key, memory)
        self._sorted = Sorted(self._folder, table, memory // _WAITING, copied)
        self._looked_at: set[str] = set()
        self._offered: list[_Offered] | None = None
        self._evidence: dict[str, int] = {}
        self.dropped = 0

    def close(self) -> None:
        """Let go of what was not finished."""
        self._sorted.abandon()

    def add(self, rows: pa.Table) -> None:
        """Put rows in, in the order in which they were read."""
        if not rows.num_rows:
            return
        for name in pc.unique(rows["evidence"]).to_pylist():
            self._evidence.setdefault(name, len(self._evidence))
        self._sorted.add(rows)

    def files(self, snapshot: Snapshot) -> list[AddAction]:
        """The files that hold what a snapshot of the table does not have yet; written, but of no snapshot yet.

        Called again with a later snapshot, only its new files are looked at; where they hold nothing of this pile,
        what was written before is given again.
        """
        first = self._offered is None
        if self._offered is None:
            self._offered = [_Offered(made) for made in self._sorted.finish()]
        by = self._table.partition_by
        places = tuple({f"{by}={offered.made.partition}/" for offered in self._offered})
        unseen = [name for name in snapshot.names if name not in self._looked_at]
        near = [name for name in unseen if by is None or name.startswith(places)]
        if self._offered and (near or (first and self._once)):
            self._drop(near)
        self._looked_at.update(unseen)
        return [self._action(offered) for offered in self._offered]

    def copies(self) -> dict[str, Path]:
        """Of the files that were offered, as the table names them, the copies there are."""
        return {one.action.path: one.made.copy for one in self._offered or () if one.action and one.made.copy}

    def _drop(self, near: Sequence[str]) -> None:
        """Take out what is in some files of the table, and what is here twice."""
        assert self._offered is not None  # noqa: S101 - `files` has made them
        here = {self._path(offered): offered for offered in self._offered}
        with closing(self._scratch.engine()) as engine:
            made = {path: offered.made for path, offered in here.items()}
            found = self._search.run(engine, made, near, self._evidence, once=self._once)
        for path, rows in found.items():
            self.dropped += len(rows)
            old = here[path]
            new = self._without(path, old.made, rows)
            at = self._offered.index(old)
            self._offered[at : at + 1] = [_Offered(new)] if new else []
            if old.action is not None:
                # Nothing can commit it any more: another writer has the version it was offered as.
                self._table.storage.remove([old.action.path])
            for gone in (path, old.made.copy):
                if gone:
                    gone.unlink(missing_ok=True)

    def _without(self, path: Path, made: Made, rows: pa.Array) -> Made | None:
        """A file like one that was made, but for some rows; None where no row is left."""
        if len(rows) == made.rows:
            return None
        new = self._folder / f"{secrets.token_hex(8)}.parquet"
        metadata = parquet.write(new, _but(path, rows), self._table.file_schema)
        give_back()
        return type(made)(new, made.partition, metadata.num_rows)

    def _path(self, offered: _Offered) -> Path:
        """Where a file can be read now."""
        if offered.action is None:
            return offered.made.path
        return self._table.storage.fetch(offered.action.path, self._scratch.folder)

    def _action(self, offered: _Offered) -> AddAction:
        if offered.action is None:
            by, made = self._table.partition_by, offered.made
            folder = f"{by}={made.partition}/" if by else ""
            name = f"{folder}{self._scratch.folder.name}-{secrets.token_hex(4)}.parquet"
            partition: dict[str, Any] = {by: made.partition} if by else {}
            offered.action = self._scratch.publish(self._table, name, made.path, made.footer(), partition)
        return offered.action


def _but(path: Path, rows: pa.Array) -> Iterator[pa.Table]:
    """The rows of a file but for those with some numbers, a row group at a time, read in small portions."""
    at = 0
    waiting: list[pa.RecordBatch] = []
    with pq.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False) as file:  # else all of it is read ahead
        for batch in file.iter_batches(_PORTION, use_threads=False):
            gone = pc.is_in(pa.arange(at, at + batch.num_rows), value_set=rows)
            at += batch.num_rows
            waiting.append(batch.filter(pc.invert(gone)) if gone.true_count else batch)
            if sum(map(len, waiting)) + _PORTION > parquet.ROW_GROUP:
                yield pa.Table.from_batches(waiting)
                waiting = []
        if waiting:
            yield pa.Table.from_batches(waiting)
