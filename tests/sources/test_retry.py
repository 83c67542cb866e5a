from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import stamina
from hypothesis import given
from hypothesis import strategies as st

from investigate.config import HttpConfig
from investigate.errors import RateLimited, TransferError
from investigate.sources.retry import Again, retried, retry_after

CONFIG = HttpConfig(retry_after_floor=0.5, retry_after_ceiling=120, retry_budget=600, retry_attempts=5)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("0", 0.5), ("1.5", 1.5), ("86400", 120.0), (" 3 ", 3.0), ("-4", None), ("soon", None), ("", None)],
)
def test_retry_after_in_seconds_is_held_between_floor_and_ceiling(header: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": header}, b"", CONFIG) == seconds


def test_retry_after_as_a_date_counts_from_the_answers_own_date() -> None:
    sent = datetime(2026, 11, 3, 14, tzinfo=UTC)
    headers = {
        "date": format_datetime(sent, usegmt=True),
        "retry-after": format_datetime(sent + timedelta(seconds=42), usegmt=True),
    }
    assert retry_after(headers, b"", CONFIG) == 42.0


def test_a_date_that_is_over_means_the_floor() -> None:
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, b"", CONFIG) == 0.5


def test_the_bodys_retry_after_stands_in_for_a_missing_header() -> None:
    body = json.dumps({"type": "too_many_requests", "retry_after": 9}).encode()
    assert retry_after({}, body, CONFIG) == 9.0


@given(st.text(), st.binary())
def test_no_header_or_body_breaks_it(header: str, body: bytes) -> None:
    found = retry_after({"retry-after": header, "date": header}, body, CONFIG)
    assert found is None or 0.5 <= found <= 120


def test_the_last_error_is_raised_when_attempts_are_used_up() -> None:
    tries: list[int] = []

    def attempt() -> None:
        tries.append(1)
        raise Again(TransferError("cut short", "again"))

    with pytest.raises(TransferError, match="cut short"):
        retried(attempt, CONFIG)
    assert len(tries) == 5


def test_no_wait_is_begun_that_the_budget_does_not_cover() -> None:
    times = iter([0.0, 100.0, 500.0])
    tries: list[int] = []

    def attempt() -> None:
        tries.append(1)
        raise Again(RateLimited("slow down"), wait=120.0)

    with pytest.raises(RateLimited):
        retried(attempt, CONFIG, lambda: next(times))
    assert len(tries) == 2  # at 100 s another 120 s fit into 600 s, at 500 s they do not


def test_what_is_waited_is_what_the_vendor_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    answers = iter([Again(RateLimited("slow down"), wait=7.0), None])

    def attempt() -> str:
        if failure := next(answers):
            raise failure
        return "done"

    with stamina.set_testing(False):
        assert retried(attempt, CONFIG) == "done"
    assert waits == [7.0]


def test_the_error_raised_has_no_context_to_leak_from() -> None:
    def attempt() -> None:
        raise Again(TransferError("cut short"))

    with pytest.raises(TransferError) as caught:
        retried(attempt, CONFIG)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
