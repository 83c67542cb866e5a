"""Compaction: the same events in fewer files, whoever reads, writes, compacts or is killed meanwhile."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from investigate.errors import LakeError, UsageError
from investigate.events import event_schema
from investigate.lake import compaction
from investigate.lake.compaction import Compactor
from investigate.lake.lake import _PASSES, Lake

from .made import commit, events, rejects, uids

COMPACT = """
import os, signal, sys
from pathlib import Path
import investigate.lake.compaction
from investigate.lake.lake import Lake
lake, at, step = Lake(Path(sys.argv[1])), int(sys.argv[2]), 0
Lake._sum_up = lambda *_: ""
def hook(event, _):
    global step
    if event in ("open", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "shutil.rmtree"):
        step += 1
        if step == at:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
lake.compact()
sys.stdout.write(str(step))
"""
"""Compacts a lake, and ends at its n-th step on the disk as if by a power cut; says how many steps there are."""


@pytest.fixture(autouse=True)
def _without_roll_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has tests of its own, and is most of what a small commit costs."""
    monkeypatch.setattr(Lake, "_sum_up", lambda *_: "")


def pieces(lake: Lake, count: int, days: int = 3) -> None:
    """Acquisitions of two events each, in turn on so many days."""
    for number in range(count):
        brought = events(f"x{number}", f"y{number}", days=number % days), events(f"z{number}", days=9)
        commit(lake, f"a{number}", *brought, rejected=rejects(number))


def content(lake: Lake, version: int | None = None) -> pl.DataFrame:
    """Every column of every event, in one order."""
    return lake.scan(version).collect().sort("source", "tenant", "event_uid", "date")


def parquet(lake: Lake) -> set[str]:
    """The files of the events that are there, in a snapshot or not."""
    return {stored.name for stored in lake.events.storage.listed() if stored.name.startswith("date=")}


def test_small_files_become_one_a_day_and_no_event_changes(lake: Lake) -> None:
    pieces(lake, 5)
    before = content(lake)
    done = lake.compact()
    assert (done.files_before, done.files_after, done.rewritten) == (10, 4, 9 + 5)
    assert content(lake).equals(before)
    assert lake.connect().sql("SELECT count(*) FROM rejects").fetchall() == [(5,)]
    assert lake.compact().rewritten == 0


def test_a_compacted_file_is_sorted_and_has_statistics(folder_lake: Lake) -> None:
    commit(folder_lake, "a1", events("b", "d"))
    commit(folder_lake, "a2", events("a", "c"))
    folder_lake.compact()
    ((path,), (row,)) = folder_lake.events.snapshot().files, folder_lake.events.details()
    found = pl.read_parquet(path, hive_partitioning=False)
    assert found["event_uid"].to_list() == ["a", "b", "c", "d"]
    assert found.schema.names() == [name for name in event_schema().names if name != "date"]
    assert (row["num_records"], row["min.actor"], row["min.time"]) == (4, "ann", found["time"].min())


def test_large_files_are_left_alone_and_what_is_made_keeps_to_the_size(folder_lake: Lake) -> None:
    rng = random.Random(7)  # noqa: S311 - noise, so that the sizes are known
    for number in range(6):
        table = events(*(f"e{number}-{at}" for at in range(400)))
        noise = [rng.randbytes(150).hex() for _ in range(400)]
        commit(folder_lake, f"a{number}", table.set_column(table.schema.get_field_index("raw"), "raw", [noise]))
    before, size = content(folder_lake), folder_lake.info()["bytes"]
    done = folder_lake.compact(target=size // 2)
    rows = [row["num_records"] for row in folder_lake.events.details()]
    assert (done.files_before, sorted(rows)) == (6, [1200, 1200])
    assert content(folder_lake).equals(before)
    assert folder_lake.compact(target=size // 10).rewritten == 0


def test_more_files_than_can_be_open_are_merged_in_steps(folder_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces(folder_lake, 9, days=1)
    before = content(folder_lake)
    monkeypatch.setattr(compaction, "MOST_FILES", 4)
    assert folder_lake.compact().files_after == 2
    assert content(folder_lake).equals(before)


@pytest.mark.parametrize(
    ("sizes", "parts"),
    [
        ([2**19] * 16, [5, 5, 5]),  # small: as many as are read at once, some megabytes unpacked each
        ([2**24] * 5, [5]),  # large: read bit by bit
        ([2**10] * 300, [128, 128, 44]),  # as many as may be open
        ([2**22, 2**22], [2]),  # two at least, else nothing would become of them
    ],
)
def test_files_are_merged_so_many_at_once_as_memory_bears(sizes: list[int], parts: list[int]) -> None:
    members = tuple(compaction.Member(str(number), size, 1) for number, size in enumerate(sizes))
    split = list(compaction.Group(None, members).split(2**27))
    assert [len(part.members) for part in split] == parts
    assert len({name for part in split for name in part.names}) == sum(parts)


@pytest.mark.parametrize("other", ["done", "at work"])
def test_where_one_merge_fails_nothing_is_committed_and_nothing_stays(
    folder_lake: Lake, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    pieces(folder_lake, 4)
    before, files, ready = content(folder_lake), parquet(folder_lake), threading.Event()
    really, told = Compactor._merge, []

    def merge(self: Compactor, *args: Any) -> Any:
        number = args[1]
        if number == 1:
            assert ready.wait(60)
            raise OSError(28, "No space left on device")
        if other == "done":
            made = really(self, *args)
            ready.set()
            return made
        ready.set()
        assert self._stopped.wait(60)
        try:
            return really(self, *args)
        except LakeError as error:
            told.append(error.message)
            raise

    monkeypatch.setattr(Compactor, "_merge", merge)
    with pytest.raises(LakeError, match="No space left on device"):
        folder_lake.compact()
    assert told == (["The compaction was stopped."] if other == "at work" else [])
    assert parquet(folder_lake) == files
    assert folder_lake.staged() == []
    assert content(folder_lake).equals(before)


@pytest.mark.parametrize("memory", [64, 128, 512])
def test_many_small_files_become_one_whatever_the_memory(memory: int) -> None:
    sizes = [600_000] * 300
    for _ in range(_PASSES):
        members = tuple(compaction.Member(str(number), size, 1) for number, size in enumerate(sizes))
        parts = list(compaction.Group(None, members).split(memory * 2**20))
        merged = {name for part in parts for name in part.names}
        sizes = [part.size for part in parts] + [one.size for one in members if one.name not in merged]
        sizes.sort()
    assert len([size for size in sizes if size < compaction.TARGET // 2]) <= 1


def test_a_compaction_adds_no_rows_by_what_the_log_says(folder_lake: Lake) -> None:
    pieces(folder_lake, 2, days=1)
    before = folder_lake.events.snapshot().version
    folder_lake.compact()
    log = (Path(folder_lake.events.storage.locate("_delta_log")) / f"{before + 1:020}.json").read_text()
    assert '"dataChange":false' in log
    assert '"dataChange":true' not in log
    assert not folder_lake.events.stored_since(before)


def test_a_reader_keeps_its_snapshot_and_an_old_version_answers(lake: Lake) -> None:
    pieces(lake, 4)
    old, version = content(lake), lake.events.snapshot().version
    with lake.connect() as connection:
        lazy = lake.scan()
        lake.compact()
        lake.vacuum()
        assert connection.sql("SELECT count(*) FROM events").fetchall() == [(12,)]
        assert lazy.collect().height == 12
    assert content(lake, version).equals(old)


def test_late_pieces_are_merged_as_they_come(folder_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "_MANY", 4)
    most = 0
    for number in range(24):
        commit(folder_lake, f"a{number}", events(f"x{number}", f"y{number}"))
        most = max(most, len(folder_lake.events.snapshot().files))
    assert most <= 2 * 4
    assert uids(folder_lake) == sorted(f"{letter}{number}" for number in range(24) for letter in "xy")


def test_a_merge_that_fails_after_a_commit_is_no_failure_of_it(
    folder_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "_MANY", 2)
    monkeypatch.setattr(Compactor, "run", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    pieces(folder_lake, 3, days=1)
    assert len(folder_lake.events.snapshot().files) == 6
    with pytest.raises(LakeError, match="disk full"):
        folder_lake.compact()


def test_a_compaction_that_would_lose_rows_changes_nothing(folder_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces(folder_lake, 3, days=1)
    before = parquet(folder_lake)
    monkeypatch.setattr(compaction, "merged", lambda *_: iter(()))
    with pytest.raises(LakeError, match="would have made 0 rows"):
        folder_lake.compact()
    assert (parquet(folder_lake), folder_lake.staged()) == (before, [])


def test_writers_go_on_beside_a_compaction(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces(lake, 3)
    really = lake.events.transact

    def meanwhile(identity: str, prepare: Any) -> int:
        if identity.startswith(compaction.NAME):
            commit(Lake(lake.root, uri=_uri(lake)), f"rival-{identity}", events("new", "x0"))
        return really(identity, prepare)

    monkeypatch.setattr(lake.events, "transact", meanwhile)
    assert lake.compact().rewritten > 0
    assert uids(lake) == sorted([*(f"{letter}{number}" for letter in "xyz" for number in range(3)), "new"])


def test_of_two_compactions_at_once_one_replaces_a_file(folder_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces(folder_lake, 6)
    before, together = content(folder_lake), threading.Barrier(2, timeout=60)
    really, own = Compactor._replace, threading.local()

    def replace(self: Compactor, *args: Any) -> int:
        if not hasattr(own, "planned"):
            own.planned = True
            together.wait()
        return really(self, *args)

    monkeypatch.setattr(Compactor, "_replace", replace)
    with ThreadPoolExecutor(2) as pool:
        done = [one.result() for one in [pool.submit(Lake(folder_lake.root).compact) for _ in range(2)]]
    assert content(folder_lake).equals(before)
    assert sum(one.rewritten for one in done) == 12 + 6
    assert parquet(folder_lake) >= set(folder_lake.events.snapshot().names)
    assert len(folder_lake.events.snapshot().files) == 4


@pytest.fixture(scope="module")
def uncompacted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A lake to copy, and how many steps its compaction takes."""
    root = tmp_path_factory.mktemp("uncompacted") / "lake"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lake, "_sum_up", lambda *_: "")
        pieces(Lake(root), 5)
    steps = subprocess.run(
        [sys.executable, "-c", COMPACT, str(shutil.copytree(root, root.with_name("copy"))), "0"],
        capture_output=True,
        text=True,
        check=True,
    )
    return root, int(steps.stdout)


@pytest.mark.parametrize("part", [0.1, 0.35, 0.6, 0.85])
def test_a_compaction_killed_at_any_step_leaves_the_lake_whole(
    uncompacted: tuple[Path, int], tmp_path: Path, part: float
) -> None:
    root, steps = uncompacted
    lake = Lake(shutil.copytree(root, tmp_path / "lake"))
    before = content(lake)
    at = round(part * steps) + random.Random().randrange(-steps // 10, steps // 10 + 1)  # noqa: S311 - a moment
    killed = subprocess.run([sys.executable, "-c", COMPACT, str(lake.root), str(max(1, at))], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert content(lake).equals(before)
    for writer in lake.staged():
        lake.discard(writer)
    versions = range(lake.events.snapshot().version + 1)
    assert parquet(lake) == {name for at in versions for name in lake.events.snapshot(at).names}
    lake.compact()
    assert content(lake).equals(before)
    assert (len(lake.events.snapshot().files), lake.staged()) == (4, [])


def test_a_living_writer_is_not_swept(folder_lake: Lake) -> None:
    with folder_lake.stage("a1") as staging:
        folder_lake.discard("a1")
        staging.add(events("x"), rejects())
        folder_lake.commit(staging, "a1", 1)
    assert uids(folder_lake) == ["x"]


def test_a_vacuum_removes_what_old_versions_alone_need(lake: Lake) -> None:
    pieces(lake, 4)
    before, version = content(lake), lake.events.snapshot().version
    lake.compact()
    assert lake.vacuum().files == 0
    removed = lake.vacuum(timedelta())
    assert removed.files > 0
    assert removed.bytes > 0
    assert parquet(lake) == set(lake.events.snapshot().names)
    assert content(lake).equals(before)
    with pytest.raises(LakeError, match="was vacuumed"):
        Lake(lake.root, uri=_uri(lake)).connect(version)


def test_a_vacuum_removes_strays_once_no_writer_can_be_at_them(folder_lake: Lake) -> None:
    pieces(folder_lake, 2)
    day = Path(folder_lake.events.snapshot().files[0]).parent
    for name, age in (("young", timedelta(hours=23)), ("old", timedelta(hours=49))):
        stray = day / f"{name}.parquet"
        stray.write_bytes(b"of a writer that was killed")
        os.utime(stray, times=(time.time() - age.total_seconds(),) * 2)
    assert folder_lake.vacuum(timedelta()).files == 1
    assert [(day / f"{name}.parquet").exists() for name in ("young", "old")] == [True, False]


def test_a_span_the_log_cannot_answer_for_is_refused(folder_lake: Lake) -> None:
    with pytest.raises(UsageError, match="30 days"):
        folder_lake.vacuum(timedelta(days=31))


def test_info_tells_files_versions_and_the_ratio_to_the_records(lake: Lake) -> None:
    pieces(lake, 3)
    found = lake.info()
    raw = sum(len(text) for text in content(lake)["raw"])
    assert (found["files"], found["versions"], found["events"]) == (6, found["version"] + 1, 9)
    assert raw <= found["raw_bytes"] <= raw + 100 * found["files"]
    assert found["raw_ratio"] == round(found["bytes"] / found["raw_bytes"], 3)


def _uri(lake: Lake) -> str | None:
    uri = lake.events.storage.uri
    return uri.removesuffix("/events") if uri.startswith("s3://") else None
