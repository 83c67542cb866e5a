"""A bundle under S3's Object Lock: against moto, an S3 in Python that keeps locks, in a process of its own."""

from __future__ import annotations

import base64
import hashlib
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from investigate.errors import SourceError, UsageError
from investigate.report import vault
from tests.shared import free_port

from .conftest import WINDOW

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from investigate.case import Case

pytest.importorskip("moto")
NOW = datetime.now(UTC)
SERVE = "import sys; from moto.server import main; main(sys.argv[1:])"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-c", SERVE, "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert running.poll() is None
        yield f"http://127.0.0.1:{port}"
        running.kill()


@pytest.fixture
def s3(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.Session().client("s3")
    client.create_bucket(Bucket="vault", ObjectLockEnabledForBucket=True)
    yield client
    client.close()


def test_a_bundle_cannot_be_deleted_before_its_time(case: Case, out: Path, s3: Any) -> None:
    path = out / "b.zip"
    url = "s3://vault/2026/b.zip"
    written = case.bundle(path, resources=["ticket/1"], upload=url, retain="30d", mode="COMPLIANCE", **WINDOW)
    stored = written.stored
    assert stored is not None
    assert (stored.url, stored.sha256, stored.mode) == (url, written.sha256, "COMPLIANCE")
    assert timedelta(days=29) < stored.until - NOW < timedelta(days=31)
    kept = s3.get_object(Bucket="vault", Key="2026/b.zip", VersionId=stored.version)
    assert hashlib.sha256(kept["Body"].read()).hexdigest() == written.sha256
    assert kept["ObjectLockMode"] == "COMPLIANCE"
    with pytest.raises(ClientError, match=r"AccessDenied|protected by object lock|Access Denied"):
        s3.delete_object(Bucket="vault", Key="2026/b.zip", VersionId=stored.version)


def test_a_bucket_without_a_lock_is_an_error(case: Case, out: Path, s3: Any) -> None:
    s3.create_bucket(Bucket="open")
    with pytest.raises(SourceError, match=r"s3://open/b\.zip"):
        case.bundle(out / "b.zip", upload="s3://open/b.zip", **WINDOW)
    with pytest.raises(SourceError, match="was not stored"):
        case.bundle(out / "b.zip", upload="s3://absent/b.zip", **WINDOW)


def test_what_the_bucket_has_must_be_what_was_sent(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each thing a bucket may get wrong, or keep to itself."""
    path = out / "b.zip"
    path.write_bytes(b"bundle")
    asked: dict[str, Any] = {}
    right = {
        "ContentLength": 6,
        "ChecksumSHA256": base64.b64encode(hashlib.sha256(b"bundle").digest()).decode(),
        "ObjectLockMode": "GOVERNANCE",
        "ObjectLockRetainUntilDate": datetime(2027, 1, 1, tzinfo=UTC),
    }

    class Bucket:
        answer = right

        def put_object(self, **given: Any) -> dict[str, Any]:
            asked.update(given)
            return {}

        def head_object(self, **_: Any) -> dict[str, Any]:
            return self.answer

    monkeypatch.setattr(boto3, "Session", lambda: SimpleNamespace(client=lambda _: Bucket()))
    now = datetime(2026, 12, 31, tzinfo=UTC)
    vault.upload(path, "s3://b/k", keep=timedelta(days=1), now=now)
    assert asked["ChecksumSHA256"] == right["ChecksumSHA256"]
    assert asked["ObjectLockRetainUntilDate"] == datetime(2027, 1, 1, tzinfo=UTC)
    for wrong in (
        {"ContentLength": 5},
        {"ChecksumSHA256": None},
        {"ObjectLockMode": None},
        {"ObjectLockRetainUntilDate": datetime(2026, 12, 31, tzinfo=UTC)},
    ):
        monkeypatch.setattr(Bucket, "answer", right | wrong)
        with pytest.raises(SourceError, match="is not what was sent"):
            vault.upload(path, "s3://b/k", keep=timedelta(days=1), now=now)


@pytest.mark.parametrize("url", ["https://b/k", "s3://b", "s3://b/", "s3://b/k/", "s3:///k", "s3://b/k?x=1", "b/k"])
def test_what_is_no_place_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        vault.target(url)


@pytest.mark.parametrize(("given", "days"), [("365d", 365), ("52w", 364), ("7y", 2555)])
def test_how_long_is_said_in_days_weeks_or_years(given: str, days: int) -> None:
    assert vault.retention(given) == timedelta(days=days)


@pytest.mark.parametrize("given", ["", "0d", "365", "1h", "-1d", "forever"])
def test_no_time_is_refused(given: str) -> None:
    with pytest.raises(UsageError):
        vault.retention(given)
