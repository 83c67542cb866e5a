"""A lake's tables in an S3 bucket: credentials, region and endpoint are those boto3 finds in the environment."""

from __future__ import annotations

import re
import secrets
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import boto3
from boto3.exceptions import Boto3Error
from botocore import exceptions as boto
from botocore.config import Config

from investigate.errors import ConfigError, LakeError
from investigate.lake.storage import Stored

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import duckdb
    import pyarrow as pa
    import pyarrow.dataset as ds
    import pyarrow.fs as pafs
    import pyarrow.parquet as pq

_FORM: Final = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[A-Za-z0-9_.=-]+)*)/?")
"""Only what no engine escapes in an address: some escape twice, and then find nothing."""
_REFUSALS: Final = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
_MISSING: Final = ("NoSuchKey", "NotFound", "404")
_LOGIN: Final = "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, to an identity that may write there."
_HINTS: Final = {
    "NoSuchBucket": "Check [lake] uri in case.toml, and AWS_ENDPOINT_URL if the store is not Amazon's.",
    "AccessDenied": "The identity needs s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject on the lake.",
    "InvalidAccessKeyId": _LOGIN,
    "SignatureDoesNotMatch": _LOGIN,
    "ExpiredToken": "Sign in again: the session has expired.",
}


class Access:
    """How a store is reached; one for all tables of a lake."""

    def __init__(self) -> None:
        self.proven: set[str] = set()

    @cached_property
    def session(self) -> Any:
        """Boto3's session, which knows the environment."""
        return boto3.Session()

    @cached_property
    def client(self) -> Any:
        """A client that tries again where the network fails."""
        settings: dict[str, Any] = {"retries": {"mode": "standard", "max_attempts": 5}}
        plain = self.session.client("s3", config=Config(**settings))
        if self._elsewhere(plain.meta.endpoint_url) is None:
            return plain
        return self.session.client("s3", config=Config(**settings, s3={"addressing_style": "path"}))

    @property
    def endpoint(self) -> str | None:
        """The address of a store that is not Amazon's."""
        return self._elsewhere(self.client.meta.endpoint_url)

    @property
    def region(self) -> str:
        """The region, `us-east-1` where none is set."""
        return str(self.client.meta.region_name or "us-east-1")

    def credentials(self) -> Any:
        """Key, secret and token as they are now: those of a session are renewed.

        Raises:
            LakeError: there are none.
        """
        found = self.session.get_credentials()
        if found is None:
            raise LakeError("There are no credentials for the lake's S3 store.", _LOGIN)
        return found.get_frozen_credentials()

    @staticmethod
    def _elsewhere(endpoint: str) -> str | None:
        host = endpoint.partition("://")[2].partition("/")[0]
        return None if host.endswith((".amazonaws.com", ".amazonaws.com.cn")) else endpoint


class Bucket:
    """A table below a prefix of a bucket.

    Args:
        bucket: its name.
        prefix: without slashes at its ends.
        access: how the store is reached.
    """

    lingers = True
    local_folders: Sequence[str] = ()

    def __init__(self, bucket: str, prefix: str, access: Access) -> None:
        self._bucket, self._prefix, self._access = bucket, prefix, access
        self.uri = f"s3://{bucket}/{prefix}" if prefix else f"s3://{bucket}"

    @classmethod
    def at(cls, uri: str) -> Bucket:
        """What `s3://bucket/prefix` names.

        Raises:
            ConfigError: it has another form.
        """
        match = _FORM.fullmatch(uri)
        if match is None or ".." in uri:
            raise ConfigError(
                "The lake's address is none that can be used.",
                "Write [lake] uri as s3://bucket/prefix, of letters, digits and . _ = - alone.",
            )
        return cls(match[1], match[2].strip("/"), Access())

    @property
    def options(self) -> dict[str, str]:
        """For delta-rs and Polars, whose names for these are the same."""
        access = self._access
        login = access.credentials()
        options = {
            "aws_access_key_id": login.access_key,
            "aws_secret_access_key": login.secret_key,
            "aws_region": access.region,
        }
        if login.token:
            options["aws_session_token"] = login.token
        if access.endpoint:
            options["aws_endpoint_url"] = access.endpoint
            options["aws_allow_http"] = str(access.endpoint.startswith("http:")).lower()
        return options

    def below(self, name: str) -> Bucket:
        """See `Storage`; so for all that follow."""
        return Bucket(self._bucket, f"{self._prefix}/{name}" if self._prefix else name, self._access)

    def locate(self, name: str) -> str:
        """The address `s3://bucket/prefix/name`."""
        return f"{self.uri}/{name}"

    def prepare(self) -> None:
        """Try, once, whether the store keeps two writers apart.

        A Delta commit is an object that may be made once: "Put-if-absent" in the protocol, `If-None-Match: *` in S3.
        A store that ignores the condition would let one writer's commit silently replace another's.
        """
        if self._bucket in self._access.proven:
            return
        key = self._key(f"_investigate-probe-{secrets.token_hex(8)}")
        put = {"Bucket": self._bucket, "Key": key, "Body": b"", "IfNoneMatch": "*"}
        client = self._access.client
        with self._told():
            client.put_object(**put)
            try:
                client.put_object(**put)
                refused = False
            except boto.ClientError as error:
                refused = _code(error) in _REFUSALS
                if not refused:
                    raise
            finally:
                client.delete_object(Bucket=self._bucket, Key=key)
        if not refused:
            raise LakeError(
                "The S3 store ignores If-None-Match, so that two writers could overwrite each other's commits.",
                "Use a store with conditional writes (Amazon S3, Ceph, MinIO, R2 have them), or a lake in the case.",
            )
        self._access.proven.add(self._bucket)

    def publish(self, made: Path, name: str) -> Stored:
        """Upload it, in parts where it is large; an object appears whole."""
        with self._told():
            self._access.client.upload_file(str(made), self._bucket, self._key(name))
            found = self._access.client.head_object(Bucket=self._bucket, Key=self._key(name))
        made.unlink()
        return Stored(name, int(found["ContentLength"]), _millis(found["LastModified"]))

    def remove(self, names: Iterable[str]) -> None:
        """Delete one by one: not every store deletes many at once."""
        with self._told():
            for name in names:
                self._access.client.delete_object(Bucket=self._bucket, Key=self._key(name))

    def exists(self, name: str) -> bool:
        """Ask for its head."""
        with self._told():
            try:
                self._access.client.head_object(Bucket=self._bucket, Key=self._key(name))
            except boto.ClientError as error:
                if _code(error) in _MISSING:
                    return False
                raise
        return True

    def read(self, name: str) -> bytes | None:
        """Get it."""
        with self._told():
            try:
                return bytes(self._access.client.get_object(Bucket=self._bucket, Key=self._key(name))["Body"].read())
            except boto.ClientError as error:
                if _code(error) in _MISSING:
                    return None
                raise

    def footer(self, name: str) -> pq.FileMetaData:
        """By pyarrow, which fetches the end of the object."""
        import pyarrow.parquet as pq  # noqa: PLC0415 - see `expose`

        return pq.read_metadata(f"{self._bucket}/{self._key(name)}", filesystem=self._filesystem())

    def parquet(self, name: str, coded: Sequence[str]) -> pq.ParquetFile:
        """By pyarrow, which fetches the columns that are asked for."""
        import pyarrow.parquet as pq  # noqa: PLC0415 - see `expose`

        place = f"{self._bucket}/{self._key(name)}"
        return pq.ParquetFile(place, filesystem=self._filesystem(), read_dictionary=coded, pre_buffer=True)

    def fetch(self, name: str, folder: Path) -> Path:
        """A download, private like the folder it comes to."""
        place = folder / name.replace("/", "-")
        with self._told():
            self._access.client.download_file(self._bucket, self._key(name), str(place))
        return place

    def listed(self, below: str = "") -> Iterator[Stored]:
        """List the objects below the prefix."""
        start = self._key("")
        with self._told():
            pages = self._access.client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._key(below)):
                for entry in page.get("Contents", ()):
                    yield Stored(entry["Key"][len(start) :], entry["Size"], _millis(entry["LastModified"]))

    def seal(self, version: int) -> None:
        """Nothing: the bucket's policy says who may read."""

    def expose(
        self,
        connection: duckdb.DuckDBPyConnection,
        view: str,
        files: Sequence[str],
        schema: pa.Schema,
        partition_by: str | None,
        *,
        passing: bool = False,
    ) -> None:
        """By a pyarrow dataset: the engine itself stays without network. Its cursors never see the view.

        Beneath it lies `objects_of_` and its name, which also has each row's `filename`.
        """
        del passing
        import pyarrow as pa  # noqa: PLC0415 - only where such a lake is read
        import pyarrow.dataset as ds  # noqa: PLC0415

        form, system = ds.ParquetFileFormat(), self._filesystem()
        fragments = [
            form.make_fragment(name.removeprefix("s3://"), system, _partition(name, partition_by)) for name in files
        ]
        columns = pa.schema([*(field for field in schema if field.name != partition_by)])
        if partition_by:
            columns = columns.append(schema.field(partition_by))
        columns = columns.append(pa.field("filename", pa.string()))
        connection.register(f"objects_of_{view}", ds.FileSystemDataset(fragments, columns, form, system))
        names = ", ".join(schema.names)
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS SELECT {names} FROM objects_of_{view}")

    def _filesystem(self) -> pafs.S3FileSystem:
        from pyarrow import fs  # noqa: PLC0415 - see `expose`

        login, endpoint = self._access.credentials(), self._access.endpoint
        scheme, _, host = (endpoint or "https://").partition("://")
        return fs.S3FileSystem(
            access_key=login.access_key,
            secret_key=login.secret_key,
            session_token=login.token,
            region=self._access.region,
            scheme=scheme,
            endpoint_override=host or None,
        )

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Ours for boto3's errors; by their codes, since their texts may repeat what was signed."""
        try:
            yield
        except boto.ClientError as error:
            code = _code(error)
            hint = _HINTS.get(code, "Try again; look at the status of the S3 service.")
            raise LakeError(f"The lake's S3 store answered {code[:80]}.", hint) from None
        except (boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError):
            raise LakeError("There are no credentials for the lake's S3 store.", _LOGIN) from None
        except (boto.BotoCoreError, Boto3Error) as error:
            kind = type(error).__name__
            raise LakeError(f"The lake's S3 store cannot be reached: {kind}.", "Check AWS_ENDPOINT_URL.") from None


def _partition(address: str, partition_by: str | None) -> ds.Expression:
    """What is true of all rows of a file, told from its path: its name, its day, and so the bounds of its times."""
    import pyarrow as pa  # noqa: PLC0415 - see `expose`
    import pyarrow.dataset as ds  # noqa: PLC0415

    named = ds.field("filename") == address
    if partition_by is None:
        return named
    day = date.fromisoformat(address.rsplit("/", 2)[-2].partition("=")[2])
    kind = pa.timestamp("us", "UTC")
    start = pa.scalar(datetime.combine(day, time()), pa.timestamp("us")).cast(kind)
    said = named & (ds.field(partition_by) == pa.scalar(day)) & (ds.field("time") >= start)
    if day < date.max:
        end = pa.scalar(datetime.combine(day + timedelta(days=1), time()), pa.timestamp("us")).cast(kind)
        said &= ds.field("time") < end
    return said


def _code(error: boto.ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "an error"))


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
