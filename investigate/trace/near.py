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
    value, half, size = nw.col(column), len(name) // 2, len(name)
    length = value.str.len_chars()
    like = value.str.starts_with(name[:half]) | value.str.ends_with(name[half:]) if half else length > 0
    about = (length >= size - _LONGER) & (length <= size + _LONGER)
    fits = (like & about) | equal(column, [name])
    return distinct(rows.filter(fits).select(value.alias("value")), "value").sort("value").head(MOST_CANDIDATES)


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
