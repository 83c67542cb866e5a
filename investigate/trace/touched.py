"""Who touched: identities by what they did to the resources in scope. Frame in, frame out, on any engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw

from investigate.trace.people import Directory
from investigate.trace.scope import before, since
from investigate.trace.shape import IDENTITY, distinct, fold, ordered, tidy, with_lists

if TYPE_CHECKING:
    import polars as pl

    from investigate.events import Window

FACETS: Final = {
    "activities": "activity",
    "actions": "action",
    "resources": "resource",
    "src_ips": "src_ip",
    "credentials": "credential",
}
"""Column of the answer to the column whose distinct values it lists, sorted."""

COLUMNS: Final = (
    *("actor", "actor_name", "actor_email", "actor_type", "source", "tenant", "events", "first", "last"),
    *FACETS,
)
PHASES: Final = ("before", "during", "after")


def who_touched(touches: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Identities, most active first.

    Args:
        touches: see `rows`.

    Returns:
        One row for each source, tenant and actor: `actor_name`, `actor_email` and `actor_type` (string, the last in
        alphabetical order where they differ), `events` (int), `first` and `last` (timestamp[us, UTC]).
    """
    return (
        touches.group_by(*IDENTITY)
        .agg(
            nw.col("actor_name").max(),
            nw.col("actor_email").max(),
            nw.col("actor_type").max(),
            nw.col("share").sum().alias("events"),
            nw.col("first").min(),
            nw.col("last").max(),
        )
        .sort("events", "actor", "source", "tenant", descending=[True, False, False, False])
    )


def facets(touches: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """With what, from where and on what each identity acted: distinct combinations of the columns of `FACETS`."""
    return distinct(touches, *IDENTITY, *FACETS.values())


def matrix(touches: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Identity by object.

    Returns:
        One row for each source, tenant, actor and `resource`: `events` (int), `first` and `last`
        (timestamp[us, UTC]).
    """
    return (
        touches.filter(~nw.col("resource").is_null())
        .group_by(*IDENTITY, "resource")
        .agg(nw.col("events").sum(), nw.col("first").min(), nw.col("last").max())
    )


def phases(touches: nw.LazyFrame[Any], containment: Window) -> nw.LazyFrame[Any]:
    """How many events of each identity lie before, during and after a containment, which holds its start, not its end.

    Args:
        touches: one by one, of events.
        containment: when; may be empty, an instant.

    Returns:
        One row for each source, tenant and actor: `before`, `during`, `after` (int).
    """
    start, end = containment.start, containment.end
    tests = (before(start, "first"), since(start, "first") & before(end, "first"), since(end, "first"))
    share = nw.col("share")
    flags = [nw.when(test).then(share).otherwise(0).alias(name) for name, test in zip(PHASES, tests, strict=True)]
    return touches.with_columns(*flags).group_by(*IDENTITY).agg(*(nw.col(name).sum() for name in PHASES))


def assemble(
    identities: pl.DataFrame, found: pl.DataFrame, directory: Directory | None = None, split: pl.DataFrame | None = None
) -> pl.DataFrame:
    """The answer to "who touched": what `who_touched` and `facets` gave, as one frame with the columns of `COLUMNS`.

    Args:
        identities: collected from `who_touched`.
        found: collected from `facets`.
        directory: which of them are one person; nobody where None.
        split: collected from `phases`, whose columns come last.

    Returns:
        `identities` by events, most first, then actor, source and tenant, with a sorted list of strings for each of
        `FACETS`.
    """
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    rows = with_lists(tidy(identities), found, IDENTITY, FACETS).select(COLUMNS)
    if split is not None:
        rows = rows.join(tidy(split), on=list(IDENTITY), how="left")
    folded = fold(rows, directory or Directory())
    return ordered(folded, -pl.col("events"), "actor", "source", "tenant")


def by_exposure(frame: pl.DataFrame) -> pl.DataFrame:
    """Identities by how much of what was asked about is in their hands, most first.

    The order: distinct objects touched, then events, then whoever was there last, then actor, source and tenant.

    Returns:
        `frame` of `assemble` with `objects` (int) after `events`.
    """
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    counted = frame.with_columns(pl.col("resources").list.len().cast(pl.Int64).alias("objects"))
    names = [name for name in frame.columns if name != "objects"]
    at = names.index("events") + 1
    order = pl.col("objects"), pl.col("events"), pl.col("last")
    down = [True, True, True, False, False, False]
    return counted.select(*names[:at], "objects", *names[at:]).sort(
        *order, "actor", "source", "tenant", descending=down, maintain_order=True
    )


def matrix_rows(cells: pl.DataFrame, directory: Directory) -> pl.DataFrame:
    """What `matrix` gave, by person, in order: `actor`, `source`, `tenant`, `resource`, `events`, `first`, `last`."""
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    rows = tidy(cells).select("actor", "source", "tenant", "resource", "events", "first", "last")
    return ordered(fold(rows, directory, ["resource"]), -pl.col("events"), "actor", "source", "tenant", "resource")
