from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
import pytest
from botocore.config import Config

from investigate import errors
from investigate.sources.files import expand, keep

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.server import BaseHTTPRequestHandler

    from investigate.evidence.store import EvidenceStore

KEYS = {f"logs/{number:02}.json": f"[{number}]".encode() * 50_000 for number in range(5)} | {
    "logs/folder/": b"",
    "x": b"",
}


class S3:
    """Just enough of S3: lists in pages of two, hands objects out by range, breaks off where told to."""

    def __init__(self) -> None:
        self.cuts: list[int] = []
        self.error: tuple[int, str] | None = None
        self.ranges: list[str | None] = []
        self.etag = '"e1"'

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        url = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if self.error:
            status, code = self.error
            send(handler, status, f"<Error><Code>{code}</Code><Message>m</Message></Error>".encode())
        elif "list-type" in query:
            send(handler, 200, self._listing(query))
        else:
            self._object(handler, unquote(url.path).removeprefix("/bucket/"))

    def _listing(self, query: dict[str, str]) -> bytes:
        keys = sorted(key for key in KEYS if key.startswith(query.get("prefix", "")))
        start = int(query.get("continuation-token", 0))
        more = start + 2 < len(keys)
        rows = "".join(
            f"<Contents><Key>{key}</Key><ETag>{self.etag}</ETag><Size>{len(KEYS[key])}</Size></Contents>"
            for key in keys[start : start + 2]
        )
        token = f"<NextContinuationToken>{start + 2}</NextContinuationToken>" if more else ""
        text = f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{token}{rows}</ListBucketResult>"
        return text.encode()

    def _object(self, handler: BaseHTTPRequestHandler, key: str) -> None:
        wanted = handler.headers["Range"]
        self.ranges.append(wanted)
        start = int(wanted[6:-1]) if wanted else 0
        cut = self.cuts.pop(0) if self.cuts else None
        send(handler, 206 if wanted else 200, KEYS[key][start:], cut)


def send(handler: BaseHTTPRequestHandler, status: int, body: bytes, cut: int | None = None) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    handler.send_header("ETag", '"e1"')
    handler.end_headers()
    handler.wfile.write(body[:cut])
    handler.close_connection = cut is not None


@pytest.fixture
def bucket(serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> S3:
    server = S3()
    monkeypatch.setenv("AWS_ENDPOINT_URL", serve(server))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "aws-secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return server


@pytest.mark.usefixtures("bucket")
def test_a_prefix_is_read_in_all_its_pages(store: EvidenceStore) -> None:
    received = keep(expand(["s3://bucket/logs/"]), store)
    assert received.request["inputs"] == [f"s3://bucket/logs/{number:02}.json" for number in range(5)]
    assert [store.find(file.sha256).read_bytes() for file in received.files] == [
        KEYS[f"logs/{number:02}.json"] for number in range(5)
    ]
    assert received.files[0].name == "00.json"


def test_an_object_that_breaks_off_is_continued(bucket: S3, store: EvidenceStore) -> None:
    bucket.cuts = [60_000]
    received = keep(expand(["s3://bucket/logs/00"]), store)
    assert store.find(received.files[0].sha256).read_bytes() == KEYS["logs/00.json"]
    assert bucket.ranges == [None, "bytes=60000-"]


@pytest.mark.usefixtures("bucket")
def test_no_log_line_holds_what_signs(store: EvidenceStore, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        keep(expand(["s3://bucket/logs/00"]), store)
    assert caplog.records
    assert [word for word in ("aws-secret", "AKIATEST", "Signature") if word in caplog.text] == []


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize("address", ["s3://bucket/none/", "s3://", "s3:///logs"])
def test_what_names_nothing_is_an_error(address: str) -> None:
    with pytest.raises(errors.UsageError):
        list(expand([address]))


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "AccessDenied", errors.Forbidden),
        (404, "NoSuchBucket", errors.NotFound),
        (403, "SignatureDoesNotMatch", errors.Unauthenticated),
        (400, "ExpiredToken", errors.Unauthenticated),
        (418, "Teapot", errors.VendorUnavailable),
    ],
)
def test_s3s_errors_in_our_words(status: int, code: str, kind: type[Exception], bucket: S3) -> None:
    bucket.error = (status, code)
    with pytest.raises(kind, match=code) as caught:
        list(expand(["s3://bucket/logs"]))
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_a_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch, bucket: S3) -> None:
    del bucket
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(errors.VendorUnavailable, match="No connection"):
        list(expand(["s3://bucket/logs"]))


def test_no_credentials_at_all() -> None:
    def anonymous() -> object:
        session = boto3.Session(aws_access_key_id=None)
        session._session.get_component("credential_provider").providers.clear()
        return session.client("s3", region_name="us-east-1", config=Config(retries={"total_max_attempts": 1}))

    with pytest.raises(errors.Unauthenticated, match="No credentials"):
        list(expand(["s3://bucket/logs"], s3=anonymous))


@pytest.mark.usefixtures("bucket")
def test_a_bucket_name_that_is_none() -> None:
    with pytest.raises(errors.SourceError):
        list(expand(["s3://not a bucket/logs"]))
