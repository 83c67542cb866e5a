"""Requests at once: a bounded crew of threads that works ahead and hands results over in order."""

from __future__ import annotations

import threading
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, Generic, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

T = TypeVar("T")
R = TypeVar("R")
_LISTEN: Final = 0.1
"""Seconds."""


class Workers(Generic[T, R]):
    """Calls of one function by a bounded number of threads; a context manager that one thread uses.

    Whatever ends it, Ctrl-C included, leaves calls under way behind: they are not waited for.

    Args:
        function: called in a worker thread.
        workers: threads; with one, the calls are made in the caller's own, and none ahead.
    """

    def __init__(self, function: Callable[[T], R], workers: int) -> None:
        self._function = function
        self._workers = workers
        self._wanted: dict[T, None] = {}
        self._waiting: SimpleQueue[T | None] = SimpleQueue()
        self._done: SimpleQueue[tuple[T, R | _Failed]] = SimpleQueue()
        self._finished: dict[T, R | _Failed] = {}

    def __enter__(self) -> Self:
        # Not a ThreadPoolExecutor: the interpreter waits for its threads at exit, these are daemons.
        for number in range(self._workers if self._workers > 1 else 0):
            threading.Thread(target=self._work, name=f"worker {number}", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._wanted = {}
        for _ in range(self._workers):
            self._waiting.put(None)

    def results(self, items: Sequence[T], ahead: Sequence[T] = ()) -> Iterator[R]:
        """The function of each item, in the order of the items.

        The first error among them is raised at once, whichever item it came from.

        Args:
            items: what is wanted; an item that was worked on ahead is not called again.
            ahead: what will probably be wanted next: begun when no item waits for a thread. What an earlier call
                named and this one does not is given up.
        """
        if self._workers <= 1:
            yield from map(self._function, items)
            return
        self._begin([*items, *ahead])
        for item in items:
            self._check(self._finished.get(item))
        wanted = set(items)
        for item in items:
            while item not in self._finished:
                done, outcome = self._next()
                if done in self._wanted:
                    self._finished[done] = outcome
                if done in wanted:
                    self._check(outcome)
            yield self._check(self._finished.pop(item))

    def _begin(self, items: list[T]) -> None:
        before, self._wanted = self._wanted, dict.fromkeys(items)
        self._finished = {item: outcome for item, outcome in self._finished.items() if item in self._wanted}
        for item in self._wanted:
            if item not in before:
                self._waiting.put(item)

    @staticmethod
    def _check(outcome: R | _Failed | None) -> R:
        if isinstance(outcome, _Failed):
            raise outcome.error
        return outcome  # type: ignore[return-value]  # None is a result like another

    def _work(self) -> None:
        while (item := self._waiting.get()) is not None:
            if item not in self._wanted:
                continue
            try:
                outcome: R | _Failed = self._function(item)
            except BaseException as error:  # noqa: BLE001 - raised again where the result is wanted
                outcome = _Failed(error)
            self._done.put((item, outcome))

    def _next(self) -> tuple[T, R | _Failed]:
        while True:
            with suppress(Empty):  # a signal may reach another thread: this one must look up to hear of it
                return self._done.get(timeout=_LISTEN)


class _Failed:
    """The error of a call."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
