"""The form that asks DevRev for an export."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import ipywidgets

from investigate.case.coverage import filter_text, span
from investigate.events import ACTIVITIES
from investigate.sources.devrev import ExportFilter
from investigate.widgets.collect_piece import WIDE, Piece, row, words
from investigate.widgets.collect_window import WindowEntry
from investigate.widgets.jobs import Job
from investigate.widgets.part import layout

if TYPE_CHECKING:
    from collections.abc import Callable

    from investigate.case import Case
    from investigate.case.desks import Asked
    from investigate.events import Window


_PARTS: Final = (
    ("one export", timedelta()),
    ("exports of a day each", timedelta(days=1)),
    ("exports of a week each", timedelta(days=7)),
)


class ExportForm(Piece):
    """From, to, categories, operation types, users; submitting it asks DevRev.

    Args:
        case: whose token asks, and whose journal keeps the request.
        zone: see `WindowEntry`.
        then: called in the job's thread when it is over, however it ended.

    Attributes:
        window: the window's fields.
        categories, users: text fields, several values separated by commas.
        operations: a checkbox for each operation type; none checked means all.
        split: the length of each export, None for one; a long range or a busy system is better asked for in parts.
        submit_button: asks.
        job: the asking.
    """

    def __init__(self, case: Case, zone: str = "UTC", then: Callable[[], object] = lambda: None) -> None:
        self._case, self._then = case, then
        self.window = WindowEntry(zone, warn=case.devrev.warnings_for)
        self.categories = ipywidgets.Text(description="Categories", placeholder="all", style=WIDE, layout=layout())
        self.users = ipywidgets.Text(
            description="Users", placeholder="all; DevRev ids, with commas", style=WIDE, layout=layout()
        )
        self.operations = {
            name: ipywidgets.Checkbox(description=name, indent=False, layout=layout(width="6rem"))
            for name in ACTIVITIES
        }
        self.submit_button = ipywidgets.Button(layout=layout(), description="Request export", button_style="primary")
        self.submit_button.on_click(lambda _button: self.submit())
        self.job = Job()
        self.split = ipywidgets.Dropdown(options=_PARTS, description="Ask for it in", style=WIDE, layout=layout())
        boxes = row(*self.operations.values())
        super().__init__(
            self.window,
            row(self.categories, self.users),
            ipywidgets.Label("Operation types; none chosen means all:"),
            boxes,
            self.split,
            self.submit_button,
            self.job,
        )

    def fill(self, window: Window) -> None:
        """Enter a window, with no filter: what is missing may be of any kind."""
        self.window.fill(window)
        self.categories.value = self.users.value = ""
        for box in self.operations.values():
            box.value = False

    def submit(self) -> bool:
        """Ask for what is entered; whether a job was started. What is wrong with the entry, the job says."""
        with self.job.guarded("DevRev was not asked"):
            window = self.window.read()
            chosen = ExportFilter(tuple(words(self.categories.value)), self._chosen(), tuple(words(self.users.value)))
            split = self.split.value or None
            return self.job.run(
                "Asking DevRev for an export",
                lambda _progress: self._case.devrev.request_exports(window, chosen, split=split),
                _asked,
                after=self._then,
            )
        return False

    def texts(self) -> list[str]:
        """What is entered, and what came of it."""
        chosen = [*words(self.categories.value), *self._chosen(), *words(self.users.value)]
        return [
            "DevRev export",
            *self.window.texts(),
            f"Narrowed to: {', '.join(chosen) or 'nothing, everything is asked for'}.",
            *str(self.job).splitlines(),
        ]

    def _chosen(self) -> tuple[str, ...]:
        return tuple(name for name, box in self.operations.items() if box.value)


def _asked(asked: list[Asked]) -> str:
    lines = []
    for one in asked:
        kept = one.request
        lines.append(f"Request {kept.id}: {span(kept.window)} UTC, {filter_text(kept.filter) or 'everything'}")
        lines += [f"warning  {warning}" for warning in one.warnings]
    return "\n".join([*lines, "DevRev works on it aside; the board below says what to do next."])
