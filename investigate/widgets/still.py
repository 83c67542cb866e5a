"""`Still`: a frame as a document shows it, with nothing in it that a reader would obey instead of see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from investigate.case.display import html_table, text_table

if TYPE_CHECKING:
    import polars as pl


class Still:
    """A table for people, where a frame of its own would show what a log says as it says it.

    Args:
        frame: of anything.
        most: rows that are shown; how many there are is said.
        total: how many there are, where the frame has only the first of them.
    """

    def __init__(self, frame: pl.DataFrame, most: int, total: int | None = None) -> None:
        self._frame, self._most = frame, most
        self._total = frame.height if total is None else total

    def __repr__(self) -> str:
        return text_table(self._frame.head(self._most), [self._said()])

    def _repr_mimebundle_(self, **_kwargs: Any) -> dict[str, str]:
        html = html_table(self._frame.head(self._most), [self._said()], most=self._most)
        return {"text/plain": repr(self), "text/html": html}

    def _said(self) -> str:
        total, shown = self._total, min(self._most, self._frame.height)
        if not total:
            return "nothing"
        return f"{total:,} rows" if total <= shown else f"the first {shown} of {total:,} rows"
