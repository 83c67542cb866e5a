"""A year of DevRev-shaped events for the benchmarks: skewed actors, 2 million objects, no day like another."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from investigate.events import Window
from investigate.journal import Counts, CoverageState, Interval
from investigate.lake import parquet
from investigate.lake.scratch import Scratch
from investigate.lake.table import Change

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb
    from deltalake.transaction import AddAction

    from investigate.case import Case

DAYS: Final = 365
START: Final = date(2026, 1, 1)
ACTORS: Final = 5_000
OBJECTS: Final = 2_000_000
ACTOR: Final = "don:identity:dvrv-us-1:devo/4tQ9mer1d:devu/{}"
RESOURCE: Final = "don:core:dvrv-us-1:devo/4tQ9mer1d:{}/{}"
KINDS: Final = ("ticket", "issue", "part", "account", "article")
VERBS: Final = ("get", "list", "update", "create", "delete", "export", "search", "download")
_STEP: Final = 5
"""Days that are made at a time."""


def window(days: int, first: int = 180) -> Window:
    """So many whole days, from a day in the middle of the year; 365 is all of it."""
    start = datetime.combine(START, datetime.min.time(), UTC) + timedelta(days=0 if days >= DAYS else first)
    return Window(start, start + timedelta(days=days))


def events(first: int, last: int, total: int) -> str:
    """The query that makes the events from number `first` to before `last`, of `total` in the year."""

    def unit(salt: int) -> str:
        return f"(hash(i * 16 + {salt}) / 18446744073709551616.0)"

    kinds, verbs = json.dumps(KINDS).replace('"', "'"), json.dumps(VERBS).replace('"', "'")
    activities = "['read', 'read', 'update', 'create', 'delete', 'read', 'read', 'read']"
    raw = """'{"id":"' || event_uid || '","timestamp":"' || strftime(time AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')
        || '","event_type":"' || action || '","operation_type":"' || activity
        || '","actor":{"id":"' || actor || '","email":"' || actor_email || '","display_name":"' || actor_name
        || '","type":"' || actor_type || '"},"token_id":"' || coalesce(credential, '') || '","object":{"id":"'
        || resource || '","type":"' || split_part(action, '_', 2) || '"},"request":{"ip":"' || src_ip
        || '","user_agent":"' || user_agent || '","id":"' || request_uid || '","path":"/internal/'
        || replace(action, '_', '.') || '"},"outcome":"' || outcome || '","org":"DEV-4tQ9mer1d"}'"""
    return f"""
        WITH dice AS (
            SELECT i, (i * {DAYS} // {total})::INT AS day, floor({ACTORS} * pow({unit(1)}, 3))::INT AS a,
                floor({OBJECTS} * pow({unit(2)}, 1.5))::INT AS r, {unit(3)} AS where_from,
                floor(40 * pow({unit(4)}, 2))::INT AS act, {unit(5)} AS went, floor(3 * {unit(6)})::INT AS desk,
                floor(3 * pow({unit(7)}, 2))::INT AS key
            FROM range({first}, {last}) t(i)),
        told AS (
            SELECT printf('%016x%016x', hash(i * 16 + 8), hash(i * 16 + 9)) AS event_uid,
                (TIMESTAMP '{START}' + to_days(day) + to_microseconds(floor(86400e6 * {unit(10)})::BIGINT))::TIMESTAMPTZ
                    AS time,
                DATE '{START}' + day AS date, 'devrev' AS source, 'acme' AS tenant,
                '{ACTOR.format("")}' || a AS actor, 'User ' || hash(a) % 100000 AS actor_name,
                'user' || a || '@acme.example' AS actor_email, if(a % 50 = 0, 'service', 'user') AS actor_type,
                if(hash(a * 3 + key) % 4 = 0, NULL, printf('tok_%08x', (hash(a * 3 + key) % 4294967296)::BIGINT))
                    AS credential,
                ({verbs})[1 + act % 8] || '_' || ({kinds})[1 + act // 8] AS action, 'core' AS category,
                ({activities})[1 + act % 8] AS activity,
                '{RESOURCE.format("", "").rstrip("/")}' || ({kinds})[1 + r % 5] || '/' || r AS resource,
                ({kinds})[1 + r % 5] AS resource_type, NULL::VARCHAR AS resource_name,
                if(where_from < 0.05, '203.0.113.' || floor(where_from * 5000)::INT, '10.' || hash(a * 4 + desk) % 256
                    || '.' || (hash(a * 4 + desk) >> 8) % 256 || '.' || (hash(a * 4 + desk) >> 16) % 256) AS src_ip,
                'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 build/' || hash(a * 2 + desk % 2) % 300
                    AS user_agent,
                printf('%016x', hash(i * 16 + 11)) AS request_uid, if(went < 0.02, 'failure', 'success') AS outcome
            FROM dice)
        SELECT *, [resource] AS resources, {raw} AS raw, '{"0" * 64}' AS evidence,
            (row_number() OVER ()) - 1 AS evidence_record
        FROM told"""


def fill(case: Case, plain: Path, total: int) -> None:
    """Put a year of events into a case's lake as its own writer does, and plainly, a file a day, into a folder.

    Args:
        case: new.
        plain: the folder; the files there have every column but `raw`.
        total: how many events.
    """
    lake = case.lake
    for first in range(0, DAYS, _STEP):
        last = min(DAYS, first + _STEP)
        identity = f"year-{first:03}"
        with Scratch(lake.root / ".staging" / identity, 4 * 2**30, lake._tables()) as scratch:
            with closing(scratch.engine()) as engine:
                begin, end = -(-first * total // DAYS), -(-last * total // DAYS)
                engine.execute(f"CREATE TABLE made AS {events(begin, end, total)}")
                files = [_day(engine, scratch, case, plain, START + timedelta(days=day)) for day in range(first, last)]
            lake.events.transact(identity, lambda _, files=files, rows=end - begin: Change(files, (), {"stored": rows}))
    _cover(case, total)


def _day(engine: duckdb.DuckDBPyConnection, scratch: Scratch, case: Case, plain: Path, day: date) -> AddAction:
    table, folder = case.lake.events, plain / f"date={day}"
    folder.mkdir(parents=True, exist_ok=True)
    target = str(folder / "events.parquet").replace("'", "''")
    rest = "EXCLUDE (date, raw)"
    engine.execute(
        f"COPY (SELECT * {rest} FROM made WHERE date = '{day}' ORDER BY time) TO '{target}' (COMPRESSION zstd)"
    )
    rows = engine.sql(
        f"SELECT {', '.join(table.file_schema.names)} FROM made WHERE date = '{day}' ORDER BY time, source, event_uid"
    )
    batches = rows.to_arrow_reader(parquet.ROW_GROUP)
    return scratch.put(table, f"date={day}/year.parquet", batches, {"date": str(day)})


def _cover(case: Case, total: int) -> None:
    """Note in the journal that the year was acquired as a whole."""
    whole = window(DAYS)
    case.journal.begin(id="year", key="year", kind="import", source="devrev", spec={})
    case.journal.record("year", [], whole, {}, case.ledger.head())
    interval = Interval("devrev", "acme", {}, whole, CoverageState.complete, "year", "declared")
    counts = Counts(total, total, total, 0, 0)
    version = case.lake.events.snapshot().version
    case.journal.finish("year", counts, [interval], lake_version=version, window=whole)
