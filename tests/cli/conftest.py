"""A real sandbox for the commands, a case they filled, and two ways to run them: in this process or in another."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from investigate.cli import main
from investigate.cli.child import sandbox as child
from tests.shared import once

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRETS = ("sandbox-devrev-pat", "cr-sandbox-", "X-Amz-Signature=", "X-Amz-Credential=")
"""Beginnings of what must never be shown; presigned queries in whatever form."""


@dataclass(frozen=True)
class Ran:
    """What a command did: its exit code, and both its outputs."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)

    def line(self, beginning: str) -> str:
        """The one line of standard output that begins so."""
        found = [line for line in self.out.splitlines() if line.strip().startswith(beginning)]
        assert len(found) == 1, self.out
        return found[0]


def run(*arguments: str, stdin: str = "") -> Ran:
    """A command in this process."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
    before, sys.stdin = sys.stdin, io.StringIO(stdin)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = main(arguments)
    finally:
        sys.stdin = before
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())  # type: ignore[attr-defined]
    return Ran(code, *texts)


PROGRAM = (sys.executable, "-m", "investigate")


def own_path() -> dict[str, str]:
    """The environment in which another Python finds what this one does."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def python(code: str, *arguments: str, cwd: Path, stdin: str = "", **environment: str) -> Ran:
    """Some code in a process of its own."""
    return _ran([sys.executable, "-c", code, *arguments], cwd, stdin, environment)


def process(*arguments: str, cwd: Path, stdin: str = "", **environment: str) -> Ran:
    """A command in a process of its own, as the installed program would run."""
    return _ran([*PROGRAM, *arguments], cwd, stdin, environment)


def _ran(command: list[str], cwd: Path, stdin: str, environment: dict[str, str]) -> Ran:
    done = subprocess.run(
        command,
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        env={**own_path(), **environment},
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@contextmanager
def started(*arguments: str, cwd: Path, stdin: int = subprocess.DEVNULL) -> Iterator[subprocess.Popen[str]]:
    """A command that runs meanwhile, and is gone afterwards."""
    with subprocess.Popen(
        [*PROGRAM, *arguments],
        cwd=cwd,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=own_path(),
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def children(of: int) -> list[int]:
    """The processes whose parent this is, as Linux has them."""
    return [int(number) for number in Path(f"/proc/{of}/task/{of}/children").read_text().split()]


def ended(process_id: int, seconds: float = 10.0) -> bool:
    """Whether a process is gone, or goes in a moment; one that only waits to be buried is gone."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if state(process_id) in {"", "Z"}:
            return True
    return False


def state(process_id: int) -> str:
    """What a process does, in the one letter Linux has for it; empty where there is none."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


@dataclass(frozen=True)
class Box:
    """A sandbox, and what points a case at it."""

    at: dict[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        return {
            "INVESTIGATE_DEVREV_BASE_URL": self.at["devrev_url"],
            "INVESTIGATE_CODERABBIT_BASE_URL": self.at["coderabbit_url"],
            "DEVREV_TOKEN": self.at["devrev_token"],
            "CODERABBIT_API_KEY": self.at["coderabbit_key"],
        }

    @property
    def window(self) -> tuple[str, str, str, str]:
        return "--from", self.at["window"]["start"], "--to", self.at["window"]["end"]

    def switch(self, **changes: object) -> None:
        httpx.post(self.at["switch_url"], json=changes, timeout=30).raise_for_status()

    def links(self) -> list[str]:
        """The links on the Updates page, newest first."""
        updates = httpx.get(self.at["notifications_url"], timeout=30).json()["updates"]
        return [one["link"] for one in updates if one["kind"] == "audit_log_export"]

    def new_link(self, before: int) -> str:
        """The newest link, once there are more than before."""
        deadline = time.monotonic() + 30
        while len(found := self.links()) <= before:
            assert time.monotonic() < deadline, "no link came"
        return found[0]


@contextmanager
def pointed(environment: dict[str, str]) -> Iterator[None]:
    """This process's environment with some variables more."""
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def started_box() -> Iterator[Box]:
    """A sandbox whose log ends early enough to be exported whole."""
    end = (datetime.now(UTC) - timedelta(minutes=20)).replace(minute=0, second=0, microsecond=0)
    flags = ("--events", "10000", "--export-delay", "0", "--end", end.isoformat(), "--rate-window", "1")
    with child(flags) as running:
        yield Box(running.at)


@pytest.fixture(scope="session")
def box() -> Iterator[Box]:
    """One sandbox for the tests of a worker."""
    with started_box() as started:
        yield started


@pytest.fixture
def at_box(box: Box, monkeypatch: pytest.MonkeyPatch) -> Box:
    """The sandbox, with this process pointed at it."""
    for name, value in box.environment.items():
        monkeypatch.setenv(name, value)
    return box


@dataclass(frozen=True)
class Filled:
    """A case with both logs, and what the commands that filled it said."""

    path: Path
    box: Box
    requested: Ran
    collected: Ran
    pulled: Ran

    def run(self, *arguments: str, stdin: str = "") -> Ran:
        return run("--case", str(self.path), *arguments, stdin=stdin)


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    """A case filled by the commands, once for all workers; nobody changes it, and its sandbox has ended."""
    folder = once(tmp_path_factory, "cli", fill)
    told = json.loads((folder / "told.json").read_text(encoding="utf-8"))
    return Filled(folder / "case", Box(told["at"]), *(Ran(*ran) for ran in told["ran"]))


def fill(folder: Path) -> None:
    """Fill a case from a sandbox, and keep what was said."""
    path = folder / "case"
    with started_box() as box, pointed(box.environment):
        before = len(box.links())
        requested = run("devrev", "request", *box.window, "--case", str(path), "--format", "json")
        link = box.new_link(before)
        collected = run("--case", str(path), "--format", "json", "devrev", "collect", "-", "--debug", stdin=link + "\n")
        pulled = run("coderabbit", "pull", *box.window, "--case", str(path), "--debug")
    ran = [astuple(one) for one in (requested, collected, pulled)]
    assert [code for code, _, _ in ran] == [0, 0, 0], ran
    (folder / "told.json").write_text(json.dumps({"at": box.at, "ran": ran}), encoding="utf-8")
