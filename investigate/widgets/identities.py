"""`Identities`: who touched the affected objects, ranked; one click on somebody makes every other view follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from investigate.case.display import cell, html_table, text_table
from investigate.errors import UsageError
from investigate.widgets import asking
from investigate.widgets.ranking import EMPTY, ranked
from investigate.widgets.scope import QUESTION
from investigate.widgets.view import View
from investigate.widgets.whom import Whom, is_meant, key, named, whom

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
        found = self._found()
        names = named((who for who, _ in found), 80)
        cut = f"The first {MOST} of {frame.height:,}. " if frame is not None and frame.height > MOST else ""
        return {
            "columns": list(_COLUMNS),
            "rows": [_row(who, names[who], row) for who, row in found],
            "chosen": [key(*who) for who, row in found if self._is_chosen(who, row)],
            "choosable": True,
            "note": cut + "Choose one, and everything below follows.",
            "empty": EMPTY if not self.desk.scope.now.objects else "Nobody touched them in what was collected.",
        }

    def _choose(self, message: Mapping[str, Any]) -> None:
        given, before = message.get("key"), self.desk.scope.now.identities
        listed = next(((who, row) for who, row in self._found() if key(*who) == given), None)
        if listed is None:
            raise UsageError("There is no such identity in this answer.", "Choose one that is listed.")
        who, row = listed
        if self._is_chosen(who, row):
            wanted = tuple(one for one in before if not is_meant(who, row.get("aliases", ()), [one]))
        else:
            wanted = (*before, who) if message.get("add") else (who,)
        self.desk.scope.point(identities=wanted)

    def _found(self) -> list[tuple[Whom, dict[str, Any]]]:
        """The rows that are listed, each with whose it is."""
        rows = self.answer.frame.head(MOST).to_dicts() if self.answer else []
        return [(whom(row), row) for row in rows]

    def _is_chosen(self, who: Whom, row: Mapping[str, Any]) -> bool:
        return is_meant(who, row.get("aliases", ()), self.desk.scope.now.identities)

    def code(self) -> str:
        """As `View` has it."""
        now = self.desk.scope.now
        if not now.objects:
            return ""
        answer = asking.call("who_touched", *now.objects, **asking.ends(now), activity=list(now.activities))
        if now.sources:
            return asking.of_sources(answer, "answer.frame", now.sources)
        return f"answer = {answer}\nanswer"

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


def _row(who: Whom, name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    objects = len(row["resources"])
    cells = [
        *(name, cell(row["actor_name"], 60)),
        *(f"{row['events']:,}", f"{objects:,}", cell(row["first"]), cell(row["last"])),
        *(cell(row["src_ips"], 60), cell(row["credentials"], 60)),
        *(cell(row["actor_type"], 20), cell(row["source"], 40)),
    ]
    sort = [None, None, row["events"], objects, None, None, len(row["src_ips"]), len(row["credentials"]), None, None]
    return {"key": key(*who), "cells": cells, "sort": sort}
