"""`Order`: what the rows of the grid are sorted by, and the query that puts the places of all of them in that order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from investigate.errors import UsageError
from investigate.widgets.picked import TIES
from investigate.widgets.where import known_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from investigate.widgets.where import Where

UNSORTED: Final = frozenset({"raw", "resources"})
FEW: Final = frozenset({"source", "tenant", "actor_type", "action", "category", "activity", "resource_type", "outcome"})
"""Columns of few values: counting them is faster than a top-N, which so many equal values slow down, or sorting."""
_DISTINCT: Final = frozenset({"event_uid", "request_uid", "evidence_record"})
"""Columns of which nearly every event has a value of its own, so that there is nothing to gain from counting them."""


@dataclass(frozen=True)
class Order:
    """What rows are sorted by: a column, then the time, then the place, which settles what these leave open.

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
    def by_time(self) -> bool:
        """Whether there is nothing but time to sort by."""
        return self.column in {"time", "date"}

    @property
    def sql(self) -> str:
        """After `ORDER BY`."""
        return self._rest if self.by_time else f"{self.column} {self.way} NULLS LAST, {self._rest}"

    def all(self, places: Sequence[str], table: str, where: Where) -> str:
        """The query that gives the places of all rows of a table that meet some conditions, in order."""
        given = f"SELECT {', '.join(places)} FROM {table}"
        if self.by_time or self.column in _DISTINCT:
            return f"{given} WHERE {where.sql} ORDER BY {self.sql}"
        # Ids begin alike, and are long: each is compared once with the others, and events by its rank.
        return (
            f"{given} LEFT JOIN (SELECT value, row_number() OVER (ORDER BY value {self.way}) AS rank"
            f" FROM (SELECT DISTINCT {self.column} AS value FROM {table} WHERE {where.sql})"
            f" WHERE value IS NOT NULL) ON value = {self.column}"
            f" WHERE {where.sql} ORDER BY rank NULLS LAST, {self._rest}"
        )

    @property
    def _rest(self) -> str:
        return f"time {self.way}, {', '.join(TIES)}"
