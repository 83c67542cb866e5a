"""A case below a folder whose name looks like a partition: engines believe such a name before a file's own column."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import investigate
from investigate.widgets.picked import LAKE, Shelf

if TYPE_CHECKING:
    from pathlib import Path

    from investigate.case import Case

ARN = "arn:aws:iam::1:user/ann"
COLUMNS = ("source", "tenant", "actor", "action", "activity", "resource", "evidence_record")
KEPT = [("cloudtrail", "1", ARN, "GetObject", "read", f"arn:{number}", number - 1) for number in (1, 2, 3)]


def log(path: Path, *numbers: int) -> Path:
    records = [
        {"eventID": f"e{number}", "eventTime": f"2026-11-03T0{number}:00:00Z", "eventName": "GetObject"}
        | {"userIdentity": {"arn": ARN}, "recipientAccountId": "1", "resources": [{"ARN": f"arn:{number % 4 or 1}"}]}
        for number in numbers
    ]
    path.write_text("\n".join([*map(json.dumps, records), "no JSON"]))
    return path


@pytest.fixture(
    params=["source=x", "tenant=acme", "actor=bob", "date=2020-01-01", "resource=x", "src_ip=y", "evidence=z", "a=b"]
)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    return investigate.open(tmp_path / request.param / "case")


def test_what_is_there_already_is_a_duplicate(case: Case, tmp_path: Path) -> None:
    first = case.import_files(log(tmp_path / "1.jsonl", 1, 2), "cloudtrail").counts
    second = case.import_files(log(tmp_path / "2.jsonl", 1, 2, 3), "cloudtrail").counts
    assert (first.stored, first.duplicate, first.rejected) == (2, 0, 1)
    assert (second.stored, second.duplicate, second.rejected) == (1, 2, 1)


def test_columns_are_what_the_files_say(case: Case, tmp_path: Path) -> None:
    case.import_files(log(tmp_path / "log.jsonl", 1, 2, 3), "cloudtrail")
    ((evidence, _),) = case.evidence
    columns = ", ".join(COLUMNS)
    assert case.sql(f"SELECT {columns} FROM events ORDER BY time").rows() == KEPT
    assert case.scan().sort("time").select(COLUMNS).collect().rows() == KEPT
    days = case.sql("SELECT DISTINCT date::VARCHAR, evidence FROM events").rows()
    assert days == [("2026-11-03", evidence)]
    assert case.scan().select("date", "evidence").unique().collect().rows()[0][1] == evidence
    assert case.sql("SELECT source, evidence FROM rejects").rows() == [("cloudtrail", evidence)]
    touched = case.sql("SELECT source, tenant, actor, resource FROM touches ORDER BY resource").rows()
    assert touched == [("cloudtrail", "1", ARN, f"arn:{number}") for number in (1, 2, 3)]
    shown = Shelf(case).seat().rows(f"SELECT {columns}, date::VARCHAR AS date FROM {LAKE} ORDER BY time")
    assert [tuple(row.values()) for row in shown] == [(*row, "2026-11-03") for row in KEPT]


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_who_touched_what_is_answered(case: Case, tmp_path: Path, engine: str) -> None:
    case.import_files(log(tmp_path / "log.jsonl", 1, 2, 3, 4), "cloudtrail")
    for end, events in (("2026-11-04", 2), ("2026-11-03T02:30:00Z", 1)):  # by touches, and by events
        found = case.who_touched("arn:1", start="2026-11-03", end=end, engine=engine).frame
        assert found.select("source", "tenant", "actor", "events").rows() == [("cloudtrail", "1", ARN, events)]
