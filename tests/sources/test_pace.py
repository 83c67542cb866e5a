"""The pace against limits of every kind, in simulated time: what of a limit is used, and how often it is hit."""

from __future__ import annotations

import heapq
import math
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from investigate.sources.pace import Pace

LATENCY = 0.05


class Limit(Protocol):
    """A vendor's: None lets the request through, a number is its Retry-After, nan a refusal without one."""

    def __call__(self, now: float) -> float | None: ...


@dataclass
class Fixed:
    """So many requests a window, which begins with the first of them; Retry-After in whole seconds."""

    requests: int
    window: float = 60.0
    says: bool = True
    begun: float = -math.inf
    used: int = 0

    def __call__(self, now: float) -> float | None:
        if now - self.begun >= self.window:
            self.begun, self.used = now, 0
        self.used += 1
        if self.used <= self.requests:
            return None
        return math.ceil(self.begun + self.window - now) if self.says else math.nan


@dataclass
class Bucket:
    """Tokens that come at a rate, and are kept up to so many."""

    rate: float
    kept: float
    tokens: float = 0.0
    seen: float = 0.0

    def __call__(self, now: float) -> float | None:
        self.tokens = min(self.kept, self.tokens + (now - self.seen) * self.rate)
        self.seen = now
        if self.tokens < 1:
            return math.ceil((1 - self.tokens) / self.rate)
        self.tokens -= 1
        return None


@dataclass
class Sliding:
    """So many requests in any stretch of a minute."""

    requests: int
    window: float = 60.0
    times: deque[float] = field(default_factory=deque)

    def __call__(self, now: float) -> float | None:
        while self.times and now - self.times[0] >= self.window:
            self.times.popleft()
        if len(self.times) >= self.requests:
            return math.ceil(self.times[0] + self.window - now)
        self.times.append(now)
        return None


@dataclass(frozen=True)
class Run:
    """When requests were served and refused, in seconds."""

    served: list[float]
    refused: list[float]

    def between(self, start: float, end: float) -> tuple[int, int]:
        served, refused = (sum(start <= at < end for at in times) for times in (self.served, self.refused))
        return served, refused


def simulate(limit: Limit, until: float, workers: int = 4, most: int = 10**6) -> Run:
    """Workers that ask until a time or number served; one that is refused waits as told, else longer and longer."""
    pace, run = Pace(0.5), Run([], [])
    events = [(0.0, worker, "ask", 0.0) for worker in range(workers)]
    tries = [0] * workers
    while events and len(run.served) < most:
        now, worker, what, sent = heapq.heappop(events)
        if now >= until:
            continue
        if what == "ask":
            seconds = pace.delay(now)
            event = (now + seconds, worker, "ask", 0.0) if seconds else (now + LATENCY, worker, "answer", now)
            heapq.heappush(events, event)
            continue
        told = limit(now)
        if told is None:
            tries[worker] = 0
            pace.served(sent)
            run.served.append(now)
            heapq.heappush(events, (now, worker, "ask", 0.0))
        else:
            known = None if math.isnan(told) else told
            pace.refused(sent, known, now)
            run.refused.append(now)
            heapq.heappush(
                events, (now + (min(30.0, 2.0 ** tries[worker] / 2) if known is None else known), worker, "ask", 0.0)
            )
            tries[worker] += 1
    return run


@pytest.mark.parametrize("requests", [60, 600])
def test_of_a_fixed_window_all_is_used_and_each_end_is_met_by_few(requests: int) -> None:
    run = simulate(Fixed(requests), 600)
    served, refused = run.between(0, 600)
    assert served >= 0.95 * requests * 10
    assert refused <= 4 + 3 * 9


def test_a_limit_that_others_had_used_up_is_not_taken_for_the_limit() -> None:
    served, refused = simulate(Fixed(600, begun=0.0, used=595), 360).between(60, 360)
    assert served >= 0.95 * 3000
    assert refused <= 4 * 5


def test_a_window_too_wide_for_its_limit_to_be_met_is_used_at_full_speed() -> None:
    assert simulate(Fixed(10**6), 10).between(0, 10) == (pytest.approx(4 * 10 / LATENCY, abs=5), 0)


def test_without_a_time_to_wait_one_request_tries_at_a_time() -> None:
    served, refused = simulate(Fixed(600, says=False), 600).between(0, 600)
    assert served >= 0.7 * 6000
    assert refused <= 12 * 10


@pytest.mark.parametrize("limit", [Bucket(10, 20), Bucket(5, 5), Bucket(2, 100), Sliding(300), Sliding(60)])
def test_where_requests_are_let_through_at_a_rate_the_pace_finds_it(limit: Limit) -> None:
    rate = limit.rate if isinstance(limit, Bucket) else limit.requests / 60
    served, refused = simulate(limit, 660).between(60, 660)
    assert served >= 0.9 * rate * 600
    assert refused <= 0.1 * served


def test_a_limit_that_is_lifted_is_noticed() -> None:
    slow, fast = Fixed(60), Fixed(10**6)
    served, _ = simulate(lambda now: slow(now) if now < 60 else fast(now), 320).between(310, 320)
    assert served > 10 / LATENCY * 4 * 0.9


def test_more_connections_are_no_storm() -> None:
    served, refused = simulate(Fixed(600), 600, workers=32).between(0, 600)
    assert served >= 0.95 * 6000
    assert refused <= 32 * 10


@settings(max_examples=40)
@given(st.lists(st.sampled_from([None, math.nan, 0.5, 3.0]), max_size=30))
def test_no_series_of_refusals_closes_the_door_for_good(answers: list[float | None]) -> None:
    coming = iter(answers)
    run = simulate(lambda _: next(coming, None), 4000, most=100)
    assert len(run.served) == 100
    assert len(run.refused) == sum(answer is not None for answer in answers)


def test_a_request_without_an_answer_lets_the_next_one_try() -> None:
    pace = Pace(0.5)
    assert pace.delay(0.0) == 0.0
    pace.refused(0.0, 2.0, 0.1)
    assert (pace.delay(0.2), pace.delay(2.1)) == (pytest.approx(1.9), 0.0)
    assert pace.delay(2.2) > 0.0  # while the first one tries, nobody else does
    pace.failed()
    assert pace.delay(2.3) == 0.0
