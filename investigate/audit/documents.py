"""The documents of a file of rules, as pySigma takes them: words that only describe keep no rule from being run.

pySigma wants a list where a rule has one text, an id that is a UUID, and one whole bound in a correlation's condition,
where Sigma's specification knows ranges (`gt: 100`, `lte: 200`) and sums have fractions. Of a number it makes a double.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

import yaml
from sigma.correlations import SigmaCorrelationConditionOperator
from sigma.rule import SigmaRule
from sigma.rule.base import SigmaYAMLLoader

from investigate.audit.matching import EXACT, Untranslatable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Document = dict[str, Any]
Bounds = tuple[tuple[SigmaCorrelationConditionOperator, int | float], ...]

_LARGEST: Final = 2**20
_LOOKED_FOR: Final = frozenset({"detection", "filter"})
_OF_NUMBERS: Final = frozenset({"lt", "lte", "gt", "gte"})
"""Modifiers that take no text."""
_LISTS: Final = ("tags", "fields", "falsepositives", "references", "scope")
_WORDS: Final = (*_LISTS, "id", "related", "date", "modified", "author", "description", "license")
"""What says nothing about what a rule looks for, nor how grave it is."""


def read(file: Path) -> list[Document]:
    """The documents of a file of YAML; a key that stands twice in one mapping is an error, as YAML has it.

    Raises:
        Untranslatable: it is too large, or holds something that is no rule.
        YAMLError: it is no YAML.
        OSError: it cannot be read.
    """
    if file.stat().st_size > _LARGEST:
        raise Untranslatable("the file is larger than 1 MiB")
    text = file.read_text(encoding="utf-8-sig")
    documents = [one for one in yaml.load_all(text, SigmaYAMLLoader) if one is not None]
    for one in documents:
        if not isinstance(one, dict):
            raise Untranslatable(f"it is no Sigma rule but a {type(one).__name__}")
    return documents


def plain(document: Mapping[str, Any]) -> Document:
    """The same rule in the form that pySigma takes; an id that is no UUID becomes the rule's name.

    Raises:
        Untranslatable: a bound of a correlation is no number.
    """
    taken = {name: _exact(value) if name in _LOOKED_FOR else value for name, value in document.items()}
    for name in _WORDS:
        if name not in document or not _objected(name, document[name]):
            continue
        value = taken.pop(name)
        if name == "id":
            taken.setdefault("name", str(value))
        elif name in _LISTS:
            listed = value if isinstance(value, list) else [value]
            taken[name] = [one for one in listed if not _objected(name, [one])]
    condition = _condition(document)
    if isinstance(condition, str):
        words = re.sub(r"\b(AND|OR|NOT)\b", lambda word: word[0].lower(), condition)
        taken["correlation"] = {**document["correlation"], "condition": words}
    elif limits := bounds(document):
        (operator, limit), *_ = limits
        others = {name: value for name, value in condition.items() if name not in _OPERATORS}
        one = {operator.name.lower(): math.floor(limit)}
        taken["correlation"] = {**document["correlation"], "condition": others | one}
    return taken


def _exact(value: Any, modifiers: frozenset[str] = frozenset()) -> Any:
    """What a rule looks for, with whole numbers that a double does not hold as text, which compares them exactly."""
    if isinstance(value, dict):
        return {key: _exact(one, frozenset(str(key).split("|")[1:])) for key, one in value.items()}
    if isinstance(value, list):
        return [_exact(one, modifiers) for one in value]
    large = isinstance(value, int) and abs(value) >= EXACT
    return str(value) if large and not modifiers & _OF_NUMBERS else value


def bounds(document: Mapping[str, Any]) -> Bounds:
    """What a correlation's measure has to keep to, all of it; empty where its condition has no bounds.

    Raises:
        Untranslatable: one is no number.
    """
    condition = _condition(document)
    if not isinstance(condition, dict):
        return ()
    return tuple((operator, _number(condition[name])) for name, operator in _OPERATORS.items() if name in condition)


_OPERATORS: Final = {one.name.lower(): one for one in SigmaCorrelationConditionOperator}


def _condition(document: Mapping[str, Any]) -> Any:
    correlation = document.get("correlation")
    return correlation.get("condition") if isinstance(correlation, dict) else None


def _number(value: Any) -> int | float:
    try:
        found = float(str(value))
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise Untranslatable(f"{value!r} is no bound of a correlation")
    return int(found) if found.is_integer() else found


def _objected(name: str, value: Any) -> bool:
    """Whether pySigma does not take this value of an attribute."""
    try:
        _, errors = SigmaRule.from_dict_common_params({"title": name, name: value}, collect_errors=True)
    except Exception:  # noqa: BLE001 - some values it does not refuse but breaks on
        return True
    return bool(errors)
