"""`audit run` as cron and pipelines meet it: the planted incident, exit codes, the forms, hostile logs in each."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from .conftest import PROGRAM, own_path, process, run

if TYPE_CHECKING:
    from .conftest import Filled, Ran

RULE = """
title: "Deleted <b>by</b> [someone](x) {0} =1+1"
id: 44444444-4444-4444-8444-444444444444
logsource: {product: devrev}
detection: {s: {activity: delete}, condition: s}
level: high
"""
HOSTILE = "=cmd|'/C calc'!A0 <img src=x onerror=alert(1)>\u202e\x1b[31m]]>[a](b){0}"


@pytest.fixture
def audited(filled: Filled, tmp_path: Path) -> Any:
    """`audit run` of one rule with some arguments, on a copy of the case of both vendors."""
    copy, file = tmp_path / "case", tmp_path / "rule.yml"
    shutil.copytree(filled.path, copy)
    file.write_text(RULE)
    return lambda *given: run("--case", str(copy), "audit", "run", "--no-shipped", "--rules", str(file), *given)


def test_an_audit_of_the_month_finds_the_incident_and_little_else_that_is_grave(filled: Filled) -> None:
    done = filled.run("audit", "run", "--all", "--fail-on", "high", "--format", "json")
    assert done.code == 4
    found = done.data
    assert {"rows", "coverage", "window", "lake_version", "untranslated", "suppressed"} <= set(found)
    grave = [row for row in found["rows"] if row["severity"] in {"high", "critical"}]
    planted = {"api_key_create", "api_key_delete", "works.export"}
    both = next(row for row in grave if row["severity"] == "critical" and planted <= set(row["actions"]))
    incident = set(both["event_uids"])
    assert len([row for row in grave if not incident & set(row["event_uids"])]) <= 3
    assert filled.box.at["brief"]["token"] in both["credentials"]


def test_the_second_run_has_nothing_to_report_and_a_window_is_always_answered(audited: Any) -> None:
    first = audited("--fail-on", "high", "--format", "json")
    second = audited("--fail-on", "high", "--format", "json")
    assert (first.code, second.code) == (4, 0)
    assert first.data["rows"]
    assert second.data["rows"] == []
    assert second.data["window"]["from"] == first.data["window"]["to"]
    assert audited("--from", "40d", "--fail-on", "high").code == 4
    assert audited("--all", "--fail-on", "critical").code == 0
    assert "nothing came into the lake" in audited().out


def test_processes_that_overlap_or_break_off_report_each_event_once_and_late_ones_too(tmp_path: Path) -> None:
    (tmp_path / "rule.yml").write_text(RULE)
    case = ("--case", str(tmp_path / "case"))
    once = (*case, "audit", "run", "--rules", str(tmp_path / "rule.yml"), "--no-shipped", "--format", "json")

    def take(number: int, ago: timedelta) -> None:
        entry = {"id": f"evt{number}", "timestamp": (datetime.now(UTC) - ago).isoformat(), "actor_id": "ann"}
        entry |= {"action": "works.delete", "operation_type": "delete", "dev_org_id": "acme", "object_id": "don:1"}
        (tmp_path / f"{number}.jsonl").write_text(json.dumps(entry) + "\n")
        assert run(*case, "import", str(tmp_path / f"{number}.jsonl"), "--profile", "devrev").code == 0

    def reported(*done: Ran) -> list[str]:
        return sorted(uid for one in done for row in one.data["rows"] for uid in row["event_uids"])

    take(1, timedelta(hours=1))
    with Path("/dev/full").open("wb") as full:
        broken = subprocess.run([*PROGRAM, *once], stdout=full, stderr=subprocess.PIPE, env=own_path(), check=False)
    assert broken.returncode == 1, broken.stderr
    with ThreadPoolExecutor() as both:
        ran = [both.submit(process, *once, cwd=tmp_path) for _ in range(2)]
    assert reported(*(one.result() for one in ran)) == ["evt1"]
    take(2, timedelta(days=45))  # of a month that was missed: it happened long before what was audited
    take(3, timedelta(minutes=1))
    assert reported(run(*once)) == ["evt2", "evt3"]
    assert reported(run(*once)) == []


def test_incomplete_coverage_has_its_own_code_where_no_finding_is_graver(audited: Any) -> None:
    assert audited("--from", "60d", "--strict").code == 3
    assert audited("--from", "60d", "--strict", "--fail-on", "high").code == 4


def test_a_rule_that_cannot_be_run_has_the_same_code_and_is_no_clean_answer(tmp_path: Path) -> None:
    entry = {"id": "evt1", "timestamp": "2026-11-03T10:00:00Z", "actor_id": "ann", "action": "x", "dev_org_id": "acme"}
    (tmp_path / "log.jsonl").write_text(json.dumps(entry) + "\n")
    case = ("--case", str(tmp_path / "case"))
    covers = ("--covers-from", "2026-11-03", "--covers-to", "2026-11-04")
    assert run(*case, "import", str(tmp_path / "log.jsonl"), "--profile", "devrev", *covers).code == 0
    asked = (*case, "audit", "run", "--all", "--no-shipped", "--rules", str(tmp_path / "rules"))
    (tmp_path / "rules").mkdir()
    assert run(*asked).code == 2
    (tmp_path / "rules" / "rule.yml").write_text(RULE)
    clean = run(*asked, "--strict")
    assert clean.code == 0
    assert "Nothing found, and all of it was collected." in clean.out
    (tmp_path / "rules" / "broken.YML").write_text("title: t\nlevel: [x\n")
    done = run(*asked, "--strict")
    assert done.code == 3
    assert "all of it was collected" not in done.out
    assert "not run  broken.YML" in done.out
    assert "line 3" in done.out
    assert run(*asked).code == 0


def test_the_shipped_rules_can_all_be_run(filled: Filled) -> None:
    assert filled.run("audit", "run", "--all", "--format", "json").data["untranslated"] == []


def test_what_is_suppressed_is_left_out_said_and_does_not_fail(audited: Any, tmp_path: Path) -> None:
    file = tmp_path / "suppress.toml"
    day = datetime.now(UTC).date()
    file.write_text(
        f'[[suppress]]\nrule = "*"\nreason = "exercise"\nuntil = {day.isoformat()}\n'
        f'[[suppress]]\nrule = "old"\nreason = "was known"\nuntil = {(day - timedelta(days=1)).isoformat()}\n'
    )
    done = audited("--all", "--fail-on", "low", "--suppress", str(file), "--format", "json")
    assert (done.code, done.data["rows"]) == (0, [])
    assert done.data["suppressed"][0]["suppression"]["reason"] == "exercise"
    assert [one["rule"] for one in done.data["expired"]] == ["old"]
    assert "warning  the suppression of rule old held until" in audited("--all", "--suppress", str(file)).out


@pytest.mark.parametrize(
    "given",
    [("--fail-on", "grave"), ("--from", "7d", "--new-only"), ("--rules", "/none"), ("--suppress", "/none")],
)
def test_wrong_usage_is_2_and_says_why(audited: Any, given: tuple[str, ...]) -> None:
    done = audited(*given)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Error: ")


def test_rules_are_listed_with_those_that_cannot_be_run(tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_text(RULE.replace("activity: delete", "activity|re: '(?=x)'").replace("4444", "5555"))
    (tmp_path / "good.yml").write_text(RULE)
    done = run(
        "audit", "rules", "--rules", str(tmp_path), "--no-shipped", "--format", "json", "--case", str(tmp_path / "c")
    )
    good, bad = done.data["rows"]
    assert (good["reason"], good["severity"], good["log"]) == (None, "high", "devrev")
    assert "RE2" in bad["reason"]
    assert not (tmp_path / "c").exists()
    assert run("audit", "rules").code == 0


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ran, Path]:
    """An audit of a log that is full of markup, formulas and controls, in all forms."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "rule.yml").write_text(RULE)
    entry = {"id": HOSTILE, "timestamp": "2026-11-03T10:00:00Z", "actor_id": HOSTILE, "actor_name": HOSTILE}
    entry |= {
        "action": "x",
        "operation_type": "delete",
        "dev_org_id": "acme\ncoverage  forged",
        "ip_address": HOSTILE,
        "object_id": HOSTILE,
    }
    (folder / "log.jsonl").write_text(json.dumps(entry) + "\n")
    case = ("--case", str(folder / "case"))
    assert run(*case, "import", str(folder / "log.jsonl"), "--profile", "devrev").code == 0
    forms = ("--sarif", str(folder / "a.sarif"), "--junit", str(folder / "a.xml"), "--all")
    done = run(*case, "audit", "run", "--rules", str(folder / "rule.yml"), "--no-shipped", *forms, "--fail-on", "high")
    assert done.code == 4, done.err
    return done, folder


def test_hostile_fields_do_nothing_on_a_terminal_and_in_csv(hostile: tuple[Ran, Path]) -> None:
    done, folder = hostile
    asked = ("--case", str(folder / "case"), "audit", "run", "--all", "--rules", str(folder / "rule.yml"))
    printed = run(*asked, "--no-shipped", "--format", "csv")
    for text in (done.out, done.err, printed.out, printed.err):
        assert not {"\x1b", "\u202e"} & set(text)
    assert not [line for line in (done.out + printed.err).splitlines() if line.startswith("coverage  forged")]
    (row,) = csv.DictReader(io.StringIO(printed.out, newline=""))
    assert row["actor"].startswith("'=cmd")


def test_hostile_fields_are_plain_text_in_sarif(hostile: tuple[Ran, Path]) -> None:
    text = (hostile[1] / "a.sarif").read_text(encoding="ascii")
    (run_,) = json.loads(text)["runs"]
    (result,) = run_["results"]
    assert "\\u001b" not in text
    assert r"\[a\](b){{0}}" in result["message"]["text"]
    assert result["level"] == "error"
    assert run_["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    assert run_["properties"]["coverage"]["complete"] in {True, False}


def test_hostile_fields_are_plain_text_in_junit(hostile: tuple[Ran, Path]) -> None:
    (suite,) = ET.parse(hostile[1] / "a.xml").getroot()  # noqa: S314 - our own
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")
    (failure,) = suite.iter("failure")
    assert "<img src=x onerror=alert(1)>" in (failure.text or "")
    assert "\\x1b" in (failure.text or "")
    assert stat_mode(hostile[1] / "a.xml") == 0o600


def stat_mode(path: Path) -> int:
    return path.stat().st_mode & 0o777
