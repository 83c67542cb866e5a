"""Conditions on events as bound SQL: from a scope, and from what a page asks for, each field held against the schema.

A page never sends SQL. It names a column, an operator and a value; what is not a column and an operator known here is
refused, and values are bound.
"""

from __future__ import annotations

import string
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from investigate.errors import UsageError
from investigate.events import COLUMNS, parse_time
from investigate.trace.scope import folded, pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from investigate.events import Window

_LONGEST: Final = 1_000
"""Characters a filter of one column may have."""
_MOST_FILTERS: Final = len(COLUMNS)

_TEXT: Final = {
    "contains": "contains(lower({column}), lower({value}))",
    "lacks": "NOT coalesce(contains(lower({column}), lower({value})), false)",
    "is": "{column} = {value}",
    "is_not": "{column} IS DISTINCT FROM {value}",
    "starts": "starts_with(lower({column}), lower({value}))",
    "empty": "{column} IS NULL",
    "present": "{column} IS NOT NULL",
}
_LIST: Final = {
    "contains": "len(list_filter({column}, lambda one: contains(lower(one), lower({value})))) > 0",
    "lacks": "len(list_filter({column}, lambda one: contains(lower(one), lower({value})))) IS NOT DISTINCT FROM 0",
    "is": "list_contains({column}, {value})",
    "empty": "coalesce(len({column}), 0) = 0",
    "present": "len({column}) > 0",
}
_ORDERED: Final = {
    "is": "{column} = {value}",
    "from": "{column} >= {value}",
    "before": "{column} < {value}",
}
OPERATORS: Final[dict[str, dict[str, str]]] = {
    "string": _TEXT,
    "list": _LIST,
    "timestamp": _ORDERED,
    "date": _ORDERED,
    "int": _ORDERED,
}
"""Type of a column in `investigate.events.COLUMNS` to the operators it has, as SQL."""
_FOLDED: Final = f"translate({{column}}, '{string.ascii_uppercase}', '{string.ascii_lowercase}')"
"""`investigate.trace.scope.folded` in SQL: DuckDB's `lower` knows other letters than ASCII's, and changes them too."""
_WITHOUT_VALUE: Final = frozenset({"empty", "present"})


@dataclass
class Where:
    """Conditions that all must hold, and the values bound in them.

    Attributes:
        parts: each a piece of SQL with `$name` for values.
        values: what the names stand for.
        prefix: of the names, so that conditions with different ones can be put together.
    """

    parts: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    prefix: str = "p"

    @property
    def sql(self) -> str:
        """The conditions after `WHERE`; `true` where there is none."""
        return "\n  AND ".join(self.parts) or "true"

    def bind(self, value: Any) -> str:
        """A name that stands for `value`."""
        name = f"{self.prefix}{len(self.values)}"
        self.values[name] = value
        return f"${name}"

    def add(self, *alternatives: str) -> None:
        """One more condition, of which any alternative will do; none: nothing is added."""
        if alternatives:
            self.parts.append(alternatives[0] if len(alternatives) == 1 else f"({' OR '.join(alternatives)})")

    def among(self, column: str, values: Sequence[str]) -> None:
        """`column` is one of `values`; of none, nothing is asked."""
        if values:
            self.add(f"{column} IN ({', '.join(self.bind(value) for value in values)})")

    def also(self, other: Where | None = None) -> Where:
        """A copy, with the conditions of another whose prefix is a different one."""
        parts, values = (other.parts, other.values) if other else ([], {})
        return Where([*self.parts, *parts], {**self.values, **values}, self.prefix)


def within(where: Where, window: Window) -> None:
    """Events of a window, by day too, so that whole partitions are passed over."""
    start, end = where.bind(window.start), where.bind(window.end)
    days = f"date BETWEEN {where.bind(window.start.date())} AND {where.bind(window.end.date())}"
    where.add(f"{days} AND time >= {start} AND time < {end}")


def naming(where: Where, objects: Sequence[str]) -> None:
    """Events that name one of some objects, by id or, with `*`, by pattern; of none, nothing is asked."""
    ids = [one for one in objects if "*" not in one]
    found = [f"list_has_any(resources, {where.bind(ids)})"] if ids else []
    for glob in (one for one in objects if "*" in one):
        matching = f"lambda one: regexp_matches(one, {where.bind(pattern(glob))})"
        found.append(f"len(list_filter(resources, {matching})) > 0")
    where.add(*found)


class Actor(NamedTuple):
    """An actor, in one place or in any.

    Attributes:
        actor: its key.
        source: where it is valid; None is anywhere.
        tenant: likewise.
        elsewhere: sources in which the same key is somebody else.
    """

    actor: str
    source: str | None = None
    tenant: str | None = None
    elsewhere: tuple[str, ...] = ()


def by(where: Where, actors: Iterable[Actor], emails: Iterable[str] = ()) -> None:
    """Events of some actors, or under some e-mail addresses, the case of ASCII letters being equal; of nobody, none."""
    found = []
    for one in actors:
        parts = [f"actor = {where.bind(one.actor)}"]
        places = {"source": one.source, "tenant": one.tenant}
        parts += [f"{name} = {where.bind(value)}" for name, value in places.items() if value is not None]
        if one.elsewhere:
            parts.append(f"source NOT IN ({', '.join(where.bind(name) for name in one.elsewhere)})")
        found.append(f"({' AND '.join(parts)})")
    if mails := [folded(mail) for mail in emails]:
        found.append(f"list_contains({where.bind(mails)}, {_FOLDED.format(column='actor_email')})")
    where.add(*(found or ["false"]))


def filtered(where: Where, filters: Any) -> None:
    """What a page asks for, a column at a time.

    Args:
        where: added to.
        filters: `[{"column", "operator", "value"}]`, whatever a page sent.

    Raises:
        UsageError: anything but known columns, operators they have, and a value of their type.
    """
    if not isinstance(filters, list) or len(filters) > _MOST_FILTERS:
        raise UsageError("These are no filters.", "Give a list, at most one filter a column.")
    for one in filters:
        if not isinstance(one, dict):
            raise UsageError("This is no filter.", "Give a column, an operator and a value.")
        column, operator = known_column(one.get("column")), one.get("operator")
        form = OPERATORS[COLUMNS[column][0]].get(operator) if isinstance(operator, str) else None
        if form is None:
            known = ", ".join(OPERATORS[COLUMNS[column][0]])
            raise UsageError(f"A filter of {column} cannot be {str(operator)[:40]!r}.", f"It can be {known}.")
        if operator in _WITHOUT_VALUE:
            where.add(form.format(column=column))
        else:
            where.add(form.format(column=column, value=where.bind(_value(column, one.get("value")))))


def known_column(name: Any) -> str:
    """`name`, if it is a column of the events.

    Raises:
        UsageError: it is none.
    """
    if not isinstance(name, str) or name not in COLUMNS:
        raise UsageError(f"The events have no column {str(name)[:40]!r}.", f"They have {', '.join(COLUMNS)}.")
    return name


def _value(column: str, given: Any) -> Any:
    readers: dict[str, Callable[[str], Any]] = {
        "timestamp": parse_time,
        "date": lambda text: parse_time(text).date(),
        "int": int,
    }
    kind = COLUMNS[column][0]
    text = str(given) if isinstance(given, int) and not isinstance(given, bool) else given
    if not isinstance(text, str) or not text or len(text) > _LONGEST:
        raise UsageError(f"A filter of {column} needs a value.", f"Give 1 to {_LONGEST:,} characters.")
    try:
        return readers.get(kind, str)(text)
    except ValueError as error:
        raise UsageError(f"{text[:40]!r} is no value of {column}, which is of type {kind}.", "Correct it.") from error
