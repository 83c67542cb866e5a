"""A case: files in, questions out, on a real folder."""

from __future__ import annotations

import errno
import gzip
import json
import os
import stat
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

import investigate
from investigate.case.display import cell, html_table, text_table, visible
from investigate.errors import Cancelled, CaseError, ContainerError, LakeError, ProfileError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "<img src=x onerror=alert(1)>\x1b[31m\u202egnp.exe"


def record(number: int, **more: object) -> str:
    base = {"eventID": f"e{number}", "eventTime": f"2026-11-03T0{number % 10}:00:00Z", "eventName": "GetObject"}
    base |= {"userIdentity": {"arn": "arn:aws:iam::1:user/ann", "userName": HOSTILE}, "recipientAccountId": "1"}
    return json.dumps(base | {"resources": [{"ARN": f"arn:{number}"}]} | more)


def log(folder: Path, *lines: str, name: str = "log.jsonl") -> Path:
    path = folder / name
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def case(tmp_path: Path) -> investigate.Case:
    return investigate.open(tmp_path / "case")


@pytest.mark.parametrize(
    ("profile", "files", "records", "events"),
    [
        ("cloudtrail", "cloudtrail_stratus", 2900, 2900),
        ("google_workspace", "google_workspace/*.json", 325, 371),
    ],
)
def test_real_logs(case: investigate.Case, corpus: Path, profile: str, files: str, records: int, events: int) -> None:
    first = case.import_files(str(corpus / files), profile)
    again = case.import_files(str(corpus / files), profile)
    by_day = "SELECT date::VARCHAR AS day, count(*) AS n FROM events GROUP BY ALL ORDER BY ALL"
    scanned = case.scan().group_by("date").len().sort("date").collect()
    assert (first.counts.records, first.counts.received, first.counts.stored) == (records, events, events)
    assert (again.counts.stored, again.counts.duplicate) == (0, events)
    assert case.sql(by_day).rows() == [(str(day), count) for day, count in scanned.rows()]
    assert case.verify().ok


@pytest.mark.parametrize(("phase", "stored"), [("normalise", 0), ("sum up", 2)])
def test_what_is_in_the_lake_already_cannot_be_cancelled(
    case: investigate.Case, tmp_path: Path, phase: str, stored: int
) -> None:
    told = []

    def progress(at: str, done: int, total: int | None, unit: str) -> None:
        told.append((at, done, total, unit))
        if at == phase:
            raise Cancelled("by hand", "")

    with suppress(Cancelled):
        assert case.import_files(log(tmp_path, record(1), record(2)), "cloudtrail", progress=progress).counts.stored
    assert len(case.scan().collect()) == stored
    assert case.lake.summed_up(case.lake.events.version()) is bool(stored)
    assert [one for one in told if one[0] == "sum up"] == [("sum up", n, 2, "events") for n in (0, 2) if stored]


def test_received_is_stored_and_duplicate_and_rejected(case: investigate.Case, tmp_path: Path) -> None:
    path = log(tmp_path, record(1), record(1), record(2), "not json", '{"eventID": "x"}', '"text"', "", record(3))
    counts = case.import_files(path, "cloudtrail").counts
    assert (counts.received, counts.stored, counts.duplicate, counts.rejected) == (7, 3, 1, 3)
    reasons = case.sql("SELECT reason, evidence_record AS at FROM rejects ORDER BY 2")
    assert reasons["at"].to_list() == [3, 4, 5]
    words = [reason.partition(":")[0] for reason in reasons["reason"]]
    assert words == ["not JSON", "no time", "no JSON object but a string"]


def test_nothing_found_and_never_collected_look_different(case: investigate.Case, tmp_path: Path) -> None:
    before = case.who_touched("arn:none", start="2026-11-03", end="2026-11-04")
    case.import_files(log(tmp_path, record(1)), "cloudtrail", covers=("2026-11-03", "2026-11-04"))
    inside = case.who_touched("arn:none", start="2026-11-03", end="2026-11-04")
    outside = case.who_touched("arn:none", start="2026-11-03", end="2026-11-05")
    assert before.frame.height == inside.frame.height == 0
    assert (before.coverage.complete, inside.coverage.complete, outside.coverage.complete) == (False, True, False)
    assert before.coverage.lines() == ["coverage  nothing was ever collected (2026-11-03 .. 2026-11-04)"]
    assert inside.coverage.lines() == ["coverage  cloudtrail/1  2026-11-03 .. 2026-11-04  complete"]
    (line,) = outside.coverage.lines()
    assert line.endswith("2026-11-05  complete except 2026-11-04 .. 2026-11-05 (never collected)")


def test_files_cover_only_what_lies_between_their_first_and_last_event(case: investigate.Case, tmp_path: Path) -> None:
    case.import_files(log(tmp_path, record(2), record(4)), "cloudtrail")
    rows = case.coverage("2026-11-03", "2026-11-04").select("state", "basis").rows()
    assert rows == [("never collected", None), ("complete", "observed"), ("never collected", None)]


def test_files_that_are_no_logs_are_kept_rejected_and_said(case: investigate.Case, tmp_path: Path) -> None:
    path = log(tmp_path, "<!DOCTYPE html><html>Sign in</html>", name="export.json")
    with pytest.raises(ContainerError, match="HTML"):
        case.import_files(path, "devrev")
    assert case.sql("SELECT count(*) AS n FROM rejects")["n"][0] == 1
    assert len(list(case.evidence)) == 1
    assert case.verify().ok


def test_one_bad_file_among_good_ones_is_counted_and_said(case: investigate.Case, tmp_path: Path) -> None:
    log(tmp_path, record(1), name="good.json")
    log(tmp_path, "", name="empty.json")
    acquired = case.import_files(str(tmp_path / "*.json"), "cloudtrail")
    assert (acquired.counts.stored, acquired.counts.rejected) == (1, 1)
    assert "empty" in acquired.warnings[0]


@pytest.mark.parametrize("covers", [("2026-11-03", "2026-11-04"), None])
def test_a_log_that_breaks_off_covers_nothing_for_sure(
    case: investigate.Case, tmp_path: Path, covers: tuple[str, str] | None
) -> None:
    path = tmp_path / "log.jsonl.gz"
    packed = gzip.compress("\n".join(record(number, eventID=f"e{number}") for number in range(3000)).encode())
    path.write_bytes(packed[: len(packed) // 2])
    acquired = case.import_files(path, "cloudtrail", covers=covers)
    assert acquired.counts.stored > 0
    assert "breaks off" in acquired.warnings[0]
    assert [gap.state for gap in acquired.coverage.gaps] == ["failed"]


def test_a_folder_that_holds_the_case_is_imported_without_what_the_case_made(
    case: investigate.Case, tmp_path: Path
) -> None:
    (tmp_path / "case" / "mine").mkdir(parents=True)
    for folder, number in ((tmp_path, 1), (tmp_path / "case" / "mine", 2)):
        log(folder, record(number))
    counts = [case.import_files(tmp_path, "cloudtrail").counts for _ in range(2)]
    assert [(one.stored, one.duplicate, one.rejected) for one in counts] == [(2, 0, 0), (0, 2, 0)]


def test_no_log_covers_what_is_still_to_come(case: investigate.Case, tmp_path: Path) -> None:
    path = log(tmp_path, record(1))
    with pytest.raises(UsageError, match="still to come"):
        case.import_files(path, "cloudtrail", covers=("2999-01-01", "2999-01-02"))
    acquired = case.import_files(path, "cloudtrail", covers=("2026-11-03", "2999-01-01"))
    assert acquired.window is not None
    assert timedelta() <= datetime.now(UTC) - acquired.window.end < timedelta(minutes=1)
    assert "What was to come" in acquired.warnings[0]
    assert case.coverage("2026-11-03", "2998-01-01")["state"].to_list() == ["complete", "never collected"]


def test_a_log_of_another_time_than_it_was_said_to_cover_is_told(case: investigate.Case, tmp_path: Path) -> None:
    acquired = case.import_files(log(tmp_path, record(1)), "cloudtrail", covers=("2026-11-01", "2026-11-02"))
    assert "It holds entries of 2026-11-03 01:00" in acquired.warnings[0]


def test_a_log_of_which_nothing_could_be_read_covers_nothing(case: investigate.Case, tmp_path: Path) -> None:
    path = log(tmp_path, record(1, eventTime=None), record(2, eventTime=None))
    case.import_files(path, "cloudtrail", covers=("2026-11-01", "2026-11-02"))
    assert case.coverage("2026-11-01", "2026-11-02")["state"].to_list() == ["failed"]


def test_what_the_lake_refused_is_brought_to_its_end_by_the_next_try(
    case: investigate.Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = log(tmp_path, record(1))

    def full(*_given: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("investigate.lake.staging.Staging.add", full)
        with pytest.raises(LakeError, match="No space left"):
            case.import_files(path, "cloudtrail")
    done = case.import_files(path, "cloudtrail")
    assert (done.resumed, done.counts.stored, len(list(case.ledger.entries()))) == (True, 1, 1)


def test_a_profile_can_be_laid_over_in_the_case(case: investigate.Case, tmp_path: Path) -> None:
    toml = case.layout.toml
    toml.write_text(toml.read_text() + '\n[profiles.cloudtrail]\nactor = ["eventName"]\n')
    changed = investigate.open(case.path)
    changed.import_files(log(tmp_path, record(1)), "cloudtrail")
    assert changed.sql("SELECT actor FROM events")["actor"].to_list() == ["GetObject"]


def test_an_unknown_profile_names_the_known_ones(case: investigate.Case, tmp_path: Path) -> None:
    with pytest.raises(ProfileError) as raised:
        case.import_files(log(tmp_path, record(1)), "nothing")
    assert "cloudtrail" in raised.value.hint


@pytest.mark.parametrize(
    "question",
    [
        {"resources": ()},
        {"resources": ("x",), "engine": "abacus"},
        {"resources": ("x",), "activity": "stare"},
    ],
)
def test_questions_that_cannot_be_meant(case: investigate.Case, question: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        case.who_touched(*question.pop("resources"), **question)  # type: ignore[arg-type, misc]


def test_folders_and_files_are_private(case: investigate.Case, tmp_path: Path) -> None:
    case.import_files(log(tmp_path, record(1)), "cloudtrail")
    modes: dict[str, set[int]] = {"folder": set(), "file": set(), "evidence": set()}
    for path in [case.layout.root, *case.layout.root.rglob("*")]:
        kind = "folder" if path.is_dir() else "evidence" if "sha256" in path.parts else "file"
        modes[kind].add(stat.S_IMODE(path.stat().st_mode))
    assert modes["folder"] == {0o700}
    assert modes["evidence"] <= {0o400, 0o444}
    assert modes["file"] == {0o600}


def test_a_folder_that_is_something_else_is_not_taken_over(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(CaseError, match="not empty"):
        investigate.open(tmp_path)


def test_a_folder_whose_name_is_a_pattern_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="pattern"):
        investigate.open(tmp_path / "what?")


def test_the_folder_is_named_by_argument_then_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert investigate.open().path == os.path.join("data", "case")  # noqa: PTH118 - as it is written
    monkeypatch.setenv("INVESTIGATE_CASE", str(tmp_path / "other"))
    assert investigate.open().path == str(tmp_path / "other")


def test_the_same_file_imported_by_several_processes_at_once_is_stored_once(tmp_path: Path) -> None:
    path = log(tmp_path, *(record(number, eventID=f"many{number}") for number in range(2000)))
    investigate.open(tmp_path / "case")
    code = "import investigate, sys; investigate.open(sys.argv[1]).import_files(sys.argv[2], 'cloudtrail')"
    command = [sys.executable, "-c", code, str(tmp_path / "case"), str(path)]
    started = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait(timeout=120) for process in started] == [0, 0, 0]
    case = investigate.open(tmp_path / "case")
    assert case.sql("SELECT count(*) AS n FROM events")["n"][0] == 2000
    assert sorted(row.counts.stored for row in case.journal.acquisitions() if row.counts) == [0, 0, 2000]
    assert case.verify().ok


def test_what_a_log_says_takes_no_effect_when_it_is_shown(case: investigate.Case, tmp_path: Path) -> None:
    case.import_files(log(tmp_path, record(1)), "cloudtrail")
    answer = case.who_touched("arn:1", start="2026-11-03", end="2026-11-04")
    shown, page = repr(answer), answer._repr_html_()
    assert "\x1b" not in shown + page
    assert "\u202e" not in shown + page
    assert "<img" not in page
    assert answer.frame["actor_name"][0] == HOSTILE
    assert "never collected" in shown


def test_hidden_characters_are_written_out() -> None:
    assert visible("a\x1b[0m\u202eb\x00\n") == "a\\x1b[0m\\u202eb\\x00\\x0a"
    assert visible("x" * 10, 5) == "xxxxx… (10 characters)"
    assert cell(["a"] * 6) == "a, a, a, a, and 2 more"


def test_a_long_frame_says_that_it_is_cut(case: investigate.Case) -> None:
    frame = case.sql("SELECT range AS n FROM range(60)")
    assert "50 of 60 rows" in text_table(frame, [])
    assert "50 of 60 rows" in html_table(frame, [])
