"""Coverage hour by hour: empty, gap, provisional, partial and failed are told apart."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

import investigate
from investigate.case.calendar import STATES, calendar
from investigate.errors import UsageError
from investigate.events import Window
from investigate.journal import Counts, CoverageState, Interval

if TYPE_CHECKING:
    from pathlib import Path

    from investigate.case import Case
    from investigate.case.calendar import Calendar

ACME = ("cloudtrail", "111122223333")


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """A case with an event at 10:30 and one at 12:00, that covers 10:00 to 14:00 of the day as files do."""
    lines = [
        {"eventID": str(n), "eventTime": f"2026-11-03T{at}Z", "eventName": "GetObject", "recipientAccountId": ACME[1]}
        for n, at in enumerate(["10:30:00", "12:00:00"])
    ]
    log = tmp_path / "log.jsonl"
    log.write_text("\n".join(map(json.dumps, lines)))
    opened = investigate.open(tmp_path / "case")
    opened.import_files(log, "cloudtrail", covers=("2026-11-03T10:00:00Z", "2026-11-03T14:00:00Z"))
    return opened


def cover(case: Case, start: str, end: str, state: CoverageState, **chosen: list[str]) -> None:
    window = Window.of(f"2026-11-03T{start}:00Z", f"2026-11-03T{end}:00Z")
    identity = f"{state}-{start.replace(':', '')}"
    case.journal.begin(id=identity, key=identity, kind="import", source=ACME[0], spec={})
    case.journal.record(identity, [], None, {}, case.journal.head())
    interval = Interval(*ACME, chosen, window, state, identity, "vendor")
    case.journal.finish(identity, Counts(0, 0, 0, 0, 0), [interval], lake_version=None, window=window)


def states(found: Calendar) -> dict[int, str]:
    return {row["hour"].hour: row["state"] for row in found.frame.to_dicts()}


def test_an_hour_without_events_is_not_an_hour_never_collected(case: Case) -> None:
    found = calendar(case, "2026-11-03", "2026-11-04")
    assert found.sources == [ACME]
    assert found.frame.height == 24
    assert [states(found)[hour] for hour in (9, 10, 11, 12, 13, 14)] == [
        "gap",
        "events",
        "empty",
        "events",
        "empty",
        "gap",
    ]
    assert found.frame["events"].sum() == 2


def test_the_worst_of_an_hour_is_shown_and_its_gap_found(case: Case) -> None:
    cover(case, "15:00", "16:30", CoverageState.provisional)
    cover(case, "16:30", "17:00", CoverageState.failed)
    cover(case, "18:00", "19:00", CoverageState.complete, operation_types=["read"])
    found = calendar(case, "2026-11-03", "2026-11-04")
    assert [states(found)[hour] for hour in (15, 16, 17, 18)] == ["provisional", "failed", "gap", "partial"]
    gap = found.gap_at(*ACME, datetime(2026, 11, 3, 18, tzinfo=UTC))
    assert gap is not None
    assert (gap.window.start.hour, gap.note) == (18, "only operation_types=read was collected")
    assert found.gap_at(*ACME, datetime(2026, 11, 3, 11, tzinfo=UTC)) is None


def test_a_case_that_knows_nothing_shows_both_vendors_as_never_collected(tmp_path: Path) -> None:
    found = calendar(investigate.open(tmp_path / "case"))
    assert [source for source, _ in found.sources] == ["coderabbit", "devrev"]
    past = found.frame.filter(found.frame["hour"] < datetime.now(UTC) - timedelta(hours=1))
    assert set(past["state"]) == {"gap"}
    later = found.frame.filter(found.frame["hour"] > datetime.now(UTC))
    assert set(later["state"]) <= {"future"}


def test_too_many_days_are_refused_and_every_state_has_its_words(case: Case) -> None:
    with pytest.raises(UsageError, match="at most 92 days"):
        calendar(case, "2026-01-01", "2026-11-04")
    assert set(states(calendar(case, "2026-11-03", "2026-11-04")).values()) <= set(STATES)
