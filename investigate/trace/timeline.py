"""Events in order over all sources, and the spans for which there are none because nobody collected them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from investigate.trace.shape import distinct

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    import narwhals as nw
    import polars as pl

    from investigate.trace.people import Directory
    from investigate.trace.scope import Scope

ORDER: Final = ("time", "source", "tenant", "event_uid")
"""The order of a timeline: what happened at one instant stands by source, tenant and id, the same in every run."""
COLUMNS: Final = (
    *("time", "until", "kind", "source", "tenant", "actor", "actor_name", "actor_type", "action", "activity"),
    *("resource", "resources", "src_ip", "credential", "user_agent", "request_uid", "outcome"),
    *("event_uid", "evidence", "evidence_record", "note"),
)
_OWN: Final = ("until", "kind", "note")


def timeline(events: nw.LazyFrame[Any], scope: Scope, most: int) -> nw.LazyFrame[Any]:
    """The first events in scope, each once, in `ORDER`: at most `most`, and one more, which tells that it is cut."""
    found = scope.narrow(events)
    if scope.resources or scope.patterns:
        named = distinct(scope.select(events), "source", "tenant", "event_uid", "time")
        found = found.join(named, on=["source", "tenant", "event_uid", "time"], how="semi")
    return found.select(*(name for name in COLUMNS if name not in _OWN)).sort(*ORDER).head(most + 1)


def with_gaps(
    found: pl.DataFrame, gaps: Iterable[tuple[datetime, datetime, str | None, str | None, str]], directory: Directory
) -> pl.DataFrame:
    """Events with the gaps of coverage between them, as rows.

    Args:
        found: collected from `timeline`.
        gaps: start, end, source, tenant and what is known of it, of each.
        directory: which actors are one person.

    Returns:
        The columns of `COLUMNS`, by time, a gap before the event at its start: `kind` is `event` or `gap`; a gap has
        `time`, `until` (timestamp[us, UTC]), `source`, `tenant` and `note`, an event everything but `until` and `note`.
        Where there are aliases, `person` (string) after them.
    """
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    moment = pl.Datetime("us", "UTC")
    events = found.with_columns(
        pl.lit(None, moment).alias("until"), pl.lit("event").alias("kind"), pl.lit(None, pl.String).alias("note")
    ).select(COLUMNS)
    text = pl.String()
    schema: dict[str, pl.DataType] = {"time": moment, "until": moment, "source": text, "tenant": text, "note": text}
    holes = pl.DataFrame(list(gaps), schema=schema, orient="row").with_columns(pl.lit("gap").alias("kind"))
    rows = pl.concat([events, holes], how="diagonal").sort(
        "time", pl.col("kind") == "event", *ORDER[1:], nulls_last=False, maintain_order=True
    )
    if not directory:
        return rows
    keys = rows.select("source", "actor").iter_rows()
    persons = [directory.person(source, actor) if actor else None for source, actor in keys]
    return rows.with_columns(pl.Series("person", persons, dtype=pl.String))
