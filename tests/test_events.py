"""Windows and times: half-open, UTC, and never guessed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from investigate.errors import BadTime
from investigate.events import COLUMNS, Window, event_schema, iso, parse_time

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-11-03", datetime(2026, 11, 3, tzinfo=UTC)),
        (date(2026, 11, 3), datetime(2026, 11, 3, tzinfo=UTC)),
        ("2026-11-03T14:00:00+02:00", datetime(2026, 11, 3, 12, tzinfo=UTC)),
        ("2026-11-03 14:00:00.123456Z", datetime(2026, 11, 3, 14, 0, 0, 123456, tzinfo=UTC)),
        (datetime(2026, 11, 3, 14, tzinfo=timezone(timedelta(hours=2))), NOW),
        ("7d", NOW - timedelta(days=7)),
        ("90m", NOW - timedelta(minutes=90)),
        ("now", NOW),
    ],
)
def test_times_as_people_write_them(written: str | date | datetime, meant: datetime) -> None:
    assert parse_time(written, now=NOW) == meant


@pytest.mark.parametrize("written", ["2026-11-03T14:00:00", "yesterday", "", "2026-13-01", "0000-01-01", "99999999w"])
def test_what_is_no_instant_is_refused_with_a_hint(written: str) -> None:
    with pytest.raises(BadTime) as raised:
        parse_time(written, now=NOW)
    assert raised.value.hint


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(BadTime, match="no zone"):
        Window(datetime(2026, 11, 3), NOW)  # noqa: DTZ001 - what is tested


def test_an_end_before_the_start_is_refused() -> None:
    with pytest.raises(BadTime, match="before it starts"):
        Window.of("2026-11-03", "2026-11-02")


minutes = st.integers(0, 50).map(lambda m: NOW + timedelta(minutes=m))
windows = st.tuples(minutes, minutes).map(lambda ends: Window(min(ends), max(ends)))


@given(windows, st.lists(windows, max_size=5))
def test_what_is_left_of_a_window_is_what_no_other_spans(whole: Window, others: list[Window]) -> None:
    rest = whole.minus(others)
    instants = [NOW + timedelta(minutes=m, seconds=30) for m in range(51)]

    def inside(window: Window, instant: datetime) -> bool:
        return window.start <= instant < window.end

    for instant in instants:
        expected = inside(whole, instant) and not any(inside(other, instant) for other in others)
        assert any(inside(part, instant) for part in rest) == expected


@given(windows, windows)
def test_windows_intersect_where_they_overlap(one: Window, other: Window) -> None:
    shared = one.intersect(other)
    start, end = max(one.start, other.start), min(one.end, other.end)
    assert shared == (Window(start, end) if start < end else None)


def test_json_is_iso_with_z() -> None:
    assert Window(NOW, NOW + timedelta(microseconds=1)).as_json() == {
        "from": "2026-11-03T12:00:00Z",
        "to": "2026-11-03T12:00:00.000001Z",
    }
    assert parse_time(iso(NOW)) == NOW


@given(windows)
def test_a_window_survives_json(window: Window) -> None:
    assert Window.from_json(window.as_json()) == window
    assert Window.from_json(None) is None


def test_the_schema_has_the_documented_columns_in_order() -> None:
    schema = event_schema()
    assert schema.names == list(COLUMNS)
    assert schema.field("time").type == pa.timestamp("us", "UTC")
    assert schema.field("resources").type.value_type == pa.string()
    assert all(field.metadata[b"doc"] for field in schema)
