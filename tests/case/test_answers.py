"""What an answer may be taken for: of no time, of part of a person, of what was never collected."""

from __future__ import annotations

import json
from datetime import timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest

import investigate
from investigate.case.reading import Reading
from investigate.cli import main
from investigate.errors import UsageError
from investigate.events import Window
from investigate.journal import Counts, CoverageState, Interval
from investigate.trace import Directory, people

if TYPE_CHECKING:
    from pathlib import Path

    from investigate.case import Case

DAY = {"start": "2026-11-03", "end": "2026-11-04"}
EVENTS = (
    ("u1", "ann@x.example", "ticket/1"),
    ("u2", None, "ticket/2"),
    ("u3", "JÖRG@x.example", "ticket/1"),
    ("u4", "\u212aate@x.example", "ticket/1"),  # the Kelvin sign, which looks like a K
    ("u5", "Kate@x.example", "ticket/1"),
)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Five actors, of which nobody is known to be another; nobody writes to it."""
    return case_of(tmp_path_factory.mktemp("answers"))


def acquired(case: Case, source: str, start: str, end: str) -> None:
    """Have a case know of an acquisition that holds no event."""
    case.journal.begin(id=source, key=source, kind="import", source=source, spec={})
    case.journal.record(source, [], None, {}, case.journal.head())
    interval = Interval(source, "default", {}, Window.of(start, end), CoverageState.complete, source, "declared")
    case.journal.finish(source, Counts(0, 0, 0, 0, 0), [interval], lake_version=None, window=None)


def case_of(folder: Path) -> Case:
    case = investigate.open(folder / "case")
    lines = []
    for number, (who, mail, what) in enumerate(EVENTS):
        entry = {"id": f"e{number}", "timestamp": f"2026-11-03T10:0{number}:00Z", "object_id": what, "dev_org": "o1"}
        more = {"action": "get", "operation_type": "read", "actor": {"id": who, "email": mail, "type": "user"}}
        lines.append(json.dumps(entry | more))
    (folder / "log.jsonl").write_text("\n".join(lines))
    case.import_files(folder / "log.jsonl", "devrev", covers=("2026-11-03", "2026-11-04"))
    return case


QUESTIONS: dict[str, Any] = {
    "who_touched": lambda case, **when: case.who_touched("ticket/1", **when),
    "activity": lambda case, **when: case.activity("u1", **when),
    "timeline": lambda case, **when: case.timeline(**when),
    "pivot": lambda case, **when: case.pivot("u1", **when),
    "search": lambda case, **when: case.search("u1", **when),
    "blast_radius": lambda case, **when: case.blast_radius("u1", **when),
    "identities": lambda case, **when: case.identities(**when),
    "compare": lambda case, **when: case.compare(tuple(when.values()), ("2026-11-03", "2026-11-04")),
    "the baseline of compare": lambda case, **when: case.compare(("2026-11-03", "2026-11-04"), tuple(when.values())),
    "the baseline of activity": lambda case, **when: case.activity("u1", baseline=tuple(when.values()), **DAY),
    "coverage": lambda case, **when: case.coverage(**when),
    "audit": lambda case, **when: case.audit(**when),
    "subject_access": lambda case, **when: case.subject_access("u1", **when),
    "report": lambda case, **when: case.report(BytesIO(), form="markdown", **when),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_nothing_is_found_in_no_time_and_nobody_is_told_so(filled: Case, name: str) -> None:
    with pytest.raises(UsageError, match="The window is empty"):
        QUESTIONS[name](filled, start="2026-11-03", end="2026-11-03")


@pytest.mark.parametrize("when", [{"end": "2026-11-03"}, {"start": "2999-01-01"}])
def test_nor_where_only_one_end_leaves_no_time(filled: Case, when: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="The window is empty"):
        filled.window(**when)


@pytest.mark.parametrize(
    "command",
    [
        ["coverage"],
        ["report", "--out", "report.md"],
        ["audit", "run"],
        ["timeline"],
        ["pivot", "u1"],
        ["search", "u1"],
        ["blast-radius", "u1"],
        ["who-touched", "ticket/1"],
        ["activity", "u1"],
        ["compare", "--baseline", "2026-11-03", "2026-11-04"],
    ],
    ids=lambda command: command[0],
)
def test_a_command_refuses_an_empty_window(
    filled: Case,
    command: list[str],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code = main([*command, "--from", "2026-11-03", "--to", "2026-11-03", "--case", filled.path])
    said = capsys.readouterr()
    assert (code, said.err.count("The window is empty."), said.out) == (2, 1, "")
    assert list(tmp_path.iterdir()) == []


def test_a_case_that_collected_nothing_is_asked_about_its_last_days(tmp_path: Path) -> None:
    case = investigate.open(tmp_path / "case")
    window = case.window()
    assert window.end - window.start == timedelta(days=30)
    for answer in (case.timeline(), case.activity("u1"), case.who_touched("ticket/1")):
        assert not answer.coverage.complete
    assert case.coverage()["state"].to_list() == ["never collected"]


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_of_addresses_only_ascii_letters_are_equal_in_upper_and_lower_case(filled: Case, engine: str) -> None:
    wanted = {
        "JÖRG@x.example": ["u3"],
        "jÖrg@X.example": ["u3"],
        "jörg@x.example": [],
        "kate@x.example": ["u5"],
        "\u212aate@x.example": ["u4"],
    }
    for mail, actors in wanted.items():
        assert filled.activity(mail, engine=engine, **DAY).frame["actor"].to_list() == actors
        shown = filled.timeline(actors=mail, engine=engine, **DAY).frame.filter(kind="event")
        assert shown["actor"].to_list() == actors
        assert sorted(set(filled.blast_radius(mail, depth=1, engine=engine, **DAY).frame["from"])) == actors


def test_a_source_of_which_no_time_was_acquired_is_not_called_complete(tmp_path: Path) -> None:
    case = case_of(tmp_path)
    known = case.who_touched("ticket/1", **DAY).coverage
    acquired(case, "cloudtrail", "2026-11-03", "2026-11-03")
    assert case.who_touched("ticket/1", **DAY).coverage == known
    acquired(case, "coderabbit", "2026-11-05", "2026-11-06")
    later = case.who_touched("ticket/1", **DAY).coverage
    assert later.sources == (("coderabbit", "default"), ("devrev", "o1"))
    assert [line.split()[-1] for line in later.lines()] == ["collected", "complete"]


def test_a_case_of_empty_intervals_says_alike_everywhere_that_nothing_was_collected(tmp_path: Path) -> None:
    case = investigate.open(tmp_path / "case")
    acquired(case, "cloudtrail", "2026-11-03", "2026-11-03")
    known = case.who_touched("ticket/1", **DAY).coverage
    assert not known.as_json()["complete"]
    assert known.lines() == ["coverage  nothing was ever collected (2026-11-03 .. 2026-11-04)"]


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_an_address_stands_for_all_of_the_person_who_acted_under_it(tmp_path: Path, engine: str) -> None:
    case = case_of(tmp_path)
    case.accept_identity("Ann", ("devrev", "u1"), ("devrev", "u2"), author="inv")
    how = {"engine": engine}
    asked = {
        "activity": lambda who: case.activity(who, **DAY, **how).frame,
        "timeline": lambda who: case.timeline(actors=who, **DAY, **how).frame.drop("until"),
        "compare": lambda who: case.compare(tuple(DAY.values()), ("2026-11-02", "2026-11-03"), actors=who, **how).frame,
    }
    for name, ask in asked.items():
        assert ask("Ann").height == 2, name
        assert ask("ann@x.example").equals(ask("Ann")), name


def test_who_is_meant_takes_no_reading_where_nobody_has_aliases(filled: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "mailed", lambda _events: pytest.fail("the events were read"))
    filled.mailed.clear()
    with Reading(filled, "duckdb") as reading:
        assert reading.meant(["ann@x.example"], Directory()) == ("ann@x.example",)
        assert reading.meant(["u1"], Directory({("", "u1"): "Ann"})) == ("u1",)
