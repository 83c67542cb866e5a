"""Rate limits: so many requests a window for each caller, as both vendors count them.

Windows are fixed: they begin with a caller's first request and are counted anew when they end.
"""

import math
import threading
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left to a caller. `reset` in epoch seconds, `retry_after` in seconds, at least 1."""

    allowed: bool
    limit: int
    remaining: int
    reset: int
    retry_after: int


class RateLimit:
    """Counts requests by caller."""

    def __init__(self, window: float) -> None:
        self._window = window
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[float, int]] = {}

    def take(self, caller: str, limit: int) -> Allowance:
        """Count one request of a caller against its limit."""
        now = time.time()
        with self._lock:
            begin, used = self._counts.get(caller, (now, 0))
            if now - begin >= self._window:
                begin, used = now, 0
            allowed = used < limit
            used += allowed
            self._counts[caller] = (begin, used)
        left = max(0.0, begin + self._window - now)
        return Allowance(allowed, limit, limit - used, math.ceil(begin + self._window), max(1, math.ceil(left)))
