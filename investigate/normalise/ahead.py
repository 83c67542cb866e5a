"""Work done ahead of whoever takes its results: in order, by a few threads, no further ahead than there is room for."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")
_LOOK: Final = 0.1
"""Seconds after which who waits for room looks whether it is still wanted."""


def ahead(
    items: Generator[_Item, None, None], work: Callable[[_Item], _Made], threads: int, room: int
) -> Generator[_Made, None, None]:
    """What is made of some items, in their order, while what was made of earlier ones is used.

    Each thread takes an item, which brings it about, and goes on to work on it itself: so what an item is made of is
    near at hand, and while one thread works the next one takes. More threads that hand items on would wait for each
    other, and for the interpreter, more than they work.

    Args:
        items: taken by one thread at a time; what it raises is raised here, after what is made of the items before.
        work: done by several threads at once, each on its own item; what it raises is raised here in its item's turn.
        threads: how many.
        room: so many results may wait at most.
    """
    belt = _Belt[_Item, _Made](items, work, threads + room)
    pool = [threading.Thread(target=belt.run, name=f"ahead-{number}", daemon=True) for number in range(threads)]
    for thread in pool:
        thread.start()
    try:
        yield from belt.results()
    finally:
        belt.stopped.set()
        for thread in pool:
            thread.join()
        items.close()


class _Belt(Generic[_Item, _Made]):
    """What the threads share."""

    def __init__(self, items: Generator[_Item, None, None], work: Callable[[_Item], _Made], room: int) -> None:
        self._items, self._work = items, work
        self._room = threading.Semaphore(room)
        self._taking = threading.Lock()
        self._changed = threading.Condition()
        self._made: dict[int, tuple[_Made | None, BaseException | None]] = {}
        self._taken = 0
        self._ended = False
        self.stopped = threading.Event()

    def run(self) -> None:
        """In any of the threads."""
        while self._has_room():
            with self._taking:
                if self._ended:
                    return
                number = self._taken
                try:
                    item = next(self._items)
                except StopIteration:
                    self._end(number)
                    return
                except BaseException as reason:  # noqa: BLE001 - raised where the results are taken
                    self._end(number, reason)
                    return
                self._taken += 1
            made = error = None
            try:
                made = self._work(item)
            except BaseException as raised:  # noqa: BLE001 - the same
                error = raised
            del item
            self._put(number, made, error)
            del made, error

    def results(self) -> Generator[_Made, None, None]:
        """All that was made, in order."""
        number = 0
        while True:
            with self._changed:
                while number not in self._made:
                    if self._ended and number >= self._taken:
                        return
                    self._changed.wait()
                made, error = self._made.pop(number)
            if error is not None:
                raise error
            self._room.release()
            yield made  # type: ignore[misc] # there is a result where there is no error
            del made
            number += 1

    def _has_room(self) -> bool:
        while not self.stopped.is_set():
            if self._room.acquire(timeout=_LOOK):
                return True
        return False

    def _end(self, number: int, error: BaseException | None = None) -> None:
        with self._changed:
            self._ended = True
            if error is not None:
                self._made[number] = (None, error)
            self._changed.notify_all()

    def _put(self, number: int, made: _Made | None, error: BaseException | None) -> None:
        with self._changed:
            self._made[number] = (made, error)
            self._changed.notify_all()
