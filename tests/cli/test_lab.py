"""`lab`: notebooks copied beside the case and never overwritten once edited; JupyterLab started and ended in order."""

from __future__ import annotations

import re
import signal
import socket
from typing import TYPE_CHECKING

import httpx

from investigate.cli.lab import _shipped, copy
from tests.shared import free_port

from .conftest import children, ended, python, started

if TYPE_CHECKING:
    from pathlib import Path


def version(folder: Path, text: str) -> list[Path]:
    """The notebooks as some version ships them."""
    folder.mkdir(exist_ok=True)
    made = folder / "1_collect.ipynb"
    made.write_text(text)
    return [made]


def test_copies_are_brought_up_to_date_until_somebody_edits_them(tmp_path: Path) -> None:
    work = tmp_path / "notebooks"
    mine = work / "1_collect.ipynb"
    assert copy(version(tmp_path / "1", "one"), work) == [f"Copied: {mine}"]
    assert copy(version(tmp_path / "1", "one"), work) == []
    assert copy(version(tmp_path / "2", "two"), work) == [f"Brought up to date: {mine}"]
    assert mine.read_text() == "two"
    mine.write_text("two, and mine")
    assert copy(version(tmp_path / "2", "two"), work) == []
    (said,) = copy(version(tmp_path / "3", "three"), work)
    assert said.startswith("Kept as you left it")
    assert mine.read_text() == "two, and mine"
    mine.unlink()
    assert copy(version(tmp_path / "3", "three"), work) == [f"Copied: {mine}"]
    assert (work.stat().st_mode & 0o777, mine.stat().st_mode & 0o777) == (0o700, 0o600)


def test_without_a_record_of_what_was_copied_everything_there_is_somebodys_work(tmp_path: Path) -> None:
    work = tmp_path / "notebooks"
    copy(version(tmp_path / "1", "one"), work)
    (work / ".copied.json").write_text("[broken")
    (said,) = copy(version(tmp_path / "2", "two"), work)
    assert said.startswith("Kept as you left it")
    assert (work / "1_collect.ipynb").read_text() == "one"


def test_the_notebooks_are_found_and_hold_no_output() -> None:
    import json  # noqa: PLC0415 - only here

    names = [path.name for path in _shipped()]
    assert "1_collect.ipynb" in names
    for path in _shipped():
        cells = json.loads(path.read_text())["cells"]
        assert [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []
        assert [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]


def test_jupyterlab_serves_the_copies_and_ends_on_an_interrupt_without_noise(tmp_path: Path) -> None:
    port = free_port()  # one of Jupyter's own choice may be another test's Jupyter's, too
    flags = ("--no-browser", "--case", "case", "--", "--allow-root", f"--port={port}")
    with started("lab", *flags, cwd=tmp_path) as running:
        assert running.stderr is not None
        lines = iter(running.stderr.readline, "")
        found = (re.match(r"JupyterLab is at http://127\.0\.0\.1:(\d+)/\S+\?token=(\w+)", line) for line in lines)
        at = next(filter(None, found))
        socket.create_connection(("127.0.0.1", int(at[1])), 10).close()  # it listens once it says where
        headers = {"Authorization": f"token {at[2]}"}
        listed = httpx.get(f"http://127.0.0.1:{at[1]}/api/contents", headers=headers, timeout=30).json()["content"]
        below = children(running.pid)
        running.send_signal(signal.SIGINT)
        _, rest = running.communicate(timeout=30)
    assert "1_collect.ipynb" in [one["name"] for one in listed]
    assert running.returncode == 0
    assert rest.splitlines() == ["JupyterLab is closed; what was collected is in the case."]
    assert below
    assert all(ended(number) for number in below)


def test_without_jupyterlab_it_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys, importlib.util as u; real = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'jupyterlab' else real(name, *rest)\n"
        "from investigate.cli import main; sys.exit(main(['lab']))"
    )
    ran = python(code, cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines()[-2:] == [
        "Error: JupyterLab is not installed.",
        "Install it: pip install 'investigate[lab]'",
    ]
    assert not (tmp_path / "data").exists()


def test_a_jupyterlab_that_does_not_start_says_why(tmp_path: Path) -> None:
    flags = ("--no-browser", "--case", "case", "--", "--allow-root", "--ServerApp.ip=no.such.host.invalid")
    with started("lab", *flags, cwd=tmp_path) as running:
        _, said = running.communicate(timeout=60)
    assert running.returncode == 1
    cause, remedy = said.splitlines()[-2:]
    assert cause.startswith("Error: JupyterLab did not run: ")
    assert remedy == "See all that it says: investigate lab --debug"
