"""`ScopeForm`: the window, the affected objects and the sources, to be entered, pasted or loaded from a file."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Final

import ipywidgets

from investigate.case.directory import read_csv
from investigate.errors import InvestigateError, UsageError
from investigate.events import ACTIVITIES, iso
from investigate.report.text import visible
from investigate.widgets.jobs import sentences
from investigate.widgets.watched import shown_by, watched

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from investigate.case.case import Case
    from investigate.widgets.desk import Widgets
    from investigate.widgets.scope import Chosen

_KINDS: Final = (".txt", ".csv")
_WIDE: Final = {"width": "100%"}
_STYLE: Final = {"description_width": "9em"}
_NONE: Final = "choose a file of the case"
_BIGGEST: Final = 4 * 2**20
"""Bytes of a list of objects."""
_LONGEST: Final = 400
"""Characters of a sentence about what went wrong."""


class ScopeForm(ipywidgets.VBox):  # type: ignore[misc] # ipywidgets has no types
    """A form for the scope that all widgets share.

    Args:
        desk: whose scope.
    """

    def __init__(self, desk: Widgets) -> None:
        self.desk = desk
        wide: dict[str, Any] = {"layout": _WIDE, "style": _STYLE}
        self.start = ipywidgets.Text(description="From", placeholder="2026-11-01, 2026-11-01T14:00:00Z or 7d", **wide)
        self.end = ipywidgets.Text(description="To, not included", placeholder="now", **wide)
        self.objects = ipywidgets.Textarea(
            description="Affected objects", placeholder="One id a line; * in it stands for any text", rows=5, **wide
        )
        self.files = ipywidgets.Dropdown(description="or from a file", options=[_NONE, *_lists(desk.case)], **wide)
        self.sources = ipywidgets.SelectMultiple(description="Sources", options=_sources(desk.case), rows=3, **wide)
        self.activities = ipywidgets.SelectMultiple(description="Activities", options=ACTIVITIES, rows=3, **wide)
        self.apply = ipywidgets.Button(description="Trace", button_style="primary", icon="search")
        self.clear = ipywidgets.Button(description="Let selections go", tooltip="Keeps window and objects")
        self.said = ipywidgets.HTML()
        self.apply.on_click(lambda _button: self._apply())
        self.clear.on_click(lambda _button: desk.scope.point())
        self.files.observe(self._load, "value")
        desk.scope.watch(lambda _before, now: self._fill(now))
        self._fill(desk.scope.now)
        pairs = [ipywidgets.HBox(pair) for pair in ([self.start, self.end], [self.sources, self.activities])]
        buttons = ipywidgets.HBox([self.apply, self.clear])
        super().__init__([pairs[0], self.objects, self.files, pairs[1], buttons, self.said])

    def _fill(self, now: Chosen) -> None:
        self.start.value = iso(now.start) if now.start else ""
        self.end.value = iso(now.end) if now.end else ""
        self.objects.value = "\n".join(now.objects)
        self.sources.value = tuple(one for one in now.sources if one in self.sources.options)
        self.activities.value = now.activities
        self._say("<br>".join(html.escape(line) for line in self.desk.scope.lines()))

    def _apply(self) -> None:
        try:
            self.desk.scope.change(
                start=self.start.value.strip(),
                end=self.end.value.strip(),
                objects=named_objects(self.desk.case, self.objects.value.splitlines()),
                sources=self.sources.value,
                activities=self.activities.value,
            )
        except InvestigateError as error:
            self._fail(error)

    def _load(self, change: Any) -> None:
        if change["new"] == _NONE:
            return
        try:
            found = named_objects(self.desk.case, [change["new"]])
        except InvestigateError as error:
            self._fail(error)
        else:
            self.objects.value = "\n".join(found)
            self._say(f"{len(found):,} objects are loaded; press Trace.")

    def _fail(self, error: InvestigateError) -> None:
        message, hint = (html.escape(visible(text, _LONGEST)) for text in sentences(error))
        self._say(f"<strong>{message}</strong> {hint}")

    def _say(self, markup: str) -> None:
        self.said.value = f'<div role="status">{markup}</div>'

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        shown = super()._repr_mimebundle_(**kwargs)
        lines = self.desk.scope.lines()
        text = {"text/plain": "\n".join(lines), "text/html": "<br>".join(html.escape(line) for line in lines)}
        return shown_by(shown | text, page=watched()) if isinstance(shown, dict) else shown


def named_objects(case: Case, given: Iterable[str]) -> list[str]:
    """Objects as they were named; a name of a file below the case stands for what it lists.

    Args:
        case: whose folder.
        given: ids, patterns, or names of files below the case (`.txt`: one a line; `.csv`: column `resource`, else the
            first).

    Raises:
        UsageError: a file that is no list of objects.
        ConfigError: a CSV file that cannot be read.
    """
    known = _lists(case)
    found: dict[str, None] = {}
    for one in given:
        name = one.strip().removeprefix("@")
        found |= dict.fromkeys(_read(case.layout.root / name) if name in known else [one.strip()])
    return [name for name in found if name]


def _lists(case: Case) -> list[str]:
    """Files below the case's folder and its reports that may list objects."""
    root = case.layout.root
    files = [path for folder in (root, case.layout.reports) if folder.is_dir() for path in sorted(folder.iterdir())]
    skipped = {case.layout.identities, case.layout.classification}
    return [
        path.relative_to(root).as_posix()
        for path in files
        if path.suffix in _KINDS
        and path not in skipped
        and path.is_file()
        and not path.name.startswith((".", "events-"))
    ]


def _read(path: Path) -> list[str]:
    if path.stat().st_size > _BIGGEST:
        raise UsageError(f"{path.name} is too long for a list of objects.", f"Keep it below {_BIGGEST >> 20} MiB.")
    if path.suffix == ".csv":
        return [row["resource"] if "resource" in row else next(iter(row.values()), "") for row in read_csv(path)]
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path.name} is no text in UTF-8.", "Save it as UTF-8.") from error
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _sources(case: Case) -> tuple[str, ...]:
    return tuple(sorted({one.source for one in case.journal.intervals()}))
