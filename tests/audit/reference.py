"""Sigma, evaluated in plain Python on one record at a time, from its specification: it shares nothing with the backend.

Source: SigmaHQ, "Sigma Rules Specification" and "Sigma Modifiers", version 2.
"""

from __future__ import annotations

import base64
import fnmatch
import ipaddress
import json
import math
import re
from typing import Any

Record = dict[str, Any]
ANY = "\0any"
ONE = "\0one"


def matches(rule: Record, record: Record, columns: Record | None = None) -> bool:
    """Whether a rule, as read from YAML, fits a record; `columns` are canonical ones, which come first."""
    detection = rule["detection"]
    found = {name: _selected(block, record, columns or {}) for name, block in detection.items() if name != "condition"}
    conditions = detection["condition"]
    conditions = conditions if isinstance(conditions, list) else [conditions]
    return any(_Condition(condition, found).value() for condition in conditions)


class _Condition:
    """A condition, read by recursive descent: or, and, not, groups, `1 of`, `all of`."""

    def __init__(self, text: str, found: dict[str, bool]) -> None:
        self._words = re.findall(r"\(|\)|[^\s()]+", text)
        self._found = found

    def value(self) -> bool:
        result = self._or()
        assert not self._words
        return result

    def _or(self) -> bool:
        result = self._and()
        while self._words[:1] == ["or"]:
            self._words.pop(0)
            result = self._and() or result
        return result

    def _and(self) -> bool:
        result = self._not()
        while self._words[:1] == ["and"]:
            self._words.pop(0)
            result = self._not() and result
        return result

    def _not(self) -> bool:
        word = self._words.pop(0)
        if word == "not":
            return not self._not()
        if word == "(":
            result = self._or()
            assert self._words.pop(0) == ")"
            return result
        if word in {"1", "any", "all"} and self._words[:1] == ["of"]:
            self._words.pop(0)
            pattern = self._words.pop(0)
            named = [
                value
                for name, value in self._found.items()
                if (pattern == "them" or fnmatch.fnmatchcase(name, pattern)) and not name.startswith("_")
            ]
            return all(named) if word == "all" else any(named)
        return self._found[word]


def _selected(block: Any, record: Record, columns: Record) -> bool:
    if isinstance(block, dict):
        return all(_item(key, value, record, columns) for key, value in block.items())
    if isinstance(block, list):
        if all(not isinstance(one, dict | list) for one in block):
            return any(_keyword(one, record) for one in block)
        return any(_selected(one, record, columns) for one in block)
    return _keyword(block, record)


def _item(key: str, given: Any, record: Record, columns: Record) -> bool:
    field, *modifiers = key.split("|")
    values = given if isinstance(given, list) else [given]
    found, exists = _values(field, record, columns)
    if not values:
        return not found
    every = all if "all" in modifiers else any
    result = every(_value(value, modifiers, found, exists, record, columns) for value in values)
    return not result if "neq" in modifiers else result


def _value(  # noqa: PLR0911 - a kind of value a line
    wanted: Any, modifiers: list[str], found: list[str], exists: bool, record: Record, columns: Record
) -> bool:
    if "exists" in modifiers:
        return exists is wanted
    if wanted is None:
        return not found
    if "fieldref" in modifiers:
        others, _ = _values(wanted, record, columns)
        return any(_related(mine.lower(), other.lower(), modifiers) for mine in found for other in others)
    for name, test in _BOUNDS.items():
        if name in modifiers:
            return any(test(number, wanted) for number in map(_number, found) if number is not None)
    if "cidr" in modifiers:
        network = ipaddress.ip_network(wanted)
        return any(_inside(value, network) for value in found)
    if "re" in modifiers:
        flags = sum(flag for name, flag in _FLAGS.items() if name in modifiers)
        return any(re.search(str(wanted), value, flags) for value in found)
    if isinstance(wanted, bool):
        return any(value.lower() == str(wanted).lower() for value in found)
    if isinstance(wanted, int | float) and not set(modifiers) & {"contains", "startswith", "endswith"}:
        return any(number == wanted for number in map(_number, found) if number is not None)
    return any(
        _fits(pattern, value, cased="cased" in modifiers) for pattern in _patterns(wanted, modifiers) for value in found
    )


_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}
_BOUNDS = {
    "lt": lambda value, bound: value < bound,
    "lte": lambda value, bound: value <= bound,
    "gt": lambda value, bound: value > bound,
    "gte": lambda value, bound: value >= bound,
}


def _patterns(wanted: Any, modifiers: list[str]) -> list[list[str]]:
    """A value after its modifiers, in their order: characters, with `ANY` and `ONE` for wildcards."""
    found = [_parsed(str(wanted))]
    for name in modifiers:
        if name == "windash":
            found = [_replaced(pattern, sign) for pattern in found for sign in "-/\u2013\u2014\u2015"]
        elif name == "wide":
            found = [[part for sign in pattern for part in (sign, "\0")] for pattern in found]
        elif name == "base64":
            found = [list(base64.b64encode("".join(pattern).encode()).decode()) for pattern in found]
        elif name == "base64offset":
            found = [list(_offset("".join(pattern).encode(), at)) for pattern in found for at in range(3)]
        elif name == "contains":
            found = [[ANY, *pattern, ANY] for pattern in found]
        elif name == "startswith":
            found = [[*pattern, ANY] for pattern in found]
        elif name == "endswith":
            found = [[ANY, *pattern] for pattern in found]
    return found


def _parsed(text: str) -> list[str]:
    """Wildcards and their escapes: a backslash makes *, ? and itself plain, and is plain before anything else."""
    found: list[str] = []
    at = 0
    while at < len(text):
        if text[at] == "\\" and text[at + 1 : at + 2] in {"*", "?", "\\"}:
            found.append(text[at + 1])
            at += 2
            continue
        found.append({"*": ANY, "?": ONE}.get(text[at], text[at]))
        at += 1
    return found


def _replaced(pattern: list[str], sign: str) -> list[str]:
    return list(re.sub(r"\B[-/]\b", sign, "".join(pattern)))


def _offset(value: bytes, at: int) -> str:
    encoded = base64.b64encode(b" " * at + value).decode()
    return encoded[(0, 2, 3)[at] : (None, -3, -2)[(len(value) + at) % 3]]


def _fits(pattern: list[str], value: str, *, cased: bool) -> bool:
    expression = "".join(
        {ANY: ".*", ONE: "."}.get(sign, re.escape(sign if cased else sign.lower())) for sign in pattern
    )
    return re.fullmatch(expression, value if cased else value.lower(), re.DOTALL) is not None


def _related(mine: str, other: str, modifiers: list[str]) -> bool:
    if "contains" in modifiers:
        return other in mine
    if "startswith" in modifiers:
        return mine.startswith(other)
    return mine.endswith(other) if "endswith" in modifiers else mine == other


def _inside(value: str, network: Any) -> bool:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.version == network.version and address in network


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _keyword(wanted: Any, record: Record) -> bool:
    pattern = [ANY, *_parsed(str(wanted)), ANY]
    written = _json(record)
    read = re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), written)
    return any(_fits(pattern, text, cased=False) for text in (written, read))


_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


def _values(field: str, record: Record, columns: Record) -> tuple[list[str], bool]:
    """The texts of a field, and whether the record has it at all."""
    if field in columns:
        column = columns[field]
        return ([column] if column is not None else []), column is not None
    keys = field.split(".")
    nested, there = _walked(record, keys)
    flat, also = record.get(field), field in record
    if len(keys) == 1:
        flat, also = None, False
    first = nested if nested is not None else flat
    if first is not None and not isinstance(first, list):
        return _text(first), True
    through = [value for one in _through(record, keys) for value in _text(one)]
    if isinstance(flat, list) and nested is None:
        through += [value for one in flat if not isinstance(one, list) for value in _text(one)]
    return through, there or also or bool(through)


def _walked(record: Any, keys: list[str]) -> tuple[Any, bool]:
    for key in keys:
        if not isinstance(record, dict) or key not in record:
            return None, False
        record = record[key]
    return record, True


def _through(record: Any, keys: list[str]) -> list[Any]:
    """What the keys name, through lists at any of them: values and objects, no lists in lists."""
    found = [record]
    for key in keys:
        below = [one[key] for one in found if isinstance(one, dict) and key in one]
        found = [value for one in below for value in (one if isinstance(one, list) else [one])]
    return [one for one in found if not isinstance(one, list)]


def _text(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, dict):
        return [_json(value), _json(value).replace('\\"', '"')]
    return [value] if isinstance(value, str) else [_json(value)]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
