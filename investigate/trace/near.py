"""Identifiers like one that was not found: what it may have been meant to be."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw

from investigate.trace.scope import equal
from investigate.trace.shape import distinct

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from investigate.trace.scope import Scope

MOST_CANDIDATES: Final = 2_000
"""The most values of a column that are looked at more closely."""
_LONGER: Final = 3
_LONGEST: Final = 1_000
_CLOSE: Final = 0.75


def candidates(events: nw.LazyFrame[Any], scope: Scope, column: str, name: str) -> nw.LazyFrame[Any]:
    """Distinct values of a column that a slip of the pen may lie between: `value`, at most `MOST_CANDIDATES`.

    They are about as long and share the first or the second half with it, or differ only in upper and lower case: an
    engine finds them in one pass, however many values there are.

    Args:
        events: canonical events.
        scope: the window.
        column: where to look; `resources` stands for each of them.
        name: what was not found.
    """
    rows = scope.narrow(events)
    if column == "resources":
        rows = rows.select("resources").explode("resources")
    fitting = rows.filter(_fits(column, name)).select(nw.col(column).alias("value"))
    return distinct(fitting, "value").sort("value").head(MOST_CANDIDATES)


def called(rows: nw.LazyFrame[Any], name: str) -> nw.LazyFrame[Any]:
    """Who may be called by a name: distinct `actor_name` and `actor`, see `candidates`.

    Args:
        rows: events, or touches.
        name: what was not found.
    """
    fitting = rows.filter(_fits("actor_name", name)).select("actor_name", "actor")
    return distinct(fitting, "actor_name", "actor").sort("actor_name", "actor").head(MOST_CANDIDATES)


def _fits(column: str, name: str) -> nw.Expr:
    value, half, size = nw.col(column), len(name) // 2, len(name)
    length = value.str.len_chars()
    like = value.str.starts_with(name[:half]) | value.str.ends_with(name[half:]) if half else length > 0
    about = (length >= size - _LONGER) & (length <= size + _LONGER)
    return (like & about) | equal(column, [name])


def keys(name: str, called: Iterable[tuple[str, str]], most: int = 3) -> list[str]:
    """The keys of actors who are called by a name, or by the names most like it, best first; never the name itself.

    Args:
        name: what was not found.
        called: `actor_name` and `actor`, see `called`.
        most: so many at most.
    """
    by_name: dict[str, list[str]] = {}
    for own, actor in called:
        by_name.setdefault(own, []).append(actor)
    names = [*(own for own in by_name if own.casefold() == name.casefold()), *closest(name, by_name)]
    return [key for key in dict.fromkeys(key for own in names for key in by_name[own]) if key != name][:most]


def closest(name: str, values: Iterable[str], most: int = 3) -> list[str]:
    """The values most like a name, best first, itself never; nothing for a name too long to have been typed."""
    if len(name) > _LONGEST:
        return []
    others = sorted({value for value in values if value != name and len(value) <= _LONGEST})
    folded: dict[str, list[str]] = {}
    for value in others:
        folded.setdefault(value.casefold(), []).append(value)
    found: Sequence[str] = difflib.get_close_matches(name.casefold(), sorted(folded), n=most, cutoff=_CLOSE)
    return [value for one in found for value in folded[one]][:most]
