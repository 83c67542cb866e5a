"""The objects below an S3 prefix, by boto3: credentials, region and endpoint are those of the environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import boto3
import stamina
from botocore import exceptions as boto
from botocore.config import Config

from investigate.errors import (
    Forbidden,
    NotFound,
    SourceError,
    TransferError,
    Unauthenticated,
    UsageError,
    VendorUnavailable,
)
from investigate.evidence.redact import redact
from investigate.sources.answers import shown
from investigate.sources.logs import quiet
from investigate.sources.received import label

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from investigate.sources.received import Sink

_BLOCK: Final = 2**20
_BROKEN: Final = (
    boto.ResponseStreamingError,
    boto.IncompleteReadError,
    boto.HTTPClientError,
    boto.ConnectionError,
)
_NO_LOGIN: Final = (boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError)
_LOGIN: Final = "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, to an identity that may read it."
_ERRORS: Final[dict[str, tuple[type[SourceError], str]]] = {
    "NoSuchBucket": (NotFound, "Check the bucket's name, and AWS_ENDPOINT_URL if it is not Amazon's."),
    "NoSuchKey": (NotFound, "It was removed after it was listed: run the command again."),
    "404": (NotFound, "Check the address, and AWS_ENDPOINT_URL if it is not Amazon's."),
    "AccessDenied": (Forbidden, "The identity needs s3:ListBucket on the bucket and s3:GetObject on its objects."),
    "403": (Forbidden, "The identity needs s3:ListBucket on the bucket and s3:GetObject on its objects."),
    "InvalidObjectState": (Forbidden, "It is in cold storage: restore it in S3, then run the command again."),
    "InvalidAccessKeyId": (Unauthenticated, _LOGIN),
    "SignatureDoesNotMatch": (Unauthenticated, _LOGIN),
    "ExpiredToken": (Unauthenticated, "Sign in again: the session has expired."),
    "PreconditionFailed": (TransferError, "It was changed while it was read: run the command again."),
}


@dataclass(frozen=True)
class S3Object:
    """One object, as it was listed.

    Attributes:
        client: boto3's, by which it is read.
        bucket: it lies there.
        key: its name in the bucket.
        etag: of the version listed; another is not read.
        size: in bytes.
    """

    client: Any
    bucket: str
    key: str
    etag: str
    size: int

    @property
    def address(self) -> str:
        """`s3://bucket/key`."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def name(self) -> str:
        """The address, printable."""
        return label(self.address)

    def pour(self, sink: Sink) -> str:
        """Write the object's bytes, going on where the connection broke; returns no warning.

        Raises:
            SourceError: it cannot be read, or was changed meanwhile.
        """
        failure = None
        try:
            for attempt in stamina.retry_context(on=_BROKEN, attempts=5, timeout=600):
                with attempt:
                    self._pour_rest(sink)
        except (boto.BotoCoreError, boto.ClientError) as error:
            failure = _error(self.name, error)
        if failure is None and sink.size != self.size:
            failure = TransferError(f"{self.name} came as {sink.size} of {self.size} bytes.", "Try again.")
        if failure:
            raise failure
        return ""

    def _pour_rest(self, sink: Sink) -> None:
        span = {"Range": f"bytes={sink.size}-"} if sink.size else {}
        answer = self.client.get_object(Bucket=self.bucket, Key=self.key, IfMatch=self.etag, **span)
        for block in answer["Body"].iter_chunks(_BLOCK):
            sink.write(block)


def objects(address: str, make_client: Callable[[], Any] | None = None) -> Iterator[S3Object]:
    """The objects whose keys begin with the prefix, in order of key; folder markers are left out.

    Args:
        address: `s3://bucket/prefix`.
        make_client: makes the boto3 client; None makes one from the environment.

    Raises:
        UsageError: no bucket is named.
        SourceError: it cannot be listed.
    """
    quiet()
    bucket, _, prefix = address[len("s3://") :].partition("/")
    if not bucket:
        raise UsageError(f"No bucket is named in {label(address)!r}.", "Write s3://bucket/prefix.")
    failure = None
    try:
        how = Config(retries={"mode": "standard"})
        client = make_client() if make_client else boto3.Session().client("s3", config=how)
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:
            for entry in page.get("Contents", ()):
                if not entry["Key"].endswith("/"):
                    yield S3Object(client, bucket, entry["Key"], entry["ETag"], entry["Size"])
    except (boto.BotoCoreError, boto.ClientError, ValueError) as error:
        failure = _error(label(address), error)
    if failure:
        raise failure


def _error(name: str, error: Exception) -> SourceError:
    """Ours for boto3's; by its code, since its text may repeat what was signed."""
    if isinstance(error, boto.ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        kind, hint = _ERRORS.get(code, (VendorUnavailable, "Try again; look at the status of the S3 service."))
        return kind(f"S3 answered {shown(redact(code))[:80] or 'with an error'} for {name}.", hint)
    if isinstance(error, _NO_LOGIN):
        return Unauthenticated(f"No credentials to read {name}.", _LOGIN)
    if isinstance(error, _BROKEN):
        return VendorUnavailable(f"No connection to read {name}: {type(error).__name__}.", "Check AWS_ENDPOINT_URL.")
    return SourceError(f"{name} cannot be read: {type(error).__name__}.", "Check the address and AWS_ENDPOINT_URL.")
