"""The events for other programs: nothing lost, no formula, Timesketch's fields, OCSF as its schema has it."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from investigate.events import ACTIVITIES, ACTOR_TYPES, COLUMNS, OUTCOMES, event_schema
from investigate.report import ocsf, rows
from investigate.report.text import csv_cell, to_json

from .conftest import RECORDS, WINDOW

if TYPE_CHECKING:
    from pathlib import Path

    from investigate.case import Case

csv.field_size_limit(2**24)


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    """Of class 6003, compiled from the schema that schema.ocsf.io publishes."""
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(ocsf.VERSION)).get_class_schema("api_activity", [])
    return Draft202012Validator(schema)


def written(case: Case, path: Path, form: str | None = None) -> str:
    case.report(path, form=form, **WINDOW)
    return path.read_text(encoding="utf-8")


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_json_lines_have_every_event_whole(case: Case, out: Path) -> None:
    text = written(case, out / "a.jsonl")
    assert text.isascii()
    found = lines(text)
    kept = case.scan().sort("time", "source", "tenant", "event_uid").collect().to_dicts()
    assert [json.loads(to_json(one)) for one in kept] == found
    assert len(found) == len(RECORDS)
    assert list(found[0]) == list(COLUMNS)


def test_csv_has_no_formula_and_no_control_character(case: Case, out: Path) -> None:
    text = written(case, out / "a.csv")
    found = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(found) == len(RECORDS)
    cells = [cell for row in found for cell in row.values()]
    assert not [cell for cell in cells if cell.lstrip().startswith(("=", "+", "-", "@", "|", "%"))]
    assert not [cell for cell in cells if cell.startswith(("\t", "\r", "\n"))]
    assert not [c for c in text if (ord(c) < 32 and c not in "\r\n\t") or c in "\x7f\u202e\u2066\u2028"]
    assert max(map(len, cells)) >= 2**20


@given(st.text())
def test_no_text_is_a_formula(text: str) -> None:
    cell = csv_cell(text)
    assert cell.startswith("'") or not cell.strip(" \u00a0").startswith(("=", "+", "-", "@", "|", "%", "\uff1d"))


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_timesketch_has_its_fields_and_all_microseconds(case: Case, out: Path, suffix: str) -> None:
    text = written(case, out / f"a{suffix}", "timesketch")
    found: list[dict[str, Any]] = (
        list(csv.DictReader(io.StringIO(text, newline=""))) if suffix == ".csv" else lines(text)
    )
    assert list(found[0])[:3] == ["message", "datetime", "timestamp_desc"]
    assert all(row["message"] and row["timestamp_desc"] == "Event Logged" for row in found)
    times = sorted(datetime.fromisoformat(row["datetime"]) for row in found)
    assert times == case.scan().select("time").collect()["time"].sort().to_list()
    assert {row["datetime"].partition("+")[2] for row in found} == {"00:00"}
    assert all(len(row["datetime"]) == len("2026-11-01T10:00:00.000000+00:00") for row in found)


def test_ocsf_is_valid_against_the_published_schema(case: Case, out: Path, validator: Draft202012Validator) -> None:
    found = lines(written(case, out / "a.jsonl", "ocsf"))
    assert len(found) == len(RECORDS)
    for one in found:
        validator.validate(one)


def test_the_validator_would_say_so(case: Case, out: Path, validator: Draft202012Validator) -> None:
    one = lines(written(case, out / "a.jsonl", "ocsf"))[0]
    for broken in ({"activity_id": 7}, {"type_uid": 600399.5}, {"time": "now"}, {"nothing": 1}, {"src_endpoint": {}}):
        assert not validator.is_valid(one | broken)
    for name in ("actor", "api", "metadata", "severity_id", "src_endpoint", "time"):
        assert not validator.is_valid({key: value for key, value in one.items() if key != name})


texts = st.one_of(st.none(), st.text(min_size=1, max_size=20))
events = st.fixed_dictionaries(
    {name: texts for name, (kind, _) in COLUMNS.items() if kind == "string"}
    | {
        "event_uid": st.text(min_size=1),
        "source": st.text(min_size=1),
        "actor": st.text(min_size=1),
        "actor_type": st.one_of(st.none(), st.sampled_from(ACTOR_TYPES)),
        "actor_email": st.one_of(texts, st.emails()),
        "activity": st.one_of(st.none(), st.sampled_from(ACTIVITIES)),
        "outcome": st.sampled_from(OUTCOMES),
        "src_ip": st.one_of(texts, st.ip_addresses().map(str)),
        "resources": st.one_of(st.none(), st.lists(st.text(), max_size=3)),
        "time": st.datetimes(timezones=st.just(UTC)),
        "evidence_record": st.integers(0, 2**40),
    }
)


@given(events)
def test_any_event_is_valid_ocsf(validator: Draft202012Validator, row: dict[str, Any]) -> None:
    found = ocsf.event(row)
    validator.validate(found)
    assert found["type_uid"] == 600300 + found["activity_id"]
    assert found["unmapped"]["time_us"] // 1000 == found["time"]
    assert datetime.fromisoformat(found["metadata"]["original_time"]) == row["time"]


def test_ocsf_says_what_the_event_says() -> None:
    time = datetime(2026, 11, 3, 14, 0, 5, 123456, UTC)
    given_ = {
        "event_uid": "e1",
        "time": time,
        "source": "devrev",
        "tenant": "acme",
        "actor": "devu/7",
        "actor_name": "Ann",
        "actor_email": "ann@acme.example",
        "actor_type": "user",
        "credential": "tok1",
        "action": "works.get",
        "activity": "read",
        "resource": "ticket/1",
        "resource_type": "ticket",
        "resources": ["ticket/1", "ticket/2"],
        "src_ip": "192.0.2.1",
        "outcome": "failure",
        "raw": "{}",
        "evidence": "0" * 64,
        "evidence_record": 4,
    }
    (row,) = pl.DataFrame([dict.fromkeys(event_schema().names) | given_]).to_dicts()
    found = ocsf.event(row)
    assert (found["activity_id"], found["activity_name"], found["type_name"]) == (2, "Read", "API Activity: Read")
    assert (found["status_id"], found["status"]) == (2, "Failure")
    assert found["time"] == 1793714405123
    assert found["metadata"]["original_time"] == "2026-11-03T14:00:05.123456Z"
    assert found["actor"] == {
        "user": {"uid": "devu/7", "name": "Ann", "email_addr": "ann@acme.example", "type_id": 1, "type": "User"},
        "session": {"uid": "tok1"},
    }
    assert found["resources"] == [{"uid": "ticket/1", "type": "ticket"}, {"uid": "ticket/2"}]
    assert found["src_endpoint"] == {"ip": "192.0.2.1"}


def test_rows_are_written_as_they_come() -> None:
    """However many there are: the writer holds one at a time."""
    seen: list[int] = []

    class Sink(io.StringIO):
        def write(self, text: str) -> int:
            seen.append(made[-1])
            return len(text)

    made: list[int] = []

    def endless() -> Any:
        for number in range(1000):
            made.append(number)
            yield dict.fromkeys(COLUMNS) | {"event_uid": str(number)}

    assert rows.write_jsonl(endless(), Sink()) == 1000
    assert seen == made
