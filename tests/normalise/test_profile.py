"""Profiles: what they may say, what is refused, and a golden record for each that is shipped."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from investigate.errors import ProfileError
from investigate.normalise import profile as profiles
from investigate.normalise.normaliser import Normaliser
from investigate.normalise.paths import Path
from investigate.normalise.profile import MAPPABLE, Column, load, names, parse

if TYPE_CHECKING:
    from collections.abc import Callable

    Read = Callable[..., Any]

GOLDEN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "cloudtrail": (
        {
            "eventID": "c1",
            "eventTime": "2026-11-03T10:00:00Z",
            "eventName": "GetObject",
            "eventSource": "s3.amazonaws.com",
            "sourceIPAddress": "198.51.100.7",
            "userAgent": "aws-cli",
            "requestID": "q1",
            "recipientAccountId": "123456789012",
            "errorCode": "AccessDenied",
            "userIdentity": {
                "type": "AssumedRole",
                "arn": "arn:aws:sts::123456789012:assumed-role/Admin/Ann@Acme.example",
                "accessKeyId": "ASIA1",
                "sessionContext": {"sessionIssuer": {"userName": "Admin"}},
            },
            "resources": [{"ARN": "arn:aws:s3:::b/k", "type": "AWS::S3::Object"}, {"ARN": "arn:aws:s3:::b"}],
            "requestParameters": {"bucketName": "b"},
        },
        {
            "event_uid": "c1",
            "tenant": "123456789012",
            "actor": "arn:aws:sts::123456789012:assumed-role/Admin/Ann@Acme.example",
            "actor_name": "Admin",
            "actor_type": "service",
            "credential": "ASIA1",
            "action": "GetObject",
            "category": "s3.amazonaws.com",
            "activity": "read",
            "resource": "arn:aws:s3:::b/k",
            "resource_type": "AWS::S3::Object",
            "resources": ["arn:aws:s3:::b/k", "arn:aws:s3:::b", "b"],
            "src_ip": "198.51.100.7",
            "user_agent": "aws-cli",
            "request_uid": "q1",
            "outcome": "failure",
        },
    ),
    "coderabbit": (
        {
            "id": "r1",
            "action": "api_key_create",
            "resourceType": "api_key",
            "resourceSummary": "ci key",
            "actor": {"name": "Ann", "subtitle": "Billing Admin", "isBot": False},
            "metadata": {"apiKeyId": "k1"},
            "ipAddress": "198.51.100.7",
            "createdAt": "2026-11-03T10:00:00Z",
            "relativeTime": "2 hours ago",
        },
        {
            "event_uid": "r1",
            "tenant": "acme",
            "actor": "Ann",
            "actor_name": "Ann",
            "actor_type": "user",
            "credential": "k1",
            "action": "api_key_create",
            "category": "api_key",
            "activity": "create",
            "resource": "k1",
            "resources": ["k1", "ci key"],
            "resource_name": "ci key",
            "src_ip": "198.51.100.7",
            "outcome": "success",
        },
    ),
    "devrev": (
        {
            "id": "d1",
            "timestamp": "2026-11-03T10:00:00Z",
            "actor": {"id": "don:identity:dvrv-us-1:devo/ACME:svcacc/3"},
            "operation_type": "delete",
            "object": {"id": "don:core:dvrv-us-1:devo/ACME:ticket/47"},
        },
        {
            "event_uid": "d1",
            "tenant": "ACME",
            "actor": "don:identity:dvrv-us-1:devo/ACME:svcacc/3",
            "actor_type": "service",
            "activity": "delete",
            "resource": "don:core:dvrv-us-1:devo/ACME:ticket/47",
            "outcome": "unknown",
        },
    ),
    "google_workspace": (
        {
            "id": {
                "time": "2026-11-03T10:00:00Z",
                "uniqueQualifier": "-5",
                "applicationName": "drive",
                "customerId": "C1",
            },
            "actor": {"callerType": "USER", "email": "Ann@Acme.example"},
            "ipAddress": "198.51.100.7",
            "events": [
                {
                    "type": "access",
                    "name": "view",
                    "parameters": [
                        {"name": "doc_id", "value": "D1"},
                        {"name": "doc_type", "value": "document"},
                        {"name": "doc_title", "value": "Plan"},
                        {"name": "doc_title", "value": "Plan B"},
                    ],
                }
            ],
        },
        {
            "event_uid": "drive:C1:2026-11-03T10:00:00Z:-5:view#0",
            "tenant": "C1",
            "actor": "ann@acme.example",
            "actor_email": "Ann@Acme.example",
            "actor_type": "user",
            "action": "view",
            "category": "access",
            "activity": "read",
            "resources": ["D1"],
            "resource_type": "document",
            "resource_name": "Plan",
            "src_ip": "198.51.100.7",
            "outcome": "success",
        },
    ),
}


@pytest.mark.parametrize("name", names())
def test_a_golden_record_becomes_its_event(read: Read, name: str) -> None:
    record, expected = GOLDEN[name]
    text = json.dumps(record, indent=1)
    event = read(text.encode(), profile=name, tenant="acme" if name == "coderabbit" else None).events[0]
    assert {column: event[column] for column in expected} == expected
    assert event["time"].isoformat() == "2026-11-03T10:00:00+00:00"
    assert (event["source"], event["raw"]) == (name, text)


@pytest.mark.parametrize("name", names())
def test_every_shipped_profile_says_who_what_when_and_its_paths_are_paths(name: str) -> None:
    profile = load(name)
    assert {"event_uid", "time", "actor", "action", "activity", "resources"} <= set(profile.columns)
    for column in profile.columns.values():
        assert [Path.parse(str(path)) for path in (*column.paths, *column.join)] == [*column.paths, *column.join]


def test_one_record_of_several_events_gives_each_its_own(read: Read) -> None:
    record, _ = GOLDEN["google_workspace"]
    several = record | {"events": [{"name": "view"}, {"name": "edit"}, {"name": "login_failure"}]}
    events = read(json.dumps({"items": [several]}).encode(), profile="google_workspace").events
    assert [(event["action"], event["activity"], event["outcome"]) for event in events] == [
        ("view", "read", "success"),
        ("edit", "update", "success"),
        ("login_failure", "other", "failure"),
    ]
    assert len({event["event_uid"] for event in events}) == 3
    assert {event["evidence_record"] for event in events} == {0}


@pytest.mark.parametrize("events", [[], None, "x", {}, 5])
def test_a_record_of_no_events_is_one_event(read: Read, events: object) -> None:
    record = GOLDEN["google_workspace"][0] | {"events": events}
    assert len(read(json.dumps(record).encode(), profile="google_workspace").events) == 1


BAD: list[tuple[dict[str, Any], str]] = [
    ({"actors": ["x"]}, "unknown key 'actors'"),
    ({"actor": "x"}, "neither a list of paths nor a table"),
    ({"actor": ["x["]}, "Not a path"),
    ({"actor": [5]}, "no list of strings"),
    ({"actor": {"path": ["x"]}}, "unknown option 'path'"),
    ({"actor": {"paths": ["x"], "extract": "("}}, "no regular expression"),
    ({"actor": {"paths": ["x"], "extract": "ab"}}, "has 0 groups"),
    ({"time": {"paths": ["x"], "zone": "Mars/Olympus"}}, "unknown zone"),
    ({"time": {"paths": ["x"], "zone": 5}}, "zone is no string"),
    ({"activity": {"paths": ["x"], "map": {"a": "look"}}}, "'look' is no activity"),
    ({"outcome": {"default": "maybe"}}, "'maybe' is no outcome"),
    ({"activity": {"paths": ["x"], "map": "read"}}, "map is no table of strings"),
    ({"activity": {"paths": ["x"], "prefix": {"a": 5}}}, "prefix is no table of strings"),
    ({"actor": {"default": 5}}, "default is no string"),
    ({"actor": {"paths": ["x"], "search": 5}}, "search is no string"),
    ({"records": "lines"}, "records is no list of strings"),
    ({"explode": 5}, "explode is no string"),
    ({"explode": "[["}, "Not a path"),
]


@pytest.mark.parametrize(("settings", "words"), BAD)
def test_a_profile_that_cannot_be_meant_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ProfileError, match=words.replace("(", r"\(")):
        parse("own", settings)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"actor": ["[].x"]}, "starts with a list"),
        ({"explode": "a[].b"}, "no list below keys"),
        ({"explode": "a"}, "no list below keys"),
        ({"actor": {"paths": ["x"], "extract": "(?<=a)(b)"}}, "Correct its patterns"),
    ],
)
def test_what_the_engine_cannot_do_is_said_before_any_record(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ProfileError, match=words):
        Normaliser(load("own", {"own": {"time": ["t"], **settings}}))


@pytest.mark.parametrize("name", ["nope", "Nope", "../devrev"])
def test_an_unknown_profile_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(ProfileError, match="cloudtrail, coderabbit, devrev, google_workspace"):
        load(name)


def test_a_case_lays_its_columns_over_a_shipped_profile() -> None:
    made = load("devrev", {"devrev": {"actor": ["who"], "records": ["lines"]}})
    assert made.columns["actor"] == Column(paths=(Path.parse("who"),))
    assert (made.pinned, made.records) == (frozenset({"actor"}), ("lines",))
    assert made.columns["time"] == load("devrev").columns["time"]


def test_a_case_may_define_a_profile_of_its_own(read: Read) -> None:
    own = {"own": {"records": ["log[]"], "time": ["t"], "actor": ["u"], "resources": ["r"]}}
    event = read(
        b'{"log":[{"t":1793707200,"u":"ANN@x.example","r":["a","b","a"]}]}', profile="own", overrides=own
    ).events[0]
    assert (event["actor"], event["resources"], event["activity"]) == ("ann@x.example", ["a", "b"], "other")


def test_the_longest_prefix_and_suffix_win() -> None:
    column = Column(values={"getall": "other"}, prefix={"Get": "read", "GetOr": "create"}, suffix={"_x": "update"})
    words = ["GETALL", "GetThing", "GetOrMake", "do_X", "nothing"]
    assert [column.translate(word) for word in words] == ["other", "read", "create", "update", None]


def test_the_columns_a_profile_may_set_are_the_schemas() -> None:
    assert set(MAPPABLE) <= set(profiles.COLUMNS)


@pytest.mark.parametrize("paths", [["ids[]"], ["other", "ids[]"], ["ids"], ["other", "ids"]])
@pytest.mark.parametrize(
    ("ids", "found"),
    [
        (["a", "b"], ["a", "b"]),
        ("a", ["a"]),
        ([{"id": "a"}], []),
        ([{"id": "a"}, "b", ["c"], 4], ["b", "4"]),
        ({"id": "a"}, []),
        (["{3F25-A}"], ["{3F25-A}"]),
    ],
)
def test_what_is_no_id_is_none(read: Read, paths: list[str], ids: object, found: list[str]) -> None:
    overrides = {"cloudtrail": {"resources": paths}}
    record = {"eventID": "a", "eventTime": "2026-11-03T10:00:00Z", "ids": ids}
    reading = read(json.dumps(record).encode(), profile="cloudtrail", overrides=overrides)
    assert reading.events[0]["resources"] == found


def test_lists_of_lists_hold_what_is_in_them(read: Read) -> None:
    record = {"eventID": "a", "eventTime": "2026-11-03T10:00:00Z", "ids": [["a", {"id": "b"}], ["c"], "d"]}
    reading = read(
        json.dumps(record).encode(), profile="cloudtrail", overrides={"cloudtrail": {"resources": ["ids[][]"]}}
    )
    assert reading.events[0]["resources"] == ["a", "c", "d"]
