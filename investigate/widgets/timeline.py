"""`Timeline`: when it happened, counted by the engine, by activity; a brush over it narrows the events."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

from investigate.case.display import cell
from investigate.events import ACTIVITIES, Window
from investigate.widgets import asking
from investigate.widgets.chart import ChartView, inline
from investigate.widgets.scope import QUESTION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from investigate.widgets.scope import Chosen
    from investigate.widgets.where import Where

BINS: Final = 160
_STEPS: Final = tuple(
    timedelta(seconds=seconds)
    for seconds in (1, 5, 15, 60, 300, 900, 3_600, 3 * 3_600, 6 * 3_600, 12 * 3_600, 86_400, 7 * 86_400, 30 * 86_400)
)
_HEIGHT: Final = 160
_COLOURS: Final = ("#2e7d32", "#1976d2", "#b26a00", "#c62828", "#6d6d6d")
"""Of the activities, in their order."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Timeline(ChartView):
    """Events by time; see `View`."""

    title = "When"
    follows = QUESTION | {"identities", "credentials", "src_ips", "only"}
    columns = ("from", "activity", "events")
    signals: ClassVar[tuple[str, ...]] = ("brush",)
    points_at: ClassVar[tuple[str, ...]] = ("brush",)
    label = "Events over time, by activity."

    def ask(self, chosen: Chosen) -> None:
        """As `View` has it."""
        case, whole = self.desk.case, replace(chosen, brush=None)
        seat = self.seat()
        pick = self.desk.pick(seat, whole)
        found = seat.rows(
            f"SELECT min(time) AS a, max(time) AS b FROM {pick.table} WHERE {pick.where.sql}", pick.where.values
        )[0]
        self._lines = asking.coverage(case, chosen).lines()
        self._where = asking.question(case, whole, objects=not whole.following).also(asking.selection(case, whole))
        self.spec, self.rows, self.note = None, [], "No event is there in what was collected."
        if found["a"] is None:
            return
        self.step = _step(found["b"] - found["a"])
        asked = pick.where.also()
        bins = seat.rows(_binned(pick.table, asked, self.step), asked.values)
        self.note = f"Bars of {_named(self.step)}, UTC. Draw a brush over them to see only those events."
        self.rows = [
            {
                "cells": [cell(one["bin"]), str(one["activity"]), f"{one['events']:,}"],
                "point": {"time": [_ms(one["bin"]), _ms(one["bin"] + self.step)]},
            }
            for one in bins
        ]
        self.spec = drawn(bins, self.step)

    def pointed(self, value: Mapping[str, Any]) -> None:
        """As `ChartView` has it: two times in milliseconds."""
        ends = value.get("time")
        if not (isinstance(ends, list) and len(ends) == 2 and all(isinstance(one, int | float) for one in ends)):  # noqa: PLR2004
            return
        start, end = (_EPOCH + timedelta(milliseconds=one) for one in sorted(ends))
        self.desk.scope.change(brush=Window(start, end) if start < end else None)

    def coverage_lines(self) -> list[str]:
        """As `View` has it."""
        return getattr(self, "_lines", [])

    def query(self) -> str:
        """As `View` has it."""
        return _binned("events", self._where, self.step) if self.spec else ""

    def code(self) -> str:
        """As `View` has it."""
        if not self.spec:
            return ""
        return asking.in_sql(self.query(), self._where)


def drawn(bins: list[dict[str, Any]], step: timedelta) -> dict[str, Any]:
    """The chart of some bins, as Vega-Lite."""
    import altair as alt  # noqa: PLC0415 - of the extra `lab`

    values = _stacked(bins, step)
    brush = alt.selection_interval(name="brush", encodings=["x"])
    chart = (
        alt.Chart(inline(values))
        .mark_rect()
        .encode(
            x=alt.X("time:T", scale=alt.Scale(type="utc"), title="UTC"),
            x2="until:T",
            y=alt.Y("base:Q", title="events"),
            y2="top:Q",
            color=alt.Color("activity:N", scale=alt.Scale(domain=list(ACTIVITIES), range=list(_COLOURS))),
            tooltip=["from:N", "activity:N", "events:Q"],
        )
        .properties(height=_HEIGHT)
        .add_params(brush)
    )
    return {**chart.to_dict(), "width": "container", "autosize": {"type": "fit", "contains": "padding"}}


def _stacked(bins: list[dict[str, Any]], step: timedelta) -> list[dict[str, Any]]:
    """One piece of a bar for each bin and activity, each on top of those before it."""
    heights: dict[datetime, int] = {}
    found = []
    for one in sorted(bins, key=lambda one: (one["bin"], ACTIVITIES.index(one["activity"]))):
        base = heights.get(one["bin"], 0)
        heights[one["bin"]] = base + one["events"]
        ends = {"time": _ms(one["bin"]), "until": _ms(one["bin"] + step), "from": cell(one["bin"])}
        found.append(
            {**ends, "base": base, "top": heights[one["bin"]], "activity": one["activity"], "events": one["events"]}
        )
    return found


def _binned(table: str, where: Where, step: timedelta) -> str:
    width = step // timedelta(microseconds=1)
    # Whole numbers: calendar arithmetic with zones takes twenty times as long, and bars in UTC need none.
    return (
        f"SELECT make_timestamptz(epoch_us(time) // {width} * {width}) AS bin, activity, count(*) AS events\n"
        f"FROM {table}\nWHERE {where.sql}\nGROUP BY ALL\nORDER BY ALL"
    )


def _step(span: timedelta) -> timedelta:
    return next((step for step in _STEPS if span / step <= BINS), _STEPS[-1])


def _named(step: timedelta) -> str:
    for unit, name in ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "min")):
        if step >= unit:
            return f"{step // unit} {name}"
    return f"{step.seconds} s"


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)
