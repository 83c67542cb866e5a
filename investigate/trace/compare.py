"""Two windows held against each other: what identities did that they had not done, no longer do, or do otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw

from investigate.trace.shape import IDENTITY, fold, ordered, tidy

if TYPE_CHECKING:
    import polars as pl

    from investigate.events import Window
    from investigate.trace.people import Directory

WHAT: Final = ("resource", "action")
COLUMNS: Final = (
    *("change", "actor", "source", "tenant", *WHAT, "events", "baseline_events"),
    *("per_day", "baseline_per_day", "first", "last"),
)
_DAY: Final = 86_400


def done(touches: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """How often each identity did what to which object.

    Args:
        touches: of a window, see `rows`.

    Returns:
        One row for each source, tenant, actor, `resource` and `action`: `events` (int), `first` and `last`
        (timestamp[us, UTC]).
    """
    return touches.group_by(*IDENTITY, *WHAT).agg(nw.col("events").sum(), nw.col("first").min(), nw.col("last").max())


def changes(
    found: pl.DataFrame,
    held: pl.DataFrame,
    directory: Directory,
    window: Window,
    baseline: Window,
    factor: float,
) -> pl.DataFrame:
    """What `done` gave of two windows, by person, of which only what changed.

    Args:
        found: collected from `done`, of the window.
        held: the same of the baseline; an event in both counts for both.
        directory: which identities are one person.
        window: what is asked about.
        baseline: what it is held against.
        factor: by how much, up or down, events a day must differ to count as changed; more than 1.

    Returns:
        The columns of `COLUMNS`: `change` (new, gone or changed, in this order), `per_day` and `baseline_per_day`
        (float) are events a day of each window; within a change by the greater count of events, most first.
    """
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    keys, ends = ("actor", "source", "tenant", *WHAT), ("first", "last")
    none = pl.lit(0, pl.Int64)
    now = tidy(found).select(*keys, "events", none.alias("baseline_events"), *ends)
    then = tidy(held).select(*keys, none.alias("events"), pl.col("events").alias("baseline_events"), *ends)
    both = pl.concat([now, then], how="vertical_relaxed").group_by(keys)
    rows = both.agg(pl.col("events", "baseline_events").sum(), pl.col("first").min(), pl.col("last").max())
    rated = fold(rows, directory, WHAT).with_columns(
        (pl.col("events") / _days(window)).alias("per_day"),
        (pl.col("baseline_events") / _days(baseline)).alias("baseline_per_day"),
    )
    # The windows' lengths times whole counts: no rounding decides what changed.
    more = pl.col("events") * _days(baseline) >= pl.col("baseline_events") * _days(window) * factor
    less = pl.col("baseline_events") * _days(window) >= pl.col("events") * _days(baseline) * factor
    change = (
        pl.when(pl.col("baseline_events") == 0)
        .then(pl.lit("new"))
        .when(pl.col("events") == 0)
        .then(pl.lit("gone"))
        .when(more | less)
        .then(pl.lit("changed"))
    )
    kept = rated.with_columns(change.alias("change")).filter(pl.col("change").is_not_null())
    rank = pl.col("change").replace_strict({"new": 0, "gone": 1, "changed": 2}, return_dtype=pl.Int64)
    extra = [name for name in kept.columns if name not in COLUMNS]
    greater = -pl.max_horizontal("events", "baseline_events")
    return ordered(kept.select(*COLUMNS, *extra), rank, greater, "actor", "source", "tenant", *WHAT)


def _days(window: Window) -> float:
    return (window.end - window.start).total_seconds() / _DAY
