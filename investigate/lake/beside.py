"""A few pieces of work beside each other, while whoever waits for them hears a Ctrl-C."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

from investigate.lake.sql import LISTEN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_Made = TypeVar("_Made")


def beside_each_other(work: Sequence[Callable[[], _Made]], threads: int, stop: Callable[[], None]) -> list[_Made]:
    """What each piece of work gives, in their order; raises what the first to fail raises.

    Args:
        work: the pieces; none of them begins once one has failed, or who waits is interrupted.
        threads: so many are worked on at a time.
        stop: has those that have begun then end soon, which is waited for.
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="beside") as pool:
        made = [pool.submit(one) for one in work]
        left = set(made)
        try:
            while left:
                done, left = wait(left, LISTEN, FIRST_COMPLETED)
                for one in done:
                    one.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            stop()
            raise
        return [one.result() for one in made]
