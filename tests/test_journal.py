"""The journal: states that only move forward, coverage and its gaps, many processes, read-only media."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import investigate.journal
from investigate.errors import CaseError, EvidenceError, UsageError
from investigate.events import Window
from investigate.evidence import EvidenceFile, Head
from investigate.journal import (
    Counts,
    CoverageState,
    Filter,
    Gap,
    Interval,
    Journal,
    RequestState,
    coverage,
)
from investigate.journal.database import MIGRATIONS
from investigate.journal.models import NEXT_STATES

NOW = datetime(2026, 11, 3, 14, 0, 0, 123457, tzinfo=UTC)
DAY = Window.of("2026-11-01", "2026-11-02")
FILE = EvidenceFile("a" * 64, 7, "audit.jsonl", ".jsonl")
COUNTS = Counts(records=5, received=5, stored=3, duplicate=1, rejected=1)
COMPLETE, PROVISIONAL, FAILED = CoverageState.complete, CoverageState.provisional, CoverageState.failed
PYTHON = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.db")


def again(journal: Journal) -> Journal:
    """The same journal as another process would open it."""
    return Journal(journal._database.path)


def begin(journal: Journal, identity: str = "a1", key: str = "ff", now: datetime = NOW) -> None:
    journal.begin(id=identity, key=key, kind="devrev", source="devrev", spec={"path": "ü"}, now=now)


def interval(
    start: str,
    end: str,
    state: CoverageState = COMPLETE,
    chosen: Filter | None = None,
    source: tuple[str, str] = ("devrev", "acme"),
) -> Interval:
    window = Window.of(f"2026-11-01T{start}:00Z", f"2026-11-01T{end}:00Z")
    return Interval(*source, chosen or {}, window, state, "a1", "vendor")


def cover(journal: Journal, *intervals: Interval, identity: str = "a1") -> None:
    begin(journal, identity)
    journal.record(identity, [FILE], None, {}, journal.head())
    journal.finish(identity, COUNTS, intervals, lake_version=1, window=None)


def test_what_the_package_exports_is_there() -> None:
    assert sorted(investigate.journal.__all__) == investigate.journal.__all__
    assert all(hasattr(investigate.journal, name) for name in investigate.journal.__all__)


# The file


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


# Read-only media


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
import os, sys
sys.path[:] = [path for path in sys.argv[2].split(os.pathsep)]
from pathlib import Path
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


# The ledger's head


def test_the_head_moves_on_and_never_back(journal: Journal) -> None:
    assert journal.head() == Head(0, "0" * 64)
    journal.set_head(Head(2, "b" * 64))
    journal.set_head(Head(2, "b" * 64))
    assert again(journal).head() == Head(2, "b" * 64)
    for back in ((1, "a" * 64), (2, "c" * 64), (0, "0" * 64)):
        with pytest.raises(EvidenceError, match="journal knows 2 lines"):
            journal.set_head(back)
    assert journal.head() == (2, "b" * 64)


# Export requests


def test_a_request_is_remembered_as_it_was_made(journal: Journal) -> None:
    made = journal.add_request(DAY, {"users": ["b", "a", "b"], "categories": []}, operator="ada", now=NOW)
    assert again(journal).request(made.id) == made
    assert (made.state, made.requested_at, made.window) == (RequestState.requested, NOW, DAY)
    assert (made.filter, made.operator, made.source) == ({"users": ["a", "b"]}, "ada", "devrev")


def test_requests_come_newest_first(journal: Journal) -> None:
    made = [journal.add_request(DAY, {}, operator="a", now=NOW + timedelta(hours=hour)) for hour in (0, 2, 1, 1)]
    assert journal.requests() == [made[1], made[3], made[2], made[0]]


def test_a_request_changes_and_keeps_no_query(journal: Journal) -> None:
    made = journal.add_request(DAY, {}, operator="a", now=NOW)
    expires = NOW + timedelta(hours=8)
    journal.update_request(
        made.id, state=RequestState.linked, link_name="h/k?X-Amz-Signature=s", link_expires_at=expires
    )
    journal.update_request(made.id, state=RequestState.downloading)
    changed = journal.update_request(
        made.id, state=RequestState.collected, collected_at=NOW, acquisition="a1", note="n"
    )
    assert changed == again(journal).request(made.id)
    assert (changed.link_name, changed.link_expires_at, changed.collected_at) == ("h/k", expires, NOW)
    assert (changed.acquisition, changed.note) == ("a1", "n")
    assert journal.update_request(made.id, link_expires_at=None).link_expires_at is None


@given(st.lists(st.sampled_from(RequestState), max_size=8))
@settings(max_examples=12)
def test_a_request_only_takes_states_that_may_follow(steps: list[RequestState]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.db")
        made = journal.add_request(DAY, {}, operator="a", now=NOW)
        state = made.state
        for step in steps:
            if step in NEXT_STATES[state]:
                state = journal.update_request(made.id, state=step).state
                assert state == step
            else:
                with pytest.raises(UsageError, match="cannot become"):
                    journal.update_request(made.id, state=step)
        assert journal.request(made.id).state == state


def test_what_was_collected_stays_so() -> None:
    assert NEXT_STATES[RequestState.collected] == {RequestState.collected}
    assert all(state in following for state, following in NEXT_STATES.items())


def test_unknown_requests_and_fields_are_refused(journal: Journal) -> None:
    with pytest.raises(UsageError, match="no export request"):
        journal.request("x")
    made = journal.add_request(DAY, {}, operator="a", now=NOW)
    with pytest.raises(UsageError, match="'operator' cannot be changed"):
        journal.update_request(made.id, operator="eve")  # type: ignore[call-arg]


# Acquisitions


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


# Coverage


def window(start: str, end: str) -> Window:
    return Window.of(f"2026-11-01T{start}:00Z", f"2026-11-01T{end}:00Z")


def gap(start: str, end: str, state: Any = "never collected", note: str = "") -> Gap:
    return Gap("devrev", "acme", window(start, end), state, note)


def test_no_source_at_all_is_one_gap_without_one(journal: Journal) -> None:
    assert journal.gaps(DAY) == [Gap(None, None, DAY, "never collected")]
    assert journal.gaps(Window(DAY.start, DAY.start)) == []
    assert journal.span() is None


def test_gaps_say_what_is_wrong_with_each_part(journal: Journal) -> None:
    cover(
        journal,
        interval("01:00", "03:00"),
        interval("02:00", "04:00", PROVISIONAL),
        interval("03:30", "05:00", FAILED),
        interval("06:00", "06:00"),
        interval("05:30", "06:30", chosen={"operation_types": ["read"]}),
    )
    assert journal.gaps(window("00:00", "08:00")) == [
        gap("00:00", "01:00"),
        gap("03:00", "04:00", "provisional"),
        gap("04:00", "05:00", "failed"),
        gap("05:00", "05:30"),
        gap("05:30", "06:30", note="only operation_types=read was collected"),
        gap("06:30", "08:00"),
    ]
    assert journal.span() == window("01:00", "06:30")
    assert journal.gaps(window("01:30", "02:30")) == []


@pytest.mark.parametrize(
    ("acquired", "question", "answered"),
    [
        ({}, {}, True),
        ({}, {"operation_types": ["read"]}, True),
        ({"operation_types": ["read", "list"]}, {"operation_types": ["read"]}, True),
        ({"operation_types": ["read"]}, {"operation_types": ["read", "list"]}, False),
        ({"operation_types": ["read"]}, {}, False),
        ({"operation_types": ["read"]}, {"operation_types": []}, False),
        ({"operation_types": ["read"]}, {"users": ["a"]}, False),
        ({"operation_types": ["read"]}, {"operation_types": ["read"], "users": ["a"]}, True),
        ({"operation_types": ["read"], "users": ["a"]}, {"operation_types": ["read"]}, False),
        ({"operation_types": []}, {}, True),
    ],
)
def test_a_filtered_acquisition_answers_only_narrower_questions(
    journal: Journal, acquired: Filter, question: Filter, answered: bool
) -> None:
    cover(journal, interval("00:00", "01:00", chosen=acquired))
    assert (journal.gaps(window("00:00", "01:00"), question_filter=question) == []) is answered


def test_sources_can_be_named_and_each_has_its_own_gaps(journal: Journal) -> None:
    cover(journal, interval("00:00", "01:00"), interval("01:00", "02:00", source=("coderabbit", "default")))
    asked = window("00:00", "02:00")
    assert [(g.source, g.window) for g in journal.gaps(asked)] == [
        ("coderabbit", window("00:00", "01:00")),
        ("devrev", window("01:00", "02:00")),
    ]
    assert journal.gaps(asked, sources=[("devrev", "other")]) == [Gap("devrev", "other", asked, "never collected")]
    assert journal.gaps(asked, sources=[]) == [Gap(None, None, asked, "never collected")]
    assert len(journal.intervals(sources=[("devrev", "acme")])) == 1
    assert [i.source for i in journal.intervals(window("00:30", "01:00"))] == ["devrev"]


def test_a_source_that_only_failed_long_ago_is_known(journal: Journal) -> None:
    begin(journal)
    journal.fail("a1", "x", [interval("00:00", "01:00", FAILED)])
    assert journal.gaps(window("05:00", "06:00")) == [gap("05:00", "06:00")]


MINUTES = 30
SPANS = st.tuples(st.integers(-5, MINUTES + 5), st.integers(0, 15))
FILTERS = st.sampled_from(
    [{}, {"op": ["read"]}, {"op": ["read", "list"]}, {"op": ["list"]}, {"user": ["a"]}, {"op": ["read"], "user": ["a"]}]
)
SOURCES = [("x", "1"), ("x", "2"), ("y", "1")]


def minutes(start: int, end: int) -> Window:
    base = datetime(2026, 11, 1, tzinfo=UTC)
    return Window(base + timedelta(minutes=start), base + timedelta(minutes=end))


INTERVALS = st.lists(
    st.builds(
        lambda source, chosen, span, state: Interval(
            *source, chosen, minutes(span[0], sum(span)), state, "a", "declared"
        ),
        st.sampled_from(SOURCES),
        FILTERS,
        SPANS,
        st.sampled_from(CoverageState),
    ),
    max_size=12,
)


def expected(intervals: list[Interval], source: tuple[str, str], minute: int, question: Filter) -> tuple[str, str]:
    """What is wrong with one minute, by looking at every interval: the model."""
    here = [
        i
        for i in intervals
        if (i.source, i.tenant) == source
        and i.window.start <= minutes(minute, minute).start
        and minutes(minute, minute + 1).end <= i.window.end
    ]
    own = [i for i in here if all(k in question and set(question[k]) <= set(v) for k, v in i.filter.items())]
    for state, verdict in ((COMPLETE, ""), (PROVISIONAL, "provisional"), (FAILED, "failed")):
        if any(i.state == state for i in own):
            return verdict, ""
    others = sorted({coverage.describe(i.filter) for i in here if i not in own and i.state != FAILED})
    return "never collected", f"only {' and '.join(others)} was collected" if others else ""


@settings(max_examples=100)
@given(intervals=INTERVALS, question=FILTERS)
def test_gaps_are_what_a_look_at_every_minute_says(intervals: list[Interval], question: Filter) -> None:
    found = coverage.gaps(minutes(0, MINUTES), intervals, SOURCES, question)
    model = {
        (*source, minute): verdict
        for source in SOURCES
        for minute in range(MINUTES)
        if (verdict := expected(intervals, source, minute, question))[0]
    }
    base = minutes(0, 0).start
    by_minute = {
        (g.source, g.tenant, minute): (g.state, g.note)
        for g in found
        for minute in range(
            (g.window.start - base) // timedelta(minutes=1), (g.window.end - base) // timedelta(minutes=1)
        )
    }
    assert by_minute == model
    assert sum(((g.window.end - g.window.start) for g in found), timedelta(0)) == timedelta(minutes=len(model))
    for one, two in pairwise(found):
        assert (one.source, one.tenant, one.window) < (two.source, two.tenant, two.window)
        touching = (one.source, one.tenant, one.window.end) == (two.source, two.tenant, two.window.start)
        assert not touching or (one.state, one.note) != (two.state, two.note)


@settings(max_examples=12)
@given(INTERVALS)
def test_intervals_come_back_as_they_were_kept(intervals: list[Interval]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.db")
        begin(journal, "a")
        journal.record("a", [], None, {}, journal.head())
        journal.finish("a", COUNTS, intervals, lake_version=None, window=None)
        kept = journal.intervals()
        same = [replace(i, filter={k: sorted(v) for k, v in sorted(i.filter.items())}) for i in intervals]
        assert sorted(map(repr, kept)) == sorted(map(repr, same))
        spans = [i.window for i in intervals if i.window.start < i.window.end]
        assert journal.span() == (Window(min(spans).start, max(w.end for w in spans)) if spans else None)
