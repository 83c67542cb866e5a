"""The pySigma backend: a rule's condition as one DuckDB expression over the rows of a `Sheet`.

A NOT takes what is inside for false where it is null, as Sigma means it: a field that is missing is not the value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

import duckdb
from sigma.conditions import ConditionFieldEqualsValueExpression, ConditionOR
from sigma.conversion.base import TextQueryBackend
from sigma.types import SigmaBool, SigmaNumber, SigmaRegularExpression, SigmaString

from investigate.audit import matching
from investigate.audit.matching import Untranslatable, constant
from investigate.audit.sheet import ITEM

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sigma.conditions import ConditionAND, ConditionItem, ConditionNOT, ConditionValueExpression
    from sigma.conversion.state import ConversionState
    from sigma.types import (
        SigmaCIDRExpression,
        SigmaCompareExpression,
        SigmaFieldReference,
        SigmaTimestampPart,
    )

    from investigate.audit.sheet import Operand, Sheet

    Condition = ConditionFieldEqualsValueExpression


class DuckDBBackend(TextQueryBackend):
    """Conditions of single-event rules; correlations are asked of what these found, see `correlation`.

    Args:
        sheet: the fields of the source that is asked; what a rule needs is added to it.
    """

    name: ClassVar[str] = "DuckDB over the lake"
    formats: ClassVar[dict[str, str]] = {"default": "an expression for the rows of a Sheet"}
    convert_or_as_in: ClassVar[bool] = True

    def __init__(self, sheet: Sheet) -> None:
        super().__init__()
        self._sheet = sheet

    # Conditions

    def convert_condition_or(self, cond: ConditionOR, state: ConversionState) -> str:
        """Any of them."""
        return self._joined(" OR ", cond.args, state)

    def convert_condition_and(self, cond: ConditionAND, state: ConversionState) -> str:
        """All of them."""
        return self._joined(" AND ", cond.args, state)

    def convert_condition_not(self, cond: ConditionNOT, state: ConversionState) -> str:
        """Not that; what is null is not."""
        return f"(NOT coalesce({self._joined('', cond.args, state)}, false))"

    def convert_condition(self, cond: Any, state: ConversionState) -> str:
        """Any part of a condition.

        Raises:
            Untranslatable: it names a detection that the rule does not have.
        """
        if cond is None:
            raise Untranslatable("its condition speaks of detections that are not there")
        return str(super().convert_condition(cond, state))

    def decide_convert_condition_as_in_expression(
        self, cond: ConditionOR | ConditionAND, _state: ConversionState
    ) -> bool:
        """Whether a list of values is plain texts for one field, upper and lower case being equal."""
        args = cond.args
        return (
            isinstance(cond, ConditionOR)
            and all(isinstance(arg, ConditionFieldEqualsValueExpression) and _plain(arg.value) for arg in args)
            and len({cast("Condition", arg).field for arg in args}) == 1
        )

    def convert_condition_as_in_expression(self, cond: ConditionOR | ConditionAND, _state: ConversionState) -> str:
        """One of several texts."""
        args = cast("list[Condition]", cond.args)
        values = ", ".join(f"lower({constant(''.join(cast('SigmaString', arg.value).s))})" for arg in args)  # type: ignore[arg-type]
        return self._field(args[0]).any(lambda _, low: f"{low} IN ({values})")

    # A field and a value

    def convert_condition_field_eq_val_str(self, cond: Condition, _state: ConversionState) -> str:
        """A text, in which upper and lower case are equal."""
        wanted = cast("SigmaString", cond.value)
        return self._field(cond).any(lambda text, low: matching.string(text, low, wanted, cased=False))

    def convert_condition_field_eq_val_str_case_sensitive(self, cond: Condition, _state: ConversionState) -> str:
        """A text, in which they are not."""
        wanted = cast("SigmaString", cond.value)
        return self._field(cond).any(lambda text, low: matching.string(text, low, wanted, cased=True))

    def convert_condition_field_eq_val_num(self, cond: Condition, _state: ConversionState) -> str:
        """A number, be it written as one or as text."""
        wanted = cast("SigmaNumber", cond.value).number
        return self._field(cond).any(lambda text, _: matching.number_is(text, wanted))

    def convert_condition_field_eq_val_bool(self, cond: Condition, _state: ConversionState) -> str:
        """True or false, be it written as one or as text."""
        wanted = "true" if cast("SigmaBool", cond.value).boolean else "false"
        return self._field(cond).any(lambda _, low: f"{low} = '{wanted}'")

    def convert_condition_field_eq_val_timestamp_part(self, cond: Condition, _state: ConversionState) -> str:
        """A part of a timestamp, in UTC."""
        part = cast("SigmaTimestampPart", cond.value)
        return f"({matching.part_is(self._field(cond).moment, part.timestamp_part, part.number)})"

    def convert_condition_field_eq_val_re(self, cond: Condition, _state: ConversionState) -> str:
        """A regular expression, found anywhere."""
        pattern = _pattern(cast("SigmaRegularExpression", cond.value))
        return self._field(cond).any(lambda text, _: f"regexp_matches({text}, {pattern})")

    def convert_condition_field_eq_val_cidr(self, cond: Condition, _state: ConversionState) -> str:
        """An address in a network."""
        wanted = cast("SigmaCIDRExpression", cond.value)
        digits = self._sheet.address(cond.field)
        return digits.any(lambda text, _: matching.network(matching.address(text) if text == ITEM else text, wanted))

    def convert_condition_field_compare_op_val(self, cond: Condition, _state: ConversionState) -> str:
        """A number on one side of a bound."""
        wanted = cast("SigmaCompareExpression", cond.value)
        return self._field(cond).any(lambda text, _: matching.compared(text, wanted.op, wanted.number.number))

    def convert_condition_field_eq_field(self, cond: Condition, _state: ConversionState) -> str:
        """The value of another field, or what begins with it, ends with it, or has it in it."""
        ref = cast("SigmaFieldReference", cond.value)
        kind = {(True, True): "contains", (True, False): "starts_with", (False, True): "ends_with"}
        function = kind.get((ref.starts_with, ref.ends_with))
        other = self._sheet.operand(ref.field)

        def test(low: str) -> str:
            return other.any(lambda _, value: f"{function}({low}, {value})" if function else f"{low} = {value}")

        mine = self._field(cond)
        if mine.items is None:
            return f"({test(mine.low)})"
        # The names of lambdas' arguments may not meet: the outer one has another.
        listed = f"len(list_filter({mine.items}, lambda mine: coalesce({test('lower(mine)')}, false))) > 0"
        return f"CASE WHEN {mine.items} IS NULL THEN {test(mine.low)} ELSE {listed} END"

    def convert_condition_field_eq_val_null(self, cond: Condition, _state: ConversionState) -> str:
        """No value: missing, null, or a list without any."""
        return self._field(cond).empty

    def convert_condition_field_exists(self, cond: Condition, _state: ConversionState) -> str:
        """The field is there, be it null."""
        return f"coalesce({self._field(cond).present}, false)"

    def convert_condition_field_eq_query_expr(self, _cond: Condition, _state: ConversionState) -> str:
        """Not asked."""
        raise Untranslatable("it has a query of another system in it")

    # A value anywhere in the record

    def convert_condition_val_str(self, cond: ConditionValueExpression, _state: ConversionState) -> str:
        """A text anywhere in the record, as the vendor wrote it or as it reads."""
        wanted = cast("SigmaString", cond.value)
        anywhere = cast("Any", SigmaString("*")) + wanted + SigmaString("*") if wanted.s else SigmaString("*")
        return self._anywhere(lambda text, low: matching.string(text, low, anywhere, cased=False))

    def convert_condition_val_num(self, cond: ConditionValueExpression, state: ConversionState) -> str:
        """A number anywhere in the record."""
        text = SigmaString(str(cast("SigmaNumber", cond.value).number))
        return self.convert_condition_val_str(cast("Any", type(cond)(text)), state)

    def convert_condition_val_re(self, cond: ConditionValueExpression, _state: ConversionState) -> str:
        """A regular expression, found anywhere in the record."""
        pattern = _pattern(cast("SigmaRegularExpression", cond.value))
        return self._anywhere(lambda text, _: f"regexp_matches({text}, {pattern})")

    def convert_condition_query_expr(self, _cond: ConditionValueExpression, _state: ConversionState) -> str:
        """Not asked."""
        raise Untranslatable("it has a query of another system in it")

    def _field(self, cond: Condition) -> Operand:
        return self._sheet.operand(cond.field)

    def _anywhere(self, test: Callable[[str, str], str]) -> str:
        return f"({' OR '.join(one.any(test) for one in self._sheet.anywhere)})"

    def _joined(self, token: str, args: Sequence[ConditionItem | Any], state: ConversionState) -> str:
        return f"({token.join(self.convert_condition(arg, state) for arg in args)})"


def _plain(value: Any) -> bool:
    return type(value) is SigmaString and all(isinstance(part, str) for part in value.s)


def _pattern(wanted: SigmaRegularExpression) -> str:
    """A regular expression as a literal, tried once: this engine's are RE2's, which knows no looking around.

    Raises:
        Untranslatable: it is not one of those.
    """
    if wanted.contains_placeholder():
        raise Untranslatable("a regular expression in it has a placeholder")
    text = wanted.escape(escape_escape_char=False, flag_prefix=True)
    try:
        with duckdb.connect() as engine:
            engine.execute("SELECT regexp_matches('', $1)", [text])
    except duckdb.Error as error:
        reason = str(error).partition("\n")[0].removeprefix("Invalid Input Error: ")
        raise Untranslatable(f"a regular expression in it is none of RE2's: {reason[:200]}") from None
    return constant(text)
