"""Coverage and its gaps, against a look at every minute."""

import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from investigate.events import Window
from investigate.journal import (
    CoverageState,
    Filter,
    Gap,
    Interval,
    Journal,
    coverage,
)

from .made import COMPLETE, COUNTS, DAY, FAILED, PROVISIONAL, begin, cover, interval


def window(start: str, end: str) -> Window:
    return Window.of(f"2026-11-01T{start}:00Z", f"2026-11-01T{end}:00Z")


def gap(start: str, end: str, state: Any = "never collected", note: str = "") -> Gap:
    return Gap("devrev", "acme", window(start, end), state, note)


def test_no_source_at_all_is_one_gap_without_one(journal: Journal) -> None:
    assert journal.gaps(DAY) == [Gap(None, None, DAY, "never collected")]
    assert journal.gaps(Window(DAY.start, DAY.start)) == []
    assert journal.span() is None


def test_gaps_say_what_is_wrong_with_each_part(journal: Journal) -> None:
    cover(
        journal,
        interval("01:00", "03:00"),
        interval("02:00", "04:00", PROVISIONAL),
        interval("03:30", "05:00", FAILED),
        interval("06:00", "06:00"),
        interval("05:30", "06:30", chosen={"operation_types": ["read"]}),
    )
    assert journal.gaps(window("00:00", "08:00")) == [
        gap("00:00", "01:00"),
        gap("03:00", "04:00", "provisional"),
        gap("04:00", "05:00", "failed"),
        gap("05:00", "05:30"),
        gap("05:30", "06:30", note="only operation_types=read was collected"),
        gap("06:30", "08:00"),
    ]
    assert journal.span() == window("01:00", "06:30")
    assert journal.gaps(window("01:30", "02:30")) == []


@pytest.mark.parametrize(
    ("acquired", "question", "answered"),
    [
        ({}, {}, True),
        ({}, {"operation_types": ["read"]}, True),
        ({"operation_types": ["read", "list"]}, {"operation_types": ["read"]}, True),
        ({"operation_types": ["read"]}, {"operation_types": ["read", "list"]}, False),
        ({"operation_types": ["read"]}, {}, False),
        ({"operation_types": ["read"]}, {"operation_types": []}, False),
        ({"operation_types": ["read"]}, {"users": ["a"]}, False),
        ({"operation_types": ["read"]}, {"operation_types": ["read"], "users": ["a"]}, True),
        ({"operation_types": ["read"], "users": ["a"]}, {"operation_types": ["read"]}, False),
        ({"operation_types": []}, {}, True),
    ],
)
def test_a_filtered_acquisition_answers_only_narrower_questions(
    journal: Journal, acquired: Filter, question: Filter, answered: bool
) -> None:
    cover(journal, interval("00:00", "01:00", chosen=acquired))
    assert (journal.gaps(window("00:00", "01:00"), question_filter=question) == []) is answered


def test_sources_can_be_named_and_each_has_its_own_gaps(journal: Journal) -> None:
    cover(journal, interval("00:00", "01:00"), interval("01:00", "02:00", source=("coderabbit", "default")))
    asked = window("00:00", "02:00")
    assert [(g.source, g.window) for g in journal.gaps(asked)] == [
        ("coderabbit", window("00:00", "01:00")),
        ("devrev", window("01:00", "02:00")),
    ]
    assert journal.gaps(asked, sources=[("devrev", "other")]) == [Gap("devrev", "other", asked, "never collected")]
    assert journal.gaps(asked, sources=[]) == [Gap(None, None, asked, "never collected")]
    assert len(journal.intervals(sources=[("devrev", "acme")])) == 1
    assert [i.source for i in journal.intervals(window("00:30", "01:00"))] == ["devrev"]


def test_a_source_that_only_failed_long_ago_is_known(journal: Journal) -> None:
    begin(journal)
    journal.fail("a1", "x", [interval("00:00", "01:00", FAILED)])
    assert journal.gaps(window("05:00", "06:00")) == [gap("05:00", "06:00")]


MINUTES = 30
SPANS = st.tuples(st.integers(-5, MINUTES + 5), st.integers(0, 15))
FILTERS = st.sampled_from(
    [{}, {"op": ["read"]}, {"op": ["read", "list"]}, {"op": ["list"]}, {"user": ["a"]}, {"op": ["read"], "user": ["a"]}]
)
SOURCES = [("x", "1"), ("x", "2"), ("y", "1")]


def minutes(start: int, end: int) -> Window:
    base = datetime(2026, 11, 1, tzinfo=UTC)
    return Window(base + timedelta(minutes=start), base + timedelta(minutes=end))


INTERVALS = st.lists(
    st.builds(
        lambda source, chosen, span, state: Interval(
            *source, chosen, minutes(span[0], sum(span)), state, "a", "declared"
        ),
        st.sampled_from(SOURCES),
        FILTERS,
        SPANS,
        st.sampled_from(CoverageState),
    ),
    max_size=12,
)


def expected(intervals: list[Interval], source: tuple[str, str], minute: int, question: Filter) -> tuple[str, str]:
    """What is wrong with one minute, by looking at every interval: the model."""
    here = [
        i
        for i in intervals
        if (i.source, i.tenant) == source
        and i.window.start <= minutes(minute, minute).start
        and minutes(minute, minute + 1).end <= i.window.end
    ]
    own = [i for i in here if all(k in question and set(question[k]) <= set(v) for k, v in i.filter.items())]
    for state, verdict in ((COMPLETE, ""), (PROVISIONAL, "provisional"), (FAILED, "failed")):
        if any(i.state == state for i in own):
            return verdict, ""
    others = sorted({coverage.describe(i.filter) for i in here if i not in own and i.state != FAILED})
    return "never collected", f"only {' and '.join(others)} was collected" if others else ""


@settings(max_examples=100)
@given(intervals=INTERVALS, question=FILTERS)
def test_gaps_are_what_a_look_at_every_minute_says(intervals: list[Interval], question: Filter) -> None:
    found = coverage.gaps(minutes(0, MINUTES), intervals, SOURCES, question)
    model = {
        (*source, minute): verdict
        for source in SOURCES
        for minute in range(MINUTES)
        if (verdict := expected(intervals, source, minute, question))[0]
    }
    base = minutes(0, 0).start
    by_minute = {
        (g.source, g.tenant, minute): (g.state, g.note)
        for g in found
        for minute in range(
            (g.window.start - base) // timedelta(minutes=1), (g.window.end - base) // timedelta(minutes=1)
        )
    }
    assert by_minute == model
    assert sum(((g.window.end - g.window.start) for g in found), timedelta(0)) == timedelta(minutes=len(model))
    for one, two in pairwise(found):
        assert (one.source, one.tenant, one.window) < (two.source, two.tenant, two.window)
        touching = (one.source, one.tenant, one.window.end) == (two.source, two.tenant, two.window.start)
        assert not touching or (one.state, one.note) != (two.state, two.note)


@settings(max_examples=12)
@given(INTERVALS)
def test_intervals_come_back_as_they_were_kept(intervals: list[Interval]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.db")
        begin(journal, "a")
        journal.record("a", [], None, {}, journal.head())
        journal.finish("a", COUNTS, intervals, lake_version=None, window=None)
        kept = journal.intervals()
        same = [replace(i, filter={k: sorted(v) for k, v in sorted(i.filter.items())}) for i in intervals]
        assert sorted(map(repr, kept)) == sorted(map(repr, same))
        spans = [i.window for i in intervals if i.window.start < i.window.end]
        assert journal.span() == (Window(min(spans).start, max(w.end for w in spans)) if spans else None)
