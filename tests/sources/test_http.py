from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from pydantic import SecretStr

from investigate import errors
from investigate.config import HttpConfig
from investigate.sources import http
from investigate.sources.answers import Vendor
from investigate.sources.http import Client

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.server import BaseHTTPRequestHandler

TOKEN = "pat-4711-secret"
VENDOR = Vendor(
    "Acme", {403: "Ask an administrator.", "NOT_ADMIN": "Be an Admin.", "sent": "Look before you ask again."}
)


def client(handler: Callable[[httpx.Request], httpx.Response], **kwargs: object) -> Client:
    config = HttpConfig(retry_attempts=4)
    headers = {"Authorization": SecretStr(f"Bearer {TOKEN}"), "X-Plain": "yes"}
    return Client(
        "https://api.acme.test/base", headers, config, vendor=VENDOR, transport=httpx.MockTransport(handler), **kwargs
    )


class Script:
    """Answers in turn, the last one again and again; an exception is raised."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = answers
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        answer = self.answers[min(len(self.requests), len(self.answers) - 1)]
        self.requests.append(request)
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def test_an_answer_is_read_with_its_secret_header_sent() -> None:
    script = Script(httpx.Response(200, json={"a": [1]}))
    with client(script) as one:
        answer = one.request("GET", "/v1/x", params={"q": "ü,b"})
    request = script.requests[0]
    assert answer.data == {"a": [1]}
    assert str(request.url) == "https://api.acme.test/base/v1/x?q=%C3%BC%2Cb"
    assert (request.headers["authorization"], request.headers["x-plain"]) == (f"Bearer {TOKEN}", "yes")
    assert answer.request == "GET https://api.acme.test/base/v1/x"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_get_is_made_again_after_429_and_5xx(status: int) -> None:
    script = Script(httpx.Response(status), httpx.Response(status), httpx.Response(200, json={}))
    with client(script) as one:
        answer = one.request("GET", "/x")
    assert answer.earlier == (status, status)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.BadRequest),
        (401, errors.Unauthenticated),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (409, errors.BadRequest),
        (304, errors.VendorError),
    ],
)
def test_other_errors_are_raised_at_once(status: int, kind: type[errors.VendorError]) -> None:
    script = Script(httpx.Response(status, json={"message": "no"}))
    with client(script) as one, pytest.raises(kind) as caught:
        one.request("GET", "/x")
    assert (caught.value.status, caught.value.request, len(script.requests)) == (
        status,
        "GET https://api.acme.test/base/x",
        1,
    )


def test_an_error_that_lasts_is_raised_after_all_attempts() -> None:
    script = Script(httpx.Response(429, headers={"Retry-After": "0"}))
    with client(script) as one, pytest.raises(errors.RateLimited):
        one.request("GET", "/x")
    assert len(script.requests) == 4


def test_the_total_budget_ends_the_retries() -> None:
    seconds = iter(range(0, 10_000, 250))
    script = Script(httpx.Response(429, headers={"Retry-After": "60"}))
    with client(script, clock=lambda: float(next(seconds))) as one, pytest.raises(errors.RateLimited):
        one.request("GET", "/x")
    assert len(script.requests) < 4


@pytest.mark.parametrize(
    "failure", [httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("gone")]
)
def test_a_broken_connection_is_tried_again(failure: Exception) -> None:
    with client(Script(failure, httpx.Response(200, json={"ok": True}))) as one:
        assert one.request("GET", "/x").data == {"ok": True}


def test_no_connection_at_all_is_an_unavailable_vendor() -> None:
    with client(Script(httpx.ConnectError("refused"))) as one, pytest.raises(errors.VendorUnavailable) as caught:
        one.request("GET", "/x")
    assert "No connection to api.acme.test: ConnectError, refused." in str(caught.value)


@pytest.mark.parametrize("failure", [httpx.ReadTimeout("slow"), httpx.ReadError("reset")])
def test_a_post_that_may_have_been_carried_out_is_not_made_again(failure: Exception) -> None:
    script = Script(failure, httpx.Response(200, json={}))
    with client(script) as one, pytest.raises(errors.VendorUnavailable) as caught:
        one.request("POST", "/x", json={"from": 1})
    assert (len(script.requests), caught.value.hint) == (1, "Look before you ask again.")


@pytest.mark.parametrize("first", [httpx.Response(429), httpx.Response(503), httpx.ConnectTimeout("no")])
def test_a_post_that_was_not_carried_out_is_made_again(first: httpx.Response | Exception) -> None:
    script = Script(first, httpx.Response(200, json={}))
    with client(script) as one:
        one.request("POST", "/x", json={"from": 1})
    assert json.loads(script.requests[1].content) == {"from": 1}


def test_a_redirect_within_the_origin_is_followed() -> None:
    script = Script(httpx.Response(307, headers={"Location": "/elsewhere"}), httpx.Response(200, json={}))
    with client(script) as one:
        one.request("GET", "/x")
    assert script.requests[1].url.path == "/elsewhere"
    assert script.requests[1].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.test/x",
        "http://api.acme.test/x",
        "https://api.acme.test:444/x",
        "//evil.test",
        "https://api.acme.test.evil.test/",
        "https://api.acme.test@evil.test/",
    ],
)
def test_a_redirect_to_another_origin_is_refused(location: str) -> None:
    script = Script(httpx.Response(302, headers={"Location": location}))
    with client(script) as one, pytest.raises(errors.TransferError, match="redirects to another address"):
        one.request("GET", "/x")
    assert len(script.requests) == 1


def test_redirects_without_end_are_given_up() -> None:
    script = Script(httpx.Response(302, headers={"Location": "/x"}))
    with client(script) as one, pytest.raises(errors.TransferError, match="without end"):
        one.request("GET", "/x")
    assert len(script.requests) == http.MAX_REDIRECTS + 1


def test_a_post_is_not_turned_into_a_get() -> None:
    script = Script(httpx.Response(303, headers={"Location": "/x"}))
    with client(script) as one, pytest.raises(errors.TransferError, match="redirects a POST to a GET"):
        one.request("POST", "/x", json={})


def test_a_web_page_in_place_of_an_answer_is_an_error() -> None:
    page = "<!DOCTYPE html><html><title>Sign in &amp; go</title><body>x</body></html>"
    with client(Script(httpx.Response(200, html=page))) as one, pytest.raises(errors.VendorError) as caught:
        one.request("POST", "/x", json={})
    assert caught.value.message == "Acme answered 200 OK: an HTML page, 'Sign in & go'."


def test_json_that_breaks_off_is_asked_for_again() -> None:
    script = Script(httpx.Response(200, content=b'{"data": [1, 2'), httpx.Response(200, json={"data": []}))
    with client(script) as one:
        assert one.request("GET", "/x").data == {"data": []}


def test_an_answer_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_ANSWER", 1000)
    script = Script(httpx.Response(200, content=b" " * 1001))
    with client(script) as one, pytest.raises(errors.TransferError, match="longer than 1000 bytes"):
        one.request("GET", "/x")


@pytest.mark.parametrize(
    "address",
    [
        "http://api.acme.test",
        "http://127.0.0.1.evil.test",
        "http://localhost.evil.test",
        "http://2130706433",
        "ftp://acme.test",
        "acme.test",
        "https://user:pw@acme.test",
        "https://acme.test/?token=1",
        "",
        "https://",
        "https://[::1",
    ],
)
def test_no_secret_is_sent_to_an_address_that_is_not_safe(address: str) -> None:
    with pytest.raises(errors.ConfigError):
        Client(address, {"Authorization": SecretStr("x")}, HttpConfig())


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "http://127.9.9.9"])
def test_plain_http_to_this_machine_is_allowed(address: str) -> None:
    with Client(address, {"Authorization": SecretStr("x")}, HttpConfig()) as one:
        assert one.host in address


def test_what_is_meant_for_this_machine_goes_through_no_proxy(
    serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://192.0.2.1:9")
    with Client(serve(lambda one: reply(one, b"{}")), {}, HttpConfig(retry_attempts=1, connect_timeout=1)) as one:
        assert one.request("GET", "/x").status == 200


def reply(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content_Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def test_a_body_cut_half_way_is_asked_for_again(serve: Callable[..., str]) -> None:
    served: list[int] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        served.append(1)
        if len(served) < 3:
            handler.close_connection = True
            reply(handler, b'{"half": ', Content_Length="100")
        else:
            reply(handler, b'{"whole": 1}')

    with Client(serve(answer), {}, HttpConfig()) as one:
        assert one.request("GET", "/x").data == {"whole": 1}


def test_what_comes_after_an_answer_of_wrong_length_is_no_answer(serve: Callable[..., str]) -> None:
    served: list[int] = []
    again = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        served.append(1)
        if len(served) == 1:
            reply(handler, b'{"half": ')
            again.wait(2)
            reply(handler, b'{"foreign": 1}')
        else:
            again.set()
            reply(handler, b'{"whole": 1}')

    with Client(serve(answer), {}, HttpConfig()) as one:
        assert one.request("GET", "/x").data == {"whole": 1}


def test_a_body_always_cut_is_an_error_that_says_so(serve: Callable[..., str]) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        reply(handler, b'{"half": ', Content_Length="100")

    with (
        Client(serve(answer), {}, HttpConfig(retry_attempts=2)) as one,
        pytest.raises(errors.TransferError, match="broke off"),
    ):
        one.request("GET", "/x")


def test_an_answer_that_drips_is_given_up(serve: Callable[..., str]) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        for _ in range(1000):
            handler.wfile.write(b" ")
            time.sleep(0.005)

    times = iter(range(0, 10**6, 10))
    config = HttpConfig(retry_attempts=1, read_timeout=5)
    with (
        Client(serve(answer), {}, config, clock=lambda: float(next(times))) as one,
        pytest.raises(errors.TransferError, match="come to an end"),
    ):
        one.request("GET", "/x")
