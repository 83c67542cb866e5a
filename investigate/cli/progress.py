"""How far an acquisition is: bars on a terminal, silence elsewhere."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from investigate.case.display import amount

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
}


class Bars:
    """One bar for each phase of an acquisition, made when it begins."""

    def __init__(self, display: Progress) -> None:
        self._display = display
        self._tasks: dict[tuple[str, str], TaskID] = {}

    def __call__(self, phase: str, done: int, total: int | None, unit: str) -> None:
        """Show how far a phase is; see `investigate.sources.received.Progress`."""
        key = (phase, unit)
        if key not in self._tasks:
            self._tasks[key] = self._display.add_task(_WORDS.get(phase, phase), total=total, unit=unit)
        self._display.update(self._tasks[key], completed=done, total=total)


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
        """So much of so much, so fast."""

        def render(self, task: Any) -> Text:
            unit = task.fields["unit"]
            of = f" of {amount(task.total, unit)}" if task.total else ""
            speed = f", {amount(task.speed, unit)}/s" if task.speed else ""
            return Text(f"{amount(task.completed, unit)}{of}{speed}")

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        Amount(),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as display:
        yield Bars(display)
