"""Sigma's comparisons as DuckDB expressions: strings with wildcards, numbers, networks, regular expressions.

Every expression is true where the value fits, and false or null where it does not; nulls become false under a NOT.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from sigma.types import CompareOperators, Placeholder, SpecialChars, TimestampPart

from investigate.lake.sql import literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sigma.types import SigmaCIDRExpression, SigmaString

    Number = int | float

EXACT: Final = 2**53
"""Beyond, a double does not tell neighbouring whole numbers apart."""
_OPERATORS: Final = {
    CompareOperators.LT: "<",
    CompareOperators.LTE: "<=",
    CompareOperators.GT: ">",
    CompareOperators.GTE: ">=",
}
_PARTS: Final = {
    TimestampPart.MINUTE: "minute",
    TimestampPart.HOUR: "hour",
    TimestampPart.DAY: "day",
    TimestampPart.WEEK: "week",
    TimestampPart.MONTH: "month",
    TimestampPart.YEAR: "year",
}
_V4: Final = r"^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)$"
_V6: Final = r"^[0-9A-Fa-f:]{2,39}$"


class Untranslatable(Exception):
    """A rule says something that this engine cannot ask; the text is the reason."""


def constant(text: str) -> str:
    """A text of a rule as an SQL literal: the only way by which a rule's words get into a query.

    Raises:
        Untranslatable: it is no Unicode text.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Untranslatable("a text in it has half of a surrogate pair") from None
    return literal(text)


def number(value: Number) -> str:
    """A number of a rule as an SQL literal."""
    return repr(float(value)) + "::DOUBLE"


def string(text: str, lowered: str, wanted: SigmaString, *, cased: bool) -> str:  # noqa: PLR0911 - a form a line
    """Whether a text is the wanted one, in which `*` stands for any text and `?` for one character.

    Args:
        text: expression of the text.
        lowered: expression of the same in lower case.
        wanted: with its wildcards.
        cased: whether upper and lower case differ.
    """
    parts = _parts(wanted)
    value = text if cased else lowered

    def fixed(part: str) -> str:
        return constant(part) if cased else f"lower({constant(part)})"

    match parts:
        case []:
            return f"{value} = ''"
        case [str(only)]:
            return f"{value} = {fixed(only)}"
        case [SpecialChars.WILDCARD_MULTI]:
            return f"{value} IS NOT NULL"
        case [SpecialChars.WILDCARD_MULTI, str(middle), SpecialChars.WILDCARD_MULTI]:
            return f"contains({value}, {fixed(middle)})"
        case [str(beginning), SpecialChars.WILDCARD_MULTI]:
            return f"starts_with({value}, {fixed(beginning)})"
        case [SpecialChars.WILDCARD_MULTI, str(ending)]:
            return f"ends_with({value}, {fixed(ending)})"
    return rf"{value} LIKE {fixed(_like(parts))} ESCAPE '\'"


def number_is(text: str, wanted: Number) -> str:
    """Whether a text is a number equal to the wanted one."""
    if isinstance(wanted, int) and abs(wanted) >= EXACT:
        return f"{text} = {constant(str(wanted))}"
    return f"TRY_CAST({text} AS DOUBLE) = {number(wanted)}"


def compared(text: str, operator: CompareOperators, bound: Number) -> str:
    """Whether a text is a number on this side of a bound.

    Raises:
        Untranslatable: no such operator.
    """
    if operator not in _OPERATORS:
        raise Untranslatable(f"numbers are not compared by {operator.name.lower()}")
    value = f"TRY_CAST({text} AS DOUBLE)"
    return f"(isfinite({value}) AND {value} {_OPERATORS[operator]} {number(bound)})"


def part_is(moment: str, part: TimestampPart, wanted: Number) -> str:
    """Whether a part of a timestamp, in UTC, is the wanted number."""
    return f"extract({_PARTS[part]} FROM {moment}) = {int(wanted)}"


def address(text: str) -> str:
    """An IP address as hexadecimal digits, 8 of IPv4 and 32 of IPv6, that sort as addresses do; null of anything else.

    An IPv4 address written as one of IPv6 is the IPv4 address.
    """
    mapped = f"regexp_extract({text}, '(?i)^::ffff:([0-9.]+)$', 1)"
    before, after = (_groups(f"split_part({text}, '::', {side})") for side in (1, 2))
    missing = f"range(8 - len({before}) - len({after}))"
    filled = f"list_concat(list_concat({before}, list_transform({missing}, lambda n: '0')), {after})"
    whole = f"CASE WHEN contains({text}, '::') THEN {filled} ELSE {before} END"
    six = f"lower(array_to_string(list_transform({whole}, lambda g: lpad(g, 4, '0')), ''))"
    return (
        f"CASE WHEN regexp_matches({text}, '{_V4}') THEN {_octets(text)}"
        f" WHEN regexp_matches({mapped}, '{_V4}') THEN {_octets(mapped)}"
        f" WHEN regexp_matches({text}, '{_V6}') AND contains({text}, ':')"
        f" THEN CASE WHEN length({six}) = 32 THEN {six} END END"
    )


def _octets(text: str) -> str:
    numbers = ", ".join(f"CAST(split_part({text}, '.', {at}) AS UTINYINT)" for at in range(1, 5))
    return f"printf('%02x%02x%02x%02x', {numbers})"


def _groups(text: str) -> str:
    return f"list_filter(string_split({text}, ':'), lambda g: g <> '')"


def network(digits: str, wanted: SigmaCIDRExpression) -> str:
    """Whether an address, in the digits of `address`, is in a network."""
    inside = wanted.network
    if isinstance(inside, ipaddress.IPv6Network) and inside.network_address.ipv4_mapped and inside.prefixlen >= 96:  # noqa: PLR2004 - ::ffff:0:0/96
        inside = ipaddress.IPv4Network((inside.network_address.ipv4_mapped, inside.prefixlen - 96))
    first, last = inside.network_address.packed.hex(), inside.broadcast_address.packed.hex()
    return f"(length({digits}) = {len(first)} AND {digits} BETWEEN '{first}' AND '{last}')"


def _parts(wanted: SigmaString) -> list[str | SpecialChars]:
    """The parts of a string, runs of `*` as one, neighbouring texts joined."""
    found: list[str | SpecialChars] = []
    for part in wanted.s:
        if isinstance(part, Placeholder):
            raise Untranslatable(f"the placeholder %{part.name}% has no value; give one with --placeholders")
        if part is SpecialChars.WILDCARD_MULTI and found and found[-1] is part:
            continue
        if isinstance(part, str) and found and isinstance(found[-1], str):
            found[-1] += part
        else:
            found.append(part)
    return found


def _like(parts: Sequence[str | SpecialChars]) -> str:
    signs = {SpecialChars.WILDCARD_MULTI: "%", SpecialChars.WILDCARD_SINGLE: "_"}
    escaped = str.maketrans({"\\": "\\\\", "%": "\\%", "_": "\\_"})
    return "".join(part.translate(escaped) if isinstance(part, str) else signs[part] for part in parts)
