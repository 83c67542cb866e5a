"""What the tests of the journal share: an acquisition, an interval, and the journal as another process sees it."""

import os
from datetime import UTC, datetime
from pathlib import Path

from investigate.events import Window
from investigate.evidence import EvidenceFile
from investigate.journal import Counts, CoverageState, Filter, Interval, Journal

NOW = datetime(2026, 11, 3, 14, 0, 0, 123457, tzinfo=UTC)
DAY = Window.of("2026-11-01", "2026-11-02")
FILE = EvidenceFile("a" * 64, 7, "audit.jsonl", ".jsonl")
COUNTS = Counts(records=5, received=5, stored=3, duplicate=1, rejected=1)
COMPLETE, PROVISIONAL, FAILED = CoverageState.complete, CoverageState.provisional, CoverageState.failed
PYTHON = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}


def again(journal: Journal) -> Journal:
    """The same journal as another process would open it."""
    return Journal(journal._database.path)


def begin(journal: Journal, identity: str = "a1", key: str = "ff", now: datetime = NOW) -> None:
    journal.begin(id=identity, key=key, kind="devrev", source="devrev", spec={"path": "ü"}, now=now)


def interval(
    start: str,
    end: str,
    state: CoverageState = COMPLETE,
    chosen: Filter | None = None,
    source: tuple[str, str] = ("devrev", "acme"),
) -> Interval:
    window = Window.of(f"2026-11-01T{start}:00Z", f"2026-11-01T{end}:00Z")
    return Interval(*source, chosen or {}, window, state, "a1", "vendor")


def cover(journal: Journal, *intervals: Interval, identity: str = "a1") -> None:
    begin(journal, identity)
    journal.record(identity, [FILE], None, {}, journal.head())
    journal.finish(identity, COUNTS, intervals, lake_version=1, window=None)
