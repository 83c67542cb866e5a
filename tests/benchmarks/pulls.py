"""How fast CodeRabbit is pulled over a slow line, and how much of a rate limit is used; prints ratios of one run.

`python tests/benchmarks/pulls.py [--entries 20000] [--rounds 3] [--limit 300] [--windows 2]`: against a sandbox with
50 ms of latency, four connections against one, in turns; then at a limit of so many requests a minute, for as many
whole minutes as `--windows` says.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from pydantic import SecretStr

from investigate.config import CodeRabbitConfig, HttpConfig
from investigate.events import Window
from investigate.evidence.store import EvidenceStore
from investigate.sources import coderabbit

if TYPE_CHECKING:
    from collections.abc import Iterator

LATENCY = 0.05
MINUTE = 60.0
PAGE = 100
REFUSED, SERVED = 429, 200


@dataclass
class Meter(httpx.BaseTransport):
    """The network, and a note of every answer: when it came, in seconds since the first request, and its status."""

    connections: int
    answers: list[tuple[float, int]] = field(default_factory=list)
    started: float = 0.0

    def __post_init__(self) -> None:
        self._network = httpx.HTTPTransport(limits=httpx.Limits(max_connections=self.connections))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.started = self.started or time.perf_counter()
        answer = self._network.handle_request(request)
        self.answers.append((time.perf_counter() - self.started, answer.status_code))
        return answer

    def count(self, status: int, until: float = float("inf")) -> int:
        """Answers of a status that came before so many seconds."""
        return sum(found == status and at < until for at, found in self.answers)

    def close(self) -> None:
        self._network.close()


@contextmanager
def sandbox(entries: int, limit: int) -> Iterator[dict[str, Any]]:
    flags = ("--events", "1000", "--coderabbit-events", str(entries), "--latency", str(LATENCY))
    command = [sys.executable, "-m", "investigate.sandbox", "--exit-with-parent", "--rate-limit", str(limit), *flags]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.communicate(timeout=30)


def pulled(at: dict[str, Any], connections: int) -> tuple[float, Meter, coderabbit.PullReceived]:
    """Seconds of one pull of the whole log, what the network saw, and what it brought."""
    meter = Meter(connections)
    config, http = CodeRabbitConfig(base_url=at["coderabbit_url"]), HttpConfig(connections=connections)
    window = Window.of(at["window"]["start"], at["window"]["end"])
    with (
        tempfile.TemporaryDirectory() as folder,
        coderabbit.client(config, SecretStr(at["coderabbit_key"]), http, transport=meter) as client,
    ):
        started = time.perf_counter()
        received = coderabbit.pull(client, window, store=EvidenceStore(Path(folder)), settle=0)
        return time.perf_counter() - started, meter, received


def speed(entries: int, rounds: int) -> None:
    print(f"{entries} entries, {-(-entries // PAGE)} pages, {LATENCY * 1000:.0f} ms of latency")
    times: dict[int, list[float]] = {1: [], 4: []}
    with sandbox(entries, 1_000_000) as at:
        for _ in range(rounds):
            for connections, seconds in times.items():
                took, meter, received = pulled(at, connections)
                assert not received.unproven
                seconds.append(took)
                print(f"  {connections} connection(s)  {took:7.2f} s  {meter.count(SERVED)} requests")
    one, four = (statistics.median(times[connections]) for connections in (1, 4))
    ratios = [slow / fast for slow, fast in zip(times[1], times[4], strict=True)]
    print(f"  4 connections against 1: {one / four:.2f} times as fast (rounds {', '.join(f'{r:.2f}' for r in ratios)})")


def limited(limit: int, windows: int) -> None:
    entries = limit * PAGE * windows + limit * PAGE // 10
    print(f"{entries} entries at {limit} requests a minute, 4 connections, over {windows} whole minutes")
    with sandbox(entries, limit) as at:
        took, meter, received = pulled(at, 4)
        assert not received.unproven
    used = meter.count(SERVED, windows * MINUTE) / (limit * windows)
    print(
        f"  {took:.1f} s, {meter.count(SERVED)} served, {meter.count(REFUSED)} refused (429); {used:.1%} of the limit"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=300, help="requests a minute")
    parser.add_argument("--windows", type=int, default=2, help="minutes; 0 leaves this part out")
    chosen = parser.parse_args()
    speed(chosen.entries, chosen.rounds)
    if chosen.windows:
        limited(chosen.limit, chosen.windows)


if __name__ == "__main__":
    main()
