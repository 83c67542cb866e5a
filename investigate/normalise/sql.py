"""A profile as SQL for DuckDB: raw records in, canonical columns out, nothing of a record interpreted in Python."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from investigate.errors import ProfileError
from investigate.events import UNKNOWN
from investigate.normalise.paths import Path, each, literal, pointer
from investigate.normalise.profile import CLOSED, Column, Profile, longest_first
from investigate.normalise.times import EPOCH_SCALES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from investigate.normalise.paths import Step

ISO: Final = r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?"
ZONED: Final = r"(?:Z|:.*[+-]\d\d(?::?\d\d)?)$"
EPOCH: Final = r"\d{9,19}(?:\.\d{1,9})?"

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


@dataclass(frozen=True)
class Derived:
    """A column that is computed from others, row by row.

    Attributes:
        name: of the column.
        sql: over the columns of `needs`.
        needs: names of values, see `Compiled.values`, or of columns derived before.
        many: whether nearly every row has another value: then it is computed for each row, else for each value once.
        search: SQL over `raw`, for the rows where nothing was found.
        default: for the rows that are still without.
    """

    name: str
    sql: str
    needs: tuple[str, ...]
    many: bool = False
    search: str | None = None
    default: str | None = None

    @property
    def plain(self) -> bool:
        """Whether it is another column as it is."""
        return self.needs == (self.sql,)


class Compiled:
    """One profile as SQL, in two steps: the values in the records, and what is derived from them.

    Every record is parsed once, by a query that gives all values any path needs, as text; with `explode` every
    event's element is parsed likewise. The canonical columns are then derived from these values. As most values come
    again and again (an action, an address, a name), most of that need be done for few of them.

    Attributes:
        values: the query over `batch(row BIGINT, text VARCHAR)`: for each event `row`, `part` (its number in its
            record), `is_object` and the values; fails where a record is no JSON.
        values_of_any: the same, slower, with `is_object` false for a record that is no JSON.
        names: of the values; an empty text is none, but for those in `verbatim`.
        verbatim: values that are only compared.
        in_each: the query over `batch(…)` for what differs in nearly every event: the resources, `uid` as a rule.
        in_each_needs: the values it reads.
        derived: the other columns, each after what it needs: `time_text`, `actor` and the other canonical ones.
        time: of `time_text`, SQL for the time.
    """

    def __init__(self, profile: Profile, tenant: str | None = None) -> None:
        self._profile = profile
        self._record: dict[str, str] = {}
        self._item: dict[str, str] = {}
        self._used: dict[str, None] = {}
        self._listed = False
        self.verbatim: set[str] = set()
        items, derived = self._items(), tuple(self._derive(tenant))
        in_each = [column for column in derived if column.many and not column.plain]
        self.derived = tuple(column for column in derived if column not in in_each)
        self.names = (*self._record.values(), *self._item.values())
        self.values, self.values_of_any = self._values(items, "({})"), self._values(items, "try({})")
        self.in_each = self._in_each(in_each)
        self.in_each_needs = tuple(dict.fromkeys(name for column in in_each for name in column.needs))
        self.time = f"""CASE WHEN any_time BETWEEN {_FIRST} AND {_LAST} THEN any_time END
            FROM (SELECT {_parsed_time(self._columns("time").zone)} AS any_time FROM batch)"""

    @property
    def zone(self) -> str:
        """Of times written without one."""
        return self._columns("time").zone

    def _values(self, items: str, form: str) -> str:
        parsed = f"SELECT row, {form.format(_extracted('text', self._record))} AS r FROM batch"
        of_record = "".join(f", r[{at}] AS {name}" for at, name in enumerate(self._record.values(), 1))
        if not items:
            return f"SELECT row, 0::BIGINT AS part, r IS NOT NULL AS is_object{of_record} FROM ({parsed})"
        of_item = "".join(f", e[{at}] AS {name}" for at, name in enumerate(self._item.values(), 1))
        return f"""
            WITH listed AS (SELECT row, r, {items} AS items FROM ({parsed})),
            spread AS (SELECT row, r, unnest(items) AS item, unnest(range(len(items))) AS part FROM listed)
            SELECT row, part, r IS NOT NULL AS is_object{of_record}{of_item}
            FROM (SELECT row, r, part, {form.format(_extracted("item", self._item))} AS e FROM spread)"""

    def _in_each(self, made: Sequence[Derived]) -> str:
        columns = ", ".join(f"{column.sql} AS {column.name}" for column in made)
        return f"""
            SELECT * EXCLUDE (all_resources), all_resources[1] AS resource, {_DISTINCT} AS resources
            FROM (SELECT {columns} FROM batch)"""

    def _derive(self, tenant: str | None) -> Iterator[Derived]:
        yield self._made("uid", self._event_uid, many=True)
        yield self._column("time_text", "time", many=True)
        yield replace(self._column("tenant", "tenant"), default=self._columns("tenant").default or tenant or UNKNOWN)
        yield self._column("actor_id", "actor")
        for name in TEXTS:
            yield self._column(name, name)
        yield Derived("actor", _ACTOR, ("actor_id", "actor_email", "actor_name"))
        for name in CLOSED:
            word = self._column(f"{name}_word", name)
            yield word
            by_actor = _by_actor(self._columns(name).actor)
            last = literal(CLOSED[name][-1])
            needs = (word.name, "actor") if self._columns(name).actor else (word.name,)
            yield Derived(name, f"coalesce({word.name}, {by_actor}, {last})", needs)
        yield self._made("all_resources", self._resources, many=True)

    def _made(self, name: str, build: Callable[[], str], *, many: bool = False) -> Derived:
        self._used, self._listed = {}, False
        sql = build()
        return Derived(name, sql, tuple(self._used), many or self._listed)

    def _column(self, name: str, column: str, *, many: bool = False) -> Derived:
        """A column as the profile has it."""
        made = self._made(name, lambda: _first_of(self._found(column)), many=many)
        search = self._columns(column).search
        pattern = f"nullif(regexp_extract(raw, {literal(search)}, 1), '')" if search else None
        return replace(made, search=pattern, default=self._columns(column).default)

    def _columns(self, name: str) -> Column:
        return self._profile.columns.get(name, Column())

    def _items(self) -> str:
        explode = self._profile.explode
        if explode is None:
            return ""
        if explode.rest != explode.steps[-1:] or not explode.scalar:
            raise ProfileError(f"explode = {str(explode)!r} is no list below keys.", 'Write it as "events[]".')
        self._scalar(self._record, "r", explode.scalar)
        listed = "list_transform(json_extract(r[1], '$[*]'), lambda x: x::VARCHAR)"
        return (
            f"CASE WHEN r[1][1] = '[' AND json_valid(r[1]) AND json_array_length(r[1]) > 0 THEN {listed} "
            f"ELSE [NULL] END"
        )

    def _scalar(self, index: dict[str, str], alias: str, names: tuple[str, ...]) -> str:
        """The name of the value at these keys."""
        name = index.setdefault(pointer(names), f"{alias}{len(index) + 1}")
        self._used[name] = None
        return name

    def _place(self, path: Path) -> tuple[dict[str, str], str, Path]:
        """Where a path begins, in the record or in an event's element, and what of it goes on from there."""
        below = path.below(self._profile.explode) if self._profile.explode else None
        index, alias, seen = (self._item, "e", below) if below else (self._record, "r", path)
        if not seen.scalar:
            raise ProfileError(f"The path {str(path)!r} starts with a list.", "Name the key the list lies under.")
        return index, alias, seen

    def _one(self, path: Path) -> str | None:
        """SQL that is true where the list a path goes into has one element at most; None for another path."""
        index, alias, seen = self._place(path)
        if not _is_simple(seen.rest):
            return None
        whole, second = self._scalar(index, alias, seen.scalar), self._scalar(index, alias, (*seen.scalar, "1"))
        self.verbatim.add(second)
        # A second element that is null is as good as none, but a third may follow it.
        alone = f"{whole}[1] = '[' AND {second} IS NULL AND NOT contains({whole}, 'null')"
        # What is no string, for which nobody asked, is told by its begin.
        return f"({alone})" if len(seen.rest) > 1 else f"({alone} AND NOT regexp_matches({whole}, '^.\\s*[{{\\[]'))"

    def _only(self, path: Path) -> str:
        """SQL for what a path finds in the first element of its list."""
        index, alias, seen = self._place(path)
        return self._scalar(index, alias, (*seen.scalar, "0", *Path(seen.rest[1:]).scalar))

    def _value(self, path: Path) -> tuple[str, bool]:
        """SQL for what a path finds, and whether that is a list."""
        index, alias, seen = self._place(path)
        value = self._scalar(index, alias, seen.scalar)
        self._listed = self._listed or bool(seen.rest)
        return (each(value, seen.rest), True) if seen.rest else (value, False)

    def _first(self, path: Path) -> str:
        value, is_list = self._value(path)
        if not is_list:
            return value
        first = f"list_filter({value}, {_SOMETHING})[1]"
        return f"CASE WHEN {one} THEN {self._only(path)} ELSE {first} END" if (one := self._one(path)) else first

    def _found(self, name: str) -> list[str]:
        """SQL for what the paths of a column find, in the order in which they count."""
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
        return values

    def _resources(self) -> str:
        """All that the paths find; paths to one value go into one list, which costs little where most find nothing."""
        paths = self._columns("resources").paths
        values = [self._value(path) for path in paths]
        lists = []
        for is_list, group in groupby(values, key=itemgetter(1)):
            found = [value for value, _ in group]
            lists += [f"coalesce({value}, [])" for value in found] if is_list else [_one_or_many(found)]
        every = f"list_filter({' || '.join(lists) or '[]::VARCHAR[]'}, {_SOMETHING})"
        if len(paths) == 1 and (one := self._one(paths[0])):
            only = self._only(paths[0])
            return f"CASE WHEN {one} THEN CASE WHEN {only} IS NULL THEN [] ELSE [{only}] END ELSE {every} END"
        return every

    def _event_uid(self) -> str:
        column = self._columns("event_uid")
        if column.join:
            uid = " || ':' || ".join(self._first(path) for path in column.join)
        else:
            uid = _first_of([self._first(path) for path in column.paths])
        if not self._profile.explode:
            return uid
        self._used["part"] = None
        return f"{uid} || '#' || part"


_SOMETHING: Final = "lambda x: x IS NOT NULL AND x <> ''"
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


def _extracted(text: str, index: Mapping[str, str]) -> str:
    """All values at the pointers of `index`, from one parse."""
    pointers = ", ".join(literal(path) for path in index) or "'/'"
    return f"json_extract_string({text}, [{pointers}])"


def _first_of(values: Sequence[str]) -> str:
    """SQL for the first of some values that is there."""
    if len(values) == 1:
        return values[0]
    return f"coalesce({', '.join(values)})" if values else "NULL::VARCHAR"


def _is_simple(rest: Sequence[Step]) -> bool:
    """Whether the steps go into a list, whatever its elements, and from there by keys."""
    return bool(rest) and rest[0].key is None and all(step.name is not None for step in rest[1:])


def _one_or_many(values: Iterable[str]) -> str:
    """A member that holds one id in most records may hold a list of them in others; what is no id has other paths."""
    texts = f"list_filter([{', '.join(values)}], lambda x: x IS NOT NULL)"
    ids = "list_filter(json_extract(x, '$[*]'), lambda y: json_type(y) NOT IN ('OBJECT', 'ARRAY'))"
    listed = f"list_transform({ids}, lambda y: y ->> '$')"
    found = f"CASE x[1] WHEN '[' THEN {listed} WHEN '{{' THEN []::VARCHAR[] ELSE [x] END"
    return (
        f"flatten(list_transform({texts}, lambda x: CASE WHEN x[1] IN ('[', '{{') AND json_valid(x) THEN {found} "
        f"ELSE [x] END))"
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
    """SQL for the instant in `time_text`, NULL where it is of no common form; may be outside the years 1 to 9999.

    Of the two instants that a time without a zone means in the hour before summer time ends it is the later, as in
    `read_time`, which reads what is left over.
    """
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
