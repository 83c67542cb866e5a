"""The compiled query does what a profile says, whatever characters it says it in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from investigate.normalise.paths import Path, Step
from investigate.normalise.profile import load

if TYPE_CHECKING:
    from collections.abc import Callable

    Read = Callable[..., Any]

NASTY = ["'", "''; DROP TABLE batch; --", '"', "\\", "{}", "$1", "?", "%s", "a'b\"c", "/*", "\n", "é😀", "~/.", "batch"]
HARD = settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_a_profile_full_of_sql_is_only_text(read: Read) -> None:
    keys = [str(Path((Step(name=key),))) for key in NASTY]
    own = {
        "time": ["t"],
        "actor": {"paths": keys, "extract": "('[a-z;]+)"},
        "action": {"default": "'; DROP TABLE batch; --"},
        "activity": {"paths": ["word"], "map": {word.lower(): "delete" for word in NASTY}, "prefix": {"x'": "read"}},
        "resources": [f"list[name={word}].value" for word in NASTY if not set(word) & set("[]=")],
        "tenant": {"search": "\"don';--:(.)"},
    }
    for word in NASTY:
        record = {"t": 1793707200, word: "A", "word": word, "list": [{"name": word, "value": word}]}
        event = read(json.dumps(record).encode(), profile="own", overrides={"own": own}, tenant="it's").events[0]
        assert (event["actor"], event["activity"], event["resources"]) == ("A", "delete", [word])
        assert (event["action"], event["tenant"]) == ("'; DROP TABLE batch; --", "it's")


@HARD
@given(words=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12), min_size=1))
@pytest.mark.parametrize(("name", "column"), [("cloudtrail", "activity"), ("coderabbit", "activity")])
def test_the_query_translates_words_as_the_profile_does(read: Read, name: str, column: str, words: list[str]) -> None:
    made = load(name).columns[column]
    words += [part + word for part in list(made.prefix)[:9] for word in words[:2]]
    words += [word + part.upper() for part in list(made.suffix)[:9] for word in words[:2]]
    fields = {"cloudtrail": ("eventTime", "eventName"), "coderabbit": ("createdAt", "action")}[name]
    lines = [json.dumps({fields[0]: "2026-11-03T10:00:00Z", fields[1]: word}) for word in words]
    events = read("\n".join(lines).encode(), profile=name).events
    assert [event["activity"] for event in events] == [made.translate(word) or "other" for word in words]
    assert [event["action"] for event in events] == words


@pytest.mark.parametrize(
    ("value", "resources"),
    [
        ("r1", ["r1"]),
        (["r1", "r2", "r1", None, ""], ["r1", "r2"]),
        ([], []),
        (None, []),
        ("", []),
        ("[not a list", ["[not a list"]),
        (7, ["7"]),
    ],
)
def test_one_resource_or_many_under_one_key(read: Read, value: object, resources: list[str]) -> None:
    own = {"own": {"time": ["t"], "resources": ["r"]}}
    event = read(json.dumps({"t": 1793707200, "r": value}).encode(), profile="own", overrides=own).events[0]
    assert (event["resources"], event["resource"]) == (resources, resources[0] if resources else None)


@pytest.mark.parametrize(
    ("record", "actor"),
    [
        ({"id": "U1", "mail": "A@x.example", "name": "Ann"}, "U1"),
        ({"mail": "A@x.example", "name": "Ann"}, "a@x.example"),
        ({"id": "B@x.example"}, "b@x.example"),
        ({"id": "arn:aws:sts::1:assumed-role/R/B@x.example"}, "arn:aws:sts::1:assumed-role/R/B@x.example"),
        ({"name": "Ann"}, "Ann"),
        ({}, "unknown"),
    ],
)
def test_who_is_the_id_else_the_mail_else_the_name(read: Read, record: dict[str, str], actor: str) -> None:
    own = {"own": {"time": ["t"], "actor": ["id"], "actor_email": ["mail"], "actor_name": ["name"]}}
    event = read(json.dumps({"t": 1793707200} | record).encode(), profile="own", overrides=own).events[0]
    assert event["actor"] == actor


def test_a_value_is_taken_out_of_its_field_where_the_pattern_fits(read: Read) -> None:
    own = {"own": {"time": ["t"], "tenant": {"paths": ["o"], "extract": "devo/([^:]+)"}}}
    lines = b'{"t":1793707200,"o":"don:identity:x:devo/ACME:devu/1"}\n{"t":1793707200,"o":"plain"}'
    assert [event["tenant"] for event in read(lines, profile="own", overrides=own).events] == ["ACME", "plain"]
