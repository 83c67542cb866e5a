"""The words in which reading CodeRabbit's log is described: spans, pages to ask for, and one reading judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Final

from investigate.events import Window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from investigate.sources.coderabbit_page import Entry, Page

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

    def well_within(self, times: Mapping[bytes, datetime]) -> dict[bytes, datetime]:
        """Those that this span must show however its vendor rounds: a second or more from either end."""
        start, end = self.window.start + SECOND, self.until - SECOND
        return {key: time for key, time in times.items() if start <= time <= end}

    def second(self, time: datetime | None) -> Span | None:
        """The whole second around `time`, or None where that lies outside this span."""
        if time is None or not self.window.start - SECOND <= time <= self.until + SECOND:
            return None
        start = time.astimezone(UTC).replace(microsecond=0)
        return Span(Window(start, start + SECOND), start + SECOND)


@dataclass(frozen=True)
class Ask:
    """One page to ask for; `turn` tells requests for the same page apart."""

    span: Span
    page: int
    turn: int


@dataclass(frozen=True)
class Fetch:
    """Ask for these pages, all at once, and send what they say, in this order.

    Attributes:
        asks: the pages.
        ahead: what the next step will ask for if nothing speaks against it, and may be asked for already.
    """

    asks: tuple[Ask, ...]
    ahead: tuple[Ask, ...] = ()


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
        span: what is read.
        turn: of its requests.
        asks: what was asked for, in order.
        pages: what came, in the same order.
        keys: of all entries on them.
        fault: why it proves nothing; empty while nothing speaks against it.
        hopeless: reading the same span once more would come to the same.
    """

    span: Span
    turn: int
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

    def requests(self, numbers: range) -> tuple[Ask, ...]:
        """What to ask for to get these pages."""
        return tuple(Ask(self.span, number, self.turn) for number in numbers)

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

    def times(self) -> dict[bytes, datetime]:
        """The times of the entries that bear one, by their keys."""
        return {entry.key: entry.time for page in self.pages for entry in page.entries if entry.time is not None}

    def judge(self, owed: Mapping[bytes, datetime]) -> None:
        """Weigh what was read against what was announced, and against the entries that were there before."""
        total = self.pages[0].total
        if self.fault:
            return
        if gone := len(owed.keys() - self.keys):
            self.fault = f"{gone} entries that were there before did not come again"
        elif len(self.keys) != total:
            self.fault = f"{len(self.keys)} different entries were read, total_count is {total}"
        elif self.open_ended:
            self.fault = "the last page says that there are more"

    def give_up(self) -> None:
        """The same entry came under two ids, which would hide one that was never read; it would do so again."""
        self.fault, self.hopeless = "the same entry came on two pages under two ids", True

    def confirm(self, ask: Ask, again: Page) -> None:
        """Hold the first page against the same page asked for at the end."""
        first = self.pages[0]
        if again.total != first.total or {one.key for one in again.entries} != {one.key for one in first.entries}:
            self.add((ask,), (again,))
            self.fault = self.fault or "the first page changed while the others were read"

    def strays(self) -> dict[Span | None, set[bytes]]:
        """Entries alike in all but their id that came on different pages; none where most entries are alike.

        Returns:
            Their keys, by the span of the second they bear; None where that is no second of what was read.
        """
        found: dict[bytes, list[tuple[int, Entry]]] = {}
        for number, page in enumerate(self.pages):
            for entry in page.entries:
                found.setdefault(entry.content, []).append((number, entry))
        apart = [group for group in found.values() if group[0][0] != group[-1][0]]
        strays: dict[Span | None, set[bytes]] = {}
        if 2 * sum(number != group[0][0] for group in apart for number, _ in group) < self.pages[0].total:
            for group in apart:
                keys = strays.setdefault(self.span.second(group[0][1].time), set())
                keys.update(entry.key for _, entry in group)
        return strays
