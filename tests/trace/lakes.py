"""What the tests of all questions share: events, small random lakes, all engines, and persons as a model has them."""

from __future__ import annotations

import functools
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import duckdb
import narwhals as nw
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from investigate.case import spark
from investigate.events import Window, event_schema
from investigate.trace import Directory
from tests.needs import java

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

START = datetime(2026, 11, 1, tzinfo=UTC)
ENGINES = ("duckdb", "polars", "spark")
INDIA = timezone(timedelta(hours=5, minutes=30))

Event = dict[str, Any]

_EXAMPLES = 15
_SPARK_EXAMPLES = 2
"""A query takes Spark half a second, however little there is to read: its few lakes are crowded ones."""


def event(number: int, **given: Any) -> Event:
    time = given.pop("time", START)
    resources = given.pop("resources", [])
    base: Event = dict.fromkeys(event_schema().names)
    base |= {"event_uid": f"e{number}", "source": "devrev", "tenant": "acme", "actor": "ann", "actor_type": "user"}
    base |= {"activity": "read", "outcome": "success", "raw": "{}", "evidence": "0" * 64, "evidence_record": number}
    base |= {"time": time, "date": time.astimezone(UTC).date()}
    base |= {"resources": resources, "resource": resources[0] if resources else None}
    return base | given


@contextmanager
def reading(engine: str, events: list[Event]) -> Iterator[tuple[nw.LazyFrame[Any], Any]]:
    """A frame of the engine, and what collects others made from it."""
    table = pa.Table.from_pylist(events, schema=event_schema())
    if engine == "polars":
        lazy = nw.from_native(pl.DataFrame(pl.from_arrow(table)).lazy())
        yield lazy, lambda *frames: pl.collect_all([frame.to_native() for frame in frames])
        return
    if engine == "spark":
        yield nw.from_native(_spark().createDataFrame(table)), _fetch
        return
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        relation = nw.from_native(connection.from_arrow(table))
        yield relation, lambda *frames: [frame.to_native().pl() for frame in frames]


@functools.cache
def _spark() -> Any:
    """The session that questions get, without what makes Spark fast on large lakes and slow on small ones."""
    java()
    session = spark.session(None, 2**30).newSession()
    for name in ("adaptive.enabled", "codegen.wholeStage"):
        session.conf.set(f"spark.sql.{name}", "false")
    session.conf.set("spark.sql.shuffle.partitions", "1")
    session.conf.set("spark.sql.session.timeZone", "UTC")
    return session


def _fetch(*frames: nw.LazyFrame[Any]) -> list[pl.DataFrame]:
    return spark.fetch(_spark(), [frame.to_native() for frame in frames])


def on_every_engine(examples: int = _EXAMPLES, **drawn: st.SearchStrategy[Any]) -> Callable[[Any], Any]:
    """A property of a question, a test for each engine.

    Args:
        examples: how many each engine gets; Spark gets a few large ones.
        drawn: the test's arguments besides `engine`.
    """

    def decorate(test: Callable[..., None]) -> Any:
        @pytest.mark.parametrize("engine", ENGINES)
        def on_engine(engine: str) -> None:
            on_spark = engine == "spark"
            chosen = drawn | {"lake": crowded} if on_spark and "lake" in drawn else drawn

            @settings(max_examples=_SPARK_EXAMPLES if on_spark else examples, deadline=None)
            @given(**chosen)
            def holds(**values: Any) -> None:
                test(engine=engine, **values)

            holds()

        return on_engine

    return decorate


few = st.sampled_from
instants = st.one_of(
    st.integers(-2, 4 * 3600).map(lambda s: START + timedelta(seconds=s * 7, microseconds=s % 3)),
    st.integers(0, 6).map(lambda s: START + timedelta(minutes=s * 20)),  # many at once
    st.integers(0, 6).map(lambda s: (START + timedelta(hours=s * 4)).astimezone(INDIA)),
)
_rows = st.builds(
    dict,
    time=instants,
    actor=few(["ann", "bob", "Ann", "ünal", "unknown"]),
    actor_name=few([None, "Ann", "Bob"]),
    actor_email=few([None, "ann@acme.example", "Ann@Acme.example"]),
    actor_type=few(["user", "bot", "service"]),
    tenant=few(["acme", "other"]),
    source=few(["devrev", "coderabbit"]),
    activity=few(["read", "update", "delete"]),
    action=few([None, "works.get", "works.delete"]),
    src_ip=few([None, "192.0.2.1", "192.0.2.77", "2001:db8::1"]),
    credential=few([None, "tok1", "tok2"]),
    user_agent=few([None, "curl"]),
    resources=st.lists(few(["ticket/47", "ticket/471", "account/1", "a*b", ""]), max_size=3, unique=True),
)


def _lakes(least: int, most: int) -> st.SearchStrategy[list[Event]]:
    rows = st.lists(_rows, min_size=least, max_size=most)
    return rows.map(lambda found: [event(number, **row) for number, row in enumerate(found)])


lakes = _lakes(0, 25)
crowded = _lakes(12, 40)

windows = st.tuples(st.integers(0, 20000), st.integers(0, 60000)).map(
    lambda ends: Window(START + timedelta(seconds=ends[0]), START + timedelta(seconds=sum(ends) + 1))
)
directories = few(
    [
        Directory(),
        Directory({("devrev", "ann"): "Ann Ash", ("coderabbit", "bob"): "Ann Ash", ("", "ünal"): "Ünal"}),
        Directory({("", "Ann"): "bob", ("", "ann"): "bob"}),
    ]
)


def inside(window: Window | None, one: Event) -> bool:
    return window is None or window.start <= one["time"] < window.end


def grouped(
    directory: Directory, events: Iterable[Event], *by: str
) -> list[tuple[dict[str, Any], list[Event], tuple[Any, ...]]]:
    """Events by person, else actor, and by some columns: the columns of the identity, the events, the key."""
    groups: dict[tuple[Any, ...], list[Event]] = {}
    for one in events:
        person = directory.person(one["source"], one["actor"])
        who = ("person", person) if person else ("actor", one["source"], one["tenant"], one["actor"])
        groups.setdefault((who, *(one[name] for name in by)), []).append(one)
    found = []
    for (who, *rest), members in groups.items():
        face: dict[str, Any] = {
            "actor": who[1] if who[0] == "person" else who[3],
            "source": ", ".join(sorted({one["source"] for one in members})),
            "tenant": ", ".join(sorted({one["tenant"] for one in members})),
        }
        if directory:
            known = {f"{one['source']}/{one['actor']}" for one in members} if who[0] == "person" else set()
            face["aliases"] = sorted(known)
        found.append((face, members, tuple(rest)))
    return found


def extent(members: list[Event]) -> dict[str, Any]:
    """How many events, which differ by source and tenant too, and from when to when."""
    times = [one["time"] for one in members]
    uids = {(one["source"], one["tenant"], one["event_uid"]) for one in members}
    return {"events": len(uids), "first": min(times), "last": max(times)}


def distinct(members: list[Event], column: str) -> list[str]:
    return sorted({one[column] for one in members if one[column] is not None})


def exploded(events: Iterable[Event]) -> list[Event]:
    """Each event once for every resource it names, under `resource`; one that names none once, with None."""
    return [one | {"resource": name} for one in events for name in (dict.fromkeys(one["resources"]) or [None])]


def same(frame: pl.DataFrame, rows: list[dict[str, Any]]) -> bool:
    """Whether a frame has these rows, in any order."""
    return sorted(map(_shown, frame.to_dicts())) == sorted(map(_shown, rows))


def _shown(row: dict[str, Any]) -> str:
    plain = {name: value.astimezone(UTC) if isinstance(value, datetime) else value for name, value in row.items()}
    return repr(sorted(plain.items()))
