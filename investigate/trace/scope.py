"""What a question is about: a span of time, and the resources, actors or activities it is narrowed to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw

if TYPE_CHECKING:
    from datetime import datetime

    from investigate.events import Window


@dataclass(frozen=True)
class Scope:
    """A selection of events; an empty tuple narrows nothing.

    Attributes:
        window: half-open, UTC; None is all of time.
        resources: events that name one of these.
        actors: events by one of these keys.
        credentials: events made with one of these.
        activities: of create, read, update, delete, other.
    """

    window: Window | None = None
    resources: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()
    credentials: tuple[str, ...] = ()
    activities: tuple[str, ...] = ()

    def select(self, events: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        """The events in scope.

        An event is there once for every resource it names that is in scope, which stands in the column `touched`; in a
        scope without resources, an event that names none is there once, with null.
        """
        if self.window:
            events = events.filter(_within(self.window.start, self.window.end))
        for column, values in (
            ("actor", self.actors),
            ("credential", self.credentials),
            ("activity", self.activities),
        ):
            if values:
                events = events.filter(nw.col(column).is_in(list(values)))
        touching = events.with_columns(nw.col("resources").alias("touched")).explode("touched")
        return touching.filter(nw.col("touched").is_in(list(self.resources))) if self.resources else touching


def _within(start: datetime, end: datetime) -> nw.Expr:
    """Also by date, so that engines pass over whole partitions."""
    days = (nw.col("date") >= start.date()) & (nw.col("date") <= end.date())
    return days & (nw.col("time") >= start) & (nw.col("time") < end)
