"""Clocks that disagree, days of 23 and 25 hours, and events that arrive weeks after they happened."""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

import investigate
from tests.faults.contents import faults

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEN_MINUTES = timedelta(minutes=10)
ANN = "arn:aws:iam::1:user/ann"


def write(path: Path, times: list[str], first: int = 0) -> str:
    """A CloudTrail log of events at these times."""
    records = [
        {"eventID": f"e{number}", "eventTime": moment, "eventName": "GetObject", "userIdentity": {"arn": ANN}}
        | {"resources": [{"ARN": "arn:aws:s3:::b/1"}]}
        for number, moment in enumerate(times, first)
    ]
    path.write_text("\n".join(json.dumps(record) for record in records))
    return str(path)


@contextmanager
def clock(ahead: timedelta) -> Iterator[None]:
    """A machine whose clock is ahead: all of the package asks it for the time."""

    class Kind(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, datetime)

    class Ahead(datetime, metaclass=Kind):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + ahead

    really = time.time
    modules = [module for name, module in list(sys.modules.items()) if name.startswith("investigate")]
    with pytest.MonkeyPatch.context() as patch:
        for module in modules:
            if vars(module).get("datetime") is datetime:
                patch.setattr(module, "datetime", Ahead)
        patch.setattr(time, "time", lambda: really() + ahead.total_seconds())
        yield


def test_two_machines_whose_clocks_are_ten_minutes_apart(tmp_path: Path) -> None:
    day = ["2026-11-01T00:00:00Z", "2026-11-02T12:00:00Z"]
    early, both = write(tmp_path / "a.json", day), write(tmp_path / "b.json", [*day, "2026-11-02T13:00:00Z"])
    late = write(tmp_path / "c.json", ["2026-11-03T00:00:00Z"], first=9)
    case = investigate.open(tmp_path / "case")
    with clock(TEN_MINUTES):
        ahead = investigate.open(tmp_path / "case")
        first = ahead.import_files(early, "cloudtrail")
    second = case.import_files(both, "cloudtrail")
    with clock(TEN_MINUTES):
        third = ahead.import_files(late, "cloudtrail")
        compacted = ahead.lake.compact()
    ahead_of = [entry.time for entry in case.ledger.entries()]
    assert ahead_of != sorted(ahead_of)  # the second line is older by its clock than the first
    assert [(one.counts.stored, one.counts.duplicate) for one in (first, second, third)] == [(2, 0), (1, 2), (1, 0)]
    assert compacted.rewritten > 0
    case.lake.vacuum(timedelta())
    assert case.sql("SELECT event_uid FROM events ORDER BY 1")["event_uid"].to_list() == ["e0", "e1", "e2", "e9"]
    assert case.verify().ok
    assert case.who_touched("arn:aws:s3:::b/1").frame["events"].to_list() == [4]


@pytest.mark.parametrize(
    ("day", "before", "after", "hours"),
    [("2026-10-25", "+02:00", "+01:00", 25), ("2026-03-29", "+01:00", "+02:00", 23)],
)
def test_a_day_on_which_the_clocks_are_changed(tmp_path: Path, day: str, before: str, after: str, hours: int) -> None:
    # Every half hour of the day as Berlin's clocks showed it, those that it showed twice included.
    start = datetime.fromisoformat(f"{day}T00:00:00{before}")
    end = datetime.fromisoformat(f"{day}T00:00:00{after}") + timedelta(days=1)
    change = start.replace(hour=3 if hours == 25 else 2)
    moments = [start + timedelta(minutes=30 * number) for number in range(2 * hours)]
    local = [
        moment if moment < change else moment.astimezone(datetime.fromisoformat(f"{day}T00:00:00{after}").tzinfo)
        for moment in moments
    ]
    case = investigate.open(tmp_path / "case")
    log = write(tmp_path / "day.json", [moment.isoformat() for moment in local])
    acquired = case.import_files(log, "cloudtrail", covers=(start, end))
    answer = case.who_touched("arn:aws:s3:::b/1", start=start, end=end)
    held = case.sql("SELECT time, date FROM events ORDER BY time")
    assert (acquired.counts.stored, end - start) == (2 * hours, timedelta(hours=hours))
    assert held["time"].to_list() == [moment.astimezone(UTC) for moment in moments]
    assert held["date"].to_list() == [moment.astimezone(UTC).date() for moment in moments]
    assert answer.frame["events"].to_list() == [2 * hours]
    assert answer.coverage.complete
    before_it = case.who_touched("arn:aws:s3:::b/1", start=start - timedelta(hours=1), end=end)
    assert not before_it.coverage.complete


def test_events_that_arrive_forty_days_late(tmp_path: Path) -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    young = [(now + timedelta(minutes=number)).isoformat() for number in range(4)]
    old = [(now - timedelta(days=40) + timedelta(minutes=number)).isoformat() for number in range(3)]
    case = investigate.open(tmp_path / "case")
    case.import_files(write(tmp_path / "young.json", young), "cloudtrail", covers=("2026-11-20", "2026-11-21"))
    with case.audit_new() as first:
        seen = first.events
    start = now - timedelta(days=40)
    missing = case.who_touched("arn:aws:s3:::b/1", start=start, end=start + timedelta(days=1))
    late = write(tmp_path / "old.json", old, first=10)
    case.import_files(late, "cloudtrail", covers=(start, start + timedelta(days=1)))
    with case.audit_new() as second:
        new = second.events
    case.lake.compact()
    found = case.who_touched("arn:aws:s3:::b/1", start=start, end=start + timedelta(days=1))
    assert (missing.frame.height, missing.coverage.complete) == (0, False)
    assert (found.frame["events"].to_list(), found.coverage.complete) == ([3], True)
    assert (seen, new) == (4, 3)  # an audit of what is new looks at what is late, and at nothing twice
    assert [fault for fault in faults(tmp_path / "case") if ".leases" not in fault] == []
