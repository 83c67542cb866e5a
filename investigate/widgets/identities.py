"""`Identities`: who touched the affected objects, ranked; one click on somebody makes every other view follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from investigate.case.display import cell, html_table, text_table
from investigate.errors import UsageError
from investigate.report.text import visible
from investigate.widgets import asking
from investigate.widgets.ranking import EMPTY, ranked
from investigate.widgets.scope import QUESTION
from investigate.widgets.view import View

if TYPE_CHECKING:
    from collections.abc import Mapping

    from investigate.widgets.desk import Widgets
    from investigate.widgets.scope import Chosen

MOST: Final = 200
_COLUMNS: Final = (
    "identity",
    "name",
    "events",
    "objects",
    "first",
    "last",
    "addresses",
    "credentials",
    "type",
    "source",
)
_STILL_ROWS: Final = 20


class Identities(View):
    """Who touched; see `View`."""

    title = "Who touched the affected objects"
    scripts = ("table.js",)
    follows = QUESTION
    marks = frozenset({"identities"})
    actions: ClassVar[Mapping[str, str]] = {"choose": "_choose"}

    def __init__(self, desk: Widgets) -> None:
        super().__init__(desk)

    def ask(self, chosen: Chosen) -> None:
        """As `View` has it."""
        self.answer = ranked(self, chosen)

    def content(self) -> dict[str, Any]:
        """As `View` has it."""
        frame = self.answer.frame if self.answer else None
        found = frame.head(MOST).to_dicts() if frame is not None else []
        cut = f"The first {MOST} of {frame.height:,}. " if frame is not None and frame.height > MOST else ""
        return {
            "columns": list(_COLUMNS),
            "rows": [_row(row) for row in found],
            "chosen": list(self.desk.scope.now.identities),
            "choosable": True,
            "note": cut + "Choose one, and everything below follows.",
            "empty": EMPTY if not self.desk.scope.now.objects else "Nobody touched them in what was collected.",
        }

    def _choose(self, message: Mapping[str, Any]) -> None:
        name, before = message.get("key"), self.desk.scope.now.identities
        known = self.answer.frame["actor"].to_list() if self.answer else []
        if not isinstance(name, str) or name not in known:
            raise UsageError("There is no such identity in this answer.", "Choose one that is listed.")
        wanted: tuple[str, ...]
        if name in before:
            wanted = tuple(one for one in before if one != name)
        else:
            wanted = (*before, name) if message.get("add") else (name,)
        self.desk.scope.point(identities=wanted)

    def code(self) -> str:
        """As `View` has it."""
        now = self.desk.scope.now
        if not now.objects:
            return ""
        answer = asking.call("who_touched", *now.objects, **asking.ends(now), activity=list(now.activities))
        wanted = f'import polars as pl\n\nanswer.frame.filter(pl.col("source").is_in({list(now.sources)!r}))'
        return f"answer = {answer}\n{wanted if now.sources else 'answer'}"

    def body_text(self) -> str:
        """As `View` has it."""
        if self.answer is None or self.answer.frame.is_empty():
            return str(self.content()["empty"])
        return text_table(self._short(), self.answer.remarks())

    def body_html(self) -> str:
        """As `View` has it."""
        if self.answer is None or self.answer.frame.is_empty():
            return str(self.content()["empty"])
        return html_table(self._short(), self.answer.remarks(), most=_STILL_ROWS)

    def _short(self) -> Any:
        assert self.answer is not None  # noqa: S101 - asked by the callers
        wanted = ("actor", "actor_name", "source", "events", "first", "last", "src_ips")
        return self.answer.frame.select(wanted).head(_STILL_ROWS)


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    objects = len(row["resources"])
    cells = [
        *(visible(str(row["actor"]), 80), cell(row["actor_name"], 60)),
        *(f"{row['events']:,}", f"{objects:,}", cell(row["first"]), cell(row["last"])),
        *(cell(row["src_ips"], 60), cell(row["credentials"], 60)),
        *(cell(row["actor_type"], 20), cell(row["source"], 40)),
    ]
    sort = [None, None, row["events"], objects, None, None, len(row["src_ips"]), len(row["credentials"]), None, None]
    return {"key": row["actor"], "cells": cells, "sort": sort}
