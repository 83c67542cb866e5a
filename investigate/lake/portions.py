"""In what portions events are summed up: files in parts, a part's days in spans, and the runs taken up with them."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from investigate.lake.runs import Run

_RUN: Final = 8_000_000
"""Rows a run may have, or a third of all there are where that is more: sorting one takes place on disk, and each of
them its time in a look-up."""
_AT_ONCE: Final = 2_000_000
"""Rows whose sums are made at once, unless a day has more."""
_SMALL: Final = 200_000
"""Runs of at most so many rows are merged with a new one whose days they share, so that a key is in one row."""
_ALIKE: Final = 2
"""Runs of at most so many times a new one's rows are like it ..."""
_FEW: Final = 3
"""... and from so many of them on are merged with it: each row is written again once for four times as many."""


def most(events: int) -> int:
    """Rows a run may have where there are so many events."""
    return max(_RUN, -(-events // _FEW))


def spans(fresh: Sequence[tuple[date, int]], earlier: Mapping[date, int]) -> list[tuple[date, date]]:
    """Days, from one to another, that are summed up at once: no key is in two, and memory holds few rows' sums.

    Args:
        fresh: of each file of the events, its day and how many events it has.
        earlier: of each day, how many rows of earlier runs are summed up with them.
    """
    sizes = Counter(earlier)
    for day, rows in fresh:
        sizes[day] += rows
    found: list[tuple[date, date]] = []
    size = 0
    for day, rows in sorted(sizes.items()):
        if not found or size + rows > _AT_ONCE:
            found.append((day, day))
            size = 0
        found[-1] = (found[-1][0], day)
        size += rows
    return found


def parts(names: Sequence[str], counts: Mapping[str, int], most: int) -> list[list[str]]:
    """Files in the order of their days, in groups of so many rows at most, unless one day has more; none is in two."""
    found: list[list[str]] = []
    size = 0
    for name in names:
        rows = counts.get(name, 0)
        same_day = bool(found) and date_of(found[-1][-1]) == date_of(name)
        if not found or (size + rows > most and not same_day):
            found.append([])
            size = 0
        found[-1].append(name)
        size += rows
    return found


def merged(runs: Sequence[Run], rows: int, days: tuple[date, date], most: int) -> list[Run]:
    """The runs that a new one of so many rows takes up: small ones that share its days, and those grown as many.

    Together they have so many rows at most.
    """
    taken: list[Run] = []

    def take(group: Sequence[Run]) -> None:
        nonlocal rows
        for run in group:
            if rows + run.rows <= most:
                taken.append(run)
                rows += run.rows

    by_size = sorted(runs, key=lambda run: run.rows)
    take([run for run in by_size if run.rows <= _SMALL and run.first <= days[1] and days[0] <= run.last])
    while len(group := [run for run in by_size if run not in taken and run.rows <= _ALIKE * rows]) >= _FEW:
        before = len(taken)
        take(group)
        if len(taken) == before:
            break
    return taken


def date_of(name: str) -> date:
    """The day of a file of the events, which its name begins with."""
    return date.fromisoformat(name.partition("/")[0].rpartition("=")[2])


def days(part: Sequence[str]) -> tuple[date, date]:
    """The first and the last day of a part."""
    return date_of(part[0]), date_of(part[-1])
