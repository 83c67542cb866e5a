"""What a terminal shows of long work: how far, how fast, how long still, and what is counted beside it."""

from __future__ import annotations

import io
import json
import re
import time
from contextlib import redirect_stderr
from typing import TYPE_CHECKING

import pytest

from investigate.cli import main
from investigate.cli.progress import watching

if TYPE_CHECKING:
    from pathlib import Path


class Terminal(io.StringIO):
    """Standard error, as if somebody watched."""

    def isatty(self) -> bool:
        return True

    def shown(self, pattern: str) -> bool:
        """Whether any line that was ever there is that."""
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.getvalue())
        return any(re.fullmatch(pattern, line.strip()) for line in re.split(r"[\r\n]+", text))


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    return Terminal()


def test_a_phase_has_one_bar_with_its_rate_the_time_left_and_what_is_counted_beside(terminal: Terminal) -> None:
    with redirect_stderr(terminal), watching() as progress:
        for step in range(4):
            progress("normalise", step * 1_000_000, 90_000_000, "bytes")
            progress("normalise", step * 1_234, None, "records")
            progress("normalise", step, None, "rejects")
            time.sleep(0.1)
    assert terminal.shown(r"\S reading \S+ 3\.0 MB of 90\.0 MB, [\d.]+ MB/s, 3,702 records, 3 rejects +0?0:\d\d")


def test_an_import_and_a_compaction_tell_of_each_of_their_phases(tmp_path: Path, terminal: Terminal) -> None:
    log = tmp_path / "log.jsonl"
    with redirect_stderr(terminal):
        for part in range(3):
            lines = ({"id": f"{part}-{n}", "timestamp": "2026-11-03", "actor": {"id": "ann"}} for n in range(100))
            log.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
            assert main(["--case", str(tmp_path / "case"), "import", str(log), "--profile", "devrev"]) == 0
        assert main(["--case", str(tmp_path / "case"), "lake", "compact"]) == 0
    size = r"[\d.]+ kB of [\d.]+ kB(, [\d.]+ [kM]B/s)?"
    assert terminal.shown(rf"(\S )?keeping +\S+ {size}, 1 file +\S+")
    assert terminal.shown(rf"(\S )?reading +\S+ {size}, 100 records +\S+")
    assert terminal.shown(r"(\S )?summing up +\S+ 100 of 100 events(, [\d,]+ events/s)? +\S+")
    assert terminal.shown(r"(\S )?merging +\S+ 300 of 300 rows(, [\d,]+ rows/s)? +\S+")
