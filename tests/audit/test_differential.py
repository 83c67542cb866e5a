"""The backend against plain Python: random rules over random records, the same matches."""

from __future__ import annotations

import json
from typing import Any

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sigma.collection import SigmaCollection

from investigate.audit.ruleset import translate
from investigate.audit.sheet import Sheet

from . import reference
from .made import event, lake

FIELDS = ("action", "a", "a.b", "c.d.e", "n")
WORDS = (
    "",
    "a",
    "AB",
    "ab c",
    "a*b",
    "x?",
    "a\\b",
    "-q",
    "foo-bar",
    "5",
    "5.5",
    "true",
    "[a",
    "100%_",
    "ä",
    "10.1.2.3",
)
texts = st.one_of(st.sampled_from(WORDS), st.text("aAbB*?\\%_. -/5", max_size=4))
scalars = st.one_of(texts, st.sampled_from([5, 5.5, -1, 0, True, False, None]))
values = st.one_of(scalars, st.lists(scalars, max_size=3), st.just({"z": "ab"}))


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if draw(st.booleans()):
        found["a"] = draw(values)
    elif draw(st.booleans()):
        found["a"] = draw(
            st.one_of(st.fixed_dictionaries({"b": values}), st.lists(st.fixed_dictionaries({"b": values}), max_size=3))
        )
    if draw(st.booleans()):
        inner = st.one_of(
            st.fixed_dictionaries({"e": values}), st.lists(st.fixed_dictionaries({"e": values}), max_size=2)
        )
        found["c"] = draw(
            st.one_of(st.just({"d": draw(inner)}), st.lists(st.fixed_dictionaries({"d": inner}), max_size=2))
        )
    if draw(st.booleans()):
        found["n"] = draw(scalars)
    if draw(st.integers(0, 4)) == 0:
        found["a.b"] = draw(values)
    return found


def _plain(text: str) -> str:
    return text.replace("*", "").replace("?", "").replace("\\", "")


def suffixed(*suffixes: str) -> st.SearchStrategy[str]:
    """A field with one of these behind it."""
    return st.builds(str.__add__, st.sampled_from(FIELDS), st.sampled_from(suffixes))


def valued(plain: st.SearchStrategy[Any], *suffixes: str) -> st.SearchStrategy[tuple[str, Any]]:
    """A field with a value or a list of them, of which any or all have to fit, or none."""
    listed = st.lists(plain, min_size=1, max_size=3)
    many = st.tuples(suffixed(*(one + more for one in suffixes for more in ("", "|all", "|neq"))), listed)
    return st.one_of(st.tuples(suffixed(*suffixes), plain), many)


items = st.one_of(
    valued(scalars, ""),
    valued(texts, "", "|contains", "|startswith", "|endswith"),
    valued(texts, "|cased", "|contains|cased"),
    st.tuples(suffixed("|exists"), st.booleans()),
    st.tuples(
        suffixed("|fieldref", "|fieldref|contains", "|fieldref|startswith", "|fieldref|endswith"),
        st.sampled_from(FIELDS),
    ),
    st.tuples(suffixed("|gt", "|gte", "|lt", "|lte"), st.sampled_from([0, 5, 5.5])),
    st.tuples(
        suffixed("|re", "|re|i", "|re|s", "|re|i|m"), st.sampled_from(["^a", "B$", "a.b", "[0-9]+", "^$", "a|x"])
    ),
    st.tuples(suffixed("|cidr"), st.sampled_from(["10.0.0.0/8", "10.1.2.3/32", "0.0.0.0/0"])),
    st.tuples(
        suffixed("|base64", "|base64|contains", "|windash|contains"),
        st.one_of(st.just("foo -bar"), texts.map(_plain)),
    ),
    st.tuples(
        suffixed("|base64offset|contains", "|wide|base64offset|contains"),
        texts.map(_plain).filter(lambda text: text.isascii() and len(text) > 1),
    ),
)
maps = st.lists(items, min_size=1, max_size=2).map(dict)
keywords = st.lists(st.one_of(texts.filter(bool), st.sampled_from([5, "b*c"])), min_size=1, max_size=2)
blocks = st.one_of(maps, maps, maps, st.lists(maps, min_size=1, max_size=2), keywords)
conditions = st.sampled_from(
    [
        *("s1", "not s1", "s1 and not s2", "1 of s*", "all of s*", "not 1 of s*", "all of them", "1 of them"),
        *("s1 or (s2 and not s3)", "not (s1 or not s2) and s3", "s1 or s2 and s3", "not s1 and not s2"),
    ]
)
detections = st.builds(
    lambda one, two, three, condition: {"s1": one, "s2": two, "s3": three, "condition": condition},
    blocks,
    blocks,
    blocks,
    conditions,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(detections, min_size=3, max_size=3),
    st.lists(records(), min_size=8, max_size=8),
    st.lists(texts, min_size=8, max_size=8),
)
@example([{"s1": {"a|contains": "b\\\\*c"}, "condition": "s1"}], [{"a": "x b\\c y"}], [""])
@example([{"s1": {"a": None}, "condition": "not s1"}], [{"a": []}, {"a": [None]}, {"a": None}, {}, {"a": ""}], [""] * 5)
@example(
    [{"s1": {"a.b": "x"}, "condition": "not s1"}], [{"a": [{"b": ["q", "X"]}, {"b": None}]}, {"a.b": ["x"]}], [""] * 2
)
@example([{"s1": ['b"c', "é"], "condition": "s1"}], [{"a": 'b"C'}, {"k": ["É"]}, {"k": 1}], [""] * 3)
def test_the_backend_finds_what_plain_python_finds(
    rules: list[dict[str, Any]], given_records: list[dict[str, Any]], actions: list[str]
) -> None:
    sheet = Sheet("devrev")
    conditions = [translate(_read(detection), sheet) for detection in rules]
    events = [event(raw=record, action=action) for record, action in zip(given_records, actions, strict=True)]
    asked = ", ".join(f"coalesce({condition}, false)" for condition in conditions)
    with lake(events) as connection:
        rows = connection.execute(
            f"SELECT {asked} FROM ({sheet.query('*', 'events', 'true')}) ORDER BY evidence_record"
        ).fetchall()
    for record, action, row in zip(given_records, actions, rows, strict=True):
        wanted = tuple(reference.matches({"detection": one}, record, {"action": action}) for one in rules)
        assert row == wanted, (rules, json.dumps(record), action)


def _read(detection: dict[str, Any]) -> Any:
    document = {"title": "t", "logsource": {"product": "devrev"}, "detection": detection}
    return SigmaCollection.from_yaml(yaml.safe_dump(document)).rules[0]
