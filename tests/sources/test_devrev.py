from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from investigate.config import DevRevConfig, HttpConfig
from investigate.errors import BadTime, Forbidden, RateLimited, UsageError, VendorUnavailable
from investigate.events import Window
from investigate.sources import devrev
from investigate.sources.devrev import ExportFilter, advice, plan, request_export, warnings_for

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)
WINDOW = Window.of("2026-11-01", "2026-11-03")


def client(handler: Callable[[httpx.Request], httpx.Response]) -> devrev.Client:
    http = HttpConfig(retry_attempts=3)
    return devrev.client(DevRevConfig(), SecretStr("pat-secret"), http, transport=httpx.MockTransport(handler))


def test_an_export_is_asked_for_as_the_reference_says() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={}, headers={"X-Request-Id": "r-1"})

    with client(handler) as one:
        wanted = ExportFilter(operation_types=("READ", "read"), users=("devu/1",))
        requested = request_export(one, WINDOW, wanted, now=NOW)
    body = {
        "from": "2026-11-01T00:00:00Z",
        "to": "2026-11-03T00:00:00Z",
        "operation_types": ["read"],
        "users": ["devu/1"],
    }
    assert (seen[0].method, str(seen[0].url)) == ("POST", "https://api.devrev.ai/audit-logs.fetch")
    assert seen[0].headers["authorization"] == "Bearer pat-secret"
    assert json.loads(seen[0].content) == body
    assert requested.request == {"method": "POST", "url": "https://api.devrev.ai/audit-logs.fetch", "body": body}
    assert requested.response == {"content-length": "2", "content-type": "application/json", "x-request-id": "r-1"}
    assert (requested.requested_at, requested.warnings) == (NOW, ())


def test_an_empty_body_is_an_acceptance() -> None:
    with client(lambda _: httpx.Response(200)) as one:
        assert request_export(one, WINDOW, ExportFilter(), now=NOW).window == WINDOW


def test_a_retry_that_may_have_started_two_jobs_is_not_silent() -> None:
    answers = iter([httpx.Response(500, json={"type": "internal_error"}), httpx.Response(200, json={})])
    with client(lambda _: next(answers)) as one:
        requested = request_export(one, WINDOW, ExportFilter(), now=NOW)
    assert requested.warnings == ("DevRev answered 500 before it accepted: more than one notification may come.",)


def test_a_request_without_answer_is_not_made_again() -> None:
    calls: list[int] = []

    def handler(request: httpx.Request) -> httpx.Response:
        calls.append(1)
        raise httpx.ReadTimeout("slow", request=request)

    with client(handler) as one, pytest.raises(VendorUnavailable, match="An export may have been started"):
        request_export(one, WINDOW, ExportFilter(), now=NOW)
    assert calls == [1]


def test_who_is_no_administrator_is_told_what_to_use() -> None:
    body = {"type": "forbidden", "message": "Forbidden", "detail": "not an admin"}
    with client(lambda _: httpx.Response(403, json=body)) as one, pytest.raises(Forbidden) as caught:
        request_export(one, WINDOW, ExportFilter(), now=NOW)
    assert caught.value.message == "DevRev answered 403 Forbidden: Forbidden not an admin."
    assert "member of the Admins group" in caught.value.hint


def test_a_rate_limit_that_lasts_is_reported() -> None:
    body = {"type": "too_many_requests", "message": "Slow down", "retry_after": 3}
    with client(lambda _: httpx.Response(429, json=body)) as one, pytest.raises(RateLimited, match="Slow down"):
        request_export(one, WINDOW, ExportFilter(), now=NOW)


@pytest.mark.parametrize("window", [Window(NOW, NOW), Window(NOW + timedelta(hours=1), NOW + timedelta(hours=2))])
def test_windows_that_can_hold_nothing_are_refused_before_any_request(window: Window) -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        pytest.fail("a request was made")

    with client(handler) as one, pytest.raises(BadTime):
        request_export(one, window, ExportFilter(), now=NOW)


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(minutes=16), None),
        (timedelta(minutes=15), None),
        (timedelta(minutes=5), "after 2026-11-03 12:10 UTC"),
        (timedelta(0), "ingestion delay of 15 min"),
        (timedelta(minutes=-5), "ends in the future"),
    ],
)
def test_windows_that_reach_too_far_are_warned_of(age: timedelta, words: str | None) -> None:
    warnings = warnings_for(Window(NOW - timedelta(days=1), NOW - age), NOW)
    assert [words in warning for warning in warnings if words] == ([True] if words else [])
    assert len(warnings) == (words is not None)


@given(st.integers(1, 10**7), st.integers(1, 10**6))
def test_a_plan_covers_its_window_without_gap_or_overlap(length: int, split: int) -> None:
    window = Window(NOW - timedelta(seconds=length), NOW)
    if length / split > devrev.MAX_REQUESTS:
        with pytest.raises(UsageError):
            plan(window, split=timedelta(seconds=split))
        return
    windows = plan(window, split=timedelta(seconds=split))
    assert [one.start for one in windows] == [window.start, *(one.end for one in windows[:-1])]
    assert windows[-1].end == window.end
    assert all(one.start < one.end <= one.start + timedelta(seconds=split) for one in windows)


@pytest.mark.parametrize("split", [timedelta(0), timedelta(seconds=-1)])
def test_a_split_that_is_none_is_refused(split: timedelta) -> None:
    with pytest.raises(UsageError):
        plan(WINDOW, split=split)


@pytest.mark.parametrize("values", [{"operation_types": ("write",)}, {"categories": ("",)}, {"users": ("a", " ")}])
def test_filters_that_mean_nothing_are_refused(values: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(UsageError):
        ExportFilter(**values)


@pytest.mark.parametrize(
    ("state", "age", "left", "words"),
    [
        ("requested", timedelta(minutes=3), None, "Wait for the notification"),
        ("requested", timedelta(minutes=15), None, "No link after 15 min: (1) Open Updates (the bell)"),
        ("requested", timedelta(hours=9), None, "ask again: investigate devrev request --from 2026-11-01"),
        ("linked", timedelta(hours=1), timedelta(hours=2), "lives for another 2 h"),
        ("downloading", timedelta(hours=1), timedelta(minutes=2), "the download goes on"),
        ("linked", timedelta(hours=9), timedelta(seconds=-1), "The link died at 2026-11-03 11:59 UTC; ask again"),
        ("expired", timedelta(hours=9), None, "The link died; ask again"),
        ("failed", timedelta(hours=9), None, "It failed; ask again"),
        ("collected", timedelta(hours=9), timedelta(hours=-2), "Nothing: it is collected."),
    ],
)
def test_what_to_do_next(state: str, age: timedelta, left: timedelta | None, words: str) -> None:
    expires = None if left is None else NOW + left
    assert words in advice(state, NOW - age, expires, NOW, WINDOW)


def test_the_troubleshooting_is_the_vendors() -> None:
    text = advice("requested", NOW - timedelta(minutes=20), None, NOW)
    for word in ("Important", "Others", "DevRev Bot", "muted", "Computer SKU", "contact DevRev support"):
        assert word in text
