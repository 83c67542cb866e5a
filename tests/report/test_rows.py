"""The events for other programs: nothing lost, no formula, Timesketch's fields, OCSF as its schema has it."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from investigate.events import ACTIVITIES, ACTOR_TYPES, COLUMNS, OUTCOMES, event_schema
from investigate.report import lines, ocsf, rows
from investigate.report.text import csv_cell, to_json

from . import reference
from .conftest import HOSTILE, RECORDS, WINDOW

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


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def framed(*events: dict[str, Any]) -> pl.DataFrame:
    table = pa.Table.from_pylist([dict.fromkeys(COLUMNS) | one for one in events], schema=event_schema())
    return pl.DataFrame(pl.from_arrow(table))


def test_json_lines_have_every_event_whole(case: Case, out: Path) -> None:
    text = written(case, out / "a.jsonl")
    assert text.isascii()
    found = objects(text)
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
        list(csv.DictReader(io.StringIO(text, newline=""))) if suffix == ".csv" else objects(text)
    )
    assert list(found[0])[:3] == ["message", "datetime", "timestamp_desc"]
    assert all(row["message"] and row["timestamp_desc"] == "Event Logged" for row in found)
    times = sorted(datetime.fromisoformat(row["datetime"]) for row in found)
    assert times == case.scan().select("time").collect()["time"].sort().to_list()
    assert {row["datetime"].partition("+")[2] for row in found} == {"00:00"}
    assert all(len(row["datetime"]) == len("2026-11-01T10:00:00.000000+00:00") for row in found)


def test_ocsf_is_valid_against_the_published_schema(case: Case, out: Path, validator: Draft202012Validator) -> None:
    found = objects(written(case, out / "a.jsonl", "ocsf"))
    assert len(found) == len(RECORDS)
    for one in found:
        validator.validate(one)


def test_the_validator_would_say_so(case: Case, out: Path, validator: Draft202012Validator) -> None:
    one = objects(written(case, out / "a.jsonl", "ocsf"))[0]
    for broken in ({"activity_id": 7}, {"type_uid": 600399.5}, {"time": "now"}, {"nothing": 1}, {"src_endpoint": {}}):
        assert not validator.is_valid(one | broken)
    for name in ("actor", "api", "metadata", "severity_id", "src_endpoint", "time"):
        assert not validator.is_valid({key: value for key, value in one.items() if key != name})


texts = st.one_of(st.none(), st.text(st.characters(codec="utf-8"), max_size=20), st.sampled_from(HOSTILE))
given_texts = st.text(st.characters(codec="utf-8"), min_size=1)
events = st.fixed_dictionaries(
    {name: texts for name, (kind, _) in COLUMNS.items() if kind == "string"}
    | {
        "event_uid": given_texts,
        "source": given_texts,
        "actor": given_texts,
        "actor_type": st.one_of(st.none(), st.sampled_from(ACTOR_TYPES)),
        "actor_email": st.one_of(texts, st.emails()),
        "activity": st.one_of(st.none(), st.sampled_from(ACTIVITIES)),
        "outcome": st.sampled_from(OUTCOMES),
        "src_ip": st.one_of(texts, st.ip_addresses().map(str), st.just("fe80::1%eth0"), st.just("010.1.1.1")),
        "resource": st.one_of(texts, st.sampled_from(["a", "b"])),
        "resources": st.one_of(
            st.none(), st.lists(st.one_of(given_texts, st.sampled_from(["a", "b", ""])), max_size=3)
        ),
        "time": st.datetimes(timezones=st.just(UTC)),
        "evidence_record": st.integers(0, 2**40),
    }
).map(lambda one: one | {"date": one["time"].date()})


@settings(max_examples=25)
@given(st.lists(events, min_size=1, max_size=12))
def test_any_event_is_valid_ocsf_and_what_the_reference_makes_of_it(
    validator: Draft202012Validator, several: list[dict[str, Any]]
) -> None:
    found = [json.loads(one) for one in lines.api_activity(framed(*several)).splitlines()]
    assert found == [reference.api_activity(one) for one in several]
    for one in found:
        validator.validate(one)
        assert one["type_uid"] == 600300 + one["activity_id"]
        assert one["unmapped"]["time_us"] // 1000 == one["time"]


@settings(max_examples=25)
@given(st.lists(events, min_size=1, max_size=12))
def test_lines_made_of_columns_are_those_made_of_rows(several: list[dict[str, Any]]) -> None:
    frame, kept = framed(*several), [dict.fromkeys(COLUMNS) | one for one in several]
    sketched = [reference.timesketch(one) for one in kept]
    for form, suffix, wanted in (
        ("csv", ".csv", kept),
        ("timesketch", ".csv", sketched),
        ("jsonl", ".jsonl", kept),
        ("timesketch", ".jsonl", sketched),
    ):
        out, text = io.BytesIO(), io.StringIO(newline="")
        assert lines.write(form, suffix, [frame], out) == len(several)
        found = out.getvalue().decode("utf-8" if suffix == ".csv" else "ascii")
        if suffix == ".csv":
            rows.write_csv(wanted, text, list(wanted[0]) if wanted is sketched else rows.CSV_COLUMNS)
            read = [list(csv.reader(io.StringIO(one, newline=""))) for one in (found, text.getvalue())]
            assert read[0] == read[1]
        else:
            assert [json.loads(line) for line in found.split("\n")[:-1]] == [json.loads(to_json(one)) for one in wanted]


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
    (found,) = map(json.loads, ocsf.objects(framed(given_)))
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
