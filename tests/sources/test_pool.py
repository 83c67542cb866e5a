from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from investigate.sources.pool import Workers


def test_results_come_in_the_order_of_the_items() -> None:
    def slow_first(item: int) -> int:
        time.sleep(0.02 if item == 0 else 0)
        return item * 10

    with Workers(slow_first, 3) as workers:
        assert list(workers.results(range(9))) == [item * 10 for item in range(9)]


def test_no_more_calls_at_once_than_workers() -> None:
    lock, running, most = threading.Lock(), [0], [0]

    def count(_: int) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.002)
        with lock:
            running[0] -= 1

    with Workers(count, 3) as workers:
        assert list(workers.results(range(30))) == [None] * 30
    assert 1 < most[0] <= 3


def test_what_is_wanted_next_is_worked_on_meanwhile_and_called_once() -> None:
    calls: list[int] = []
    begun = threading.Event()

    def call(item: int) -> int:
        calls.append(item)
        if item == 2:
            begun.set()
        return item

    with Workers(call, 2) as workers:
        assert list(workers.results([1], ahead=[2, 3])) == [1]
        assert begun.wait(10)  # nobody has asked for its result yet
        assert list(workers.results([2, 3])) == [2, 3]
    assert sorted(calls) == [1, 2, 3]


def test_what_is_not_wanted_after_all_is_given_up_with_its_error() -> None:
    release, calls = threading.Event(), []

    def call(item: int) -> int:
        calls.append(item)
        if item == 1:
            return item
        if item < 10:
            release.wait(10)
            raise ValueError(item)
        return item

    with Workers(call, 2) as workers:
        assert list(workers.results([1], ahead=range(2, 9))) == [1]
        results = workers.results([10, 11])
        threading.Timer(0.05, release.set).start()
        assert list(results) == [10, 11]
    assert len(calls) <= 5  # two of those given up may have been under way


def test_an_error_ends_it_while_earlier_calls_still_run() -> None:
    forever = threading.Event()

    def call(item: int) -> bool:
        if item == 3:
            raise ValueError(item)
        return forever.wait(30)

    started = time.monotonic()
    with Workers(call, 4) as workers, pytest.raises(ValueError, match="3"):
        list(workers.results(range(8)))
    forever.set()
    assert time.monotonic() - started < 5


def test_an_error_met_ahead_is_raised_once_its_item_is_wanted() -> None:
    failed = threading.Event()

    def call(item: int) -> int:
        if item == 1:
            failed.set()
            raise ValueError(item)
        failed.wait(10)
        return item

    with Workers(call, 2) as workers:
        assert list(workers.results([0], ahead=[1])) == [0]
        with pytest.raises(ValueError, match="1"):
            list(workers.results([2, 1]))


def test_ctrl_c_ends_it_while_calls_still_run() -> None:
    forever = threading.Event()
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    started = time.monotonic()
    with Workers(forever.wait, 2) as workers, pytest.raises(KeyboardInterrupt):
        next(workers.results([30]))
    forever.set()
    assert time.monotonic() - started < 5


def test_one_worker_is_the_caller() -> None:
    with Workers(lambda _: threading.get_ident(), 1) as workers:
        assert set(workers.results(range(3), ahead=[4])) == {threading.get_ident()}


def test_nothing_to_do_is_done_at_once() -> None:
    with Workers(str, 2) as workers:
        assert list(workers.results([])) == []


def test_its_threads_end_with_it() -> None:
    with Workers(str, 3) as workers:
        list(workers.results([1, 2, 3]))
        mine = [thread for thread in threading.enumerate() if thread.name.startswith("worker ")]
    for thread in mine:
        thread.join(10)
    assert not any(thread.is_alive() for thread in mine)
