"""The one place with concurrency: a bounded thread pool whose results come in order."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from itertools import islice
from multiprocessing.pool import ThreadPool
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

T = TypeVar("T")
R = TypeVar("R")
_LISTEN: Final = 0.1
"""Seconds."""


def map_bounded(function: Callable[[T], R], items: Iterable[T], workers: int) -> Generator[R, None, None]:
    """`function` of each item, in the order of the items, by at most `workers` threads.

    At most twice as many items are taken as there are workers before a result is. The first error ends the map at
    once, whichever item it came from, and so does whatever is raised where the results are used, Ctrl-C included:
    calls under way are left behind, not waited for. Close the generator if it is not used up.

    Args:
        function: called in a worker thread.
        items: taken lazily, in the caller's thread.
        workers: threads; with one, the calls are made in the caller's own.
    """
    if workers <= 1:
        yield from map(function, items)
        return
    source = enumerate(items)
    done: SimpleQueue[tuple[int, R] | BaseException] = SimpleQueue()
    finished: dict[int, R] = {}
    # Not a ThreadPoolExecutor: the interpreter waits for its threads at exit, these are daemons.
    with ThreadPool(workers) as pool:

        def start() -> int:
            for index, item in islice(source, 1):
                pool.apply_async(function, (item,), callback=partial(_put, done, index), error_callback=done.put)
                return 1
            return 0

        started, wanted = sum(start() for _ in range(2 * workers)), 0
        while wanted < started:
            while wanted not in finished:
                outcome = _next(done)
                if isinstance(outcome, BaseException):
                    raise outcome
                finished[outcome[0]] = outcome[1]
            yield finished.pop(wanted)
            wanted += 1
            started += start()


def _next(done: SimpleQueue[tuple[int, R] | BaseException]) -> tuple[int, R] | BaseException:
    while True:
        with suppress(Empty):  # a signal may reach another thread: this one must look up to hear of it
            return done.get(timeout=_LISTEN)


def _put(done: SimpleQueue[tuple[int, R] | BaseException], index: int, result: R) -> None:
    done.put((index, result))
