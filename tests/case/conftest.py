"""A real sandbox for the cases, and cases that point to it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import investigate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from investigate.case import Case

FLAGS = ("--events", "10000", "--export-delay", "0", "--seed", "7")


class Box:
    """A sandbox process with the truth it wrote."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.truth_file = folder / "truth.json"
        command = [sys.executable, "-m", "investigate.sandbox", "--exit-with-parent", "--truth", str(self.truth_file)]
        self.process = subprocess.Popen(
            [*command, *FLAGS, *flags], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.at: dict[str, Any] = json.loads(self.process.stdout.readline())

    @property
    def environment(self) -> dict[str, str]:
        """What points a case at this sandbox."""
        return {
            "INVESTIGATE_DEVREV_BASE_URL": self.at["devrev_url"],
            "INVESTIGATE_CODERABBIT_BASE_URL": self.at["coderabbit_url"],
            "DEVREV_TOKEN": self.at["devrev_token"],
            "CODERABBIT_API_KEY": self.at["coderabbit_key"],
        }

    @property
    def window(self) -> tuple[str, str]:
        return self.at["window"]["start"], self.at["window"]["end"]

    @property
    def truth(self) -> dict[str, Any]:
        return dict(json.loads(self.truth_file.read_text()))

    def links(self) -> list[str]:
        """The links in the Updates panel, newest first."""
        updates = httpx.get(self.at["notifications_url"], timeout=30).json()["updates"]
        return [one["link"] for one in updates if one["kind"] == "audit_log_export"]

    def switch(self, **changes: object) -> None:
        httpx.post(self.at["switch_url"], json=changes, timeout=30).raise_for_status()

    def link_after(self, ask: Callable[[], object]) -> str:
        """The link that comes after `ask`."""
        before = len(self.links())
        ask()
        deadline = time.monotonic() + 30
        while len(found := self.links()) == before:
            if time.monotonic() > deadline:
                pytest.fail("no notification came")
            time.sleep(0.02)
        return found[0]


@pytest.fixture(scope="session")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    started = Box(tmp_path_factory.mktemp("sandbox"))
    yield started
    started.process.communicate(timeout=15)


@pytest.fixture
def case(box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    """A new case that points at the sandbox."""
    for name, value in box.environment.items():
        monkeypatch.setenv(name, value)
    return investigate.open(tmp_path / "case")
