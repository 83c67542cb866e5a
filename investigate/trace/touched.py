"""Who touched: identities by what they did to the resources in scope. Frame in, frame out, on any engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw

if TYPE_CHECKING:
    import polars as pl

    from investigate.trace.scope import Scope

IDENTITY: Final = ("source", "tenant", "actor")
FACETS: Final = {
    "activities": "activity",
    "actions": "action",
    "resources": "touched",
    "src_ips": "src_ip",
    "credentials": "credential",
}
"""Column of the answer to the column whose distinct values it lists, sorted."""

COLUMNS: Final = (
    *("actor", "actor_name", "actor_email", "actor_type", "source", "tenant", "events", "first", "last"),
    *FACETS,
)


def who_touched(events: nw.LazyFrame[Any], scope: Scope) -> nw.LazyFrame[Any]:
    """Identities that touched a resource in scope, most active first.

    Args:
        events: canonical events.
        scope: what counts.

    Returns:
        One row for each source, tenant and actor: `actor_name`, `actor_email` and `actor_type` (string, the last in
        alphabetical order where they differ), `events` (int), `first` and `last` (timestamp[us, UTC]).
    """
    return (
        scope.select(events)
        .group_by(*IDENTITY)
        .agg(
            nw.col("actor_name").max(),
            nw.col("actor_email").max(),
            nw.col("actor_type").max(),
            nw.col("event_uid").n_unique().alias("events"),
            nw.col("time").min().alias("first"),
            nw.col("time").max().alias("last"),
        )
        .sort("events", "actor", "source", "tenant", descending=[True, False, False, False])
    )


def facets(events: nw.LazyFrame[Any], scope: Scope) -> nw.LazyFrame[Any]:
    """With what, from where and on what each identity acted: distinct combinations of the columns of `FACETS`."""
    return scope.select(events).select(*IDENTITY, *FACETS.values()).unique()


def assemble(identities: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """The answer to "who touched": what `who_touched` and `facets` gave, as one frame with the columns of `COLUMNS`.

    Args:
        identities: collected from `who_touched`.
        found: collected from `facets`.

    Returns:
        `identities` in its order, with a sorted list of strings for each of `FACETS`.
    """
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    lists = found.group_by(IDENTITY).agg(
        pl.col(column).drop_nulls().unique().sort().alias(name) for name, column in FACETS.items()
    )
    joined = identities.join(lists, on=IDENTITY, how="left", maintain_order="left")
    return joined.with_columns(pl.col("events").cast(pl.Int64)).select(COLUMNS)
