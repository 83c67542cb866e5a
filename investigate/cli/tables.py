"""Tables for people: every text in them is text, whatever a log put there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.table import Table
from rich.text import Text

from investigate.case.display import cell, visible
from investigate.cli.output import print_line, utc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from investigate.case import Answer
    from investigate.cli.output import Result

SHOWN: Final = 50
"""The most rows of a table for people; the other formats have all."""
_NARROWEST: Final = 9
"""Columns of text that a terminal's width must have for each column, or rows are written one below the other."""
_RECORDS: Final = 20
_IPS: Final = 3
_WIDE: Final = 110


def plain_table(terminal: Console, result: Result, whole: str = "csv, json or parquet") -> None:
    """Rows as a table, or one below the other where they are too wide for it.

    Args:
        terminal: where to.
        result: the rows.
        whole: the formats that have all of them, however many.
    """
    if not len(result):
        print_line(terminal, nothing(result))
        return
    if len(result.columns) * _NARROWEST > terminal.width:
        _records(terminal, result, whole)
        return
    table = new_table(*result.columns, right=_numeric(result))
    for row in result.each(SHOWN):
        table.add_row(*(Text(cell(value)) for value in row))
    terminal.print(table)
    more(terminal, len(result), SHOWN, whole)


def nothing(result: Result) -> str:
    """What to say where there are no rows: nothing found is not the same as nothing collected."""
    if result.coverage is None:
        return "Nothing."
    if not result.coverage.sources:
        return "Nothing was ever collected, so nothing can be found."
    if result.coverage.complete:
        return "Nothing found, and all of it was collected."
    return "Nothing found in what was collected, which is not all:"


def new_table(*names: str, right: Sequence[str] = ()) -> Table:
    """An empty table with these columns, those in `right` flush right."""
    table = Table(header_style="bold", show_edge=False, pad_edge=False, box=None, padding=(0, 2, 0, 0))
    for name in names:
        table.add_column(Text(visible(name)), justify="right" if name in right else "left", overflow="fold")
    return table


def more(terminal: Console, rows: int, shown: int, whole: str = "csv, json or parquet") -> None:
    """Say how many rows were left out, if any, and in which formats they are."""
    if rows > shown:
        print_line(terminal, f"{shown} of {rows:,} rows; all of them: --format {whole}", "dim")


def facts(terminal: Console, pairs: Mapping[str, Any]) -> None:
    """Names and values, one pair a line."""
    width = max(map(len, pairs), default=0)
    for name, value in pairs.items():
        print_line(terminal, f"{name:<{width}}  {cell(value)}")


def _numeric(result: Result) -> list[str]:
    first = next(result.each(1))
    kinds = zip(result.columns, first, strict=True)
    return [name for name, value in kinds if isinstance(value, int | float) and not isinstance(value, bool)]


def _records(terminal: Console, result: Result, whole: str) -> None:
    width = max(len(visible(name)) for name in result.columns)
    for number, row in enumerate(result.each(_RECORDS), 1):
        print_line(terminal, f"── row {number} of {len(result):,}", "bold")
        for name, value in zip(result.columns, row, strict=True):
            if value is not None:
                print_line(terminal, f"{visible(name):<{width}}  {cell(value)}")
    more(terminal, len(result), _RECORDS, whole)


def identities(terminal: Console, answer: Answer, remarks: Mapping[str, Sequence[str]] | None = None) -> None:
    """The answer to "who touched", two lines an identity, readable at 80 columns.

    Args:
        terminal: where to.
        answer: of `Case.who_touched`.
        remarks: facts to add below an identity, by actor.
    """
    table = new_table("who", "events", "first and last, UTC", "did", "from", right=("events",))
    for column in table.columns[1:3]:
        column.no_wrap = True
    for row in answer.frame.head(SHOWN).iter_rows(named=True):
        key = row["actor"] if terminal.width >= _WIDE else short(row["actor"])
        who = Text(visible(row["actor_name"] or row["actor_email"] or short(row["actor"])), style="bold")
        who.append(f"\n{visible(row['source'])} {visible(row['actor_type'])} {visible(key)}", style="dim not bold")
        for remark in (remarks or {}).get(row["actor"], ()):
            who.append(f"\n{visible(remark)}", style="yellow not bold")
        touched = len(row["resources"])
        table.add_row(
            who,
            Text(f"{row['events']:,}"),
            Text(f"{utc(row['first'])}\n{utc(row['last'])}"),
            Text(f"{visible(', '.join(row['activities']))}\n{touched:,} object{'s' if touched != 1 else ''}"),
            Text(_addresses(row["src_ips"])),
        )
    terminal.print(table)
    more(terminal, answer.frame.height, SHOWN)


def intervals(terminal: Console, result: Result) -> None:
    """What was collected and what was not, a line an interval."""
    table = new_table("source", "from, UTC", "to, UTC", "state", "only", "says")
    for column in table.columns[1:3]:
        column.no_wrap = True
    for source, tenant, start, end, state, chosen, basis, _ in result.each(SHOWN):
        style = "" if state == "complete" else "yellow"
        texts = (f"{source}/{tenant}", utc(start), utc(end), state, chosen or "", basis or "")
        table.add_row(*(Text(visible(text), style=style) for text in texts))
    if len(result):
        terminal.print(table)
    more(terminal, len(result), SHOWN)


def short(key: str) -> str:
    """The end of a DON, which tells people apart; anything else as it stands."""
    return "…:" + key.rpartition(":")[2] if key.startswith("don:") and key.count(":") > 1 else key


def _addresses(values: Sequence[str]) -> str:
    listed = [visible(value, 45) for value in values[:_IPS]]
    rest = len(values) - _IPS
    return "\n".join([*listed, f"and {rest} more"] if rest > 0 else listed)
