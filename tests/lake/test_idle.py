"""Engines that wait for the next question: one's at a time, blank each time, and whole."""

from __future__ import annotations

import gc
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from weakref import ref

import duckdb
import pyarrow as pa
import pytest

from investigate.lake.idle import MOST
from investigate.lake.lake import Lake
from tests.lake.made import commit, events

if TYPE_CHECKING:
    from pathlib import Path

COUNT = "SELECT count(*) FROM events"
LEFT = (
    "SELECT view_name FROM duckdb_views() WHERE NOT internal "
    "UNION ALL SELECT table_name FROM duckdb_tables() UNION ALL SELECT type_name FROM duckdb_types() WHERE NOT internal"
)


@pytest.fixture
def engines(folder_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> list[duckdb.DuckDBPyConnection]:
    """The engines that are started for the lake, as they are started."""
    started: list[duckdb.DuckDBPyConnection] = []
    start = folder_lake.idle._start

    def watched() -> duckdb.DuckDBPyConnection:
        started.append(start())
        return started[-1]

    monkeypatch.setattr(folder_lake.idle, "_start", watched)
    return started


def test_one_question_after_another_has_the_same_engine(
    folder_lake: Lake, engines: list[duckdb.DuckDBPyConnection]
) -> None:
    for _ in range(3):
        with folder_lake.borrow() as connection:
            assert connection.sql(COUNT).fetchall() == [(0,)]
    assert len(engines) == 1


def test_questions_at_the_same_time_have_one_each_and_few_are_kept(
    folder_lake: Lake, engines: list[duckdb.DuckDBPyConnection]
) -> None:
    crowd = MOST + 2
    all_in = threading.Barrier(crowd)

    def ask(number: int) -> list[tuple[int]]:
        with folder_lake.borrow() as connection:
            connection.execute(f"CREATE TEMP TABLE own AS SELECT {number} AS number")
            all_in.wait(timeout=30)
            return connection.sql("FROM own").fetchall()

    with ThreadPoolExecutor(crowd) as pool:
        assert list(pool.map(ask, range(crowd))) == [[(number,)] for number in range(crowd)]
    assert (len(engines), len(folder_lake.idle)) == (crowd, MOST)


def test_a_version_is_that_which_was_asked_for(folder_lake: Lake, engines: list[duckdb.DuckDBPyConnection]) -> None:
    versions = [commit(folder_lake, uid, events(uid)).version for uid in ("one", "two")]
    counts = []
    for version in (*versions, *versions):
        with folder_lake.borrow(version) as connection:
            counts.append(connection.sql(COUNT).fetchall()[0][0])
    assert counts == [1, 2, 1, 2]
    assert len(engines) == 1


def test_nothing_of_a_question_reaches_the_next(folder_lake: Lake, engines: list[duckdb.DuckDBPyConnection]) -> None:
    version = commit(folder_lake, "one", events("one")).version
    with folder_lake.borrow() as connection:
        connection.register("registered", pa.table({"a": [1]}))
        connection.execute("CREATE TEMP TABLE made AS SELECT * FROM range(100_000)")
        connection.execute("SET VARIABLE said = 'it'")
        assert folder_lake.look_up.expose(connection, "touches", version)
        assert connection.sql("SELECT count(*) FROM touches").fetchall() == [(1,)]
    with folder_lake.idle.connection() as connection:
        assert connection.sql(LEFT).fetchall() == []
        assert connection.sql("SELECT getvariable('said')").fetchall() == [(None,)]
        held = connection.sql("SELECT tag FROM duckdb_memory() WHERE memory_usage_bytes > 0").fetchall()
    assert held == []
    assert len(engines) == 1


@pytest.mark.parametrize("error", [duckdb.Error, KeyboardInterrupt])
def test_an_engine_something_went_wrong_with_is_not_used_again(
    folder_lake: Lake, engines: list[duckdb.DuckDBPyConnection], error: type[BaseException]
) -> None:
    with pytest.raises(error), folder_lake.borrow():
        raise error
    assert len(folder_lake.idle) == 0
    with pytest.raises(duckdb.ConnectionException):
        engines[0].execute("SELECT 1")


def test_times_are_in_utc_whatever_the_machine_has(folder_lake: Lake, engines: list[duckdb.DuckDBPyConnection]) -> None:
    asked = "SELECT current_setting('TimeZone')"
    with folder_lake.connect() as own, folder_lake.borrow() as borrowed:
        # The machine's may be UTC too, by one of its many other names.
        said = [one.sql(asked).fetchall() for one in (own, own.cursor(), borrowed, engines[0].cursor())]
    assert said == [[("UTC",)]] * 4


def test_settings_are_locked(folder_lake: Lake) -> None:
    with pytest.raises(duckdb.Error, match="locked"), folder_lake.borrow() as connection:
        connection.execute("SET enable_external_access = true")


def test_with_the_lake_its_engines_end(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    with lake.borrow() as connection:
        connection.execute("SELECT 1")
    (waiting,) = map(ref, lake.idle._waiting)
    del lake
    gc.collect()
    assert waiting() is None


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of forking beside other libraries' threads
def test_a_child_has_engines_of_its_own(folder_lake: Lake, engines: list[duckdb.DuckDBPyConnection]) -> None:
    query = "SELECT count(*) FROM range(1_000_000) AS t(i) WHERE i % 3 = 0"
    with folder_lake.idle.connection() as connection:
        connection.sql(query).fetchall()
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        with folder_lake.idle.connection() as connection:
            found = connection.sql(query).fetchall()
        folder_lake.idle.close()
        os._exit(0 if found == [(333_334,)] and len(engines) == 2 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
