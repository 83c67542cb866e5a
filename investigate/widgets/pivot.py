"""`Pivot`: from what was pointed at to all it touched, its addresses, credentials and actions; each leads on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from investigate.case.display import cell, scrolled
from investigate.errors import UsageError
from investigate.report.text import visible
from investigate.widgets import asking
from investigate.widgets.scope import QUESTION, SELECTION, listed
from investigate.widgets.view import View

if TYPE_CHECKING:
    from collections.abc import Mapping

    from investigate.widgets.desk import Widgets
    from investigate.widgets.scope import Chosen
    from investigate.widgets.where import Where

MOST: Final = 50
"""Values of each kind."""
_STILL_ROWS: Final = 30
_MUCH: Final = "This is more than can be listed: choose an identity, an object or a span of time first."
_KINDS: Final = {
    "object": ("unnest(resources)", "only"),
    "identity": ("actor", "identities"),
    "address": ("src_ip", "src_ips"),
    "credential": ("credential", "credentials"),
    "action": ("action", ""),
}
"""What is listed, to its SQL and to the field of the scope that points at it."""
_AFFECTED: Final = "affected"


class Pivot(View):
    """What belongs to what was pointed at; see `View`."""

    title = "Pivot: all it touched, from where and with what"
    scripts = ("table.js",)
    follows = QUESTION | SELECTION
    actions: ClassVar[Mapping[str, str]] = {"choose": "_choose"}

    def __init__(self, desk: Widgets) -> None:
        self._found: list[dict[str, Any]] = []
        self._lines: list[str] = []
        self._asked: Where | None = None
        self._much = False
        super().__init__(desk)

    def ask(self, chosen: Chosen) -> None:
        """As `View` has it."""
        seat = self.seat()
        pick = self.desk.pick(seat, chosen)
        self._much = not pick.held
        if self._much:
            self._found, self._asked = [], None
            self._lines = asking.coverage(self.desk.case, chosen).lines()
            return
        self._found = seat.rows(_listed(pick.table, pick.where), pick.where.values)
        self._lines = asking.coverage(self.desk.case, chosen).lines()
        whole = asking.question(self.desk.case, chosen, objects=not chosen.following)
        self._asked = whole.also(asking.selection(self.desk.case, chosen))

    def content(self) -> dict[str, Any]:
        """As `View` has it."""
        now = self.desk.scope.now
        return {
            "columns": ["value", "kind", "events", "identities", "first", "last", "note"],
            "rows": [_row(one, one["value"] in now.objects) for one in self._found],
            "chosen": [["object", now.only], *(["identity", one] for one in now.identities)]
            + [["address", one] for one in now.src_ips]
            + [["credential", one] for one in now.credentials],
            "choosable": True,
            "note": f"{self._about()} At most {MOST} of each kind, the most frequent. Choose one to go on from it.",
            "empty": _MUCH if self._much else "No event is there in what was collected.",
        }

    def _about(self) -> str:
        now = self.desk.scope.now
        parts = [("Of", now.identities), ("With", now.credentials), ("From", now.src_ips)]
        said = [f"{word} {visible(listed(names), 120)}." for word, names in parts if names]
        if now.only:
            said.append(f"On {visible(now.only, 120)}.")
        return " ".join(said) or ("Of everything that names an affected object." if now.objects else "Of everything.")

    def _choose(self, message: Mapping[str, Any]) -> None:
        key = message.get("key")
        known = [[one["kind"], one["value"]] for one in self._found]
        if key not in known or not isinstance(key, list):
            raise UsageError("That is not in this answer.", "Choose one that is listed.")
        kind, value = key
        name = _KINDS[kind][1]
        if not name:
            raise UsageError("An action is nothing to go on from.", "Filter the column action of the events by it.")
        now = self.desk.scope.now
        if name == "only":
            self.desk.scope.change(only="" if now.only == value else value)
        else:
            held = value in getattr(now, name)
            self.desk.scope.point(**{name: () if held else (value,)})

    def coverage_lines(self) -> list[str]:
        """As `View` has it."""
        return self._lines

    def query(self) -> str:
        """As `View` has it."""
        return _listed("events", self._asked) if self._asked else ""

    def code(self) -> str:
        """As `View` has it."""
        return asking.in_sql(self.query(), self._asked) if self._asked else ""

    def body_text(self) -> str:
        """As `View` has it."""
        lines = [" | ".join(_row(one, affected=False)["cells"]) for one in self._found[:_STILL_ROWS]]
        return "\n".join([_MUCH if self._much else self._about(), *lines])

    def body_html(self) -> str:
        """As `View` has it."""
        import html  # noqa: PLC0415 - only where there is no page

        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in _row(one, affected=False)["cells"]) + "</tr>"
            for one in self._found[:_STILL_ROWS]
        )
        said = html.escape(_MUCH if self._much else self._about())
        return f"<div>{said}</div>" + (scrolled(f"<table>{body}</table>") if body else "")


def _listed(table: str, where: Where) -> str:
    parts = [
        f"SELECT {name!r} AS kind, {column} AS value, source, tenant, actor, event_uid, time FROM chosen"
        for name, (column, _) in _KINDS.items()
    ]
    return (
        f"WITH chosen AS (SELECT * FROM {table} WHERE {where.sql}),\n"
        "counted AS (\n  SELECT kind, left(value, 1000) AS value,\n"
        "    count(DISTINCT (source, tenant, event_uid)) AS events,\n"
        "    count(DISTINCT (source, tenant, actor)) AS identities, min(time) AS first, max(time) AS last\n"
        f"  FROM ({' UNION ALL '.join(parts)})\n  WHERE value IS NOT NULL GROUP BY ALL)\n"
        "SELECT * FROM counted\n"
        f"QUALIFY row_number() OVER (PARTITION BY kind ORDER BY events DESC, value) <= {MOST}\n"
        f"ORDER BY list_position({list(_KINDS)!r}, kind), events DESC, value"
    )


def _row(one: Mapping[str, Any], affected: bool) -> dict[str, Any]:
    cells = [visible(one["value"], 90), one["kind"], f"{one['events']:,}", f"{one['identities']:,}"]
    cells += [cell(one["first"]), cell(one["last"]), _AFFECTED if affected else ""]
    return {
        "key": [one["kind"], one["value"]],
        "cells": cells,
        "sort": [None, None, one["events"], one["identities"], None, None, None],
    }
