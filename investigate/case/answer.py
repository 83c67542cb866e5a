"""What a trace gives back: a frame, and with it what the frame rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from investigate.case.display import html_table, text_table

if TYPE_CHECKING:
    import polars as pl

    from investigate.case.coverage import Coverage
    from investigate.events import Window


@dataclass(frozen=True, repr=False)
class Answer:
    """The answer to one question.

    Attributes:
        frame: the rows; which columns, the method that gave it says.
        coverage: what of the window was collected.
        window: what was asked about, half-open, UTC.
        engine: `duckdb` or `polars`.
        sql: what the engine ran, None where it runs no SQL.
        lake_version: Delta version of the events the answer was made from; -1 for an empty lake.
    """

    frame: pl.DataFrame
    coverage: Coverage
    window: Window
    engine: str
    sql: str | None
    lake_version: int

    def _below(self) -> list[str]:
        return [*self.coverage.lines(), f"lake version {self.lake_version}, {self.frame.height:,} rows, {self.engine}"]

    def __repr__(self) -> str:
        return text_table(self.frame, self._below())

    def _repr_html_(self) -> str:
        return html_table(self.frame, self._below())
