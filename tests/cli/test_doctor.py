"""The doctor: each thing with its state and its remedy, without a request for a log and without a secret."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from .conftest import run

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from .conftest import Box, Filled


def checks(*arguments: str) -> dict[str, dict[str, Any]]:
    return {row["check"]: row for row in run("doctor", "--format", "json", *arguments).data["rows"]}


def test_all_in_order(filled: Filled, at_box: Box) -> None:
    found = checks("--case", str(filled.path))
    assert {row["state"] for name, row in found.items() if name != "disk"} == {"ok"}
    assert found["ledger"]["detail"] == "2 lines, as the journal has it"
    assert at_box.at["devrev_url"] in found["devrev in reach"]["detail"]
    shown = run("doctor", "--case", str(filled.path))
    assert shown.code == 0
    assert at_box.at["devrev_token"] not in shown.out


def test_an_address_nobody_answers_fails_only_with_a_credential(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_box: Box
) -> None:
    case = ("--case", str(tmp_path / "case"))
    monkeypatch.setenv("INVESTIGATE_CODERABBIT_BASE_URL", "http://127.0.0.1:1")
    assert at_box.environment["CODERABBIT_API_KEY"]
    assert run("doctor", *case).code == 1
    assert checks(*case)["coderabbit in reach"]["state"] == "fail"
    monkeypatch.delenv("CODERABBIT_API_KEY")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    found = checks(*case)
    assert found["coderabbit in reach"]["state"] == found["coderabbit credential"]["state"] == "warn"
    assert "CODERABBIT_API_KEY" in found["coderabbit credential"]["remedy"]
    assert run("doctor", *case).code == 0


def test_a_clock_that_is_wrong_is_said(filled: Filled, at_box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import datetime, timedelta  # noqa: PLC0415 - beside its only use

    class Late(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + timedelta(minutes=9)

    monkeypatch.setattr("investigate.case.doctor.datetime", Late)
    found = checks("--case", str(filled.path))["clock, by devrev"]
    assert found["state"] == "warn"
    assert "ahead of devrev's" in found["detail"]
    assert "NTP" in found["remedy"]
    assert at_box


def test_a_case_open_to_others_is_said(tmp_path: Path, at_box: Box) -> None:
    case = tmp_path / "case"
    run("coverage", "--case", str(case))
    case.chmod(0o755)
    assert checks("--case", str(case))["permissions"]["remedy"] == f"chmod 700 {case}"
    case.chmod(0o700)
    (case / "case.toml").chmod(0o644)
    assert checks("--case", str(case))["permissions"]["remedy"] == f"chmod 600 {case / 'case.toml'}"
    assert at_box


def test_a_lake_that_is_gone_is_said(filled: Filled, tmp_path: Path, at_box: Box) -> None:
    case = shutil.copytree(filled.path, tmp_path / "case")
    assert checks("--case", str(case))["lake"]["state"] == "ok"
    shutil.rmtree(case / "lake")
    found = checks("--case", str(case))["lake"]
    assert (found["state"], "has version -1, but version" in found["detail"]) == ("fail", True)
    assert "Restore lake/" in found["remedy"]
    assert at_box
