"""What a question is about: a span of time, and the resources, actors or activities it is narrowed to."""

from __future__ import annotations

import functools
import operator
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
        resources: events that name one of these, or one that a pattern fits.
        patterns: resources in which `*` stands for any text, and everything else for itself.
        actors: events by one of these keys.
        keys: events by one of these pairs of source and actor, where an empty source is any; beside `actors`.
        emails: events by someone with one of these e-mail addresses, in lower case; beside `actors`.
        credentials: events made with one of these.
        src_ips: events that came from one of these.
        actions: the vendor's own words.
        activities: of create, read, update, delete, other.
    """

    window: Window | None = None
    resources: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()
    credentials: tuple[str, ...] = ()
    activities: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    keys: tuple[tuple[str, str], ...] = ()
    emails: tuple[str, ...] = ()
    src_ips: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()

    def select(self, events: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        """The events in scope.

        An event is there once for every resource it names that is in scope, which stands in the column `touched`; in a
        scope without resources, an event that names none is there once, with null.
        """
        touching = self.narrow(events).with_columns(nw.col("resources").alias("touched")).explode("touched")
        wanted = [nw.col("touched").is_in(list(self.resources))] if self.resources else []
        wanted += [nw.col("touched").str.contains(pattern(glob)) for glob in self.patterns]
        return touching.filter(_any(wanted)) if wanted else touching

    def narrow(self, events: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        """The events in scope by everything but their resources, each once."""
        if self.window:
            events = events.filter(within(self.window))
        for column, values in (
            ("credential", self.credentials),
            ("activity", self.activities),
            ("src_ip", self.src_ips),
            ("action", self.actions),
        ):
            if values:
                events = events.filter(nw.col(column).is_in(list(values)))
        who = self._who()
        return events.filter(_any(who)) if who else events

    def _who(self) -> list[nw.Expr]:
        found = [nw.col("actor").is_in(list(self.actors))] if self.actors else []
        for source in sorted({source for source, _ in self.keys}):
            named = nw.col("actor").is_in([actor for one, actor in self.keys if one == source])
            found.append((nw.col("source") == source) & named if source else named)
        if self.emails:
            # Not null but false where there is none: null would hide that another way of naming the actor fits.
            mail = nw.col("actor_email").str.to_lowercase().is_in(list(self.emails))
            found.append(~nw.col("actor_email").is_null() & mail)
        return found


def within(window: Window) -> nw.Expr:
    """Whether an event lies in a window; also by date, so that engines pass over whole partitions."""
    start, end = window.start, window.end
    return _days(start, end) & (nw.col("time") >= start) & (nw.col("time") < end)


def pattern(glob: str) -> str:
    """A pattern as a regular expression that RE2, Rust and Java read alike: nothing but `*` has a meaning in it."""
    return r"(?s)\A" + "".join(".*" if sign == "*" else rf"\x{{{ord(sign):x}}}" for sign in glob) + r"\z"


def _days(start: datetime, end: datetime) -> nw.Expr:
    return (nw.col("date") >= start.date()) & (nw.col("date") <= end.date())


def _any(conditions: list[nw.Expr]) -> nw.Expr:
    return functools.reduce(operator.or_, conditions)
