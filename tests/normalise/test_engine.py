"""An engine is used again by whoever comes next, within that one's bounds, and not after it broke down."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pyarrow as pa
import pytest

from investigate.normalise.engine import Engine
from investigate.normalise.profile import load
from investigate.normalise.sql import Compiled

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


def test_what_it_remembers_is_bounded_over_all_columns(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("investigate.normalise.engine._HELD", 3 * MEGABYTES)
    compiled = Compiled(load("cloudtrail"))
    kept = []
    for batch in range(12):
        rows = range(batch * 100, batch * 100 + 100)
        records = [{"eventTime": "2026-11-03T10:00:00Z", "eventName": f"Get{row}" + "x" * 2000} for row in rows]
        texts = [json.dumps(record | {"userIdentity": {"arn": record["eventName"]}}) for record in records]
        made = engine.run(compiled, pa.table({"row": list(rows), "raw": texts}))
        assert made["action"].to_pylist() == [record["eventName"] for record in records]
        kept.append(len(repr(engine._remembered)))
    assert kept[0] < kept[1]  # a megabyte each time, of three columns
    assert max(kept) < 5 * MEGABYTES
    engine.close()


def test_the_same_values_are_derived_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = Compiled(load("cloudtrail"))
    text = '{"eventTime":"2026-11-03T10:00:00Z","eventName":"GetObject","userIdentity":{"arn":"a"}}'
    table = pa.table({"row": [0], "raw": [text]})
    first = engine.run(compiled, table)
    asked: list[str] = []
    select = Engine.select

    def noted(self: Engine, sql: str, *given: pa.Table, **how: bool) -> pa.Table:
        asked.append(sql)
        return select(self, sql, *given, **how)

    monkeypatch.setattr(Engine, "select", noted)
    assert engine.run(compiled, table).equals(first)
    assert asked == [compiled.values, compiled.in_each]
    engine.close()
