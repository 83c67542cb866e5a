"""A profile as one DuckDB query: a batch of raw records in, canonical columns out, nothing interpreted in Python."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from investigate.errors import ProfileError
from investigate.events import UNKNOWN
from investigate.normalise.paths import Path, each, literal, pointer
from investigate.normalise.profile import CLOSED, Column, Profile, longest_first

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ISO: Final = r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)?(?:Z|[+-]\d\d(?::?\d\d)?)?"
ZONED: Final = r".{10,}(?:Z|[+-]\d\d(?::?\d\d)?)$"
EPOCH: Final = r"\d{9,19}(?:\.\d{1,9})?"
EPOCH_SCALES: Final = ((10**11, 1_000_000), (10**14, 1_000), (10**17, 1))
"""(below, microseconds in one): seconds, milliseconds, microseconds; anything above is nanoseconds."""

TEXTS: Final = (
    "actor_name",
    "actor_email",
    "credential",
    "action",
    "category",
    "resource_type",
    "resource_name",
    "src_ip",
    "user_agent",
    "request_uid",
)


class Compiled:
    """One profile's query over the relation `batch(raw VARCHAR, place BIGINT)`.

    The result has, for every event: `place`, `raw`, `part`, `parts`, `time_text`, `time` (NULL where it must be
    read by slower means) and the canonical columns that a record decides; `is_object` is false for a record that
    is no JSON object.
    """

    def __init__(self, profile: Profile, tenant: str | None = None) -> None:
        self._profile = profile
        self._tenant = tenant
        self._record: dict[str, int] = {}
        self._item: dict[str, int] = {}
        self.sql = self._build()

    def _build(self) -> str:
        made = {name: self._column(name) for name in ("time", "tenant", "actor", *TEXTS, *CLOSED)}
        resources = self._resources()
        uid = self._event_uid()
        items = self._items()
        record = ", ".join(literal(path) for path in self._record) or "'/'"
        item = ", ".join(literal(path) for path in self._item) or "'/'"
        has_items = self._profile.explode is not None
        closed = self._closed_types(made)
        return f"""
WITH texts AS (SELECT raw, place, try(json_extract_string(raw, [{record}])) AS r FROM batch),
parts AS (SELECT raw, place, r, {items if has_items else "[NULL]"} AS items FROM texts),
flat AS (
  SELECT raw, place, r, len(items) AS parts, unnest(items) AS item, unnest(range(len(items))) AS part FROM parts),
found AS (SELECT *, {f"try(json_extract_string(item, [{item}]))" if has_items else "NULL"} AS e FROM flat),
named AS (
  SELECT place, raw, part, parts, r IS NOT NULL AS is_object, {uid} AS uid, {made["time"]} AS time_text,
    {made["tenant"]} AS tenant_text, {made["actor"]} AS actor_id, list_distinct({resources}) AS unordered,
    {resources} AS named_resources,
    {", ".join(f"{made[name]} AS {name}" for name in TEXTS)},
    {", ".join(f"{made[name]} AS {name}_word" for name in CLOSED)}
  FROM found),
keyed AS (
  SELECT *, coalesce(CASE WHEN contains(actor_id, '@') THEN lower(actor_id) ELSE actor_id END, lower(actor_email),
    actor_name, {literal(UNKNOWN)}) AS actor,
    CASE WHEN len(unordered) = len(named_resources) THEN named_resources
      ELSE list_filter(named_resources, lambda x, i: list_position(named_resources, x) = i) END AS resources
  FROM named)
SELECT place, raw, part, parts, is_object, uid, time_text, {_time(self._columns("time").zone)} AS time,
  coalesce(tenant_text, {literal(self._tenant or UNKNOWN)}) AS tenant, actor, {", ".join(TEXTS)},
  {closed}, resources[1] AS resource, resources
FROM keyed"""

    def _columns(self, name: str) -> Column:
        return self._profile.columns.get(name, Column())

    def _closed_types(self, made: Mapping[str, str]) -> str:
        texts = []
        for name, words in CLOSED.items():
            if name not in made:
                continue
            by_actor = _by_actor(self._columns(name).actor)
            texts.append(f"coalesce({name}_word, {by_actor}, {literal(words[-1])}) AS {name}")
        return ", ".join(texts)

    def _items(self) -> str:
        explode = self._profile.explode
        if explode is None:
            return "[NULL]"
        if explode.rest != explode.steps[-1:] or not explode.scalar:
            raise ProfileError(f"explode = {str(explode)!r} is no list below keys.", 'Write it as "events[]".')
        value = self._scalar(self._record, "r", explode.scalar)
        listed = f"list_transform(json_extract({value}, '$[*]'), lambda x: x::VARCHAR)"
        return (
            f"CASE WHEN {value}[1] = '[' AND json_valid({value}) AND json_array_length({value}) > 0 THEN {listed} "
            f"ELSE [NULL] END"
        )

    @staticmethod
    def _scalar(index: dict[str, int], alias: str, names: tuple[str, ...]) -> str:
        at = index.setdefault(pointer(names), len(index) + 1)
        return f"nullif({alias}[{at}], '')"

    def _value(self, path: Path) -> tuple[str, bool]:
        """SQL for what a path finds, and whether that is a list."""
        below = path.below(self._profile.explode) if self._profile.explode else None
        index, alias, seen = (self._item, "e", below) if below else (self._record, "r", path)
        if not seen.scalar:
            raise ProfileError(f"The path {str(path)!r} starts with a list.", "Name the key the list lies under.")
        value = self._scalar(index, alias, seen.scalar)
        return (each(value, seen.rest), True) if seen.rest else (value, False)

    def _first(self, path: Path) -> str:
        value, is_list = self._value(path)
        return f"list_filter({value}, lambda x: x IS NOT NULL AND x <> '')[1]" if is_list else value

    def _column(self, name: str) -> str:
        column = self._columns(name)
        values = [self._first(path) for path in column.paths]
        if column.extract:
            values = [f"coalesce(nullif(regexp_extract({v}, {literal(column.extract)}, 1), ''), {v})" for v in values]
        if column.maps:
            values = [_translated(column, v) for v in values] + _untranslated(name, column, values)
        elif column.present is not None:
            values = [f"CASE WHEN {v} IS NOT NULL THEN {literal(column.present)} END" for v in values]
        elif name in CLOSED:
            values = [f"CASE WHEN lower({v}) IN {_tuple(CLOSED[name])} THEN lower({v}) END" for v in values]
        if column.search:
            values.append(f"nullif(regexp_extract(raw, {literal(column.search)}, 1), '')")
        if column.default is not None:
            values.append(literal(column.default))
        return f"coalesce({', '.join([*values, 'NULL::VARCHAR'])})"

    def _resources(self) -> str:
        lists = []
        for path in self._columns("resources").paths:
            value, is_list = self._value(path)
            lists.append(f"coalesce({value}, [])" if is_list else f"coalesce({_one_or_many(value)}, [])")
        joined = " || ".join(lists) or "[]::VARCHAR[]"
        return f"list_filter({joined}, lambda x: x IS NOT NULL AND x <> '')"

    def _event_uid(self) -> str:
        column = self._columns("event_uid")
        if column.join:
            uid = " || ':' || ".join(self._first(path) for path in column.join)
        else:
            uid = f"coalesce({', '.join([*(self._first(path) for path in column.paths), 'NULL::VARCHAR'])})"
        return f"{uid} || '#' || part" if self._profile.explode else uid


def _one_or_many(value: str) -> str:
    """A member that holds one id in most records may hold a list of them in others."""
    listed = f"list_transform(json_extract({value}, '$[*]'), lambda x: x ->> '$')"
    return (
        f"CASE WHEN {value}[1] = '[' AND json_valid({value}) THEN {listed} WHEN {value} IS NOT NULL THEN [{value}] END"
    )


def _translated(column: Column, value: str) -> str:
    """One look-up a table, not a branch a word: planning a query of hundreds of branches would outlast running it."""
    found = []
    if column.values:
        found.append(_looked_up(dict(column.values), f"lower({value})"))
    for table, text, pattern in ((column.prefix, value, "^(?:{})"), (column.suffix, f"lower({value})", "(?:{})$")):
        if table:
            words = "|".join(re.escape(part) for part in longest_first(table))
            found.append(_looked_up(table, f"regexp_extract({text}, {literal(pattern.format(words))})"))
    return f"coalesce({', '.join(found)})" if len(found) > 1 else found[0]


def _looked_up(table: Mapping[str, str], text: str) -> str:
    return f"{_list(table.values())}[list_position({_list(table)}, {text})]"


def _list(words: Iterable[str]) -> str:
    return "[" + ", ".join(literal(word) for word in words) + "]"


def _untranslated(name: str, column: Column, values: list[str]) -> list[str]:
    if column.present is None and (name not in CLOSED or column.actor):
        return []
    word = column.present if column.present is not None else CLOSED[name][-1]
    return [f"CASE WHEN {' OR '.join(f'{v} IS NOT NULL' for v in values)} THEN {literal(word)} END"] if values else []


def _by_actor(table: Mapping[str, str]) -> str:
    if not table:
        return "NULL"
    words = "|".join(re.escape(part) for part in longest_first(table))
    return _looked_up(table, f"regexp_extract(actor, {literal(words)})")


def _tuple(words: tuple[str, ...]) -> str:
    return "(" + ", ".join(literal(word) for word in words) + ")"


def _time(zone: str) -> str:
    """SQL for the instant in `time_text`, NULL where it is of no common form or outside the years 1 to 9999."""
    text = "time_text"
    number = f"try_cast({text} AS DECIMAL(28, 9))"
    scaled = " ".join(
        f"WHEN {number} < {below} THEN make_timestamptz(floor({number} * {factor})::BIGINT)"
        for below, factor in EPOCH_SCALES
    )
    iso = (
        f"CASE WHEN regexp_full_match({text}, {literal(ZONED)}) THEN try_cast({text} AS TIMESTAMPTZ) "
        f"ELSE timezone({literal(zone)}, try_cast({text} AS TIMESTAMP)) END"
    )
    parsed = (
        f"CASE WHEN regexp_full_match({text}, {literal(ISO)}) THEN {iso} "
        f"WHEN regexp_full_match({text}, {literal(EPOCH)}) THEN CASE {scaled} "
        f"ELSE make_timestamptz({text}::BIGINT // 1000) END END"
    )
    inside = "x BETWEEN TIMESTAMPTZ '0001-01-01 00:00:00+00' AND TIMESTAMPTZ '9999-12-31 23:59:59.999999+00'"
    return f"list_filter([{parsed}], lambda x: {inside})[1]"
