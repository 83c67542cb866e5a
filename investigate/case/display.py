"""What a log says, shown safely: no escape sequence, no reversed text, no HTML of its own takes effect."""

from __future__ import annotations

import html
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from investigate.report.text import visible

if TYPE_CHECKING:
    import polars as pl
    from rich.table import Table

__all__ = ["CELL", "amount", "cell", "html_table", "rich_table", "scrolled", "text_table", "visible"]

CELL: Final = 400
"""The longest text a cell of a table for people shows."""
_SHOWN: Final = 50
_LISTED: Final = 4
_UNITS: Final = ("B", "kB", "MB", "GB", "TB")
_STEP: Final = 1000
_STYLE: Final = (
    "<style>.investigate-still{overflow:auto;max-height:36em}"
    ".investigate-still :is(th,td){text-align:left!important;white-space:nowrap;padding:.2em .6em!important}"
    ".investigate-still .number{text-align:right!important}"
    "@media print{.investigate-still{max-height:none}}</style>"
)
"""JupyterLab aligns what is in tables to the right, breaks ids at their hyphens and gives no key a way to scroll."""


def cell(value: Any, limit: int = CELL) -> str:
    """One value as a table for people shows it: times UTC with Z, lists with commas, null empty."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        text = value.astimezone(UTC).isoformat(sep=" ").replace("+00:00", "Z")
    elif isinstance(value, (list, tuple)):
        more = f", and {len(value) - _LISTED} more" if len(value) > _LISTED else ""
        text = ", ".join(cell(item, limit) for item in value[:_LISTED]) + more
    else:
        text = str(value)
    return visible(text, limit)


def amount(number: float, unit: str) -> str:
    """A number of units for people: `12.3 MB`, `4,711 records`, `1 file`.

    Args:
        number: of `bytes` or of anything else.
        unit: in the plural, with an `s`.
    """
    if unit != "bytes":
        return f"{number:,.0f} {unit.removesuffix('s') if number == 1 else unit}"
    size, names = float(number), iter(_UNITS)
    name = next(names)
    while size >= _STEP and name != _UNITS[-1]:
        size, name = size / _STEP, next(names)
    return f"{size:,.0f} B" if name == "B" else f"{size:.1f} {name}"


def share(done: float, total: float | None, unit: str) -> str:
    """So much of so much: `12.3 MB of 40.0 MB`, `3 of 12 pages`; `3 pages` where the whole is unknown."""
    if not total:
        return amount(done, unit)
    return f"{amount(done, unit) if unit == 'bytes' else f'{done:,.0f}'} of {amount(total, unit)}"


def rich_table(frame: pl.DataFrame, *, title: str | None = None, most: int = _SHOWN) -> Table:
    """A frame as a terminal shows it; text in it is text, never markup."""
    from rich.table import Table  # noqa: PLC0415 - only where a table is printed
    from rich.text import Text  # noqa: PLC0415

    table = Table(title=title, title_justify="left", header_style="bold", show_edge=False, pad_edge=False)
    for name in frame.columns:
        table.add_column(
            Text(visible(name)), justify="right" if frame[name].dtype.is_numeric() else "left", overflow="fold"
        )
    for row in frame.head(most).iter_rows():
        table.add_row(*(Text(cell(value)) for value in row))
    if frame.height > most:
        table.caption = f"{most} of {frame.height:,} rows; all of them: --format csv, json or parquet"
        table.caption_justify = "left"
        table.min_width = len(table.caption)
    return table


def html_table(frame: pl.DataFrame, below: list[str], *, most: int = _SHOWN) -> str:
    """A frame as a notebook shows it, every cell escaped, with lines of text below."""
    tags = [' class="number"' if frame[name].dtype.is_numeric() else "" for name in frame.columns]
    head = "".join(f"<th{tag}>{html.escape(visible(name))}</th>" for tag, name in zip(tags, frame.columns, strict=True))
    body = "".join(
        "<tr>"
        + "".join(f"<td{tag}>{html.escape(cell(value))}</td>" for tag, value in zip(tags, row, strict=True))
        + "</tr>"
        for row in frame.head(most).iter_rows()
    )
    more = [f"{most} of {frame.height:,} rows"] if frame.height > most else []
    notes = "".join(f"<div><code>{html.escape(visible(line))}</code></div>" for line in [*more, *below])
    return scrolled(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>") + notes


def scrolled(table: str) -> str:
    """A table's HTML as a notebook shows it: in a box of its own that the keyboard reaches, and whole in print."""
    return f'{_STYLE}<div class="investigate-still" role="region" aria-label="Table" tabindex="0">{table}</div>'


def text_table(frame: pl.DataFrame, below: list[str], width: int = 160) -> str:
    """A frame as plain text, with lines below."""
    from rich.console import Console  # noqa: PLC0415 - only where a table is printed

    # In a notebook rich would show an empty output of its own.
    console = Console(width=width, color_system=None, force_terminal=False, force_jupyter=False)
    with console.capture() as captured:
        console.print(rich_table(frame))
    return captured.get() + "\n".join(visible(line) for line in below)
