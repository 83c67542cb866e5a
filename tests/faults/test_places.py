"""A case that can only be read, one that was moved, links among its evidence, and names with every odd character."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

import investigate
from investigate.cli import main
from investigate.errors import CaseError, InvestigateError
from tests.faults.kinds import log
from tests.faults.places import not_writable, read_only

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUCKET = "arn:aws:s3:::bucket/1"
READING = (
    ("sql", "SELECT count(*) FROM events"),
    ("who-touched", BUCKET),
    ("lake", "info"),
    ("evidence", "list"),
    ("evidence", "verify"),
    ("coverage",),
)
WRITING = (("import", "LOG", "--profile", "cloudtrail"), ("lake", "compact"), ("lake", "rebuild-touches"))
NAMES = (
    b"new\nline.json",
    b'quote\'s "and" `more`.json',
    b"..json",
    b"...json",
    b"not \xff\xfe utf-8.json",
    b"\xf0\x9f\x94\xa5 fire.json",
    "right\u202eto left\u202c.json".encode(),
    b"-rf.json",
    b"$(touch x);&|<>.json",
    b"back\\slash.json",
    b"x" * 250 + b".json",
    b" space .json",
    b"tab\tbell\a.json",
    b"=1+1.json",
    b"%41%00.json",
    b"{a,b}.json",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case of two pieces, to be copied."""
    folder = tmp_path_factory.mktemp("made")
    case = investigate.open(folder / "case")
    for number in range(2):
        case.import_files(log(folder / f"{number}.json.gz", 30 * number, 30 * number + 30), "cloudtrail")
    shutil.rmtree(folder / "case" / ".leases", ignore_errors=True)
    return folder / "case"


@pytest.fixture
def unwritable(made: Path, tmp_path: Path) -> Iterator[Path]:
    """The case where it can only be read: on a medium of that kind, or else of modes that say so."""
    with read_only(made, tmp_path / "medium") as mounted:
        if mounted:
            yield tmp_path / "medium"
            return
    if not os.geteuid():
        pytest.skip("root may write whatever the modes say, and may mount nothing here")
    case = shutil.copytree(made, tmp_path / "case")
    with not_writable(case):
        yield case


def test_a_case_that_can_only_be_read(unwritable: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in READING:
        assert main(["--case", str(unwritable), *command]) == 0, capsys.readouterr().err
    capsys.readouterr()
    more = log(tmp_path / "more.json.gz", 60, 70)
    for command in WRITING:
        given = [str(more) if one == "LOG" else one for one in command]
        assert main(["--case", str(unwritable), *given]) == 1
        cause, remedy = capsys.readouterr().err.splitlines()
        assert cause.startswith("Error: ")
        assert "fault of investigate" not in cause
        assert remedy
        assert "disk is full" not in remedy


def test_a_case_moved_while_it_was_closed(made: Path, tmp_path: Path) -> None:
    first = shutil.copytree(made, tmp_path / "before")
    before = investigate.open(first).who_touched(BUCKET).frame
    (tmp_path / "somewhere else").mkdir()
    moved = first.rename(tmp_path / "somewhere else" / "renamed = case #1")
    case = investigate.open(moved)
    assert case.who_touched(BUCKET).frame.equals(before)
    assert case.verify().ok
    case.import_files(log(tmp_path / "more.json.gz", 60, 70), "cloudtrail")
    assert case.lake.info()["events"] == 70
    assert not first.exists()


@pytest.mark.parametrize("place", ["sha256", "file", "ledger.jsonl", ".incoming"])
def test_a_link_among_the_evidence_is_neither_followed_nor_written_through(
    place: str, made: Path, tmp_path: Path
) -> None:
    case = investigate.open(shutil.copytree(made, tmp_path / "case"))
    evidence = tmp_path / "case" / "evidence"
    path = next(case.evidence.walk()) if place == "file" else evidence / place
    outside = tmp_path / "outside"
    if path.exists():
        path.rename(outside)
    else:
        outside.mkdir()
    path.symlink_to(outside)
    held = {one: one.read_bytes() for one in outside.rglob("*") if one.is_file()}
    assert place == ".incoming" or not case.verify().ok
    if place == "file":
        with pytest.raises(InvestigateError):
            case.evidence.open(path.name.partition(".")[0])
    else:
        with pytest.raises(InvestigateError):
            case.import_files(log(tmp_path / "more.json.gz", 60, 70), "cloudtrail")
    assert {one: one.read_bytes() for one in outside.rglob("*") if one.is_file()} == held


def test_files_whatever_they_are_called(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        made = log(tmp_path / "made.gz", number, number + 1)
        (folder / os.fsdecode(name)).write_bytes(made.read_bytes())
    case = investigate.open(tmp_path / "case")
    acquired = case.import_files(folder, "cloudtrail")
    hidden = sum(name.startswith(b".") for name in NAMES)
    assert acquired.counts.stored == len(NAMES) - hidden
    by_name = [case.import_files(folder / os.fsdecode(name), "cloudtrail").counts for name in NAMES[:3]]
    assert [counts.received for counts in by_name] == [1, 1, 1]
    assert case.verify().ok
    names = [file.name for entry in case.ledger.entries() for file in entry.files]
    assert all(name.isprintable() and "/" not in name for name in names)
    assert main(["--case", str(tmp_path / "case"), "evidence", "list"]) == 0
    assert "\u202e" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "name", ['quote\'s "and" `more`', "\N{FIRE} fire", "right\u202eto left", "$(touch x);&| a=b #1 é"]
)
def test_a_case_whatever_it_is_called(name: str, tmp_path: Path) -> None:
    case = investigate.open(tmp_path / name / "case")
    case.import_files(log(tmp_path / "log.json.gz", 0, 20), "cloudtrail")
    assert case.sql("SELECT count(*) AS n FROM events")["n"].item() == 20
    assert case.who_touched(BUCKET).frame.height > 0
    assert case.verify().ok


def test_a_case_that_cannot_be_called_so_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="pattern"):
        investigate.open(tmp_path / "100%")
    with pytest.raises(CaseError):
        investigate.open(tmp_path / ("x" * 256))
    with pytest.raises(InvestigateError):  # which Delta's library takes for no path
        investigate.open(tmp_path / "new\nline").import_files(log(tmp_path / "log.json.gz", 0, 2), "cloudtrail")


def test_a_log_that_nobody_lets_us_read_is_an_error_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = log(tmp_path / "log.json.gz", 0, 5)
    really = os.open

    def refusing(name: object, *arguments: object, **options: object) -> int:
        if name == path:
            raise PermissionError(13, "Permission denied", str(path))
        return really(name, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("investigate.sources.files.os.open", refusing)
    case = investigate.open(tmp_path / "case")
    with pytest.raises(InvestigateError, match="cannot be read: Permission denied"):
        case.import_files(path, "cloudtrail")
    assert not case.journal.acquisitions()
    assert not list((tmp_path / "case" / "evidence" / ".incoming").glob("*"))
