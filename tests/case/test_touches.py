"""Questions answered from the lake's `touches` give what the events give, whatever is asked."""

from __future__ import annotations

import functools
import itertools
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import investigate
from investigate.events import Window, event_schema, reject_schema
from investigate.lake import rollup
from investigate.lake.lake import Lake
from investigate.lake.runs import Runs
from tests.trace.lakes import START, event, few, instants

if TYPE_CHECKING:
    from pathlib import Path

    from investigate.case import Answer, Case

Event = dict[str, Any]
ENDS = {"start": START - timedelta(days=1), "end": START + timedelta(days=9)}


@pytest.fixture(autouse=True, params=[0, rollup._LOOKED_THROUGH], ids=["every order", "one order"])
def _orders(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As large lakes keep them, and as small ones do."""
    monkeypatch.setattr(rollup, "_LOOKED_THROUGH", request.param)


def keep(case: Case, acquisition: str, events: list[Event]) -> None:
    with case.lake.stage(acquisition) as staging:
        staging.add(pa.Table.from_pylist(events, schema=event_schema()), reject_schema().empty_table())
        case.lake.commit(staging, acquisition, len(events))


def both(ask: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Answer, Answer]:
    """An answer with the roll-up at hand, and one without."""
    summed = ask()
    with monkeypatch.context() as without:
        without.setattr(Runs, "_look", lambda _self: (-1, None, ()))
        return summed, ask()


days = few([0, 0, 1, 2])
rows = st.builds(
    lambda at, day, **more: {"time": at + timedelta(days=day), **more},
    instants,
    days,
    actor=few(["ann", "bob", "Ann"]),
    actor_name=few([None, "Ann", "Bob"]),
    actor_email=few([None, "ann@acme.example"]),
    source=few(["devrev", "coderabbit"]),
    activity=few(["read", "update"]),
    src_ip=few([None, "192.0.2.1", "192.0.2.77"]),
    credential=few([None, "tok1"]),
    resources=st.lists(few(["ticket/47", "account/1", "192.0.2.1"]), max_size=3),
)
ends = st.tuples(st.integers(-1, 60), st.integers(0, 60)).map(
    lambda hours: Window(START + timedelta(hours=hours[0]), START + timedelta(hours=sum(hours), microseconds=1))
)
whole_days = st.tuples(st.integers(0, 2), st.integers(1, 2)).map(
    lambda days: Window(START + timedelta(days=days[0]), START + timedelta(days=sum(days)))
)
questions = st.one_of(
    st.tuples(st.just("who_touched"), st.lists(few(["ticket/47", "account/*", "none"]), min_size=1, max_size=2)),
    st.tuples(st.just("blast_radius"), few(["ann", "tok1", "192.0.2.1"])),
    st.tuples(st.just("activity"), st.lists(few(["ann", "bob", "ann@acme.example"]), min_size=1, max_size=2)),
    st.tuples(st.just("pivot"), few(["192.0.2.1", "192.0.2.0/24", "10.0.0.0/8"])),
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    events=st.lists(rows, max_size=30),
    asked=st.lists(st.tuples(questions, st.one_of(ends, whole_days)), min_size=3, max_size=3),
)
def test_the_roll_up_tells_what_the_events_tell(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    events: list[Event],
    asked: list[tuple[tuple[str, Any], Window]],
) -> None:
    case = investigate.open(tmp_path_factory.mktemp("touches") / "case")
    made = [event(number, **row) for number, row in enumerate(events)]
    keep(case, "a1", made[::2])
    keep(case, "a2", made[1::2])
    for ((question, value), window), engine in itertools.product(asked, ("duckdb", "polars")):
        given = {"start": window.start, "end": window.end, "engine": engine}
        summed, plain = both(functools.partial(getattr(case, question), value, **given), monkeypatch)
        assert_frame_equal(summed.frame, plain.frame)
        for name in plain.tables:
            assert_frame_equal(summed.tables[name], plain.tables[name])


@pytest.fixture
def case(tmp_path: Path) -> Case:
    made = investigate.open(tmp_path / "case")
    keep(made, "a1", [event(number, resources=["r"], time=START + timedelta(hours=number)) for number in range(4)])
    return made


def test_a_look_up_reads_touches_and_not_the_events(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lake, "expose", lambda *_given, **_how: pytest.fail("the events were read"))
    assert case.who_touched("r", **ENDS).frame["events"].to_list() == [4]
    assert case.activity("ann", **ENDS).frame["events"].to_list() == [4]
    assert case.who_touched("r*", **ENDS).frame["events"].to_list() == [4]
    assert case.compare(tuple(ENDS.values()), ("2026-01-01", "2026-01-02")).frame["change"].to_list() == ["new"]


HEAVY = ("duckdb", "pyarrow", "filelock", "pydantic_settings", "asyncio", "tomlkit", "rich", "httpx")


def test_a_look_up_imports_nothing_heavy_but_polars(case: Case) -> None:
    """Starting it takes longer than the answer."""
    ends = tuple(end.isoformat() for end in ENDS.values())
    code = f"""import sys, investigate
answer = investigate.open({case.path!r}).who_touched("r", start={ends[0]!r}, end={ends[1]!r})
print(answer.frame["events"].sum(), sorted(set({HEAVY!r}) & set(sys.modules)))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "4 []\n"


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    events=st.lists(rows, max_size=30),
    asked=st.tuples(st.one_of(ends, whole_days), st.one_of(ends, whole_days)),
    who=few([(), ("ann",), ("bob", "ann@acme.example")]),
    what=few([(), ("ticket/47",), ("ticket/*", "account/1")]),
)
def test_two_windows_compare_by_the_roll_up_as_by_the_events(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    events: list[Event],
    asked: tuple[Window, Window],
    who: tuple[str, ...],
    what: tuple[str, ...],
) -> None:
    case = investigate.open(tmp_path_factory.mktemp("compare") / "case")
    keep(case, "a1", [event(number, **row) for number, row in enumerate(events)])
    window, baseline = ((one.start, one.end) for one in asked)
    for engine in ("duckdb", "polars"):
        ask = functools.partial(case.compare, window, baseline, actors=who, resources=what, engine=engine)
        summed, plain = both(ask, monkeypatch)
        assert_frame_equal(summed.frame, plain.frame)


def test_a_window_that_cuts_a_day_is_exact(case: Case) -> None:
    for first in range(3):
        answer = case.who_touched("r", start=START + timedelta(hours=first), end=START + timedelta(hours=3))
        assert answer.frame["events"].sum() == 3 - first


def test_who_is_known_by_an_address_alone_is_looked_up(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    mails = {"bob": ["bob@acme.example", "Bob@Acme.example"], "cyd": ["cyd@acme.example", None]}
    rows = [(actor, mail) for actor, some in mails.items() for mail in some]
    keep(case, "a2", [event(10 + at, actor=who, actor_email=mail) for at, (who, mail) in enumerate(rows)])
    found = {who: case.activity(f"{who}@acme.example", **ENDS).frame["events"].sum() for who in mails}
    assert found == {"bob": 2, "cyd": 1}
    monkeypatch.setattr(Lake, "expose", lambda *_given, **_how: pytest.fail("the events were read"))
    assert case.activity("bob@acme.example", **ENDS).frame["events"].sum() == 2


def test_the_sql_of_an_answer_runs_with_the_roll_up_and_without(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = case.who_touched("r*", **ENDS)
    assert asked.sql is not None
    assert "touches" in asked.sql
    summed, plain = both(lambda: case.sql(asked.sql), monkeypatch)
    assert summed["events"].to_list() == plain["events"].to_list() == [4]
    summed, plain = both(lambda: case.sql("SELECT first, span FROM touches_by_actor ORDER BY ALL"), monkeypatch)
    assert_frame_equal(summed, plain)


def test_an_older_version_is_answered_from_its_events(case: Case) -> None:
    before = case.lake.events.snapshot().version
    keep(case, "a2", [event(9, resources=["r"])])
    assert case.who_touched("r", **ENDS).frame["events"].to_list() == [5]
    assert case.who_touched("r", version=before, **ENDS).frame["events"].to_list() == [4]


def test_the_tables_of_an_answer_are_of_its_version(case: Case) -> None:
    answer = case.activity("ann", **ENDS)
    keep(case, "a2", [event(9, resources=["r"])])
    assert answer.tables["sessions"]["events"].sum() == 4
