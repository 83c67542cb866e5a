"""DevRev's log under names nobody has published: by name where one fits, else by value, else as the case says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from investigate.normalise.paths import Path
from investigate.normalise.survey import words

if TYPE_CHECKING:
    from collections.abc import Callable

    Read = Callable[..., Any]

ORG = "don:identity:dvrv-us-1:devo/ACME"
ANN, BOT, SYSTEM, TOKEN = f"{ORG}:devu/7", f"{ORG}:svcacc/3", f"{ORG}:sysu/1", f"{ORG}:token/9"
TICKET, NEAR = "don:core:dvrv-us-1:devo/ACME:ticket/47", "don:core:dvrv-us-1:devo/ACME:ticket/471"

NESTED = {
    "id": "e1",
    "timestamp": "2026-11-03T10:00:00.123456Z",
    "actor": {"id": ANN, "type": "dev_user", "display_name": "Ann", "email": "Ann@acme.example"},
    "credential": {"id": TOKEN, "type": "pat"},
    "action": {"method": "works.get", "path": "/works.get"},
    "operation_type": "read",
    "outcome": {"status": "success", "http_status": 200},
    "objects": [{"id": TICKET, "type": "ticket", "title": "T"}, {"id": NEAR, "type": "ticket"}],
    "context": {"ip_address": "198.51.100.7", "user_agent": "curl", "request_id": "r1"},
    "dev_org": {"id": ORG, "slug": "acme"},
}
FLAT = {
    "id": "e1",
    "timestamp": "2026-11-03T10:00:00.123456Z",
    "user_id": ANN,
    "user_type": "dev_user",
    "user_name": "Ann",
    "user_email": "Ann@acme.example",
    "token_id": TOKEN,
    "method": "works.get",
    "operation_type": "read",
    "status": "success",
    "object_ids": [TICKET, NEAR],
    "object_type": "ticket",
    "object_title": "T",
    "ip_address": "198.51.100.7",
    "user_agent": "curl",
    "request_id": "r1",
    "dev_org_id": ORG,
}
CAMEL = {
    "eventId": "e1",
    "createdAt": "2026-11-03T10:00:00.123456Z",
    "actor": {"id": ANN, "type": "dev_user", "displayName": "Ann", "email": "Ann@acme.example"},
    "tokenId": TOKEN,
    "apiMethod": "works.get",
    "operationType": "READ",
    "statusCode": 200,
    "targets": [{"id": TICKET, "type": "ticket", "title": "T"}, {"id": NEAR, "type": "ticket"}],
    "sourceIp": "198.51.100.7",
    "userAgent": "curl",
    "requestId": "r1",
    "devOrg": {"id": ORG},
}
WRAPPED = {"schema_version": 2, "event": NESTED}
OPAQUE = {
    "k": "e1",
    "at": "2026-11-03T10:00:00.123456Z",
    "ref1": ANN,
    "ref2": [TICKET, NEAR],
    "ref3": TOKEN,
    "kind": "read",
    "peer": "198.51.100.7",
    "realm": ORG,
}
SHAPES = {"nested": NESTED, "flat": FLAT, "camel": CAMEL, "wrapped": WRAPPED, "opaque": OPAQUE}
TOLD_BY_VALUE = {
    "actor": ANN,
    "actor_type": "user",
    "tenant": "ACME",
    "credential": TOKEN,
    "activity": "read",
    "resource": TICKET,
    "resources": [TICKET, NEAR],
    "src_ip": "198.51.100.7",
}
TOLD_BY_NAME = TOLD_BY_VALUE | {
    "event_uid": "e1",
    "actor_name": "Ann",
    "actor_email": "Ann@acme.example",
    "action": "works.get",
    "resource_type": "ticket",
    "resource_name": "T",
    "user_agent": "curl",
    "request_uid": "r1",
    "outcome": "success",
}


def lines(*records: object) -> bytes:
    return "\n".join(json.dumps(record) for record in records).encode()


@pytest.mark.parametrize("name", SHAPES)
def test_who_what_when_and_where_in_every_shape(read: Read, name: str) -> None:
    event = read(lines(SHAPES[name])).events[0]
    expected = TOLD_BY_VALUE if name == "opaque" else TOLD_BY_NAME
    assert {column: event[column] for column in expected} == expected
    assert event["time"].isoformat() == "2026-11-03T10:00:00.123456+00:00"


def test_a_mixture_of_shapes_inside_one_file(read: Read) -> None:
    reading = read(lines(*SHAPES.values()))
    assert reading.rejects == []
    for name, event in zip(SHAPES, reading.events, strict=True):
        expected = TOLD_BY_VALUE if name == "opaque" else TOLD_BY_NAME
        expected = {column: value for column, value in expected.items() if column != "event_uid"}
        assert {column: event[column] for column in expected} == expected


def test_a_shape_that_begins_after_many_records_is_found_too(read: Read) -> None:
    many = [NESTED | {"id": f"n{number}", "pad": "x" * 2000} for number in range(9000)]
    late = [OPAQUE | {"k": number} for number in range(3)]
    reading = read(lines(*many, *late))
    assert (reading.rejects, [event["actor"] for event in reading.events[-3:]]) == ([], [ANN] * 3)


def test_decisions_say_how_and_how_often(read: Read) -> None:
    overrides = {"devrev": {"src_ip": ["peer"]}}
    reading = read(lines(OPAQUE, OPAQUE | {"k": "e2", "peer": None, "status": "ok"}), overrides=overrides)
    told = {decision.column: decision for decision in reading.decisions}
    assert str(told["actor"]) == "actor = ref1 (by value, in 100% of the records looked at)"
    assert str(told["src_ip"]) == "src_ip = peer (by case, in 50% of the records looked at)"
    assert (told["outcome"].how, told["outcome"].share) == ("name", 0.5)


def test_the_case_overrides_any_column(read: Read) -> None:
    overrides = {
        "devrev": {
            "actor": ["objects[].id"],
            "action": {"default": "fixed"},
            "tenant": ["context.user_agent"],
            "activity": {"paths": ["operation_type"], "map": {"read": "update"}},
        }
    }
    event = read(lines(NESTED), overrides=overrides).events[0]
    assert (event["actor"], event["action"], event["tenant"], event["activity"]) == (TICKET, "fixed", "curl", "update")
    assert event["src_ip"] == "198.51.100.7"


def test_an_object_that_is_now_and_then_a_user_is_not_who(read: Read) -> None:
    records = [OPAQUE | {"k": number, "ref2": f"{ORG}:devu/{number}"} for number in range(20)]
    records += [OPAQUE | {"k": 100 + number, "ref1": None, "ref2": f"{ORG}:devu/{number}"} for number in range(5)]
    records += [OPAQUE | {"k": 200, "ref2": TICKET}]
    events = read(lines(*records)).events
    assert [event["actor"] for event in events] == [ANN] * 20 + ["unknown"] * 5 + [ANN]
    assert [event["resource"] for event in events[:2]] == [f"{ORG}:devu/0", f"{ORG}:devu/1"]


def test_a_user_beside_the_actor_does_not_become_the_actor_where_that_is_missing(read: Read) -> None:
    beside = [OPAQUE | {"k": number, "owner": f"{ORG}:devu/{number}"} for number in range(4)]
    alone = OPAQUE | {"k": 9, "ref1": None, "owner": f"{ORG}:devu/9"}
    assert [event["actor"] for event in read(lines(*beside, alone)).events] == [ANN] * 4 + ["unknown"]


def test_users_and_service_accounts_in_different_fields_are_both_who(read: Read) -> None:
    machine = {**OPAQUE, "k": "e2", "machine": BOT}
    del machine["ref1"]
    events = read(lines(OPAQUE, OPAQUE | {"k": "e3"}, machine)).events
    assert [(event["actor"], event["actor_type"]) for event in events] == [
        (ANN, "user"),
        (ANN, "user"),
        (BOT, "service"),
    ]


def test_an_organisation_is_a_tenant_and_no_resource(read: Read) -> None:
    event = read(lines({"at": "2026-11-03T10:00:00Z", "x": ORG, "y": TICKET})).events[0]
    assert (event["tenant"], event["resources"]) == ("ACME", [TICKET])


def test_an_object_with_times_and_users_of_its_own_is_no_wrapping_key(read: Read) -> None:
    thing = {"id": TICKET, "created_at": "2020-01-01T00:00:00Z", "created_by": {"id": SYSTEM}, "title": "T"}
    event = read(lines(OPAQUE | {"thing": thing, "a": 1, "b": 2})).events[0]
    assert (event["actor"], event["time"].year) == (ANN, 2026)


@pytest.mark.parametrize("number", [1, 42, 1234567890, 9999999999, 20261103, 1793707200])
def test_an_integer_that_numbers_records_is_no_time(read: Read, number: int) -> None:
    reading = read(lines({"record_id": number, "who": ANN}))
    assert reading.reasons == ["no time: none of the profile's fields for it is there"]


def test_an_epoch_is_a_time_by_its_value(read: Read) -> None:
    event = read(lines({"at": 1793707200123, "who": ANN})).events[0]
    assert event["time"].isoformat() == "2026-11-03T12:00:00.123000+00:00"


def test_an_id_that_is_not_the_events_own_is_not_its_uid(read: Read) -> None:
    records = [NESTED | {"id": TICKET, "operation_type": kind} for kind in ("read", "update", "delete")]
    assert len({event["event_uid"] for event in read(lines(*records)).events}) == 3


@pytest.mark.parametrize("records", [[], ["x"], [{}], [{"a": None}], [{"": {"": ""}}], [[]], [{"x": []}]])
def test_a_log_that_says_nothing_decides_nothing(read: Read, records: list[object]) -> None:
    reading = read(lines(*records, {"unrelated": 5}))
    assert (reading.events, len(reading.rejects)) == ([], reading.records)


def test_keys_that_cannot_stand_in_a_query_are_left_alone(read: Read) -> None:
    record = rf'{{"\ud800":"{ANN}","n\u0000":"{TICKET}","o\'; DROP--":"{TOKEN}","at":"2026-11-03T10:00:00Z"}}'.replace(
        "\\'", "'"
    )
    event = read(record.encode()).events[0]
    assert (event["raw"], event["credential"], event["resource"]) == (record, TOKEN, TICKET)


@pytest.mark.parametrize("path", ["actor.displayName", "actor_display_name", "ActorDisplayName", "actor.display-name"])
def test_a_name_is_the_same_in_every_case_and_nesting(path: str) -> None:
    assert words(Path.parse(path)) == "actor display name"
