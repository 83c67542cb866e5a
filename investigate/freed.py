"""Memory that was freed goes back to the system: what lies in small holes all over the heap would else only grow."""

from __future__ import annotations

import ctypes
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

_MMAP_THRESHOLD: Final = -3
"""Which of its allocator's parameters glibc's `mallopt` sets (malloc.h)."""
_LARGE: Final = 4 * 2**20
"""Bytes of a block that is mapped by itself: the chunks of a log, not what is made of them."""


_LEFT: Final[list[pa.MemoryPool]] = []
"""The pool that was the default before, once for each that is `frugal` at the moment."""
_CHANGING: Final = Lock()


@contextmanager
def frugal() -> Iterator[None]:
    """Let memory go back once it is freed: Arrow's own allocators keep a fifth of what reading logs takes.

    As long as any thread is in such a block, all of them have the system's allocator.
    """
    import pyarrow as pa  # noqa: PLC0415 - a quarter of a second that `import investigate` must not cost

    set_apart()
    with _CHANGING:
        _LEFT.append(_LEFT[0] if _LEFT else pa.default_memory_pool())
        pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        with _CHANGING:
            before = _LEFT.pop()
            if not _LEFT:
                pa.set_memory_pool(before)


def give_back() -> None:
    """Hand free pages of the heap to the system, where its allocator can be asked to (glibc's; elsewhere nothing)."""
    _of_c("malloc_trim")(0)


def set_apart() -> None:
    """Have large blocks mapped one by one from now on, so that each goes back when it is freed and leaves no hole.

    This holds for the whole process, and for good. Else glibc, once it has freed a block of up to 32 MiB, keeps blocks
    up to that size in the heap.
    """
    _of_c("mallopt")(_MMAP_THRESHOLD, _LARGE)


@cache
def _of_c(name: str) -> Callable[..., object]:
    """A function of the C library, or one that does nothing where there is none of that name."""
    try:
        found: Callable[..., object] = getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):  # another system's C library, or (Windows) none under this name
        return lambda *_: None
    return found
