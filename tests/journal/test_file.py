"""The journal as a file: private, one at a time, also where it cannot be written."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import investigate.journal
from investigate.errors import CaseError
from investigate.journal import (
    Interval,
    Journal,
)
from investigate.journal.database import MIGRATIONS, Database

from .made import COMPLETE, COUNTS, DAY, FILE, PYTHON, again, begin, interval


def test_what_the_package_exports_is_there() -> None:
    assert sorted(investigate.journal.__all__) == investigate.journal.__all__
    assert all(hasattr(investigate.journal, name) for name in investigate.journal.__all__)


def test_the_file_is_private_and_alone_once_nobody_has_it_open(journal: Journal, tmp_path: Path) -> None:
    journal.put("a", "1")
    assert [path.name for path in tmp_path.iterdir()] == ["journal.db"]
    assert stat.S_IMODE((tmp_path / "journal.db").stat().st_mode) == 0o600
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_a_newer_journal_is_refused(journal: Journal, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(CaseError, match="version 99") as caught:
        again(journal)
    assert "newer version" in caught.value.hint


def test_what_is_no_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(CaseError, match="damaged or no journal"):
        Journal(tmp_path / "journal.db")
    with pytest.raises(CaseError, match="There is no journal"):
        Journal(tmp_path / "nowhere" / "journal.db")


def test_a_journal_that_is_a_link_is_refused(journal: Journal, tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(journal._database.path)
    with pytest.raises(CaseError, match="is a link"):
        Journal(tmp_path / "link.db")


@pytest.mark.parametrize("name", ["a b", "100%", "q?x=1#y", "é"])
def test_any_folder_name_will_do(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    journal = Journal(tmp_path / name / "journal.db")
    journal.put("a", "1")
    journal._database.writable = False
    assert journal.get("a") == "1"


def test_a_broken_transaction_leaves_no_trace(journal: Journal) -> None:
    begin(journal)
    journal.record("a1", [FILE], None, {}, (1, "a" * 64))
    bad = Interval("devrev", "acme", {}, DAY, COMPLETE, "a1", "rumour")  # type: ignore[arg-type]
    with pytest.raises(CaseError, match="CHECK"):
        journal.finish("a1", COUNTS, [interval("00:00", "01:00"), bad], lake_version=1, window=DAY)
    assert journal.acquisition("a1").state == "recorded"
    assert journal.intervals() == []


def test_small_state_is_kept(journal: Journal) -> None:
    assert journal.get("a") is None
    journal.put("a", "1")
    journal.put("a", "2")
    assert again(journal).get("a") == "2"


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder that another user can reach, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o700)
    for path in folder.rglob("*"):
        path.chmod(0o700)
    shutil.rmtree(folder)


READER = """
import os, sys, urllib.parse
sys.path[:] = [path for path in sys.argv[2].split(os.pathsep)]
from pathlib import Path
import filelock  # like `urllib`: what is imported later may lie where only root may look
from investigate.errors import CaseError
from investigate.journal import Journal
if os.getuid() == 0:
    os.setuid(65534)
try:
    journal = Journal(Path(sys.argv[1]))
    print(journal.writable, journal.get("a"), journal.pending()[0].alive)
    journal.put("a", "2")
except CaseError as error:
    print(error.message, error.hint)
"""


def read_only(folder: Path, closed: Path | None = None) -> list[str]:
    """What a process without the rights to write to `folder`, or to enter `closed`, prints."""
    command = [
        sys.executable,
        "-c",
        READER,
        str(folder / "journal.db"),
        os.pathsep.join([PYTHON["PYTHONPATH"], *sys.path]),
    ]
    for path in (*folder.rglob("*"), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    if closed:
        closed.chmod(0o000)
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd="/").stdout.splitlines()


def test_a_read_only_medium_can_be_read_and_says_why_it_is_not_written(elsewhere: Path) -> None:
    journal = Journal(elsewhere / "journal.db")
    journal.put("a", "1")
    begin(journal)
    told, refused = read_only(elsewhere)
    assert told == "False 1 False"
    assert "cannot be written" in refused
    assert "cp -r" in refused


def test_a_folder_nobody_may_enter_is_one_sentence(elsewhere: Path) -> None:
    inner = elsewhere / "inner"
    inner.mkdir()
    Journal(inner / "journal.db").put("a", "1")
    (told,) = read_only(inner, elsewhere)
    assert "cannot be reached" in told


def test_changes_still_in_the_log_of_a_read_only_medium_are_not_passed_over(elsewhere: Path) -> None:
    journal = Journal(elsewhere / "journal.db")
    open_elsewhere = sqlite3.connect(elsewhere / "journal.db")
    open_elsewhere.execute("SELECT * FROM setting").fetchall()
    journal.put("a", "1")
    copy = elsewhere / "copy"
    copy.mkdir()
    for name in ("journal.db", "journal.db-wal"):
        shutil.copy(elsewhere / name, copy / name)
    open_elsewhere.close()
    (told,) = read_only(copy)
    assert "holds changes" in told


def test_a_read_only_journal_of_an_older_version_is_refused(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("investigate.journal.database.MIGRATIONS", (*MIGRATIONS, "CREATE TABLE more (a) STRICT"))
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(CaseError, match="cannot be brought to"):
        again(journal)


def test_a_new_version_is_reached_from_the_old_one(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    journal.put("a", "1")
    step = "CREATE TABLE more (a TEXT) STRICT; INSERT INTO more SELECT value FROM setting"
    monkeypatch.setattr("investigate.journal.database.MIGRATIONS", (*MIGRATIONS, step))
    assert again(journal).get("a") == "1"
    with again(journal)._database.read() as connection:
        assert [tuple(row) for row in connection.execute("SELECT * FROM more")] == [("1",)]


def full(*_given: object) -> None:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    raise error


def test_on_a_full_disk_it_is_read_and_says_why_it_is_not_written(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.put("a", "1")
    monkeypatch.setattr(Database, "_connect", full)
    assert again(journal).get("a") == "1"
    with pytest.raises(CaseError, match="No space is left"):
        again(journal).put("a", "2")


def test_on_a_full_disk_changes_still_in_the_log_are_not_passed_over(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    holds = journal._database.path
    with sqlite3.connect(holds) as other:
        other.execute("INSERT INTO setting VALUES ('a', '1')")
        other.commit()
        monkeypatch.setattr(Database, "_connect", full)
        with pytest.raises(CaseError, match="No space is left"):
            journal.get("a")
    other.close()
