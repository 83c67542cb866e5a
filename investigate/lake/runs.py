"""The runs of one order of `touches`, and which of their files a look-up must open."""

from __future__ import annotations

import time
from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from investigate.lake.touches import BY_RESOURCE

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import date

    from deltalake.transaction import RemoveAction

    from investigate.events import Window
    from investigate.lake.table import Snapshot, Table
    from investigate.lake.touches import Order

_LINGER: Final = timedelta(minutes=15)
"""So long what was merged away stays for whoever is reading it; who comes later reads the events themselves."""


@dataclass(frozen=True)
class Run:
    """Files that are sorted as one.

    Attributes:
        name: of the folder they lie in.
        rows: how many.
        first: the earliest day.
        last: the latest.
    """

    name: str
    rows: int
    first: date
    last: date


@dataclass(frozen=True)
class _File:
    """A file, and what its statistics say; None where they say nothing.

    Attributes:
        name: below the table's root.
        size: bytes.
        rows: how many.
        low: the smallest value of the order's leading column.
        high: the greatest.
        first: when the earliest touch began.
        last: when the latest began.
    """

    name: str
    size: int
    rows: int
    low: str | None
    high: str | None
    first: datetime
    last: datetime

    @property
    def run(self) -> str:
        return self.name.partition("/")[0]

    def may_hold(self, values: Sequence[str]) -> bool:
        """Whether one of some sorted values may be in it."""
        if self.low is None or self.high is None:
            return True
        at = bisect_left(values, self.low)
        return at < len(values) and values[at] <= self.high


class Runs:
    """One order's table, as runs.

    Args:
        order: whose.
        table: where they lie.
    """

    def __init__(self, order: Order, table: Table) -> None:
        self.order, self.table = order, table
        self._known: tuple[int, int | None, tuple[_File, ...]] = (-1, None, ())

    @property
    def events_version(self) -> int | None:
        """The version of the events that is summed up here; None where none is."""
        return self._look()[1]

    @property
    def bytes(self) -> int:
        """What its files take on disk."""
        return sum(file.size for file in self._look()[2])

    def runs(self) -> list[Run]:
        """All there are, the earliest first."""
        found: dict[str, list[_File]] = {}
        for file in self._look()[2]:
            found.setdefault(file.run, []).append(file)
        runs = [
            Run(
                name,
                sum(file.rows for file in files),
                min(file.first for file in files).date(),
                max(file.last for file in files).date(),
            )
            for name, files in found.items()
        ]
        return sorted(runs, key=lambda run: (run.first, run.name))

    def files_of(self, runs: Collection[str]) -> list[str]:
        """The files of some runs, below the table's root."""
        return [file.name for file in self._look()[2] if file.run in runs]

    def files(
        self, values: Sequence[str] | None = None, window: Window | None = None, version: int | None = None
    ) -> list[str] | None:
        """The files a look-up must open, as engines take them; None where they sum up another version of the events.

        Args:
            values: of the leading column; None is all.
            window: in which the touches lie, by whole days; None is all of time.
            version: of the events; None is any.
        """
        _, summed, files = self._look()
        if version is not None and summed != version:
            return None
        wanted = None if values is None else sorted(values)
        return [
            self.table.storage.locate(file.name)
            for file in files
            if (wanted is None or file.may_hold(wanted))
            and (window is None or (file.first < window.end and midnight(window.start) <= file.last))
        ]

    def removal(self, snapshot: Snapshot, keep: Collection[str]) -> list[RemoveAction]:
        """What takes all runs of a snapshot but some out of the table."""
        from deltalake.transaction import RemoveAction  # noqa: PLC0415 - a reader needs it not

        now = int(time.time() * 1000)
        return [
            RemoveAction(name, data_change=True, deletion_timestamp=now)
            for name in snapshot.names
            if name.partition("/")[0] not in keep
        ]

    def sweep(self) -> None:
        """Remove the files of runs that are no longer in the table, once nobody can be reading them."""
        there = {file.name for file in self._look()[2]}
        limit = (datetime.now(UTC) - _LINGER).timestamp() * 1000
        old = [one.name for one in self.table.storage.listed() if one.modified < limit]
        self.table.storage.remove(name for name in old if name.endswith(".parquet") and name not in there)

    def _look(self) -> tuple[int, int | None, tuple[_File, ...]]:
        """The table's version, that of the events it sums up, and its files; read again only where it has changed."""
        known, found = self._known, self.table.open()
        while found is not None and (version := found.version()) != known[0]:
            noted = self.table.noted(version)
            known = (version, noted[1].get("events_version") if noted else None, _files(self.table, self.order.lead))
            found = self.table.open()  # another thread may have brought it up to date, in place, between the reads
        if found is None:
            return (-1, None, ())
        self._known = known
        return known


def summed_up(orders: Mapping[str, Runs], version: int) -> bool:
    """Whether `touches` sums up the events of this version, and so do the other orders that are kept."""
    kept = (runs for runs in orders.values() if runs.order is BY_RESOURCE or runs.events_version is not None)
    return all(runs.events_version == version for runs in kept)


def _files(table: Table, lead: str) -> tuple[_File, ...]:
    return tuple(
        _File(
            row["path"],
            row["size_bytes"],
            row["num_records"],
            row.get(f"min.{lead}"),
            row.get(f"max.{lead}"),
            row["min.first"],
            row["max.first"],
        )
        for row in table.details()
    )


def midnight(moment: datetime) -> datetime:
    """When the UTC day of a moment began."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)
