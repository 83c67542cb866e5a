"""`Remarks`: the events that were starred, tagged or commented, whatever is looked at."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from investigate.case.display import cell, scrolled
from investigate.journal.annotations import Marks, marks
from investigate.report.text import visible
from investigate.widgets.view import View

if TYPE_CHECKING:
    from investigate.journal.annotations import Event
    from investigate.widgets.desk import Widgets
    from investigate.widgets.scope import Chosen

_COLUMNS = ("event", "source", "star", "tags", "comments", "last said", "by")


class Remarks(View):
    """Stars, tags and comments; see `View`."""

    title = "What was noted"
    scripts = ("table.js",)

    def __init__(self, desk: Widgets) -> None:
        self._rows: list[list[str]] = []
        super().__init__(desk)
        desk.listen(self.refresh)

    def ask(self, chosen: Chosen) -> None:  # noqa: ARG002 - whatever is looked at
        """As `View` has it."""
        said = self.desk.case.journal.annotations.all()
        last = {one.event: one for one in said}
        held = {event: mark for event, mark in marks(said).items() if mark != Marks()}
        self._rows = [
            _cells(event, mark, cell(last[event].time), visible(last[event].author)) for event, mark in held.items()
        ]

    def content(self) -> dict[str, Any]:
        """As `View` has it."""
        found = [{"key": number, "cells": cells, "sort": []} for number, cells in enumerate(self._rows)]
        empty = "Nothing was noted yet: in the grid, s stars an event, c comments it."
        return {"columns": list(_COLUMNS), "rows": found, "chosen": [], "note": "", "empty": empty, "choosable": False}

    def code(self) -> str:
        """As `View` has it."""
        return "case.annotations()"

    def body_text(self) -> str:
        """As `View` has it."""
        return "\n".join(" | ".join(cells) for cells in self._rows) or "Nothing was noted yet."

    def body_html(self) -> str:
        """As `View` has it."""
        head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in cells) + "</tr>" for cells in self._rows[:50]
        )
        return scrolled(f"<table><tr>{head}</tr>{body}</table>") if body else "Nothing was noted yet."


def _cells(event: Event, mark: Marks, time: str, author: str) -> list[str]:
    comments = "; ".join(visible(one.text, 200) for one in mark.comments[-3:])
    tags = ", ".join(visible(tag) for tag in mark.tags)
    return [
        visible(event[2], 80),
        visible(f"{event[0]}/{event[1]}", 60),
        "★" if mark.starred else "",
        tags,
        comments,
        time,
        author,
    ]
