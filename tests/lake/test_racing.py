"""Writers on one lake at once, as from several machines: nothing is lost, nothing twice, every acquisition once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest

from investigate.errors import LakeError
from investigate.lake.lake import Lake
from investigate.lake.table import Change

from .made import commit, events, rejects, uids

if TYPE_CHECKING:
    from investigate.lake.table import Table

RACER = Path(__file__).with_name("racer.py")
WRITERS, ACQUISITIONS, SHARED = 4, 2, 5


def race(folder: Path, uri: str) -> list[list[dict[str, Any]]]:
    """What each writer says of its commits; none has the case's lock, as none has on another machine."""
    racers = [
        subprocess.Popen(
            [sys.executable, str(RACER), str(folder), uri, f"w{number}", str(ACQUISITIONS), str(SHARED)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(WRITERS)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    said = [racer.communicate(timeout=120)[0] for racer in racers]
    assert [racer.returncode for racer in racers] == [0] * WRITERS
    return [[json.loads(line) for line in one.splitlines()] for one in said]


def check(lake: Lake, told: list[list[dict[str, Any]]]) -> None:
    own = [f"w{writer}-{number}" for writer in range(WRITERS) for number in range(ACQUISITIONS)]
    shared = [f"shared-{number}" for number in range(ACQUISITIONS * SHARED)]
    counts = [count for one in told for count in one]
    assert uids(lake) == sorted([*own, *own, *shared])
    assert sum(count["stored"] for count in counts) == len(uids(lake))
    assert all(count["received"] == SHARED + 3 for count in counts)
    assert all(count["received"] == count["stored"] + count["duplicate"] + count["rejected"] for count in counts)
    assert {name for name in own if lake.events.committed(name)} == set(own)
    assert len({count["version"] for count in counts}) == len(counts)
    kept = lake.connect().sql("SELECT evidence_record FROM rejects ORDER BY 1").fetchall()
    assert kept == [(number,) for number in range(ACQUISITIONS)]


def test_writers_of_several_machines_race_on_one_bucket(tmp_path: Path, bucket: Any) -> None:
    uri = f"s3://lakes/{tmp_path.parent.name}/race"
    told = race(tmp_path, uri)
    lake = Lake(tmp_path / "reader", uri=uri)
    check(lake, told)
    prefix = uri.removeprefix("s3://lakes/")
    listed = bucket.list_objects_v2(Bucket="lakes", Prefix=prefix)["Contents"]
    keys = [entry["Key"] for entry in listed if "_delta_log" not in entry["Key"]]
    there = {f"s3://lakes/{key}" for key in keys if "/touches" not in key}
    assert there == {*lake.events.snapshot().files, *lake.rejects.snapshot().files}


def test_writers_race_in_one_folder_without_the_lock_of_the_case(tmp_path: Path) -> None:
    told = race(tmp_path / "lake", "")
    lake = Lake(tmp_path / "lake")
    check(lake, told)
    made = [path for name in ("events", "rejects") for path in (lake.root / name).rglob("*.parquet")]
    there = {str(path) for path in made if "_delta_log" not in path.parts}
    assert there == {*lake.events.snapshot().files, *lake.rejects.snapshot().files}
    assert lake.staged() == []


def test_a_commit_whose_answer_is_lost_counts_once(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(lake, "a1", events("x"))
    really = lake.events._commit

    def lossy(table: Any, identity: str, change: Change) -> None:
        really(table, identity, change)
        raise OSError("connection reset")

    monkeypatch.setattr(lake.events, "_commit", lossy)
    written = commit(lake, "a2", events("x", "y"))
    assert (written.stored, written.duplicate, written.version) == (1, 1, 2)
    assert uids(lake) == ["x", "y"]


def test_a_commit_that_fails_leaves_nothing(folder_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_lake.events, "_commit", Mock(side_effect=OSError("disk full")))
    with pytest.raises(LakeError, match="disk full"):
        commit(folder_lake, "a1", events("x"), rejected=rejects(1))
    left = [path for path in folder_lake.root.rglob("*.parquet") if "rejects" not in path.parts]
    assert (left, folder_lake.staged(), uids(folder_lake)) == ([], [], [])


def test_a_late_rival_makes_a_try_look_again_and_write_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(lake, "a1", events("x"))
    really, rivals = lake.events._commit, ["b1", "b2"]

    def late(table: Any, identity: str, change: Change) -> None:
        if identity == "a2" and rivals:
            rival = rivals.pop()
            commit(lake, rival, events("y") if rival == "b2" else events("other", days=3))
        really(table, identity, change)

    monkeypatch.setattr(lake.events, "_commit", late)
    written = commit(lake, "a2", events("x", "y", "z"))
    assert (written.stored, written.duplicate) == (1, 2)
    assert uids(lake) == ["other", "x", "y", "z"]
    assert sum(1 for stored in lake.events.storage.listed() if stored.name.endswith(".parquet")) == 4


def test_a_writer_that_never_comes_first_gives_up(folder_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(folder_lake, "a1", events("x"))
    really, number = folder_lake.events._commit, iter(range(1000))

    def late(table: Any, identity: str, change: Change) -> None:
        rival: Table = Lake(folder_lake.root).events
        rival.transact(f"rival-{next(number)}", lambda _: Change())
        really(table, identity, change)

    monkeypatch.setattr(folder_lake.events, "_commit", late)
    monkeypatch.setattr("investigate.lake.table._PATIENCE", 0.2)
    with pytest.raises(LakeError, match="come first"):
        commit(folder_lake, "a2", events("y"))
    assert uids(folder_lake) == ["x"]
