"""Conditions of Sigma's first version that count, such as `s | count(field) by user > 5`, as correlations.

The second version has correlations in their place, and pySigma refuses them; public rules still have them.
Source: SigmaHQ, "Sigma Specification 1.0", section "Aggregation expression", and its migration guide to correlations.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, Final

from investigate.audit.matching import Untranslatable

if TYPE_CHECKING:
    from collections.abc import Mapping

_EXPRESSION: Final = re.compile(
    r"(?P<function>count|sum|avg)\s*\(\s*(?P<field>[^\s()]*)\s*\)"
    r"(?:\s+by\s+(?P<group>[^\s,]+(?:\s*,\s*[^\s,]+)*))?\s*(?P<sign>>=|<=|==|=|>|<)\s*(?P<bound>\d+)"
)
_SIGNS: Final = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte", "=": "eq", "==": "eq"}
_TYPES: Final = {"count": "value_count", "sum": "value_sum", "avg": "value_avg"}
_TIMEFRAME: Final = re.compile(r"\d+[smhdwMy]")
EVENTS: Final = "events of "
"""What the name of a rule begins with that is only there to be counted."""
_OF_BOTH: Final = ("title", "status")
_OF_THE_EVENTS: Final = ("logsource", "taxonomy")


def separated(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A rule that counts as two: one of its events, and the correlation that counts them; any other as it is.

    Args:
        document: as read from YAML.

    Returns:
        The correlation keeps the id, the title and all else that describes; the events' rule has a name of its own.

    Raises:
        Untranslatable: it counts without saying over which time, or says something that is no count.
    """
    detection = document.get("detection")
    if not isinstance(detection, dict):
        return [dict(document)]
    if isinstance(detection.get("aggregation"), dict) and "value" in detection["aggregation"]:
        raise Untranslatable("it has an aggregation in a form that no version of Sigma knows")
    condition = detection.get("condition")
    if not isinstance(condition, str) or "|" not in condition:
        return [dict(document)]
    selection, _, expression = condition.partition("|")
    counted = _EXPRESSION.fullmatch(expression.strip())
    if counted is None:
        raise Untranslatable(f"what stands behind the pipe of its condition is no count: {expression.strip()}")
    timeframe = str(detection.get("timeframe") or document.get("timeframe") or "")
    if _TIMEFRAME.fullmatch(timeframe) is None:
        raise Untranslatable("it counts, but has no timeframe in which")
    name = f"{EVENTS}{document.get('id') or hashlib.sha256(repr(detection).encode()).hexdigest()[:32]}"
    kept = {key: value for key, value in detection.items() if key != "timeframe"} | {"condition": selection.strip()}
    events = {key: document[key] for key in (*_OF_BOTH, *_OF_THE_EVENTS) if key in document}
    said = {key: value for key, value in document.items() if key not in {"detection", "timeframe", *_OF_THE_EVENTS}}
    correlation = _correlation(counted, name, timeframe)
    return [{**events, "name": name, "detection": kept}, {**said, "correlation": correlation}]


def _correlation(counted: re.Match[str], name: str, timespan: str) -> dict[str, Any]:
    field, function = counted["field"], counted["function"]
    if function != "count" and not field:
        raise Untranslatable(f"{function}() is of no field")
    found: dict[str, Any] = {
        "type": _TYPES[function] if field else "event_count",
        "rules": [name],
        "timespan": timespan,
        "condition": {_SIGNS[counted["sign"]]: int(counted["bound"])} | ({"field": field} if field else {}),
    }
    if counted["group"]:
        found["group-by"] = [one.strip() for one in counted["group"].split(",")]
    return found
