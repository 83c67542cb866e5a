"""Audits of a case that grows: each event is looked at once, whenever it came, whoever looks."""

from __future__ import annotations

import json
import shutil
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

import investigate
from investigate.audit.frontier import KEY, Frontier
from investigate.audit.scan import EVER
from investigate.errors import CaseError

from .made import rule, written

if TYPE_CHECKING:
    from pathlib import Path

    from investigate.case import Case

NOW = datetime.now(UTC).replace(microsecond=0)
DELETION = rule({"s": {"activity": "delete"}, "condition": "s"}, id="22222222-2222-4222-8222-222222222222", name="del")
BURST = {
    "title": "burst",
    "id": "33333333-3333-4333-8333-333333333333",
    "correlation": {
        "type": "event_count",
        "rules": ["del"],
        "group-by": ["actor"],
        "timespan": "1h",
        "condition": {"gte": 3},
    },
}


def entry(number: int, ago: timedelta, **given: Any) -> dict[str, Any]:
    base = {"id": f"evt{number}", "timestamp": (NOW - ago).isoformat(), "actor_id": "ann", "action": "works.delete"}
    return {**base, "operation_type": "delete", "dev_org_id": "acme", "object_id": f"don:{number}", **given}


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return investigate.open(tmp_path / "case")


def take(case: Case, folder: Path, *entries: dict[str, Any]) -> None:
    path = folder / f"{entries[0]['id']}.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in entries))
    case.import_files(path, "devrev")


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    written(tmp_path / "rules", DELETION)
    return tmp_path / "rules"


def new(case: Case, rules: Path, **how: Any) -> list[str]:
    """The events of what is new."""
    with case.audit_new(rules, shipped=False, **how) as audit:
        return sorted(uid for one in audit.findings for uid in one.event_uids)


def test_every_event_is_reported_once_late_ones_too(case: Case, tmp_path: Path, rules: Path) -> None:
    take(case, tmp_path, entry(1, timedelta(hours=1)))
    assert new(case, rules) == ["evt1"]
    assert new(case, rules) == []
    take(case, tmp_path, entry(2, timedelta(minutes=5)), entry(3, timedelta(days=40)), entry(1, timedelta(hours=1)))
    assert new(case, rules) == ["evt2", "evt3"]
    case.lake.compact()  # which writes all files anew
    assert new(case, rules) == []


def test_a_run_that_breaks_off_or_is_not_kept_has_reported_nothing(case: Case, tmp_path: Path, rules: Path) -> None:
    take(case, tmp_path, entry(1, timedelta(hours=1)))
    with pytest.raises(OSError, match="full"), case.audit_new(rules, shipped=False):
        raise OSError("the disk is full")
    assert new(case, rules, keep=False) == ["evt1"]
    assert new(case, rules) == ["evt1"]


def test_a_rule_that_is_new_or_changed_looks_at_everything_once(case: Case, tmp_path: Path, rules: Path) -> None:
    take(case, tmp_path, entry(1, timedelta(hours=1)), entry(2, timedelta(hours=1), actor_id="ben"))
    assert new(case, rules) == ["evt1", "evt2"]
    narrow = {"s": {"activity": "delete", "actor": "ben"}, "condition": "s"}
    written(rules, DELETION | {"detection": narrow})
    assert new(case, rules) == ["evt2"]
    written(rules, DELETION | {"title": "second", "id": None, "name": "other"}, name="second.yml")
    assert new(case, rules) == ["evt1", "evt2"]
    assert new(case, rules) == []


def test_a_correlation_sees_what_came_before_and_reports_only_with_something_new(
    case: Case, tmp_path: Path, rules: Path
) -> None:
    written(rules, DELETION, BURST)
    take(case, tmp_path, entry(1, timedelta(minutes=50)), entry(2, timedelta(minutes=40)))
    assert new(case, rules) == []
    take(case, tmp_path, entry(3, timedelta(minutes=60)))
    assert new(case, rules) == ["evt1", "evt2", "evt3"]
    take(case, tmp_path, entry(4, timedelta(minutes=45), operation_type="read", action="works.get"))
    assert new(case, rules) == []


def test_two_at_once_report_everything_once_between_them(case: Case, tmp_path: Path, rules: Path) -> None:
    take(case, tmp_path, entry(1, timedelta(hours=1)))
    found: list[list[str]] = []
    both = [threading.Thread(target=lambda: found.append(new(investigate.open(case.path), rules))) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert sorted(found) == [[], ["evt1"]]


def test_what_was_cut_off_while_it_came_is_looked_at_when_it_is_done(case: Case, tmp_path: Path, rules: Path) -> None:
    take(case, tmp_path, entry(1, timedelta(hours=1)))
    (row,) = case.journal.acquisitions()
    with case.journal._database.write() as connection:
        connection.execute("UPDATE acquisition SET state = 'recorded', lake_version = NULL")
    assert new(case, rules) == []
    with case.journal._database.write() as connection:
        connection.execute("UPDATE acquisition SET state = 'done', lake_version = ?", (row.lake_version,))
    assert new(case, rules) == ["evt1"]
    assert new(case, rules) == []


def test_what_another_machine_brings_into_a_shared_lake_is_reported_once(
    case: Case, tmp_path: Path, rules: Path
) -> None:
    take(case, tmp_path, entry(1, timedelta(hours=1)))
    assert new(case, rules) == ["evt1"]
    there = investigate.open(tmp_path / "there")
    shutil.rmtree(there.layout.lake)
    there.layout.lake.symlink_to(case.layout.lake)
    take(there, tmp_path, entry(2, timedelta(minutes=50)))
    assert new(case, rules, keep=False) == ["evt2"]
    take(case, tmp_path, entry(2, timedelta(minutes=50)))  # of which nothing is stored: it is there
    assert new(case, rules) == ["evt2"]
    assert new(case, rules) == []
    assert new(there, rules) == ["evt1", "evt2"]
    take(there, tmp_path, entry(3, timedelta(minutes=40)))
    take(case, tmp_path, entry(4, timedelta(minutes=30)))
    case.lake.compact()
    for one in (case, there):
        assert new(one, rules) == ["evt3", "evt4"]
        assert new(one, rules) == []


def test_late_history_is_history_of_what_was_audited(case: Case, tmp_path: Path, rules: Path) -> None:
    back = {"dormant": "actor", "silence": "30d", "learn": "0s"}
    written(rules, DELETION | {"investigate": back})
    take(case, tmp_path, entry(1, timedelta(days=1)))
    assert new(case, rules) == []
    take(case, tmp_path, entry(2, timedelta(days=50)))
    assert new(case, rules) == ["evt1"]
    assert new(case, rules) == []


def test_a_case_that_cannot_be_written_is_audited_where_nothing_is_to_be_remembered(
    case: Case, tmp_path: Path, rules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(case, tmp_path, entry(1, timedelta(hours=1)))
    monkeypatch.setattr("investigate.journal.Journal.writable", False)
    assert new(case, rules, keep=False) == ["evt1"]
    assert not (case.layout.root / ".audit.lock").exists()
    with pytest.raises(CaseError, match="remembered"):
        new(case, rules)


@pytest.mark.parametrize(("ago", "complete"), [(timedelta(hours=3), True), (timedelta(days=3), False)])
def test_a_window_without_an_end_goes_up_to_now_where_collecting_has_stopped(
    case: Case, tmp_path: Path, rules: Path, ago: timedelta, complete: bool
) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps(entry(1, ago + timedelta(hours=1))) + "\n")
    case.import_files(path, "devrev", covers=(NOW - timedelta(days=9), NOW - ago))
    audit = case.audit(rules, shipped=False, start="7d")
    assert audit.coverage.complete is complete
    assert (audit.window.end == NOW - ago) is complete
    assert case.audit(rules, shipped=False, start="7d", end=NOW - ago).coverage.complete
    assert [one.event_uids for one in audit.findings] == [("evt1",)]


def test_what_the_lake_has_of_a_failed_acquisition_is_reported_once(case: Case, tmp_path: Path, rules: Path) -> None:
    take(case, tmp_path, entry(1, timedelta(hours=1)))
    with case.journal._database.write() as connection:
        connection.execute("UPDATE acquisition SET state = 'failed'")
    assert new(case, rules) == ["evt1"]
    with case.journal._database.write() as connection:
        connection.execute("UPDATE acquisition SET state = 'done'")
    assert new(case, rules) == []


def test_a_window_is_answered_whole_and_nothing_is_remembered(case: Case, tmp_path: Path, rules: Path) -> None:
    take(case, tmp_path, *(entry(at, timedelta(days=at)) for at in range(1, 5)))
    audit = case.audit(rules, shipped=False, start=NOW - timedelta(days=3), end=NOW - timedelta(days=1))
    (finding,) = audit.findings
    assert finding.event_uids == ("evt3", "evt2")
    assert case.journal.get(KEY) is None
    assert audit.lake_version == case.lake.events.snapshot().version
    assert audit.frame["severity"].to_list() == ["medium"]


def test_the_window_goes_on_where_the_last_one_ended_and_shows_what_is_missing(
    case: Case, tmp_path: Path, rules: Path
) -> None:
    take(case, tmp_path, entry(1, timedelta(days=9)), entry(2, timedelta(days=8)))
    with case.audit_new(rules, shipped=False) as first:
        assert abs(first.window.end - datetime.now(UTC)) < timedelta(minutes=5)
        assert not first.coverage.complete
    take(case, tmp_path, entry(3, timedelta(hours=2)), entry(4, timedelta(hours=1)))
    with case.audit_new(rules, shipped=False) as second:
        assert second.window.start == first.window.end
        assert any("late arrivals" in line for line in second.lines())


def test_an_empty_case_is_audited(case: Case) -> None:
    audit = case.audit()
    assert (audit.findings, audit.coverage.sources) == ([], ())
    assert "nothing was ever collected" in repr(audit)


def test_a_frontier_of_another_lake_counts_for_nothing(tmp_path: Path) -> None:
    rules = written(tmp_path, DELETION).rules
    mark = Frontier.from_json(
        json.dumps(
            {
                "format": 1,
                "marks": [{"version": 7, "unfinished": ["x"], "until": "2026-11-01T00:00:00Z"}],
                "rules": {rules[0].id: [rules[0].digest, 0], "gone": ["d", 0]},
                "foreign": [[7, "devrev", "ab"]],
            }
        )
    )
    assert mark.since(rules, 7) == {rules[0].id: 7}
    assert mark.since(rules, 6) == {rules[0].id: EVER}
    assert (mark.arrivals((), 7), mark.arrivals((), 6)) == ({("devrev", "ab"): 7}, {})
    assert Frontier.from_json(mark.as_json()) == mark
    assert Frontier.from_json(json.dumps({"format": 99})) == Frontier()
