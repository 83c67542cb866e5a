"""All that a case holds, as it must be whatever befell those who brought it there; and what must not be left."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb
import polars as pl

import investigate
from investigate.lake.touches import BY_RESOURCE, COLUMNS, KEY, ORDERS, read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from investigate.case import Case
    from investigate.lake.table import Table
    from investigate.lake.touches import Order

_PLACE: Final = ("source", "tenant", "event_uid", "evidence_record")
_LOG: Final = re.compile(r"\d{20}(?:\.checkpoint\.parquet|\.crc|\.json)|_last_checkpoint")
_SUMS: Final = f"""
    WITH named AS (
        SELECT *, list_filter(coalesce(resources, []), lambda one: one IS NOT NULL) AS objects FROM events),
    spread AS (
        SELECT * EXCLUDE (resource), unnest(if(objects = [], [NULL], list_distinct(objects))) AS resource FROM named)
    SELECT {", ".join(KEY)}, count(*) AS events, count(*) FILTER (resource IS NOT DISTINCT FROM objects[1]) AS main,
        count(*) FILTER (len(list_distinct(objects)) > 1) AS several, min(time) AS first, max(time) AS last,
        max(actor_name) AS actor_name, max(actor_email) AS actor_email, max(actor_type) AS actor_type
    FROM spread GROUP BY ALL ORDER BY ALL"""


@dataclass(frozen=True)
class Contents:
    """What a case holds.

    Attributes:
        events: all columns, in order of source, tenant, id and place.
        rejects: source, reason and place.
        coverage: without who brought it.
        counts: received, stored, duplicate and rejected, summed over what is done.
        files: how many files the events lie in.
        requests: the states of the exports asked for.
    """

    events: pl.DataFrame
    rejects: pl.DataFrame
    coverage: pl.DataFrame
    counts: tuple[int, ...]
    files: int
    requests: tuple[str, ...]

    def differs(self, other: Contents) -> Iterator[str]:
        """What is not the same, by name."""
        for name in ("events", "rejects", "coverage"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if not mine.equals(theirs):
                yield f"{name}: {mine.height} rows, not the {theirs.height} there should be, or others"
        for name in ("counts", "files", "requests"):
            if getattr(self, name) != getattr(other, name):
                yield f"{name}: {getattr(self, name)}, not {getattr(other, name)}"


def contents(folder: Path, *, but: tuple[str, ...] = (), passing: str = "") -> Contents:
    """Read a case.

    Args:
        folder: of the case.
        but: columns of the events that may differ from run to run.
        passing: what may differ inside the records, as a regular expression.
    """
    case = investigate.open(folder)
    with case.lake.connect() as connection:
        events = pl.DataFrame(connection.sql(f"FROM events ORDER BY {', '.join(_PLACE)}").to_arrow_table())
        rejects = pl.DataFrame(
            connection.sql("SELECT source, reason, excerpt, evidence_record FROM rejects ORDER BY ALL").to_arrow_table()
        )
    coverage = case.coverage("2000-01-01", "2100-01-01").drop("acquisition").unique()
    done = [row.counts for row in case.journal.acquisitions() if row.counts]
    return Contents(
        events.drop(but).with_columns(pl.col("raw").str.replace_all(passing, "") if passing else pl.col("raw")),
        rejects,
        coverage.sort("source", "tenant", "from", "to", "state"),
        tuple(sum(getattr(one, name) for one in done) for name in ("received", "stored", "duplicate", "rejected")),
        len(case.lake.events.snapshot().files),
        tuple(str(request.state) for request in case.journal.requests()),
    )


def faults(folder: Path) -> list[str]:
    """What must not be so in any case that nobody works on: one sentence each."""
    case = investigate.open(folder)
    return [*_left(case), *_uncounted(case), *_unsound(case), *_not_summed(case)]


def _left(case: Case) -> Iterator[str]:
    """Temporary files; files of the lake that no version has."""
    for name in ("evidence/.incoming", "lake/.staging", ".leases"):
        yield from (f"left: {path}" for path in sorted((Path(case.path) / name).glob("*")))
    yield from (f"left: {path}" for path in sorted(Path(case.path).glob(".case.toml*")))
    tables = [case.lake.events, case.lake.rejects, *(runs.table for runs in case.lake.orders.values())]
    for table in tables:
        known = _ever_added(table)
        for stored in table.storage.listed():
            inside = stored.name.removeprefix("_delta_log/")
            if inside == stored.name and stored.name not in known:
                yield f"no version has {table.storage.uri}/{stored.name}"
            if inside != stored.name and not _LOG.fullmatch(inside):
                yield f"no part of the log: {table.storage.uri}/{stored.name}"


def _ever_added(table: Table) -> set[str]:
    commits = [stored.name for stored in table.storage.listed("_delta_log") if stored.name.endswith(".json")]
    actions = [json.loads(line) for name in commits for line in (table.storage.read(name) or b"").splitlines()]
    return {action["add"]["path"] for action in actions if "add" in action}


def _uncounted(case: Case) -> Iterator[str]:
    """Acquisitions that are not done, or whose sum does not hold; events that no acquisition stored."""
    stored = 0
    for row in case.journal.acquisitions():
        counts = row.counts
        if row.state in {"running", "recorded"}:
            yield f"acquisition {row.id} is {row.state}"
        if counts and counts.received != counts.stored + counts.duplicate + counts.rejected:
            yield f"acquisition {row.id}: {counts}"
        stored += counts.stored if counts else 0
    events = case.lake.info()["events"]
    if events != stored:
        yield f"the lake has {events} events, of which acquisitions stored {stored}"


def _unsound(case: Case) -> Iterator[str]:
    yield from (f"evidence: {finding.message}" for finding in case.verify().findings if finding.severity == "error")


def _not_summed(case: Case) -> Iterator[str]:
    """Orders of touches that are not the sum of the events, by a query of our own."""
    lake = case.lake
    version = lake.events.snapshot().version
    with lake.connect() as connection:
        wanted = connection.sql(_SUMS).to_arrow_table().to_pylist()
    for order in ORDERS:
        own = lake.orders[order.name]
        if order is not BY_RESOURCE and own.events_version is None:
            continue  # of so few rows it is not kept
        found = own.files(version=version)
        if found is None:
            yield f"{order.name} sums up another version than {version}"
        elif _merged(order, found) != wanted:
            yield f"{order.name} is not the sum of the events"


def _merged(order: Order, files: list[str]) -> list[dict[str, Any]]:
    """The rows of an order, those of one key as one: runs that share days may each have it."""
    if not files:
        return []
    columns = read(order) if "span" in order.columns else ", ".join(COLUMNS)
    with duckdb.connect() as engine:
        engine.execute("SET TimeZone = 'UTC'")
        merged = engine.sql(
            f"""SELECT {", ".join(KEY)}, sum(events)::BIGINT AS events, sum(main)::BIGINT AS main,
                sum(several)::BIGINT AS several, min("first") AS "first", max("last") AS "last",
                max(actor_name) AS actor_name, max(actor_email) AS actor_email, max(actor_type) AS actor_type
            FROM (SELECT {columns} FROM read_parquet($files)) GROUP BY ALL ORDER BY ALL""",
            params={"files": files},
        )
        return list(merged.to_arrow_table().to_pylist())
