"""The lake: exactly once, without duplicates, the same from every engine."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from investigate.errors import LakeError
from investigate.events import Window, event_schema, just_after
from investigate.lake import duplicates
from investigate.lake.lake import Lake

from .made import NOON, commit, events, rejects, uids

if TYPE_CHECKING:
    from pathlib import Path


def test_a_commit_is_stored_counted_and_read_by_both_engines(lake: Lake) -> None:
    written = commit(lake, "a1", events("x", "y"), events("z", days=1))
    by_duckdb = lake.connect().sql("SELECT date::VARCHAR, count(*) FROM events GROUP BY ALL ORDER BY ALL").fetchall()
    by_polars = lake.scan().group_by("date").len().sort("date").collect()
    assert (written.received, written.stored, written.duplicate) == (3, 3, 0)
    assert by_duckdb == [("2026-11-03", 2), ("2026-11-04", 1)]
    assert [(str(day), count) for day, count in by_polars.iter_rows()] == by_duckdb


def test_an_acquisition_commits_once_however_often_it_is_replayed(lake: Lake) -> None:
    first = commit(lake, "a1", events("x", "y"))
    again = commit(lake, "a1", events("x", "y"))
    assert (again.replayed, again.stored, again.version) == (True, first.stored, first.version)
    assert uids(lake) == ["x", "y"]


@pytest.mark.parametrize("each", [1, 2**40], ids=["at once", "in turns"])
def test_duplicates_are_dropped_within_and_against_the_partition(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, each: int
) -> None:
    monkeypatch.setattr(duplicates, "_A_ROW", each)  # bytes, against the memory there is
    commit(lake, "a1", events("x", "y"))
    second = commit(lake, "a2", events("y", "z", "z"), events("x", tenant="other"))
    assert (second.stored, second.duplicate) == (2, 2)
    assert uids(lake) == ["x", "x", "y", "z"]


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=6), min_size=2, max_size=4))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_received_is_stored_and_duplicate_and_rejected(
    tmp_path_factory: pytest.TempPathFactory, acquisitions: list[list[str]]
) -> None:
    lake = Lake(tmp_path_factory.mktemp("lake"))
    for number, names in enumerate(acquisitions):
        written = commit(lake, f"a{number}", events(*names), rejected=rejects(number))
        assert written.received == len(names) + 1 == written.stored + written.duplicate + written.rejected
    assert uids(lake) == sorted({name for names in acquisitions for name in names})


def test_a_reject_met_twice_is_kept_once(lake: Lake) -> None:
    commit(lake, "a1", rejected=rejects(3, 4))
    second = commit(lake, "a2", rejected=rejects(4, 5))
    kept = lake.connect().sql("SELECT evidence_record, acquisition FROM rejects ORDER BY 1").fetchall()
    assert second.rejected == 2
    assert kept == [(3, "a1"), (4, "a1"), (5, "a2")]


def test_an_old_version_still_answers(lake: Lake) -> None:
    first = commit(lake, "a1", events("x"))
    commit(lake, "a2", events("y"))
    old = lake.connect(first.version).sql("SELECT event_uid FROM events").fetchall()
    assert old == [("x",)] == lake.scan(first.version).select("event_uid").collect().rows()


def test_a_version_that_never_was_is_an_error_that_says_so(lake: Lake) -> None:
    with pytest.raises(LakeError, match="no version 7"):
        lake.connect(7)


def test_the_newest_version_is_told_by_the_log(lake: Lake) -> None:
    assert lake.events.version() == -1
    for acquisition in ("a1", "a2"):
        commit(lake, acquisition, events(acquisition))
        assert lake.events.version() == lake.events.snapshot().version


def test_the_newest_version_of_a_folder_is_told_before_the_lake_is_read(folder_lake: Lake) -> None:
    written = commit(folder_lake, "a1", events("x"))
    reader = Lake(folder_lake.root)
    assert reader.events.version() == written.version
    assert reader.events._live is None
    commit(folder_lake, "a2", events("y"))
    assert reader.events.snapshot(written.version).version == written.version
    assert len(reader.events.snapshot(reader.events.version()).files) == 2


def test_an_empty_lake_has_all_columns_and_no_rows(lake: Lake) -> None:
    assert lake.scan().collect().schema.names() == event_schema().names
    assert lake.connect().sql("SELECT * FROM events").columns == event_schema().names
    assert lake.info()["events"] == 0


def test_files_are_sorted_by_time_and_carry_statistics(lake: Lake) -> None:
    late, early = events("b", days=0), events("a", days=0)
    early = early.set_column(1, "time", pa.array([NOON - timedelta(hours=1)], pa.timestamp("us", "UTC")))
    commit(lake, "a1", late, early)
    (path,) = lake.events.snapshot().files
    (row,) = lake.events.details()
    by_file = pl.read_parquet(path, storage_options=lake.events.storage.options, hive_partitioning=False)
    assert by_file["event_uid"].to_list() == ["a", "b"]
    assert (row["num_records"], row["min.time"]) == (2, NOON - timedelta(hours=1))


def test_a_case_may_lie_in_a_folder_of_any_name(tmp_path: Path) -> None:
    lake = Lake(tmp_path.joinpath("a b", "o'clock", "ünï", "a;b", "x=y", "a#b", 'a"b', "a&b", "lake"))
    first = commit(lake, "a1", events("x", "x"))
    commit(lake, "a2", events("x", "y"))
    again = commit(lake, "a1", events("x", "x"))
    assert (again.replayed, again.stored, again.duplicate) == (True, first.stored, first.duplicate)
    assert uids(lake) == ["x", "y"]
    assert lake.connect().sql("SELECT count(*) FROM events").fetchall() == [(2,)]


def test_staging_leaves_nothing_behind(lake: Lake) -> None:
    commit(lake, "a1", events("x"))
    assert lake.staged() == []


def test_files_are_private(folder_lake: Lake) -> None:
    commit(folder_lake, "a1", events("x"))
    made = list(folder_lake.root.rglob("*"))
    rights = {(path.is_dir(), path.stat().st_mode & 0o777) for path in made}
    assert rights == {(True, 0o700), (False, 0o600)}


def test_the_first_and_the_last_day_there_is_can_be_stored(lake: Lake) -> None:
    table = events("old", "new")
    times = [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)]
    table = table.set_column(1, "time", pa.array(times, pa.timestamp("us", "UTC")))
    table = table.set_column(2, "date", pa.array([time.date() for time in times]))
    commit(lake, "a1", table)
    assert lake.scan().sort("time").select("time").collect()["time"].to_list() == times
    assert lake.scan().filter(pl.col("date") == times[1].date()).collect().height == 1
    assert lake.span() == Window(times[0], times[1])


def test_the_span_ends_just_after_the_last_event(lake: Lake) -> None:
    commit(lake, "a1", events("x", "y"))
    assert lake.span() == Window(NOON, NOON + timedelta(microseconds=2))
    assert just_after(datetime.max.replace(tzinfo=UTC)) == datetime.max.replace(tzinfo=UTC)


def test_what_a_killed_commit_left_in_the_log_goes_with_the_next(tmp_path: Path, folder_lake: Lake) -> None:
    commit(folder_lake, "a1", events("x"))
    log = tmp_path / "lake" / "events" / "_delta_log"
    version = folder_lake.events.snapshot().version
    left, coming = (log / f"{number:020}.json#1" for number in (version, version + 9))
    abandoned, at_work = (log / f"{version:020}.checkpoint.parquet#{number}" for number in (1, 2))
    for tried in (left, coming, abandoned, at_work):
        tried.write_bytes(b"{}")
    os.utime(abandoned, (0, 0))
    commit(folder_lake, "a2", events("y"))
    assert [tried.exists() for tried in (left, coming, abandoned, at_work)] == [False, True, False, True]
