"""What was freed goes back to the system, though something that is still in use lies behind it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pytest

from investigate.freed import frugal, give_back

_SIZE = 1_000  # bytes: beyond what Python keeps in pools of its own
_COUNT = 50_000
_GLIBC = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library gives back what it likes")
_LARGE = """
import os
from pathlib import Path
from investigate.freed import set_apart

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

set_apart()
bytearray(b"x") * 30_000_000
blocks = [(bytearray(b"x") * 6_000_000, bytearray(b"y") * 5_000) for _ in range(10)]
in_use = [small for _, small in blocks]
before = resident()
del blocks
print(before - resident())
"""


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@_GLIBC
def test_free_memory_between_what_is_in_use_goes_back() -> None:
    blocks = [bytes(_SIZE) for _ in range(_COUNT)]
    in_use = blocks[::500]
    before = resident()
    del blocks
    give_back()
    assert before - resident() > _SIZE * _COUNT // 2
    assert len(in_use) == _COUNT // 500


@_GLIBC
def test_large_blocks_go_back_at_once_where_they_are_set_apart() -> None:
    freed = int(subprocess.run([sys.executable, "-c", _LARGE], stdout=subprocess.PIPE, check=True).stdout)
    assert freed > 50_000_000


def test_arrow_has_its_own_allocator_again_once_nobody_is_frugal_any_more() -> None:
    before = pa.default_memory_pool().backend_name
    with ExitStack() as first, ExitStack() as second:
        first.enter_context(frugal())
        second.enter_context(frugal())
        first.close()
        assert pa.default_memory_pool().backend_name == "system"
    assert pa.default_memory_pool().backend_name == before != "system"
