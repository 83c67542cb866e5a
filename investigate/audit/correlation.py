"""Sigma's correlations, asked of the matches of single-event rules: how many, how many different, together, in order.

A window of `timespan` ends at every match and slides with it, both ends included. Overlapping windows in which the
condition holds are one episode; its events are the proof. An event without one of the group-by fields is in no group.

Few groups ever come near a threshold, so those that cannot are left out first, by counting: a window lies within two
neighbouring spans of its own length, and what does not hold in these together does not hold in it.
"""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, Final, cast

from sigma.correlations import (
    CorrelationConditionAND,
    CorrelationConditionNOT,
    CorrelationConditionOR,
    SigmaCorrelationCondition,
    SigmaCorrelationConditionOperator,
    SigmaCorrelationRule,
    SigmaCorrelationType,
    SigmaExtendedCorrelationCondition,
)

from investigate.audit.matching import Untranslatable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from investigate.audit.documents import Bounds
    from investigate.audit.ruleset import Rule

_SECOND: Final = 1_000_000
_OPERATORS: Final = {
    SigmaCorrelationConditionOperator.LT: "<",
    SigmaCorrelationConditionOperator.LTE: "<=",
    SigmaCorrelationConditionOperator.GT: ">",
    SigmaCorrelationConditionOperator.GTE: ">=",
    SigmaCorrelationConditionOperator.EQ: "=",
    SigmaCorrelationConditionOperator.NEQ: "<>",
}
_COMPARE: Final = {
    SigmaCorrelationConditionOperator.LT: operator.lt,
    SigmaCorrelationConditionOperator.LTE: operator.le,
    SigmaCorrelationConditionOperator.GT: operator.gt,
    SigmaCorrelationConditionOperator.GTE: operator.ge,
    SigmaCorrelationConditionOperator.EQ: operator.eq,
    SigmaCorrelationConditionOperator.NEQ: operator.ne,
}
_MEASURES: Final = {
    SigmaCorrelationType.EVENT_COUNT: "count(*) OVER span",
    SigmaCorrelationType.VALUE_COUNT: "count(DISTINCT value) OVER span",
    SigmaCorrelationType.VALUE_SUM: "sum(TRY_CAST(value AS DOUBLE)) OVER span",
    SigmaCorrelationType.VALUE_AVG: "avg(TRY_CAST(value AS DOUBLE)) OVER span",
    SigmaCorrelationType.VALUE_MEDIAN: "median(TRY_CAST(value AS DOUBLE)) OVER span",
    SigmaCorrelationType.TEMPORAL: "count(DISTINCT rule) OVER span",
}
_ALL: Final = 100
"""Percent."""
_GROWING: Final = (SigmaCorrelationType.EVENT_COUNT, SigmaCorrelationType.VALUE_COUNT, SigmaCorrelationType.TEMPORAL)
"""What these measure is never more of a part than of the whole, nor more than the number of matches."""
_AT_LEAST: Final = (SigmaCorrelationConditionOperator.GT, SigmaCorrelationConditionOperator.GTE)
_BEGINNING: Final = 62_135_596_800_000_000
"""Microseconds from the year 1 to 1970: a division rounds towards zero."""
_MOST_KINDS: Final = 120
"""Bits of the number that rules are marked in."""


def check(rule: Rule) -> None:
    """Whether a correlation can be asked.

    Raises:
        Untranslatable: it cannot.
    """
    sigma = _sigma(rule)
    if not rule.refers:
        raise Untranslatable("it refers to no rule")
    if (rule.sigma.custom_attributes or {}).get("investigate") is not None:
        raise Untranslatable("its attribute investigate belongs to a rule of single events")
    if sigma.type is SigmaCorrelationType.TEMPORAL_ORDERED and not _all(rule):
        raise Untranslatable("of rules in an order all have to match; its condition says something else")
    known = {one for ref in rule.refers for one in ref.names()}
    odd = sorted({ref.reference for alias in sigma.aliases for ref in alias.mapping} - known)
    if odd:
        raise Untranslatable(f"its aliases speak of rules it does not refer to: {', '.join(odd)}")
    _measure(sigma)


def fields(rule: Rule) -> dict[str, list[str]]:
    """The fields a correlation needs of the events of each rule it refers to, by the rule's id."""
    sigma = _sigma(rule)
    names = [*(sigma.group_by or ()), *_values(sigma)]
    return {ref.id: [_aliased(sigma, name, ref) for name in names] for ref in rule.refers}


def reach(rule: Rule) -> int:
    """How far before its last event a rule looks, in microseconds; 0 of a rule of single events."""
    if not isinstance(rule.sigma, SigmaCorrelationRule):
        return 0
    return _length(rule.sigma) + max((reach(ref) for ref in rule.refers), default=0)


def group_names(rule: Rule) -> list[str]:
    """What its events share."""
    return list(_sigma(rule).group_by or ())


def base(rule: Rule, numbers: Mapping[str, int], slots: Mapping[str, int]) -> str:
    """The matches a correlation is about: `hit` (the row of `hits`), `rule`, `time`, `arrived`, `shared`, `value`.

    `shared` is a list of text. Matches far from any window in which the condition could hold are not among them.

    Args:
        rule: the correlation.
        numbers: the number in `hits` of each rule's id.
        slots: the column `k…` of each field.
    """
    sigma = _sigma(rule)
    matches = " UNION ALL ".join(_matches(sigma, ref, numbers, slots) for ref in dict.fromkeys(rule.refers))
    if sigma.type is SigmaCorrelationType.EVENT_COUNT and len(set(rule.refers)) > 1:
        matches = f"SELECT DISTINCT ON (source, tenant, event_uid) * FROM ({matches})"
    groups = [f"g{at}" for at, _ in enumerate(sigma.group_by or ())]
    taken = f"hit, rule, time, arrived, [{', '.join(groups)}]::VARCHAR[] AS shared, value"
    possible = _possible(rule, numbers)
    if possible is None:
        return f"SELECT {taken} FROM ({matches})"
    keys = ", ".join([*groups, "span"])
    span = f"(epoch_us(time) + {_BEGINNING}) // {_length(sigma)}"
    return f"""
WITH matches AS NOT MATERIALIZED (SELECT *, {span} AS span FROM ({matches})),
hot AS (SELECT {keys} FROM (SELECT {", ".join(["rule", *groups])}, unnest([span, span + 1]) AS span FROM matches)
  GROUP BY {keys} HAVING {possible}),
near AS (SELECT DISTINCT {", ".join([*groups, "unnest([span - 1, span]) AS span"])} FROM hot)
SELECT {taken} FROM matches SEMI JOIN near USING ({keys})"""


def _matches(sigma: SigmaCorrelationRule, ref: Rule, numbers: Mapping[str, int], slots: Mapping[str, int]) -> str:
    """The matches of one rule, with the fields that are grouped by as `g0` …."""
    shared = [f"k{slots[_aliased(sigma, name, ref)]}" for name in sigma.group_by or ()]
    values = [f"k{slots[_aliased(sigma, name, ref)]}" for name in _values(sigma)]
    value = values[0] if len(values) == 1 else f"CAST([{', '.join(values)}] AS VARCHAR)" if values else "NULL"
    groups = "".join(f", {name} AS g{at}" for at, name in enumerate(shared))
    some = " AND ".join([f"rule = {numbers[ref.id]}", *(f"{name} IS NOT NULL" for name in shared)])
    taken = "rowid AS hit, rule, time, arrived, source, tenant, event_uid"
    return f"SELECT {taken}{groups}, {value} AS value FROM hits WHERE {some}"


def _possible(rule: Rule, numbers: Mapping[str, int]) -> str | None:
    """What has to be true of all matches in two neighbouring spans, if the condition holds anywhere in them.

    Returns:
        A condition on their aggregates; None where nothing can be said.
    """
    sigma = _sigma(rule)
    order = list(dict.fromkeys(numbers[ref.id] for ref in rule.refers))
    marks = " ".join(f"WHEN {number} THEN {1 << at}" for at, number in enumerate(order))
    kinds = f"bit_count(bit_or((CASE rule {marks} END)::HUGEINT))"
    if len(order) > _MOST_KINDS or _extended(sigma):
        return None
    if sigma.type is SigmaCorrelationType.TEMPORAL_ORDERED:
        return f"{kinds} = {len(order)}"
    measure = kinds if sigma.type is SigmaCorrelationType.TEMPORAL else "count(*)"
    least = tuple((sign, bound) for sign, bound in _bounds(rule) if sign in _AT_LEAST)
    if sigma.type not in _GROWING or not least:
        return None
    return _kept(measure, least)


def triggers(rule: Rule, numbers: Mapping[str, int], table: str) -> str:
    """The rows of `table`, made by `base`, at which the condition holds."""
    sigma = _sigma(rule)
    microseconds = _length(sigma)
    if sigma.type is SigmaCorrelationType.TEMPORAL_ORDERED:
        return _in_order(rule, numbers, table, microseconds)
    span = f"PARTITION BY shared ORDER BY time RANGE BETWEEN to_microseconds({microseconds}) PRECEDING AND CURRENT ROW"
    if isinstance(sigma.condition, SigmaExtendedCorrelationCondition):
        called = {name: numbers[ref.id] for ref in rule.refers for name in ref.names()}
        condition = _truth(sigma.condition.parsed, called)
    else:
        condition = _kept(_measure(sigma), _bounds(rule))
    return f"SELECT * FROM (SELECT *, {condition} AS holds FROM {table} WINDOW span AS ({span})) WHERE holds"


def episodes(rule: Rule, table: str) -> str:
    """From the triggers in `table`: `shared`, `begins`, `ends` of each run of windows that overlap."""
    span = f"to_microseconds({_length(_sigma(rule))})"
    return f"""
SELECT shared, min(time) - {span} AS begins, max(time) AS ends FROM (
  SELECT *, sum(begun) OVER (PARTITION BY shared ORDER BY time ROWS UNBOUNDED PRECEDING) AS episode FROM (
    SELECT *, CASE WHEN time - lag(time) OVER (PARTITION BY shared ORDER BY time) <= {span} THEN 0 ELSE 1 END AS begun
    FROM {table}))
GROUP BY shared, episode"""


def _in_order(rule: Rule, numbers: Mapping[str, int], table: str, microseconds: int) -> str:
    """Each row knows the latest start of a chain of rules, in their order, that ends with it."""
    order = [numbers[ref.id] for ref in rule.refers]
    sql = f"SELECT *, CASE WHEN rule = {order[0]} THEN time END AS start0 FROM {table}"
    before = "PARTITION BY shared ORDER BY time RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
    for at, number in enumerate(order[1:], 1):
        latest = f"max(start{at - 1}) OVER ({before})"
        sql = f"SELECT *, CASE WHEN rule = {number} THEN {latest} END AS start{at} FROM ({sql})"
    return f"SELECT * FROM ({sql}) WHERE time - start{len(order) - 1} <= to_microseconds({microseconds})"


def _measure(sigma: SigmaCorrelationRule) -> str:
    if sigma.type is not SigmaCorrelationType.VALUE_PERCENTILE:
        return _MEASURES.get(sigma.type, "")
    percent = cast("SigmaCorrelationCondition", sigma.condition).percentile
    if percent is None or not 0 <= percent <= _ALL:
        raise Untranslatable("its percentile is none between 0 and 100")
    return f"quantile_cont(TRY_CAST(value AS DOUBLE), {percent / _ALL}) OVER span"


def _bounds(rule: Rule) -> Bounds:
    """The bounds of its condition; pySigma's own where the rule was not read from a document of its own."""
    condition = cast("SigmaCorrelationCondition", _sigma(rule).condition)
    return rule.bounds or ((condition.op, condition.count),)


def _kept(measure: str, bounds: Bounds) -> str:
    """Whether a measure keeps to bounds."""
    return " AND ".join(f"{measure} {_OPERATORS[sign]} {bound!r}" for sign, bound in bounds)


def _all(rule: Rule) -> bool:
    """Whether the condition of a correlation says no more than that each of its rules has a match."""
    condition = _sigma(rule).condition
    if isinstance(condition, SigmaExtendedCorrelationCondition):
        return re.search(r"\b(or|not)\b", condition.expression) is None
    kinds = len(set(rule.refers))
    holds = [all(_COMPARE[sign](count, bound) for sign, bound in _bounds(rule)) for count in (kinds - 1, kinds)]
    return holds == [False, True]


def _truth(node: Any, called: Mapping[str, int]) -> str:
    """Whether matches of some rules are in the window and of others not."""
    if isinstance(node, CorrelationConditionNOT):
        return f"(NOT {_truth(node.args[0], called)})"
    if isinstance(node, CorrelationConditionAND | CorrelationConditionOR):
        token = " AND " if isinstance(node, CorrelationConditionAND) else " OR "
        return f"({token.join(_truth(arg, called) for arg in node.args)})"
    return f"bool_or(rule = {called[node.reference]}) OVER span"


def _values(sigma: SigmaCorrelationRule) -> list[str]:
    ref = sigma.condition.fieldref if isinstance(sigma.condition, SigmaCorrelationCondition) else None
    return [ref] if isinstance(ref, str) else list(ref or ())


def _aliased(sigma: SigmaCorrelationRule, name: str, ref: Rule) -> str:
    for alias in sigma.aliases:
        if alias.alias == name:
            own = _first(field for one, field in alias.mapping.items() if one.reference in ref.names())
            return own or name
    return name


def _first(values: Iterable[str]) -> str | None:
    return next(iter(values), None)


def _extended(sigma: SigmaCorrelationRule) -> bool:
    return isinstance(sigma.condition, SigmaExtendedCorrelationCondition)


def _length(sigma: SigmaCorrelationRule) -> int:
    """The time span, in microseconds."""
    return int(sigma.timespan.seconds) * _SECOND


def _sigma(rule: Rule) -> SigmaCorrelationRule:
    return cast("SigmaCorrelationRule", rule.sigma)
