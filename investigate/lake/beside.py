"""A few pieces of work beside each other, while whoever waits for them hears a Ctrl-C."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from threading import Event, Lock
from typing import TYPE_CHECKING, TypeVar

from investigate.lake.sql import LISTEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_Made = TypeVar("_Made")


def beside_each_other(work: Iterable[Callable[[], _Made]], threads: int, stop: Callable[[], None]) -> list[_Made]:
    """What each piece of work gives, in their order; raises what one that fails raises.

    Args:
        work: the pieces, asked for by one thread at a time, once it has nothing else to do; none is asked for once one
            has failed, or who waits is interrupted.
        threads: so many are worked on at a time.
        stop: has those that have begun, or come about, then end soon, which is waited for.
    """
    begins, ended, taking = Event(), Event(), Lock()  # nobody waits for a thread in whose start a Ctrl-C fell
    pieces, made = iter(enumerate(work)), dict[int, _Made]()

    def run() -> None:
        begins.wait()
        while True:
            try:
                with taking:
                    number, piece = (-1, None) if ended.is_set() else next(pieces, (-1, None))
                if piece is None:
                    return
                made[number] = piece()
                del piece  # before another is asked for
            except BaseException:
                ended.set()
                raise

    with ThreadPoolExecutor(threads, thread_name_prefix="beside") as pool:
        try:
            left = {pool.submit(run) for _ in range(threads)}
            begins.set()
            while left:
                done, left = wait(left, LISTEN, FIRST_COMPLETED)
                for one in done:
                    one.result()
        except BaseException:
            ended.set()
            begins.set()
            stop()
            raise
    return [made[number] for number in range(len(made))]
