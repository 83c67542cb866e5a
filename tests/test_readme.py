"""The README is never wrong: what it tells people to run is run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import Ran, run
from tests.shared import README

if TYPE_CHECKING:
    from tests.shared import Demonstration

FIRST, TESTS = re.findall(r"^python3 -m venv .*$", README, re.MULTILINE)


def section(title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)


INVESTIGATION = section("A first investigation")


@pytest.fixture(scope="module")
def folder(demonstration: Demonstration, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demonstration was run."""
    return demonstration.copy(tmp_path_factory.mktemp("readme"))


def typed(command: str, folder: Path) -> Ran:
    """What a command does: where only a shell can read it, in one; else in this process."""
    if "$(" not in command and "|" not in command:
        program, *words = shlex.split(command)
        assert program == "investigate"
        with chdir(folder):
            return run(*words)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("block", blocks(INVESTIGATION, "sh"))
def test_every_command_of_the_first_investigation_works(block: str, folder: Path) -> None:
    for command in filter(None, map(str.strip, block.splitlines())):
        done = typed(command, folder)
        assert (command, done.code, bool(done.out)) == (command, 0, True), done.err


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
def test_every_other_command_names_what_exists(command: str) -> None:
    words = command.split()
    options = [word for word in words if word.startswith("--")]
    known = run(*(word for word in words[1:3] if re.fullmatch(r"[a-z][a-z-]*", word)), "--help")
    assert known.code == 0
    assert [option for option in options if option not in known.out] == []


@pytest.mark.parametrize("text", blocks(README, "toml"))
def test_settings_are_toml(text: str) -> None:
    assert tomllib.loads(text)


def test_the_two_commands_stand_on_a_line_each_and_ci_runs_the_second() -> None:
    script = (Path(__file__).parents[1] / ".ci" / "run").read_text(encoding="utf-8")
    assert FIRST.endswith("investigate demo")
    assert TESTS.endswith("python -m pytest")
    assert "'^python3 -m venv .* pytest$' README.md" in script
