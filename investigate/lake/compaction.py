"""Many small files become few: sorted as a writer sorts, in one commit that changes no row, while others go on."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from functools import partial
from math import ceil
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, Final

from deltalake.transaction import RemoveAction

from investigate.errors import LakeError
from investigate.freed import give_back
from investigate.lake import parquet
from investigate.lake.beside import beside_each_other
from investigate.lake.merge import MOST_FILES, at_once, merged
from investigate.lake.scratch import Scratch
from investigate.lake.table import Change

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa
    from deltalake.transaction import AddAction

    from investigate.lake.rollup import Told
    from investigate.lake.table import Snapshot, Table

TARGET: Final = 128 * 2**20
"""Bytes a file is meant to have."""
NAME: Final = "compaction-"
"""What the names of compactions begin with, where an acquisition's id would stand."""
_MANY: Final = 16
"""So many files of about one size are merged at a commit: each event is then rewritten a few times, however late."""
_LIGHT: Final = 64 * 2**20
"""Bytes: a commit merges no more at once, about a second's work."""
_READING: Final = 4
"""So large a part of the memory may be what open files hold of themselves."""
_OPEN: Final = 6 * 2**20
"""Bytes that an open file holds at most: a page and a dictionary of each column."""
_UNPACKED: Final = 10
"""Times its size: what the rows of a file take."""
_BESIDE: Final = 2
"""So many groups are merged at a time ..."""
_ROOM: Final = 128 * 2**20
"""... where each has so much memory: with less, few files would be merged at once, and each event several times."""
_COMMIT: Final = 2**30
"""Bytes after which a long compaction commits: what is done then is not lost if it is stopped."""


@dataclass(frozen=True)
class Compacted:
    """What a compaction did to a table.

    Attributes:
        version: the table's, after it.
        files_before: files of the newest snapshot before.
        files_after: and after it.
        bytes_before: their bytes before.
        bytes_after: and after it.
        rewritten: so many files were merged into others; they stay for old snapshots until a vacuum.
    """

    version: int
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int
    rewritten: int


@dataclass(frozen=True)
class Member:
    """A file of a group: its name below the table's root, its bytes and its rows."""

    name: str
    size: int
    rows: int


@dataclass(frozen=True)
class Group:
    """Files of one partition that are to be one, or few.

    Attributes:
        partition: its value, None in a table without partitions.
        members: the files.
    """

    partition: str | None
    members: tuple[Member, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the files."""
        return tuple(member.name for member in self.members)

    @property
    def size(self) -> int:
        """Bytes of all."""
        return sum(member.size for member in self.members)

    @property
    def rows(self) -> int:
        """Rows of all."""
        return sum(member.rows for member in self.members)

    def split(self, memory: int) -> Iterator[Group]:
        """The group in parts of files that can be open at once; what is merged from them may be merged again."""
        part: list[Member] = []
        for member in self.members:
            if len(part) > 1 and not self._fits([*part, member], memory):
                yield Group(self.partition, tuple(part))
                part = []
            part.append(member)
        if len(part) > 1:
            yield Group(self.partition, tuple(part))

    def _fits(self, part: Sequence[Member], memory: int) -> bool:
        """Whether files can be read at once, or are large enough to be open and read bit by bit."""
        unpacked = _UNPACKED * sum(member.size for member in part)
        held = sum(min(_UNPACKED * member.size, _OPEN) for member in part)
        if len(part) > MOST_FILES:
            return False
        return unpacked <= at_once(memory) or (held <= memory // _READING and 3 * held < 2 * unpacked)


def all_small(table: Table, target: int = TARGET) -> list[Group]:
    """The small files of each partition that has several."""
    small = [row for row in table.details() if row["size_bytes"] < target // 2]
    return [group for group in _groups(table, small, lambda _: 0) if len(group.names) > 1]


def too_many(table: Table) -> list[Group]:
    """Files of about one size, where a partition has many of them: what a commit merges.

    Sizes are told apart by powers of 16: a day that arrives in 1,000 pieces has at most some 15 files of each.
    """
    rows = [row for row in table.details() if row["size_bytes"] <= _LIGHT]
    found = _groups(table, rows, lambda row: int(row["size_bytes"]).bit_length() // 4)
    return [group for group in found if len(group.names) >= _MANY and group.size <= _LIGHT]


class Compactor:
    """Merges files of one table.

    Args:
        table: which.
        tables: all of the lake's, as its scratch folders know them.
        scratch: where a writer of a name works.
        memory: what it may use, in bytes.
        progress: called, in any thread, with the rows read so far and those to be read.
    """

    def __init__(
        self,
        table: Table,
        tables: Sequence[Table],
        scratch: Callable[[str], Path],
        memory: int,
        progress: Told = None,
    ) -> None:
        self._table, self._tables, self._scratch = table, tables, scratch
        self._beside = max(1, min(_BESIDE, memory // _ROOM))
        self._memory = memory // self._beside
        self._stopped = Event()
        self._progress, self._telling = progress, Lock()
        self._done = self._total = 0

    def run(self, groups: Sequence[Group], target: int = TARGET) -> int:
        """Make each group few files; how many files were merged.

        A reader keeps the snapshot it has. A writer that commits meanwhile loses nothing: a group is replaced only
        while all its files are those of the newest snapshot.

        Args:
            groups: from `all_small` or `too_many`.
            target: bytes a file is meant to have.

        Raises:
            LakeError: a file cannot be read or written; what was committed before stays.
        """
        count, batch, size = 0, [], 0
        parts = [part for group in groups for part in group.split(self._memory)]
        self._done, self._total = 0, sum(part.rows for part in parts)
        self._tell(0)
        for part in parts:
            batch.append(part)
            size += part.size
            if size >= _COMMIT:
                count += self._replace(batch, target)
                batch, size = [], 0
        return count + (self._replace(batch, target) if batch else 0)

    def _replace(self, groups: Sequence[Group], target: int) -> int:
        identity = f"{NAME}{secrets.token_hex(8)}"
        with Scratch(self._scratch(identity), self._memory, self._tables) as scratch:
            merges = [partial(self._merge, scratch, number, group, target) for number, group in enumerate(groups)]
            made = list(zip(groups, beside_each_other(merges, self._beside, self._stopped.set), strict=True))
            count = 0

            def change(snapshot: Snapshot) -> Change | None:
                nonlocal made, count
                there = set(snapshot.names)
                gone = [pair for pair in made if not there.issuperset(pair[0].names)]
                # Another compaction was faster; nothing can commit these any more, their version is another's.
                self._table.storage.remove(action.path for _, actions in gone for action in actions)
                made = [pair for pair in made if pair not in gone]
                count = sum(len(group.names) for group, _ in made)
                removed = [action for group, _ in made for action in self._removal(group)]
                added = [action for _, actions in made for action in actions]
                return Change(added, removed, {"stored": 0, "rewritten": count}) if made else None

            self._table.transact(identity, change)
            return count

    def _merge(self, scratch: Scratch, number: int, group: Group, target: int) -> list[AddAction]:
        table = self._table
        partition: dict[str, Any] = {table.partition_by: group.partition} if table.partition_by else {}
        folder = f"{table.partition_by}={group.partition}/" if table.partition_by else ""
        give_back()  # what the group before, or an import, left in small pieces
        longest = ceil(max(1, group.rows) / max(1, round(group.size / target)))
        paths = [self._fetched(name, scratch) for name in group.names]
        batches = merged(paths, table.order, min(longest, parquet.ROW_GROUP), self._memory)
        files = []
        for at, part in enumerate(_cut(self._while_wanted(batches), longest)):
            name = f"{folder}{scratch.folder.name}-{number:04}-{at:04}.parquet"
            files.append(scratch.put(table, name, part, partition, data_change=False))
        written = sum(parquet.rows_of(file) for file in files)
        if written != group.rows:
            raise LakeError(
                f"Compacting {group.partition or 'a table'} would have made {written:,} rows of {group.rows:,}.",
                "Nothing was changed. See whether the lake's files are sound: investigate lake info",
            )
        return files

    def _while_wanted(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Batches with the columns of the table's files, until the compaction is stopped."""
        schema = self._table.file_schema
        for batch in batches:
            self._go_on()
            self._tell(batch.num_rows)
            yield batch.select(schema.names).cast(schema)

    def _tell(self, rows: int) -> None:
        with self._telling:
            self._done += rows
            if self._progress:
                self._progress(self._done, self._total)

    def _fetched(self, name: str, scratch: Scratch) -> Path:
        self._go_on()
        return self._table.storage.fetch(name, scratch.folder)

    def _go_on(self) -> None:
        if self._stopped.is_set():
            raise LakeError("The compaction was stopped.", "Run it again: investigate lake compact")

    def _removal(self, group: Group) -> list[RemoveAction]:
        now = int(time.time() * 1000)
        by = self._table.partition_by
        partition: dict[str, str | None] = {by: group.partition} if by else {}
        return [
            RemoveAction(name, data_change=False, deletion_timestamp=now, partition_values=partition)
            for name in group.names
        ]


def _groups(table: Table, rows: Sequence[dict[str, Any]], kind: Callable[[dict[str, Any]], int]) -> list[Group]:
    """Files by their partition and by what `kind` says of each, in order."""
    column = f"partition.{table.partition_by}"
    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault((str(row.get(column, "")), kind(row)), []).append(row)
    return [
        Group(
            value if table.partition_by else None,
            tuple(Member(row["path"], row["size_bytes"], row["num_records"]) for row in members),
        )
        for (value, _), members in sorted(found.items())
    ]


def _cut(batches: Iterator[pa.RecordBatch], longest: int) -> Iterator[Iterator[pa.RecordBatch]]:
    """Batches in parts of so many rows; each part is to be used up before the next is asked for."""
    rest: pa.RecordBatch | None = next(batches, None)

    def part() -> Iterator[pa.RecordBatch]:
        nonlocal rest
        room = longest
        while rest is not None and room:
            first = rest.slice(0, room)
            room -= first.num_rows
            rest = rest.slice(first.num_rows) if first.num_rows < rest.num_rows else next(batches, None)
            yield first

    while rest is not None:
        yield part()
