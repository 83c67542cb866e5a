"""The real logs: nothing rejected, nothing lost, nothing invented."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.corpus


def test_cloudtrail_gives_an_event_a_record(corpus: Path, read: Callable[..., Any]) -> None:
    files = [path.read_bytes() for path in sorted((corpus / "cloudtrail_stratus" / "CloudTrail").glob("*.json"))]
    reading = read(*files, profile="cloudtrail")
    assert (len(files), reading.records, len(reading.events), reading.rejects) == (55, 2900, 2900, [])
    assert len({(event["tenant"], event["event_uid"]) for event in reading.events}) == 2900
    expected = sorted(record["eventID"] for data in files for record in json.loads(data)["Records"])
    assert sorted(json.loads(raw)["eventID"] for raw in reading.raws) == expected
    assert {event["actor"] for event in reading.events}.isdisjoint({"unknown"})


def test_workspace_gives_an_event_for_every_entry(corpus: Path, read: Callable[..., Any]) -> None:
    files = [path.read_bytes() for path in sorted((corpus / "google_workspace").glob("*.json"))]
    reading = read(*files, profile="google_workspace")
    activities = [activity for data in files for activity in json.loads(data)["activities"]]
    assert (reading.records, reading.rejects) == (325, [])
    assert len(reading.events) == sum(len(activity["events"]) for activity in activities)
    assert [event["action"] for event in reading.events] == [
        entry["name"] for activity in activities for entry in activity["events"]
    ]
    assert len({(event["tenant"], event["event_uid"]) for event in reading.events}) == len(reading.events)
