"""What a query over one source has to take out of its events before rules can be asked: each field once for all rules.

The raw record is parsed once, for all paths together; lists are looked into only where a record has one. An object is
its JSON text; where texts in it hold quotes, also that text with its quotes as they read.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from investigate.audit.logsources import WORKSPACE, Both, Column, Parameter, Path, Service, place_of
from investigate.audit.matching import Untranslatable, constant
from investigate.audit.matching import address as matching_address
from investigate.events import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable

ITEM: Final = "item"
"""What an item of a list is called in a test of it."""
_TEXTS, _LISTS, _ITEMS, _LOWERED = range(4)
"""The stages of a query, one select in the other: what a stage takes, the one before has made."""


@dataclass(frozen=True)
class Operand:
    """A field of the events, as expressions.

    Attributes:
        text: its value as text, null where there is none or where it is a list.
        low: the same in lower case.
        items: the texts of a list, null where it is none; None where the field never is one.
        present: whether the record has the field at all, be it null.
        moment: the value as a timestamp with time zone.
    """

    text: str
    low: str
    items: str | None
    present: str
    moment: str

    def any(self, test: Callable[[str, str], str]) -> str:
        """Whether the value, or any one of a list, passes a test of a text and the same in lower case."""
        alone = test(self.text, self.low)
        if self.items is None:
            return f"({alone})"
        each = test(ITEM, f"lower({ITEM})")
        listed = f"len(list_filter({self.items}, lambda {ITEM}: coalesce({each}, false))) > 0"
        return f"CASE WHEN {self.items} IS NULL THEN {alone} ELSE {listed} END"

    @property
    def key(self) -> str:
        """The value as one text, by which events are grouped; of several in a list, all of them."""
        if self.items is None:
            return self.text
        listed = f"CASE len({self.items}) WHEN 1 THEN {self.items}[1] ELSE CAST({self.items} AS VARCHAR) END"
        return f"coalesce({self.text}, {listed})"

    @property
    def empty(self) -> str:
        """Whether there is no value: missing, null, or a list without any."""
        return f"({self.text} IS NULL{f' AND {self.items} IS NULL' if self.items else ''})"


class Sheet:
    """The fields that rules need of one source's events, in the order they were first asked for.

    Args:
        source: the profile's name; it decides where a field stands.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self._operands: dict[str, Operand] = {}
        self._pointers: dict[str, int] = {}
        self._types: dict[str, int] = {}
        self._whole = False
        self._addressed: set[str] = set()
        self._stages: list[list[str]] = [[] for _ in range(_LOWERED + 1)]

    @property
    def anywhere(self) -> tuple[Operand, Operand]:
        """The record's text as it is and as it reads, the latter null where JSON had nothing to write otherwise."""
        if not self._whole:
            self._whole = True
            self._add(_ITEMS, rf"CASE WHEN contains(raw, '\') THEN {_READ} END AS read")
            self._add(_LOWERED, "lower(raw) AS low_raw")
            self._add(_LOWERED, "lower(read) AS low_read")
        return Operand("raw", "low_raw", None, "true", "NULL"), Operand("read", "low_read", None, "true", "NULL")

    def address(self, field: str) -> Operand:
        """The field as an IP address, in the digits `matching.address` makes of it; of a list, its texts as before.

        Raises:
            Untranslatable: no path can be made of its name.
        """
        plain = self.operand(field)
        at = list(self._operands).index(field)
        if field not in self._addressed:
            self._addressed.add(field)
            self._add(_LOWERED, f"{matching_address(plain.text)} AS i{at}")
        return replace(plain, text=f"i{at}")

    def operand(self, field: str) -> Operand:
        """The field of this name.

        Raises:
            Untranslatable: no path can be made of its name.
        """
        if field not in self._operands:
            self._operands[field] = self._made(field)
        return self._operands[field]

    def query(self, columns: str, tables: str, where: str) -> str:
        """The events as rows of their columns and of all that was asked for.

        Args:
            columns: expressions over the tables, `raw` among them; they are passed on.
            tables: the events, with what is joined to them.
            where: the events wanted.
        """
        parsed = [
            f"TRY({function}(raw, [{', '.join(map(constant, paths))}])) AS {name}"
            for name, function, paths in (("j", "json_extract_string", self._pointers), ("y", "json_type", self._types))
            if paths
        ]
        if self.source == WORKSPACE:
            tables = f"(SELECT * REPLACE ({_OWN} AS raw) FROM (SELECT {columns} FROM {tables} WHERE {where}))"
            columns, where = "*", "true"
        sql = f"SELECT {', '.join([columns, *parsed])} FROM {tables} WHERE {where}"
        for stage in self._stages:
            if stage:
                sql = f"SELECT *, {', '.join(stage)} FROM ({sql})"
        return sql

    def _made(self, field: str) -> Operand:
        at = len(self._operands)
        match place_of(field, self.source):
            case Column(name=name):
                return self._column(name, at)
            case Both(name=name):
                own = self._pointed(_pointer((name,)))
                texts = f"[{name}, CASE WHEN left({own}, 1) NOT IN ('{{', '[') THEN {own} END]"
                self._add(_TEXTS, f"nullif(list_filter({texts}, lambda v: v IS NOT NULL), []) AS a{at}")
                return self._scalar(name, at, f"a{at}", f"(a{at} IS NOT NULL)")
            case Path() as path:
                return self._path(path, at)
            case Parameter(name=name):
                self._add(_TEXTS, f"{_parameters(name)} AS a{at}")
                return Operand("NULL::VARCHAR", "NULL::VARCHAR", f"a{at}", f"(a{at} IS NOT NULL)", "NULL::TIMESTAMPTZ")
            case Service():
                self._add(_TEXTS, f"{self._pointed('/id/applicationName')} || '.googleapis.com' AS t{at}")
                return self._scalar(f"t{at}", at)

    def _column(self, name: str, at: int) -> Operand:
        kind = COLUMNS[name][0]
        if kind == "list":
            items = f"nullif({name}, [])"
            return Operand("NULL::VARCHAR", "NULL::VARCHAR", items, f"({items} IS NOT NULL)", "NULL::TIMESTAMPTZ")
        if kind == "timestamp":
            text = f"strftime({name}, '%Y-%m-%dT%H:%M:%S.%fZ')"
            return Operand(text, f"lower({text})", None, f"({name} IS NOT NULL)", name)
        return self._scalar(name if kind == "string" else f"CAST({name} AS VARCHAR)", at)

    def _scalar(self, text: str, at: int, items: str | None = None, present: str | None = None) -> Operand:
        self._add(_LOWERED, f"lower({text}) AS l{at}")
        return Operand(text, f"l{at}", items, present or f"({text} IS NOT NULL)", f"TRY_CAST({text} AS TIMESTAMPTZ)")

    def _path(self, path: Path, at: int) -> Operand:
        if not all(path.keys):
            raise Untranslatable(f"the field {path.dotted!r} is no path: a key in it is empty")
        pointers = list(dict.fromkeys([_pointer(path.keys), _pointer((path.dotted,))]))
        found = [self._pointed(one) for one in pointers]
        self._add(_TEXTS, f"coalesce({', '.join(found)}) AS t{at}" if found[1:] else f"{found[0]} AS t{at}")
        through = self._through(path.keys, at)
        kinds = ", ".join(f"TRY(json_type(raw, {constant(one)}))" for one in pointers)
        kind = f"coalesce({kinds})" if found[1:] else kinds
        self._add(_LISTS, f"CASE WHEN left(t{at}, 1) IN ('[', '{{') THEN {kind} END AS o{at}")
        self._add(_ITEMS, f"CASE WHEN o{at} = 'ARRAY' THEN NULL ELSE t{at} END AS s{at}")
        items = _values(f"json_extract(t{at}, '$[*]')")
        self._add(
            _ITEMS,
            f"CASE WHEN o{at} = 'ARRAY' THEN nullif({items}, []){through}"
            rf""" WHEN o{at} = 'OBJECT' AND contains(t{at}, '\"')"""
            rf""" THEN [t{at}, replace(t{at}, '\"', '"')] END AS a{at}""",
        )
        exists = " OR ".join(f"TRY(json_exists(raw, {constant(one)}))" for one in pointers)
        return self._scalar(f"s{at}", at, f"a{at}", f"(t{at} IS NOT NULL OR a{at} IS NOT NULL OR {exists})")

    def _through(self, keys: tuple[str, ...], at: int) -> str:
        """The case that a list stands on the way: what its items have; only where those have lists, step by step."""
        if not keys[1:]:
            return ""
        got, sizes = [], []
        for upto in range(1, len(keys)):
            here = self._types.setdefault(_pointer(keys[:upto]), len(self._types)) + 1
            got.append(f"WHEN y[{here}] = 'ARRAY' THEN TRY(json_extract(raw, {constant(_star(keys, upto))}))")
            if upto + 1 < len(keys):
                length = f"json_array_length(raw, {constant(_pointer(keys[:upto]))})"
                sizes.append(f"WHEN y[{here}] = 'ARRAY' THEN {length}")
        # Most records that have a list on the way have no such key at all, however it might be escaped.
        spelt = f"contains(raw, {constant(json.dumps(keys[-1]))}) OR contains(raw, {constant(_ESCAPE)})"
        named = f" AND ({spelt})" if _PLAIN.fullmatch(keys[-1]) else ""
        self._add(_LISTS, f"CASE WHEN t{at} IS NULL{named} THEN CASE {' '.join(got)} END END AS g{at}")
        deeper = f"len(list_filter(g{at}, lambda e: starts_with(e, '['))) > 0"
        if sizes:
            deeper += f" OR len(g{at}) < CASE {' '.join(sizes)} ELSE 0 END"
        return (
            f" WHEN g{at} IS NOT NULL AND ({deeper}) THEN nullif(TRY({_values(_walked(keys))}), [])"
            f" WHEN g{at} IS NOT NULL THEN nullif({_values(f'g{at}')}, [])"
        )

    def _pointed(self, pointer: str) -> str:
        return f"j[{self._pointers.setdefault(pointer, len(self._pointers)) + 1}]"

    def _add(self, stage: int, expression: str) -> None:
        self._stages[stage].append(expression)


_ESCAPES: Final = {'\\"': '"', "\\/": "/", "\\n": "\n", "\\r": "\r", "\\t": "\t", "\\b": "\b", "\\f": "\f"}
_ESCAPE: Final = "\\u"
_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]+")
_BACKSLASH: Final = "\x01"
"""Stands for a backslash while the other escapes are undone; JSON has no such character."""


def _unescaped() -> str:
    """The record as it reads: written anew, which undoes the escapes of Unicode, and without those that are left."""
    text = rf"replace(coalesce(TRY(CAST(json(raw) AS VARCHAR)), raw), '\\', '{_BACKSLASH}')"
    for escape, meant in _ESCAPES.items():
        text = f"replace({text}, {constant(escape)}, {constant(meant)})"
    return rf"replace({text}, '{_BACKSLASH}', '\')"


_READ: Final = _unescaped()
_SIMPLE: Final = "lambda e: NOT starts_with(e, '[') AND e <> 'null'"
"""What of a list is looked at: its values and objects, not lists in it."""


def _pointer(keys: tuple[str, ...]) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)


def _values(found: str) -> str:
    """The texts of a list's values and objects."""
    return f"list_transform(list_filter({found}, {_SIMPLE}), lambda e: e ->> '$')"


def _star(keys: tuple[str, ...], upto: int) -> str:
    """The path through a list that the first so many keys name."""
    quoted = ['."' + key.replace("\\", "\\\\").replace('"', '\\"') + '"' for key in keys]
    return "$" + "".join(quoted[:upto]) + "[*]" + "".join(quoted[upto:])


def _walked(keys: tuple[str, ...]) -> str:
    """What the keys name, each of which may hold a list of what the next stands in; a list at the end is its items."""
    found = "[json_extract(raw, '$')]"
    for key in keys:
        below = f"json_extract(v, {constant(_pointer((key,)))})"
        taken = f"WHEN starts_with({below}, '[') THEN json_extract({below}, '$[*]') ELSE [{below}]"
        found = f"flatten(list_transform({found}, lambda v: CASE WHEN {below} IS NULL THEN [] {taken} END))"
    return found


_PLACE: Final = "regexp_extract(event_uid, '#([0-9]+)$', 1)"
_OWN: Final = (
    f"CASE WHEN {_PLACE} <> '' AND json_array_length(raw, '/events') > 1 THEN coalesce(TRY(CAST(json_merge_patch("
    f"raw, json_object('events', [json_extract(raw, '/events/' || {_PLACE})])) AS VARCHAR)), raw) ELSE raw END"
)
"""An activity of Google Workspace without its other events: it is several, and the place of one ends that one's id."""


def _parameters(name: str) -> str:
    """The values of a parameter of this event: one is a text, a number, a truth or a list of texts."""
    every = "json_extract(raw, '$.events[*].parameters[*]')"
    named = f"list_filter({every}, lambda p: lower(p ->> '$.name') = lower({constant(name)}))"
    taken = "[p ->> '$.value', p ->> '$.intValue', p ->> '$.boolValue']"
    values = (
        f"flatten(list_transform({named}, lambda p: list_concat({taken}, json_extract_string(p, '$.multiValue[*]'))))"
    )
    guarded = f"CASE WHEN contains(lower(raw), lower({constant(json.dumps(name))})) THEN {values} END"
    return f"nullif(TRY(list_filter({guarded}, lambda v: v IS NOT NULL)), [])"
