"""The events a claim rests on, in one version of the lake: counted, grouped, cut to an excerpt, or streamed whole."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import narwhals as nw

from investigate.events import COLUMNS, Window
from investigate.report.model import Lane, Picture, Sheet, Stack, sheet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    import duckdb
    import pyarrow as pa

    from investigate.trace.people import Directory
    from investigate.trace.scope import Scope

BUCKETS: Final = 96
LANES: Final = 8
ROWS: Final = 8_192
"""Events that are in memory at once while they are streamed."""
_SORTED: Final = 100_000
"""About so many are put in order at once, as few days as that takes: whole days follow each other anyway."""
_EVENT: Final = "source, tenant, event_uid"
_ONE: Final = ("source", "tenant", "event_uid", "time")
"""What tells an event from every other."""
_TIMES: Final = frozenset({"first", "last"})
_ORDER: Final = f"time, {_EVENT}"
_EXCERPT: Final = ("time", "who", "did", "to", "from", "event, record")
_IDENTITIES: Final = ("who", "type, source", "events", "objects", "did", "from", "first, last")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
_LATEST: Final = datetime.max.replace(tzinfo=UTC)
_MARGIN: Final = timedelta(minutes=30)
"""As much is drawn at most around events of one moment."""
_ZOOM: Final = 12
"""Events within this part of the window are drawn by themselves, or they would be one bar."""


class Key(NamedTuple):
    """An event that is looked for by its id, and what else is known of it: an empty text, or no time, is any.

    An id may be that of another event in another source, in another tenant and on another day.
    """

    source: str
    tenant: str
    event_uid: str
    first: datetime | None = None
    last: datetime | None = None
    actor: str = ""
    credential: str = ""
    src_ip: str = ""


@dataclass(frozen=True)
class Extent:
    """How many events by how many identities, and from when to when (None: there are none)."""

    events: int
    identities: int
    first: datetime | None
    last: datetime | None


class Selection:
    """Some events of the lake.

    Args:
        connection: with the view `events`; nobody else uses it meanwhile.
        query: SQL whose rows are canonical events, each once.
        directory: which actors are one person.
    """

    _numbers = itertools.count()

    def __init__(self, connection: duckdb.DuckDBPyConnection, query: str, directory: Directory) -> None:
        self.query = query
        self._connection, self._directory = connection, directory
        self._extent: Extent | None = None

    @classmethod
    def of(cls, connection: duckdb.DuckDBPyConnection, scope: Scope, directory: Directory) -> Self:
        """The events in scope."""
        events = nw.from_native(connection.query("FROM events"))
        found = scope.narrow(events)
        if scope.resources or scope.patterns:
            named = scope.select(events).select(*_ONE).unique()
            found = found.join(named, on=list(_ONE), how="semi")
        query: str = found.select(*COLUMNS).to_native().sql_query()
        return cls(connection, query, directory)

    @classmethod
    def named(cls, connection: duckdb.DuckDBPyConnection, keys: Sequence[Key], directory: Directory) -> Self:
        """The events with these ids, as far as what is known of each fits."""
        return cls(connection, "FROM events", directory).only(keys)

    def kept(self) -> Self:
        """The same events, read once and held without their records, for who asks much of few."""
        table = f"kept_{next(self._numbers)}"
        columns = ", ".join("NULL::VARCHAR AS raw" if name == "raw" else name for name in COLUMNS)
        self._connection.execute(f"CREATE TEMP TABLE {table} AS SELECT {columns} FROM ({self.query})")
        return type(self)(self._connection, f"SELECT * FROM {table}", self._directory)

    def only(self, keys: Sequence[Key]) -> Self:
        """Those of these events that have one of these ids; see `named`."""
        table = f"wanted_{next(self._numbers)}"
        columns = (
            f"unnest(${at}::{'TIMESTAMPTZ' if name in _TIMES else 'VARCHAR'}[]) AS {name}"
            for at, name in enumerate(Key._fields, 1)
        )
        self._connection.execute(
            f"CREATE TEMP TABLE {table} AS SELECT {', '.join(columns)}",
            [[getattr(key, name) for key in keys] for name in Key._fields],
        )
        match = [
            f"chosen.event_uid = {table}.event_uid",
            *(f"{table}.{name} IN ('', chosen.{name})" for name in Key._fields if name not in {"event_uid", *_TIMES}),
            f"chosen.time >= coalesce({table}.first, chosen.time)",
            f"chosen.time <= coalesce({table}.last, chosen.time)",
        ]
        return self._joined(table, match)

    def by(self, actors: Sequence[tuple[str, str, str]]) -> Self:
        """Those of these events by one of these actors: source, tenant and key; an empty source or tenant is any."""
        table = f"wanted_{next(self._numbers)}"
        self._connection.execute(
            f"CREATE TEMP TABLE {table} AS SELECT unnest($1::VARCHAR[]) AS source, unnest($2::VARCHAR[]) AS tenant,"
            " unnest($3::VARCHAR[]) AS actor",
            [[actor[at] for actor in actors] for at in range(3)],
        )
        known = [f"{table}.{name} IN ('', chosen.{name})" for name in ("source", "tenant")]
        return self._joined(table, [f"chosen.actor = {table}.actor", *known])

    def keys(self) -> set[tuple[str, str, str]]:
        """Source, tenant and id of each."""
        return set(self._rows(f"SELECT {_EVENT} FROM chosen"))

    @classmethod
    def union(cls, parts: Sequence[Selection]) -> Selection:
        """The events of several, each once."""
        if len(parts) == 1:
            return parts[0]
        one = ", ".join(_ONE)
        keys = " UNION ".join(f"SELECT {one} FROM ({part.query})" for part in parts)
        query = f"SELECT * FROM events SEMI JOIN ({keys}) AS chosen USING ({one})"
        return cls(parts[0]._connection, query, parts[0]._directory)  # noqa: SLF001 - its own kind

    def extent(self) -> Extent:
        """How many, by how many, from when to when; counted once."""
        if self._extent is None:
            ((events, first, last),) = self._rows("SELECT count(*), min(time), max(time) FROM chosen")
            actors = self._rows("SELECT DISTINCT source, tenant, actor FROM chosen")
            persons = {
                self._directory.person(source, actor) or (source, tenant, actor) for source, tenant, actor in actors
            }
            self._extent = Extent(events, len(persons), first, last)
        return self._extent

    def identities(self, most: int) -> Sheet:
        """Who acted, most events first."""
        found = self._rows(
            """
            WITH objects AS (SELECT source, tenant, actor, count(DISTINCT object) AS objects
                             FROM (SELECT source, tenant, actor, unnest(resources) AS object FROM chosen) GROUP BY ALL)
            SELECT source, tenant, actor, max(actor_name), max(actor_email), max(actor_type), count(*) AS events,
                   coalesce(any_value(objects), 0), list_sort(list(DISTINCT activity)),
                   list_sort(list(DISTINCT src_ip) FILTER (src_ip IS NOT NULL)), min(time), max(time)
            FROM chosen LEFT JOIN objects USING (source, tenant, actor)
            GROUP BY source, tenant, actor ORDER BY events DESC, actor, source, tenant"""
        )
        rows = [
            (
                Stack(self._who(source, actor, name, mail), actor),
                Stack(kind, f"{source}/{tenant}"),
                *rest,
                Stack(first, last),
            )
            for source, tenant, actor, name, mail, kind, *rest, first, last in found
        ]
        return sheet(_IDENTITIES, rows[:most], len(rows), "Identities")

    def excerpt(self, most: int, total: int) -> Sheet:
        """The earliest events, with where their records lie."""
        found = self._rows(
            "SELECT time, source, actor, actor_name, actor_email, action, outcome, resource, resource_name, src_ip,"
            f" user_agent, event_uid, evidence, evidence_record FROM chosen ORDER BY {_ORDER} LIMIT $most",
            {"most": most},
        )
        rows = [
            (
                time,
                Stack(self._who(source, actor, name, mail), actor),
                Stack(action, outcome),
                Stack(named or touched, touched),
                Stack(address, agent),
                Stack(uid, f"record {record} of {evidence[:12]}…"),
            )
            for time, source, actor, name, mail, action, outcome, touched, named, *rest in found
            for address, agent, uid, evidence, record in [rest]
        ]
        return sheet(_EXCERPT, rows, total, "Events, the earliest first")

    def evidence(self) -> dict[str, int]:
        """The evidence files they come from, by SHA-256, with how many events each has."""
        return dict(self._rows("SELECT evidence, count(*) FROM chosen GROUP BY evidence ORDER BY evidence"))

    def picture(self, window: Window, gaps: Sequence[Window], extent: Extent) -> Picture | None:
        """When they happened; None where there are none."""
        if extent.first is None or extent.last is None:
            return None
        span = _zoomed(window, extent.first, extent.last)
        # As wide as it gets: an event may be dated 9999.
        number = "least($buckets - 1, (((epoch_us(time) - $start)::HUGEINT * $buckets) // $length)::BIGINT)"
        bound = {
            "buckets": BUCKETS,
            "start": _micros(span.start),
            "length": max(1, _micros(span.end) - _micros(span.start)),
        }
        counts = dict(self._rows(f"SELECT {number} AS bucket, count(*) FROM chosen GROUP BY bucket", bound))
        lanes: dict[tuple[str, str, str], Lane] = {}
        found = self._rows(
            f"""
            WITH top AS (SELECT source, tenant, actor, max(actor_name) AS name, max(actor_email) AS mail, count(*) AS n
                         FROM chosen GROUP BY ALL ORDER BY n DESC, actor, source, tenant LIMIT {LANES})
            SELECT n, source, tenant, actor, name, mail, {number} AS bucket, count(*)
            FROM chosen JOIN top USING (source, tenant, actor)
            GROUP BY ALL ORDER BY n DESC, actor, source, tenant, bucket""",
            bound,
        )
        called = {tuple(row[1:4]): self._who(row[1], row[3], row[4], row[5]) for row in found}
        several = {name for name, times in Counter(called.values()).items() if times > 1}
        for _, source, tenant, actor, _, _, bucket, count in found:
            who = called[source, tenant, actor]
            lane = lanes.setdefault((source, tenant, actor), Lane(f"{who} ({source})" if who in several else who, {}))
            lanes[source, tenant, actor] = Lane(lane.name, {**lane.counts, bucket: count})
        inside = tuple(part for gap in gaps if (part := gap.intersect(span)))
        others = max(0, extent.identities - len(lanes))
        return Picture(span, BUCKETS, counts, tuple(lanes.values()), others, inside)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All of them in order of time, with all columns of the canonical event, some at a time."""
        columns = ", ".join(COLUMNS)
        days = self._rows("SELECT date, count(*) FROM chosen GROUP BY date ORDER BY date")
        for first, last in _portions(days):
            within = f"date BETWEEN DATE '{first}' AND DATE '{last}'"
            relation = self._connection.query(f"SELECT {columns} FROM ({self.query}) WHERE {within} ORDER BY {_ORDER}")
            yield from relation.to_arrow_reader(ROWS)

    def vocabulary(self) -> dict[str, list[str]]:
        """The distinct values of the columns that name people, addresses and credentials, over the whole lake."""
        columns = ("actor", "actor_name", "actor_email", "src_ip", "credential")
        found = {}
        for name in columns:
            query = f"SELECT DISTINCT {name} FROM events WHERE {name} IS NOT NULL ORDER BY {name}"
            found[name] = [value for (value,) in self._connection.execute(query).fetchall()]
        return found

    def _joined(self, table: str, match: Sequence[str]) -> Self:
        """Those that have a match in a table."""
        query = f"SELECT chosen.* FROM ({self.query}) AS chosen SEMI JOIN {table} ON {' AND '.join(match)}"
        return type(self)(self._connection, query, self._directory)

    def _rows(self, query: str, bound: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """The rows of a query over `chosen`, with aware times."""
        joined = f"SELECT * FROM ({self.query})"
        whole = f"WITH chosen AS ({joined}) {_nested(query)}"
        table = self._connection.sql(whole, params=bound or None).to_arrow_table()
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

    def _who(self, source: str, actor: str, name: str | None, mail: str | None) -> str:
        return self._directory.person(source, actor) or name or mail or actor


def _nested(query: str) -> str:
    """A query that itself begins with WITH, behind one that does."""
    stripped = query.strip()
    return f", {stripped.removeprefix('WITH ')}" if stripped.startswith("WITH ") else stripped


def _portions(days: Sequence[tuple[date, int]]) -> Iterator[tuple[date, date]]:
    """First and last day of each portion of some days, which have so many events each."""
    begun, held = None, 0
    for at, (day, events) in enumerate(days):
        begun, held = begun or day, held + events
        if at + 1 == len(days) or held + days[at + 1][1] > _SORTED:
            yield begun, day
            begun, held = None, 0


def _zoomed(window: Window, first: datetime, last: datetime) -> Window:
    """The window, or, where all happened within a small part of it, that part with a margin."""
    length, span = window.end - window.start, last - first
    if span * _ZOOM > length:
        return window
    margin = max(span / 10, min(length / 200, _MARGIN))
    before, after = min(margin, first - _EARLIEST), min(margin, _LATEST - last)
    return window.intersect(Window(first - before, last + after)) or window


def _micros(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1)
