"""How far an acquisition is: bars on a terminal, silence elsewhere."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from investigate.case.display import amount, share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress, TaskID

_WORDS: Final = {
    "download": "downloading",
    "pull": "pulling",
    "import": "keeping",
    "normalise": "reading",
    "verify": "hashing",
    "sum up": "summing up",
    "compact": "merging",
}


_NARROWEST: Final = 10
_WIDEST: Final = 40
"""Columns of a bar."""
_TEXT: Final = 85
"""Columns that the words beside it take, about; where there are fewer, they take a second line."""


class Bars:
    """One bar for each phase of an acquisition, made when it begins, with what else is counted beside it."""

    def __init__(self, display: Progress) -> None:
        self._display = display
        self._tasks: dict[str, TaskID] = {}
        self._units: dict[str, str] = {}
        self._beside: dict[str, dict[str, int]] = {}

    def __call__(self, phase: str, done: int, total: int | None, unit: str) -> None:
        """Show how far a phase is; see `investigate.sources.received.Progress`."""
        if phase not in self._tasks:
            self._units[phase], self._beside[phase] = unit, {}
            words = _WORDS.get(phase, phase)
            self._tasks[phase] = self._display.add_task(words, total=total, unit=unit, beside=self._beside[phase])
        if unit == self._units[phase]:
            self._display.update(self._tasks[phase], completed=done, total=total)
        else:
            self._beside[phase][unit] = done


def _silent(phase: str, done: int, total: int | None, unit: str) -> None:
    del phase, done, total, unit


@contextmanager
def watching() -> Iterator[Any]:
    """A progress callback, with bars on standard error where that is a terminal; they go when it is over."""
    if not sys.stderr.isatty():
        yield _silent
        return
    from rich.console import Console  # noqa: PLC0415 - only where bars are shown
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        Progress,
        ProgressColumn,
        SpinnerColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text  # noqa: PLC0415

    class Amount(ProgressColumn):
        """So much of so much, so fast, and what is counted beside."""

        def render(self, task: Any) -> Text:
            unit = task.fields["unit"]
            speed = f", {amount(task.speed, unit)}/s" if task.speed else ""
            beside = "".join(f", {amount(count, what)}" for what, count in task.fields["beside"].items())
            return Text(f"{share(task.completed, task.total, unit)}{speed}{beside}")

    console = Console(file=sys.stderr)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(min(_WIDEST, max(_NARROWEST, console.width - _TEXT))),
        Amount(),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=console, transient=True) as display:
        yield Bars(display)
