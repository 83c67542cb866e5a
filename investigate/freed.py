"""Memory that was freed goes back to the system: what lies in small holes all over the heap would else only grow."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def give_back() -> None:
    """Hand free pages of the heap to the system, where its allocator can be asked to (glibc's; elsewhere nothing)."""
    _trim()(0)


@cache
def _trim() -> Callable[[int], object]:
    try:
        trim: Callable[[int], object] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another system's C library, or (Windows) none under this name
        return lambda _: None
    return trim
