"""Events in order, with the gaps between them: all engines against plain Python."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import strategies as st

from investigate.trace import Directory, Scope
from investigate.trace.timeline import COLUMNS, timeline, with_gaps

from .lakes import ENGINES, START, directories, event, few, lakes, on_every_engine, reading, windows
from .test_touched import in_scope, scopes

if TYPE_CHECKING:
    from .lakes import Event

holes = st.lists(
    windows.flatmap(
        lambda w: few(["devrev", "coderabbit"]).map(lambda s: (w.start, w.end, s, "acme", "never collected"))
    ),
    max_size=3,
)


def ask(engine: str, events: list[Event], scope: Scope, gaps: list[Any], directory: Directory, most: int) -> Any:
    with reading(engine, events) as (frame, collect):
        (found,) = collect(timeline(frame, scope, most))
    return with_gaps(found.head(most), gaps, directory)


@on_every_engine(lake=lakes, scope=scopes, gaps=holes, directory=directories, most=few([1, 5, 100]))
def test_a_timeline_on_every_engine(
    engine: str, lake: list[Event], scope: Scope, gaps: list[Any], directory: Directory, most: int
) -> None:
    found = {one["event_uid"]: one for one in in_scope(lake, scope)}.values()
    rows: list[tuple[Any, ...]] = [(one["time"], 1, one["source"], one["tenant"], one["event_uid"]) for one in found]
    rows = sorted(rows)[:most]
    rows += [(start, 0, source, tenant, None) for start, _, source, tenant, _ in gaps]
    expected = sorted(rows, key=lambda row: (*row[:4], row[4] or ""))
    shown = ask(engine, lake, scope, gaps, directory, most)
    order = shown.select("time", shown["kind"] == "event", "source", "tenant", "event_uid").rows()
    assert [(row[0], int(row[1]), *row[2:]) for row in order] == expected
    assert shown.columns == [*COLUMNS, *(["person"] if directory else [])]


@pytest.mark.parametrize("engine", ENGINES)
def test_ties_stand_by_source_tenant_and_id(engine: str) -> None:
    keys = [("devrev", "acme", "b"), ("coderabbit", "z", "a"), ("devrev", "acme", "a"), ("coderabbit", "acme", "c")]
    events = [
        event(number, source=source, tenant=tenant, event_uid=uid) for number, (source, tenant, uid) in enumerate(keys)
    ]
    shown = ask(engine, events, Scope(), [], Directory(), 10)
    assert shown.select("source", "tenant", "event_uid").rows() == sorted(keys)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_id_that_comes_again_brings_in_no_event_that_names_something_else(engine: str) -> None:
    later = START + timedelta(days=1)
    events = [event(1, resources=["a", "b"]), event(1, time=later, resources=["c"]), event(2, resources=["c"])]
    for scope in (Scope(resources=("a", "b")), Scope(patterns=("a*",))):
        shown = ask(engine, events, scope, [], Directory(), 10)
        assert shown.select("time", "resources").rows() == [(START, ["a", "b"])]


def test_a_gap_is_a_row_before_what_follows_it() -> None:
    events = [event(number, time=START + timedelta(hours=number)) for number in range(3)]
    first, second = START + timedelta(hours=1), START + timedelta(hours=2)
    gap = (first, second, "devrev", "acme", "failed")
    shown = ask("duckdb", events, Scope(), [gap], Directory(), 10)
    assert shown.select("kind", "time", "until", "note").rows() == [
        ("event", START, None, None),
        ("gap", first, second, "failed"),
        ("event", first, None, None),
        ("event", second, None, None),
    ]
