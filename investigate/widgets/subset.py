"""`Subset`: the events of a pick that meet what was typed into the grid, counted; few of many become a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from investigate.widgets import picked
from investigate.widgets.aside import Aside
from investigate.widgets.picked import NARROW, TIES, Pick
from investigate.widgets.where import Where

if TYPE_CHECKING:
    from investigate.widgets.picked import Seat


class Subset:
    """What a grid shows, in whatever order.

    Args:
        seat: used by nothing else meanwhile.
        pick: among which events.
        typed: what else they must meet.

    Attributes:
        seat: as given.
        days: of a pick without a table of its own, how many events each day has: `date` and `n`, by date.
        total: how many events there are.
        narrowed: the table of them under way, where they get one.
    """

    def __init__(self, seat: Seat, pick: Pick, typed: Where) -> None:
        self.seat = seat
        self._asked = (seat.version, pick, typed)
        self._pick = Pick(pick.table, pick.where.also(typed), pick.version)
        self.narrowed: Aside | None = None
        self.days: list[dict[str, Any]] = []
        if pick.held:
            self.total = seat.count(pick.table, self._pick.where)
        else:
            self.days = self._count_days()
            self.total = sum(day["n"] for day in self.days)

    def answers(self, seat: Seat, pick: Pick, typed: Where) -> bool:
        """Whether it is what these make, so that another order has nothing to count."""
        return self.seat is seat and self._asked == (seat.version, pick, typed)

    @property
    def few(self) -> bool:
        """Whether they get a table, from which every order is soon read, and have none yet."""
        return not self._pick.held and 0 < self.total <= picked.MOST

    def prepare(self) -> None:
        """Begin with the table, in a thread: other orders, and pages further down, then need not ask the lake."""
        if self.few and self.narrowed is None:
            query = f"SELECT {', '.join((*NARROW, *TIES))} FROM {self._pick.table} WHERE {self._pick.where.sql}"
            self.narrowed = Aside(self.seat, query, self._pick.where.values)

    def pick(self, *, wait: bool = False) -> Pick:
        """They alone: the table, once it is made.

        Args:
            wait: until it is, where there is one under way.

        Raises:
            LakeError: it failed, or was stopped, while it was waited for.
        """
        narrowed = self.narrowed
        if narrowed and wait:
            narrowed.wait()
        if narrowed and narrowed.ready:
            return Pick(narrowed.table, Where(), self._pick.version)
        return self._pick

    def pause(self) -> None:
        """Leave all threads to what is asked now, if the table is still being made."""
        if self.narrowed and not self.narrowed.ready:
            self.close()

    def close(self) -> None:
        """Give the table back."""
        if self.narrowed:
            self.narrowed.stop()
            self.narrowed = None

    def _count_days(self) -> list[dict[str, Any]]:
        where = self._pick.where
        return self.seat.rows(
            f"SELECT date, count(*) AS n FROM {self._pick.table} WHERE {where.sql} GROUP BY date ORDER BY date",
            where.values,
        )
