"""What was freed goes back to the system, though something that is still in use lies behind it."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from investigate.freed import give_back

_SIZE = 1_000  # bytes: beyond what Python keeps in pools of its own
_COUNT = 50_000


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library gives back what it likes")
def test_free_memory_between_what_is_in_use_goes_back() -> None:
    blocks = [bytes(_SIZE) for _ in range(_COUNT)]
    in_use = blocks[::500]
    before = resident()
    del blocks
    give_back()
    assert before - resident() > _SIZE * _COUNT // 2
    assert len(in_use) == _COUNT // 500
