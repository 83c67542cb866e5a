"""`Turns`: the newest of several pieces of work, one at a time, in a thread; what was asked for before is dropped."""

from __future__ import annotations

import atexit
import time
from threading import Condition, Thread
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable

    Work = Callable[[Callable[[], bool]], None]
    """Given a function that says whether it still counts."""


_AT_THE_END: Final = 5.0
"""Seconds that work is given to notice that the process ends."""


class Turns:
    """Runs the newest work it was given; its thread lives only while there is some.

    Args:
        interrupt: called when what runs no longer counts, to end it early; for example `connection.interrupt`.
    """

    def __init__(self, interrupt: Callable[[], object] | None = None) -> None:
        self._interrupt = interrupt
        self._state = Condition()
        self._waiting: Work | None = None
        self._running = False
        self._turn = 0
        _all.add(self)

    @property
    def busy(self) -> bool:
        """Whether work is under way or waits."""
        return self._running or self._waiting is not None

    def take(self, work: Work) -> None:
        """Do `work` as soon as what runs has ended; what waits instead is dropped, what runs no longer counts."""
        with self._state:
            self._turn += 1
            self._waiting = work
            if self._running:
                self._end_early()
                return
            self._running = True
        Thread(target=self._go, name="investigate: view", daemon=True).start()

    def drop(self) -> None:
        """Whatever runs or waits no longer counts."""
        with self._state:
            self._turn += 1
            self._waiting = None
            if self._running:
                self._end_early()

    def wait(self, timeout: float | None = None) -> bool:
        """Until nothing runs; whether that is so.

        Args:
            timeout: seconds; None waits for as long as it takes.
        """
        until = None if timeout is None else time.monotonic() + timeout
        with self._state:
            while self._running:
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    return False
                self._state.wait(left)
        return True

    def _end_early(self) -> None:
        if self._interrupt is not None:
            self._interrupt()

    def _go(self) -> None:
        while True:
            with self._state:
                work, self._waiting, turn = self._waiting, None, self._turn
                if work is None:
                    self._running = False
                    self._state.notify_all()
                    return
            work(lambda turn=turn: self._turn == turn)  # type: ignore[misc]


_all: Final[WeakSet[Turns]] = WeakSet()


@atexit.register
def _end() -> None:
    # An engine that is still at work when the interpreter goes takes the process down with it.
    for turns in list(_all):
        turns.drop()
    for turns in list(_all):
        turns.wait(_AT_THE_END)
