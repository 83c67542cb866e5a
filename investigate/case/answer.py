"""What a trace gives back: a frame, and with it what the frame rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from investigate.case.display import html_table, text_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import polars as pl

    from investigate.case.coverage import Coverage
    from investigate.events import Window


class Tables(Mapping[str, "pl.DataFrame"]):
    """Frames that are made when they are first asked for.

    Args:
        makers: name to what makes the frame.

    Attributes:
        made: those that were asked for so far.
    """

    def __init__(self, makers: Mapping[str, Callable[[], pl.DataFrame]]) -> None:
        self._makers = makers
        self.made: dict[str, pl.DataFrame] = {}

    def __getitem__(self, name: str) -> pl.DataFrame:
        if name not in self.made:
            self.made[name] = self._makers[name]()
        return self.made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


@dataclass(frozen=True, repr=False)
class Answer:
    """The answer to one question.

    Attributes:
        frame: the rows; which columns, the method that gave it says.
        coverage: what of the window was collected.
        window: what was asked about, half-open, UTC.
        engine: `duckdb`, `polars` or `spark`.
        sql: what the engine ran, None where it runs no SQL.
        lake_version: Delta version of the events the answer was made from; -1 for an empty lake.
        suggestions: identifiers in the lake that are like one that was not found, best first.
        notes: what else to know about the rows, one sentence each.
        tables: other frames that belong to the answer, by name; which, the method that gave it says. Some are made
            when they are first asked for, from the same version of the lake.
    """

    frame: pl.DataFrame
    coverage: Coverage
    window: Window
    engine: str
    sql: str | None
    lake_version: int
    suggestions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)

    def remarks(self) -> list[str]:
        """Notes and suggestions, one a line, as they stand below the table."""
        notes = [f"note  {note}" for note in self.notes]
        return notes + ([f"did you mean  {', '.join(self.suggestions)}"] if self.suggestions else [])

    def _below(self) -> list[str]:
        made = self.tables.made if isinstance(self.tables, Tables) else self.tables
        sizes = {name: f": {made[name].height:,} rows" if name in made else "" for name in self.tables}
        more = [f"also in .tables[{name!r}]{size}" for name, size in sizes.items()]
        last = f"lake version {self.lake_version}, {self.frame.height:,} rows, {self.engine}"
        return [*self.remarks(), *more, *self.coverage.lines(), last]

    def __repr__(self) -> str:
        return text_table(self.frame, self._below())

    def _repr_html_(self) -> str:
        return html_table(self.frame, self._below())
