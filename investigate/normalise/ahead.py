"""Work done ahead of whoever takes its results, in order, and no further ahead than there is room for."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

_Item = TypeVar("_Item")
_END: Final = object()
_LOOK: Final = 0.1
"""Seconds after which who waits for room looks whether it is still wanted."""


def ahead(items: Iterable[_Item], room: int) -> Generator[_Item, None, None]:
    """The same items, brought about in a thread of their own while earlier ones are used.

    Args:
        items: used in that thread alone; what it raises is raised here, after the items before.
        room: so many may wait at most.
    """
    belt = _Belt[_Item](items, room)
    thread = threading.Thread(target=belt.run, name="ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error = belt.waiting.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
    finally:
        belt.stopped.set()
        thread.join()


class _Belt(Generic[_Item]):
    """What the thread does."""

    def __init__(self, items: Iterable[_Item], room: int) -> None:
        self._items = items
        self.waiting: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue(room)
        self.stopped = threading.Event()

    def run(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    return
        except BaseException as error:  # noqa: BLE001 - raised where the items are taken
            self._put(_END, error)
        else:
            self._put(_END)

    def _put(self, item: Any, error: BaseException | None = None) -> bool:
        while not self.stopped.is_set():
            try:
                self.waiting.put((item, error), timeout=_LOOK)
            except queue.Full:
                continue
            return True
        return False
