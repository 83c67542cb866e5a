"""`Pages`: any page of any order over any number of events, without sorting them all before the first is shown.

An order is by one column, then by time. The first rows of an order come from a top-N over that column and the rows'
places alone. A page further down is found in the places of all rows, which a thread puts in order meanwhile; in an
order of a whole lake by time, or by a column of few values, it is found by counting events by day, and by value, and
sorting only the groups it lies in. The rows themselves are read last, by place.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, Final

from investigate.journal.rows import to_us
from investigate.widgets.aside import Aside
from investigate.widgets.order import FEW, Order
from investigate.widgets.picked import BACKWARDS, LAKE, PLACE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from investigate.widgets.picked import Pick, Seat
    from investigate.widgets.subset import Subset
    from investigate.widgets.where import Where

HEAD: Final = 250
"""So many first rows of an order are found by a top-N."""
LONGEST_PAGE: Final = 500
_numbers: Final = count(1)


class Pages:
    """The rows of a subset, in an order, a page at a time.

    Args:
        subset: which events.
        order: how they are sorted.

    Attributes:
        seat: the subset's; places are of its version.
        total: how many there are.
    """

    def __init__(self, subset: Subset, order: Order) -> None:
        self.seat, self.total, self._subset, self._order = subset.seat, subset.total, subset, order
        self._days = subset.days if order.way == "ASC" else subset.days[::-1]
        self._groups: str | None = None
        self._sorting: Aside | None = None
        self._take(subset.pick())

    def prepare(self) -> None:
        """Begin with what pages further down need, in a thread."""
        deep = self.total > HEAD and not (self._by_day or self._by_group)
        if deep and self._sorting is None and (self._held or not self._subset.few):
            query = self._order.all(self._found(), self._table, self._where)
            self._sorting = Aside(self.seat, query, self._where.values)
        self._subset.prepare()

    def stop(self) -> None:
        """Have whoever waits for a page wait no longer; from any thread."""
        self._subset.pause()
        if self._sorting:
            self._sorting.stop()

    def close(self) -> None:
        """Give back what finding pages needed."""
        self.stop()
        if self._groups:
            self.seat.run(f"DROP TABLE IF EXISTS {self._groups}")
            self._groups = None

    def page(self, offset: int, limit: int, columns: Sequence[str]) -> list[dict[str, Any]]:
        """Some rows, in order.

        Args:
            offset: how many come before.
            limit: how many at most, up to `LONGEST_PAGE`.
            columns: SQL of what to select beside `PLACE`, which is always there.

        Raises:
            LakeError: the query failed, or `stop` was called.
        """
        start, most = max(0, offset), max(0, min(limit, LONGEST_PAGE))
        if start >= self.total or not most:
            return []
        deep = start + most > HEAD and not (self._by_day or self._by_group)
        if deep:
            self.prepare()
        if not self._held and (pick := self._subset.pick(wait=deep)).held:
            self.stop()
            self._take(pick)
        places = self._places(start, most)
        return self._rows(places, columns) if self._held else rows_at(self.seat, places, columns)

    def _take(self, pick: Pick) -> None:
        """Read from now on from a pick, which the pages before may not have been read from."""
        self._table, self._where, self._held = pick.table, pick.where, pick.held
        self._place = ("place",) if pick.held else PLACE
        self._head: list[dict[str, Any]] | None = None
        self._sorting = None

    def _rows(self, places: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[dict[str, Any]]:
        """The rows of a table of their own."""
        wanted = ", ".join(str(int(one["place"])) for one in places)
        selected = _with_place(columns)
        found = self.seat.rows(f"SELECT rowid AS place, {selected} FROM {self._table} WHERE rowid IN ({wanted})")
        by_place = {row["place"]: row for row in found}
        return [by_place[one["place"]] for one in places]

    # Where they stand

    def _places(self, start: int, most: int) -> list[dict[str, Any]]:
        if self._by_day:
            return self._places_by_day(start, most)
        if self._by_group:
            return self._places_by_group(start, most)
        if min(start + most, self.total) <= HEAD:
            if self._head is None:
                self._head = self._sorted(self._where, 0, HEAD)
            return self._head[start : start + most]
        self.prepare()
        assert self._sorting is not None  # noqa: S101 - there are more events than the head has
        return self.seat.rows(
            f"SELECT {', '.join(self._place)} FROM {self._sorting.wait()}"
            f" WHERE rowid BETWEEN {start} AND {start + most - 1} ORDER BY rowid"
        )

    def _found(self) -> Sequence[str]:
        """SQL of the columns of `_place`."""
        return (f"{self._table}.rowid AS place",) if self._held else PLACE

    @property
    def _by_day(self) -> bool:
        return not self._held and self._order.by_time

    @property
    def _by_group(self) -> bool:
        return not self._held and self._order.column in FEW

    def _places_by_day(self, start: int, most: int) -> list[dict[str, Any]]:
        before, days, skipped = 0, [], 0
        for day in self._days:
            if before + day["n"] > start and before < start + most:
                days.append(day["date"])
            elif before + day["n"] <= start:
                skipped += day["n"]
            before += day["n"]
        narrowed = self._where.also()
        narrowed.among("date", days)
        return self._sorted(narrowed, start - skipped, most)

    def _places_by_group(self, start: int, most: int) -> list[dict[str, Any]]:
        """Sort only those events whose value and day are those of a group that the page lies in."""
        table, column = self._grouped(), self._order.column
        groups = self.seat.rows(
            f"SELECT value, date, before FROM {table} WHERE before < {start + most} AND before + n > {start}"
            " ORDER BY before",
        )
        narrowed = self._where.also()
        values = [group["value"] for group in groups if group["value"] is not None]
        found = [f"{column} IN ({', '.join(narrowed.bind(one) for one in dict.fromkeys(values))})"] if values else []
        if len(values) < len(groups):
            found.append(f"{column} IS NULL")
        narrowed.add(*found)
        narrowed.among("date", list(dict.fromkeys(group["date"] for group in groups)))
        # Of two values on the same days, the events of either on the other's days came along: they are counted out.
        pairs = ", ".join(f"({narrowed.bind(group['value'])}, {narrowed.bind(group['date'])})" for group in groups)
        narrowed.add(
            f"EXISTS (SELECT 1 FROM (VALUES {pairs}) AS pairs (value, day)"
            f" WHERE pairs.value IS NOT DISTINCT FROM {column} AND pairs.day = date)"
        )
        return self._sorted(narrowed, start - groups[0]["before"], most)

    def _grouped(self) -> str:
        if self._groups is None:
            way = self._order.way
            self._groups = f"groups_{next(_numbers)}"
            self.seat.run(
                f"CREATE TABLE {self._groups} AS SELECT value, date, n,"
                f" coalesce(sum(n) OVER (ORDER BY value {way} NULLS LAST, date {way}"
                " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)::BIGINT AS before"
                f" FROM (SELECT {self._order.column} AS value, date, count(*) AS n FROM {self._table}"
                f" WHERE {self._where.sql} GROUP BY ALL)",
                self._where.values,
            )
        return self._groups

    def _sorted(self, where: Where, start: int, most: int) -> list[dict[str, Any]]:
        # What is kept so far is best kept where the greatest values come early: most columns grow with time, or not.
        table = BACKWARDS if self._table == LAKE and self._order.descending else self._table
        return self.seat.rows(
            f"SELECT {', '.join(self._found())} FROM {table} WHERE {where.sql}"
            f" ORDER BY {self._order.sql} LIMIT {most} OFFSET {start}",
            where.values,
        )


def rows_at(seat: Seat, places: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of the lake at some places, in the order of the places.

    Args:
        seat: that reads them.
        places: each with the columns of `PLACE`.
        columns: SQL of what to select beside `PLACE`.
    """
    if not places:
        return []
    files = list(dict.fromkeys(place["file"] for place in places))
    times = sorted({place["time"] for place in places})
    spots = {int(place["spot"]) for place in places}
    # One scan, of these files alone and by all threads. Each time for itself is what passes over their row groups.
    query = (
        f"SELECT {_with_place(columns)} FROM ({seat.located(files)})"
        f" WHERE time IN ({', '.join(map(_moment, times))})"
        f" AND time BETWEEN {_moment(times[0])} AND {_moment(times[-1])}"
        f" AND spot IN ({', '.join(map(str, spots))})"  # numbers, of our own places
    )
    found = {(row["file"], row["spot"]): row for row in seat.rows(query)}
    return [found[key] for place in places if (key := (place["file"], place["spot"])) in found]


def _with_place(columns: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys((*columns, *PLACE)))


def _moment(time: datetime) -> str:
    return f"make_timestamptz({to_us(time)})"
