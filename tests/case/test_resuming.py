"""What was cut off after its evidence was recorded: brought to its end by whoever comes next, who is told of it."""

from __future__ import annotations

import errno
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

import investigate
from investigate.errors import Cancelled, LakeError, LinkExpired
from investigate.lake.staging import Staging

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .conftest import Box

ADD = Staging.add


def log(folder: Path, name: str) -> Path:
    """One event of a DevRev log, one of CloudTrail's."""
    path = folder / f"{name}.jsonl"
    path.write_text(json.dumps({"id": name, "timestamp": "2026-11-03T10:00:00Z", "actor": {"id": "ann"}}))
    if name != "devrev":
        path.write_text(json.dumps({"eventID": name, "eventTime": "2026-11-03T10:00:00Z", "eventName": "GetObject"}))
    return path


@pytest.fixture
def case(tmp_path: Path) -> investigate.Case:
    return investigate.open(tmp_path / "case")


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """No room for DevRev's events, until it is undone."""

    def add(staging: Staging, events: pa.Table, rejects: pa.Table) -> None:
        if events.num_rows and events["source"][0].as_py() == "devrev":
            raise OSError(errno.ENOSPC, "No space left on device")
        ADD(staging, events, rejects)

    with monkeypatch.context() as disk:
        disk.setattr(Staging, "add", add)
        yield disk


@pytest.fixture
def left(case: investigate.Case, tmp_path: Path, full: pytest.MonkeyPatch) -> str:
    """An acquisition whose evidence is recorded, and which could not be brought to its end."""
    assert full
    with pytest.raises(LakeError, match="No space left"):
        case.import_files(log(tmp_path, "devrev"), "devrev")
    return case.journal.acquisitions()[0].id


def states(case: investigate.Case) -> dict[str, str]:
    return {row.id: row.state for row in case.journal.acquisitions()}


def test_what_fails_again_stands_in_nobodys_way_and_is_tried_until_it_is_done(
    case: investigate.Case, tmp_path: Path, left: str, full: pytest.MonkeyPatch
) -> None:
    other = case.import_files(log(tmp_path, "one"), "cloudtrail")
    assert (other.counts.stored, states(case)[left]) == (1, "recorded")
    assert f"({left}) could not be brought to its end" in other.warnings[0]
    full.undo()
    third = case.import_files(log(tmp_path, "two"), "cloudtrail")
    said = "was brought to its end: received 1 = stored 1 + duplicate 0 + rejected 0."
    assert third.warnings == (f"An earlier acquisition of devrev that was cut off ({left}) {said}",)
    assert case.sql("SELECT event_uid FROM events ORDER BY ALL")["event_uid"].to_list() == ["devrev", "one", "two"]
    assert set(states(case).values()) == {"done"}


def test_a_fault_of_ours_in_it_stops_nobody_either(
    case: investigate.Case, tmp_path: Path, left: str, full: pytest.MonkeyPatch
) -> None:
    def broken(staging: Staging, events: pa.Table, rejects: pa.Table) -> None:
        if events["source"][0].as_py() == "devrev":
            raise pa.ArrowInvalid("token=abcdefghijklmnop")
        ADD(staging, events, rejects)

    full.setattr(Staging, "add", broken)
    other = case.import_files(log(tmp_path, "one"), "cloudtrail")
    assert (other.counts.stored, states(case)[left]) == (1, "recorded")
    assert "a fault of investigate: ArrowInvalid" in other.warnings[0]
    assert "abcdefghijklmnop" not in other.warnings[0]


def test_who_cancels_meanwhile_cancels_what_they_began(
    case: investigate.Case, tmp_path: Path, left: str, full: pytest.MonkeyPatch
) -> None:
    full.undo()

    def cancel(phase: str, *_given: Any) -> None:
        if phase == "normalise":
            raise Cancelled("by hand", "")

    with pytest.raises(Cancelled):
        case.import_files(log(tmp_path, "one"), "cloudtrail", progress=cancel)
    assert states(case) == {left: "recorded"}
    assert case.import_files(tmp_path / "one.jsonl", "cloudtrail").counts.stored == 1
    assert set(states(case).values()) == {"done"}


def test_what_lost_its_evidence_failed_and_is_told_once(
    case: investigate.Case, tmp_path: Path, left: str, full: pytest.MonkeyPatch
) -> None:
    full.undo()
    ((_, path),) = case.evidence
    path.unlink()
    other = case.import_files(log(tmp_path, "one"), "cloudtrail")
    assert f"({left}) cannot be brought to its end any more. Evidence" in other.warnings[0]
    assert states(case)[left] == "failed"
    assert case.import_files(tmp_path / "one.jsonl", "cloudtrail").warnings == ()
    assert case.import_files(tmp_path / "devrev.jsonl", "devrev").counts.stored == 1


def test_an_export_that_is_evidence_already_needs_no_living_link(
    box: Box, tmp_path: Path, full: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + timedelta(hours=9)

    for name, value in box.environment.items():
        monkeypatch.setenv(name, value)
    case = investigate.open(tmp_path / "case")
    links = [box.link_after(lambda: case.devrev.request_export(*box.window)) for _ in range(2)]
    with pytest.raises(LakeError, match="No space left"):
        case.devrev.collect(links[0])
    full.undo()
    monkeypatch.setattr("investigate.case.desks.datetime", Later)
    with pytest.raises(LinkExpired):
        case.devrev.collect(links[1])
    assert "recorded" in states(case).values()
    done = case.devrev.collect(links[0])
    assert done.resumed
    assert done.counts.stored == case.sql("SELECT count(*) AS n FROM events")["n"][0] > 1_000
