from __future__ import annotations

import gzip
import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from investigate import errors
from investigate.config import HttpConfig
from investigate.events import Window
from investigate.sources import download as module
from investigate.sources.download import download
from investigate.sources.link import Link

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.server import BaseHTTPRequestHandler

    from investigate.evidence.store import EvidenceStore

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)
SIGNATURE = "5ec4e7" * 10
QUERY = f"X-Amz-Date=20261103T100000Z&X-Amz-Expires=28800&X-Amz-Credential=AKIA%2Fx&X-Amz-Signature={SIGNATURE}"
BODY = bytes(range(256)) * 4000
CONFIG = HttpConfig(retry_attempts=4)
WINDOW = Window.of("2026-11-01", "2026-11-03")


def link(base: str) -> Link:
    return Link.parse(f"{base}/org/audit.jsonl.gz?{QUERY}", now=NOW)


class Bucket:
    """One object behind http.server: ranges, preconditions, and faults by request number."""

    def __init__(self, body: bytes = BODY, etag: str = '"v1"') -> None:
        self.body, self.etag = body, etag
        self.cuts: dict[int, int] = {}
        self.partial = 206
        self.ranges: list[str | None] = []
        self.before: Callable[[int], None] = lambda _: None

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        number = len(self.ranges)
        wanted = handler.headers["Range"]
        self.ranges.append(wanted)
        self.before(number)
        if handler.headers.get("If-Match", self.etag) != self.etag:
            self._send(handler, 412, b"<Error><Code>PreconditionFailed</Code></Error>", {})
            return
        start = int(wanted[6:-1]) if wanted else 0
        if wanted and start >= len(self.body):
            self._send(handler, 416, b"<Error><Code>InvalidRange</Code></Error>", {})
            return
        rest = self.body[start:]
        headers = {"ETag": self.etag, "x-amz-request-id": "req-1"}
        if wanted:
            headers["Content-Range"] = f"bytes {start}-{len(self.body) - 1}/{len(self.body)}"
        self._send(handler, self.partial if wanted else 200, rest, headers, self.cuts.get(number))

    @staticmethod
    def _send(
        handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str], cut: int | None = None
    ) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body if cut is None else body[:cut])
        handler.close_connection = cut is not None


def fetch(base: str, store: EvidenceStore, **kwargs: object) -> module.Received:
    return download(link(base), store, CONFIG, now=lambda: NOW, window=WINDOW, **kwargs)


def kept(store: EvidenceStore, received: module.Received) -> bytes:
    with store.open(received.files[0].sha256) as file:
        return file.read()


def leftovers(store: EvidenceStore) -> list[str]:
    return sorted(path.suffix for path in (store.root / ".incoming").iterdir())


def test_a_file_is_kept_byte_for_byte_with_what_it_was(serve: Callable[..., str], store: EvidenceStore) -> None:
    base = serve(Bucket())
    steps: list[tuple[str, int, int | None, str]] = []
    received = fetch(base, store, progress=lambda *step: steps.append(step))
    assert kept(store, received) == BODY
    assert (received.files[0].name, received.files[0].ext) == ("audit.jsonl.gz", ".jsonl.gz")
    assert received.request == {"method": "GET", "url": f"{base}/org/audit.jsonl.gz"}
    assert (received.response["etag"], received.response["x-amz-request-id"]) == ('"v1"', "req-1")
    assert (steps[0], steps[-1]) == (("download", 0, len(BODY), "bytes"), ("download", len(BODY), len(BODY), "bytes"))
    assert leftovers(store) == []


def test_a_content_encoding_is_not_undone(serve: Callable[..., str], store: EvidenceStore) -> None:
    packed = gzip.compress(b"{}\n", mtime=0)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        assert handler.headers["Accept-Encoding"] == "identity"
        Bucket._send(handler, 200, packed, {"Content-Encoding": "gzip"})

    received = fetch(serve(answer), store)
    assert (kept(store, received), received.response["content-encoding"]) == (packed, "gzip")


def test_a_body_cut_half_way_is_continued(serve: Callable[..., str], store: EvidenceStore) -> None:
    bucket = Bucket()
    bucket.cuts = {0: 300_000, 1: 100_000}
    received = fetch(serve(bucket), store)
    assert kept(store, received) == BODY
    assert bucket.ranges == [None, "bytes=300000-", "bytes=400000-"]


def test_a_part_under_the_status_of_the_whole_is_still_a_part(serve: Callable[..., str], store: EvidenceStore) -> None:
    bucket = Bucket()
    bucket.partial, bucket.cuts = 200, {0: 300_000}
    received = fetch(serve(bucket), store)
    assert (kept(store, received), bucket.ranges) == (BODY, [None, "bytes=300000-"])


def test_what_a_failed_download_left_is_continued_by_the_next(serve: Callable[..., str], store: EvidenceStore) -> None:
    bucket = Bucket()
    bucket.cuts = dict.fromkeys(range(4), 50_000)
    base = serve(bucket)
    with pytest.raises(errors.TransferError, match="broke off"):
        fetch(base, store)
    assert leftovers(store) == [".json", ".lock", ".part"]
    received = fetch(base, store)
    assert (kept(store, received), bucket.ranges[-1]) == (BODY, "bytes=200000-")


def test_a_file_that_changed_meanwhile_is_fetched_anew(serve: Callable[..., str], store: EvidenceStore) -> None:
    bucket = Bucket()
    bucket.cuts = {0: 300_000}

    def change(number: int) -> None:
        if number == 1:
            bucket.body, bucket.etag = b"new" * 1000, '"v2"'

    bucket.before = change
    received = fetch(serve(bucket), store)
    assert (kept(store, received), bucket.ranges) == (b"new" * 1000, [None, "bytes=300000-", None])


def test_a_file_that_never_holds_still_is_given_up(serve: Callable[..., str], store: EvidenceStore) -> None:
    bucket = Bucket()
    bucket.cuts = dict.fromkeys(range(100), 10_000)

    def change(number: int) -> None:
        bucket.etag = f'"v{number}"'

    bucket.before = change
    with pytest.raises(errors.TransferError):
        fetch(serve(bucket), store)
    assert len(bucket.ranges) < 10


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_without_a_strong_etag_nothing_is_continued(etag: str, serve: Callable[..., str], store: EvidenceStore) -> None:
    bucket = Bucket(etag=etag)
    bucket.cuts = {0: 300_000}
    received = fetch(serve(bucket), store)
    assert (kept(store, received), bucket.ranges) == (BODY, [None, None])


def test_a_server_that_knows_no_ranges_sends_all_again(serve: Callable[..., str], store: EvidenceStore) -> None:
    calls: list[int] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        calls.append(1)
        Bucket._send(handler, 200, BODY, {"ETag": '"v1"'}, 1000 if len(calls) == 1 else None)

    received = fetch(serve(answer), store)
    assert (kept(store, received), len(calls)) == (BODY, 2)


def test_the_part_of_another_version_is_not_glued_on(serve: Callable[..., str], store: EvidenceStore) -> None:
    calls: list[str | None] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        calls.append(handler.headers["Range"])
        if len(calls) == 1:
            Bucket._send(handler, 200, BODY, {"ETag": '"v1"'}, 1000)
        elif handler.headers["Range"]:
            size = len(BODY)
            headers = {"ETag": '"v2"', "Content-Range": f"bytes 1000-{size - 1}/{size}"}
            Bucket._send(handler, 206, b"x" * (size - 1000), headers)
        else:
            Bucket._send(handler, 200, b"y" * 10, {"ETag": '"v2"'})

    assert kept(store, fetch(serve(answer), store)) == b"y" * 10


def test_steady_progress_outlasts_the_number_of_attempts(
    serve: Callable[..., str], store: EvidenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_STRIDE", 50_000)
    bucket = Bucket()
    bucket.cuts = dict.fromkeys(range(100), 60_000)
    assert kept(store, fetch(serve(bucket), store)) == BODY
    assert len(bucket.ranges) > CONFIG.retry_attempts


def test_a_missing_length_is_warned_of(store: EvidenceStore) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=httpx.ByteStream(b"abc")))
    received = fetch("https://b.s3.amazonaws.com", store, transport=transport)
    assert received.warnings == ("b.s3.amazonaws.com stated no length: that the file is whole is not proven.",)


@pytest.mark.parametrize("length", [2, 4])
def test_a_length_that_is_not_kept_is_an_error(length: int, store: EvidenceStore) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Length": str(length)}, stream=httpx.ByteStream(b"abc"))

    with pytest.raises(errors.TransferError):
        fetch("https://b.s3.amazonaws.com", store, transport=httpx.MockTransport(answer))


def s3(code: str, message: str = "x") -> bytes:
    return (
        f"<?xml version='1.0'?>\n<Error><Code>{code}</Code><Message>{message}</Message>"
        f"<SignatureProvided>{SIGNATURE}</SignatureProvided></Error>"
    ).encode()


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (403, s3("SignatureDoesNotMatch"), errors.LinkRefused, "a part of it was changed or is missing"),
        (403, s3("InvalidAccessKeyId"), errors.LinkRefused, "does not know the key"),
        (403, s3("AccessDenied", "Request has expired"), errors.LinkExpired, "investigate devrev request --from 2026"),
        (403, s3("AccessDenied", "Access Denied"), errors.LinkRefused, "gives no access"),
        (400, s3("ExpiredToken"), errors.LinkExpired, "names 2026-11-03 18:00 UTC"),
        (400, s3("AuthorizationQueryParametersError"), errors.LinkRefused, "malformed"),
        (404, s3("NoSuchKey"), errors.NotFound, "There is no file at http://127.0.0.1"),
        (404, b"<html><title>Not here</title></html>", errors.NotFound, "an HTML page, 'Not here'"),
        (401, b"", errors.Unauthenticated, "answered 401"),
        (503, s3("SlowDown"), errors.VendorUnavailable, "answered 503"),
        (429, b"", errors.RateLimited, "answered 429"),
        (500, b"{", errors.VendorUnavailable, "answered 500"),
    ],
)
def test_the_servers_errors_in_our_words(
    status: int, body: bytes, kind: type[Exception], words: str, serve: Callable[..., str], store: EvidenceStore
) -> None:
    base = serve(lambda handler: Bucket._send(handler, status, body, {}))
    with pytest.raises(kind, match=words) as caught:
        fetch(base, store)
    assert SIGNATURE not in str(caught.value)
    assert list(store) == []


def test_a_busy_server_is_asked_again(serve: Callable[..., str], store: EvidenceStore) -> None:
    bucket, calls = Bucket(), []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        calls.append(1)
        if len(calls) < 3:
            Bucket._send(handler, 503, s3("SlowDown"), {"Retry-After": "1"})
        else:
            bucket(handler)

    assert kept(store, fetch(serve(answer), store)) == BODY


def test_a_redirect_off_site_is_refused(serve: Callable[..., str], store: EvidenceStore) -> None:
    elsewhere = serve(Bucket())

    def answer(handler: BaseHTTPRequestHandler) -> None:
        Bucket._send(handler, 307, b"", {"Location": f"{elsewhere}/x?{QUERY}"})

    with pytest.raises(errors.TransferError, match="redirects to another address") as caught:
        fetch(serve(answer), store)
    assert SIGNATURE not in str(caught.value)


MD5 = f'"{hashlib.md5(BODY, usedforsecurity=False).hexdigest()}"'


def altered(*numbers: int, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """The file with its MD5 as ETag; the requests of these numbers get another byte somewhere."""
    calls: list[int] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        body = bytearray(BODY)
        if len(calls) in numbers:
            body[len(calls) * 1000] ^= 1
        calls.append(1)
        Bucket._send(handler, 200, bytes(body), {"ETag": MD5, **headers})

    return answer


def test_bytes_that_are_not_those_of_the_etag_are_fetched_anew(serve: Callable[..., str], store: EvidenceStore) -> None:
    received = fetch(serve(altered(0, 1)), store)
    assert (kept(store, received), received.warnings) == (BODY, ())


def test_bytes_that_are_others_each_time_are_given_up(serve: Callable[..., str], store: EvidenceStore) -> None:
    with pytest.raises(errors.TransferError, match="other bytes than its ETag names") as caught:
        fetch(serve(altered(*range(100))), store)
    assert "proxy" in caught.value.hint
    assert list(store) == []


def test_an_etag_that_only_looks_like_an_md5_is_no_reason_to_refuse(
    serve: Callable[..., str], store: EvidenceStore
) -> None:
    received = fetch(serve(Bucket(etag=f'"{"0" * 32}"')), store)
    assert kept(store, received) == BODY
    assert "twice sent the same bytes" in received.warnings[0]


@pytest.mark.parametrize(
    "headers",
    [
        {"x-amz-server-side-encryption": "aws:kms"},
        {"x-amz-server-side-encryption-customer-algorithm": "AES256"},
        {"ETag": f'"{"0" * 32}-2"'},
    ],
)
def test_an_etag_that_is_no_md5_is_not_taken_for_one(
    headers: dict[str, str], serve: Callable[..., str], store: EvidenceStore
) -> None:
    received = fetch(serve(altered(0, **headers)), store)
    assert (len(kept(store, received)), received.warnings) == (len(BODY), ())


def test_a_page_in_between_costs_none_of_the_bytes_there_are(serve: Callable[..., str], store: EvidenceStore) -> None:
    bucket, calls = Bucket(), []
    bucket.cuts = {0: 300_000}

    def answer(handler: BaseHTTPRequestHandler) -> None:
        calls.append(1)
        if len(calls) == 2:
            Bucket._send(handler, 200, b"<html>sign in</html>", {"Content-Type": "text/html"})
        else:
            bucket(handler)

    assert kept(store, fetch(serve(answer), store)) == BODY
    assert bucket.ranges == [None, "bytes=300000-"]


def test_a_dead_link_is_refused_before_any_request(store: EvidenceStore) -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        pytest.fail("a request was made")

    late = NOW + timedelta(hours=7)
    with pytest.raises(errors.LinkExpired):
        download(
            link("https://b.s3.amazonaws.com"), store, CONFIG, transport=httpx.MockTransport(handler), now=lambda: late
        )


def test_a_link_that_dies_while_it_is_retried_says_so(serve: Callable[..., str], store: EvidenceStore) -> None:
    bucket = Bucket()
    bucket.cuts = {0: 1000}
    times = iter([NOW, NOW + timedelta(hours=7)])
    with pytest.raises(errors.LinkExpired, match="1 h ago"):
        download(link(serve(bucket)), store, CONFIG, now=lambda: next(times))


@pytest.mark.parametrize("kind", [KeyboardInterrupt, ZeroDivisionError])
def test_who_cancels_can_go_on_later(
    kind: type[BaseException], serve: Callable[..., str], store: EvidenceStore
) -> None:
    base = serve(bucket := Bucket())

    def cancel(phase: str, done: int, total: int | None, unit: str) -> None:
        del phase, total, unit
        if done > 400_000:
            raise kind

    with pytest.raises(kind):
        fetch(base, store, progress=cancel)
    assert list(store) == []
    received = fetch(base, store)
    assert kept(store, received) == BODY
    assert bucket.ranges[-1] not in {None, "bytes=0-"}
