"""Killed at any moment and run again, a command ends as if nothing had been; `tests.faults.killing` asks for more."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.faults.killing import Killing, Moment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.kinds import Kinds
    from tests.faults.zygote import Zygote

SEED = 20261122


@pytest.mark.parametrize(
    ("name", "moments"), [("import", 3), ("export", 2), ("coderabbit", 2), ("compaction", 2), ("touches", 2)]
)
def test_whatever_the_moment(name: str, moments: int, commands: Kinds, zygote: Zygote, tmp_path: Path) -> None:
    killing = Killing(commands.make(name), zygote, tmp_path)
    outcomes = [killing.kill(moment) for moment in killing.moments(moments, SEED)]
    assert [outcome for outcome in outcomes if outcome.wrong] == []
    assert any(outcome.killed for outcome in outcomes)  # how many depends on how busy the machine is


def test_what_is_killed_is_the_very_command(commands: Kinds, zygote: Zygote, tmp_path: Path) -> None:
    kind = commands.make("import")
    killing = Killing(kind, zygote, tmp_path)
    case = shutil.copytree(kind.before, tmp_path / "case")
    command = [sys.executable, "-c", "import sys; from investigate.cli import main; sys.exit(main())"]
    subprocess.run([*command, "--case", str(case), *kind.arguments], check=True, capture_output=True, timeout=120)
    assert list(kind.holds(case).differs(killing.expected)) == []


def test_one_killed_after_it_was_done_is_told_of_once(commands: Kinds, zygote: Zygote, tmp_path: Path) -> None:
    killing = Killing(commands.make("import"), zygote, tmp_path)
    case = shutil.copytree(killing.kind.before, tmp_path / "case")
    # All is said; next goes the sign of life of its acquisition, and at last the lock on that.
    last = Moment(step=killing.undisturbed.steps - 2)
    runs = [killing.run(case, last), killing.run(case), killing.run(case)]
    assert [run.killed for run in runs] == [True, False, False]
    told = [(run.result["stored"], run.result["duplicate"], run.result["resumed"]) for run in runs]
    assert told == [(340, 20, False), (340, 20, True), (0, 360, False)]
