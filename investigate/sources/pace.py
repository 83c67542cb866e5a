"""How fast a vendor may be asked, learned from its refusals and shared by all threads; no clock and no waiting in it.

A refusal (429) closes the door for everybody until the time the vendor names; then one request goes first, and the
others follow once it was served. From the second refusal on they go no faster than was served on average from one
opening of the door to the next, and then faster and faster, since that may have been too little.
"""

from __future__ import annotations

import threading
from typing import Final

_POLL: Final = 0.05
"""Seconds between two looks while somebody else's request tries whether the door is open again."""
_LONGEST: Final = 30.0
"""Seconds the door stays closed at most where the vendor names no time."""
_SLOWER: Final = 0.5
"""Of the pace that was refused, where even less was served: a refusal need not mean that it was too fast."""
_DOUBLES: Final = 20.0
"""Seconds in which the pace doubles."""
_MOST_DOUBLINGS: Final = 30.0


class Pace:
    """The pace at which one vendor is asked; times are seconds of one monotonic clock.

    Args:
        floor: seconds the door stays closed at least where the vendor names no time; doubled while it refuses on.
    """

    def __init__(self, floor: float) -> None:
        self._lock = threading.Lock()
        self._floor = floor
        self._opens = 0.0
        self._next = 0.0
        self._rate = 0.0  # requests a second when the door opened; 0 means that nothing is known
        self._since = 0.0  # when the door opened
        self._opened = False  # whether it was ever closed: before that, others may have used a part of the limit
        self._served = 0
        self._refusals = 0
        self._trying = False

    def delay(self, now: float) -> float:
        """Seconds to wait before asking again whether a request may leave; 0 means that it may, and takes its turn."""
        with self._lock:
            at = max(self._opens, self._next)
            if now < at:
                return at - now
            if self._trying:
                return _POLL
            self._trying = self._refusals > 0
            rate = self._rate_at(now)
            self._next = now + (1 / rate if rate else 0.0)
            return 0.0

    def served(self, sent: float) -> None:
        """A request got an answer that is no refusal.

        Args:
            sent: when it left.
        """
        with self._lock:
            self._trying = False
            self._served += 1
            if sent >= self._opens:  # not one that was under way when the door was closed
                self._refusals = 0

    def failed(self) -> None:
        """A request got no answer, which says nothing about the pace."""
        with self._lock:
            self._trying = False

    def refused(self, sent: float, wait: float | None, now: float) -> None:
        """A request was refused.

        Args:
            sent: when it left.
            wait: seconds the vendor asks to wait, None where it does not say.
            now: the present.
        """
        with self._lock:
            self._trying = False
            news = sent >= self._opens
            self._refusals += news
            until = now + (min(self._floor * 2 ** (self._refusals - 1), _LONGEST) if wait is None else wait)
            if news and self._opened and self._served and until > self._since:
                self._rate = max(self._served / (until - self._since), self._rate_at(now) * _SLOWER)
            if news:
                self._opened, self._served = True, 0
            self._opens = self._since = max(self._opens, until)

    def _rate_at(self, now: float) -> float:
        return self._rate * 2 ** min(max(now - self._since, 0.0) / _DOUBLES, _MOST_DOUBLINGS)
