"""Results on standard output or in a file, in four formats; remarks on standard error.

What a log says is hostile: a terminal is shown no control character, and a spreadsheet no formula.
"""

from __future__ import annotations

import csv
import io
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from typing import IO, TYPE_CHECKING, Any, Final

from investigate.cli.faults import say
from investigate.cli.options import Format
from investigate.errors import UsageError
from investigate.report.sink import whole
from investigate.report.text import csv_cell, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    import polars as pl
    from rich.console import Console

    from investigate.case import Coverage
    from investigate.cli.options import Session
    from investigate.events import Window

_PIPED_WIDTH: Final = 120


@dataclass(frozen=True)
class Result:
    """What a command found, before it is known how it will be written.

    Attributes:
        columns: names of the columns.
        rows: values in the order of `columns`; empty where there is a frame.
        coverage: what the result rests on; None where it rests on no log.
        window: what was asked about, UTC.
        lake_version: Delta version of the events it was made from.
        table: prints it for people; None prints a plain table.
        frame: the rows with their types, in place of `rows`; Parquet keeps them.
        more: what else the JSON object holds, beside or in place of the usual.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    coverage: Coverage | None = None
    window: Window | None = None
    lake_version: int | None = None
    table: Callable[[Console], None] | None = None
    frame: pl.DataFrame | None = None
    more: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, frame: pl.DataFrame, **rest: Any) -> Result:
        """The result whose rows are those of a frame."""
        return cls(frame.columns, (), frame=frame, **rest)

    def __len__(self) -> int:
        return len(self.rows) if self.frame is None else self.frame.height

    def each(self, most: int | None = None) -> Iterator[Sequence[Any]]:
        """The rows, or the first so many of them."""
        if self.frame is None:
            return iter(self.rows if most is None else self.rows[:most])
        return (self.frame if most is None else self.frame.head(most)).iter_rows()

    def as_json(self) -> dict[str, Any]:
        """`{"rows", "coverage", "window", "lake_version"}`, and what else there is."""
        return {
            "rows": [dict(zip(self.columns, row, strict=True)) for row in self.each()],
            "coverage": self.coverage.as_json() if self.coverage else None,
            "window": self.window.as_json() if self.window else None,
            "lake_version": self.lake_version,
            **self.more,
        }


def emit(session: Session, result: Result) -> None:
    """Write a result as the session wants it, and the coverage under it or beside it.

    Raises:
        UsageError: Parquet to a terminal.
        CaseError: the file cannot be written.
    """
    shape = session.shape
    if shape is Format.table:
        with text_sink(session) as stream:
            _people(result, stream)
        return
    if shape is Format.json:
        with text_sink(session) as stream:
            stream.write(to_json(result.as_json()) + "\n")
        return
    if shape is Format.csv:
        with text_sink(session) as stream:
            write_csv(result.columns, result.each(), stream, shown=stream.isatty())
    else:
        with _binary(session) as binary:
            _frame(result).write_parquet(binary)
    for line in _founded(result):
        say(line)


def emit_json(session: Session, value: dict[str, Any]) -> None:
    """Write one JSON object that is no table of rows."""
    with text_sink(session) as stream:
        stream.write(to_json(value) + "\n")


def note(text: str) -> None:
    """A remark for the person at the terminal, on standard error."""
    say(f"note  {text}")


def warn(text: str) -> None:
    """A warning for the person at the terminal, on standard error."""
    say(f"warning  {text}")


def write_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]], stream: IO[str], *, shown: bool = False) -> None:
    """Rows as CSV (RFC 4180), cells that a spreadsheet would take for a formula defused by an apostrophe.

    Args:
        columns: the first line.
        rows: lists are joined by `LIST_SEPARATOR`, null is empty, times are ISO 8601 with Z.
        stream: where to.
        shown: whether a terminal shows it, which then gets tabs and line ends as escapes, too.
    """
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([_cell(name, shown=shown) for name in columns])
    for row in rows:
        writer.writerow([_cell(value, shown=shown) for value in row])


def _cell(value: Any, *, shown: bool) -> str | int | float:
    written: str | int | float = csv_cell(value)
    if not shown or not isinstance(written, str):
        return written
    from investigate.case.display import visible  # noqa: PLC0415 - only for a terminal

    return visible(written)


def _people(result: Result, stream: IO[str]) -> None:
    from investigate.cli.tables import plain_table  # noqa: PLC0415 - rich, only where a table is printed

    terminal = console(stream)
    if result.table:
        result.table(terminal)
    else:
        plain_table(terminal, result)
    for line in _founded(result):
        print_line(terminal, line)


def _founded(result: Result) -> list[str]:
    """What a result rests on: coverage, and the version of the lake."""
    version = [] if result.lake_version is None else [f"lake  version {result.lake_version}"]
    return [*(result.coverage.lines() if result.coverage else ()), *version]


def console(stream: IO[str]) -> Console:
    """A console of rich that takes text for text: no markup, no emoji, no guessing at what to colour."""
    from rich.console import Console  # noqa: PLC0415 - only where a table is printed

    terminal = Console(file=stream, markup=False, emoji=False, highlight=False)
    if not terminal.is_terminal and "COLUMNS" not in os.environ:
        terminal.width = _PIPED_WIDTH
    return terminal


def print_line(terminal: Console, text: str, style: str | None = None) -> None:
    """One line of text, whole, whatever the terminal's width."""
    from investigate.case.display import visible  # noqa: PLC0415 - see `console`

    terminal.print(visible(text), style=style, soft_wrap=True)


def _frame(result: Result) -> pl.DataFrame:
    import polars as pl  # noqa: PLC0415 - only for Parquet

    if result.frame is not None:
        return result.frame
    columns = {name: [row[at] for row in result.rows] for at, name in enumerate(result.columns)}
    texts = {
        name: [to_json(value) if isinstance(value, dict) else value for value in values]
        for name, values in columns.items()
    }
    return pl.DataFrame(texts, strict=False)


@contextmanager
def text_sink(session: Session) -> Iterator[IO[str]]:
    """Where text of a result goes: standard output, or the file of `--out`, which is written when all is there.

    Raises:
        CaseError: the file cannot be written.
    """
    if session.out is None or str(session.out) == "-":
        yield sys.stdout
        sys.stdout.flush()
        return
    buffer = io.StringIO(newline="")
    yield buffer
    with whole(session.out) as file:
        file.write(buffer.getvalue().encode(errors="backslashreplace"))


@contextmanager
def _binary(session: Session) -> Iterator[IO[bytes]]:
    if session.out is None and sys.stdout.isatty():
        raise UsageError("Parquet is no text for a terminal.", "Add --out FILE.parquet")
    buffer = io.BytesIO()
    yield buffer
    if session.out is None or str(session.out) == "-":
        sys.stdout.buffer.write(buffer.getvalue())
        sys.stdout.buffer.flush()
    else:
        with whole(session.out) as file:
            file.write(buffer.getvalue())


def utc(value: datetime) -> str:
    """A time for people, to the second: `2026-11-03 14:00:05`."""
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
