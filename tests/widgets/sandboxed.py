"""The sandbox for the collecting widgets: a process of its own, and the links of its Updates panel."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx

from investigate.cli.child import sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EVENTS = 10_000


@dataclass(frozen=True)
class Box:
    """A sandbox that runs; `at` is what it said when it was ready."""

    at: dict[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        """What points a process at it."""
        return {
            "INVESTIGATE_DEVREV_BASE_URL": self.at["devrev_url"],
            "INVESTIGATE_CODERABBIT_BASE_URL": self.at["coderabbit_url"],
            "DEVREV_TOKEN": self.at["devrev_token"],
            "CODERABBIT_API_KEY": self.at["coderabbit_key"],
        }

    @property
    def window(self) -> tuple[str, str]:
        return self.at["window"]["start"], self.at["window"]["end"]

    def switch(self, **changes: object) -> None:
        httpx.post(self.at["switch_url"], json=changes, timeout=30).raise_for_status()

    def links(self) -> list[str]:
        """The links in the Updates panel, newest first."""
        updates = httpx.get(self.at["notifications_url"], timeout=30).json()["updates"]
        return [one["link"] for one in updates if one["kind"] == "audit_log_export"]

    def link_after(self, ask: Callable[[], object]) -> str:
        """The link that comes after `ask`."""
        before = len(self.links())
        ask()
        deadline = time.monotonic() + 30
        while len(found := self.links()) == before:
            assert time.monotonic() < deadline, "no notification came"
            time.sleep(0.02)
        return found[0]


def running() -> Iterator[Box]:
    """A sandbox whose log ends early enough to be exported whole."""
    end = (datetime.now(UTC) - timedelta(minutes=20)).replace(minute=0, second=0, microsecond=0)
    flags = ("--events", str(EVENTS), "--export-delay", "0", "--end", end.isoformat(), "--rate-window", "1")
    with sandbox(flags) as child:
        yield Box(child.at)
