"""The words in which reading CodeRabbit's log is described: spans, pages to ask for, and one reading judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from investigate.events import Window

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from investigate.sources.coderabbit_page import Page

SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True)
class Span:
    """A window and the inclusive end the vendor is asked for.

    Neighbouring halves share the instant between them: a vendor that cuts times to whole seconds or milliseconds would
    otherwise pass over what lies in the crack.
    """

    window: Window
    until: datetime

    def halves(self) -> tuple[Span, Span] | None:
        """Two spans that meet at a whole second, or None where none lies between."""
        middle = (self.window.start + (self.window.end - self.window.start) / 2).replace(microsecond=0)
        if not self.window.start < middle < self.window.end:
            return None
        return Span(Window(self.window.start, middle), middle), Span(Window(middle, self.window.end), self.until)


@dataclass(frozen=True)
class Ask:
    """One page to ask for; `turn` tells requests for the same page apart."""

    span: Span
    page: int
    turn: int


@dataclass(frozen=True)
class Fetch:
    """Ask for these pages, all at once, and send what they say, in this order."""

    asks: tuple[Ask, ...]


@dataclass(frozen=True)
class Keep:
    """Keep these pages, in this order, and forget every other that was fetched since the last `Keep`."""

    asks: tuple[Ask, ...]


@dataclass(frozen=True)
class Outcome:
    """What reading a window came to.

    Attributes:
        unproven: the parts that may lack entries, in order.
        total: different entries in the pages kept.
        rereads: readings that proved nothing and were followed by another.
        outside: entries kept whose time lies outside what was asked for.
        alike: entries kept that differ from another in nothing but their id.
        fault: why the last window was not proven.
    """

    unproven: tuple[Window, ...]
    total: int
    rereads: int
    outside: int
    alike: int
    fault: str


@dataclass
class Read:
    """One reading of a span: its pages, and what speaks against it.

    Attributes:
        asks: what was asked for, in order.
        pages: what came, in the same order.
        keys: of all entries on them.
        fault: why it proves nothing; empty while nothing speaks against it.
        hopeless: reading the same span once more would come to the same.
    """

    asks: list[Ask] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    keys: set[bytes] = field(default_factory=set)
    fault: str = ""
    hopeless: bool = False

    @property
    def length(self) -> int:
        """The pages there are, by the largest count any of them gives."""
        return max(page.pages for page in self.pages)

    @property
    def open_ended(self) -> bool:
        """Whether the last page says that there are more."""
        return bool(self.pages[-1].more)

    def add(self, asks: Sequence[Ask], pages: Sequence[Page]) -> bool:
        """Take in `pages`; whether they brought an entry that was not there before."""
        before = len(self.keys)
        for ask, page in zip(asks, pages, strict=True):
            self.asks.append(ask)
            self.pages.append(page)
            self.keys.update(entry.key for entry in page.entries)
            if page.total != self.pages[0].total:
                self.fault = f"total_count went from {self.pages[0].total} to {page.total} while it was read"
            elif page.number not in {None, ask.page}:
                self.fault = f"page {ask.page} was answered with page {page.number}"
        return len(self.keys) > before

    def judge(self, *, last: bool) -> None:
        """Weigh what was read against what was announced.

        Args:
            last: the span is not going to be halved, so that entries alike must be taken for what they are.
        """
        total = self.pages[0].total
        if self.fault:
            return
        if len(self.keys) != total:
            self.fault = f"{len(self.keys)} different entries were read, total_count is {total}"
        elif self.open_ended:
            self.fault = "the last page says that there are more"
        elif not last and 0 < 2 * self._strayed() < total:
            # The same entry under two ids, on two pages, would hide one that was never read. Where most
            # entries are alike, that says nothing.
            self.fault, self.hopeless = "the same entry came on two pages under two ids", True

    def confirm(self, ask: Ask, again: Page) -> None:
        """Hold the first page against the same page asked for at the end."""
        first = self.pages[0]
        if again.total != first.total or {one.key for one in again.entries} != {one.key for one in first.entries}:
            self.add((ask,), (again,))
            self.fault = self.fault or "the first page changed while the others were read"

    def _strayed(self) -> int:
        """Entries alike in all but their id that came on different pages."""
        seen: dict[bytes, int] = {}
        return sum(
            seen.setdefault(entry.content, number) != number
            for number, page in enumerate(self.pages)
            for entry in page.entries
        )
