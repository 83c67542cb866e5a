"""Rows of any order become sorted files; what is there twice is found, whichever file and whoever brought it."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from investigate.events import event_schema
from investigate.lake import parquet, sorting, staging
from investigate.lake.lake import Lake

from .made import NOON, commit, events, uids

if TYPE_CHECKING:
    from pathlib import Path

SOME = settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])


def at(*minutes: int, evidence: str = "0") -> pa.Table:
    """Events that happened so many minutes after noon, and are named after it."""
    rows = [
        dict.fromkeys(event_schema().names)
        | {"event_uid": f"e{minute}", "time": (time := NOON + timedelta(minutes=minute)), "date": time.date()}
        | {"source": "devrev", "tenant": "acme", "actor": "ann", "actor_type": "user", "activity": "read"}
        | {"outcome": "success", "resources": ["r"], "raw": "{}", "evidence": evidence * 64, "evidence_record": place}
        for place, minute in enumerate(minutes)
    ]
    return pa.Table.from_pylist(rows, schema=event_schema())


def assert_sorted(lake: Lake) -> None:
    for path in lake.events.snapshot().files:
        times = pq.read_table(path, columns=["time", "event_uid"], partitioning=None).to_pylist()
        assert times == sorted(times, key=lambda row: (row["time"], row["event_uid"]))


@SOME
@given(
    minutes=st.lists(st.integers(-3000, 3000), min_size=1, max_size=60),
    piece=st.integers(1, 9),
    group=st.integers(2, 8),
    back=st.integers(0, 4),
    memory=st.sampled_from([1, 4_000, 2**20]),
    together=st.sampled_from([1, 3, 16]),
)
def test_whatever_the_order_files_are_sorted_and_every_event_is_there_once(
    tmp_path_factory: pytest.TempPathFactory,
    minutes: list[int],
    piece: int,
    group: int,
    back: int,
    memory: int,
    together: int,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "ROW_GROUP", group)
        patch.setattr(sorting, "_BACK", back)
        patch.setattr(sorting, "_RUN", 2 * group)
        patch.setattr(sorting, "_TAILS", 1)
        patch.setattr(sorting, "_OPEN", 2)
        patch.setattr(sorting, "_TOGETHER", together)
        lake = Lake(tmp_path_factory.mktemp("lake"), memory=512 * 2**20)
        pieces = [at(*minutes[start : start + piece]) for start in range(0, len(minutes), piece)]
        with lake.stage("a1") as staging:
            staging.new_events._sorted._memory = memory
            for rows in pieces:
                staging.add(rows, staging.new_rejects._table.schema.empty_table())
            written = lake.commit(staging, "a1", len(minutes))
    assert (written.stored, written.duplicate) == (len(set(minutes)), len(minutes) - len(set(minutes)))
    assert uids(lake) == sorted({f"e{minute}" for minute in minutes})
    assert_sorted(lake)


def test_rows_nearly_in_order_are_sorted_without_a_copy_of_their_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorting, "_TOGETHER", 16)
    rows = at(*range(50), 51, 50, *range(52, 100))

    ordered = sorting._in_order(rows, ["time", "source", "event_uid"])

    assert ordered.equals(rows.sort_by("time"))
    texts = {chunk.buffers()[-1].address for chunk in ordered["raw"].chunks}
    assert texts == {rows["raw"].chunk(0).buffers()[-1].address}


@pytest.mark.parametrize("days", [2, 30])
def test_what_waits_keeps_no_rows_in_memory_that_are_written(lake: Lake, days: int) -> None:
    """A few rows of other days in each portion wait long; the memory is measured, not what is said of it."""
    memory = 2**20
    with lake.stage("a1") as staging:
        pile = staging.new_events._sorted
        pile._memory = memory
        before = pa.total_allocated_bytes()
        for number in range(40):
            minutes = [*range(400 * number, 400 * number + 400), *(1440 * (1000 + day) for day in range(1, days))]
            rows = at(*minutes)
            text = pa.array([f"{minute:>1000}" for minute in minutes], pa.string())
            pile.add(rows.set_column(rows.schema.get_field_index("raw"), "raw", text))
            del rows, text
        held = pa.total_allocated_bytes() - before
        assert pile.finish()
    assert held < 4 * memory


def test_rows_that_come_nearly_in_order_make_one_file_a_day(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP", 100)
    monkeypatch.setattr(sorting, "_BACK", 20)
    rng = random.Random(7)  # noqa: S311 - the same order every time
    late = sorted(range(700), key=lambda minute: minute + rng.uniform(0, 15))
    commit(lake, "a1", *(at(*late[start : start + 30]) for start in range(0, 700, 30)))
    assert len(lake.events.snapshot().files) == 1
    assert len(uids(lake)) == 700


def test_rows_that_come_in_no_order_wait_until_there_are_many(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP", 20)
    monkeypatch.setattr(sorting, "_RUN", 200)
    monkeypatch.setattr(sorting, "_BACK", 5)
    mixed = random.Random(7).sample(range(700), 700)  # noqa: S311 - the same order every time
    with lake.stage("a1") as staging:
        for start in range(0, 700, 10):
            staging.add(at(*mixed[start : start + 10]), staging.new_rejects._table.schema.empty_table())
        files = staging.new_events.files(lake.events.snapshot())
    assert len(files) <= 6


def test_of_days_that_are_past_nothing_is_held_back(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP", 20)
    monkeypatch.setattr(sorting, "_BACK", 5)
    with lake.stage("a1") as staging:
        for day in range(9):
            rows = at(*range(1440 * day, 1440 * day + 40))
            staging.add(rows, staging.new_rejects._table.schema.empty_table())
        waiting = staging.new_events._sorted._waiting
        assert list(waiting) == [f"2026-11-{NOON.day + day:02}" for day in (6, 7, 8)]


def test_of_equal_events_the_one_read_first_stays(lake: Lake) -> None:
    written = commit(lake, "a1", at(9, 1, evidence="b"), at(1, 9, 2, evidence="a"), at(2, 2, evidence="c"))
    assert (written.received, written.stored, written.duplicate) == (7, 3, 4)
    kept = lake.scan().select("event_uid", "evidence").collect().rows()
    assert sorted(kept) == [("e1", "b" * 64), ("e2", "a" * 64), ("e9", "b" * 64)]


def test_only_files_that_hold_duplicates_are_written_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(lake, "a1", events("x", "y", days=1))
    written: Counter[str] = Counter()
    real = parquet.write

    def counted(path: Path, *rest: object) -> pq.FileMetaData:
        written[path.parent.name] += 1
        return real(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(parquet, "write", counted)
    again = commit(lake, "a2", pa.concat_tables([events("a", "b", days=0), events("x", "z", days=1)]))
    assert (again.stored, again.duplicate) == (3, 1)
    assert written["events"] == 1
    assert uids(lake) == ["a", "b", "x", "y", "z"]


def test_a_file_that_lost_a_row_is_in_row_groups_as_any(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP", 100)
    monkeypatch.setattr(staging, "_PORTION", 30)
    commit(lake, "first", at(5))
    commit(lake, "second", at(*range(250)))
    (path,) = [path for path in lake.events.snapshot().files if pq.read_metadata(path).num_rows > 1]
    metadata = pq.read_metadata(path)
    assert [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)] == [89, 90, 70]
    assert_sorted(lake)
    assert sorted(uids(lake)) == sorted(f"e{minute}" for minute in range(250))


def test_another_writer_between_offer_and_commit_costs_no_event(lake: Lake) -> None:
    with lake.stage("a1") as staging:
        staging.add(events("a", "b"), staging.new_rejects._table.schema.empty_table())
        first = staging.new_events.files(lake.events.snapshot())
        commit(lake, "a2", events("b", "c"))
        written = lake.commit(staging, "a1", 2)
    assert len(first) == 1
    assert (written.stored, written.duplicate) == (1, 1)
    assert uids(lake) == ["a", "b", "c"]
    there = {file.name for file in lake.events.storage.listed() if file.name.endswith(".parquet")}
    assert there == set(lake.events.snapshot().names)
