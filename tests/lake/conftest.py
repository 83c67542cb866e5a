"""Lakes in a folder and in a bucket: of a store that keeps writers apart, and of one that does not."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from investigate.lake.lake import Lake
from investigate.sandbox.credentials import S3Key
from investigate.sandbox.s3 import S3Server

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY, SECRET = "TESTKEY0123456789AB", "a-secret-of-no-worth"
BUCKET = "lakes"


@pytest.fixture(scope="session")
def conditional_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The sandbox's S3, which takes a put with `If-None-Match: *` only where nothing is yet."""
    root = tmp_path_factory.mktemp("conditional")
    (root / BUCKET).mkdir()
    server = S3Server(root, "127.0.0.1", 0, (S3Key(KEY, SECRET),), None)
    yield server.url
    server.stop()


@pytest.fixture(scope="session")
def careless_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`rclone serve s3`, which checks signatures and takes every put, whatever its condition."""
    root = tmp_path_factory.mktemp("careless")
    (root / BUCKET).mkdir()
    rclone = Path(sys.executable).with_name("rclone")
    command = [str(rclone if rclone.exists() else shutil.which("rclone")), "serve", "s3", str(root)]
    command += ["--addr", "127.0.0.1:0", "--config", os.devnull]
    environment = {**os.environ, "RCLONE_AUTH_KEY": f'"{KEY},{SECRET}"'}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stderr is not None
        said = (re.search(r"Starting s3 server on \[(\S+?)/?\]", line) for line in server.stderr)
        address = next(match[1] for match in said if match)
        reader = threading.Thread(target=server.stderr.read, daemon=True)  # or it stands still when the pipe is full
        reader.start()
        yield address
        server.kill()
        reader.join()


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What points boto3 at a store, and at nobody's own settings."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    made = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "us-east-1"}
    made |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "1"}
    for name, value in made.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.fixture
def bucket(conditional_store: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of the store that keeps writers apart; the environment points there."""
    del environment
    monkeypatch.setenv("AWS_ENDPOINT_URL", conditional_store)
    return boto3.Session().client("s3", config=Config(s3={"addressing_style": "path"}))


@pytest.fixture(params=["folder", "s3"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    """A lake that was never written, of either kind."""
    if request.param == "folder":
        return Lake(tmp_path / "lake")
    request.getfixturevalue("bucket")
    return Lake(tmp_path / "lake", uri=f"s3://{BUCKET}/{tmp_path.parent.name}/{tmp_path.name}/lake")


@pytest.fixture
def folder_lake(tmp_path: Path) -> Lake:
    """A lake in a folder, for what only a folder has."""
    return Lake(tmp_path / "lake")
