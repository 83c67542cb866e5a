"""Keeps `touches` in step with the events: one commit later, from what was committed, so that a crash heals itself.

The tables of its orders hold runs: files sorted as one, told apart by the folder they lie in. An acquisition adds a
run; small runs are merged into it, so that a look-up opens few files however many acquisitions there were.
"""

from __future__ import annotations

import itertools
import secrets
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

import duckdb
import pyarrow as pa

from investigate.errors import LakeError, first_line
from investigate.lake.ranges import ranges
from investigate.lake.runs import summed_up
from investigate.lake.scratch import Scratch, short_of_memory
from investigate.lake.sql import expose
from investigate.lake.table import Change
from investigate.lake.touches import BY_RESOURCE, COLUMNS, ORDERS, kept, of_events, summed, texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from deltalake.transaction import AddAction

    from investigate.lake.runs import Run, Runs
    from investigate.lake.table import Snapshot, Table
    from investigate.lake.touches import Order

RUN: Final = 8_000_000
"""Rows a run may have, or a third of all there are where that is more: sorting one takes place on disk, and each of
them its time in a look-up."""
_SORTED: Final = 1_200
"""So many rows are sorted at once in one MiB of memory, and by the square of it in more: of each part that fits into
memory a block must do so, too. Measured: 8 million in 85 MiB pass, 16 million run out."""
_FILE: Final = 2**17
"""Rows a file: a look-up reads the footer of one, and of that one or two row groups."""
_SMALL: Final = 200_000
"""Runs of at most so many rows are merged with a new one whose days they share, so that a key is in one row."""
_ALIKE: Final = 2
"""Runs of at most so many times a new one's rows are like it ..."""
_FEW: Final = 3
"""... and from so many of them on are merged with it: each row is written again once for four times as many."""
_TRIES: Final = 3
_WORTH: Final = 20_000
"""From so many events on it pays to look for such columns, and to hold them in a file."""
_ROWS: Final = "rows.duckdb"
_AT_ONCE: Final = 2_000_000
"""Rows whose sums are made at once, unless a day has more."""
_FEW_TEXTS: Final = 200_000
"""A column of text with no more values than these is summed up as numbers."""


NAME: Final = "touches-"
"""What the name of a writer of ours begins with."""


class _Overtaken(Exception):
    """Another writer has committed to an order since the work was planned."""


@dataclass(frozen=True)
class _Plan:
    """What is summed up, and what is already.

    Attributes:
        identity: of the commits.
        version: of the events.
        most: rows a run may have.
        parts: files of the events, of which each part becomes a run.
        runs: those that stay.
        seen: the version of each order's table.
    """

    identity: str
    version: int
    most: int
    parts: Sequence[Sequence[str]]
    runs: Sequence[Run]
    seen: Mapping[str, int]


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

    def catch_up(self, progress: Callable[[int, int], None] | None = None) -> int:
        """Sum up what was committed to the events since the last time; how many events that were.

        Args:
            progress: called with the events summed up so far and those there are.

        Raises:
            LakeError: it cannot be written; the events are not touched.
        """
        for _ in range(_TRIES):
            snapshot = self._events.snapshot()
            if snapshot.version < 0 or summed_up(self.orders, snapshot.version):
                return 0
            try:
                return self._sum(self._plan(snapshot, self._fresh(snapshot)), progress)
            except _Overtaken:
                continue
        return 0  # others are at it; whoever reads meanwhile reads the events themselves

    def rebuild(self, progress: Callable[[int, int], None] | None = None) -> int:
        """Make it all anew from the events; how many events that were.

        Args:
            progress: see `catch_up`.

        Raises:
            LakeError: it cannot be written, or other writers are at it.
        """
        snapshot = self._events.snapshot()
        if snapshot.version < 0:
            return 0
        try:
            return self._sum(self._plan(snapshot, None), progress)
        except _Overtaken:
            raise LakeError("Another process is summing the events up.", "Try again when it is done.") from None

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

    def _plan(self, snapshot: Snapshot, fresh: Sequence[str] | None) -> _Plan:
        base = self.orders[BY_RESOURCE.name]
        runs = [] if fresh is None else base.runs()
        counts = self._events.counts()
        most = max(RUN, -(-sum(counts.values()) // _FEW))
        parts = _parts(sorted(snapshot.names if fresh is None else fresh), counts, most)
        seen = {name: own.table.snapshot().version for name, own in self.orders.items()}
        identity = f"{NAME}{snapshot.version}-{seen[BY_RESOURCE.name] + 1}"
        return _Plan(identity, snapshot.version, most, parts, runs, seen)

    def _sum(self, plan: _Plan, progress: Callable[[int, int], None] | None) -> int:
        try:
            try:
                return self._written(plan, self._memory // 2, progress)
            except (duckdb.Error, OSError) as error:  # seldom: with half of it the sorts only spill more
                if not short_of_memory(error):
                    raise
            return self._written(plan, self._memory, progress)
        except (duckdb.Error, OSError) as error:
            raise LakeError(
                f"The events could not be summed up: {first_line(error)}",
                "Free some space if the disk is full, then: investigate lake rebuild-touches",
            ) from error

    def _written(self, plan: _Plan, memory: int, progress: Callable[[int, int], None] | None) -> int:
        """Write the runs of a plan, and commit them to every order, `touches` last."""
        counts = self._events.counts()
        sizes = [sum(counts.get(name, 0) for name in part) for part in plan.parts]
        added: dict[str, list[AddAction]] = {order.name: [] for order in ORDERS}
        stay = {run.name: run for run in plan.runs}
        token = secrets.token_hex(4)  # an earlier process may have written the same plan, and come as far as a commit
        with Scratch(self._scratch(plan.identity), memory, self._tables) as scratch:
            for number, part in enumerate(plan.parts):
                merged = _merged(list(stay.values()), sizes[number], _days(part), plan.most)
                stay = {name: run for name, run in stay.items() if run not in merged}
                rows = sizes[number] + sum(run.rows for run in merged)
                with closing(scratch.engine(_ROWS if rows >= _WORTH else ":memory:")) as connection:
                    kinds = self._gather(connection, part, merged)
                    for order in ORDERS:
                        name = f"{plan.identity}-{number:03}-{token}"
                        added[order.name] += self._write(scratch, connection, kinds, order, name, _sortable(memory))
                (scratch.folder / _ROWS).unlink(missing_ok=True)
                if progress:
                    progress(sum(sizes[: number + 1]), sum(sizes))
            for order in reversed(ORDERS):
                self._commit(self.orders[order.name], plan, stay, added[order.name])
        for own in self.orders.values():
            own.sweep()
        return sum(sizes)

    def _gather(
        self, connection: duckdb.DuckDBPyConnection, part: Sequence[str], merged: Sequence[Run]
    ) -> dict[str, pa.Array]:
        """Make the table `rows` of a run: events summed up, with the rows of the runs that are merged into it.

        Returns:
            The values of the columns that are held as an `ENUM`.
        """
        base, counts = self.orders[BY_RESOURCE.name], self._events.counts()
        expose(connection, "fresh", self._events, [self._events.storage.locate(name) for name in part])
        if merged:
            expose(connection, "earlier", base.table, base.files_of({run.name for run in merged}))
        few = sum(counts.get(name, 0) for name in part) < _WORTH
        values = {} if few else _kinds(connection, texts("fresh", "earlier" if merged else None))
        kinds = {name: _kind(name) for name in values}
        earlier = ", ".join(f"{name}::{kinds[name]} AS {name}" if name in kinds else name for name in COLUMNS)
        into = "CREATE TABLE rows AS"
        for days in _spans(connection, [(_date(name), counts.get(name, 0)) for name in part], merged=bool(merged)):
            names = [name for name in part if days[0] <= _date(name) <= days[1]]
            expose(connection, "fresh", self._events, [self._events.storage.locate(name) for name in names])
            query = of_events("fresh", kinds)
            if merged:
                between = f"date BETWEEN '{days[0]}' AND '{days[1]}'"
                query = summed([f"({query})", f"(SELECT {earlier} FROM earlier WHERE {between})"])
            connection.execute(f"{into} {query}")
            into = "INSERT INTO rows BY NAME"
        return values

    def _write(
        self,
        scratch: Scratch,
        connection: duckdb.DuckDBPyConnection,
        kinds: Mapping[str, pa.Array],
        order: Order,
        run: str,
        most: int,
    ) -> Iterator[AddAction]:
        """Write the table `rows` in an order, no more than so many of them sorted at once."""
        table = self.orders[order.name].table
        parts = (
            connection.sql(
                f"SELECT {kept(order, kinds)} FROM rows WHERE {where} ORDER BY {', '.join(order.sort)}", params=values
            )
            for where, values in list(ranges(connection, "rows", order.sort, most))
        )
        batches = itertools.chain.from_iterable(
            _named(part.to_arrow_reader(order.group), kinds, order.schema()) for part in parts
        )
        numbers = itertools.count()
        for first in batches:
            file = itertools.chain([first], itertools.islice(batches, _FILE // order.group - 1))
            del first  # else it is in memory for as long as its file is written
            yield scratch.put(table, f"{run}/{next(numbers):04}.parquet", file, {})

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


def _sortable(memory: int) -> int:
    """How many rows an engine sorts at once that may use so many bytes."""
    return int(_SORTED * max(memory / 2**20, 1) ** 2)


def _kinds(connection: duckdb.DuckDBPyConnection, queries: Mapping[str, Sequence[str]]) -> dict[str, pa.Array]:
    """The values of columns with few of them, in order, of each of which there is a type: `_kind` of its name.

    Values of such a type are told apart and sorted as numbers are.

    Args:
        connection: to the lake.
        queries: for columns of text, and the columns each is for.
    """
    found = {}
    for query, names in queries.items():
        counted = ", ".join(f"approx_count_distinct({name})" for name in names)
        (counts,) = connection.execute(f"SELECT {counted} FROM ({query})").fetchall()
        few = [name for name, count in zip(names, counts, strict=True) if 0 < count <= _FEW_TEXTS]
        for name in few:  # one after the other: sets of all of them at once would have to fit into memory
            values = f"SELECT DISTINCT {name} AS text FROM ({query}) WHERE {name} IS NOT NULL ORDER BY text"
            connection.execute(f"CREATE TYPE {_kind(name)} AS ENUM ({values})")
            texts = connection.sql(f"SELECT unnest(enum_range(NULL::{_kind(name)}))::VARCHAR AS text")
            found[name] = texts.to_arrow_table()["text"].combine_chunks()
    return found


def _kind(name: str) -> str:
    return f"kind_of_{name}"


def _named(
    batches: Iterable[pa.RecordBatch], kinds: Mapping[str, pa.Array], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Batches with their values in place of codes, and otherwise with the types of the schema."""
    for batch in batches:
        columns = [
            pa.DictionaryArray.from_arrays(batch[name].cast(pa.int32()), kinds[name])
            if name in kinds
            else batch[name].cast(kind)
            for name, kind in zip(schema.names, schema.types, strict=True)
        ]
        yield pa.RecordBatch.from_arrays(columns, names=schema.names)


def _spans(
    connection: duckdb.DuckDBPyConnection, fresh: Sequence[tuple[date, int]], *, merged: bool
) -> list[tuple[date, date]]:
    """Days, from one to another, that are summed up at once: no key is in two, and memory holds few rows' sums.

    Args:
        connection: which has the view `earlier`, where there is something that is `merged`.
        fresh: of each file of the events, its day and how many events it has.
        merged: whether rows of earlier runs are summed up with them.
    """
    sizes: dict[date, int] = {}
    earlier = connection.execute("SELECT date, count(*) FROM earlier GROUP BY ALL").fetchall() if merged else []
    for day, rows in (*fresh, *earlier):
        sizes[day] = sizes.get(day, 0) + rows
    spans: list[tuple[date, date]] = []
    size = 0
    for day, rows in sorted(sizes.items()):
        if not spans or size + rows > _AT_ONCE:
            spans.append((day, day))
            size = 0
        spans[-1] = (spans[-1][0], day)
        size += rows
    return spans


def _parts(names: Sequence[str], counts: Mapping[str, int], most: int) -> list[list[str]]:
    """Files in the order of their days, in groups of so many rows at most, unless one day has more; none is in two."""
    parts: list[list[str]] = []
    size = 0
    for name in names:
        rows = counts.get(name, 0)
        same_day = bool(parts) and _day(parts[-1][-1]) == _day(name)
        if not parts or (size + rows > most and not same_day):
            parts.append([])
            size = 0
        parts[-1].append(name)
        size += rows
    return parts


def _merged(runs: Sequence[Run], rows: int, days: tuple[date, date], most: int) -> list[Run]:
    """The runs that a new one of so many rows takes up: small ones that share its days, and those grown as many.

    Together they have so many rows at most.
    """
    taken: list[Run] = []

    def take(group: Sequence[Run]) -> None:
        nonlocal rows
        for run in group:
            if rows + run.rows <= most:
                taken.append(run)
                rows += run.rows

    by_size = sorted(runs, key=lambda run: run.rows)
    take([run for run in by_size if run.rows <= _SMALL and run.first <= days[1] and days[0] <= run.last])
    while len(group := [run for run in by_size if run not in taken and run.rows <= _ALIKE * rows]) >= _FEW:
        before = len(taken)
        take(group)
        if len(taken) == before:
            break
    return taken


def _day(name: str) -> str:
    return name.partition("/")[0].rpartition("=")[2]


def _date(name: str) -> date:
    return date.fromisoformat(_day(name))


def _days(part: Sequence[str]) -> tuple[date, date]:
    return _date(part[0]), _date(part[-1])
