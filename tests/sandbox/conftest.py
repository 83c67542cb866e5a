import gzip
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import boto3
import httpx
import pytest
from botocore.config import Config

Found = TypeVar("Found")

_START, _STOP, _POLL = 60.0, 15.0, 0.02


def eventually(look: Callable[[], Found | None], seconds: float = 20.0) -> Found:
    """What `look` finds, asked again and again until it finds something."""
    deadline = time.monotonic() + seconds
    while (found := look()) is None:
        if time.monotonic() > deadline:
            pytest.fail(f"nothing after {seconds} seconds")
        time.sleep(_POLL)
    return found


class Sandbox:
    """A sandbox process, and what a client of its vendors would do."""

    def __init__(self, *flags: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "investigate.sandbox", "--exit-with-parent", *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            pytest.fail(f"the sandbox did not start: {self.process.communicate()[1]}")
        self.at: dict[str, Any] = json.loads(line)
        self.http = httpx.Client(timeout=30.0)

    def close(self) -> tuple[str, str]:
        """End it; what it wrote after its first line."""
        self.http.close()
        output, errors = self.process.communicate(timeout=_STOP)
        return output, errors

    def switch(self, **changes: object) -> dict[str, Any]:
        answer = self.http.post(self.at["switch_url"], json=changes)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def ask(self, body: object = None, user: str = "devrev_token", **more: Any) -> httpx.Response:
        """Request an export; the whole log when no body is given."""
        window = self.at["window"]
        content = {"from": window["start"], "to": window["end"]} if body is None else body
        headers = {"authorization": f"Bearer {self.at[user]}"}
        return self.http.post(f"{self.at['devrev_url']}/audit-logs.fetch", headers=headers, json=content, **more)

    def notifications(self, url: str = "notifications_url") -> list[dict[str, Any]]:
        """Export notifications, newest first."""
        updates = self.http.get(self.at[url]).json()["updates"]
        return [one for one in updates if one["kind"] == "audit_log_export"]

    def export(self, body: object = None, user: str = "devrev_token", url: str = "notifications_url") -> dict[str, Any]:
        """Request an export and wait for its notification."""
        before = len(self.notifications(url))
        answer = self.ask(body, user)
        assert (answer.status_code, answer.json()) == (200, {}), answer.text

        def arrived() -> dict[str, Any] | None:
            found = self.notifications(url)
            return found[0] if len(found) > before else None

        return eventually(arrived)

    def entries(self, body: object = None, user: str = "devrev_token", url: str = "notifications_url") -> list[Any]:
        """The entries of an export."""
        answer = self.http.get(self.export(body, user, url)["link"])
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in gzip.decompress(answer.content).splitlines()]

    def pages(self, key: str = "coderabbit_key", **query: Any) -> httpx.Response:
        headers = {"x-coderabbitai-api-key": self.at[key]}
        return self.http.get(f"{self.at['coderabbit_url']}/v1/audit-logs", headers=headers, params=query)

    def read_all(self, **query: Any) -> list[dict[str, Any]]:
        """All entries, by trusting the pages' numbers."""
        found: list[dict[str, Any]] = []
        page = 1
        while True:
            body = self.pages(page=page, page_size=100, **query).json()
            found += body["data"]
            if not body["pagination"]["has_next_page"]:
                return found
            page += 1

    def s3(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.at["s3_url"],
            aws_access_key_id=self.at["s3_access_key"],
            aws_secret_access_key=self.at["s3_secret_key"],
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}),
        )

    def raw_log(self) -> Iterator[dict[str, Any]]:
        """Every entry of the log as it lies in S3."""
        with closing(self.s3()) as client:
            for key in self.keys(self.at["s3_log_prefix"]):
                body = client.get_object(Bucket=self.at["s3_bucket"], Key=key)["Body"].read()
                yield from (json.loads(line) for line in gzip.decompress(body).splitlines())

    def keys(self, prefix: str) -> list[str]:
        """Names of the objects in S3 that begin with `prefix`."""
        with closing(self.s3()) as client:
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=self.at["s3_bucket"], Prefix=prefix)
            return [item["Key"] for page in pages for item in page.get("Contents", ())]


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sandbox")


@pytest.fixture(scope="session")
def running(state: Path) -> Iterator[Sandbox]:
    """One sandbox for the whole of the tests."""
    sandbox = Sandbox(
        *("--events", "10000", "--export-delay", "0.05", "--truth", str(state / "truth.json")),
        *("--brief", str(state / "brief.json"), "--devrev-rate-window", "2", "--rate-window", "1"),
    )
    yield sandbox
    _, errors = sandbox.close()
    assert not errors


@pytest.fixture(scope="session")
def log(running: Sandbox) -> list[dict[str, Any]]:
    """The main workspace's log as it lies in S3."""
    return list(running.raw_log())


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    """The shared sandbox, its switches put back afterwards."""
    before = running.switch()
    yield running
    running.switch(**before)


@pytest.fixture
def start() -> Iterator[Callable[..., Sandbox]]:
    """Starts sandboxes of one's own."""
    started: list[Sandbox] = []

    def one(*flags: str) -> Sandbox:
        started.append(Sandbox("--events", "1000", "--coderabbit-events", "500", *flags))
        return started[-1]

    yield one
    for sandbox in started:
        if sandbox.process.poll() is None:
            sandbox.close()
        sandbox.http.close()
        for pipe in (sandbox.process.stdin, sandbox.process.stdout, sandbox.process.stderr):
            if pipe is not None and not pipe.closed:
                pipe.close()


@pytest.fixture
def wait_for() -> Callable[..., Any]:
    return eventually
