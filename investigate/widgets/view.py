"""`View`: what every widget that shows part of a trace has in common.

It shows itself as a widget, as escaped HTML and as text; it asks its question in a thread, says what the answer covers,
how it was asked and, where it failed, why. Its script and its rows go to the page as messages, never into its state:
what a saved notebook keeps of it is a few kilobytes whatever the lake's size.
"""

from __future__ import annotations

import hashlib
import html
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import anywidget
import traitlets

from investigate.report.text import visible
from investigate.widgets.jobs import sentences
from investigate.widgets.scope import changed
from investigate.widgets.turns import Turns
from investigate.widgets.watched import shown_by, watched

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from IPython.display import DisplayHandle

    from investigate.case import Answer
    from investigate.widgets.desk import Widgets
    from investigate.widgets.picked import Seat
    from investigate.widgets.scope import Chosen

_HERE: Final = Path(__file__).parent
_PATIENCE: Final = 0.35
"""Seconds a cell waits for an answer before it shows the view without one."""
_STILL: Final = 4_000
"""Characters of a view that a saved notebook keeps as text."""


class View(anywidget.AnyWidget):
    """One view of what a desk's scope chose.

    Args:
        desk: whose case and scope.

    Attributes:
        title: its heading.
        scripts: its files of JavaScript, put together in this order.
        follows: the fields of the scope whose change makes it ask again.
        marks: those whose change only makes it show something else as chosen.
        actions: what the page may ask for, to the method that does it.
        answer: of the case, where the view shows one.
    """

    _esm = _HERE / "loader.js"

    still = traitlets.Unicode("").tag(sync=True)

    title: ClassVar[str] = ""
    scripts: ClassVar[tuple[str, ...]] = ()
    follows: ClassVar[frozenset[str]] = frozenset()
    marks: ClassVar[frozenset[str]] = frozenset()
    actions: ClassVar[Mapping[str, str]] = {}

    def __init__(self, desk: Widgets) -> None:
        super().__init__()
        self.desk = desk
        self.turns = Turns(self._interrupt)
        self.answer: Answer | None = None
        self.status = ""
        self.problem: tuple[str, str] | None = None
        self._asking, self._watched = False, True
        self._seat: Seat | None = None
        self._late: list[DisplayHandle] = []
        self._told: list[DisplayHandle] = []
        self.on_msg(self._from_page)
        desk.scope.watch(self._scope_changed)

    # What a view of its own kind says

    def ask(self, chosen: Chosen) -> None:
        """Find out what there is to show; runs in a thread."""

    def content(self) -> dict[str, Any]:
        """What the page is to draw, as JSON."""
        return {}

    def coverage_lines(self) -> list[str]:
        """How much of what was asked about was collected, a line a source."""
        return self.answer.coverage.lines() if self.answer else []

    def code(self) -> str:
        """Python that asks the same, for a cell of one's own; empty where there is nothing to ask."""
        return ""

    def query(self) -> str:
        """The SQL that was run; empty where none was."""
        return self.answer.sql or "" if self.answer else ""

    def body_html(self) -> str:
        """What it shows, as HTML without anything live; everything a log says is escaped."""
        return ""

    def body_text(self) -> str:
        """What it shows, as plain text."""
        return ""

    def seat(self) -> Seat:
        """The view's own cursor, on the newest version of the lake."""
        self._seat = self.desk.shelf.seat(self._seat)
        return self._seat

    def _interrupt(self) -> None:
        if self._seat is not None:
            self._seat.cursor.interrupt()

    @property
    def working(self) -> bool:
        """Whether the page should offer to stop what goes on."""
        return self._asking

    def stop(self) -> None:
        """What goes on no longer counts."""
        self._asking = False
        self.turns.drop()

    # Life

    def refresh(self) -> None:
        """Ask again, in a thread; what is still being asked for an older choice no longer counts."""
        self.status, self.problem, self._asking = "Working…", None, True
        self.turns.take(self._run)
        self.send({"is": "head", **self._head()})

    def settle(self, timeout: float | None = None) -> bool:
        """Until the view shows its answer; for notebooks that run without a person, and for tests.

        Args:
            timeout: seconds; None waits for as long as it takes.
        """
        return self.turns.wait(timeout)

    def say(self, status: str, problem: tuple[str, str] | None = None) -> None:
        """Show what goes on, or what went wrong: a sentence and a remedy."""
        self.status, self.problem = visible(status), problem
        self.send({"is": "head", **self._head()})

    def show(self) -> None:
        """Send the page all it needs to draw."""
        self.send({"is": "show", **self._head(), "content": self.content()})

    def fail(self, error: BaseException) -> None:
        """Show an error in one sentence, and what to do in another."""
        message, hint = sentences(error)
        self.say("", (visible(message), visible(hint)))

    def _run(self, current: Callable[[], bool]) -> None:
        try:
            self.ask(self.desk.scope.now)
        except Exception as error:  # noqa: BLE001 - the top of a thread: what happened is shown, not lost
            if current():
                self._asking = False
                self.fail(error)
                self._catch_up()
            return
        if current():
            self.status, self.problem, self._asking = "", None, False
            self.still = self._text()[:_STILL]
            self.show()
            self._catch_up()

    def _scope_changed(self, before: Chosen, now: Chosen) -> None:
        fields = changed(before, now)
        if fields & self.follows:
            self.refresh()
        elif fields & self.marks:
            self.show()

    def _head(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "coverage": [visible(line) for line in self.coverage_lines()],
            "code": self.code(),
            "query": self.query(),
            "status": self.status,
            "working": self.working,
            "problem": list(self.problem) if self.problem else None,
        }

    def _from_page(self, _widget: object, message: Any, _buffers: object) -> None:
        wanted = str(message.get("do")) if isinstance(message, dict) else ""
        try:
            if wanted == "module":
                self.send({"is": "module", **bundle(self.scripts)})
            elif wanted == "hello":
                self.show()
            elif wanted == "again":
                self.refresh()
            elif wanted == "stop":
                self.stop()
                self.say("Stopped. What is shown may be older than what was chosen.")
            elif wanted in self.actions:
                getattr(self, self.actions[wanted])(message)
        except Exception as error:  # noqa: BLE001 - a traceback in the log helps nobody who clicked
            self.fail(error)

    # Without a page

    def _text(self) -> str:
        problem = " ".join(self.problem) if self.problem else ""
        parts = (self.title, *self.coverage_lines(), problem, self.status, self.body_text())
        return "\n".join(visible(line) for part in parts if part for line in part.split("\n"))

    def _html(self) -> str:
        lines = [*self.coverage_lines(), *(self.problem or ()), self.status]
        said = "".join(f"<div><code>{html.escape(visible(line))}</code></div>" for line in lines if line)
        return f"<h4>{html.escape(self.title)}</h4>{said}{self.body_html()}"

    def __repr__(self) -> str:
        return self._text()

    def _ipython_display_(self) -> None:
        """Show it without waiting for its answer; what a saved notebook has of it is put right when that has come."""
        from IPython.display import display  # noqa: PLC0415 - who calls this has it

        self._watched = watched()
        self.settle(_PATIENCE)
        early = self._asking  # the answer may come while what is shown without it is being made
        handle = display(self._bundle(), raw=True, display_id=True)  # type: ignore[no-untyped-call]
        if handle is not None and early:
            self._late.append(handle)
            if not self._asking:  # the answer came meanwhile
                self._catch_up()

    def _catch_up(self) -> None:
        with suppress(IndexError):  # another thread may take the last
            while self._late:
                self._told.append(self._late.pop())
                self._told[-1].update(self._bundle(), raw=True)  # type: ignore[no-untyped-call]

    def tell_again(self) -> None:
        """From a cell: what was put right between two cells may have been lost on whoever runs the notebook."""
        while self._told:
            self._told.pop().update(self._bundle(), raw=True)  # type: ignore[no-untyped-call]

    def _bundle(self) -> dict[str, Any]:
        shown = self._repr_mimebundle_()
        return shown_by(shown[0], page=self._watched) if shown else {"text/plain": self._text()}

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        shown = super()._repr_mimebundle_(**kwargs)
        if shown is not None:
            shown[0].update({"text/plain": self._text(), "text/html": self._html()})
        return shown


@cache
def bundle(scripts: tuple[str, ...]) -> dict[str, str]:
    """The script and the style of a view, and a key that changes with them."""
    script = "\n".join((_HERE / name).read_text(encoding="utf-8") for name in ("frame.js", *scripts))
    style = (_HERE / "view.css").read_text(encoding="utf-8")
    key = hashlib.sha256((script + style).encode()).hexdigest()[:16]
    return {"key": key, "script": script, "style": style}
