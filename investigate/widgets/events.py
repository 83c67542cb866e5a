"""`Events`: the grid that follows every selection, down to the raw record and where it lies in the evidence."""

from __future__ import annotations

import html
from concurrent.futures import ThreadPoolExecutor
from threading import RLock
from typing import TYPE_CHECKING, Any, ClassVar, Final

from investigate.case.display import scrolled
from investigate.errors import InvestigateError, LakeError, UsageError
from investigate.events import COLUMNS
from investigate.journal.annotations import Marks, marks
from investigate.journal.rows import from_us, to_us
from investigate.widgets import asking, rows
from investigate.widgets.exporting import FORMS, export
from investigate.widgets.order import UNSORTED, Order
from investigate.widgets.pages import Pages, rows_at
from investigate.widgets.picked import PLACE
from investigate.widgets.scope import QUESTION, SELECTION
from investigate.widgets.subset import Subset
from investigate.widgets.turns import Turns
from investigate.widgets.view import View
from investigate.widgets.where import Where, filtered, known_column

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from investigate.widgets.desk import Widgets
    from investigate.widgets.picked import Pick, Seat
    from investigate.widgets.scope import Chosen

PAGE: Final = 25
SHOWN: Final = ("time", "actor_name", "action", "resource", "src_ip", "outcome", "source", "actor", "credential")
_STILL: Final = ("time", "actor", "action", "resource", "src_ip", "outcome")
_STILL_ROWS: Final = 20
_WIDTHS: Final = {"time": 215, "source": 100, "activity": 90, "outcome": 90, "src_ip": 130, "date": 100}
_WIDTHS_OF_IDS: Final = dict.fromkeys(("actor", "resource", "credential", "event_uid", "evidence", "resources"), 340)
_WIDTH: Final = 170
_GRID: Final = (*SHOWN, *(name for name in COLUMNS if name not in {"raw", *SHOWN}))
"""The columns the page knows, in the order it shows them."""


class Events(View):
    """Every event of what is chosen, in a grid; see `View`."""

    title = "Events"
    scripts = ("cells.js", "grid.js")
    follows = QUESTION | SELECTION
    actions: ClassVar[Mapping[str, str]] = {
        "page": "_page",
        "order": "_order_by",
        "filter": "_filter_by",
        "columns": "_show_columns",
        "detail": "_detail",
        "annotate": "_annotate",
        "export": "_export",
    }

    def __init__(self, desk: Widgets) -> None:
        self.order = Order()
        self.columns: tuple[str, ...] = SHOWN
        self.filters: list[dict[str, Any]] = []
        self._turn = self._result = 0
        self._lines: list[str] = []
        self._first: list[dict[str, Any]] = []
        self._asked = Where()
        self._subset: Subset | None = None
        self._pages: Pages | None = None
        self._using = RLock()
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="investigate: page")
        self._writing = Turns()
        self._exporting = False
        super().__init__(desk)

    @property
    def total(self) -> int:
        """How many events there are."""
        return self._pages.total if self._pages else 0

    # The question

    def ask(self, chosen: Chosen) -> None:
        """Find the events, and the first page of them."""
        case = self.desk.case
        typed = Where(prefix="f")
        filtered(typed, self.filters)
        whole = asking.question(case, chosen, objects=not chosen.following)
        whole = whole.also(asking.selection(case, chosen)).also(typed)
        with self._using:
            seat = self.seat()
            if self._pages:
                self._pages.close()
            subset = self._narrowed(seat, self.desk.pick(seat, chosen), typed)
            self._pages = Pages(subset, self.order)
            self._first = self._pages.page(0, PAGE, self._selected())
            self._pages.prepare()
            self._asked, self._lines = whole, asking.coverage(case, chosen).lines()
            self._turn += 1
            self._result += 1

    def _narrowed(self, seat: Seat, pick: Pick, typed: Where) -> Subset:
        """What was shown before, where only its order is another."""
        if self._subset is not None and self._subset.answers(seat, pick, typed):
            return self._subset
        if self._subset is not None:
            self._subset.close()
            self._subset = None
        self._subset = Subset(seat, pick, typed)
        return self._subset

    def refresh(self) -> None:
        """As `View` has it; nobody need wait for a page of what was asked before."""
        super().refresh()
        if self._pages:
            self._pages.stop()

    # What the page sees

    def content(self) -> dict[str, Any]:
        """The columns, the order and how many rows there are; the rows come a page at a time."""
        columns = [
            {
                "name": name,
                "type": COLUMNS[name][0],
                "doc": COLUMNS[name][1],
                "shown": name in self.columns,
                "sortable": name not in UNSORTED,
                "width": (_WIDTHS | _WIDTHS_OF_IDS).get(name, _WIDTH),
            }
            for name in _GRID
        ]
        order = {"column": self.order.column, "descending": self.order.descending}
        return {"columns": columns, "order": order, "total": self.total, "turn": self._turn, "result": self._result}

    def show(self) -> None:
        """Send the page all it needs to draw, the first rows too."""
        super().show()
        if self._first:
            self._send_page(0, self._turn, self._first)

    def _page(self, message: Mapping[str, Any]) -> None:
        page, turn = message.get("page"), message.get("turn")
        if not isinstance(page, int) or page < 0:
            raise UsageError("This is no page.", "Give a number from 0.")
        self._reader.submit(self._guarded, lambda: self._read(page, turn))

    def _read(self, page: int, turn: Any) -> None:
        if turn != self._turn:
            return
        with self._using:
            if turn != self._turn or self._pages is None:
                return
            try:
                found = self._pages.page(page * PAGE, PAGE, self._selected())
            except LakeError:
                if self._asking:  # it was stopped for what is asked now
                    return
                raise
        self._send_page(page, turn, found)

    def _send_page(self, page: int, turn: int, found: list[dict[str, Any]]) -> None:
        said = marks(self.desk.case.journal.annotations.of({row["event_uid"] for row in found}))
        names, files = set(self.columns), self._pages.seat.files if self._pages else ()
        sent = [
            {
                "id": [files.index(row["file"]), row["spot"], to_us(row["time"])],
                "cells": [rows.cell(name, row[name]) if name in names else None for name in _GRID],
                "marks": rows.marked(said.get(rows.key(row))),
            }
            for row in found
        ]
        self.send({"is": "rows", "turn": turn, "page": page, "rows": sent})

    def _selected(self) -> list[str]:
        return rows.selected(dict.fromkeys((*rows.EVENT, *self.columns)))

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the top of a thread: what happened is shown, not lost
            self.fail(error)

    # What the page asks for

    def _order_by(self, message: Mapping[str, Any]) -> None:
        self.order = Order.asked(message.get("column"), message.get("descending"))
        self.refresh()

    def _filter_by(self, message: Mapping[str, Any]) -> None:
        filtered(Where(), message.get("filters"))  # what cannot be meant is refused before it is kept
        self.filters = list(message["filters"])
        self.refresh()

    def _show_columns(self, message: Mapping[str, Any]) -> None:
        names = message.get("names")
        wanted = {known_column(name) for name in names} if isinstance(names, list) else set()
        if not wanted & set(_GRID):
            raise UsageError("A grid without columns shows nothing.", "Keep at least one.")
        self.columns = tuple(name for name in _GRID if name in wanted)
        self._turn += 1
        self._first = []
        self.show()

    def _detail(self, message: Mapping[str, Any]) -> None:
        self._reader.submit(self._guarded, lambda: self._look(message.get("id"), str(message.get("focus", ""))))

    def _look(self, place: Any, focus: str | None) -> None:
        row = self._row(place, [*COLUMNS])
        said = self.desk.case.journal.annotations.of([row["event_uid"]])
        own = [one for one in said if one.event == rows.key(row)]
        held = marks(own).get(rows.key(row), Marks())
        self.send({"is": "detail", "id": place, "focus": focus, **rows.detail(row, held, own)})

    def _row(self, place: Any, columns: list[str]) -> dict[str, Any]:
        if not (isinstance(place, list) and len(place) == len(PLACE) and all(type(one) is int for one in place)):
            raise UsageError("This is no place of an event.", "Choose a row.")
        number, spot, time = place
        found: list[dict[str, Any]] = []
        with self._using:
            if self._pages and 0 <= number < len(files := self._pages.seat.files):
                known = {"file": files[number], "spot": spot, "time": from_us(time)}
                found = rows_at(self._pages.seat, [known], columns)
        if not found:
            raise UsageError("There is no such event in this version of the lake.", "Choose again.")
        return found[0]

    def _annotate(self, message: Mapping[str, Any]) -> None:
        place, kind, text = message.get("id"), str(message.get("kind")), message.get("text")
        row = self._row(place, list(rows.EVENT))
        event = rows.key(row)
        self.desk.case.annotate(*event, kind, text if isinstance(text, str) else "")  # type: ignore[arg-type]
        held = marks(self.desk.case.journal.annotations.of([event[2]])).get(event)
        self.send({"is": "marks", "id": place, "marks": rows.marked(held)})
        if message.get("open"):
            self._look(place, None)
        self.desk.annotated()

    def _export(self, message: Mapping[str, Any]) -> None:
        form = message.get("form")
        if form not in FORMS:
            raise UsageError(f"{str(form)[:40]!r} is no form of file.", f"Forms are {', '.join(FORMS)}.")
        self._exporting = True
        self._writing.take(lambda current: self._write(form, current))
        self.say("Writing…")

    def _write(self, form: str, current: Callable[[], bool]) -> None:
        def told(count: int) -> None:
            if not current():
                raise InvestigateError("The export was stopped.", "No file was written.")
            self.say(f"Writing… {count:,} of {self.total:,} events")

        def work() -> None:
            path, count = export(self.desk.case, self.desk.shelf.seat(), self._asked, form, told)
            self._exporting = False
            self.say(f"{count:,} events are in {path}.")

        try:
            work()
        except Exception as error:  # noqa: BLE001 - the top of a thread: what happened is shown, not lost
            self._exporting = False
            self.fail(error)

    @property
    def working(self) -> bool:
        """Whether the page should offer to stop what goes on."""
        return super().working or self._exporting

    def stop(self) -> None:
        """What goes on no longer counts; no file is left half written."""
        super().stop()
        self._exporting = False
        self._writing.drop()

    # What it says of itself

    def coverage_lines(self) -> list[str]:
        """As `View` has it."""
        return self._lines

    def query(self) -> str:
        """The query that gives every row."""
        return f"SELECT {', '.join(self.columns)}\nFROM events\nWHERE {self._asked.sql}\nORDER BY {self._ordered()}"

    def code(self) -> str:
        """As `View` has it."""
        return asking.in_sql(self.query(), self._asked)

    def _ordered(self) -> str:
        way = "DESC" if self.order.descending else "ASC"
        return f"{self.order.column} {way} NULLS LAST, time {way}, event_uid"

    def body_text(self) -> str:
        """As `View` has it."""
        lines = [" | ".join(rows.plain(row, self._still())) for row in self._first[:_STILL_ROWS]]
        return "\n".join([f"{self.total:,} events", " | ".join(self._still()), *lines])

    def body_html(self) -> str:
        """As `View` has it."""
        head = "".join(f"<th>{name}</th>" for name in self._still())
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in rows.plain(row, self._still())) + "</tr>"
            for row in self._first[:_STILL_ROWS]
        )
        first = f", the first {_STILL_ROWS}" if self.total > _STILL_ROWS else ""
        return f"<div>{self.total:,} events{first}</div>" + scrolled(f"<table><tr>{head}</tr>{body}</table>")

    def _still(self) -> tuple[str, ...]:
        return tuple(name for name in _STILL if name in self.columns) or self.columns[:6]
