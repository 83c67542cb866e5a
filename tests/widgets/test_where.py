"""From what a page asks for to a bound query: known columns and operators, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from investigate.errors import UsageError
from investigate.events import COLUMNS, Window, event_schema
from investigate.widgets.where import OPERATORS, Actor, Where, by, filtered, naming, within

INJECTION = "x'); DROP TABLE events; --"


def events(**given: Any) -> dict[str, Any]:
    base: dict[str, Any] = dict.fromkeys(COLUMNS)
    base |= {"time": datetime(2026, 11, 3, 14, tzinfo=UTC), "date": datetime(2026, 11, 3, tzinfo=UTC).date()}
    return base | given


def found(where: Where, *rows: dict[str, Any]) -> list[int]:
    """Which of some events meet the conditions, by number."""
    numbered = [row | {"evidence_record": number} for number, row in enumerate(rows)]
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("events", pa.Table.from_pylist(numbered, schema=event_schema()))
        query = f"SELECT evidence_record FROM events WHERE {where.sql} ORDER BY 1"
        return [row[0] for row in connection.execute(query, where.values or None).fetchall()]


def asked(column: str, operator: str, value: Any = None) -> Where:
    where = Where()
    filtered(where, [{"column": column, "operator": operator, "value": value}])
    return where


@pytest.mark.parametrize(
    ("column", "operator", "value", "expected"),
    [
        ("actor", "contains", "AN", [0, 1]),
        ("actor", "lacks", "an", [2, 3]),
        ("actor", "is", "ann", [0]),
        ("actor", "is_not", "ann", [1, 2, 3]),
        ("actor", "starts", "Jo", [1, 2]),
        ("actor", "empty", None, [3]),
        ("actor", "present", None, [0, 1, 2]),
        ("resources", "contains", "TICKET", [0, 1]),
        ("resources", "lacks", "ticket", [2]),
        ("resources", "is", "account/1", [1]),
        ("resources", "empty", None, [2, 3]),
        ("time", "from", "2026-11-04", [2]),
        ("time", "before", "2026-11-04T00:00:00Z", [0, 1, 3]),
        ("date", "is", "2026-11-04", [2]),
    ],
)
def test_a_filter_finds_what_it_says(column: str, operator: str, value: str | None, expected: list[int]) -> None:
    later = {"time": datetime(2026, 11, 4, tzinfo=UTC), "date": datetime(2026, 11, 4, tzinfo=UTC).date()}
    rows = [
        events(actor="ann", resources=["ticket/1"]),
        events(actor="joann", resources=["ticket/2", "account/1"]),
        events(actor="Joe", resources=[], **later),
        events(actor=None, resources=None),
    ]
    assert found(asked(column, operator, value), *rows) == expected


@given(st.text(min_size=1, max_size=40).filter(lambda text: "\x00" not in text and text.isprintable()))
@settings(max_examples=15, deadline=None)
def test_whatever_is_typed_is_bound_and_found_as_it_is(text: str) -> None:
    where = asked("action", "is", text)
    assert text not in where.sql or text in "action = $p0"
    assert found(where, events(action=text), events(action=text + "x")) == [0]


def test_an_injection_is_a_value_like_any_other() -> None:
    where = asked("actor", "contains", INJECTION)
    assert where.sql == "contains(lower(actor), lower($p0))"
    assert where.values == {"p0": INJECTION}
    assert found(where, events(actor=f"a {INJECTION} b"), events(actor="a")) == [0]


@pytest.mark.parametrize(
    "filters",
    [
        "actor",
        [1],
        [{"column": "1=1", "operator": "is", "value": "x"}],
        [{"column": ["actor"], "operator": "is", "value": "x"}],
        [{"column": "actor", "operator": "OR 1=1", "value": "x"}],
        [{"column": "actor", "operator": ["is"], "value": "x"}],
        [{"column": "actor", "operator": "from", "value": "x"}],
        [{"column": "actor", "operator": "is", "value": {"a": 1}}],
        [{"column": "actor", "operator": "is", "value": ""}],
        [{"column": "actor", "operator": "is", "value": "x" * 1001}],
        [{"column": "time", "operator": "from", "value": "soon"}],
        [{"column": "time", "operator": "from", "value": "2026-11-03T14:00:00"}],
        [{"column": "evidence_record", "operator": "is", "value": "1.5"}],
        [{"column": "actor", "operator": "is", "value": "x"}] * 25,
    ],
)
def test_what_cannot_be_meant_is_refused(filters: Any) -> None:
    with pytest.raises(UsageError):
        filtered(Where(), filters)


def test_every_column_has_operators_and_each_is_valid_sql() -> None:
    values = {"timestamp": "2026-11-03", "date": "2026-11-03", "int": "1"}
    with duckdb.connect() as connection:
        connection.register("events", event_schema().empty_table())
        for column, (kind, _) in COLUMNS.items():
            for operator in OPERATORS[kind]:
                where = asked(column, operator, values.get(kind, "x"))
                connection.execute(f"SELECT count(*) FROM events WHERE {where.sql}", where.values or None)
                assert connection.fetchone() == (0,)


def test_conditions_of_different_prefixes_are_put_together() -> None:
    where, more = Where(), Where(prefix="f")
    naming(where, ["a", "t*"])
    filtered(more, [{"column": "actor", "operator": "is", "value": "ann"}])
    both = where.also(more)
    assert sorted(both.values) == ["f0", "p0", "p1"]
    rows = [events(actor="ann", resources=["t1"]), events(actor="ann", resources=["b"]), events(resources=["a"])]
    assert found(both, *rows) == [0]


def test_a_window_holds_its_start_and_not_its_end() -> None:
    where = Where()
    within(where, Window.of("2026-11-03T14:00:00Z", "2026-11-03T15:00:00Z"))
    late = events(time=datetime(2026, 11, 3, 15, tzinfo=UTC))
    assert found(where, events(), late) == [0]


def test_of_addresses_only_the_case_of_ascii_letters_does_not_count() -> None:
    mails = ["kate@x.example", "KATE@x.example", "\u212aate@x.example", "JÖRG@x.example", "jörg@x.example", None]
    rows = [events(actor_email=mail) for mail in mails]
    wanted = {"Kate@X.example": [0, 1], "\u212aate@x.example": [2], "jÖRG@x.example": [3], "jörg@x.example": [4]}
    for mail, expected in wanted.items():
        where = Where()
        by(where, [], [mail])
        assert found(where, *rows) == expected


def test_an_actor_is_one_in_its_place_and_nobody_is_no_event() -> None:
    rows = [
        events(actor="ann", source=source, tenant=tenant) for source, tenant in (("a", "1"), ("a", "2"), ("b", "1"))
    ]
    wanted = {Actor("ann"): [0, 1, 2], Actor("ann", "a"): [0, 1], Actor("ann", "a", "2"): [1]}
    for actor, expected in {**wanted, Actor("ann", elsewhere=("a",)): [2]}.items():
        where = Where()
        by(where, [actor])
        assert found(where, *rows) == expected
    where = Where()
    by(where, [])
    assert found(where, *rows) == []
