"""Touches: who did what to what, from where and with what, and how often; what questions about them group.

They come from events, one row for each object an event names, or summed up by the day from the lake's `touches`; a
question is the same function over both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw

from investigate.trace.shape import IDENTITY

if TYPE_CHECKING:
    import polars as pl

    from investigate.trace.scope import Scope

NAMES: Final = ("actor_name", "actor_email", "actor_type")
HOW: Final = ("action", "activity", "src_ip", "credential", "outcome")
COLUMNS: Final = (*IDENTITY, *NAMES, "resource", *HOW, "events", "share", "first", "last")
"""Columns of touches: `events` counts those that touched the resource; `share` counts each event in one row only."""


def of_events(events: nw.LazyFrame[Any], scope: Scope) -> nw.LazyFrame[Any]:
    """The touches of the events in scope, one by one.

    Args:
        events: canonical events.
        scope: what counts.

    Returns:
        The columns of `COLUMNS`, with `events` 1, and `share` 1 for one of an event's resources in scope and 0 for the
        others; `first` and `last` are the event's time.
    """
    told = (*IDENTITY, *NAMES, "resource", *HOW)
    once = scope.select(events).drop("resource").rename({"touched": "resource"})
    once = once.select(*told, "event_uid", "time").unique()  # an event may name a resource twice
    share = nw.lit(1)
    if not scope.one_resource:
        number = nw.col("event_uid").cum_count().over("source", "tenant", "event_uid", "time", order_by="resource")
        once = once.with_columns(number.alias("number"))
        share = nw.when(nw.col("number") == 1).then(1).otherwise(0)
    time = nw.col("time")
    return once.select(*told, nw.lit(1).alias("events"), share.alias("share"), time.alias("first"), time.alias("last"))


def counted(touches: pl.DataFrame, scope: Scope) -> pl.DataFrame | None:
    """The touches in scope of what was looked up in the lake's `touches`, as `of_events` has them.

    Args:
        touches: rows of `touches`, as the lake keeps them: all in the scope's window, by what was looked up.
        scope: what counts; not by e-mail address, which a day's sum does not tell apart.

    Returns:
        The columns of `COLUMNS`; None where only the events tell: where a touch lies partly outside the window, or
        events in it name several of the resources in scope.
    """
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    rows: pl.DataFrame = scope.having(nw.from_native(touches)).to_native()
    window = scope.window
    if window and rows.filter((pl.col("first") < window.start) | (pl.col("last") >= window.end)).height:
        return None
    share = "main" if not scope.resources else "events"
    if share == "events" and not scope.one_resource and rows["several"].sum():
        return None
    return rows.with_columns(pl.col(share).alias("share")).select(COLUMNS)
