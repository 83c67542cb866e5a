"""Accesses to somebody's data: by whom, on what ground, and whether that is all."""

from __future__ import annotations

import csv
import html
import re
from typing import TYPE_CHECKING

import pytest

from investigate.errors import ConfigError, UsageError

from .conftest import CREDENTIALS, MAILS, NAMES, RECORDS, WINDOW, record, taken

if TYPE_CHECKING:
    from pathlib import Path

    from investigate.case import Case


def accesses(*objects: str) -> list[str]:
    return sorted(one["id"] for one in RECORDS if set(one["objects"]) & set(objects))


def test_every_access_is_there_with_its_ground(case: Case) -> None:
    answer = case.subject_access("ticket/2", **WINDOW)
    found = answer.frame.filter(kind="access")
    assert sorted(found["event_uid"]) == accesses("ticket/2")
    (row,) = found.filter(event_uid="ev2").to_dicts()
    assert (row["actor_name"], row["role"], row["credential"]) == (NAMES[2], "Admin", CREDENTIALS[2])
    (gap,) = answer.frame.filter(kind="gap", tenant="acme").to_dicts()
    assert (str(gap["time"]), gap["note"]) == ("2026-11-03 00:00:00+00:00", "never collected")
    assert answer.notes[-1] == "not complete: accesses in the gaps of coverage are not known"
    people = answer.tables["identities"]
    assert people["accesses"].sum() == found.height
    assert people.filter(who=NAMES[2])["roles"].to_list() == [["Admin"]]


def test_a_window_that_was_collected_is_complete(case: Case) -> None:
    answer = case.subject_access("ticket/2", start="2026-11-01", end="2026-11-03")
    assert answer.coverage.complete
    assert answer.frame["kind"][0] == "coverage"
    assert set(answer.frame.filter(kind="coverage")["note"]) == {"complete"}
    assert set(answer.frame["kind"]) == {"coverage", "access"}
    assert answer.notes[-1].startswith("complete: ")


def test_an_e_mail_address_stands_for_what_bears_it(case: Case) -> None:
    answer = case.subject_access(MAILS[0].upper(), **WINDOW)
    assert answer.tables["resources"]["resource"].to_list() == [MAILS[0].upper(), "user/0"]
    assert answer.notes[0] == f"{MAILS[0].upper()}: 1 further resources bear it in their id, name or account"


HERS = (
    *("ann@x.com", "user/ann@x.com", "mailto:ann@x.com?subject=1", "<Ann@X.com>", "u=ann@x.com.", "user%2Fann@x.com/a"),
    *("ann@x.com's calendar", "'ann@x.com'", "ann@x.com, bea@x.com", "of ann@x.com. Then"),
)
NOT_HERS = (
    *("user/joann@x.com", "user/ann@x.com.au", "jo.ann@x.com", "jo+ann@x.com", "jo_ann@x.com", "jo-ann@x.com"),
    *("o'ann@x.com", "ann@x.community", "ann@x.com-pany.example", "ann@x.com2", "öann@x.com", "ann@xxcom"),
)


def test_an_e_mail_address_is_no_part_of_another(tmp_path: Path) -> None:
    objects = [*HERS, *NOT_HERS, "doc/hers", "doc/another's"]
    names = {"doc/hers": "Notes of ann@x.com", "doc/another's": "Notes of joann@x.com"}
    records = [record(at, objects=[one], title=names.get(one, "")) for at, one in enumerate(objects)]
    case = taken(tmp_path, records)
    answer = case.subject_access("ann@x.com", **WINDOW)
    assert set(answer.tables["resources"]["resource"]) == {*HERS, "doc/hers"}
    touched = answer.frame.filter(kind="access")["resources"].explode()
    assert set(touched) == {*HERS, "doc/hers"}


def test_what_the_log_calls_a_resource_is_no_pattern(tmp_path: Path) -> None:
    titles = {"*": "all of ann@x.com", "user/*": "Users", "payroll": "Payroll"}
    case = taken(tmp_path, [record(at, objects=[one], title=said) for at, (one, said) in enumerate(titles.items())])
    answer = case.subject_access("ann@x.com", **WINDOW)
    assert answer.tables["resources"]["resource"].to_list() == ["ann@x.com", "*"]
    assert answer.frame.filter(kind="access")["resources"].to_list() == [["*"]]
    asked = case.subject_access("user*", "ann@x.com", **WINDOW).frame.filter(kind="access")
    assert sorted(asked["resources"].explode()) == ["*", "user/*"]


def test_a_pattern_a_tag_and_nothing(case: Case) -> None:
    assert case.subject_access("ticket/*", **WINDOW).frame.filter(kind="access").height == len(RECORDS) - 1
    assert case.subject_access("nobody", **WINDOW).frame.filter(kind="access").is_empty()
    with pytest.raises(UsageError, match="No subject"):
        case.subject_access()
    with pytest.raises(ConfigError, match=r"classification\.csv"):
        case.subject_access(tag="secret")


@pytest.mark.parametrize("form", ["html", "md"])
def test_the_rows_for_people_say_what_was_accessed_and_how_that_is_known(case: Case, out: Path, form: str) -> None:
    case.report(out / f"a.{form}", subjects=["ticket/2"], **WINDOW)
    text = html.unescape((out / f"a.{form}").read_text(encoding="utf-8"))
    rows = text[text.index("Rows, without the type") :]
    end = rows.index("</table>") if form == "html" else rows.index("\n\n", rows.index("| kind"))
    cells = {one.replace("\\", "").strip() for one in re.split(r"<[^>]+>|[|\n,]", rows[:end])}
    (entry,) = case.ledger.entries()
    one = next(record for record in RECORDS if record["id"] == "ev2")
    record_of = f"record {RECORDS.index(one)} of {entry.files[0].sha256[:12]}…"
    wanted = [*(one[name] for name in ("id", "name", "role", "token", "ip", "tenant", "title")), "ticket/2", "read"]
    assert {*wanted, "success", "house", record_of} <= cells
    assert {"access", "gap", "coverage", "never collected", "not complete: see the gaps"} <= cells


def test_both_forms_say_who_and_whether_that_is_all(case: Case, out: Path) -> None:
    subjects = ["ticket/2", "ticket/3"]
    case.report(out / "a.csv", subjects=subjects, **WINDOW)
    with (out / "a.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert sorted(row["event_uid"] for row in rows if row["kind"] == "access") == accesses(*subjects)
    assert [row for row in rows if row["kind"] == "gap" and row["note"] == "never collected"]
    assert {row["note"] for row in rows if row["kind"] == "coverage"} == {"not complete: see the gaps"}
    written = case.report(out / "a.html", subjects=subjects, **WINDOW)
    page = (out / "a.html").read_text(encoding="utf-8")
    assert written.claims[0].startswith(f"{len(accesses(*subjects))} accesses to the data of ticket/2, ticket/3, by ")
    assert "<h1>Access to the data of ticket/2, ticket/3</h1>" in page
    assert "not complete: accesses in the gaps of coverage are not known" in page
