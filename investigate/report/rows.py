"""Rows of any columns as CSV or JSON Lines, one at a time; events, of which there are many, are written by `lines`."""

from __future__ import annotations

import csv
from typing import IO, TYPE_CHECKING, Any, Final

from investigate.events import COLUMNS
from investigate.report.text import csv_cell, to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Row = Mapping[str, Any]

CSV_COLUMNS: Final = tuple(name for name in COLUMNS if name not in {"raw", "date"})
"""A record of any length is no cell; JSON Lines and the bundle have it."""


def write_csv(rows: Iterable[Row], stream: IO[str], columns: Sequence[str] = CSV_COLUMNS) -> int:
    """Rows as CSV (RFC 4180), without `raw`, cells that a spreadsheet would take for a formula defused; how many."""
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow([csv_cell(name) for name in columns])
    count = 0
    for row in rows:
        writer.writerow([csv_cell(row[name]) for name in columns])
        count += 1
    return count


def write_jsonl(rows: Iterable[Row], stream: IO[str]) -> int:
    """Rows as JSON Lines, all columns, in ASCII; how many."""
    count = 0
    for row in rows:
        stream.write(to_json(dict(row)) + "\n")
        count += 1
    return count
