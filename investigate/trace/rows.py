"""Touches: who did what to what, from where and with what, and how often; what questions about them group.

They come from events, one row for each object an event names, or summed up by the day from the lake's `touches`; a
question is the same function over both.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw

from investigate.events import Window
from investigate.trace.scope import before, since
from investigate.trace.shape import IDENTITY, distinct

if TYPE_CHECKING:
    from datetime import date

    import polars as pl

    from investigate.trace.scope import Scope

NAMES: Final = ("actor_name", "actor_email", "actor_type")
HOW: Final = ("action", "activity", "src_ip", "credential", "outcome")
COLUMNS: Final = (*IDENTITY, *NAMES, "resource", *HOW, "events", "share", "first", "last")
"""Columns of touches: `events` counts those that touched the resource; `share` counts each event in one row only."""


def of_events(events: nw.LazyFrame[Any], scope: Scope, *, sharing: bool = True) -> nw.LazyFrame[Any]:
    """The touches of the events in scope, one by one.

    Args:
        events: canonical events.
        scope: what counts.
        sharing: whether `share` is asked for; without, it says nothing.

    Returns:
        The columns of `COLUMNS`, with `events` 1, and `share` 1 for one of an event's resources in scope and 0 for the
        others; `first` and `last` are the event's time.
    """
    told = (*IDENTITY, *NAMES, "resource", *HOW)
    once = scope.select(events).drop("resource").rename({"touched": "resource"})
    once = distinct(once, *told, "event_uid", "time")  # an event may name a resource twice
    share = nw.lit(1)
    if sharing and not scope.one_resource:
        number = nw.col("event_uid").cum_count().over("source", "tenant", "event_uid", "time", order_by="resource")
        once = once.with_columns(number.alias("number"))
        share = nw.when(nw.col("number") == 1).then(1).otherwise(0)
    counts = (nw.lit(1).cast(nw.Int64).alias("events"), share.cast(nw.Int64).alias("share"))
    return once.select(*told, *counts, nw.col("time").alias("first"), nw.col("time").alias("last"))


def of_actions(events: nw.LazyFrame[Any], scope: Scope) -> nw.LazyFrame[Any]:
    """Each event in scope once, whatever it names: the columns of `COLUMNS`, `resource` being the first one named."""
    one, at = nw.lit(1).cast(nw.Int64), nw.col("time")
    counts, ends = (one.alias("events"), one.alias("share")), (at.alias("first"), at.alias("last"))
    return scope.narrow(events).select(*IDENTITY, *NAMES, "resource", *HOW, *counts, *ends)


def of_sums(sums: nw.LazyFrame[Any], scope: Scope, days: Window) -> nw.LazyFrame[Any]:
    """The touches in scope of some whole days, from the lake's `touches`.

    Args:
        sums: all rows of `touches`, with `first` and `last`.
        scope: what counts; its window does not.
        days: from midnight to midnight, UTC.

    Returns:
        The columns of `COLUMNS` and `several`; `share` is right where no row's `several` is more than 0, or where the
        scope names no resource.
    """
    inside = since(days.start, "first") & before(days.end, "first")
    share = nw.col("main" if scope.everything else "events").alias("share")
    rows = scope.having(sums.filter(inside))
    return rows.with_columns(share).select(*COLUMNS, "several")


def cut(window: Window) -> tuple[Window | None, list[Window]]:
    """The whole days of a window, UTC, and the parts of days at its ends."""
    first, last = _whole(window.start.date()), _whole(window.end.date())
    dawn = first.start if window.start == first.start else first.end
    dusk = last.start
    if dawn > dusk:  # all within one day
        return None, [window]
    parts = [Window(window.start, dawn), Window(dusk, window.end)]
    return Window(dawn, dusk) if dawn < dusk else None, [part for part in parts if part.start < part.end]


def counted(touches: pl.DataFrame, scope: Scope, *, sharing: bool = True) -> tuple[pl.DataFrame, list[Window]] | None:
    """The touches in scope of what was looked up in the lake's `touches`, as `of_events` has them.

    Args:
        touches: rows of `touches`, as the lake keeps them: all in the scope's window, by what was looked up.
        scope: what counts; not by e-mail address, which a day's sum does not tell apart.
        sharing: see `of_events`.

    Returns:
        The columns of `COLUMNS`, but for the days, cut by the window, on which a touch lies partly outside of it: the
        part of each in the window comes with them, and of it only the events tell. None where only the events tell at
        all: where events name several of the resources in scope.
    """
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    rows: pl.DataFrame = scope.having(nw.from_native(touches)).to_native()
    if sharing and not scope.one_resource and not scope.everything and rows["several"].sum():
        return None
    parts = []
    if scope.window and _cuts(rows, scope.window):
        outside = (pl.col("first") < scope.window.start) | (pl.col("last") >= scope.window.end)
        days = rows.filter(outside)["date"].unique().sort()
        rows = rows.filter(~pl.col("date").is_in(days.to_list()))
        parts = [part for day in days if (part := scope.window.intersect(_whole(day)))]
    share = pl.col("main" if scope.everything else "events").alias("share")
    return rows.with_columns(share).select(COLUMNS), parts


def _cuts(rows: pl.DataFrame, window: Window) -> bool:
    """Whether a touch lies partly outside of a window."""
    first, last = rows["first"].min(), rows["last"].max()
    return isinstance(first, datetime) and isinstance(last, datetime) and (first < window.start or last >= window.end)


def _whole(day: date) -> Window:
    start = datetime.combine(day, time(), UTC)
    last = datetime.max.replace(tzinfo=UTC)
    return Window(start, start + timedelta(days=1) if day < last.date() else last)
