"""Which events a report has: those it is about, and no other of the same id, of another tenant or another day."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import WINDOW, record, taken

if TYPE_CHECKING:
    from pathlib import Path

    from investigate.case import Case

OURS, THEIRS = "ours", "theirs"
RULE = """title: T
id: 11111111-1111-1111-1111-111111111111
level: high
logsource: {product: house}
detection: {s: {action: get}, condition: s}
"""


def reported(case: Case, path: Path, **about: Any) -> list[dict[str, Any]]:
    """The events of a report."""
    case.report(path, **{**WINDOW, **about})
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def tenants(folder: Path) -> Case:
    """The same ids and the same actors in two tenants; only in one of them is something read."""
    time = "2026-11-01T10:00:00Z"
    same = {"time": time, "user": "u1", "token": "t1"}
    ours = [record(at, **same, tenant=OURS, action="get", ip="10.0.0.1") for at in range(2)]
    theirs = [record(at, **same, tenant=THEIRS, action="put", ip="10.0.0.2") for at in range(2)]
    return taken(folder, ours, theirs)


@pytest.mark.parametrize("question", ["audit", "timeline", "blast_radius", "who_touched"])
def test_no_event_is_of_another_tenant(tmp_path: Path, question: str) -> None:
    case = tenants(tmp_path)
    if question == "audit":
        (tmp_path / "rule.yml").write_text(RULE, encoding="utf-8")
        about: dict[str, Any] = {"audit": case.audit(tmp_path / "rule.yml", shipped=False, **WINDOW)}
    elif question == "timeline":
        about = {"answers": [case.timeline(src_ips="10.0.0.1", **WINDOW)]}
    elif question == "who_touched":
        answer = case.who_touched("ticket/*", **WINDOW)
        about = {"answers": [type(answer)(**{**vars(answer), "frame": answer.frame.filter(tenant=OURS)})]}
    else:
        about = {"answers": [case.blast_radius("10.0.0.1", depth=1, **WINDOW)]}
    found = reported(case, tmp_path / "a.jsonl", **about)
    assert [(one["tenant"], one["event_uid"]) for one in found] == [(OURS, "ev0"), (OURS, "ev1")]


def test_an_annotation_is_of_one_tenant(tmp_path: Path) -> None:
    case = tenants(tmp_path)
    case.journal.annotations.add("house", THEIRS, "ev1", "comment", "of another tenant", "Inez")
    case.report(tmp_path / "a.md", src_ips=["10.0.0.1"], **WINDOW)
    assert "of another tenant" not in (tmp_path / "a.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("several", [False, True])
def test_an_id_that_comes_again_brings_no_event_of_another_day(tmp_path: Path, several: bool) -> None:
    days = [[record(1, time=f"2026-11-0{day}T10:00:00Z", objects=[f"r{day}"], user=f"u{day}")] for day in (1, 2)]
    case = taken(tmp_path, *days)
    answers = [case.timeline(resources="r1", **WINDOW)] if several else []
    found = reported(case, tmp_path / "a.jsonl", resources=["r1"], answers=answers)
    assert [one["resources"] for one in found] == [["r1"]]
    found = reported(case, tmp_path / "b.jsonl", answers=[case.blast_radius("u1", depth=1, **WINDOW)])
    assert [one["resources"] for one in found] == [["r1"]]


@pytest.mark.parametrize("last", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999998Z"])
def test_an_event_of_a_far_year_is_shown(tmp_path: Path, last: str) -> None:
    case = taken(tmp_path, [record(1), record(2), record(3, time=last)])
    for about in ({}, {"actors": ["user/3"]}, {"actors": ["user/1"]}):
        case.report(tmp_path / "a.html", start="2026-11-01", **about)
        page = (tmp_path / "a.html").read_text(encoding="utf-8")
        assert (">9999-12-31 23:59:59" in page[page.index('id="findings"') :]) is (about != {"actors": ["user/1"]})
    found = reported(case, tmp_path / "a.jsonl", start="2026-11-01", end=None)
    assert datetime.fromisoformat(found[-1]["time"]) == datetime.fromisoformat(last)
    assert datetime.fromisoformat(found[0]["time"]).astimezone(UTC).year == 2026
