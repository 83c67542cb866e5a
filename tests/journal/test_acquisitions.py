"""Acquisitions: their states, and the processes that run them."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from investigate.errors import CaseError, EvidenceError, UsageError
from investigate.events import Window
from investigate.journal import (
    Counts,
    Journal,
)

from .made import COUNTS, DAY, FAILED, FILE, NOW, PYTHON, again, begin, cover, interval


def test_an_acquisition_goes_from_running_to_done(journal: Journal) -> None:
    begin(journal)
    assert journal.acquisition("a1").state == "running"
    recorded = journal.record("a1", [FILE], DAY, {"users": ["a"]}, (1, "a" * 64))
    assert recorded.files == ({"sha256": "a" * 64, "size": 7, "name": "audit.jsonl", "ext": ".jsonl"},)
    assert (recorded.state, recorded.filter, recorded.window, recorded.alive) == (
        "recorded",
        {"users": ["a"]},
        DAY,
        True,
    )
    assert journal.head() == (1, "a" * 64)
    covered = interval("00:00", "12:00")
    done = journal.finish("a1", COUNTS, [covered], lake_version=3, window=DAY, note="n", now=NOW)
    assert done == again(journal).acquisition("a1")
    assert (done.state, done.counts, done.lake_version, done.note) == ("done", COUNTS, 3, "n")
    assert (done.started_at, done.finished_at, done.spec, done.alive) == (NOW, NOW, {"path": "ü"}, False)
    assert journal.intervals() == [covered]
    assert journal.pending() == []


def test_saying_it_is_done_twice_changes_nothing_but_what_is_new(journal: Journal) -> None:
    cover(journal, interval("00:00", "01:00"))
    first = journal.acquisition("a1")
    assert journal.finish("a1", COUNTS, [interval("00:00", "01:00")], lake_version=1, window=None) == first
    assert journal.intervals() == [interval("00:00", "01:00")]


def test_a_failure_keeps_what_was_tried(journal: Journal) -> None:
    begin(journal)
    failed = journal.fail("a1", "timed out", [interval("00:00", "01:00", FAILED)], now=NOW)
    assert (failed.state, failed.note, failed.finished_at) == ("failed", "timed out", NOW)
    assert journal.gaps(Window.of("2026-11-01T00:00Z", "2026-11-01T01:00Z"))[0].state == "failed"
    begin(journal)
    assert journal.acquisition("a1").state == "running"
    assert journal.acquisition("a1").note == ""


def test_states_are_not_skipped_or_taken_back(journal: Journal) -> None:
    begin(journal)
    with pytest.raises(CaseError, match="is running, not recorded or done"):
        journal.finish("a1", COUNTS, [], lake_version=1, window=None)
    journal.record("a1", [], None, {}, journal.head())
    with pytest.raises(CaseError, match="is recorded, not running or failed"):
        begin(journal)
    journal.finish("a1", COUNTS, [], lake_version=1, window=None)
    for late in (
        lambda: journal.fail("a1", "late"),
        lambda: journal.record("a1", [], None, {}, journal.head()),
        lambda: begin(journal),
        lambda: journal.adopt("a1"),
    ):
        with pytest.raises(CaseError, match="is done"):
            late()
    with pytest.raises(UsageError, match="no acquisition"):
        journal.acquisition("x")


def test_a_head_that_would_go_back_records_nothing(journal: Journal) -> None:
    journal.set_head((5, "e" * 64))
    begin(journal)
    with pytest.raises(EvidenceError):
        journal.record("a1", [FILE], DAY, {}, (4, "d" * 64))
    assert journal.acquisition("a1").state == "running"
    assert journal.acquisition("a1").files == ()


def test_acquisitions_are_found_by_key_newest_first(journal: Journal) -> None:
    for hour, identity in enumerate(("a1", "a2", "a3")):
        begin(journal, identity, "ff" if identity != "a2" else "00", NOW + timedelta(hours=hour))
    journal.fail("a3", "x")
    assert [row.id for row in journal.acquisitions()] == ["a3", "a2", "a1"]
    assert [row.id for row in journal.pending()] == ["a1", "a2"]
    found = [journal.by_key("ff"), journal.by_key("ff", "running"), journal.by_key("ff", "done"), journal.by_key("x")]
    assert [row and row.id for row in found] == ["a3", "a1", None, None]


def test_counts_must_add_up() -> None:
    with pytest.raises(UsageError, match="do not add up"):
        Counts(records=2, received=2, stored=1, duplicate=0, rejected=0)
    with pytest.raises(UsageError, match="below zero"):
        Counts(records=0, received=0, stored=1, duplicate=-1, rejected=0)


RUNNER = """
import sys
from pathlib import Path
from investigate.journal import Journal
journal = Journal(Path(sys.argv[1]))
journal.begin(id="a1", key="ff", kind="import", source="x", spec={})
print("begun", flush=True)
sys.stdin.read()
"""


def test_what_a_living_process_runs_is_alive_and_what_a_killed_one_ran_is_not(journal: Journal) -> None:
    command = [sys.executable, "-c", RUNNER, str(journal._database.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=PYTHON) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        assert [row.alive for row in journal.pending()] == [True]
        with pytest.raises(CaseError, match="under way in another process"):
            begin(journal)
        with pytest.raises(CaseError, match="under way in another process"):
            journal.adopt("a1")
        process.kill()
    assert [row.alive for row in journal.pending()] == [False]
    assert journal.adopt("a1").alive
    assert [row.alive for row in again(journal).pending()] == [True]
    begin(journal)
    assert journal.fail("a1", "given up").alive is False


CROWD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from investigate.events import Window
from investigate.journal import Counts, CoverageState, Interval, Journal
name = sys.argv[2]
sys.stdin.readline()
journal = Journal(Path(sys.argv[1]))
for number in range(15):
    identity = f"{name}-{number}"
    journal.begin(id=identity, key="ff", kind="import", source="x", spec={})
    journal.record(identity, [], None, {}, journal.head())
    window = Window.of(f"2026-11-{number + 1:02}", f"2026-11-{number + 2:02}")
    covered = Interval("x", name, {}, window, CoverageState.complete, identity, "declared")
    journal.finish(identity, Counts(1, 1, 1, 0, 0), [covered], lake_version=0, window=window)
    journal.add_request(window, {}, operator=name, now=datetime.now(UTC))
"""


def test_four_processes_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    crowd = [
        subprocess.Popen([sys.executable, "-c", CROWD, str(path), name], stdin=subprocess.PIPE, env=PYTHON)
        for name in "abcd"
    ]
    for process in crowd:  # all start on a journal that none of them has made yet
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.close()
    assert [process.wait() for process in crowd] == [0, 0, 0, 0]
    journal = Journal(path)
    assert {row.state for row in journal.acquisitions()} == {"done"}
    assert len(journal.acquisitions()) == len(journal.intervals()) == len(journal.requests()) == 60
    assert journal.gaps(Window.of("2026-11-01", "2026-11-16")) == []
    assert list((tmp_path / ".leases").iterdir()) == []
