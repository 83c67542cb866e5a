"""Two windows held against each other: what identities did that they had not done, no longer do, or do otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw

from investigate.trace.scope import within
from investigate.trace.shape import IDENTITY, fold, tidy

if TYPE_CHECKING:
    import polars as pl

    from investigate.events import Window
    from investigate.trace.people import Directory
    from investigate.trace.scope import Scope

WHAT: Final = ("resource", "action")
COLUMNS: Final = (
    *("change", "actor", "source", "tenant", *WHAT, "events", "baseline_events"),
    *("per_day", "baseline_per_day", "first", "last"),
)
_ONCE: Final = ("event_uid", "time", "events", "baseline_events")
_DAY: Final = 86_400


def compared(events: nw.LazyFrame[Any], scope: Scope, window: Window, baseline: Window) -> nw.LazyFrame[Any]:
    """How often each identity did what to which object, in each of two windows.

    Args:
        events: canonical events.
        scope: who, and on what; its own window does not count.
        window: what is asked about.
        baseline: what it is held against; an event in both counts for both.

    Returns:
        One row for each source, tenant, actor, `resource` and `action`: `events`, `baseline_events` (int), `first` and
        `last` (timestamp[us, UTC]) over both.
    """
    asked, held = within(window), within(baseline)
    rows = (
        replace(scope, window=None)
        .select(events.filter(asked | held))
        .with_columns(
            nw.when(asked).then(1).otherwise(0).alias("events"),
            nw.when(held).then(1).otherwise(0).alias("baseline_events"),
        )
    )
    return (
        rows.select(*IDENTITY, nw.col("touched").alias("resource"), "action", *_ONCE)
        .unique()  # an event may name a resource twice
        .group_by(*IDENTITY, *WHAT)
        .agg(
            nw.col("events").sum(),
            nw.col("baseline_events").sum(),
            nw.col("time").min().alias("first"),
            nw.col("time").max().alias("last"),
        )
    )


def changes(found: pl.DataFrame, directory: Directory, window: Window, baseline: Window, factor: float) -> pl.DataFrame:
    """What `compared` gave, by person, of which only what changed.

    Args:
        found: collected from `compared`.
        directory: which identities are one person.
        window: what is asked about.
        baseline: what it is held against.
        factor: by how much, up or down, events a day must differ to count as changed; more than 1.

    Returns:
        The columns of `COLUMNS`: `change` (new, gone or changed, in this order), `per_day` and `baseline_per_day`
        (float) are events a day of each window; within a change by the greater count of events, most first.
    """
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    rows = tidy(found).select("actor", "source", "tenant", *WHAT, "events", "baseline_events", "first", "last")
    rated = fold(rows, directory, WHAT).with_columns(
        (pl.col("events") / _days(window)).alias("per_day"),
        (pl.col("baseline_events") / _days(baseline)).alias("baseline_per_day"),
    )
    now, then = pl.col("per_day"), pl.col("baseline_per_day")
    # The windows' lengths times whole counts: no rounding decides what changed.
    more = pl.col("events") * _days(baseline) >= pl.col("baseline_events") * _days(window) * factor
    less = pl.col("baseline_events") * _days(window) >= pl.col("events") * _days(baseline) * factor
    change = (
        pl.when(then == 0)
        .then(pl.lit("new"))
        .when(now == 0)
        .then(pl.lit("gone"))
        .when(more | less)
        .then(pl.lit("changed"))
    )
    kept = rated.with_columns(change.alias("change")).filter(pl.col("change").is_not_null())
    rank = pl.col("change").replace_strict({"new": 0, "gone": 1, "changed": 2}, return_dtype=pl.Int64)
    extra = [name for name in kept.columns if name not in COLUMNS]
    greater = -pl.max_horizontal("events", "baseline_events")
    return kept.select(*COLUMNS, *extra).sort(rank, greater, "actor", "source", "tenant", *WHAT)


def _days(window: Window) -> float:
    return (window.end - window.start).total_seconds() / _DAY
