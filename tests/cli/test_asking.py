"""Questions from the command line: what is found, what is not, and what was never collected."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .conftest import python, run, started
from .test_output import some_object

if TYPE_CHECKING:
    from .conftest import Filled


def test_nothing_found_and_never_collected_differ(filled: Filled, tmp_path: Path) -> None:
    found = filled.run("who-touched", "nobody-knows-this")
    assert "Nothing found, and all of it was collected." in found.out
    partly = filled.run("who-touched", "nobody-knows-this", "--from", "2020-01-01", "--to", "2020-01-02")
    assert "not all" in partly.out
    assert "never collected" in partly.out
    never = run("who-touched", "nobody-knows-this", "--case", str(tmp_path / "new"))
    assert "Nothing was ever collected" in never.out
    assert "a new one was made" in never.err


def test_strict_makes_incomplete_an_exit_code(filled: Filled) -> None:
    early = ("--from", "2020-01-01", "--to", "2020-01-02")
    assert filled.run("coverage", *early).code == 0
    assert filled.run("coverage", *early, "--strict").code == 3
    assert filled.run("--strict", "who-touched", "x", *early).code == 3
    assert filled.run("--strict", "coverage").code == 0


def test_coverage_names_the_gap(filled: Filled) -> None:
    found = filled.run("coverage", "--from", "2020-01-01", "--to", "2020-01-02", "--format", "json").data
    assert [(gap["state"], gap["from"]) for gap in found["coverage"]["gaps"]] == [
        ("never collected", "2020-01-01T00:00:00Z")
    ] * 2
    assert {row["state"] for row in found["rows"]} == {"never collected"}


def test_resources_come_from_a_file_or_from_input(filled: Filled, tmp_path: Path) -> None:
    name = some_object(filled)
    listed = tmp_path / "objects.txt"
    listed.write_text(f"{name}\n\nanother\n")
    asked = [
        filled.run("who-touched", name, "--format", "json"),
        filled.run("who-touched", f"@{listed}", "--format", "json"),
        filled.run("who-touched", "-", "--format", "json", stdin=f"{name}\n"),
    ]
    assert asked[0].data == asked[1].data == asked[2].data
    assert filled.run("who-touched", f"@{tmp_path / 'none'}").code == 2


def test_activity_may_be_given_again(filled: Filled) -> None:
    name = some_object(filled)
    both = filled.run("who-touched", name, "--activity", "read", "--activity", "update", "--format", "json").data
    assert {word for row in both["rows"] for word in row["activities"]} <= {"read", "update"}
    wrong = filled.run("who-touched", name, "--activity", "look")
    assert (wrong.code, wrong.err.splitlines()[0]) == (2, "Error: 'look' is no activity.")


@pytest.mark.parametrize(
    "query",
    [
        "drop table events",
        "copy events to 'x.csv'",
        "select * from read_text('/etc/hostname')",
        "attach 'x'",
        "nonsense",
    ],
)
def test_sql_only_reads_the_lake(filled: Filled, query: str) -> None:
    assert filled.run("sql", query).code == 2


def test_sql_of_a_type_no_table_holds_is_a_sentence(filled: Filled) -> None:
    refused = filled.run("sql", "select interval 1 day as i")
    assert refused.code == 2
    assert "Cast it" in refused.err


def test_sql_is_read_from_input(filled: Filled) -> None:
    assert filled.run("sql", "-", "--format", "csv", stdin="select count(*) as n from events").out == "n\n10500\n"


def test_a_reader_that_leaves_is_no_failure_to_speak_of(filled: Filled) -> None:
    query = ["--case", str(filled.path), "sql", "select * from events", "--format", "csv"]
    with started(*query, cwd=filled.path) as ran:
        assert ran.stdout is not None
        assert ran.stderr is not None
        assert ran.stdout.readline().startswith("event_uid,")
        ran.stdout.close()
        assert ran.stderr.read() == ""
        ran.wait(30)
    assert ran.returncode == 141


def test_lake_info_says_how_it_lies(filled: Filled) -> None:
    found = filled.run("lake", "info", "--format", "json").data["rows"][0]
    assert (found["events"], found["rejects"], found["days"]) == (10_500, 0, 31)
    assert found["ratio"] == round(found["bytes"] / found["evidence_bytes"], 3)
    assert filled.run("lake", "info").line("events") == "events   10,500"


def test_a_query_that_is_interrupted_is_130(filled: Filled) -> None:
    endless = "select count(*) from range(1000000) a, range(1000000) b where hash(a.range) % 7 = hash(b.range) % 5"
    with started("--case", str(filled.path), "sql", endless, cwd=filled.path) as ran:
        _until_busy(ran.pid)
        ran.send_signal(signal.SIGINT)
        _, errors = ran.communicate(timeout=30)
    assert (ran.returncode, len(errors.splitlines())) == (130, 1)
    assert errors.startswith("Interrupted.")


def test_once_more_stops_at_once(tmp_path: Path) -> None:
    code = """
import os, signal, sys
from investigate.cli import main
from investigate.case import Case
def never_ends(self, *_):
    try:
        os.kill(os.getpid(), signal.SIGINT)
        signal.pause()
    finally:  # as what clears up may do for long
        os.kill(os.getpid(), signal.SIGINT)
        signal.pause()
Case.sql = never_ends
main(["sql", "select 1"])
"""
    done = python(code, cwd=tmp_path)
    assert (done.code, done.out) == (130, "")
    assert done.err.splitlines()[-1].startswith("Interrupted.")
    assert "Traceback" not in done.err


def _until_busy(process_id: int) -> None:
    """Until a process has taken more time than it needs to start, as Linux counts it in hundredths of a second."""
    while sum(map(int, Path(f"/proc/{process_id}/stat").read_text().split()[13:15])) < 250:
        pass
