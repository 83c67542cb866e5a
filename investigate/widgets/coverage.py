"""Coverage as a calendar: a table of days and hours for each source, whose gaps can be clicked to be collected."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import ipywidgets
import traitlets

from investigate.case.calendar import STATES, Calendar, calendar
from investigate.case.coverage import span
from investigate.case.display import visible
from investigate.events import parse_time
from investigate.widgets.collect_piece import Notice, Piece, row
from investigate.widgets.jobs import sentences
from investigate.widgets.part import Part, layout

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from investigate.case import Case
    from investigate.events import TimeLike, Window
    from investigate.journal import Gap

_PAGE: Final = timedelta(days=31)
_CODES: Final = {state: code for code, state in zip("fepvrxg", STATES, strict=True)}
"""State to the letter that stands for it on the way to the page: an hour is one character."""


class CalendarView(Part):
    """The tables on the page.

    Traits sent: `calendars`, each `{"name", "first", "states", "events"}` with one letter and one number an hour;
    `legend`, letter to name and meaning.
    """

    script = "coverage.js"
    style = "collect.css"

    calendars: traitlets.List[Any] = traitlets.List().tag(sync=True)
    legend: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)


class CoverageMap(Piece):
    """What of some days was collected, hour by hour; at most 31 days on a page.

    Args:
        case: whose.
        start: the first day; None: see `investigate.case.calendar.calendar`.
        end: the day after the last; None is now.
        on_gap: called with a gap that was clicked; returns what to say about it.

    Attributes:
        view: the tables on the page.
        notice: what was clicked, or what went wrong.
    """

    def __init__(
        self,
        case: Case,
        start: TimeLike | None = None,
        end: TimeLike | None = None,
        on_gap: Callable[[Gap], str] = lambda _gap: "",
    ) -> None:
        self._case, self._on_gap = case, on_gap
        self._start, self._end = start, end
        self.calendar: Calendar | None = None
        self.view = CalendarView(legend={code: [state, STATES[state]] for state, code in _CODES.items()})
        self.view.on_msg(self._from_page)
        self.notice = Notice()
        self.earlier = ipywidgets.Button(layout=layout(), description="Earlier")
        self.later = ipywidgets.Button(layout=layout(), description="Later")
        self.again = ipywidgets.Button(layout=layout(), description="Refresh")
        self.earlier.on_click(lambda _button: self._turn(-1))
        self.later.on_click(lambda _button: self._turn(1))
        self.again.on_click(lambda _button: self.refresh())
        super().__init__(row(self.earlier, self.later, self.again), self.view, self.notice)
        self.refresh()

    def refresh(self) -> None:
        """Read journal and lake again."""
        try:
            found = calendar(self._case, self._start, self._end)
        except Exception as error:  # noqa: BLE001 - shown where the person looks
            cause, remedy = sentences(error)
            self.notice.say(("bad", cause), remedy)
            return
        self.calendar = found
        self.view.calendars = [_table(found, *source) for source in found.sources]
        self.view.still = "\n".join(visible(line, 600) for line in self.texts())

    def click(self, source: str, tenant: str, hour: datetime) -> None:
        """Choose the gap an hour lies in.

        Args:
            source: profile name.
            tenant: workspace, organisation or account.
            hour: its beginning, UTC.
        """
        gap = self.calendar.gap_at(source, tenant, hour) if self.calendar else None
        if gap is None:
            self.notice.say(("good", f"{source}/{tenant}: that hour is covered."))
            return
        note = f" ({gap.note})" if gap.note else ""
        self.notice.say(f"{source}/{tenant} {span(gap.window)} UTC: {gap.state}{note}.", self._on_gap(gap))

    def texts(self) -> list[str]:
        """The gaps, a line each, or that there are none."""
        if self.calendar is None:
            return self.notice.texts()
        window = self.calendar.window
        counted = {
            (row[0], row[1]): row[2]
            for row in self.calendar.frame.group_by("source", "tenant").agg(events=_total()).rows()
        }
        lines = [f"Coverage of {span(window)} UTC:"]
        for source in self.calendar.sources:
            gaps = [gap for gap in self.calendar.gaps if (gap.source, gap.tenant) == source]
            said = ", ".join(
                f"{span(gap.window)} ({gap.state}{'; ' + gap.note if gap.note else ''})" for gap in gaps[:5]
            )
            more = f", and {len(gaps) - 5} more" if len(gaps) > 5 else ""  # noqa: PLR2004 - as many as were listed
            events = f"{counted[source]:,} events"
            lines.append(f"{'/'.join(source)}  {events}  " + (f"complete except {said}{more}" if gaps else "complete"))
        return lines

    def _turn(self, direction: int) -> None:
        """Show the days before or after."""
        if self.calendar is None:
            return
        window: Window = self.calendar.window
        length = min(_PAGE, window.end - window.start)
        start = window.start + direction * length
        if start > datetime.now(UTC):
            self.notice.say("What is later has not happened yet.")
            return
        self._start, self._end = start, start + length
        self.notice.say()
        self.refresh()

    def _from_page(self, _view: CalendarView, content: Mapping[str, Any], _buffers: object) -> None:
        if "calendar" not in content:  # its script is asked for by messages too
            return
        try:
            index, hour = int(content["calendar"]), parse_time(str(content["hour"]))
            source, tenant = self.calendar.sources[index] if self.calendar else ("", "")
            self.click(source, tenant, hour)
        except Exception as error:  # noqa: BLE001 - what a page sends is no reason for a traceback in the log
            cause, remedy = sentences(error)
            self.notice.say(("bad", cause), remedy)


def _total() -> Any:
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    return pl.col("events").sum()


def _table(found: Calendar, source: str, tenant: str) -> dict[str, Any]:
    own = found.frame.filter((found.frame["source"] == source) & (found.frame["tenant"] == tenant))
    return {
        "name": f"{visible(source, 60)}/{visible(tenant, 80)}",
        "first": f"{found.window.start:%Y-%m-%d}",
        "states": "".join(_CODES[state] for state in own["state"]),
        "events": own["events"].to_list(),
    }
