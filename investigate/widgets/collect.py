"""The collecting notebook in one object: its pieces, each of which hears of what the others did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traitlets import link as tie

from investigate.case.coverage import span
from investigate.errors import UsageError
from investigate.widgets.collect_coderabbit import PullForm
from investigate.widgets.collect_credentials import Credentials
from investigate.widgets.coverage import CoverageMap
from investigate.widgets.exports import ExportForm
from investigate.widgets.exports_board import ExportsBoard
from investigate.widgets.files import FilesForm
from investigate.widgets.link import LinkField

if TYPE_CHECKING:
    from investigate.case import Case
    from investigate.events import TimeLike
    from investigate.journal import Gap
    from investigate.widgets.collect_piece import Piece


class Collect:
    """Everything that brings logs into a case, as pieces that can be shown in cells of their own.

    Args:
        case: where to.
        start: the window the forms begin with, and the calendar's first day; None leaves the forms empty, and the
            calendar shows what the case covers.
        end: its end, not included; None is now.
        zone: for times that name none; None is `[display] zone` of `case.toml`. A zone chosen in one form is chosen
            in all.

    Attributes:
        credentials: tokens, keys and the doctor.
        export: asks DevRev for an export.
        board: how every export stands.
        link: takes the link, downloads, shows what came.
        coderabbit: pulls CodeRabbit's log.
        files: takes in files.
        coverage: the calendar; a gap that is clicked is entered into the form that can fill it.

    Raises:
        BadTime: a window that cannot be meant, or a zone that is none.
    """

    def __init__(
        self, case: Case, start: TimeLike | None = None, end: TimeLike | None = None, zone: str | None = None
    ) -> None:
        named = zone or case.config.display.zone
        self.credentials = Credentials(case)
        self.coverage = CoverageMap(case, start, end, self.fill)
        self.board = ExportsBoard(case, self._aim, self.refresh)
        self.link = LinkField(case, self.refresh)
        self.export = ExportForm(case, named, self.refresh)
        self.coderabbit = PullForm(case, named, self.refresh)
        self.files = FilesForm(case, named, self.refresh)
        windows = [self.export.window, self.coderabbit.window, self.files.window]
        for other in windows[1:]:
            tie((windows[0].zone, "value"), (other.zone, "value"))
        if start is not None:
            for one in windows:
                one.enter(start, end)

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """All of them, in the order in which they are used."""
        return (
            self.credentials,
            self.export,
            self.board,
            self.link,
            self.coderabbit,
            self.files,
            self.coverage,
        )

    def refresh(self) -> None:
        """Let the pieces that show the state of the case look again."""
        self.board.refresh()
        self.link.refresh()
        self.coverage.refresh()

    def fill(self, gap: Gap) -> str:
        """Enter a gap into the form that can fill it; what was done, in a sentence.

        Args:
            gap: of any source.
        """
        if gap.source == "coderabbit":
            self.coderabbit.fill(gap.window)
            return "Its window stands in the CodeRabbit form now: pull it there."
        if gap.source in {"devrev", None}:
            self.export.fill(gap.window)
            return "Its window stands in the DevRev form now: request the export there."
        return f"Import the files of {gap.source} that hold {span(gap.window)} UTC."

    def finish(self, timeout: float | None = None) -> None:
        """Until no piece is at work; for notebooks that run without a person, which should fail where a piece did.

        Args:
            timeout: seconds for each; None waits for as long as it takes.

        Raises:
            UsageError: one is still at work.
            InvestigateError: whatever the work of a piece raised.
        """
        for job in (piece.job for piece in self.pieces if hasattr(piece, "job")):
            if not job.wait(timeout):
                raise UsageError(f"{job.title} is still under way.", "Wait longer, or cancel it.")
            if job.error is not None:
                raise job.error

    def _aim(self, request: str) -> None:
        self.link.aim(request)
