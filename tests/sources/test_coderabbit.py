from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
from pydantic import SecretStr

from investigate import errors
from investigate.config import CodeRabbitConfig, HttpConfig
from investigate.events import Window
from investigate.sources import coderabbit
from investigate.sources.coderabbit import CodeRabbitFilter, Option, filter_options, pull

if TYPE_CHECKING:
    from collections.abc import Callable

    from investigate.evidence.store import EvidenceStore

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)
WINDOW = Window.of("2026-11-01", "2026-11-03")
HTTP = HttpConfig(retry_attempts=3, connections=3)


def client(handler: Callable[[httpx.Request], httpx.Response], **settings: object) -> coderabbit.Client:
    config = CodeRabbitConfig(**settings)
    return coderabbit.client(config, SecretStr("cr-key-secret"), HTTP, transport=httpx.MockTransport(handler))


class Log:
    """CodeRabbit's endpoint over a list that holds still, with the answers asked for on the side."""

    def __init__(self, count: int) -> None:
        self.rows = [(WINDOW.start + timedelta(minutes=number), f"e{number}") for number in range(count)]
        self.requests: list[httpx.Request] = []
        self.bodies: dict[str, str] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        params = request.url.params
        since, until = (datetime.fromisoformat(params[name]) for name in ("date_from", "date_to"))
        rows = [row for row in self.rows if since <= row[0] <= until]
        page, size = int(params["page"]), int(params["page_size"])
        body = {
            "data": [
                {"id": uid, "createdAt": time.isoformat(), "note": "é"}
                for time, uid in rows[(page - 1) * size :][:size]
            ],
            "pagination": {"page": page, "page_size": size, "total_count": len(rows)},
            "filter_options": {},
        }
        # Spaces and an order of its own: what is kept must be this text, not a rendering of it.
        text = json.dumps(body, ensure_ascii=False, indent=1)
        self.bodies[str(request.url)] = text
        return httpx.Response(200, content=text.encode(), headers={"Date": "Tue, 03 Nov 2026 12:00:00 GMT"})


def lines(store: EvidenceStore, received: coderabbit.PullReceived) -> list[dict[str, object]]:
    with store.open(received.files[0].sha256) as file, gzip.open(file, "rt", encoding="utf-8") as text:
        return [json.loads(line) for line in text]


def test_a_pull_keeps_the_pages_as_they_came(store: EvidenceStore) -> None:
    log = Log(250)
    steps: list[tuple[str, int, int | None, str]] = []
    with client(log) as one:
        received = pull(one, WINDOW, store=store, now=NOW, progress=lambda *step: steps.append(step))
    kept = lines(store, received)
    assert (received.total, received.complete, received.unproven, received.rereads) == (250, (WINDOW,), (), 0)
    assert [line["request"]["page"] for line in kept] == [1, 2, 3]
    assert [line["body"] for line in kept] == [
        log.bodies[str(log.requests[0].url).replace("page=1", f"page={page}")] for page in (1, 2, 3)
    ]
    assert list(kept[0]) == ["request", "status", "date", "body"]
    assert kept[0]["request"] == {
        "date_from": "2026-11-01T00:00:00.000000Z",
        "date_to": "2026-11-02T23:59:59.999999Z",
        "page": 1,
        "page_size": 100,
    }
    assert received.request == {
        "method": "GET",
        "url": "https://api.coderabbit.ai/v1/audit-logs",
        "params": {"from": "2026-11-01T00:00:00Z", "to": "2026-11-03T00:00:00Z"},
    }
    assert (received.files[0].name, received.files[0].ext) == (
        "coderabbit-20261101T000000Z-20261103T000000Z.jsonl.gz",
        ".jsonl.gz",
    )
    assert steps[:2] == [("pull", 1, 3, "pages"), ("pull", 2, 3, "pages")]


def test_equal_pages_make_equal_evidence(store: EvidenceStore) -> None:
    with client(Log(250)) as one:
        first, second = (pull(one, WINDOW, store=store, now=NOW) for _ in range(2))
    assert first.files[0].sha256 == second.files[0].sha256


def test_a_reading_that_proved_nothing_leaves_no_trace(store: EvidenceStore) -> None:
    moving = Log(250)
    late = iter([moving.rows.pop()])

    def handler(request: httpx.Request) -> httpx.Response:
        if len(moving.requests) > 1:
            moving.rows.extend(late)
        return moving(request)

    with client(handler) as one, client(Log(250)) as other:
        read_twice, read_once = (pull(each, WINDOW, store=store, now=NOW) for each in (one, other))
    assert (read_twice.rereads, read_once.rereads) == (1, 0)
    assert read_twice.files[0].sha256 == read_once.files[0].sha256


def test_every_filter_is_sent_with_every_page(store: EvidenceStore) -> None:
    log = Log(150)
    chosen = CodeRabbitFilter("Ada", ("api_key_create", "api_key_delete"), ("api_key",))
    with client(log, region="eu") as one:
        pull(one, WINDOW, chosen, store=store, now=NOW, org_id="org-1")
    wanted = {
        "search": "Ada",
        "actions": "api_key_create,api_key_delete",
        "resource_types": "api_key",
        "org_id": "org-1",
    }
    assert all(wanted.items() <= dict(request.url.params).items() for request in log.requests)
    assert {request.url.host for request in log.requests} == {"api.eu.coderabbit.ai"}
    assert {request.headers["x-coderabbitai-api-key"] for request in log.requests} == {"cr-key-secret"}


def test_the_end_is_pinned_before_now(store: EvidenceStore) -> None:
    log = Log(3)
    window = Window(NOW - timedelta(hours=1), NOW + timedelta(hours=1))
    with client(log) as one:
        received = pull(one, window, store=store, now=NOW, settle=60)
    assert received.window.end == NOW - timedelta(seconds=60)
    assert all(request.url.params["date_to"] < "2026-11-03T11:59:00.000001" for request in log.requests)
    assert "read up to 2026-11-03 11:59:00 UTC" in received.warnings[0]


def test_what_has_not_settled_is_refused(store: EvidenceStore) -> None:
    with client(Log(0)) as one, pytest.raises(errors.BadTime, match="has settled yet"):
        pull(one, Window(NOW - timedelta(seconds=30), NOW), store=store, now=NOW)


@pytest.mark.parametrize(
    "values",
    [
        {"search": "x" * 201},
        {"actions": tuple(str(number) for number in range(51))},
        {"resource_types": tuple(str(number) for number in range(51))},
        {"actions": ("a,b",)},
        {"actions": ("",)},
    ],
)
def test_filters_the_vendor_would_refuse_are_refused_before_any_request(values: dict[str, object]) -> None:
    with pytest.raises(errors.UsageError):
        CodeRabbitFilter(**values)


def test_limits_themselves_are_allowed() -> None:
    chosen = CodeRabbitFilter("x" * 200, tuple(str(number) for number in range(50)))
    assert len(chosen.as_params()["actions"].split(",")) == 50


@pytest.mark.parametrize(
    ("status", "body", "kind", "hint"),
    [
        (400, {"errors": [{"code": "INVALID_PARAMETER", "message": "m"}]}, errors.BadRequest, "Check the filters"),
        (401, {"errors": [{"message": "m"}]}, errors.Unauthenticated, "CODERABBIT_API_KEY"),
        (403, {"error": {"code": "NOT_ADMIN", "message": "m"}}, errors.Forbidden, "Admin role"),
        (403, {"error": {"code": "LEGACY_API_KEY", "message": "m"}}, errors.Forbidden, "non-agentic"),
        (403, {"type": "forbidden", "message": "m"}, errors.Forbidden, "Admin role"),
        (404, {"errors": [{"message": "m"}]}, errors.NotFound, "org_id"),
        (429, {"errors": [{"message": "m"}]}, errors.RateLimited, "Wait"),
        (500, {"error": {"message": "m"}}, errors.VendorUnavailable, "later"),
    ],
)
def test_the_vendors_errors_in_our_words(
    status: int, body: object, kind: type[errors.VendorError], hint: str, store: EvidenceStore
) -> None:
    with client(lambda _: httpx.Response(status, json=body)) as one, pytest.raises(kind, match=": m") as caught:
        pull(one, WINDOW, store=store, now=NOW)
    assert hint in caught.value.hint


def test_an_error_half_way_keeps_nothing(store: EvidenceStore) -> None:
    log = Log(250)

    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(403, json={}) if request.url.params["page"] == "3" else log(request)

    with client(handler) as one, pytest.raises(errors.Forbidden):
        pull(one, WINDOW, store=store, now=NOW)
    assert list(store) == []
    assert list((store.root / ".incoming").iterdir()) == []


@pytest.mark.parametrize("kind", [KeyboardInterrupt, ZeroDivisionError])
def test_who_cancels_leaves_no_mess(kind: type[BaseException], store: EvidenceStore) -> None:
    def cancel(phase: str, done: int, total: int | None, unit: str) -> None:
        del phase, total, unit
        if done == 2:
            raise kind

    with client(Log(950)) as one, pytest.raises(kind):
        pull(one, WINDOW, store=store, now=NOW, progress=cancel)
    assert list(store) == []
    assert list((store.root / ".incoming").iterdir()) == []


def test_a_body_that_is_not_utf_8_is_kept_all_the_same(store: EvidenceStore) -> None:
    body = b'{"data": [{"id": "a", "note": "\xff"}], "pagination": {"total_count": 1}}'
    with client(lambda _: httpx.Response(200, content=body)) as one:
        received = pull(one, WINDOW, store=store, now=NOW)
    line = lines(store, received)[0]
    assert (line["body_base64"], "body" in line) == (
        "eyJkYXRhIjogW3siaWQiOiAiYSIsICJub3RlIjogIv8ifV0sICJwYWdpbmF0aW9uIjogeyJ0b3RhbF9jb3VudCI6IDF9fQ==",
        False,
    )


def test_a_page_that_is_not_utf_8_is_asked_for_again(store: EvidenceStore) -> None:
    log, seen = Log(250), set()

    def handler(request: httpx.Request) -> httpx.Response:
        answer, first = log(request), str(request.url) not in seen
        seen.add(str(request.url))
        return httpx.Response(200, content=answer.content.replace(b"\xc3", b"\xff")) if first else answer

    with client(handler) as one:
        received = pull(one, WINDOW, store=store, now=NOW)
    assert (received.total, received.unproven) == (250, ())
    assert all("body" in line for line in lines(store, received))


def test_a_page_that_is_altered_each_time_in_another_place_is_never_taken(store: EvidenceStore) -> None:
    log, count = Log(250), iter(range(10**6))

    def handler(request: httpx.Request) -> httpx.Response:
        body = bytearray(log(request).content)
        if request.url.params["page"] == "2":
            places = [place for place, byte in enumerate(body) if byte == 0xC3]
            body[places[next(count) % len(places)]] = 0xFF
        return httpx.Response(200, content=bytes(body))

    with client(handler) as one, pytest.raises(errors.TransferError, match="page 2 came 8 times, altered") as caught:
        pull(one, WINDOW, store=store, now=NOW)
    assert caught.value.hint
    assert list(store) == []


def test_unproven_windows_are_named_and_what_was_read_is_kept(store: EvidenceStore) -> None:
    count = iter(range(10**6))

    def handler(request: httpx.Request) -> httpx.Response:
        data = [{"id": f"e{number}", "createdAt": "2026-11-02T00:00:00Z"} for number in range(100)]
        pagination = {"page": int(request.url.params["page"]), "total_count": 250 + next(count)}
        return httpx.Response(200, json={"data": data, "pagination": pagination})

    with client(handler) as one:
        received = pull(one, Window(WINDOW.start, WINDOW.start + timedelta(seconds=4)), store=store, now=NOW)
    assert received.complete == ()
    assert received.unproven == (received.window,)
    assert received.total == 100
    assert any("not proven complete" in warning for warning in received.warnings)


def test_an_answer_that_is_no_page_is_refused(store: EvidenceStore) -> None:
    with client(lambda _: httpx.Response(200, json={"items": []})) as one, pytest.raises(errors.TransferError):
        pull(one, WINDOW, store=store, now=NOW)


def test_the_values_to_filter_by_are_listed() -> None:
    options = {"actions": [{"value": "a", "label": "A", "count": 3}, {"value": "b"}, "junk"], "resource_types": None}
    body = {"data": [], "pagination": {"total_count": 0}, "filter_options": options}
    with client(lambda _: httpx.Response(200, json=body)) as one:
        found = filter_options(one, org_id="o")
    assert (found.actions, found.resource_types) == ((Option("a", "A", 3), Option("b", "b", 0)), ())
