"""Killed at random moments and run again: the lake and the counts are those of an undisturbed run."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import investigate

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl
    import pytest

    from investigate.case import Case

    from .conftest import Box

MOMENTS = 20
IMPORT = "case.import_files(sys.argv[2], sys.argv[3])"
PULL = "case.coderabbit.pull(sys.argv[2], sys.argv[3])"
COLLECT = "case.devrev.collect(sys.argv[2])"


@dataclass(frozen=True)
class Job:
    """An acquisition in a process of its own."""

    call: str
    arguments: tuple[str, ...]
    environment: dict[str, str]

    def start(self, folder: Path) -> subprocess.Popen[str]:
        code = f"import investigate, json, sys; case = investigate.open(sys.argv[1]); a = {self.call}\n"
        code += "print(json.dumps(a.as_json()))"
        command = [sys.executable, "-c", code, str(folder), *self.arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **self.environment})

    def run(self, folder: Path) -> dict[str, Any]:
        process = self.start(folder)
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        return dict(json.loads(output))

    def run_killed(self, folder: Path, after: float) -> bool:
        """Whether it was killed before it could say what it had done."""
        process = self.start(folder)
        try:
            process.communicate(timeout=after)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            output, _ = process.communicate()
            return not output
        return False


def state(case: Case) -> list[pl.DataFrame]:
    """All that must not depend on whether something was killed."""
    events = case.sql("SELECT * EXCLUDE (evidence) FROM events ORDER BY source, tenant, event_uid, evidence_record")
    rejects = case.sql("SELECT source, reason, evidence_record FROM rejects ORDER BY ALL")
    coverage = case.coverage("2000-01-01", "2100-01-01").drop("acquisition").unique().sort("source", "from")
    return [events, rejects, coverage]


def leftovers(case: Case) -> list[str]:
    evidence = [str(path) for path in (case.layout.evidence / ".incoming").glob("*") if path.suffix != ".lock"]
    return evidence + case.lake.staged()


def check(job: Job, tmp_path: Path, seed: int, moments: int = MOMENTS) -> None:
    started = time.monotonic()
    expected = job.run(tmp_path / "undisturbed")
    whole = time.monotonic() - started
    wanted = state(investigate.open(tmp_path / "undisturbed"))
    chance = random.Random(seed)  # noqa: S311 - moments to kill at
    killed = 0
    for number in range(moments):
        folder = tmp_path / f"killed{number}"
        cut = job.run_killed(folder, whole * chance.uniform(0.2, 1.0))
        killed += cut
        result = job.run(folder)
        case = investigate.open(folder)
        assert [frame.equals(other) for frame, other in zip(state(case), wanted, strict=True)] == [True] * 3, number
        assert case.verify().ok
        assert leftovers(case) == []
        done = [row.counts for row in case.journal.acquisitions() if row.state == "done"]
        assert sum(counts.stored for counts in done if counts) == expected["stored"]
        if cut:
            names = ("received", "stored", "duplicate", "rejected")
            assert [result[name] for name in names] == [expected[name] for name in names]
    assert killed > 0  # how many depends on how busy the machine is


def test_an_import(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    lines = [
        json.dumps({"eventID": f"e{n}", "eventTime": f"2026-11-{n % 9 + 1:02}T00:00:00Z", "eventName": "GetObject"})
        for n in range(20_000)
    ]
    log.write_text("\n".join([*lines, "not json", '{"eventID": "no time"}']))
    check(Job(IMPORT, (str(log), "cloudtrail"), {}), tmp_path, 1)


def test_a_pull(tmp_path: Path, box: Box) -> None:
    check(Job(PULL, (box.window[0], box.at["brief"]["window"]["end"]), box.environment), tmp_path, 2)


def test_a_collected_export(tmp_path: Path, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in box.environment.items():
        monkeypatch.setenv(name, value)
    asking = investigate.open(tmp_path / "asking")
    link = box.link_after(lambda: asking.devrev.request_export(*box.window))
    check(Job(COLLECT, (link,), box.environment), tmp_path, 3, moments=8)


def test_one_killed_after_it_was_done_is_told_of_once(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"eventID": "e1", "eventTime": "2026-11-03T00:00:00Z"}\n')
    job = Job(IMPORT, (str(log), "cloudtrail"), {})
    killed = Job(f"{IMPORT}; import os; os.kill(os.getpid(), 9)", job.arguments, {}).start(tmp_path / "case")
    killed.communicate(timeout=60)
    second, third = job.run(tmp_path / "case"), job.run(tmp_path / "case")
    assert killed.returncode == -signal.SIGKILL
    assert (second["stored"], second["duplicate"], second["resumed"]) == (1, 0, True)
    assert (third["stored"], third["duplicate"], third["resumed"]) == (0, 1, False)
