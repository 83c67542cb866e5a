"""A lake that is gone, or older than what was written to it, is an error: nothing found there would mean nothing."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

import investigate
from investigate.cli import main
from investigate.errors import LakeError, UsageError
from investigate.lake.lake import Lake
from tests.faults.kinds import log

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from investigate.case import Case

ARN = "arn:aws:s3:::bucket/1"
QUESTIONS: dict[str, Callable[[Case], object]] = {
    "who_touched": lambda case: case.who_touched(ARN),
    "by polars": lambda case: case.who_touched(ARN, engine="polars"),
    "an old version": lambda case: case.who_touched(ARN, version=-1),
    "activity": lambda case: case.activity("arn:aws:iam::1:user/u1"),
    "timeline": lambda case: case.timeline(),
    "pivot": lambda case: case.pivot("10.0.0.1"),
    "identities": lambda case: case.identities(),
    "sql": lambda case: case.sql("SELECT count(*) FROM events"),
    "events": lambda case: case.events(),
    "scan": lambda case: case.scan(),
    "frame": lambda case: case.frame(),
    "audit": lambda case: case.audit(start="2026-11-01", end="2026-11-04"),
}
COMMANDS = (
    ("--strict", "who-touched", ARN),
    ("sql", "SELECT count(*) FROM events"),
    ("lake", "info"),
)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """A case of two acquisitions whose lake was removed."""
    made = investigate.open(tmp_path / "case")
    for number in range(2):
        made.import_files(log(tmp_path / f"{number}.json.gz", 30 * number, 30 * number + 30), "cloudtrail")
    made.lake.root.rename(tmp_path / "aside")
    return investigate.open(tmp_path / "case")


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_is_not_answered(case: Case, question: str) -> None:
    with pytest.raises(LakeError, match="has version -1, but version 2 was written") as caught:
        QUESTIONS[question](case)
    assert "Restore lake/" in caught.value.hint


@pytest.mark.parametrize("command", COMMANDS, ids=[command[0] for command in COMMANDS])
def test_a_command_fails(case: Case, capfd: pytest.CaptureFixture[str], command: tuple[str, ...]) -> None:
    assert main(["--case", case.path, *command]) == 1
    told = capfd.readouterr()
    assert told.out == ""
    assert told.err.startswith("Error: The lake has version -1, but version 2 was written.\nRestore lake/")


def test_a_lake_that_lost_its_last_version_is_one_too(case: Case, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "aside", case.lake.root)
    (case.lake.root / "events" / "_delta_log" / f"{2:020}.json").unlink()
    with pytest.raises(LakeError, match="has version 1, but version 2 was written"):
        case.timeline()


def test_a_lake_that_comes_back_answers(case: Case, tmp_path: Path) -> None:
    (tmp_path / "aside").rename(case.lake.root)
    assert case.who_touched(ARN).coverage.complete
    assert case.who_touched(ARN).frame.height
    with pytest.raises(UsageError, match="no version 9"):
        case.timeline(version=9)


def test_a_lake_may_be_newer_than_the_journal_knows(case: Case, tmp_path: Path) -> None:
    """Another machine compacts, or an acquisition that is pending has committed already."""
    (tmp_path / "aside").rename(case.lake.root)
    Lake(case.lake.root).compact()
    assert case.lake.events.version() > case.journal.lake_version() == 2
    assert case.sql("SELECT count(*) AS n FROM events")["n"].item() == 60
    assert case.lake.info()["version"] == case.timeline().lake_version


def test_an_acquisition_may_end_while_a_question_begins(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the journal knows is asked for before the lake is looked at: a commit between the two does no harm."""
    (tmp_path / "aside").rename(case.lake.root)
    other, really = investigate.open(case.path), case.journal.lake_version

    def lake_version() -> int:
        known = really()
        if other.lake.events.version() == 2:
            other.import_files(log(tmp_path / "more.json.gz", 60, 70), "cloudtrail")
        return known

    monkeypatch.setattr(case.journal, "lake_version", lake_version)
    assert case.sql("SELECT count(*) AS n FROM events")["n"].item() == 70


def test_a_new_case_is_only_empty(tmp_path: Path) -> None:
    case = investigate.open(tmp_path / "case")
    assert case.journal.lake_version() == -1
    assert case.who_touched(ARN).frame.is_empty()
    assert case.scan().collect().is_empty()
