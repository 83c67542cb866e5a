"""Memory that was freed goes back to the system: what lies in small holes all over the heap would else only grow."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_MMAP_THRESHOLD: Final = -3
"""Which of its allocator's parameters glibc's `mallopt` sets (malloc.h)."""
_LARGE: Final = 4 * 2**20
"""Bytes of a block that is mapped by itself: the chunks of a log, not what is made of them."""


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
