"""The form that pulls CodeRabbit's audit log, with the filters its log offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets

from investigate.case.display import visible
from investigate.widgets.collect_piece import WIDE, Piece, account, row
from investigate.widgets.collect_window import WindowEntry
from investigate.widgets.jobs import Job
from investigate.widgets.part import layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from investigate.case import Case
    from investigate.events import Window
    from investigate.sources.coderabbit import FilterOptions, Option

_LABEL = 80


class PullForm(Piece):
    """From, to, actions, resource types, a search; submitting it pulls every entry, provably, page by page.

    Args:
        case: where to.
        zone: see `WindowEntry`.
        then: called in the job's thread when a pull is over, however it ended.

    Attributes:
        window: the window's fields.
        load_button: asks CodeRabbit what can be filtered by.
        actions, resource_types: what is chosen; nothing means all.
        search: part of the actor's name.
        pull_button: pulls.
        job: either.
    """

    def __init__(self, case: Case, zone: str = "UTC", then: Callable[[], object] = lambda: None) -> None:
        self._case, self._then = case, then
        self.window = WindowEntry(zone)
        wide = {"layout": layout(width="24rem"), "style": WIDE, "rows": 6}
        self.actions = ipywidgets.SelectMultiple(description="Actions", **wide)
        self.resource_types = ipywidgets.SelectMultiple(description="Resource types", **wide)
        self.search = ipywidgets.Text(description="Actor's name has", placeholder="anyone", style=WIDE, layout=layout())
        self.load_button = ipywidgets.Button(layout=layout(), description="Load filters")
        self.pull_button = ipywidgets.Button(layout=layout(), description="Pull", button_style="primary")
        self.load_button.on_click(lambda _button: self.load())
        self.pull_button.on_click(lambda _button: self.pull())
        self.job = Job()
        super().__init__(
            self.window,
            row(ipywidgets.Label("What the log can be narrowed to; none chosen means all:"), self.load_button),
            row(self.actions, self.resource_types),
            self.search,
            self.pull_button,
            self.job,
        )

    def load(self) -> bool:
        """Ask CodeRabbit what can be filtered by, with counts; whether a job was started."""
        return self.job.run(
            "Asking CodeRabbit for its filters",
            lambda _progress: self._case.coderabbit.filter_options(),
            self._loaded,
        )

    def fill(self, window: Window) -> None:
        """Enter a window, with no filter: what is missing may be of any kind."""
        self.window.fill(window)
        self.actions.value, self.resource_types.value, self.search.value = (), (), ""

    def pull(self) -> bool:
        """Pull what is entered; whether a job was started. What is wrong with the entry, the job says."""
        with self.job.guarded("CodeRabbit was not asked"):
            window = self.window.read()
            actions, types, search = self.actions.value, self.resource_types.value, self.search.value.strip() or None
            return self.job.run(
                "Pulling CodeRabbit's audit log",
                lambda progress: self._case.coderabbit.pull(
                    window.start, window.end, actions=actions, resource_types=types, search=search, progress=progress
                ),
                account,
                after=self._then,
            )
        return False

    def texts(self) -> list[str]:
        """What is entered, and what came of it."""
        chosen = [*self.actions.value, *self.resource_types.value, *filter(None, [self.search.value.strip()])]
        return [
            "CodeRabbit pull",
            *self.window.texts(),
            f"Narrowed to: {', '.join(chosen) or 'nothing, everything is pulled'}.",
            *str(self.job).splitlines(),
        ]

    def _loaded(self, found: FilterOptions) -> str:
        for field, options in ((self.actions, found.actions), (self.resource_types, found.resource_types)):
            kept = [value for value in field.value if value in {option.value for option in options}]
            field.options = [(_label(option), option.value) for option in _by_count(options)]
            field.value = kept
        return f"{len(found.actions)} actions and {len(found.resource_types)} resource types occur in the log."


def _by_count(options: Iterable[Option]) -> list[Option]:
    return sorted(options, key=lambda option: (-option.count, option.value))


def _label(option: Option) -> str:
    return f"{visible(option.label, _LABEL)} ({option.count:,})"
