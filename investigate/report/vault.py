"""A bundle in S3 under Object Lock: nobody overwrites or deletes it before its time, and what arrived is what was sent.

The endpoint and the credentials are boto3's business: `AWS_PROFILE`, `AWS_ENDPOINT_URL` and so on.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from investigate.errors import SourceError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

MODES: Final = ("GOVERNANCE", "COMPLIANCE")
LARGEST: Final = 5 * 2**30
"""Bytes S3 takes in one request, the only way in which it checks the SHA-256 of the whole object."""
_DAYS: Final = re.compile(r"(\d{1,5})([dwy])")
_LENGTHS: Final = {"d": 1, "w": 7, "y": 365}
_HINT: Final = "Check the bucket's name, its Object Lock, the credentials and AWS_ENDPOINT_URL."


@dataclass(frozen=True)
class Stored:
    """Where a bundle is, and until when it cannot be changed.

    Attributes:
        url: `s3://bucket/key`.
        version: of the object, as the bucket has it.
        sha256: of its bytes, as the bucket has it.
        mode: `GOVERNANCE` or `COMPLIANCE`.
        until: UTC.
    """

    url: str
    version: str
    sha256: str
    mode: str
    until: datetime


def target(url: str) -> tuple[str, str]:
    """Bucket and key of an address.

    Raises:
        UsageError: it is none of `s3://bucket/key`.
    """
    parts = urlsplit(url)
    key = parts.path.removeprefix("/")
    if parts.scheme != "s3" or not parts.netloc or not key or key.endswith("/") or parts.query or parts.fragment:
        raise UsageError(f"{url[:200]!r} is no place for a bundle.", "Write s3://bucket/key.zip")
    return parts.netloc, key


def retention(given: str) -> timedelta:
    """How long an object is kept: `365d`, `52w`, `7y` (years of 365 days).

    Raises:
        UsageError: it is no such span, or none at all.
    """
    match = _DAYS.fullmatch(given.strip().lower())
    span = timedelta(days=int(match[1]) * _LENGTHS[match[2]]) if match else timedelta(0)
    if not span:
        raise UsageError(f"{given[:80]!r} is no time to retain for.", "Write such as 365d, 52w or 7y.")
    return span


def upload(path: Path, url: str, *, keep: timedelta, mode: str = "GOVERNANCE", now: datetime | None = None) -> Stored:
    """Put a file into a bucket with Object Lock, and ask the bucket what it has.

    Args:
        path: the file.
        url: `s3://bucket/key`.
        keep: how long nobody may change or delete it.
        mode: `GOVERNANCE`, which a privileged user can lift, or `COMPLIANCE`, which nobody can.
        now: the present, aware; None reads the clock.

    Raises:
        UsageError: not such an address or mode, or a file too large.
        SourceError: the bucket refused it, or has something else.
    """
    import boto3  # noqa: PLC0415 - slow to import, and seldom needed
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    bucket, key = target(url)
    if mode not in MODES:
        raise UsageError(f"{mode!r} is no mode of Object Lock.", f"It is {' or '.join(MODES)}.")
    if path.stat().st_size > LARGEST:
        raise UsageError(
            f"The bundle has {path.stat().st_size:,} bytes; S3 takes {LARGEST:,} in one request.",
            "Narrow its scope, or upload it with the aws command.",
        )
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").digest()
    until = (now or datetime.now(UTC)).replace(microsecond=0) + keep
    try:
        client = boto3.Session().client("s3")
        with path.open("rb") as stream:
            put = client.put_object(
                Bucket=bucket,
                Key=key,
                Body=stream,
                ContentType="application/zip",
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=base64.b64encode(digest).decode(),
                ObjectLockMode=mode,
                ObjectLockRetainUntilDate=until,
            )
        more = {"VersionId": put["VersionId"]} if put.get("VersionId") else {}
        kept = client.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED", **more)
    except (ClientError, BotoCoreError) as error:
        raise SourceError(f"The bundle was not stored at {url}: {error}", _HINT) from error
    _insist(kept, digest, mode, until, path.stat().st_size, url)
    return Stored(url, str(kept.get("VersionId", "")), digest.hex(), mode, until)


def _insist(kept: dict[str, Any], digest: bytes, mode: str, until: datetime, size: int, url: str) -> None:
    """Refuse to say that it is there unless the bucket says so itself."""
    held = kept.get("ObjectLockRetainUntilDate")
    wrong = []
    if kept.get("ContentLength") != size:
        wrong.append(f"it has {kept.get('ContentLength')} bytes, not {size}")
    if kept.get("ChecksumSHA256") != base64.b64encode(digest).decode():
        wrong.append("its SHA-256 is not the bundle's, or the bucket does not say")
    if kept.get("ObjectLockMode") != mode or not isinstance(held, datetime) or held < until:
        wrong.append("it is not locked as asked for")
    if wrong:
        raise SourceError(f"What lies at {url} is not what was sent: {'; '.join(wrong)}.", _HINT)
