"""A file of the lake that is missing or cut short is an error that names it, and says what to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import investigate
from investigate.cli import main
from investigate.errors import LakeError
from tests.faults.kinds import log

from .made import commit, events, rejects, uids

if TYPE_CHECKING:
    from collections.abc import Callable

    from investigate.lake.lake import Lake
    from investigate.lake.table import Table

TABLES: dict[str, Callable[[Lake], Table]] = {
    "events": lambda lake: lake.events,
    "rejects": lambda lake: lake.rejects,
    "touches": lambda lake: lake.orders["touches"].table,
}
REMEDY = {
    "events": "Restore it from a copy of the case. Its evidence is still there",
    "rejects": "Restore it from a copy of the case.",
    "touches": "investigate lake rebuild-touches",
}


def harmed(table: Table, how: str) -> Path:
    """The first file of a table, which is gone or cut short from now on."""
    path = Path(table.snapshot().files[0])
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:100])
    return path


@pytest.fixture(params=["missing", "damaged"])
def how(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("name", TABLES)
def test_a_look_at_the_lake_names_the_file(folder_lake: Lake, name: str, how: str) -> None:
    commit(folder_lake, "a1", events("x"), rejected=rejects(1))
    path = harmed(TABLES[name](folder_lake), how)
    with pytest.raises(LakeError, match=f"is {how}: {re.escape(str(path))}") as caught:
        folder_lake.info()
    assert REMEDY[name] in caught.value.hint


def test_a_compaction_says_that_it_failed_and_changes_nothing(folder_lake: Lake, how: str) -> None:
    for name in "xyz":
        commit(folder_lake, f"a-{name}", events(name))
    version = folder_lake.events.version()
    path = harmed(folder_lake.events, how)
    with pytest.raises(LakeError, match="could not be compacted") as caught:
        folder_lake.compact()
    assert "investigate lake info" in caught.value.hint
    assert folder_lake.events.version() == version
    assert str(path) in folder_lake.events.snapshot().files


def test_a_commit_does_not_fail_for_a_file_that_cannot_be_merged(
    folder_lake: Lake, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    for name in "xy":
        commit(folder_lake, f"a-{name}", events(name))
    harmed(folder_lake.events, how)
    monkeypatch.setattr("investigate.lake.compaction._MANY", 2)
    assert commit(folder_lake, "a-z", events("z", days=1)).stored == 1
    assert len(folder_lake.events.snapshot().files) == 3


@pytest.fixture
def case(tmp_path: Path) -> investigate.Case:
    made = investigate.open(tmp_path / "case")
    made.import_files(log(tmp_path / "log.json.gz", 0, 30), "cloudtrail")
    return made


@pytest.mark.parametrize(
    "ask",
    [
        lambda case: case.pivot("10.0.0.1"),
        lambda case: case.who_touched("arn:aws:s3:::bucket/1"),
        lambda case: case.sql("SELECT count(*) FROM touches"),
    ],
    ids=["pivot", "who_touched", "sql"],
)
def test_a_look_up_in_touches_says_how_to_mend_them(
    case: investigate.Case, ask: Callable[[investigate.Case], object], how: str
) -> None:
    harmed(TABLES["touches"](case.lake), how)
    with pytest.raises(LakeError, match="could not be read") as caught:
        ask(case)
    assert "investigate lake rebuild-touches" in caught.value.hint


def test_the_commands_say_it_and_the_remedy_mends(
    case: investigate.Case, capfd: pytest.CaptureFixture[str], how: str
) -> None:
    path = harmed(TABLES["touches"](case.lake), how)
    assert main(["--case", case.path, "lake", "info"]) == 1
    said = capfd.readouterr().err
    assert (str(path) in said, "lake rebuild-touches" in said, "fault of investigate" in said) == (True, True, False)
    assert main(["--case", case.path, "lake", "rebuild-touches"]) == 0
    assert main(["--case", case.path, "lake", "info"]) == 0
    assert case.who_touched("arn:aws:s3:::bucket/1").frame.height


def test_events_are_what_they_were_where_the_file_comes_back(folder_lake: Lake, tmp_path: Path) -> None:
    commit(folder_lake, "a1", events("x"))
    path = Path(folder_lake.events.snapshot().files[0])
    path.rename(tmp_path / "aside")
    with pytest.raises(LakeError):
        folder_lake.info()
    (tmp_path / "aside").rename(path)
    assert (folder_lake.info()["events"], uids(folder_lake)) == (1, ["x"])
