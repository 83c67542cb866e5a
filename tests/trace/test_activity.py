"""What an identity did, in which sessions, and what of it was new: all engines against plain Python."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from investigate.trace import Directory, Scope
from investigate.trace import activity as trace
from investigate.trace.rows import of_events

from .lakes import (
    ENGINES,
    START,
    directories,
    distinct,
    event,
    exploded,
    extent,
    few,
    grouped,
    inside,
    lakes,
    on_every_engine,
    reading,
    same,
    windows,
)

if TYPE_CHECKING:
    import polars as pl

    from investigate.events import Window

    from .lakes import Event

gaps = few([timedelta(microseconds=1), timedelta(minutes=20), timedelta(hours=4)])


def sessions(engine: str, events: list[Event], gap: timedelta, directory: Directory) -> pl.DataFrame:
    with reading(engine, events) as (frame, collect):
        numbered = trace.sessions(frame, Scope(), gap)
        spans, used = collect(trace.session_spans(numbered), trace.session_means(numbered))
        return trace.session_rows(spans, used, directory, gap)


@on_every_engine(lake=lakes, window=windows, directory=directories)
def test_what_was_done_on_every_engine(engine: str, lake: list[Event], window: Window, directory: Directory) -> None:
    rows = [one for one in exploded(lake) if inside(window, one)]
    expected = []
    for face, members, key in grouped(directory, rows, *trace.WHAT):
        used = {name: distinct(members, column) for name, column in trace.MEANS.items()}
        expected.append(face | dict(zip(trace.WHAT, key, strict=True)) | extent(members) | used)
    with reading(engine, lake) as (frame, collect):
        touches = of_events(frame, Scope(window))
        (found,) = collect(trace.did(touches))
        assert same(trace.activity_rows(found, directory), expected)


@on_every_engine(lake=lakes, gap=gaps, directory=directories)
def test_sessions_on_every_engine(engine: str, lake: list[Event], gap: timedelta, directory: Directory) -> None:
    expected = []
    for face, members, _ in grouped(directory, lake):
        runs: list[list[Event]] = []
        for one in sorted(members, key=lambda one: one["time"]):
            if runs and one["time"] - runs[-1][-1]["time"] <= gap:
                runs[-1].append(one)
            else:
                runs.append([one])
        for number, run in enumerate(runs, 1):
            own = {name: face[name] for name in ("actor",)} | {"session": number} | extent(run)
            own |= {name: distinct(run, column) for name, column in trace.SESSION_MEANS.items()}
            expected.append(own)
    found = sessions(engine, lake, gap, directory).drop("source", "tenant", "aliases", strict=False)
    assert same(found, expected)


@on_every_engine(lake=lakes, window=windows, baseline=windows, directory=directories)
def test_first_seen_on_every_engine(
    engine: str, lake: list[Event], window: Window, baseline: Window, directory: Directory
) -> None:
    rows: list[dict[str, Any]] = [
        one | {"kind": kind, "value": one[column]}
        for kind, column in trace.NEW.items()
        for one in exploded(lake)
        if one[column] is not None and (inside(window, one) or inside(baseline, one))
    ]
    expected = [
        face | {"kind": kind, "value": value} | extent(members)
        for face, members, (kind, value) in grouped(directory, rows, "kind", "value")
        if not any(inside(baseline, one) for one in members)
    ]
    with reading(engine, lake) as (frame, collect):
        (found,) = collect(trace.seen(frame, Scope(window), window, baseline))
        assert same(trace.new_rows(found, directory), expected)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_session_ends_where_nothing_follows_for_longer_than_the_gap(engine: str) -> None:
    minutes = (0, 30, 61)
    events = [event(number, time=START + timedelta(minutes=at)) for number, at in enumerate(minutes)]
    found = sessions(engine, events, timedelta(minutes=30), Directory())
    assert found.select("session", "events").rows() == [(1, 2), (2, 1)]


def test_one_person_in_two_sources_has_one_session() -> None:
    events = [event(0), event(1, source="coderabbit", actor="Ann", time=START + timedelta(minutes=10))]
    directory = Directory({("devrev", "ann"): "Ann", ("coderabbit", "Ann"): "Ann"})
    found = sessions("duckdb", events, timedelta(minutes=30), directory)
    assert found.select("actor", "source", "session", "events").rows() == [("Ann", "coderabbit, devrev", 1, 2)]
