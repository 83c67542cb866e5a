"""Events as rows of a file: CSV, JSON Lines, Timesketch's import form, OCSF. One at a time, however many there are."""

from __future__ import annotations

import csv
from datetime import UTC
from typing import IO, TYPE_CHECKING, Any, Final

from investigate.events import COLUMNS
from investigate.report import ocsf
from investigate.report.text import csv_cell, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Row = Mapping[str, Any]
    Writer = Callable[[Iterable[Row], IO[str]], int]

CSV_COLUMNS: Final = tuple(name for name in COLUMNS if name not in {"raw", "date"})
"""A record of any length is no cell; JSON Lines and the bundle have it."""
_TIMESKETCH: Final = ("message", "datetime", "timestamp_desc")


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
    return _lines((dict(row) for row in rows), stream)


def write_ocsf(rows: Iterable[Row], stream: IO[str]) -> int:
    """Rows as JSON Lines of OCSF API Activity; how many."""
    return _lines((ocsf.event(row) for row in rows), stream)


def write_timesketch_csv(rows: Iterable[Row], stream: IO[str]) -> int:
    """Rows as Timesketch imports CSV; how many."""
    return write_csv(map(timesketch, rows), stream, (*_TIMESKETCH, *(n for n in CSV_COLUMNS if n != "time")))


def write_timesketch_jsonl(rows: Iterable[Row], stream: IO[str]) -> int:
    """Rows as Timesketch imports JSON Lines; how many."""
    return _lines(map(timesketch, rows), stream)


def timesketch(row: Row) -> dict[str, Any]:
    """An event as Timesketch takes it.

    Source: timesketch.org, "Import from JSON or CSV": `message`, `datetime` (ISO 8601, here with microseconds) and
    `timestamp_desc` must be there, anything else may.
    """
    what = row["resource_name"] or row["resource"]
    who = row["actor_name"] or row["actor_email"] or row["actor"]
    place = f" from {row['src_ip']}" if row["src_ip"] else ""
    message = f"{who}: {row['action'] or row['activity']}{f' {what}' if what else ''}{place} ({row['outcome']})"
    rest = {name: row[name] for name in CSV_COLUMNS if name != "time"}
    return {"message": message, "datetime": _exact(row["time"]), "timestamp_desc": "Event Logged", **rest}


def _exact(time: Any) -> str:
    return str(time.astimezone(UTC).isoformat(timespec="microseconds"))


def _lines(values: Iterable[Mapping[str, Any]], stream: IO[str]) -> int:
    count = 0
    for value in values:
        stream.write(to_json(value) + "\n")
        count += 1
    return count


WRITERS: Final[dict[tuple[str, str], Writer]] = {
    ("csv", ".csv"): write_csv,
    ("jsonl", ".jsonl"): write_jsonl,
    ("timesketch", ".csv"): write_timesketch_csv,
    ("timesketch", ".jsonl"): write_timesketch_jsonl,
    ("ocsf", ".jsonl"): write_ocsf,
}
"""By form and extension."""
