"""`Sorting`: the places of all events of a question in order, sorted in a thread while the first pages are read."""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from investigate.errors import LakeError
from investigate.widgets.picked import PLACE, TIES
from investigate.widgets.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from investigate.widgets.picked import Seat
    from investigate.widgets.where import Where

_DISTINCT: Final = frozenset({"event_uid", "request_uid", "evidence_record"})
"""Columns of which nearly every event has a value of its own, so that there is nothing to gain from counting them."""
_numbers: Final = count(1)


class Sorting:
    """A table of places, in order.

    Args:
        seat: that reads the places; the thread has one of its own.
        table: of the events.
        where: which of them.
        column: what they are sorted by, then by time.
        way: `ASC` or `DESC`; events without a value come last.
    """

    def __init__(self, seat: Seat, table: str, where: Where, column: str, way: str) -> None:
        self._seat, self._beside = seat, seat.beside()
        self._source, self._where, self._column, self._way = table, where, column, way
        self._table = f"sorted_{next(_numbers)}"
        self._failed: LakeError | None = None
        self._turns = Turns(self._beside.cursor.interrupt)
        self._turns.take(self._sort)

    def places(self, start: int, most: int) -> list[dict[str, Any]]:
        """Some of them, as soon as all are sorted.

        Raises:
            LakeError: it failed, or was stopped.
        """
        self._turns.wait()
        if self._failed:
            raise self._failed
        return self._seat.rows(
            f"SELECT {', '.join(PLACE)} FROM {self._table} WHERE rowid BETWEEN {start} AND {start + most - 1}"
            " ORDER BY rowid"
        )

    def stop(self) -> None:
        """End the work early, and give back what was sorted."""
        self._failed = LakeError("The sorting was stopped.", "Ask again.")
        self._turns.take(self._drop)

    def _sort(self, current: Callable[[], bool]) -> None:
        try:
            if current():
                self._beside.run(self._statement(), self._where.values)
        except LakeError as error:
            self._failed = self._failed or error

    def _drop(self, _current: Callable[[], bool]) -> None:
        with suppress(LakeError):  # interrupted by who stops it again, or by the end of the process
            self._beside.run(f"DROP TABLE IF EXISTS {self._table}")

    def _statement(self) -> str:
        made = f"CREATE TABLE {self._table} AS SELECT {', '.join(PLACE)} FROM {self._source}"
        rest = f"time {self._way}, {', '.join(TIES)}"
        if self._column in _DISTINCT:
            return f"{made} WHERE {self._where.sql} ORDER BY {self._column} {self._way} NULLS LAST, {rest}"
        # Ids begin alike, and are long: each is compared once with the others, and events by its rank.
        return (
            f"{made} LEFT JOIN (SELECT value, row_number() OVER (ORDER BY value {self._way}) AS rank"
            f" FROM (SELECT DISTINCT {self._column} AS value FROM {self._source} WHERE {self._where.sql})"
            f" WHERE value IS NOT NULL) ON value = {self._column}"
            f" WHERE {self._where.sql} ORDER BY rank NULLS LAST, {rest}"
        )
