"""The questions of a case: on a small real one, of two sources, with hostile names in it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import investigate
from investigate.case.reading import Reading
from investigate.errors import BadTime, ConfigError, UsageError
from investigate.events import Window
from investigate.journal import Counts, CoverageState, Interval
from investigate.lake import rollup
from investigate.trace.graph import Node

if TYPE_CHECKING:
    from pathlib import Path

    from investigate.case import Answer, Case

DAY = {"start": "2026-11-03", "end": "2026-11-04"}
HOSTILE = "=cmd'; DROP TABLE events; --"


def cloud(number: int, hour: int, who: str, what: str, **more: str) -> str:
    base = {
        "eventID": f"e{number}",
        "eventTime": f"2026-11-03T{hour:02}:00:00Z",
        "eventName": more.get("did", "GetObject"),
    }
    user = {"arn": who, "userName": who, "type": "IAMUser", "accessKeyId": more.get("key", "key-1")}
    base |= {"userIdentity": user, "recipientAccountId": "1", "resources": [{"ARN": what}]}
    return json.dumps(base | {"sourceIPAddress": more.get("ip", "192.0.2.1"), "userAgent": "curl"})


def rabbit(number: int, hour: int, name: str) -> str:
    actor = {"name": name, "subtitle": "Member", "isBot": False}
    times = {"createdAt": f"2026-11-03T{hour:02}:30:00.000Z"}
    return json.dumps(
        {"id": f"r{number}", "action": "api_key_create", "actor": actor, "resourceSummary": "key"} | times
    )


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("questions")
    case = investigate.open(folder / "case")
    lines = [
        cloud(1, 1, "ann", "ticket/1"),
        cloud(2, 2, "ann", "ticket/2"),
        cloud(3, 9, "ann", "ticket/1", did="PutObject", ip="198.51.100.7"),
        cloud(4, 9, "eve", "ticket/1", ip="198.51.100.7", key="key-2"),
        cloud(5, 10, HOSTILE, "account/1", key="key-3", ip="203.0.113.1"),
    ]
    (folder / "cloud.jsonl").write_text("\n".join(lines))
    (folder / "rabbit.jsonl").write_text("\n".join([rabbit(1, 3, "Ann"), rabbit(2, 9, HOSTILE)]))
    with pytest.MonkeyPatch.context() as large:
        large.setattr(rollup, "_LOOKED_THROUGH", 0)  # what is asked of a case of many events is asked of this one
        case.import_files(folder / "cloud.jsonl", "cloudtrail", covers=("2026-11-03", "2026-11-04"))
        case.import_files(folder / "rabbit.jsonl", "coderabbit", covers=("2026-11-03T06:00:00Z", "2026-11-04"))
    return case


QUESTIONS: dict[str, Any] = {
    "who_touched": lambda case, **how: case.who_touched("ticket/*", with_matrix=True, **DAY, **how),
    "activity": lambda case, **how: case.activity("ann", baseline=("2026-11-02", "2026-11-03"), **DAY, **how),
    "pivot": lambda case, **how: case.pivot("198.51.100.0/24", **DAY, **how),
    "search": lambda case, **how: case.search("putOBJECT", **DAY, **how),
    "blast_radius": lambda case, **how: case.blast_radius("key-1", **DAY, **how),
    "timeline": lambda case, **how: case.timeline(**DAY, **how),
    "identities": lambda case, **how: case.identities(**DAY, **how),
    "compare": lambda case, **how: case.compare(
        ("2026-11-03T06:00:00Z", "2026-11-04"), ("2026-11-03", "2026-11-03T06:00:00Z"), **how
    ),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_question_is_answered_alike_and_again_by_its_version(filled: Case, name: str, tmp_path: Path) -> None:
    duckdb, polars = (QUESTIONS[name](filled, engine=engine) for engine in ("duckdb", "polars"))
    assert not duckdb.frame.is_empty()
    assert duckdb.frame.equals(polars.frame)
    assert all(duckdb.tables[table].equals(polars.tables[table]) for table in duckdb.tables)
    assert not duckdb.coverage.complete
    (tmp_path / "late.jsonl").write_text(cloud(90, 4, "late", "ticket/1", key="key-1"))
    filled.import_files(tmp_path / "late.jsonl", "cloudtrail")
    again = QUESTIONS[name](filled, version=duckdb.lake_version)
    assert again.lake_version == duckdb.lake_version
    assert again.frame.drop("kind", strict=False).equals(duckdb.frame.drop("kind", strict=False))
    with pytest.raises(UsageError, match="no version 99"):
        QUESTIONS[name](filled, version=99)
    with pytest.raises(UsageError, match="no engine"):
        QUESTIONS[name](filled, engine="abacus")


def test_questions_use_one_engine_after_another_but_none_that_failed(filled: Case) -> None:
    filled.lake.idle.close()
    for name in ("timeline", "search"):
        QUESTIONS[name](filled)
        assert len(filled.lake.idle) == 1
    with pytest.raises(UsageError), Reading(filled, "duckdb") as reading:
        filled.who_touched(*reading.collect(reading.events.head(1)), version=99)
    assert len(filled.lake.idle) == 0


def actors(answer: Answer) -> list[str]:
    return list(answer.frame["actor"])


def test_resources_by_list_frame_file_tag_and_pattern(filled: Case, tmp_path: Path) -> None:
    listed = tmp_path / "objects.csv"
    listed.write_text("name,resource\nx,ticket/2\ny,account/1\n")
    filled.layout.classification.write_text("resource,tag\nticket/2,health\naccount/*,health\nticket/1,other\n")
    frame = pl.DataFrame({"resource": ["ticket/2", "account/1", None]})
    asked = [
        filled.who_touched("ticket/2", ["account/1"], **DAY),
        filled.who_touched(listed, **DAY),
        filled.who_touched(frame, **DAY),
        filled.who_touched(tag="health", **DAY),
    ]
    assert [sorted(actors(answer)) for answer in asked] == [sorted(["ann", HOSTILE])] * 4
    assert actors(filled.who_touched("account/*", literal=True, **DAY)) == []
    with pytest.raises(UsageError, match="no tag"):
        filled.who_touched(tag="secret", **DAY)


def test_before_and_after_a_stated_containment(filled: Case) -> None:
    answer = filled.who_touched("ticket/1", contained="2026-11-03T09:00:00Z", rank="exposure", version=1, **DAY)
    rows = answer.frame.select("actor", "objects", "before", "during", "after").rows()
    assert rows == [("ann", 1, 1, 0, 1), ("eve", 1, 0, 0, 1)]
    hours = ("2026-11-03T00:30:00Z", "2026-11-03T02:00:00Z")
    split = filled.who_touched("ticket/1", contained=hours, version=1, **DAY)
    assert split.frame.select("before", "during", "after").row(0) == (0, 1, 1)


def test_activity_has_sessions_and_what_is_new(filled: Case) -> None:
    answer = filled.activity(
        "ann", start="2026-11-03T08:00:00Z", end="2026-11-04", baseline=("2026-11-03", "2026-11-03T08:00:00Z")
    )
    assert answer.frame.select("resource", "action", "src_ips").rows() == [("ticket/1", "PutObject", ["198.51.100.7"])]
    assert answer.tables["sessions"].height == 1
    new = answer.tables["first_seen"].select("kind", "value").rows()
    assert new == [("action", "PutObject"), ("src_ip", "198.51.100.7")]


def test_a_name_nobody_has_suggests_near_ones(filled: Case) -> None:
    answer = filled.who_touched("tikcet/1", **DAY)
    assert answer.frame.is_empty()
    assert answer.suggestions[0] == "ticket/1"
    assert "did you mean  ticket/1" in repr(answer)
    assert filled.pivot("198.51.100.8", **DAY).suggestions[0] == "198.51.100.7"
    assert filled.activity("evee", **DAY).suggestions == ("eve",)
    assert filled.blast_radius("key-11", **DAY).suggestions[0] == "key-1"


@pytest.mark.parametrize("value", [HOSTILE, "' OR 1=1 --", "x\x00y", "\\", "*" * 50, "ü" * 2000, "$end", "{}"])
def test_hostile_values_are_only_values(filled: Case, value: str) -> None:
    met = int(value == HOSTILE)
    assert filled.who_touched(value, literal=True, **DAY).frame.height == 0
    assert (filled.activity(value, **DAY).frame.height > 0) == bool(met)
    assert (filled.pivot(value, **DAY).frame.height > 0) == bool(met)
    assert (filled.blast_radius(value, **DAY).frame.height > 0) == bool(met)
    assert (filled.timeline(actors=value, resources=["*"], **DAY).frame["kind"] == "event").sum() == 2 * met
    assert filled.search(value, **DAY).frame.height in {0, 2}


def test_names_like_what_somebody_is_called_suggest_the_key_to_ask_by(tmp_path: Path) -> None:
    case = investigate.open(tmp_path / "case")
    lines = [
        cloud(number, number, key, "b").replace(f'"userName": "{key}"', f'"userName": "{name}"')
        for number, (key, name) in enumerate([("arn:7", "Maeve Xu"), ("arn:8", "Maeve Ng"), ("arn:9", "Quinn Ng")], 1)
    ]
    (tmp_path / "cloud.jsonl").write_text("\n".join(lines))
    case.import_files(tmp_path / "cloud.jsonl", "cloudtrail")
    named = {row["actor_name"]: row["actor"] for row in case.sql("SELECT actor, actor_name FROM events").to_dicts()}
    assert case.activity("Maeve Xu").suggestions[0] == named["Maeve Xu"]
    assert case.blast_radius("quinn ng").suggestions[0] == named["Quinn Ng"]
    assert case.timeline(actors="Quin Ng").suggestions[0] == named["Quinn Ng"]


def test_of_several_names_each_that_is_not_met_is_named(filled: Case) -> None:
    answer = filled.activity("ann", "evee", **DAY)
    assert not answer.frame.is_empty()
    assert (answer.suggestions, answer.notes) == (("eve",), ("nothing was found of evee",))
    assert filled.timeline(actors=["ann", "evee"], **DAY).notes == ("nothing was found of evee",)
    compared = filled.compare((DAY["start"], DAY["end"]), ("2d", "1d"), actors=["ann", "evee"])
    assert "nothing was found of evee" in compared.notes
    assert filled.activity("ann", "eve", **DAY).notes == ()
    assert filled.timeline(credentials="key-9", **DAY).suggestions[0].startswith("key-")
    assert filled.timeline(src_ips="198.51.100.8", **DAY).suggestions[0] == "198.51.100.7"
    assert filled.timeline(actions="PutObjects", **DAY).suggestions[0] == "PutObject"


def test_an_e_mail_address_is_a_seed(tmp_path: Path) -> None:
    case = investigate.open(tmp_path / "case")
    actor = {"id": "u1", "display_name": "Ann", "email": "Ann@meridian.example", "type": "user"}
    entry = {"id": "d1", "timestamp": "2026-11-03T10:00:00Z", "actor": actor, "credential": {"id": "c1"}}
    (tmp_path / "d.jsonl").write_text(json.dumps(entry | {"objects": [{"id": "o1"}]}))
    case.import_files(tmp_path / "d.jsonl", "devrev")
    answer = case.blast_radius("ann@meridian.example")
    assert answer.frame.equals(case.blast_radius("u1").frame)
    assert answer.frame["from"].to_list()[0] == "u1"


def test_a_seed_is_an_actor_of_one_source_and_only_some_sources_count(filled: Case) -> None:
    tenant = filled.sql("SELECT any_value(tenant) FROM events WHERE source = 'coderabbit'").item()
    alone = filled.blast_radius(Node("actor", HOSTILE, "coderabbit", tenant), depth=1, **DAY).frame
    assert set(alone["source"]) == {"coderabbit"}
    assert set(filled.blast_radius(HOSTILE, depth=1, **DAY).frame["source"]) == {"coderabbit", "cloudtrail"}
    narrowed = filled.blast_radius(HOSTILE, depth=1, sources="coderabbit", **DAY)
    assert narrowed.frame.equals(alone)
    assert {source for source, _ in narrowed.coverage.sources} == {"coderabbit"}
    assert filled.blast_radius(Node("actor", HOSTILE, "coderabbit", "elsewhere"), **DAY).frame.is_empty()


def test_a_start_after_all_that_was_collected_asks_up_to_now(filled: Case) -> None:
    answer = filled.who_touched("ticket/1", start="2026-11-20")
    assert answer.window.end - answer.window.start > timedelta(days=1)
    assert not answer.coverage.complete
    assert {gap.state for gap in answer.coverage.gaps} == {"never collected"}


def test_events_beyond_what_was_collected_are_asked_about_and_the_gap_is_told(tmp_path: Path) -> None:
    case = investigate.open(tmp_path / "case")
    (tmp_path / "cloud.jsonl").write_text(cloud(1, 1, "ann", "b"))
    case.import_files(tmp_path / "cloud.jsonl", "cloudtrail", covers=("2026-11-01", "2026-11-02"))
    answer = case.who_touched("b")
    assert answer.frame["actor"].to_list() == ["ann"]
    assert not answer.coverage.complete
    assert case.activity("ann").frame.height == 1
    assert str(case.collected()) == str(Window.of("2026-11-01", "2026-11-02"))


def test_files_taken_for_what_they_hold_leave_no_gap(tmp_path: Path) -> None:
    case = investigate.open(tmp_path / "case")
    lines = [cloud(1, 1, "ann", "b"), cloud(2, 2, "ann", "b").replace("T02:00:00Z", "T02:00:00.123456Z")]
    (tmp_path / "cloud.jsonl").write_text("\n".join(lines))
    case.import_files(tmp_path / "cloud.jsonl", "cloudtrail")
    answer = case.who_touched("b")
    assert (answer.frame["events"].to_list(), answer.coverage.complete) == ([2], True)
    assert case.audit().coverage.complete


def test_an_acquisition_narrowed_to_what_is_asked_covers_it(tmp_path: Path) -> None:
    case = investigate.open(tmp_path / "case")
    window = Window.of("2026-11-03", "2026-11-04")
    for source, chosen in (("coderabbit", {"actions": ["api_key_create"]}), ("devrev", {"users": ["u1"]})):
        case.journal.begin(id=source, key=source, kind="import", source=source, spec={})
        case.journal.record(source, [], None, {}, case.journal.head())
        interval = Interval(source, "default", chosen, window, CoverageState.complete, source, "vendor")
        case.journal.finish(source, Counts(0, 0, 0, 0, 0), [interval], lake_version=None, window=None)
    assert {gap.source for gap in case.timeline(actions="api_key_create", **DAY).coverage.gaps} == {"devrev"}
    assert {gap.source for gap in case.activity("u1", **DAY).coverage.gaps} == {"coderabbit"}
    assert {gap.source for gap in case.activity("u1", "u2", **DAY).coverage.gaps} == {"coderabbit", "devrev"}


def test_a_timeline_shows_what_was_never_collected(filled: Case) -> None:
    frame = filled.timeline(version=1, **DAY).frame
    gap = frame.filter(kind="gap").select("source", "until", "note").rows()
    assert [(source, until.hour, note) for source, until, note in gap] == [("coderabbit", 6, "never collected")]
    assert frame["time"].is_sorted()
    cut = filled.timeline(most=2, **DAY)
    assert (cut.frame.filter(kind="event").height, "cut after the first 2 events" in cut.notes[0]) == (2, True)


def test_a_scan_says_that_it_is_one(filled: Case) -> None:
    answer = filled.search("GetObject", most=1, **DAY)
    assert answer.frame.height == 1
    assert [note[:6] for note in answer.notes] == ["a scan", "cut af"]


def test_what_is_accepted_counts_from_then_on(filled: Case) -> None:
    assert "ann" not in {
        name for row in filled.identities(**DAY).frame.rows(named=True) for name in row.get("aliases", ())
    }
    (found,) = filled.identities(**DAY).tables["suggestions"].filter(pl.col("actor") == "ann").rows(named=True)
    assert (found["other_source"], found["other_actor"]) == ("coderabbit", "Ann")
    try:
        pair = (found["source"], found["actor"]), (found["other_source"], found["other_actor"])
        filled.accept_identity("Ann Ash", *pair, author="inv", evidence=found["evidence"][0])
        filled.accept_identity("Mallory", ("", HOSTILE), author="inv")
        assert filled.identities(**DAY).tables["suggestions"].is_empty()
        touched = filled.who_touched("ticket/1", "key", **DAY).frame.filter(actor="Ann Ash")
        assert touched.select("source", "aliases").row(0) == (
            "cloudtrail, coderabbit",
            ["cloudtrail/ann", "coderabbit/Ann"],
        )
        assert set(filled.activity("Ann Ash", **DAY).frame["source"]) == {"cloudtrail", "coderabbit"}
        assert filled.activity("ann", **DAY).frame.equals(filled.activity("Ann Ash", **DAY).frame)
        assert set(filled.timeline(actors="Mallory", **DAY).frame["person"]) == {"Mallory", None}
        text = filled.layout.identities.read_text()
        assert not any(cell.startswith("=") for line in text.splitlines() for cell in line.split(","))
        filled.accept_identity("", *pair, author="inv", evidence="a mistake")
        assert "Ann Ash" not in actors(filled.who_touched("ticket/1", **DAY))
        assert len(filled.layout.identities.read_text().splitlines()) == 6
    finally:
        filled.layout.identities.unlink()


def test_files_that_cannot_be_meant_are_said(filled: Case) -> None:
    filled.layout.identities.write_text("name,who\na,b\n")
    try:
        with pytest.raises(ConfigError, match="no column 'person'"):
            filled.who_touched("ticket/1")
    finally:
        filled.layout.identities.unlink()


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        (lambda case: case.activity(), UsageError),
        (lambda case: case.activity("ann", gap="-5m"), BadTime),
        (lambda case: case.pivot(" "), UsageError),
        (lambda case: case.search(""), UsageError),
        (lambda case: case.blast_radius(), UsageError),
        (lambda case: case.blast_radius("x", depth=0), UsageError),
        (lambda case: case.timeline(activity="stare"), UsageError),
        (lambda case: case.compare(("2026-11-03", "2026-11-03"), ("2026-11-01", "2026-11-02")), UsageError),
        (lambda case: case.compare(("2026-11-03", "2026-11-04"), ("2026-11-01", "2026-11-02"), factor=1), UsageError),
        (lambda case: case.accept_identity("Ann", author="inv"), UsageError),
        (lambda case: case.accept_identity("Ann", ("", "ann"), author=" "), UsageError),
    ],
)
def test_questions_that_cannot_be_meant(filled: Case, ask: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        ask(filled)


def test_an_empty_lake_answers_every_question(tmp_path: Path) -> None:
    case = investigate.open(tmp_path / "case")
    for name, ask in QUESTIONS.items():
        answer = ask(case)
        assert answer.lake_version == -1, name
        assert answer.frame.filter(pl.lit(value=True)).height == (1 if name == "timeline" else 0)
        assert not answer.coverage.complete
