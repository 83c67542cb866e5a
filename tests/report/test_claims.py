"""Findings as claims: with their events, identities, excerpt, picture, and the words an audit has for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

import investigate
from investigate.audit.findings import Finding
from investigate.case.checking import verify_bundle
from investigate.case.drafting import Draft
from investigate.errors import CaseError, UsageError
from investigate.events import Window
from investigate.report import picture as pictures
from investigate.report.model import Lane, Picture, Stack

from .conftest import ADDRESSES, NAMES, RECORDS, WINDOW, record, taken

if TYPE_CHECKING:
    from pathlib import Path

    from investigate.case import Case
    from investigate.report.model import Claim

DAY = datetime(2026, 11, 1, tzinfo=UTC)


def finding(*uids: str, **given: Any) -> Finding:
    base: dict[str, Any] = {
        "rule_id": "r1",
        "title": "Key created and deleted within an hour",
        "severity": "high",
        "source": "house",
        "tenant": "acme",
        "actor": "user/1",
        "actor_name": NAMES[1],
        "events": len(uids),
        "event_uids": uids,
        "first": DAY,
        "last": DAY,
        "falsepositives": ("A rehearsal",),
        "rule_file": "key.yml",
    }
    return Finding(**{**base, **given})


def claims(case: Case, **about: Any) -> tuple[Claim, ...]:
    with Draft(case, {**WINDOW, **about}) as draft:
        return draft.document().claims


def test_what_is_asked_about_becomes_a_claim(case: Case) -> None:
    (claim,) = claims(case, resources=["ticket/3"], actors=["user/1", "bea@acme.example", "user/2"])
    events = [one for one in RECORDS if "ticket/3" in one["objects"] and one["user"] in {"user/1", "user/2"}]
    events.sort(key=lambda one: str(one["time"]))
    assert claim.text == f"2 identities touched the 1 object asked about, in {len(events)} events."
    assert (claim.events, claim.identities, claim.complete) == (len(events), 2, False)
    identities, excerpt = claim.tables
    assert {row[0].top for row in identities.rows} == {NAMES[1], NAMES[2]}
    assert sum(row[2] for row in identities.rows) == len(events)
    assert [row[0] for row in excerpt.rows] == sorted(row[0] for row in excerpt.rows)
    assert excerpt.rows[0][-1] == Stack(events[0]["id"], f"record {RECORDS.index(events[0])} of {evidence(case)[:12]}…")
    assert claim.picture is not None
    assert sum(claim.picture.counts.values()) == len(events)
    assert sum(sum(lane.counts.values()) for lane in claim.picture.lanes) == len(events)


def evidence(case: Case) -> str:
    (entry,) = case.ledger.entries()
    return entry.files[0].sha256


def test_nothing_found_is_said_and_so_is_what_was_never_collected(case: Case) -> None:
    (claim,) = claims(case, actors=["nobody"])
    assert (claim.text, claim.events, claim.picture) == ("No event names what was asked about.", 0, None)
    assert claim.complete is False


def test_findings_of_an_audit_have_their_events(case: Case) -> None:
    many = finding("ev1", "ev5", events=7, description="Found <b>it</b>")
    found = claims(case, findings=[many, finding("ev2", severity="low", actor="", actor_name="", rule_file="")])
    assert [claim.text for claim in found] == [f"{many.title}: {NAMES[1]}", many.title]
    assert [claim.severity for claim in found] == ["high", "low"]
    assert found[0].events == 7
    assert found[0].notes == ("Found <b>it</b>", "May also be: A rehearsal", "The earliest 2 of 7 events are shown.")
    assert [row[-1].top for row in found[0].tables[-1].rows] == ["ev1", "ev5"]
    assert found[0].query == "Sigma rule r1 (key.yml)"


def test_a_finding_is_not_complete_where_nothing_was_ever_collected(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(case.journal), "intervals", lambda _: [])
    (claim,) = claims(case, findings=[finding("ev1")])
    assert (claim.events, claim.complete) == (1, False)
    assert claim.picture is not None
    assert len(claim.picture.gaps) == 1


@pytest.mark.parametrize(
    ("mail", "user"), [("JÖRG@x.com", "u0"), ("\N{KELVIN SIGN}ate@x.com", "u1"), ("KATE@X.COM", "u2")]
)
def test_an_e_mail_address_is_told_by_its_ascii_letters(tmp_path: Path, mail: str, user: str) -> None:
    mails = ("JÖRG@x.com", "\N{KELVIN SIGN}ate@x.com", "kate@x.com")
    made = taken(tmp_path, [record(at, user=f"u{at}", mail=one) for at, one in enumerate(mails)])
    (claim,) = claims(made, actors=[mail])
    (row,) = claim.tables[0].rows
    assert row[0].below == user


def test_many_findings_are_named_and_not_all_shown(case: Case) -> None:
    found = claims(case, findings=[finding("ev1", rule_id=str(number)) for number in range(53)])
    assert len(found) == 51
    assert found[-1].text == "3 further findings, named and not shown."
    assert len(found[-1].tables[0].rows) == 3


def test_an_audit_says_what_it_ran(case: Case) -> None:
    audit = case.audit(**WINDOW)
    with Draft(case, {**WINDOW, "audit": audit}) as draft:
        made = draft.document()
    assert [claim.severity for claim in made.claims[: len(audit.findings)]] == [one.severity for one in audit.findings]
    assert any(line.startswith(f"Audit: {len(audit.rules)} rules over ") for line in made.method)


def test_an_audit_that_found_nothing_is_not_taken_for_a_list_of_events(case: Case) -> None:
    with Draft(case, {**WINDOW, "audit": replace(case.audit(**WINDOW), findings=[])}) as draft:
        made = draft.document()
    assert [(claim.text, claim.events, claim.complete) for claim in made.claims] == [
        ("The audit's rules found nothing.", 0, False)
    ]
    assert (made.title, made.total) == ("What an audit found", 0)
    assert ("Audit", "0 findings") in made.scope


def test_answers_stand_under_their_claims(case: Case) -> None:
    answers = {
        "touched": case.who_touched("ticket/1", **WINDOW),
        "in order": case.timeline(actors="user/1", **WINDOW),
        "around": case.blast_radius(ADDRESSES[3], depth=1, **WINDOW),
        "counted": case.identities(**WINDOW),
    }
    touched, ordered, around, counted = claims(case, answers=answers)
    assert touched.events == sum(answers["touched"].frame["events"])
    assert ordered.events == answers["in order"].frame.filter(kind="event").height
    assert around.events is not None
    assert around.tables[-1].caption == "Events, the earliest first"
    assert (counted.events, counted.tables[0].total) == (None, answers["counted"].frame.height)
    (unnamed,) = claims(case, answers=[answers["touched"]])
    assert unnamed.text == f"{touched.identities} identities, {touched.events} events."


def test_the_whole_log_is_a_scope_too(case: Case) -> None:
    (claim,) = claims(case)
    assert claim.events == len(RECORDS)
    (narrow,) = claims(case, start="2026-11-02", end="2026-11-03")
    assert narrow.events == sum(one["time"].startswith("2026-11-02") for one in RECORDS)


def test_a_picture_says_what_it_shows() -> None:
    window = Window(DAY, DAY + timedelta(hours=4))
    lanes = (Lane("Ann", {0: 3}), Lane("Bea", {0: 1, 3: 1}))
    gap = Window(DAY + timedelta(hours=1), DAY + timedelta(hours=2))
    shown = Picture(window, 4, {0: 4, 3: 1}, lanes, others=2, gaps=(gap,))
    assert pictures.said(shown) == (
        "5 events from 2026-11-01 00:00:00Z to 2026-11-01 04:00:00Z, by Ann, Bea, and 2 more; "
        "most, 4, from 2026-11-01 00:00:00Z on. 1 spans were not, or not surely, collected."
    )
    table = pictures.behind(shown)
    assert table.columns == ("from", "events", "Ann", "Bea")
    assert table.rows == ((DAY, 4, 3, 1), (DAY + timedelta(hours=3), 1, 0, 1))
    drawn = pictures.timeline(shown)
    assert drawn.count('class="bar"') == 5
    assert drawn.count('fill="url(#uncollected)"') == 1
    assert pictures.said(Picture(window, 4, {}, ())).startswith("No event from")


@pytest.mark.parametrize("days", [0.0001, 0.01, 1, 3, 30, 400, 4000])
def test_the_marks_of_an_axis_stay_apart(days: float) -> None:
    ticks = pictures._Scale(Window(DAY, DAY + timedelta(days=days))).ticks()
    assert 1 <= len(ticks) <= 7
    assert ticks == sorted(set(ticks))


def test_a_form_is_told_by_the_name(case: Case, out: Path) -> None:
    with pytest.raises(UsageError, match="tells no form"):
        case.report(out / "report.docx", **WINDOW)
    with pytest.raises(UsageError, match="tells no form"):
        case.report(out / "report.html", form="pdf", **WINDOW)
    with pytest.raises(CaseError, match="cannot be written"):
        case.report(out / "absent" / "report.html", **WINDOW)
    assert list(out.iterdir()) == []


def test_a_file_is_its_owners_alone(case: Case, out: Path) -> None:
    case.report(out / "a.html", **WINDOW)
    assert (out / "a.html").stat().st_mode & 0o777 == 0o600


def test_a_case_without_anything_says_that(tmp_path: Path) -> None:
    empty = investigate.open(tmp_path / "case")
    written = empty.report(tmp_path / "a.html")
    assert written.claims == ("No event lies in the window.",)
    assert "Nothing was ever collected, so nothing can be found" in (tmp_path / "a.html").read_text(encoding="utf-8")
    empty.bundle(tmp_path / "b.zip", all_evidence=True)
    assert verify_bundle(tmp_path / "b.zip").faults == []
