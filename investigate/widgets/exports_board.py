"""The board of export requests: state, age, a countdown to the link's end, what to do next, and asking again.

The page counts down by itself; it asks for a new state only when one is due.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import traitlets

from investigate.case.board import Standing, due, standings
from investigate.case.coverage import filter_text, span
from investigate.case.display import visible
from investigate.events import iso
from investigate.sources.phrases import moment
from investigate.sources.phrases import span as length
from investigate.widgets.collect_piece import Piece
from investigate.widgets.jobs import Job
from investigate.widgets.part import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from investigate.case import Case
    from investigate.case.desks import Asked


class BoardView(Part):
    """The table on the page; `rows` are plain values, and every text is shown as text."""

    script = "board.js"
    style = "collect.css"

    rows: traitlets.List[Any] = traitlets.List().tag(sync=True)


class ExportsBoard(Piece):
    """Every export request of a case, newest first.

    Args:
        case: whose.
        on_link: called with a request's id when its link is to be pasted.
        then: called once a request was made again; None refreshes the board alone.

    Attributes:
        view: the table on the page.
        job: the asking again.
    """

    def __init__(
        self,
        case: Case,
        on_link: Callable[[str], object] = lambda _id: None,
        then: Callable[[], object] | None = None,
    ) -> None:
        self._case, self._on_link, self._then = case, on_link, then or self.refresh
        self._standings: list[Standing] = []
        self.view, self.job = BoardView(), Job()
        self.view.on_msg(self._from_page)
        super().__init__(self.view, self.job)
        self.refresh()

    def refresh(self) -> None:
        """Read the journal again."""
        with self.job.guarded("The requests could not be read"):
            now = datetime.now(UTC)
            self._standings = standings(self._case, now=now)
            self.view.rows = [_row(one) for one in self._standings]
            self.view.still = "\n".join(visible(line, 600) for line in self.texts())

    def request_again(self, request: str) -> bool:
        """Ask DevRev once more for what a request asked for; whether a job was started."""
        return self.job.run(
            "Asking DevRev again", lambda _progress: self._case.devrev.request_again(request), _asked, after=self._then
        )

    def texts(self) -> list[str]:
        """A line a request: as of now, not as of when the document is read."""
        if not self._standings:
            return ["No export was asked for yet."]
        return [f"As of {moment(datetime.now(UTC))}:", *(_line(one) for one in self._standings)]

    def _from_page(self, _view: BoardView, content: Mapping[str, Any], _buffers: object) -> None:
        wanted, request = content.get("do"), str(content.get("id", ""))
        if wanted == "refresh":
            self.refresh()
        elif wanted == "again":
            self.request_again(request)
        elif wanted == "link":
            self._on_link(request)


def _asked(asked: Asked) -> str:
    return "\n".join([f"Request {asked.request.id}: {span(asked.request.window)} UTC", *asked.warnings])


def _row(one: Standing) -> dict[str, Any]:
    request, turn = one.request, due(one)
    return {
        "id": request.id,
        "state": str(request.state),
        "window": span(request.window),
        "filter": visible(filter_text(request.filter), 400) or "everything",
        "by": visible(request.operator, 100),
        "asked": iso(request.requested_at),
        "expires": iso(one.expires_at) if one.expires_at else None,
        "due": iso(turn) if turn else None,
        "next": visible(one.next, 600),
        "steps": list(one.steps),
        "again": one.again,
        "link": not one.again and request.state != "collected",
    }


def _line(one: Standing) -> str:
    request = one.request
    lives = f", its link lives until {moment(one.expires_at)}" if one.expires_at else ""
    chosen = filter_text(request.filter) or "everything"
    asked = f"asked for {length(one.age)} ago"
    return f"{request.id}  {request.state}  {span(request.window)} UTC  {chosen}  {asked}{lives}. {one.next}"
