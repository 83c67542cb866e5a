"""A profile as one DuckDB query: a batch of raw records in, canonical columns out, nothing interpreted in Python."""

from __future__ import annotations

import re
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from investigate.errors import ProfileError
from investigate.events import UNKNOWN
from investigate.normalise.paths import Path, each, literal, pointer
from investigate.normalise.profile import CLOSED, Column, Profile, longest_first

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ISO: Final = r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?"
ZONED: Final = r"(?:Z|:.*[+-]\d\d(?::?\d\d)?)$"
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
    """One profile's query over the relation `batch(row BIGINT, raw VARCHAR, text VARCHAR)`, and more it passes on.

    `text` is the record as JSON, which is parsed once, into the list `r` of all values that any path needs; with
    `explode` every event's element is parsed into `e` likewise. All else is picking from these lists.

    The result has, for every event, the batch's columns, `part` (the event's number in its record), `is_object`
    (false for a record that is no JSON at all), `uid`, `time_text`, `time` (NULL where it must be read by slower
    means), and the canonical columns that a record decides.
    """

    def __init__(self, profile: Profile, tenant: str | None = None) -> None:
        self._profile = profile
        self._tenant = tenant
        self._record: dict[str, int] = {}
        self._item: dict[str, int] = {}
        self.sql = self._build()

    def _build(self) -> str:
        named = self._named()
        items = self._items()
        return f"""
WITH parsed AS (
  SELECT *, {_extracted("text", self._record)} AS r FROM batch),
{f"listed AS (SELECT *, {items} AS items FROM parsed)," if items else ""}
events AS ({self._one_row_an_event() if items else "SELECT *, NULL AS e, 0 AS part FROM parsed"}),
named AS (
  SELECT * EXCLUDE (r, e), r IS NOT NULL AS is_object, {named} FROM events),
keyed AS (
  SELECT *, {_parsed_time(self._columns("time").zone)} AS any_time, {_ACTOR} AS actor,
    {_DISTINCT} AS resources
  FROM named)
SELECT * EXCLUDE (any_time, tenant_word, actor_id, all_resources, {", ".join(f"{name}_word" for name in CLOSED)}),
  CASE WHEN any_time BETWEEN {_FIRST} AND {_LAST} THEN any_time END AS time,
  coalesce(tenant_word, {literal(self._tenant or UNKNOWN)}) AS tenant, resources[1] AS resource,
  {", ".join(self._closed(name) for name in CLOSED)}
FROM keyed"""

    def _named(self) -> str:
        made = {
            "uid": self._event_uid(),
            "time_text": self._column("time"),
            "tenant_word": self._column("tenant"),
            "actor_id": self._column("actor"),
            "all_resources": self._resources(),
            **{name: self._column(name) for name in TEXTS},
            **{f"{name}_word": self._column(name) for name in CLOSED},
        }
        return ",\n    ".join(f"{value} AS {name}" for name, value in made.items())

    def _columns(self, name: str) -> Column:
        return self._profile.columns.get(name, Column())

    def _closed(self, name: str) -> str:
        """A column of closed words: the record's, else what the actor's key says, else the list's last."""
        return f"coalesce({name}_word, {_by_actor(self._columns(name).actor)}, {literal(CLOSED[name][-1])}) AS {name}"

    def _items(self) -> str:
        explode = self._profile.explode
        if explode is None:
            return ""
        if explode.rest != explode.steps[-1:] or not explode.scalar:
            raise ProfileError(f"explode = {str(explode)!r} is no list below keys.", 'Write it as "events[]".')
        value = self._scalar(self._record, "r", explode.scalar)
        listed = f"list_transform(json_extract({value}, '$[*]'), lambda x: x::VARCHAR)"
        return (
            f"CASE WHEN {value}[1] = '[' AND json_valid({value}) AND json_array_length({value}) > 0 THEN {listed} "
            f"ELSE [NULL] END"
        )

    def _one_row_an_event(self) -> str:
        return (
            f"SELECT * EXCLUDE (items, item), {_extracted('item', self._item)} AS e FROM "
            "(SELECT *, unnest(items) AS item, unnest(range(len(items))) AS part FROM listed)"
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
        """All that the paths find; paths to one value go into one list, which costs little where most find nothing."""
        values = [self._value(path) for path in self._columns("resources").paths]
        lists = []
        for is_list, group in groupby(values, key=itemgetter(1)):
            found = [value for value, _ in group]
            lists += [f"coalesce({value}, [])" for value in found] if is_list else [_one_or_many(found)]
        return f"list_filter({' || '.join(lists) or '[]::VARCHAR[]'}, lambda x: x IS NOT NULL AND x <> '')"

    def _event_uid(self) -> str:
        column = self._columns("event_uid")
        if column.join:
            uid = " || ':' || ".join(self._first(path) for path in column.join)
        else:
            uid = f"coalesce({', '.join([*(self._first(path) for path in column.paths), 'NULL::VARCHAR'])})"
        return f"{uid} || '#' || part" if self._profile.explode else uid


_FIRST: Final = "TIMESTAMPTZ '0001-01-01 00:00:00+00'"
_LAST: Final = "TIMESTAMPTZ '9999-12-31 23:59:59.999999+00'"
_MAIL: Final = literal(r"[^@\s:/]+@[^@\s:/]+")
_ACTOR: Final = (
    f"coalesce(CASE WHEN contains(actor_id, '@') AND regexp_full_match(actor_id, {_MAIL}) THEN lower(actor_id) "
    f"ELSE actor_id END, lower(actor_email), actor_name, {literal(UNKNOWN)})"
)
_DISTINCT: Final = (
    "CASE WHEN len(all_resources) < 2 OR len(list_distinct(all_resources)) = len(all_resources) THEN all_resources "
    "ELSE list_filter(all_resources, lambda x, i: list_position(all_resources, x) = i) END"
)


def _extracted(text: str, index: Mapping[str, int]) -> str:
    """All values at the pointers of `index`, from one parse; NULL where the text is no JSON."""
    pointers = ", ".join(literal(path) for path in index) or "'/'"
    return f"try(json_extract_string({text}, [{pointers}]))"


def _one_or_many(values: Iterable[str]) -> str:
    """A member that holds one id in most records may hold a list of them in others."""
    texts = f"list_filter([{', '.join(values)}], lambda x: x IS NOT NULL)"
    listed = "list_transform(json_extract(x, '$[*]'), lambda y: y ->> '$')"
    return (
        f"flatten(list_transform({texts}, lambda x: CASE WHEN x[1] = '[' AND json_valid(x) THEN {listed} ELSE [x] END))"
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


def _parsed_time(zone: str) -> str:
    """SQL for the instant in `time_text`, NULL where it is of no common form; may be outside the years 1 to 9999."""
    text = "time_text"
    number = f"try_cast({text} AS DECIMAL(28, 9))"
    scaled = " ".join(
        f"WHEN {number} < {below} THEN make_timestamptz(floor({number} * {factor})::BIGINT)"
        for below, factor in EPOCH_SCALES
    )
    iso = (
        f"CASE WHEN regexp_matches({text}, {literal(ZONED)}) THEN try_cast({text} AS TIMESTAMPTZ) "
        f"ELSE timezone({literal(zone)}, try_cast({text} AS TIMESTAMP)) END"
    )
    return (
        f"CASE WHEN regexp_full_match({text}, {literal(ISO)}) THEN {iso} "
        f"WHEN regexp_full_match({text}, {literal(EPOCH)}) THEN CASE {scaled} "
        f"ELSE make_timestamptz((floor({number})::HUGEINT // 1000)::BIGINT) END END"
    )
