"""`case.widgets`: every widget of a case, over one scope, one engine and one answer that they share."""

from __future__ import annotations

import time
from collections import OrderedDict
from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING, Final, TypeVar, cast

from investigate.widgets import asking
from investigate.widgets.picked import Pick, Seat, Shelf
from investigate.widgets.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import polars as pl

    from investigate.case.answer import Answer
    from investigate.case.case import Case
    from investigate.events import TimeLike
    from investigate.widgets.collect import Collect
    from investigate.widgets.events import Events
    from investigate.widgets.form import ScopeForm
    from investigate.widgets.graph import Graph
    from investigate.widgets.identities import Identities
    from investigate.widgets.matrix import Matrix
    from investigate.widgets.pivot import Pivot
    from investigate.widgets.remarks import Remarks
    from investigate.widgets.scope import Chosen
    from investigate.widgets.still import Still
    from investigate.widgets.timeline import Timeline
    from investigate.widgets.view import View
    from investigate.widgets.whom import Meant

    V = TypeVar("V", bound=View)
    Asked = tuple[int, tuple[int, int] | None, Chosen]
    """What an answer is kept by: version of the lake, state of `identities.csv`, choice."""

_DEMO: Final = "demo-objects.txt"
_PATIENCE: Final = 300.0
_PICKS: Final = 8
"""Picks that are kept, so that going back to an earlier choice costs nothing."""


class Widgets:
    """The widgets of a case; each method gives one, the same each time, to be shown by a notebook's cell.

    Args:
        case: whose.

    Attributes:
        case: whose.
        shelf: the engine they share.
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        self.shelf = Shelf(case)
        self._picks: OrderedDict[Asked, Pick] = OrderedDict()
        self._views: dict[type[View], View] = {}
        self._form: ScopeForm | None = None
        self._picking = RLock()
        self._answers: OrderedDict[Asked, Answer] = OrderedDict()
        self._answering = RLock()
        self._listeners: list[Callable[[], object]] = []

    @cached_property
    def scope(self) -> Scope:
        """What they all look at, as it was when the case was last looked at."""
        return Scope(self.case.journal)

    def look(
        self,
        *,
        start: TimeLike | None = None,
        end: TimeLike | None = None,
        objects: str | Sequence[str] = (),
        sources: str | Sequence[str] = (),
        activities: str | Sequence[str] = (),
        identities: Meant | Sequence[Meant | Sequence[str]] = (),
    ) -> Scope:
        """Look at something, as a notebook's parameters say; what they leave open stays as it was.

        Where no object was ever named and the demonstration left its list in the case's reports, that is looked at.

        Args:
            start: see `Case.window`.
            end: not included.
            objects: ids, patterns with `*`, or the name of a file below the case, with one a line.
            sources: profile names.
            activities: of create, read, update, delete, other.
            identities: to point at: names, or source, tenant and actor of each.

        Returns:
            The scope that all widgets share.
        """
        from investigate.widgets.form import named_objects  # noqa: PLC0415 - forms load ipywidgets

        given = {"start": start, "end": end, "sources": sources, "activities": activities, "identities": identities}
        names = [objects] if isinstance(objects, str) else list(objects)
        if not names and not self.scope.now.objects and (self.case.layout.reports / _DEMO).exists():
            names = [f"{self.case.layout.reports.name}/{_DEMO}"]
        given["objects"] = named_objects(self.case, names)
        self.scope.change(**{name: value for name, value in given.items() if value not in (None, "", (), [])})
        return self.scope

    # Collecting

    def collect(self, start: TimeLike | None = None, end: TimeLike | None = None, zone: str | None = None) -> Collect:
        """Everything that brings logs into the case; see `investigate.widgets.collect.Collect`."""
        from investigate.widgets.collect import Collect  # noqa: PLC0415 - only what is shown is loaded

        return Collect(self.case, start, end, zone)

    # Tracing

    def form(self) -> ScopeForm:
        """Window, affected objects and sources, to be entered, pasted or loaded."""
        from investigate.widgets.form import ScopeForm  # noqa: PLC0415

        if self._form is None or self._form.comm is None:
            self._form = ScopeForm(self)
        return self._form

    def identities(self) -> Identities:
        """Who touched the affected objects, ranked."""
        from investigate.widgets.identities import Identities  # noqa: PLC0415

        return self._view(Identities)

    def matrix(self) -> Matrix:
        """Who touched which of the affected objects, how often."""
        from investigate.widgets.matrix import Matrix  # noqa: PLC0415

        return self._view(Matrix)

    def timeline(self) -> Timeline:
        """When it happened, with a brush."""
        from investigate.widgets.timeline import Timeline  # noqa: PLC0415

        return self._view(Timeline)

    def pivot(self) -> Pivot:
        """Everything that what was pointed at touched, and from where and with what."""
        from investigate.widgets.pivot import Pivot  # noqa: PLC0415

        return self._view(Pivot)

    def graph(self) -> Graph:
        """How far it reaches from whoever was pointed at."""
        from investigate.widgets.graph import Graph  # noqa: PLC0415

        return self._view(Graph)

    def events(self) -> Events:
        """Every event of what is chosen, down to the raw record."""
        from investigate.widgets.events import Events  # noqa: PLC0415

        return self._view(Events)

    def remarks(self) -> Remarks:
        """The events that were starred, tagged or commented."""
        from investigate.widgets.remarks import Remarks  # noqa: PLC0415

        return self._view(Remarks)

    def table(self, frame: pl.DataFrame, most: int = 20, total: int | None = None) -> Still:
        """A frame as a table for people, in a page, a document or a terminal: every cell visible and escaped.

        Args:
            frame: such as `Case.sql` gives.
            most: rows that are shown.
            total: rows there are, where the frame has only the first of them.
        """
        from investigate.widgets.still import Still  # noqa: PLC0415

        return Still(frame, most, total)

    def _view(self, kind: type[V]) -> V:
        """The one view of a kind, asked anew: a cell that is run again shows it again, and leaves none behind."""
        made = self._views.get(kind)
        if made is None or made.comm is None:
            made = self._views[kind] = kind(self)
        made.refresh()
        return cast("V", made)

    def settle(self, timeout: float = _PATIENCE) -> bool:
        """Until every view shows its answer; for the end of a notebook that runs without a person.

        Args:
            timeout: seconds.

        Returns:
            Whether every view does.
        """
        until = time.monotonic() + timeout
        settled = [view.settle(max(0.0, until - time.monotonic())) for view in self._views.values()]
        for view in self._views.values():
            view.tell_again()
        return all(settled)

    # For the widgets

    def pick(self, seat: Seat, chosen: Chosen) -> Pick:
        """The events of a choice; those of one that was looked at before are still there.

        Args:
            seat: that runs the query, so that it can be interrupted.
            chosen: what is looked at.
        """
        with self._picking:
            key = self._asked(seat.version, chosen)
            if key not in self._picks:
                self._picks[key] = self._picked(seat, chosen)
            self._picks.move_to_end(key)
            while len(self._picks) > _PICKS:
                _, old = self._picks.popitem(last=False)
                if old not in self._picks.values():
                    seat.drop(old)
            return self._picks[key]

    def _picked(self, seat: Seat, chosen: Chosen) -> Pick:
        pointed = asking.selection(self.case, chosen)
        whole = asking.question(self.case, chosen, objects=not chosen.following)
        if not pointed.parts or chosen.following:
            return seat.pick(whole.also(pointed))
        base = self.pick(seat, chosen.question)
        return seat.pick(pointed, base) if base.held else seat.pick(whole.also(pointed))

    def once(self, version: int, question: Chosen, ask: Callable[[], Answer]) -> Answer:
        """The answer to a question about a version of the lake, asked once for all views that show part of it."""
        with self._answering:
            key = self._asked(version, question)
            if key not in self._answers:
                self._answers[key] = ask()
            while len(self._answers) > _PICKS:
                self._answers.popitem(last=False)
            return self._answers[key]

    def _asked(self, version: int, chosen: Chosen) -> Asked:
        """What tells one answer from another: who is who counts too, and may be said anew at any time."""
        try:
            state = self.case.layout.identities.stat()
        except OSError:
            return version, None, chosen
        return version, (state.st_mtime_ns, state.st_size), chosen

    def listen(self, listener: Callable[[], object]) -> None:
        """Have `listener` called after an event was starred, tagged or commented."""
        self._listeners.append(listener)

    def annotated(self) -> None:
        """Tell who listens that something was said of an event."""
        for listener in self._listeners:
            listener()
