"""A window of time as a person enters it: anything pasted, shown in UTC and in a zone of their choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import ipywidgets

from investigate.case.pasted import in_zone, read_window
from investigate.errors import InvestigateError
from investigate.events import parse_time
from investigate.sources.phrases import span
from investigate.widgets.collect_piece import WIDE, Notice, Piece, row
from investigate.widgets.part import layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from investigate.case.pasted import Pasted
    from investigate.events import TimeLike, Window

_ZONES: Final = ("UTC", "Europe/Berlin", "Europe/London", "America/New_York", "America/Los_Angeles", "Asia/Kolkata")
_QUICK: Final = (("as entered", ""), ("last 24 hours", "24h"), ("last 7 days", "7d"), ("last 30 days", "30d"))


def _no_warning(_window: Window) -> Iterable[str]:
    return ()


class WindowEntry(Piece):
    """From, to and zone, and below them how they were understood.

    Args:
        zone: the zone of times that name none, and the second one shown.
        warn: what to know about a window before it is asked for, a sentence each.

    Attributes:
        start, end: text fields; see `investigate.case.pasted.read_time` for what they take. An empty end is now.
        zone: text field with suggestions.
        quick: a choice that fills the fields.
        notice: how they were understood.
    """

    def __init__(self, zone: str = "UTC", *, warn: Callable[[Window], Iterable[str]] = _no_warning) -> None:
        self._warn = warn
        self.start = ipywidgets.Text(
            description="From", placeholder="2026-11-01, 7d, or any pasted timestamp", style=WIDE, layout=layout()
        )
        self.end = ipywidgets.Text(description="To (not included)", placeholder="now", style=WIDE, layout=layout())
        self.zone = ipywidgets.Combobox(
            value=zone, options=_ZONES, description="Time zone", style=WIDE, layout=layout()
        )
        self.quick = ipywidgets.Dropdown(
            options=_QUICK, value="", description="Quick choice", style=WIDE, layout=layout()
        )
        self.notice = Notice()
        super().__init__(
            row(self.start, self.end),
            row(self.quick, self.zone),
            self.notice,
        )
        for field in (self.start, self.end, self.zone):
            field.observe(self._understand, "value")
        self.quick.observe(self._choose, "value")
        self._understand()

    def read(self) -> Window:
        """The window that is entered.

        Raises:
            BadTime: see `investigate.case.pasted.read_window`.
        """
        return read_window(self.start.value, self.end.value, self.zone.value)[0]

    def enter(self, start: TimeLike, end: TimeLike | None) -> None:
        """Enter two times as people write them; None is now."""
        self.quick.value = ""
        self.start.value = _text(start)
        self.end.value = "" if end is None else _text(end)

    def fill(self, window: Window) -> None:
        """Enter a window."""
        self.quick.value = ""
        self.start.value = in_zone(window.start, "UTC")
        self.end.value = in_zone(window.end, "UTC")

    def texts(self) -> list[str]:
        """How the fields were understood."""
        return self.notice.texts()

    def _choose(self, change: dict[str, str]) -> None:
        if change["new"]:
            self.start.value, self.end.value = change["new"], ""

    def _understand(self, _change: object = None) -> None:
        if not self.start.value.strip():
            self.notice.say("Enter when the window begins.")
            return
        try:
            window, first, last = read_window(self.start.value, self.end.value, self.zone.value)
            self.notice.say(
                self._line("From", first),
                self._line("To", last),
                f"{span(window.end - window.start)} long.",
                *(("warn", warning) for warning in self._warn(window)),
            )
        except InvestigateError as error:
            self.notice.say(("bad", error.message), error.hint)

    def _line(self, name: str, read: Pasted) -> str:
        zone = self.zone.value.strip() or "UTC"
        local = "" if zone.upper() == "UTC" else f" = {in_zone(read.time, zone)}"
        assumed = f"; it names no zone and was taken as {read.assumed}" if read.assumed else ""
        return f"{name} {in_zone(read.time, 'UTC')}{local}{assumed}"


def _text(moment: TimeLike) -> str:
    return moment if isinstance(moment, str) else in_zone(parse_time(moment), "UTC")
