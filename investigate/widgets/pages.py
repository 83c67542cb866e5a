"""`Pages`: any page of any order over any number of events, without sorting them all.

An order is by one column, then by time. The first rows of an order come from a top-N over that column and the rows'
places alone. A page further down is found by counting events by day, and by value where a column has few, and sorting
only the groups it lies in; in an order of many values, by sorting all places, which a thread does meanwhile. The rows
themselves are read last, by place.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from investigate.errors import UsageError
from investigate.journal.rows import to_us
from investigate.widgets.picked import PLACE, TIES
from investigate.widgets.sorting import Sorting
from investigate.widgets.where import known_column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from investigate.widgets.picked import Pick, Seat
    from investigate.widgets.where import Where

HEAD: Final = 1_000
"""So many first rows of an order are found by a top-N."""
LONGEST_PAGE: Final = 500
UNSORTED: Final = frozenset({"raw", "resources"})
FEW: Final = frozenset({"source", "tenant", "actor_type", "action", "category", "activity", "resource_type", "outcome"})
"""Columns of few values: counting them is faster than a top-N, which so many equal values slow down, or sorting."""
_numbers = count(1)


@dataclass(frozen=True)
class Order:
    """What rows are sorted by.

    Attributes:
        column: of the events.
        descending: whether the greatest come first; rows without a value always come last.
    """

    column: str = "time"
    descending: bool = True

    @classmethod
    def asked(cls, column: Any, descending: Any) -> Order:
        """What a page asks for.

        Raises:
            UsageError: a column that is none, or cannot be sorted by.
        """
        name = known_column(column)
        if name in UNSORTED:
            raise UsageError(f"Events cannot be sorted by {name}.", "Sort by another column.")
        return cls(name, bool(descending))

    @property
    def way(self) -> str:
        """As SQL has it."""
        return "DESC" if self.descending else "ASC"

    @property
    def sql(self) -> str:
        """After `ORDER BY`; the place settles what column and time leave open, so that every page agrees."""
        if self.column in {"time", "date"}:
            return f"time {self.way}, {', '.join(TIES)}"
        return f"{self.column} {self.way} NULLS LAST, time {self.way}, {', '.join(TIES)}"


class Pages:
    """The rows of a pick that meet some conditions, in an order, a page at a time.

    Args:
        seat: used by nothing else meanwhile.
        pick: among which events.
        where: what else they must meet.
        order: how they are sorted.

    Attributes:
        seat: as given; places are of its version.
        total: how many there are.
    """

    def __init__(self, seat: Seat, pick: Pick, where: Where, order: Order) -> None:
        self.seat, self._order, self._pick = seat, order, pick
        self._where = pick.where.also(where)
        self._head: list[dict[str, Any]] | None = None
        self._groups: str | None = None
        self._sorting: Sorting | None = None
        if pick.held:
            self.total = seat.count(pick.table, self._where)
        else:
            self._days = self._count_days()
            self.total = sum(day["n"] for day in self._days)

    def prepare(self) -> None:
        """Begin with what pages further down need, in a thread."""
        many = self._order.column not in FEW and not self._by_time
        if self._sorting is None and not self._pick.held and many and self.total > HEAD:
            self._sorting = Sorting(self.seat, self._pick.table, self._where, self._order.column, self._order.way)

    def stop(self) -> None:
        """Have whoever waits for a page wait no longer; from any thread."""
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
        if self._pick.held:
            return self.seat.rows(
                f"SELECT {_with_place(columns)} FROM {self._pick.table}"
                f" WHERE {self._where.sql} ORDER BY {self._order.sql} LIMIT {most} OFFSET {start}",
                self._where.values,
            )
        return rows_at(self.seat, self._places(start, most), columns)

    # In a lake too large for a table

    @property
    def _by_time(self) -> bool:
        return self._order.column in {"time", "date"}

    def _count_days(self) -> list[dict[str, Any]]:
        return self.seat.rows(
            f"SELECT date, count(*) AS n FROM {self._pick.table} WHERE {self._where.sql}"
            f" GROUP BY date ORDER BY date {self._order.way}",
            self._where.values,
        )

    def _places(self, start: int, most: int) -> list[dict[str, Any]]:
        if self._by_time:
            return self._places_by_day(start, most)
        if self._order.column in FEW:
            return self._places_by_group(start, most)
        if min(start + most, self.total) <= HEAD:
            if self._head is None:
                self._head = self._sorted(self._where, 0, HEAD)
            return self._head[start : start + most]
        self.prepare()
        assert self._sorting is not None  # noqa: S101 - there are more events than the head has
        return self._sorting.places(start, most)

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
                f" FROM (SELECT {self._order.column} AS value, date, count(*) AS n FROM {self._pick.table}"
                f" WHERE {self._where.sql} GROUP BY ALL)",
                self._where.values,
            )
        return self._groups

    def _sorted(self, where: Where, start: int, most: int) -> list[dict[str, Any]]:
        return self.seat.rows(
            f"SELECT {', '.join(PLACE)} FROM {self._pick.table} WHERE {where.sql}"
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
    files: dict[str, list[Mapping[str, Any]]] = {}
    for place in places:
        files.setdefault(place["file"], []).append(place)
    if not files:
        return []
    # A query a file: of the others nothing is opened. Numbers, of our own places.
    queries = (
        f"SELECT {_with_place(columns)} FROM ({seat.located(file)})"
        f" WHERE spot IN ({', '.join(str(int(place['spot'])) for place in here)})"
        f" AND time BETWEEN {_moment(min(place['time'] for place in here))}"
        f" AND {_moment(max(place['time'] for place in here))}"
        for file, here in files.items()
    )
    found = {(row["file"], row["spot"]): row for row in seat.rows(" UNION ALL ".join(queries))}
    return [found[key] for place in places if (key := (place["file"], place["spot"])) in found]


def _with_place(columns: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys((*columns, *PLACE)))


def _moment(time: datetime) -> str:
    return f"make_timestamptz({to_us(time)})"
