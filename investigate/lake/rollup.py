"""Keeps `touches` in step with the events: one commit later, from what was committed, so that a crash heals itself.

The tables of its orders hold runs: files sorted as one, told apart by the folder they lie in, which have one name in
every order. An acquisition adds a run; small runs are merged into it, so that a look-up opens few files however many
acquisitions there were. While there are few rows only `touches` itself is kept.
"""

from __future__ import annotations

import itertools
import secrets
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import duckdb
import pyarrow as pa

from investigate.errors import LakeError, first_line
from investigate.freed import give_back
from investigate.lake import portions
from investigate.lake.codes import Files, as_codes, numbered
from investigate.lake.ordered import in_orders
from investigate.lake.runs import summed_up
from investigate.lake.scratch import Scratch, short_of_memory
from investigate.lake.table import Change
from investigate.lake.touches import BY_RESOURCE, COLUMNS, OF_EVENTS, ORDERS, of_events, summed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from deltalake.transaction import AddAction

    from investigate.lake.runs import Run, Runs
    from investigate.lake.table import Snapshot, Table
    from investigate.lake.touches import Order

    Told = Callable[[int, int], None] | None

_TRIES: Final = 3
_LOOKED_THROUGH: Final = 2_000_000
"""Rows of `touches` that are looked through in a twentieth of a second where they lie on a disk of this machine: other
orders are kept of more, and of any number elsewhere."""
_ROWS: Final = "rows.duckdb"
_WITHIN: Final = 12_000
"""So many rows for each MiB of memory are summed up within three quarters of it; more are held in a file, with half of
it: that much is left over by an acquisition that had more to do."""
_OF_VALUES: Final = 3
"""Of the memory of an engine, this part again may hold the values of columns."""
NAME: Final = "touches-"
"""What the name of a writer of ours begins with."""
_FAILED: Final = (duckdb.Error, pa.ArrowException, OSError)


class _Overtaken(Exception):
    """Another writer has committed to an order since the work was planned."""


class _Grown(Exception):
    """There have come to be so many rows that the other orders are to be kept, too."""


@dataclass(frozen=True)
class _Plan:
    """What is summed up, and what is already.

    Attributes:
        identity: of the commits.
        version: of the events.
        most: rows a run may have.
        parts: files of the events, of which each part becomes a run.
        runs: those that stay, or are taken up.
        orders: that are kept.
        anew: whether all is summed up, whatever runs there are.
        grown: whether orders are kept that were not: one run takes up all there are then.
        seen: the version of each order's table.
        copies: of some files of the events, see `copies`.
    """

    identity: str
    version: int
    most: int
    parts: Sequence[Sequence[str]]
    runs: Sequence[Run]
    orders: Sequence[Order]
    anew: bool
    grown: bool
    seen: Mapping[str, int]
    copies: Mapping[str, Path]


class Rollup:
    """The roll-up of one lake's events.

    Args:
        events: the table it sums up.
        orders: the runs of each of `ORDERS`, by name.
        tables: all of the lake's, as its scratch folders know them.
        scratch: where a writer of a name works.
        memory: what its engine may use, in bytes.
    """

    def __init__(
        self,
        events: Table,
        orders: Mapping[str, Runs],
        tables: Sequence[Table],
        scratch: Callable[[str], Path],
        memory: int,
    ) -> None:
        self._events, self._tables, self._scratch, self._memory = events, tables, scratch, memory
        self.orders = orders

    def catch_up(self, copies: Mapping[str, Path] = MappingProxyType({}), progress: Told = None) -> int:
        """Sum up what was committed to the events since the last time; how many events that were.

        Args:
            copies: of some of the files that were committed, see `copies`.
            progress: as in `rebuild`.

        Raises:
            LakeError: it cannot be written; the events are not touched.
        """
        for _ in range(_TRIES):
            snapshot = self._events.snapshot()
            if snapshot.version < 0 or summed_up(self.orders, snapshot.version):
                return 0
            try:
                return self._sum(self._plan(snapshot, copies), progress)
            except _Overtaken:
                continue
        return 0  # others are at it; whoever reads meanwhile reads the events themselves

    def rebuild(self, progress: Told = None) -> int:
        """Make it all anew from the events; how many events that were.

        Args:
            progress: called with the events summed up so far and those there are, first with none.

        Raises:
            LakeError: it cannot be written, or other writers are at it.
        """
        for _ in range(_TRIES):
            snapshot = self._events.snapshot()
            if snapshot.version < 0:
                return 0
            with suppress(_Overtaken):  # an acquisition or a compaction was done meanwhile
                return self._sum(self._plan(snapshot, anew=True), progress)
        raise LakeError("Other processes are summing the events up.", "Try again when they are done.")

    def _kept(self) -> Sequence[Order]:
        """The orders that are kept; once the others are they stay, however few rows there come to be."""
        others = (self.orders[order.name] for order in ORDERS if order is not BY_RESOURCE)
        return ORDERS if any(own.events_version is not None for own in others) else (BY_RESOURCE,)

    def _fresh(self, snapshot: Snapshot) -> Sequence[str] | None:
        """The files of the events that are not summed up yet; None where that cannot be told: all of them."""
        mark = self.orders[BY_RESOURCE.name].events_version
        if mark is None or mark > snapshot.version:
            return None
        try:
            before = set(self._events.snapshot(mark).names)
        except LakeError:
            return None  # vacuumed meanwhile
        if before <= set(snapshot.names):
            return [name for name in snapshot.names if name not in before]
        return None if self._events.stored_since(mark) else []  # compacted meanwhile

    def _plan(
        self,
        snapshot: Snapshot,
        copies: Mapping[str, Path] = MappingProxyType({}),
        *,
        anew: bool = False,
        grown: bool = False,
    ) -> _Plan:
        """What is to be summed up of a snapshot of the events; see `_Plan`."""
        orders = ORDERS if grown or not self._events.storage.local_folders else self._kept()
        seen = {name: own.table.snapshot().version for name, own in self.orders.items()}
        identity = f"{NAME}{snapshot.version}-{seen[BY_RESOURCE.name] + 1}"
        runs = self.orders[BY_RESOURCE.name].runs()
        fresh = None if anew else self._fresh(snapshot)
        anew = fresh is None or not (grown or self._have(orders, runs, identity))
        if fresh is None or anew:
            fresh, runs, identity = snapshot.names, [], f"{identity}-anew"
        elif grown:
            identity = f"{identity}-grown"
        counts = self._events.counts()
        most = portions.most(sum(counts.values()))
        parts = portions.parts(sorted(fresh), counts, most)
        return _Plan(identity, snapshot.version, most, parts, runs, orders, anew, grown, seen, copies)

    def _have(self, orders: Sequence[Order], runs: Sequence[Run], identity: str) -> bool:
        """Whether some orders have those runs, or what the plan of that identity makes of them.

        Else a process was killed between its commits to two of them, and others have committed events since.
        """
        names = {run.name for run in runs}
        return all(
            names <= {run.name for run in own.runs()} or own.table.committed_at(identity) is not None
            for own in (self.orders[order.name] for order in orders)
        )

    def _sum(self, plan: _Plan, progress: Told) -> int:
        with suppress(_Grown):
            return self._tried(plan, progress)
        snapshot = self._events.snapshot(plan.version)
        return self._tried(self._plan(snapshot, plan.copies, anew=plan.anew, grown=True), progress)

    def _tried(self, plan: _Plan, progress: Told) -> int:
        try:
            try:
                return self._written(plan, progress)
            except _FAILED as error:  # seldom: what does not fit is spilled
                if not short_of_memory(error):
                    raise
            return self._written(plan, progress, ample=True)
        except _FAILED as error:
            raise LakeError(
                f"The events could not be summed up: {first_line(error)}",
                "Free some space if the disk is full, see whether a file is damaged (investigate lake info), "
                "then: investigate lake rebuild-touches",
            ) from error

    def _written(self, plan: _Plan, progress: Told, *, ample: bool = False) -> int:
        """Write the runs of a plan, and commit them to every order that is kept, `touches` last.

        Args:
            plan: which.
            progress: as in `rebuild`.
            ample: whether all rows are held in files, and all memory is used to sum them up.
        """
        orders, there = plan.orders, 0
        counts = self._events.counts()
        sizes = [sum(counts.get(name, 0) for name in part) for part in plan.parts]
        added: dict[str, list[AddAction]] = {order.name: [] for order in ORDERS}
        stay = {run.name: run for run in plan.runs}
        token = secrets.token_hex(4)  # an earlier process may have written the same plan, and come as far as a commit

        def told(parts: int) -> None:
            if progress:
                progress(sum(sizes[:parts]), sum(sizes))

        told(0)
        give_back()  # what the acquisition, or a part before, left in holes is as much as an engine may use
        with Scratch(self._scratch(plan.identity), self._memory, self._tables) as scratch:
            for number, part in enumerate(plan.parts):
                merged = list(stay.values())
                if not plan.grown:
                    merged = portions.merged(merged, sizes[number], portions.days(part), plan.most)
                stay = {name: run for name, run in stay.items() if run not in merged}
                rows = sizes[number] + sum(run.rows for run in merged)
                few = not ample and rows <= _WITHIN * self._memory // 2**20
                memory = self._memory if ample else self._memory * (3 if few else 2) // 4
                with closing(scratch.engine(":memory:" if few else _ROWS, memory)) as connection:
                    connection.execute("PRAGMA force_compression = 'Uncompressed'")  # it is read but a few times
                    fresh = Files(self._events, part, OF_EVENTS, {"resources": "resource"}, plan.copies)
                    codes = self._gather(connection, fresh, merged, memory // _OF_VALUES)
                    ((made,),) = connection.execute("SELECT count(*) FROM rows").fetchall()
                    there += made
                    if there + sum(run.rows for run in stay.values()) > _LOOKED_THROUGH and orders != ORDERS:
                        if number or stay:
                            raise _Grown
                        orders = ORDERS
                    names = f"{plan.identity}-{number:03}/{{:04}}-{token}.parquet"
                    tables = {order: self.orders[order.name].table for order in orders}
                    for order, action in in_orders(scratch, connection, codes, tables, names, memory):
                        added[order.name].append(action)
                (scratch.folder / _ROWS).unlink(missing_ok=True)
                give_back()
                told(number + 1)
            for order in reversed(orders):
                self._commit(self.orders[order.name], plan, stay, added[order.name])
        for own in self.orders.values():
            own.sweep()
        return sum(sizes)

    def _gather(
        self, connection: duckdb.DuckDBPyConnection, fresh: Files, merged: Sequence[Run], memory: int
    ) -> dict[str, pa.Array]:
        """Make the table `rows` of a run: events summed up, with the rows of the runs that are merged into it.

        Args:
            connection: where.
            fresh: files of the events.
            merged: those runs.
            memory: what the values of columns may take, in bytes.

        Returns:
            Of columns of text with few values, these: the table has their places instead.
        """
        base, counts = self.orders[BY_RESOURCE.name], self._events.counts()
        earlier = Files(base.table, base.files_of({run.name for run in merged}), tuple(COLUMNS))
        codes = numbered([fresh, earlier], memory)
        into = "CREATE TABLE rows AS"
        before = _days_of(earlier) if merged else {}
        for days in portions.spans([(portions.date_of(name), counts.get(name, 0)) for name in fresh.names], before):
            names = [name for name in fresh.names if days[0] <= portions.date_of(name) <= days[1]]
            connection.register("fresh", as_codes(replace(fresh, names=names), codes))
            query = of_events("fresh")
            if merged:
                connection.register("earlier", as_codes(earlier, codes, days))
                query = summed([f"({query})", "(FROM earlier)"])
            connection.execute(f"{into} {query}")
            into = "INSERT INTO rows BY NAME"
        return codes

    def _commit(self, own: Runs, plan: _Plan, stay: Mapping[str, Run], added: Sequence[AddAction]) -> None:
        used = False

        def change(snapshot: Snapshot) -> Change:
            nonlocal used
            if snapshot.version not in {plan.seen[own.order.name], -1, 0}:
                raise _Overtaken
            used = True
            return Change(added, own.removal(snapshot, set(stay)), {"events_version": plan.version})

        own.table.transact(plan.identity, change)
        if not used:  # an earlier process had come so far with the same plan
            own.table.storage.remove(action.path for action in added)


def _days_of(rows: Files) -> dict[date, int]:
    """How many rows there are of each day."""
    counts = (group["date"].value_counts().to_pylist() for _, group in rows.groups(["date"]))
    found: Counter[date] = Counter()
    for one in itertools.chain.from_iterable(counts):
        found[one["values"]] += one["counts"]
    return found
