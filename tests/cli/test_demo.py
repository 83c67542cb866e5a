"""The demonstration: it names exactly what the sandbox planted, twice, leaves a usable case, and never a real one."""

from __future__ import annotations

import json
import re
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.shared import REAL_TOKEN

from .conftest import SECRETS, Ran, children, ended, run, started

if TYPE_CHECKING:
    from pathlib import Path

    from tests.shared import Demonstration


@pytest.fixture(scope="module")
def folder(demonstration: Demonstration, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demonstration.copy(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def shown(demonstration: Demonstration) -> Ran:
    """What it said; `demonstrate` held that its exit code was 0."""
    return Ran(0, demonstration.out, demonstration.err)


def reports(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    found = json.loads((folder / "data/case/reports/demo.json").read_text())
    truth = json.loads((folder / "data/case/reports/truth.json").read_text())
    return found, {name: truth[name] for name in found}


def test_it_names_exactly_what_was_planted(shown: Ran, folder: Path) -> None:
    found, truth = reports(folder)
    assert list(found) == ["resources", "identities"]
    assert found["resources"]
    assert found == truth
    assert shown.line("received 10,000") == "   received 10,000 = stored 10,000 + duplicate 0 + rejected 0"


def test_it_shows_no_secret_and_keeps_none(shown: Ran, folder: Path) -> None:
    texts = [shown.out, shown.err]
    texts += [path.read_bytes().decode(errors="replace") for path in (folder / "data").rglob("*") if path.is_file()]
    for text in texts:
        assert not [beginning for beginning in (*SECRETS, REAL_TOKEN) if beginning in text]


def test_its_page_is_escaped_and_needs_nothing_else(folder: Path) -> None:
    page = (folder / "data/case/reports/demo.html").read_text()
    assert "<script" not in page
    assert "default-src 'none'" in page
    assert re.search(r"Identities that touched one of its objects in these hours, \d+", page)


def test_the_commands_it_names_work_on_what_it_leaves(
    shown: Ran, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = re.findall(r"^ +(?:\$ )?investigate ((?:who-touched|coverage|evidence)\b.*)$", shown.out, re.MULTILINE)
    assert len(typed) == 4
    monkeypatch.chdir(folder)
    for line in typed:
        again = run(*line.split())
        assert again.code == 0, (line, again.err)


def test_a_second_time_it_takes_its_own_place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    again = run("demo", "--events", "1000", "--seed", "11", "--format", "json")
    assert again.code == 0, again.err
    found, truth = reports(folder)
    assert found == truth
    assert again.data["identities"] == found["identities"]
    assert "A leaked token" in again.err
    assert len(run("evidence", "list", "--format", "json").data["rows"]) == 2


def test_a_case_with_something_of_its_own_is_refused(tmp_path: Path) -> None:
    log = tmp_path / "log.json"
    log.write_text('{"eventID":"1","eventTime":"2026-11-01T00:00:00Z"}\n')
    case = ("--case", str(tmp_path / "case"))
    run("import", str(log), "--profile", "cloudtrail", *case)
    ran = run("demo", *case)
    assert ran.code == 1
    assert ran.err.splitlines()[-1] == "Give it another folder: investigate demo --case data/demo"
    assert len(run("evidence", "list", *case, "--format", "json").data["rows"]) == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_cut_short_it_leaves_no_process(tmp_path: Path, number: signal.Signals, code: int) -> None:
    with started("demo", "--events", "200000", cwd=tmp_path) as running:
        assert running.stdout is not None
        while "investigate sandbox" not in running.stdout.readline():
            pass
        while not (below := children(running.pid)):
            assert running.poll() is None
        running.send_signal(number)
        _, errors = running.communicate(timeout=30)
    assert running.returncode == code
    assert len(errors.splitlines()) == 1
    assert "Traceback" not in errors
    assert all(ended(child) for child in below)
