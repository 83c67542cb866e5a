"""The language of paths: what it says, and that every key can be written in it."""

from __future__ import annotations

import json

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from investigate.errors import ProfileError
from investigate.normalise.paths import Path, Step, each, literal, pointer

keys = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
plain_values = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="[]=\x00"), max_size=4)
steps = st.one_of(
    st.builds(Step, name=keys),
    st.just(Step()),
    st.builds(Step, key=plain_values.filter(bool), value=plain_values),
)


def find(path: str, record: object) -> object:
    parsed = Path.parse(path)
    value = f"json_extract_string(text, {literal(pointer(parsed.scalar))})"
    sql = each(value, parsed.rest) if parsed.rest else value
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE records AS SELECT $record::VARCHAR AS text", {"record": json.dumps(record)})
        return connection.execute(f"SELECT {sql} FROM records").fetchall()[0][0]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.b", "1"),
        ("list[].id", ["x", "y"]),
        ("named[name=doc].value", ["D"]),
        ("named[name=it's].value", ["Q"]),
        ("deep[].inner[].id", ["p", "q", "r"]),
        ("texts[]", ["s", "t"]),
        ("a[].b", ["1"]),
        ("absent[].b", None),
        ('"a.b"."c/d"', "2"),
        ('"~"."say \\"x\\""', "3"),
        ('""', "4"),
    ],
)
def test_what_a_path_finds(path: str, found: object) -> None:
    record = {
        "a": {"b": 1},
        "list": [{"id": "x"}, {"id": "y"}],
        "named": [{"name": "doc", "value": "D"}, {"name": "it's", "value": "Q"}],
        "deep": [{"inner": [{"id": "p"}, {"id": "q"}]}, {"inner": {"id": "r"}}],
        "texts": ["s", "t"],
        "a.b": {"c/d": 2},
        "~": {'say "x"': 3},
        "": 4,
    }
    assert find(path, record) == found


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "a]", "a[", 'a"b', '"a', "a[=x]", "a[]b", "a=b"])
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ProfileError, match="Not a path"):
        Path.parse(text)


@given(st.lists(steps, min_size=1, max_size=5))
def test_every_path_can_be_written_and_read_again(made: list[Step]) -> None:
    path = Path(tuple(made))
    assert Path.parse(str(path)) == path


@given(st.lists(keys, min_size=1, max_size=3))
@settings(deadline=None, max_examples=40)
def test_every_key_can_be_looked_up(names: list[str]) -> None:
    record: object = "found"
    for name in reversed(names):
        record = {name: record, f"{name}x": "not this"}
    assert find(str(Path(tuple(Step(name=name) for name in names))), record) == "found"


def test_a_path_as_seen_from_an_element() -> None:
    events = Path.parse("events[]")
    assert str(Path.parse("events[].parameters[name=x].value").below(events)) == "parameters[name=x].value"
    assert Path.parse("event.name").below(events) is None
