"""What a question is about: a span of time, and the resources, actors or activities it is narrowed to."""

from __future__ import annotations

import functools
import operator
import string
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

import narwhals as nw

if TYPE_CHECKING:
    from collections.abc import Iterable

    from investigate.events import Window

Frame = TypeVar("Frame", nw.DataFrame[Any], nw.LazyFrame[Any])

_SINCE: Final = datetime(1900, 1, 1, tzinfo=UTC)
"""Spark's classic client counts literals before 1582 by the Julian calendar; later ones are the same in all engines."""
_FEW: Final = 16
"""Resources that are looked for one by one in what an event names."""
_LONGEST: Final = 1_000
"""A regular expression of many more characters than these is refused by one engine or another."""
_FOLDS: Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


@dataclass(frozen=True)
class Scope:
    """A selection of events; an empty tuple narrows nothing.

    Attributes:
        window: half-open, UTC; None is all of time.
        resources: events that name one of these, or one that a pattern fits.
        patterns: resources in which `*` stands for any text, and everything else for itself.
        actors: events by one of these keys.
        keys: events by one of these pairs of source and actor, where an empty source is any; beside `actors`.
        emails: events by someone with one of these e-mail addresses, the case of ASCII letters being equal; beside
            `actors`.
        credentials: events made with one of these.
        src_ips: events that came from one of these.
        actions: the vendor's own words.
        activities: of create, read, update, delete, other.
        sources: profile names.
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
    sources: tuple[str, ...] = ()

    def select(self, events: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        """The events in scope.

        An event is there once for every resource it names that is in scope, which stands in the column `touched`; in a
        scope without resources, an event that names none is there once, with null.
        """
        narrowed = self.narrow(events)
        if 0 < len(self.resources) <= _FEW and not self.patterns:  # only so that few events are made rows
            narrowed = narrowed.filter(_any([nw.col("resources").list.contains(name) for name in self.resources]))
        touching = narrowed.with_columns(nw.col("resources").alias("touched")).explode("touched")
        wanted = self._what("touched")
        return touching.filter(_any(wanted)) if wanted else touching

    def narrow(self, events: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        """The events in scope by everything but their resources, each once."""
        if self.window:
            events = events.filter(within(self.window))
        how = self._how()
        return events.filter(*how) if how else events

    def having(self, touches: Frame) -> Frame:
        """The touches in scope by everything but the window."""
        wanted = self._how()
        what = self._what("resource")
        wanted += [_any(what)] if what else []
        return touches.filter(*wanted) if wanted else touches

    def key(self) -> tuple[str, tuple[str, ...]] | None:
        """The column by which what is in scope can be looked up, and its values; None where it takes a search."""
        if self.patterns or self.emails:
            return None
        if self.resources:
            return "resource", self.resources
        if self.actors or self.keys:
            return "actor", tuple(sorted({*self.actors, *(actor for _, actor in self.keys)}))
        return ("src_ip", self.src_ips) if self.src_ips else None

    @property
    def everything(self) -> bool:
        """Whether it is not narrowed to some resources."""
        return not self.resources and not self.patterns

    @property
    def by_columns(self) -> bool:
        """Whether events are narrowed by something else than their resources."""
        return bool(self._how())

    @property
    def one_resource(self) -> bool:
        """Whether an event can be in scope by one resource at most."""
        return len(self.resources) == 1 and not self.patterns

    def _what(self, column: str) -> list[nw.Expr]:
        found = [nw.col(column).is_in(list(self.resources))] if self.resources else []
        return [*found, *(nw.col(column).str.contains(pattern(glob)) for glob in self.patterns)]

    def _how(self) -> list[nw.Expr]:
        found = [
            nw.col(column).is_in(list(values))
            for column, values in (
                ("credential", self.credentials),
                ("activity", self.activities),
                ("src_ip", self.src_ips),
                ("action", self.actions),
                ("source", self.sources),
            )
            if values
        ]
        who = self._who()
        return [*found, _any(who)] if who else found

    def _who(self) -> list[nw.Expr]:
        found = [nw.col("actor").is_in(list(self.actors))] if self.actors else []
        for source in sorted({source for source, _ in self.keys}):
            named = nw.col("actor").is_in([actor for one, actor in self.keys if one == source])
            found.append((nw.col("source") == source) & named if source else named)
        if self.emails:
            # Not null but false where there is none: null would hide that another way of naming the actor fits.
            found.append(~nw.col("actor_email").is_null() & equal("actor_email", self.emails))
        return found


def within(window: Window) -> nw.Expr:
    """Whether an event lies in a window; also by date, so that engines pass over whole partitions."""
    return _days(window.start, window.end) & since(window.start) & before(window.end)


def since(moment: datetime, column: str = "time") -> nw.Expr:
    """Whether an event happened at a moment, UTC, or later."""
    return nw.col(column) >= moment if moment >= _SINCE else _distance(column) >= nw.lit(moment - _SINCE)


def before(moment: datetime, column: str = "time") -> nw.Expr:
    """Whether an event happened before a moment, UTC."""
    return nw.col(column) < moment if moment >= _SINCE else _distance(column) < nw.lit(moment - _SINCE)


def pattern(glob: str) -> str:
    """A pattern as a regular expression that RE2, Rust and Java read alike: nothing but `*` has a meaning in it."""
    return r"(?s)\A" + "".join(".*" if sign == "*" else rf"\x{{{ord(sign):x}}}" for sign in glob) + r"\z"


def loose(text: str) -> str:
    """A text as a regular expression in which only the case of ASCII letters does not matter, alike in all engines.

    What is upper and lower case beyond ASCII, each engine knows by another version of Unicode: DuckDB makes a Turkish
    `İ` an `i`, Spark and Polars do not.
    """
    return "".join(
        f"[{sign.lower()}{sign.upper()}]" if sign.isascii() and sign.isalpha() else rf"\x{{{ord(sign):x}}}"
        for sign in text
    )


def folded(text: str) -> str:
    """A text with its ASCII letters in lower case: of those that `equal` takes for one, it is the same."""
    return text.translate(_FOLDS)


def equal(column: str, values: Iterable[str]) -> nw.Expr:
    """Whether a column holds one of some texts, the case of ASCII letters being equal; very long ones are exact."""
    wanted = list(values)
    short = "|".join(loose(value) for value in wanted if len(value) <= _LONGEST)
    exact = nw.col(column).is_in(wanted)
    if not short:
        return exact
    found = exact | nw.col(column).str.contains(rf"\A(?:{short})\z")
    if not all(value.isascii() for value in wanted):
        return found
    # What equals an ASCII text is one, and its lower case the same to all engines; a twentieth of the time.
    return nw.col(column).str.to_lowercase().is_in([value.lower() for value in wanted]) & found


def _distance(column: str) -> nw.Expr:
    return nw.col(column) - nw.lit(_SINCE)


def _days(start: datetime, end: datetime) -> nw.Expr:
    # Only so that whole partitions can be passed over: the time decides, also where there is no such bound.
    until = nw.col("date") <= max(end, _SINCE).date()
    return (nw.col("date") >= start.date()) & until if start >= _SINCE else until


def _any(conditions: list[nw.Expr]) -> nw.Expr:
    return functools.reduce(operator.or_, conditions)
