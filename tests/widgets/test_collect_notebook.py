"""The collecting notebook without a person: top to bottom, with and without vendors, and readable afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .sandboxed import Box, running

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "1_collect.ipynb"
ALONE = {
    "DEVREV_TOKEN": "",
    "CODERABBIT_API_KEY": "",
    "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
}
SECRETS = ("sandbox-devrev-pat", "cr-sandbox-", "X-Amz-Signature=")


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    yield from running()


def run(*arguments: str, cwd: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def papermill(folder: Path, environment: dict[str, str], **parameters: Any) -> tuple[int, str, dict[str, Any]]:
    """The exit code, what was said, and the notebook with its results."""
    done = folder / "done.ipynb"
    values = folder / "parameters.json"
    values.write_text(json.dumps({"CASE": str(folder / "case"), **parameters}))
    flags = ("--no-progress-bar", "--cwd", str(folder), "-f", str(values))
    ran = run("papermill", str(NOTEBOOK), str(done), *flags, cwd=folder, environment=environment)
    return ran.returncode, ran.stderr, json.loads(done.read_text(encoding="utf-8"))


def shown(notebook: dict[str, Any], mime: str) -> dict[str, str]:
    """What each cell shows, by the cell's id."""
    return {
        cell["id"]: "".join(output["data"].get(mime, ""))
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
        for output in cell["outputs"]
        if "data" in output
    }


def test_with_parameters_it_collects_without_a_click_and_reads_well(box: Box, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"eventID": "1", "eventTime": "2026-11-03T10:00:00Z", "recipientAccountId": "1"}\n')
    start, end = box.window
    given = {"START": start, "END": end, "ZONE": "Asia/Kolkata", "PULL": True, "FILES": [str(log)]}
    code, said, done = papermill(tmp_path, box.environment, **given, PROFILE="cloudtrail")
    assert code == 0, said
    texts, pages = shown(done, "text/plain"), shown(done, "text/html")
    assert "received 500 = stored 500 + duplicate 0 + rejected 0" in texts["coderabbit"]
    assert "+05:30 Asia/Kolkata" in texts["export"]
    assert "received 1 = stored 1" in texts["files"]
    assert "coderabbit/default  500 events  complete" in texts["coverage"]
    assert "devrev/unknown  0 events  complete except " in texts["coverage"]
    assert "(never collected)" in pages["coverage"]
    assert "cloudtrail" in pages["after"]
    text = json.dumps(done)
    assert len(text) < 200_000
    assert [secret for secret in SECRETS if secret in text] == []


def test_a_pull_that_fails_fails_the_run_and_says_why(box: Box, tmp_path: Path) -> None:
    environment = {**box.environment, "CODERABBIT_API_KEY": "no-such-key"}
    code, said, done = papermill(tmp_path, environment, START=box.window[0], END=box.window[1], PULL=True)
    assert code == 1
    assert "Unauthenticated" in said
    assert "no-such-key" not in said + json.dumps(done)


def test_without_credentials_and_without_parameters_it_runs_to_its_end(tmp_path: Path) -> None:
    environment = {**ALONE, "INVESTIGATE_CASE": str(tmp_path / "case")}
    flags = ("--nbval-lax", "-q", "-c", os.devnull, f"--rootdir={tmp_path}", "-p", "no:cacheprovider")
    alone = ("--disable-plugin-autoload", "-p", "nbval.plugin")
    ran = run("pytest", *alone, *flags, str(NOTEBOOK), cwd=tmp_path, environment=environment)
    cells = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    assert f"{len(cells)} passed" in ran.stdout, ran.stdout
    assert (tmp_path / "case" / "case.toml").exists()
