"""`who_touched` on every engine against the question asked of a plain list."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import narwhals as nw
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from investigate.events import Window, event_schema
from investigate.trace import Scope, assemble, facets, who_touched
from investigate.trace.touched import COLUMNS, FACETS

START = datetime(2026, 11, 1, tzinfo=UTC)
ENGINES = ("duckdb", "polars")


def event(number: int, **given: Any) -> dict[str, Any]:
    time = given.pop("time", START)
    resources = given.pop("resources", [])
    base: dict[str, Any] = dict.fromkeys(event_schema().names)
    base |= {"event_uid": f"e{number}", "source": "devrev", "tenant": "acme", "actor": "ann", "actor_type": "user"}
    base |= {"activity": "read", "outcome": "success", "raw": "{}", "evidence": "0" * 64, "evidence_record": number}
    base |= {"time": time, "date": time.date(), "resources": resources, "resource": resources[0] if resources else None}
    return base | given


def ask(engine: str, events: list[dict[str, Any]], scope: Scope) -> pl.DataFrame:
    table = pa.Table.from_pylist(events, schema=event_schema())
    if engine == "polars":
        frame = nw.from_native(pl.DataFrame(pl.from_arrow(table)).lazy())
        return assemble(who_touched(frame, scope).to_native().collect(), facets(frame, scope).to_native().collect())
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        relation = nw.from_native(connection.from_arrow(table))
        return assemble(who_touched(relation, scope).to_native().pl(), facets(relation, scope).to_native().pl())


def model(events: list[dict[str, Any]], scope: Scope) -> list[dict[str, Any]]:
    """The same question in plain Python."""
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for one in events:
        if scope.window and not scope.window.start <= one["time"] < scope.window.end:
            continue
        if scope.resources and not set(one["resources"]) & set(scope.resources):
            continue
        if (scope.activities and one["activity"] not in scope.activities) or (
            scope.actors and one["actor"] not in scope.actors
        ):
            continue
        groups.setdefault((one["source"], one["tenant"], one["actor"]), []).append(one)
    rows = []
    for (source, tenant, actor), members in groups.items():
        touched = {name for one in members for name in one["resources"]}
        row = {
            "actor": actor,
            "source": source,
            "tenant": tenant,
            "events": len(members),
            "first": min(one["time"] for one in members),
            "last": max(one["time"] for one in members),
            "resources": sorted(touched & set(scope.resources) if scope.resources else touched),
        }
        for name in ("actor_name", "actor_email", "actor_type"):
            row[name] = max((one[name] for one in members if one[name] is not None), default=None)
        for name, column in FACETS.items():
            if name != "resources":
                row[name] = sorted({one[column] for one in members if one[column] is not None})
        rows.append({name: row[name] for name in COLUMNS})
    return sorted(rows, key=lambda row: (-row["events"], row["actor"], row["source"], row["tenant"]))


few = st.sampled_from
lakes = st.lists(
    st.builds(
        dict,
        time=st.integers(-2, 4 * 3600).map(lambda s: START + timedelta(seconds=s * 7, microseconds=s % 3)),
        actor=few(["ann", "bob", "Ann", "ünal", "unknown"]),
        actor_name=few([None, "Ann", "Bob"]),
        tenant=few(["acme", "other"]),
        source=few(["devrev", "coderabbit"]),
        activity=few(["read", "update", "delete"]),
        action=few([None, "works.get", "works.delete"]),
        src_ip=few([None, "192.0.2.1", "2001:db8::1"]),
        credential=few([None, "tok1"]),
        resources=st.lists(few(["ticket/47", "ticket/471", "account/1", ""]), max_size=3, unique=True),
    ),
    max_size=25,
)
scopes = st.builds(
    Scope,
    window=st.one_of(st.none(), st.integers(0, 20000).map(lambda s: Window(START, START + timedelta(seconds=s)))),
    resources=st.lists(few(["ticket/47", "account/1", "nothing"]), max_size=2, unique=True).map(tuple),
    actors=st.one_of(st.just(()), st.just(("ann",))),
    activities=st.one_of(st.just(()), st.just(("read",)), st.just(("read", "delete"))),
)


@given(lake=lakes, scope=scopes)
@settings(max_examples=60, deadline=None)
def test_every_engine_gives_what_a_plain_list_gives(lake: list[dict[str, Any]], scope: Scope) -> None:
    events = [event(number, **one) for number, one in enumerate(lake)]
    expected = model(events, scope)
    for engine in ENGINES:
        assert ask(engine, events, scope).to_dicts() == expected


@pytest.mark.parametrize("engine", ENGINES)
def test_an_event_naming_two_asked_resources_counts_once(engine: str) -> None:
    both = event(0, resources=["ticket/1", "ticket/2"])
    answer = ask(engine, [both], Scope(resources=("ticket/1", "ticket/2", "ticket/3")))
    assert answer.select("events", "resources").to_dicts() == [{"events": 1, "resources": ["ticket/1", "ticket/2"]}]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_window_holds_its_start_and_not_its_end(engine: str) -> None:
    end = START + timedelta(hours=1)
    inside, last, outside = START, end - timedelta(microseconds=1), end
    events = [event(number, time=time, resources=["r"]) for number, time in enumerate((inside, last, outside))]
    answer = ask(engine, events, Scope(Window(START, end), resources=("r",)))
    assert answer.select("events", "first", "last").row(0) == (2, inside, last)


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_found_has_all_columns(engine: str) -> None:
    answer = ask(engine, [], Scope(resources=("r",)))
    assert (answer.height, tuple(answer.columns)) == (0, COLUMNS)
