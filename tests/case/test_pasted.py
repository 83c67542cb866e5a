"""Times as people paste them: many forms, one instant, and nothing guessed silently."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from investigate.case.pasted import in_zone, read_time, read_window
from investigate.errors import BadTime

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MEANT = datetime(2026, 11, 3, 14, 5, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-03T14:05:06Z",
        "2026-11-03 14:05:06 UTC",
        "2026-11-03T15:05:06+01:00",
        "2026-11-03 15:05:06+0100",
        "2026-11-03 15:05:06 +01",
        "2026-11-03 15:05:06 Europe/Berlin",
        '"2026-11-03T14:05:06.000000Z",',
        "[03/Nov/2026:15:05:06 +0100]",
        "Tue, 03 Nov 2026 14:05:06 GMT",
        "Tue, 3 Nov 2026 15:05:06 +0100 (CET)",
        "3 Nov 2026 14:05:06 UTC",
        "3 November 2026 14:05:06 UTC",
        "Nov 3, 2026, 2:05:06 PM UTC",
        "November 3, 2026 at 2:05:06 PM UTC",
        "2026/11/03 14:05:06Z",
        "20261103T140506Z",
        "1793714706",
        "1793714706000",
        "1793714706000000",
        "1793714706000000000",
        "1793714706.000",
    ],
)
def test_what_names_its_zone_is_that_instant_in_any_form(text: str) -> None:
    read = read_time(text, "America/New_York", now=NOW)
    assert (read.time, read.assumed) == (MEANT, "")


@pytest.mark.parametrize(
    "text", ["2026-11-03 09:05:06", "2026-11-03T09:05:06", "Nov 3, 2026 9:05:06 AM", "03 Nov 2026, 09:05:06"]
)
def test_what_names_none_is_taken_in_the_chosen_zone_and_says_so(text: str) -> None:
    read = read_time(text, "America/New_York", now=NOW)
    assert (read.time, read.assumed) == (MEANT, "America/New_York")


def test_a_date_is_midnight_in_the_chosen_zone() -> None:
    assert read_time("2026-11-03", "Europe/Berlin").time == datetime(2026, 11, 2, 23, tzinfo=UTC)
    assert read_time("2026-11-03").time == datetime(2026, 11, 3, tzinfo=UTC)


def test_fractions_are_kept_to_the_microsecond() -> None:
    assert read_time("2026-11-03T14:05:06.123456Z").time.microsecond == 123_456
    assert read_time("1793714706.123456").time.microsecond == 123_456
    assert read_time("03/Nov/2026:14:05:06.5 +0000").time.microsecond == 500_000


def test_spans_reach_back_from_now() -> None:
    assert read_time("12h", now=NOW).time == datetime(2026, 11, 22, tzinfo=UTC)
    assert read_time("now", now=NOW).time == NOW


@pytest.mark.parametrize(
    ("text", "zone", "said"),
    [
        ("03/04/2026 10:00", "UTC", "may be a day and a month"),
        ("2026-11-03 10:00 CST", "UTC", "may be several time zones"),
        ("2026-10-25 02:30", "Europe/Berlin", "twice"),
        ("2026-03-29 02:30", "Europe/Berlin", "set forward"),
        ("2026-11-03", "Mars/Olympus", "no time zone 'Mars/Olympus'"),
        ("yesterday", "UTC", "Not a time"),
        ("", "UTC", "There is no time"),
        ("9999-12-31 23:59", "America/New_York", "Not a time"),
        ("x" * 2**20, "UTC", "Not a time"),
    ],
)
def test_what_may_mean_two_things_or_none_is_refused_with_a_hint(text: str, zone: str, said: str) -> None:
    with pytest.raises(BadTime, match=said) as raised:
        read_time(text, zone, now=NOW)
    assert raised.value.hint
    assert len(raised.value.message) < 120


@given(st.text(max_size=40))
def test_any_text_is_an_aware_time_or_refused(text: str) -> None:
    try:
        read = read_time(text, "Europe/Berlin", now=NOW)
    except BadTime:
        return
    assert read.time.tzinfo is UTC


@given(st.datetimes(min_value=datetime(1980, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001 - made aware below
def test_what_is_shown_in_a_zone_can_be_pasted_again(moment: datetime) -> None:
    aware = moment.replace(tzinfo=UTC)
    for zone in ("UTC", "Europe/Berlin", "Asia/Kathmandu"):
        assert read_time(in_zone(aware, zone), "UTC").time == aware


def test_a_window_needs_an_end_after_its_start() -> None:
    window, first, last = read_window("2026-11-01", "", "Europe/Berlin", now=NOW)
    assert (window.end, first.assumed, last.assumed) == (NOW, "Europe/Berlin", "")
    for end in ("2026-11-01", "2026-10-01"):
        with pytest.raises(BadTime):
            read_window("2026-11-01", end, now=NOW)
