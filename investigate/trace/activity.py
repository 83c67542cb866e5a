"""What an identity did: objects, actions, from where and with what, in which sessions, and what of it was new."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw

from investigate.trace.scope import within
from investigate.trace.shape import IDENTITY, as_sets, by_events, distinct, fold, ordered, tidy, with_lists

if TYPE_CHECKING:
    from datetime import timedelta

    import polars as pl

    from investigate.events import Window
    from investigate.trace.people import Directory
    from investigate.trace.scope import Scope

WHAT: Final = ("resource", "action", "activity")
MEANS: Final = {"src_ips": "src_ip", "credentials": "credential"}
"""Column of the answer to the column whose distinct values it lists, sorted."""
SESSION_MEANS: Final = {**MEANS, "user_agents": "user_agent"}
"""The same of a session."""
NEW: Final = {
    "resource": "resource",
    "action": "action",
    "src_ip": "src_ip",
    "user_agent": "user_agent",
    "credential": "credential",
}
"""Kind of a value that can be new to the column it stands in."""

COLUMNS: Final = ("actor", "source", "tenant", *WHAT, "events", "first", "last", *MEANS)
SESSION_COLUMNS: Final = ("actor", "source", "tenant", "session", "events", "first", "last", *SESSION_MEANS)
NEW_COLUMNS: Final = ("actor", "source", "tenant", "kind", "value", "events", "first", "last")


def did(touches: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """What each identity did to what, from where and with what.

    Args:
        touches: see `rows`.

    Returns:
        One row for each identity, `resource`, `action`, `activity`, `src_ip` and `credential`: `events` (int), `first`
        and `last` (timestamp[us, UTC]).
    """
    keys = (*IDENTITY, *WHAT, *MEANS.values())
    return touches.group_by(*keys).agg(nw.col("events").sum(), nw.col("first").min(), nw.col("last").max())


def sessions(events: nw.LazyFrame[Any], scope: Scope, gap: timedelta) -> nw.LazyFrame[Any]:
    """Every event with the number of its session: one ends where nothing follows for longer than `gap`.

    Returns:
        `source`, `tenant`, `actor`, `event_uid`, `time`, `src_ip`, `credential`, `user_agent` and `session` (int, from
        0 for each identity).
    """
    order = ("time", "event_uid")
    once = scope.narrow(events).select(*IDENTITY, *order, *SESSION_MEANS.values())
    before = once.with_columns(nw.col("time").shift(1).over(*IDENTITY, order_by=order).alias("before"))
    breaks = before.with_columns(
        nw.when(nw.col("time") - nw.col("before") > gap).then(1).otherwise(0).alias("breaks"),
    )
    counted = nw.col("breaks").cum_sum().over(*IDENTITY, order_by=order).alias("session")
    return breaks.with_columns(counted).drop("before", "breaks")


def session_spans(numbered: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """What `sessions` gave, one row a session: `events` (int), `first` and `last` (timestamp[us, UTC])."""
    return numbered.group_by(*IDENTITY, "session").agg(
        nw.len().alias("events"),
        nw.col("time").min().alias("first"),
        nw.col("time").max().alias("last"),
    )


def session_means(numbered: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """From where and with what the events of a session came: distinct combinations."""
    return distinct(numbered, *IDENTITY, "session", *SESSION_MEANS.values())


def seen(events: nw.LazyFrame[Any], scope: Scope, window: Window, baseline: Window) -> nw.LazyFrame[Any]:
    """How often each identity met each object, action, address, user agent and credential, in two windows.

    Args:
        events: canonical events.
        scope: who, and on what; its own window does not count.
        window: what is asked about.
        baseline: what it is held against; an event in both counts for the baseline.

    Returns:
        One row for each `kind` and `value` that is not null: `events`, `baseline_events` (int), `first` and `last`
        (timestamp[us, UTC]) over both.
    """
    spanned = _named(events.filter(within(window) | within(baseline)), replace(scope, window=None))
    known = nw.when(within(baseline)).then(1).otherwise(0).alias("baseline_events")
    flagged = spanned.with_columns(known)
    kinds = [
        flagged.select(
            *IDENTITY,
            nw.lit(kind).alias("kind"),
            nw.col(column).alias("value"),
            *("event_uid", "time", "baseline_events"),
        )
        for kind, column in NEW.items()
    ]
    there = nw.concat(kinds, how="vertical").filter(~nw.col("value").is_null())
    return (
        distinct(there, *IDENTITY, "kind", "value", "event_uid", "time", "baseline_events")
        .with_columns((1 - nw.col("baseline_events")).alias("events"))
        .group_by(*IDENTITY, "kind", "value")
        .agg(
            nw.col("events").sum(),
            nw.col("baseline_events").sum(),
            nw.col("time").min().alias("first"),
            nw.col("time").max().alias("last"),
        )
    )


def activity_rows(found: pl.DataFrame, directory: Directory) -> pl.DataFrame:
    """What `did` gave, by person, most often done first, with the columns of `COLUMNS`."""
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    rows, sums = tidy(found), (pl.col("events").sum(), pl.col("first").min(), pl.col("last").max())
    several = rows.select(*IDENTITY, *WHAT).is_duplicated()  # few are, and to group takes longest
    one = rows.filter(~several).with_columns(pl.concat_list(column).alias(name) for name, column in MEANS.items())
    lists = (pl.col(column).alias(name) for name, column in MEANS.items())
    more = rows.filter(several).group_by(*IDENTITY, *WHAT).agg(*sums, *lists)
    listed = as_sets(pl.concat([one.select(COLUMNS), more.select(COLUMNS)]), *MEANS)
    return by_events(fold(listed, directory, WHAT), "actor", "source", "tenant", *WHAT)


def session_rows(spans: pl.DataFrame, found: pl.DataFrame, directory: Directory, gap: timedelta) -> pl.DataFrame:
    """Sessions by person, in order, with the columns of `SESSION_COLUMNS`, numbered from 1 for each.

    Sessions of one person in several sources that lie within `gap` of each other are one: the same as numbering all
    of the person's events together.
    """
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    rows = with_lists(tidy(spans), found, [*IDENTITY, "session"], SESSION_MEANS).select(SESSION_COLUMNS)
    keys = [directory.person(source, actor) for source, actor in rows.select("source", "actor").iter_rows()]
    who = pl.Series("who", keys, dtype=pl.String)
    apart = pl.when(who.is_null()).then(pl.concat_str("source", "tenant", "actor", separator="\x1f"))
    timed = rows.with_columns(who, apart.alias("apart")).sort("first", "last")
    over = ["who", "apart"]
    reached = pl.col("last").cum_max().shift(1).over(over)
    begins = (pl.col("first") - reached > gap).fill_null(value=False)
    merged = timed.with_columns(begins.cast(pl.Int64).alias("begins")).with_columns(
        (pl.col("begins").cum_sum().over(over) + 1).alias("session")
    )
    folded = fold(merged.select(SESSION_COLUMNS), directory, ["session"])
    return ordered(folded, "first", "actor", "source", "tenant", "session")


def new_rows(found: pl.DataFrame, directory: Directory) -> pl.DataFrame:
    """Of what `seen` gave, what no alias of the person met in the baseline, in order of time; see `NEW_COLUMNS`."""
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    rows = tidy(found).select(*NEW_COLUMNS, "baseline_events")
    fresh = fold(rows, directory, ["kind", "value"]).filter(pl.col("baseline_events") == 0)
    return ordered(fresh.drop("baseline_events"), "first", "actor", "source", "tenant", "kind", "value")


def _named(events: nw.LazyFrame[Any], scope: Scope) -> nw.LazyFrame[Any]:
    """The events in scope, one row for each resource, under the name the answer gives it."""
    return scope.select(events).drop("resource").rename({"touched": "resource"})
