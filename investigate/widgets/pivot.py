"""`Pivot`: from what was pointed at to all it touched, its addresses, credentials and actions; each leads on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from investigate.case.display import cell, scrolled
from investigate.errors import UsageError
from investigate.report.text import visible
from investigate.widgets import asking
from investigate.widgets.scope import QUESTION, SELECTION, listed
from investigate.widgets.view import View
from investigate.widgets.where import Where
from investigate.widgets.whom import is_meant, key, named, whom

if TYPE_CHECKING:
    from collections.abc import Mapping

    from investigate.case.case import Case
    from investigate.widgets.desk import Widgets
    from investigate.widgets.picked import Pick, Seat
    from investigate.widgets.scope import Chosen

    Aliases = dict[tuple[str, str], str]
    """Source and actor to the person that is."""

MOST: Final = 50
"""Values of each kind."""
_STILL_ROWS: Final = 30
_MUCH: Final = "This is more than can be listed: choose an identity, an object or a span of time first."
_KINDS: Final = {
    "object": ("unnest(resources)", "only"),
    "identity": ("who", "identities"),
    "address": ("src_ip", "src_ips"),
    "credential": ("credential", "credentials"),
    "action": ("action", ""),
}
"""What is listed, to its SQL and to the field of the scope that points at it."""
_AFFECTED: Final = "affected"
_ALIASES: Final = "SELECT unnest({sources}) AS source, unnest({actors}) AS actor, unnest({persons}) AS person"


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
        self._aliases: Aliases = {}
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
        self._aliases = _aliases(self.desk.case, seat, pick)
        asked, values = _listed(pick.table, pick.where, self._aliases)
        self._found = [_known(one) for one in seat.rows(asked, values)]
        self._lines = asking.coverage(self.desk.case, chosen).lines()
        whole = asking.question(self.desk.case, chosen, objects=not chosen.following)
        self._asked = whole.also(asking.selection(self.desk.case, chosen))

    def content(self) -> dict[str, Any]:
        """As `View` has it."""
        now = self.desk.scope.now
        return {
            "columns": ["value", "kind", "events", "identities", "first", "last", "note"],
            "rows": [_row(one, one["value"] in now.objects) for one in self._named()],
            "chosen": [one["key"] for one in self._found if self._is_chosen(one)],
            "choosable": True,
            "note": f"{self._about()} At most {MOST} of each kind, the most frequent. Choose one to go on from it.",
            "empty": _MUCH if self._much else "No event is there in what was collected.",
        }

    def _named(self) -> list[dict[str, Any]]:
        """What was found, with what people read."""
        names = named((one["whom"] for one in self._found if one["whom"]), 90)
        return [{**one, "name": names.get(one["whom"]) or visible(one["value"], 90)} for one in self._found]

    def _is_chosen(self, one: Mapping[str, Any]) -> bool:
        name, now = _KINDS[one["kind"]][1], self.desk.scope.now
        if one["whom"]:
            return is_meant(one["whom"], one["aliases"] or (), now.identities)
        return bool(name) and (one["value"] == now.only if name == "only" else one["value"] in getattr(now, name))

    def _about(self) -> str:
        now = self.desk.scope.now
        parts = [("Of", now.identities), ("With", now.credentials), ("From", now.src_ips)]
        said = [f"{word} {listed(names)}." for word, names in parts if names]
        if now.only:
            said.append(f"On {visible(now.only, 120)}.")
        return " ".join(said) or ("Of everything that names an affected object." if now.objects else "Of everything.")

    def _choose(self, message: Mapping[str, Any]) -> None:
        one = next((one for one in self._found if one["key"] == message.get("key")), None)
        if one is None:
            raise UsageError("That is not in this answer.", "Choose one that is listed.")
        name, value = _KINDS[one["kind"]][1], one["whom"] or one["value"]
        if not name:
            raise UsageError("An action is nothing to go on from.", "Filter the column action of the events by it.")
        held = self._is_chosen(one)
        if name == "only":
            self.desk.scope.change(only="" if held else value)
        else:
            self.desk.scope.point(**{name: () if held else (value,)})

    def coverage_lines(self) -> list[str]:
        """As `View` has it."""
        return self._lines

    def query(self) -> str:
        """As `View` has it."""
        return _listed("events", self._asked, self._aliases)[0] if self._asked else ""

    def code(self) -> str:
        """As `View` has it."""
        if not self._asked:
            return ""
        query, values = _listed("events", self._asked, self._aliases)
        return asking.in_sql(query, Where(values=values))

    def body_text(self) -> str:
        """As `View` has it."""
        lines = [" | ".join(_row(one, affected=False)["cells"]) for one in self._named()[:_STILL_ROWS]]
        return "\n".join([_MUCH if self._much else self._about(), *lines])

    def body_html(self) -> str:
        """As `View` has it."""
        import html  # noqa: PLC0415 - only where there is no page

        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in _row(one, affected=False)["cells"]) + "</tr>"
            for one in self._named()[:_STILL_ROWS]
        )
        said = html.escape(_MUCH if self._much else self._about())
        return f"<div>{said}</div>" + (scrolled(f"<table>{body}</table>") if body else "")


def _aliases(case: Case, seat: Seat, pick: Pick) -> Aliases:
    """The persons that the actors of some events are."""
    directory = asking.directory(case, seat.version)
    if not directory:
        return {}
    acted = seat.rows(f"SELECT DISTINCT source, actor FROM {pick.table} WHERE {pick.where.sql}", pick.where.values)
    found = {(one["source"], one["actor"]): directory.person(one["source"], one["actor"]) for one in acted}
    return {alias: person for alias, person in sorted(found.items()) if person}


def _listed(table: str, where: Where, aliases: Aliases) -> tuple[str, dict[str, Any]]:
    """The query, by person where there are aliases, and the values it is bound to."""
    bound = Where(prefix="w")
    person, joined, named_too = "NULL::VARCHAR AS person", "", ""
    if aliases:
        lists = {
            "sources": [source for source, _ in aliases],
            "actors": [actor for _, actor in aliases],
            "persons": list(aliases.values()),
        }
        named_too = f"aliases AS ({_ALIASES.format(**{name: bound.bind(one) for name, one in lists.items()})}),\n"
        person, joined = "person", " LEFT JOIN aliases USING (source, actor)"
    parts = [
        f"SELECT {name!r} AS kind, {column} AS value, "
        f"{'whom, alias' if name == 'identity' else 'NULL AS whom, NULL AS alias'}, "
        "source, tenant, whom AS acting, event_uid, time FROM told"
        for name, (column, _) in _KINDS.items()
    ]
    query = (
        f"WITH chosen AS (SELECT * FROM {table} WHERE {where.sql}),\n"
        f"{named_too}"
        "told AS (\n  SELECT resources, src_ip, credential, action, source, tenant, event_uid, time,\n"
        "    coalesce(person, actor) AS who, CASE WHEN person IS NOT NULL THEN source || '/' || actor END AS alias,\n"
        "    CASE WHEN person IS NULL THEN {'source': source, 'tenant': tenant, 'actor': actor}\n"
        "      ELSE {'source': '', 'tenant': '', 'actor': person} END AS whom\n"
        f"  FROM (SELECT *, {person} FROM chosen{joined})),\n"
        "counted AS (\n  SELECT kind, value, whom,\n"
        "    count(DISTINCT (source, tenant, event_uid)) AS events,\n"
        "    count(DISTINCT acting) AS identities, min(time) AS first, max(time) AS last,\n"
        "    array_agg(DISTINCT alias) FILTER (alias IS NOT NULL) AS aliases\n"
        f"  FROM ({' UNION ALL '.join(parts)})\n  WHERE value IS NOT NULL GROUP BY kind, value, whom)\n"
        "SELECT * FROM counted\n"
        f"QUALIFY row_number() OVER (PARTITION BY kind ORDER BY events DESC, value, whom) <= {MOST}\n"
        f"ORDER BY list_position({list(_KINDS)!r}, kind), events DESC, value, whom"
    )
    return query, where.values | bound.values


def _known(one: dict[str, Any]) -> dict[str, Any]:
    """A row that was found, with whose it is, if anybody's, and what the page calls it by."""
    who = whom({**one["whom"], "aliases": one["aliases"]}) if one["whom"] else None
    return {**one, "whom": who, "key": [one["kind"], *key(*(who or [one["value"]]))]}


def _row(one: Mapping[str, Any], affected: bool) -> dict[str, Any]:
    cells = [one["name"], one["kind"], f"{one['events']:,}", f"{one['identities']:,}"]
    cells += [cell(one["first"]), cell(one["last"]), _AFFECTED if affected else ""]
    return {
        "key": one["key"],
        "cells": cells,
        "sort": [None, None, one["events"], one["identities"], None, None, None],
    }
