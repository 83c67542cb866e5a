"""All identities there are, people in front, each with all its aliases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from investigate.trace.people import PEOPLE
from investigate.trace.shape import IDENTITY, fold, ordered, tidy

if TYPE_CHECKING:
    import polars as pl

    from investigate.trace.people import Directory

COLUMNS: Final = ("actor", "actor_type", "source", "tenant", "names", "emails", "events", "first", "last", "basis")


def identity_rows(found: pl.DataFrame, directory: Directory) -> pl.DataFrame:
    """What `people.known_actors` gave, one row an identity.

    Args:
        found: collected.
        directory: which actors are one person.

    Returns:
        The columns of `COLUMNS`: `actor` (string, of a person its name), `actor_type`, `source`, `tenant` (string),
        `names` and `emails` (sorted lists), `events` (int), `first`, `last` (timestamp[us, UTC]), `basis` (string, how
        its aliases are known, empty for an actor that has none); `aliases` (list) where anybody has one. By events,
        most first, then actor, source and tenant.
    """
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    actors = (
        tidy(found)
        .group_by(IDENTITY)
        .agg(
            pl.col("actor_type").max(),
            pl.col("actor_name").drop_nulls().unique().sort().alias("names"),
            pl.col("actor_email").drop_nulls().unique().sort().alias("emails"),
            pl.col("events").sum(),
            pl.col("first").min(),
            pl.col("last").max(),
        )
    )
    said = [directory.said(source, actor) for source, actor in actors.select("source", "actor").iter_rows()]
    rows = actors.with_columns(pl.Series("basis", said, dtype=pl.String)).select(COLUMNS)
    return ordered(fold(rows, directory), -pl.col("events"), "actor", "source", "tenant")


def apart(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """People, and apart from them bots, services and systems; who has no type counts as a person."""
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    person = pl.col("actor_type").is_in(list(PEOPLE)).fill_null(value=True)
    return rows.filter(person), rows.filter(~person)
