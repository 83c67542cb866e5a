"""Pieces of work beside each other: in order, no more at a time than asked for, all ended with the first that fails."""

from __future__ import annotations

import os
import signal
import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest

from investigate.lake.beside import beside_each_other

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SOON = 20  # seconds, in which all of this is done many times over


def test_what_is_made_comes_in_the_order_of_the_work_however_it_is_done() -> None:
    second = threading.Event()

    def first() -> str:
        assert second.wait(SOON)
        return "first"

    def other() -> str:
        second.set()
        return "second"

    assert beside_each_other([first, other], 2, pytest.fail) == ["first", "second"]


@pytest.mark.parametrize("threads", [1, 2])
def test_no_more_are_at_work_than_threads(threads: int) -> None:
    busy, most = threading.Semaphore(threads), []

    def work(number: int) -> int:
        most.append(busy.acquire(blocking=False))
        busy.release()
        return number

    assert beside_each_other([partial(work, number) for number in range(50)], threads, pytest.fail) == [*range(50)]
    assert all(most)


def test_the_first_to_fail_ends_those_at_work_and_lets_none_begin() -> None:
    stopped, at_work, begun = threading.Event(), threading.Event(), list[int]()
    ended = []

    def waits() -> None:
        at_work.set()
        ended.append(stopped.wait(SOON))

    def fails() -> None:
        assert at_work.wait(SOON)
        raise OSError("no space left")

    work = [waits, fails, *[partial(begun.append, number) for number in range(50)]]
    with pytest.raises(OSError, match="no space left"):
        beside_each_other(work, 2, stopped.set)
    assert (ended, begun) == ([True], [])


def test_a_piece_that_does_not_come_about_ends_those_at_work() -> None:
    stopped = threading.Event()

    def pieces() -> Iterator[Callable[[], bool]]:
        yield partial(stopped.wait, SOON)
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        beside_each_other(pieces(), 2, stopped.set)
    assert stopped.is_set()


def test_a_ctrl_c_ends_those_at_work_and_lets_none_begin() -> None:
    stopped, ended, begun = threading.Event(), list[bool](), list[int]()

    def waits() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        ended.append(stopped.wait(SOON))

    with pytest.raises(KeyboardInterrupt):
        beside_each_other([waits, *[partial(begun.append, number) for number in range(50)]], 1, stopped.set)
    assert (ended, begun) == ([True], [])
