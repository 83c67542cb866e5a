"""`lake compact` from the command line: before and after, and what a vacuum takes with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from investigate.cli import main
from investigate.lake.lake import Lake

from .made import commit, events, uids

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def case(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Path:
    """A case whose lake has three files on one day."""
    folder = tmp_path / "case"
    assert main(["--case", str(folder), "lake", "info"]) == 0
    capfd.readouterr()
    for name in "xyz":
        commit(Lake(folder / "lake"), f"a-{name}", events(name))
    return folder


def rows(case: Path, capfd: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(["--case", str(case), "lake", *arguments, "--format", "json"]) == 0
    return json.loads(capfd.readouterr().out)["rows"]


def test_compact_says_before_and_after(case: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (found,) = rows(case, capfd, "compact")
    assert (found["files_before"], found["files_after"], found["removed_files"]) == (3, 1, 0)
    assert found["bytes_after"] < found["bytes_before"]
    assert uids(Lake(case / "lake")) == ["x", "y", "z"]


def test_a_vacuum_goes_with_it_where_it_is_asked_for(case: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (found,) = rows(case, capfd, "compact", "--vacuum", "--keep", "0d")
    (kept,) = rows(case, capfd, "info")
    assert (found["removed_files"], kept["files"], kept["events"]) == (3, 1, 3)
    assert main(["--case", str(case), "lake", "info"]) == 0
    (told,) = [line.split(maxsplit=1)[1] for line in capfd.readouterr().out.splitlines() if line.startswith("version")]
    assert told == f"{kept['version']} ({kept['versions']} in the log)"  # of which most can no longer be read
    assert len(list((case / "lake" / "events").glob("date=*/*.parquet"))) == 1


def test_a_person_reads_files_and_sizes(case: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--case", str(case), "lake", "compact", "--vacuum"]) == 0
    told = [line.split() for line in capfd.readouterr().out.splitlines()]
    assert [line[:3] for line in told[:3]] == [
        ["before", "3", "files,"],
        ["after", "1", "file,"],
        ["removed", "0", "files,"],
    ]


@pytest.mark.parametrize(
    "arguments", [("--keep", "7d"), ("--vacuum", "--keep", "a while"), ("--vacuum", "--keep", "90d")]
)
def test_a_span_that_means_nothing_is_refused(
    case: Path, capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert main(["--case", str(case), "lake", "compact", *arguments]) == 2
    assert capfd.readouterr().out == ""
