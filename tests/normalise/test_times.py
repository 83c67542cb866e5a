"""Times in every form a log has them, and the query and the slower reader in agreement."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from investigate.normalise.times import read_time

if TYPE_CHECKING:
    from collections.abc import Callable

NOON = datetime(2026, 11, 3, 12, 0, tzinfo=UTC)
EXACT = NOON + timedelta(microseconds=123456)
FORMS = [
    ("2026-11-03T12:00:00Z", NOON),
    ("2026-11-03 12:00:00", NOON),
    ("2026-11-03T12:00Z", NOON),
    ("2026-11-03", NOON - timedelta(hours=12)),
    ("2026-11-03T12:00:00.123456Z", EXACT),
    ("2026-11-03T12:00:00.123456789Z", EXACT),
    ("2026-11-03T12:00:00,123456Z", EXACT),
    ("2026-11-03T14:00:00.123456+02:00", EXACT),
    ("2026-11-03T14:00:00.123456+0200", EXACT),
    ("2026-11-03T14:00:00.123456+02", EXACT),
    ("2026-11-03 07:00:00 -05:00", NOON),
    ("2026-11-03 12:00:00 UTC", NOON),
    ("20261103T120000Z", NOON),
    ("Tue, 03 Nov 2026 12:00:00 GMT", NOON),
    ("1793707200", NOON),
    ("1793707200.123456", EXACT),
    ("1793707200123", NOON + timedelta(milliseconds=123)),
    ("1793707200123.456", EXACT),
    ("1793707200123456", EXACT),
    ("1793707200123456789", EXACT),
    ("1.7937072e9", NOON),
    ("2026-11-03T11:59:60Z", NOON),
    ("2026-11-03T11:59:60.5Z", NOON + timedelta(seconds=0.5)),
    ("2026-11-03 11:59:60,25 +00:00", NOON + timedelta(seconds=0.25)),
    ("Tue, 03 Nov 2026 12:00:00 -0000", NOON),
]


@pytest.mark.parametrize(("text", "instant"), FORMS)
def test_a_time_in_the_form_a_log_has_it(read: Callable[..., Any], text: str, instant: datetime) -> None:
    assert read_time(text) == instant
    assert read(b'{"eventTime":"%s"}' % text.encode(), profile="cloudtrail").events[0]["time"] == instant


def test_a_time_without_a_zone_is_in_the_profiles(read: Callable[..., Any]) -> None:
    zone = {"cloudtrail": {"time": {"paths": ["eventTime"], "zone": "Europe/Berlin"}}}
    lines = (
        b'{"eventTime":"2026-11-03T13:00:00"}\n{"eventTime":"20261103T130000"}\n{"eventTime":"2026-11-03T12:00:00Z"}'
    )
    times = [event["time"] for event in read(lines, profile="cloudtrail", overrides=zone).events]
    assert times == [NOON, NOON, NOON]


@pytest.mark.parametrize("mark", [".", ","])
@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-10-25 01:59:59{}5", datetime(2026, 10, 24, 23, 59, 59, 500_000, UTC)),
        ("2026-10-25 02:30:00{}5", datetime(2026, 10, 25, 1, 30, 0, 500_000, UTC)),
        ("2026-10-25 03:00:00{}5", datetime(2026, 10, 25, 2, 0, 0, 500_000, UTC)),
        ("2026-03-29 01:59:59{}5", datetime(2026, 3, 29, 0, 59, 59, 500_000, UTC)),
        ("2026-03-29 02:30:00{}5", datetime(2026, 3, 29, 1, 30, 0, 500_000, UTC)),
        ("2026-03-29 03:00:00{}5", datetime(2026, 3, 29, 1, 0, 0, 500_000, UTC)),
    ],
)
def test_where_the_clock_is_changed_the_query_and_the_slower_reader_agree(
    read: Callable[..., Any], text: str, mark: str, instant: datetime
) -> None:
    zone = {"cloudtrail": {"time": {"paths": ["eventTime"], "zone": "Europe/Berlin"}}}
    text = text.format(mark)  # with a comma only the slower reader takes it
    (event,) = read(json.dumps({"eventTime": text}).encode(), profile="cloudtrail", overrides=zone).events
    assert (event["time"], read_time(text, "Europe/Berlin")) == (instant, instant)


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "12",
        "-5e9x",
        "2026-02-30",
        "",
        "٣",
        "2026-11-03T12:00:00+99:99",
        "x" * 99,
        "Tue, 03 Nov 2026 12:00:00",
    ],
)
def test_what_is_no_time_comes_back_with_its_reason(text: str) -> None:
    assert str(read_time(text)).startswith("unusable time")


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(instants=st.lists(st.datetimes(datetime(1980, 1, 1), datetime(2200, 1, 1)), min_size=20, max_size=20))  # noqa: DTZ001
def test_the_query_and_the_slower_reader_agree(read: Callable[..., Any], instants: list[datetime]) -> None:
    forms = []
    for instant in instants:
        aware = instant.replace(tzinfo=UTC)
        micros = (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        seconds = f"{micros // 10**6}.{micros % 10**6:06}"
        forms += [(aware.isoformat(), aware), (instant.isoformat(" "), aware), (seconds, aware), (f"{micros}", aware)]
    data = "\n".join(f'{{"eventTime":"{text}"}}' for text, _ in forms).encode()
    expected = [instant for _, instant in forms]
    assert [event["time"] for event in read(data, profile="cloudtrail").events] == expected
    assert [read_time(text) for text, _ in forms] == expected
