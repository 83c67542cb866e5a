from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from investigate.sources.pool import map_bounded


def test_results_come_in_the_order_of_the_items() -> None:
    def slow_first(item: int) -> int:
        time.sleep(0.02 if item == 0 else 0)
        return item * 10

    assert list(map_bounded(slow_first, range(9), 3)) == [item * 10 for item in range(9)]


def test_no_more_calls_at_once_than_workers() -> None:
    lock, running, most = threading.Lock(), [0], [0]

    def count(_: int) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.002)
        with lock:
            running[0] -= 1

    list(map_bounded(count, range(30), 3))
    assert 1 < most[0] <= 3


def test_items_are_taken_as_results_are() -> None:
    taken: list[int] = []
    results = map_bounded(lambda item: item, (taken.append(item) or item for item in range(1000)), 2)
    next(results)
    results.close()
    assert len(taken) <= 5


def test_an_error_ends_the_map_while_earlier_calls_still_run() -> None:
    forever = threading.Event()

    def call(item: int) -> bool:
        if item == 3:
            raise ValueError(item)
        return forever.wait(30)

    started = time.monotonic()
    with pytest.raises(ValueError, match="3"):
        list(map_bounded(call, range(8), 4))
    forever.set()
    assert time.monotonic() - started < 5


def test_ctrl_c_ends_the_map_while_calls_still_run() -> None:
    forever = threading.Event()
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        next(map_bounded(forever.wait, [30], 2))
    forever.set()
    assert time.monotonic() - started < 5


def test_one_worker_is_the_caller() -> None:
    assert set(map_bounded(lambda _: threading.get_ident(), range(3), 1)) == {threading.get_ident()}


def test_nothing_to_do_is_done_at_once() -> None:
    assert list(map_bounded(str, [], 2)) == []
