"""DevRev and CodeRabbit from the command line, against the real sandbox: counts, links, errors, and no secret."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.faults.kinds import log

from .conftest import SECRETS, children, ended, python, run, started, state

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Box, Filled

ACQUIRED = ["received", "stored", "duplicate", "rejected", "evidence", "window", "coverage"]
EXPIRED = (
    "https://exports.s3.amazonaws.com/log.jsonl.gz?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA4711"
    "&X-Amz-Date=20261103T100400Z&X-Amz-Expires=28800&X-Amz-SignedHeaders=host&X-Amz-Signature=0123456789abcdef"
)


def no_secret(*texts: str) -> None:
    for text in texts:
        for beginning in SECRETS:
            assert beginning not in text
        assert not re.search(r"[?&]X-Amz-", text)


def test_an_acquisition_as_json_has_the_documented_keys(filled: Filled) -> None:
    found = filled.collected.data
    assert [name for name in found if name in ACQUIRED] == ACQUIRED
    assert found["received"] == found["stored"] == 10_000
    assert found["coverage"] == {"complete": True, "gaps": []}
    assert [len(sha256) for sha256 in found["evidence"]] == [64]


def test_an_acquisition_for_people_adds_up(filled: Filled) -> None:
    assert filled.pulled.line("received") == "received 500 = stored 500 + duplicate 0 + rejected 0"
    assert filled.pulled.line("evidence").split()[1].endswith("…")
    assert filled.pulled.line("coverage").endswith("complete")


def test_what_was_decided_about_unpublished_fields_is_said(filled: Filled) -> None:
    assert re.search(r"^read as  actor = actor\.id \(by name, in \d+% of", filled.collected.err, re.MULTILINE)


def test_nothing_shows_a_secret_with_debug_neither(filled: Filled) -> None:
    for ran in (filled.requested, filled.collected, filled.pulled):
        no_secret(ran.out, ran.err)
    for path in (path for path in filled.path.rglob("*") if path.is_file() and path.suffix not in {".gz", ".parquet"}):
        no_secret(path.read_bytes().decode(errors="replace"))


def test_again_stores_nothing(filled: Filled, at_box: Box, tmp_path: Path) -> None:
    case = str(tmp_path / "case")
    first = run("coderabbit", "pull", *at_box.window, "--case", case, "--format", "json").data
    again = run("coderabbit", "pull", *at_box.window, "--case", case, "--format", "json").data
    assert (first["stored"], again["stored"], again["duplicate"]) == (500, 0, 500)
    assert filled.pulled.code == 0


def test_a_filter_covers_only_itself(at_box: Box, tmp_path: Path) -> None:
    case = ("--case", str(tmp_path / "case"))
    pulled = run("coderabbit", "pull", *at_box.window, "--action", "api_key_create", *case, "--format", "json").data
    assert 0 < pulled["stored"] < 500
    answer = run("coverage", "--from", at_box.window[1], "--to", at_box.window[3], *case, "--strict")
    assert answer.code == 3
    assert "actions=api_key_create" in answer.out


def test_requests_are_split_and_listed(at_box: Box, tmp_path: Path) -> None:
    case = ("--case", str(tmp_path / "case"))
    span = ("--from", "2026-11-01", "--to", "2026-11-03")
    asked = run("devrev", "request", *span, "--split", "1d", "--operation-type", "read", *case)
    ids = re.findall(r"^requested  (\S+)", asked.out, re.MULTILINE)
    assert len(ids) == 2
    assert "devrev collect -" in asked.out
    listed = run("devrev", "exports", *case, "--format", "json").data["rows"]
    assert sorted(row["id"] for row in listed) == sorted(ids)
    assert {(row["state"], json.dumps(row["filter"])) for row in listed} == {
        ("requested", '{"operation_types": ["read"]}')
    }
    assert all("Updates (the bell)" in row["next"] and row["link_seconds_left"] is None for row in listed)
    assert len(re.findall(r"asked for \d+ s ago", run("devrev", "exports", *case).out)) == 2
    assert at_box.at["devrev_url"] not in asked.out


def test_a_collected_export_has_nothing_left_to_do(filled: Filled) -> None:
    (row,) = filled.run("devrev", "exports", "--format", "json").data["rows"]
    assert (row["state"], row["next"]) == ("collected", "Nothing: it is collected.")
    assert row["id"] == filled.requested.data["rows"][0]["id"]


@pytest.mark.parametrize("debug", [(), ("--debug",)])
@pytest.mark.parametrize("by", ["argument", "input"])
def test_an_expired_link_says_when_it_died_and_what_to_do(by: str, debug: tuple[str, ...], tmp_path: Path) -> None:
    given, stdin = (EXPIRED, "") if by == "argument" else ("-", EXPIRED + "\n")
    ran = run("devrev", "collect", given, "--case", str(tmp_path / "case"), *debug, stdin=stdin)
    assert ran.code == 1
    said = [line for line in ran.err.splitlines() if not line.startswith("note")][-2:]
    assert said[0].startswith("Error: The link expired at 2026-11-03 18:04 UTC, ")
    assert said[1].startswith("Ask for a new export: investigate devrev request --from ")
    assert ("seen in the list of processes" in ran.err) == (by == "argument")
    no_secret(ran.err)
    assert "0123456789abcdef" not in ran.err
    assert "AKIA4711" not in ran.err


def test_a_tampered_link_fails_and_stays_secret(at_box: Box, tmp_path: Path) -> None:
    case = ("--case", str(tmp_path / "case"))
    before = len(at_box.links())
    run("devrev", "request", *at_box.window, *case)
    link = at_box.new_link(before)
    signature = link.rpartition("X-Amz-Signature=")[2]
    changed = link.replace(signature, signature[::-1])
    ran = run("devrev", "collect", "-", "--debug", *case, stdin=changed)
    assert ran.code == 1
    assert "signature" in ran.err
    no_secret(ran.err)
    assert signature[::-1] not in ran.err


@pytest.mark.parametrize(
    ("token", "said"), [("devrev_member_token", "Admins group"), ("", "DEVREV_TOKEN"), ("wrong", "DEVREV_TOKEN")]
)
def test_a_token_that_may_not_is_told_what_would(
    at_box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str, said: str
) -> None:
    value = at_box.at.get(token, "sandbox-devrev-pat-none" if token else "")
    monkeypatch.setenv("DEVREV_TOKEN", value)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    ran = run("devrev", "request", *at_box.window, "--case", str(tmp_path / "case"), "--debug")
    assert ran.code == (1 if token else 2)
    assert said in ran.err.splitlines()[-1]
    assert not value or value not in ran.err


def test_the_sandbox_prints_how_to_point_a_case_at_it_and_ends_on_an_interrupt(tmp_path: Path) -> None:
    with started("sandbox", "--events", "1000", "--link-lifetime", "60", cwd=tmp_path) as running:
        assert running.stdout is not None
        lines = []
        while not lines or not lines[-1].startswith("The lead"):
            lines.append(running.stdout.readline())
        below = children(running.pid)
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=30)
    text = "".join(lines)
    assert re.search(r"^export INVESTIGATE_DEVREV_BASE_URL=http://127\.0\.0\.1:\d+$", text, re.MULTILINE)
    assert re.search(r"^export CODERABBIT_API_KEY=cr-sandbox-admin-\w+$", text, re.MULTILINE)
    assert (running.returncode, errors) == (0, "The sandbox is closed.\n")
    assert below
    assert all(ended(number) for number in below)


def test_the_sandbox_line_is_json_and_sigterm_ends_it(tmp_path: Path) -> None:
    with started("sandbox", "--format", "json", "--events", "1000", cwd=tmp_path) as running:
        assert running.stdout is not None
        at = json.loads(running.stdout.readline())
        below = children(running.pid)
        running.terminate()
        running.communicate(timeout=30)
    assert at["brief"]["token"].startswith("don:identity:")
    assert running.returncode == 143
    assert all(ended(number) for number in below)


def test_an_extra_that_is_missing_is_named(tmp_path: Path) -> None:
    code = "import sys; sys.modules['uvicorn'] = None; from investigate.cli import main; sys.exit(main(['sandbox']))"
    ran = python(code, cwd=tmp_path)
    assert ran.code == 2
    assert ran.err.splitlines()[1] == "Install it: pip install 'investigate[sandbox]'"


def test_bounds_for_one_command_change_nothing_but_its_pace(tmp_path: Path) -> None:
    logs = log(tmp_path / "log.jsonl.gz", 0, 300, broken=3)
    told = []
    for name, bounds in (("usual", ()), ("bound", ("--memory", "64 MiB", "--jobs", "1")), ("wide", ("--jobs", "3"))):
        case = ("--case", str(tmp_path / name))
        assert run(*case, "import", str(logs), "--profile", "cloudtrail", *bounds).code == 0
        found = run(*case, "sql", "select event_uid, actor, time from events order by all", "--format", "json").data
        told.append(found["rows"])
    assert (told[0], len(told[0])) == (told[1], 300)
    assert told[0] == told[2]


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        (("--memory", "much"), "no size"),
        (("--memory", "512"), "too few"),
        (("--memory", "1MB"), "too few"),
        (("--memory", "-1GiB"), "no size"),
        (("--jobs", "0"), "--jobs"),
    ],
)
def test_a_bound_that_is_none_is_refused(bounds: tuple[str, ...], said: str, tmp_path: Path) -> None:
    case = ("--case", str(tmp_path / "case"))
    refused = run(*case, "import", str(tmp_path), "--profile", "cloudtrail", *bounds)
    assert (refused.code, said in refused.err) == (2, True), refused.err


def test_an_import_from_the_keyboard_that_is_interrupted_is_130(tmp_path: Path) -> None:
    with started("import", "-", "--profile", "devrev", cwd=tmp_path, stdin=subprocess.PIPE) as running:
        while not list(tmp_path.glob("data/case/evidence/.incoming/*.part")):
            assert running.poll() is None
        while state(running.pid) != "S":  # asleep: it waits for input
            assert running.poll() is None
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 130
        assert running.stderr is not None
        said = [line for line in running.stderr.read().splitlines() if not line.startswith("note")]
    assert said == ["Interrupted. What was kept so far is safe; run the same command again to go on."]
