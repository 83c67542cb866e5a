"""The README is never wrong: what it tells people to run is run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
FIRST, TESTS = re.findall(r"^python3 -m venv .*$", README, re.MULTILINE)


def section(title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[str]:
    return [line for block in blocks(text, "sh") for line in block.splitlines() if line.strip()]


INVESTIGATION = section("A first investigation")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demonstration was run."""
    made = tmp_path_factory.mktemp("readme")
    done = run(FIRST.rpartition(" && ")[2].replace(".venv/bin/", "") + " --events 10000", made)
    assert done.returncode == 0, done.stderr
    return made


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path}
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("command", commands(INVESTIGATION))
def test_every_command_of_the_first_investigation_works(command: str, folder: Path) -> None:
    done = run(command, folder)
    assert (done.returncode, bool(done.stdout)) == (0, True), done.stderr


@pytest.mark.parametrize("code", blocks(INVESTIGATION, "python"))
def test_the_python_of_the_first_investigation_works(code: str, folder: Path) -> None:
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "command",
    [
        line.split("#")[0].strip()
        for block in blocks(README, "text")
        for line in block.splitlines()
        if line.strip().startswith("investigate ")
    ],
)
def test_every_other_command_names_what_exists(command: str, folder: Path) -> None:
    words = command.split()
    options = [word for word in words if word.startswith("--")]
    known = run(" ".join([*(word for word in words[:3] if re.fullmatch(r"[a-z][a-z-]*", word)), "--help"]), folder)
    assert known.returncode == 0
    assert [option for option in options if option not in known.stdout] == []


@pytest.mark.parametrize("text", blocks(README, "toml"))
def test_settings_are_toml(text: str) -> None:
    assert tomllib.loads(text)


def test_the_two_commands_stand_on_a_line_each_and_ci_runs_the_second() -> None:
    script = (Path(__file__).parents[1] / ".ci" / "run").read_text(encoding="utf-8")
    assert FIRST.endswith("investigate demo")
    assert TESTS.endswith("python -m pytest")
    assert "'^python3 -m venv .* pytest$' README.md" in script
