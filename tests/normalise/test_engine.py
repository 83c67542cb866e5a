"""An engine is used again by whoever comes next, within that one's bounds, and not after it broke down."""

from __future__ import annotations

import os
import subprocess
import sys

import pyarrow as pa
import pytest

from investigate.normalise.engine import Engine

MEGABYTES = 2**20
ROWS = pa.table({"row": [1, 2]})


@pytest.fixture
def engine() -> Engine:
    return Engine.ready(64 * MEGABYTES, 128 * MEGABYTES)


def setting(engine: Engine, name: str) -> str:
    return str(engine.select(f"SELECT current_setting('{name}') AS value FROM batch", ROWS)["value"][0])


def test_the_next_one_has_its_own_bounds(engine: Engine) -> None:
    before = setting(engine, "memory_limit")
    engine.close()
    again = Engine.ready(32 * MEGABYTES, 32 * MEGABYTES)
    assert again is engine
    assert (before, setting(again, "memory_limit")) == ("64.0 MiB", "32.0 MiB")
    again.close()


def test_two_at_once_are_two(engine: Engine) -> None:
    other = Engine.ready(64 * MEGABYTES, 64 * MEGABYTES)
    assert other is not engine
    engine.close()
    other.close()
    assert Engine.ready(64 * MEGABYTES, 64 * MEGABYTES) is engine


def test_what_broke_down_is_not_used_again(engine: Engine) -> None:
    engine._connection.close()
    engine.close()
    after = Engine.ready(64 * MEGABYTES, 64 * MEGABYTES)
    assert after is not engine
    assert after.select("SELECT row FROM batch", ROWS).equals(ROWS)
    after.close()


def test_a_forked_process_leaves_its_parents_alone(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.close()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: -1)
        mine = Engine.ready(64 * MEGABYTES, 64 * MEGABYTES)
    assert mine is not engine
    assert Engine.ready(64 * MEGABYTES, 64 * MEGABYTES) is engine


def test_nothing_is_said_of_it_at_the_end() -> None:
    program = "from investigate.normalise.engine import Engine; Engine.ready(2**26, 2**26).close()"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (ended.stdout, ended.stderr) == ("", "")
