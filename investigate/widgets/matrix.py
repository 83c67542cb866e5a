"""`Matrix`: who touched which of the affected objects, how often; a click on a cell shows those events."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar, Final

from investigate.case.display import cell
from investigate.report.text import visible
from investigate.widgets.asking import call, ends, of_sources
from investigate.widgets.chart import ChartView, inline, labels
from investigate.widgets.ranking import EMPTY, MATRIX, ranked
from investigate.widgets.scope import QUESTION
from investigate.widgets.whom import Whom, everybody, named

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from investigate.case.answer import Answer
    from investigate.widgets.scope import Chosen

MOST: Final = 30
"""Identities, and objects, that the chart shows."""
_STEP: Final = 20
_WIDEST: Final = 900


class Matrix(ChartView):
    """Identities by objects; see `View`."""

    title = "Identity by object"
    follows = QUESTION
    columns = ("identity", "object", "events", "first", "last")
    signals: ClassVar[tuple[str, ...]] = ("cell",)
    points_at: ClassVar[tuple[str, ...]] = ("identities", "only")
    label = "A matrix of identities and objects; darker cells are more events."
    answer: Answer | None = None

    def ask(self, chosen: Chosen) -> None:
        """As `View` has it."""
        self.answer = ranked(self, chosen)
        self.spec, self.rows, self.note = None, [], EMPTY
        if self.answer is None:
            return
        frame = self.answer.tables[MATRIX]
        if frame.is_empty():
            self.note = "Nobody touched them in what was collected."
            return
        who = everybody(self.answer.frame)
        objects = _busiest(frame)
        wanted_who, wanted_what = who[:MOST], objects[:MOST]
        pairs = zip(frame.iter_rows(named=True), everybody(frame), strict=True)
        found = [{**row, "whom": one} for row, one in pairs if row["resource"] in wanted_what]
        cells = [row for row in found if row["whom"] in wanted_who]
        self.note = f"{len(who):,} identities, {len(objects):,} objects."
        if len(who) > MOST or len(objects) > MOST:
            self.note += (
                f" Capped: the first {len(wanted_who)} identities and the {len(wanted_what)} most touched objects."
            )
        names = named(wanted_who, 80)
        self.rows = [_row(number, one, names[one["whom"]]) for number, one in enumerate(cells)]
        self.cells = cells
        self.spec = drawn(cells, wanted_who, wanted_what)

    def pointed(self, value: Mapping[str, Any]) -> None:
        """As `ChartView` has it: one cell, by its number."""
        numbers = value.get("n")
        number = numbers[0] if isinstance(numbers, list) and numbers else None
        if isinstance(number, int) and 0 <= number < len(self.cells):
            one = self.cells[number]
            self.desk.scope.point(identities=[one["whom"]], only=one["resource"])

    def code(self) -> str:
        """As `View` has it."""
        now = self.desk.scope.now
        if not now.objects:
            return ""
        asked = call("who_touched", *now.objects, with_matrix=True, **ends(now), activity=list(now.activities))
        if now.sources:
            return of_sources(asked, 'answer.tables["matrix"]', now.sources)
        return f'{asked}.tables["matrix"]'


def drawn(cells: list[dict[str, Any]], who: list[Whom], what: list[str]) -> dict[str, Any]:
    """The chart of some cells, as Vega-Lite."""
    import altair as alt  # noqa: PLC0415 - of the extra `lab`

    names, columns = named(who), labels(what)
    short = labels(list(names.values()))
    rows = {one: short[name] for one, name in names.items()}
    values = [
        {
            "n": number,
            "identity": rows[one["whom"]],
            "object": columns[one["resource"]],
            "events": one["events"],
            "who": visible(names[one["whom"]], 200),
            "what": visible(one["resource"], 200),
            "first": cell(one["first"]),
            "last": cell(one["last"]),
        }
        for number, one in enumerate(cells)
    ]
    pick = alt.selection_point(name="cell", fields=["n"])
    chart = (
        alt.Chart(inline(values))
        .mark_rect(cursor="pointer")
        .encode(
            x=alt.X("object:N", sort=list(columns.values()), title=None, axis=alt.Axis(labelAngle=-60, labelLimit=220)),
            y=alt.Y("identity:N", sort=list(rows.values()), title=None, axis=alt.Axis(labelLimit=220)),
            color=alt.Color("events:Q", scale=alt.Scale(scheme="blues", type="log"), title="events"),
            opacity=alt.condition(pick, alt.value(1.0), alt.value(0.35)),
            tooltip=["who:N", "what:N", "events:Q", "first:N", "last:N"],
        )
        .properties(width=min(_WIDEST, _STEP * len(what) + 40), height=_STEP * len(who))
        .add_params(pick)
    )
    return dict(chart.to_dict())


def _busiest(frame: pl.DataFrame) -> list[str]:
    """The objects of a matrix, those with most events first."""
    events: Counter[str] = Counter()
    for resource, count in frame.select("resource", "events").iter_rows():
        events[resource] += count
    return sorted(events, key=lambda one: (-events[one], one))


def _row(number: int, one: Mapping[str, Any], name: str) -> dict[str, Any]:
    shown = [name, visible(one["resource"], 80), f"{one['events']:,}"]
    return {"cells": [*shown, cell(one["first"]), cell(one["last"])], "point": {"n": [number]}}
