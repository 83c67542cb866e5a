"""When a request is made again and how long is waited before: `Retry-After`, a floor, a ceiling and a total budget.

The waiting is stamina's, so that tests can switch it off.
"""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, TypeVar

import stamina

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from investigate.config import HttpConfig
    from investigate.errors import SourceError

T = TypeVar("T")

_SECONDS: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")
_LONGEST_BACKOFF: Final = 30.0
"""Seconds between two attempts where the vendor names no time."""


class Again(Exception):
    """Something failed that may be tried again; never leaves this package, its `error` does.

    Args:
        error: what to raise once there are no more attempts.
        wait: seconds the vendor asks to wait, None where it does not say.
        sent: whether the request may have been carried out although no answer came.
    """

    def __init__(self, error: SourceError, *, wait: float | None = None, sent: bool = True) -> None:
        super().__init__(error.message)
        self.error = error
        self.wait = wait
        self.sent = sent

    def __repr__(self) -> str:
        return self.error.message


def retried(attempt: Callable[[], T], config: HttpConfig, clock: Callable[[], float] = time.monotonic) -> T:
    """The result of `attempt`, called again as long as it raises `Again` and attempts and budget last.

    Args:
        attempt: one try.
        config: attempts, and the budget in seconds that bounds them, waiting included.
        clock: seconds, monotonic.

    Raises:
        SourceError: the error of the last `Again`.
    """
    started = clock()

    def backoff(error: Exception) -> bool | float:
        if not isinstance(error, Again):
            return False
        spent = clock() - started
        if error.wait is None:
            return spent < config.retry_budget
        return error.wait if spent + error.wait <= config.retry_budget else False

    attempts = stamina.retry_context(
        on=backoff,
        attempts=config.retry_attempts,
        timeout=None,  # `backoff` holds the budget: stamina would look at it only after the wait
        wait_initial=config.retry_after_floor,
        wait_max=min(_LONGEST_BACKOFF, config.retry_after_ceiling),
        wait_jitter=config.retry_after_floor,
    )
    try:
        for trying in attempts:
            with trying:
                return attempt()
    except Again as last:
        failure = last.error
    # Outside the handler: the error carries no context, whose frames could hold a secret.
    raise failure


def await_turn(delay: Callable[[], float]) -> None:
    """Sleep until `delay` says 0; stamina's test mode, which switches the waits between attempts off, does so here too.

    Args:
        delay: seconds to wait before it is asked again.
    """
    while not stamina.is_testing() and (seconds := delay()) > 0:
        time.sleep(seconds)


def retry_after(headers: Mapping[str, str], body: bytes, config: HttpConfig) -> float | None:
    """Seconds to wait by the answer's own words, between the floor and the ceiling; None if it does not say.

    Args:
        headers: of the answer; `Retry-After` in seconds or as an HTTP date.
        body: of the answer; DevRev repeats the seconds there as `retry_after` (vendors.md).
        config: floor and ceiling in seconds.
    """
    asked = _seconds(headers.get("retry-after", ""))
    if asked is None:
        asked = _until(headers.get("retry-after", ""), headers.get("date", ""))
    if asked is None:
        asked = _in_body(body)
    return None if asked is None else min(max(asked, config.retry_after_floor), config.retry_after_ceiling)


def _seconds(text: str) -> float | None:
    return float(text) if _SECONDS.fullmatch(text.strip()) else None


def _until(text: str, sent: str) -> float | None:
    """Seconds between two HTTP dates; from now where the answer bears no date of its own."""
    until = _http_date(text)
    if until is None:
        return None
    return max(0.0, (until - (_http_date(sent) or datetime.now(UTC))).total_seconds())


def _http_date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _in_body(body: bytes) -> float | None:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return None
    value = data.get("retry_after") if isinstance(data, dict) else None
    return None if value is None or isinstance(value, bool) else _seconds(str(value))
