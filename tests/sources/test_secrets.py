"""No secret in any log record, message, repr or traceback with its variables, whatever goes wrong."""

from __future__ import annotations

import logging
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
import pytest
from pydantic import SecretStr

from investigate.config import CodeRabbitConfig, DevRevConfig, HttpConfig
from investigate.errors import InvestigateError
from investigate.events import Window
from investigate.sources import coderabbit, devrev
from investigate.sources.download import download
from investigate.sources.link import Link

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.server import BaseHTTPRequestHandler

    from investigate.evidence.store import EvidenceStore

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)
WINDOW = Window.of("2026-11-01", "2026-11-03")
SIGNATURE = "5ec4e700" * 8
TOKEN = "dvr-token-5ec4e7"
KEY = "cr-key-5ec4e7"
SECRETS = (SIGNATURE, TOKEN, KEY, "AKIASECRET")
QUERY = f"X-Amz-Date=20261103T100000Z&X-Amz-Expires=28800&X-Amz-Credential=AKIASECRET%2Fx&X-Amz-Signature={SIGNATURE}"
HTTP = HttpConfig(retry_attempts=2, read_timeout=5)


def echo(handler: BaseHTTPRequestHandler, status: int, **headers: str) -> None:
    """An answer that throws every secret back, in its headers and in its body."""
    said = f"{handler.path} {handler.headers['Authorization']} {handler.headers['x-coderabbitai-api-key']}"
    body = f'{{"message": "you sent {said}"}}'.encode()
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    handler.send_header("Set-Cookie", f"session={TOKEN}")
    handler.send_header("X-Echo", f"http://127.0.0.1{said}")
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.connection.close()


def cut(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"{")


FAULTS: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {
    **{str(status): lambda handler, status=status: echo(handler, status) for status in (400, 401, 403, 404, 429, 500)},
    "off-site": lambda handler: echo(handler, 302, Location=f"https://evil.test/?{QUERY}&token={TOKEN}"),
    "bad location": lambda handler: echo(handler, 302, Location=f"https://evil.test:port/?{QUERY}&token={TOKEN}"),
    "loop": lambda handler: echo(handler, 307, Location=handler.path),
    "hang up": hang_up,
    "cut": cut,
}


def attempt_export(base: str, store: EvidenceStore) -> None:
    del store
    with devrev.client(DevRevConfig(base_url=base), SecretStr(TOKEN), HTTP) as client:
        devrev.request_export(client, WINDOW, devrev.ExportFilter(), now=NOW)


def attempt_pull(base: str, store: EvidenceStore) -> None:
    with coderabbit.client(CodeRabbitConfig(base_url=base), SecretStr(KEY), HTTP) as client:
        coderabbit.pull(client, WINDOW, store=store, now=NOW)


def attempt_download(base: str, store: EvidenceStore) -> None:
    link = Link.parse(f"{base}/org/audit.json?{QUERY}", now=NOW)
    download(link, store, HTTP, now=lambda: NOW)


def renderings(error: BaseException) -> str:
    """The error as every reader of it would see it, the variables of our frames and of all below included."""
    # The test's own frames hold the secrets on purpose: what counts begins below them.
    inner = error.__traceback__
    while inner and "/investigate/" not in inner.tb_frame.f_code.co_filename:
        inner = inner.tb_next
    plain = traceback.TracebackException(type(error), error, inner, capture_locals=True)
    return "\n".join((str(error), repr(error), repr(vars(error)), *plain.format()))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("attempt", [attempt_export, attempt_pull, attempt_download])
def test_no_failure_gives_a_secret_away(
    attempt: Callable[[str, EvidenceStore], None],
    fault: str,
    serve: Callable[..., str],
    store: EvidenceStore,
    caplog: pytest.LogCaptureFixture,
) -> None:
    base = serve(FAULTS[fault])
    with caplog.at_level(logging.DEBUG), pytest.raises(InvestigateError) as caught:
        attempt(base, store)
    everything = renderings(caught.value) + "\n".join(repr(vars(record)) for record in caplog.records)
    assert caplog.records
    assert [secret for secret in SECRETS if secret in everything] == []


@pytest.mark.parametrize(
    "text", [f"https://evil.test/?{QUERY}", f"https://b.s3.amazonaws.com/k?{QUERY.replace('28800', '60')}", QUERY]
)
def test_a_refused_link_is_not_repeated(text: str) -> None:
    with pytest.raises(InvestigateError) as caught:
        Link.parse(text, now=NOW)
    assert [secret for secret in SECRETS if secret in renderings(caught.value)] == []


def test_nothing_that_holds_a_secret_shows_it() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={}))
    with (
        devrev.client(DevRevConfig(), SecretStr(TOKEN), HTTP, transport=transport) as first,
        coderabbit.client(CodeRabbitConfig(), SecretStr(KEY), HTTP, transport=transport) as second,
    ):
        shown = repr(
            (first, second, vars(first), vars(second), Link.parse(f"https://b.s3.amazonaws.com/k?{QUERY}", now=NOW))
        )
    assert [secret for secret in SECRETS if secret in shown] == []


def test_what_is_kept_holds_no_secret(serve: Callable[..., str], store: EvidenceStore) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        echo(handler, 200, ETag='"v1"', **{"x-request-id": f"http://h/?{QUERY}"})

    link = Link.parse(f"{serve(answer)}/audit.json?{QUERY}", now=NOW)
    received = download(link, store, HTTP, now=lambda: NOW)
    assert [secret for secret in SECRETS if secret in repr(received)] == []
