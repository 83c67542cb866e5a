"""Which pages of CodeRabbit's audit log to ask for, and what their answers prove. No I/O: a generator.

Pages are offsets into a list that may change while it is read. A window counts as read when `total_count` is the same
on every page, as many different ids were read, and the first page is still the same at the end; a window of a single
page was read at one instant. Otherwise it is read again, then halved, and must show again whatever was seen of it.
Entries alike in all but their id, on different pages, must show all their ids once more in the answer about their
second alone.

No request is given up that another one follows: whatever mixes up the answers on their way would put its answer in
the place of one that is wanted, and the wanted one would be lost with it.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Final

from investigate.events import Window
from investigate.sources.coderabbit_page import PAGE_SIZE
from investigate.sources.coderabbit_steps import SECOND, Ask, Fetch, Keep, Outcome, Read, Span

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from datetime import datetime

    from investigate.sources.coderabbit_page import Entry, Page

READS: Final = 3
"""How often a window is read before it is halved or given up."""
MAX_ENTRIES: Final = 20_000
"""A window with more is halved unread: it would hardly hold still, and its ids are held in memory."""
MAX_REQUESTS: Final = 100_000
_SPARE_REQUESTS, _REQUESTS_A_PAGE = 500, 10
"""After so many requests, by the pages announced and proven, what is left is read once and halved no more."""
_TICK: Final = timedelta(microseconds=1)


def paging(window: Window, *, batch: int = 16) -> Generator[Fetch | Keep, Sequence[Page], Outcome]:
    """The steps that read `window`; each `Fetch` is to be answered with its pages, a `Keep` with nothing.

    Args:
        window: in the past, so that nothing but a straggler can still arrive in it.
        batch: pages to ask for at once.
    """
    seam = Window(max(window.start, (window.end - SECOND).replace(microsecond=0)), window.end)
    reading = _Reading(batch, seam.start)
    # The vendor's end is inclusive, ours is not: one microsecond less.
    last = Span(seam, _ceiling(window.end))
    yield from reading.read(Span(window, window.end - _TICK), None, last)
    # Should the vendor cut that to a whole second or millisecond, it would pass over the last entries: so the end is
    # looked at once more, from beyond it.
    yield from reading.read(last, window, None)
    return reading.outcome()


def _ceiling(time: datetime) -> datetime:
    whole = time.replace(microsecond=0)
    return whole if whole == time else whole + SECOND


class _Reading:
    """The state of one pull.

    Args:
        batch: pages to ask for at once.
        seam: from where on the end of the window is going to be read once more.
    """

    def __init__(self, batch: int, seam: datetime) -> None:
        self._batch = batch
        self._seam = seam - SECOND  # a vendor that writes whole seconds dates entries up to one back
        self._turn = 0
        self._promised: dict[Span, int] = {}
        self._requests = 0
        self._enough = 0
        self._known: set[bytes] = set()
        self._known_at_seam: set[bytes] = set()
        self._unproven: list[Window] = []
        self._total = self._rereads = self._outside = self._alike = 0
        self._fault = ""

    def outcome(self) -> Outcome:
        """What it came to."""
        unproven = tuple(_merged(self._unproven))
        return Outcome(unproven, self._total, self._rereads, self._outside, self._alike, self._fault)

    def read(
        self, span: Span, only_new: Window | None, after: Span | None, seen: Mapping[bytes, datetime] | None = None
    ) -> Generator[Fetch | Keep, Sequence[Page], None]:
        """Read `span` until it is proven, cut in two where need be, or give it up.

        Args:
            span: what to read.
            only_new: keep only pages that bring an entry of this window; None keeps every page of a proven reading.
            after: what is going to be read next.
            seen: keys and times of entries that an earlier reading found in `span`.
        """
        owed = dict(seen or {})
        halves = span.halves()
        reads: list[Read] = []
        last = False
        for _ in range(READS):
            last = halves is None or self._hurried
            read = yield from self._once(span, after, last=last, owed=owed)
            if not read.fault:
                yield self._keep(span, [read], only_new, proven=True)
                return
            reads.append(read)
            owed |= span.well_within(read.times())
            self._fault = read.fault
            if self._hurried or read.hopeless:
                break
            self._rereads += 1
        if halves is None or last:
            self._unproven.append(span.window)
            yield self._keep(span, reads, only_new, proven=False)
            return
        yield Keep(())
        for half, following in zip(halves, (halves[1], after), strict=True):
            yield from self.read(half, only_new, following, half.well_within(owed))

    @property
    def _hurried(self) -> bool:
        return 0 < self._enough <= self._requests

    def _once(
        self, span: Span, after: Span | None, *, last: bool, owed: Mapping[bytes, datetime] | None = None
    ) -> Generator[Fetch | Keep, Sequence[Page], Read]:
        """Read `span` once; when it will be halved otherwise, only as far as there is hope."""
        read = Read(span, self._promised.pop(span, 0) or self._next_turn())
        if self._requests >= MAX_REQUESTS:
            read.fault = f"{MAX_REQUESTS} requests were not enough"
            return read
        fresh = yield from self._fetch(read, range(1, 2))
        if not self._enough:
            # A vendor may announce any number: pages of later windows count once they are proven.
            self._enough = _SPARE_REQUESTS + _REQUESTS_A_PAGE * min(read.length, MAX_ENTRIES // PAGE_SIZE)
        if read.pages[0].total > MAX_ENTRIES and not last:
            read.fault, read.hopeless = f"{read.pages[0].total} entries are too many to be read at once", True
            return read
        at = 2
        while (at <= read.length or (last and read.open_ended)) and fresh and (last or not read.fault):
            stop = at + self._batch if last and read.open_ended else min(at + self._batch, read.length + 1)
            rest = read.requests(range(stop, min(stop + self._batch, read.length + 1)))
            fresh = yield from self._fetch(read, range(at, stop), rest or self._promise(after))
            at = stop
        read.judge(owed or {})
        if not read.fault and not last and not (yield from self._vouched(read, after)):
            read.give_up()
        if not read.fault and len(read.pages) > 1:
            ask = Ask(span, 1, self._next_turn())
            (again,) = yield self._asked(Fetch((ask,), self._promise(after)))
            read.confirm(ask, again)
        return read

    def _vouched(self, read: Read, after: Span | None) -> Generator[Fetch | Keep, Sequence[Page], bool]:
        """Whether entries alike on different pages are different: one answer, or one proven reading, shows all ids."""
        strays = read.strays()
        if None in strays or len(strays) > len(read.pages):
            return False
        seconds = iter([(second, keys) for second, keys in strays.items() if second])
        while batch := list(islice(seconds, self._batch)):
            asks = tuple(Ask(second, 1, self._next_turn()) for second, _ in batch)
            pages = yield self._asked(Fetch(asks, self._promise(after)))
            for (second, keys), page in zip(batch, pages, strict=True):
                shown = {entry.key for entry in page.entries}
                if page.pages > 1:
                    inner = yield from self._once(second, None, last=True)
                    shown = set() if inner.fault else inner.keys
                if not keys <= shown:
                    return False
        return True

    def _fetch(
        self, read: Read, numbers: range, ahead: tuple[Ask, ...] = ()
    ) -> Generator[Fetch | Keep, Sequence[Page], bool]:
        asks = read.requests(numbers)
        pages = yield self._asked(Fetch(asks, ahead))
        return read.add(asks, pages)

    def _asked(self, step: Fetch) -> Fetch:
        self._requests += len(step.asks)
        promised = (Ask(span, 1, turn) for span, turn in self._promised.items())
        return Fetch(step.asks, (*step.ahead, *(ask for ask in promised if ask not in step.ahead)))

    def _promise(self, span: Span | None) -> tuple[Ask, ...]:
        """The first request of the reading of `span` that is to come."""
        if span is None:
            return ()
        turn = self._promised.get(span) or self._next_turn()
        self._promised[span] = turn
        return (Ask(span, 1, turn),)

    def _next_turn(self) -> int:
        self._turn += 1
        return self._turn

    def _keep(self, span: Span, reads: list[Read], only_new: Window | None, *, proven: bool) -> Keep:
        """Choose the pages to keep: of a proven reading all, of others those that bring something, latest first."""
        known = set(self._known)
        kept: list[Ask] = []
        brought: dict[bytes, Entry] = {}
        for read in reversed(reads):
            for ask, page in zip(read.asks, read.pages, strict=True):
                new = {entry.key: entry for entry in page.entries if entry.key not in known}
                wanted = any(_within(one, only_new) for one in new.values()) if only_new else (proven or bool(new))
                if wanted:
                    kept.append(ask)
                    self._enough += _REQUESTS_A_PAGE if proven else 0
                    known.update(new)
                    brought |= new
        self._count(span, brought)
        # Only neighbours share an instant: of what was read before, no more than the seam's can be met again.
        self._known = self._known_at_seam.union(*(read.keys for read in reads))
        return Keep(tuple(kept))

    def _count(self, span: Span, new: dict[bytes, Entry]) -> None:
        self._total += len(new)
        self._known_at_seam |= {key for key, entry in new.items() if entry.time is None or entry.time >= self._seam}
        self._alike += len(new) - len({entry.content for entry in new.values()})
        # A vendor that writes whole seconds may seem to answer from up to a second before.
        asked = Window(span.window.start - SECOND, span.until + _TICK)
        self._outside += sum(not _within(entry, asked) for entry in new.values())


def _within(entry: Entry, window: Window) -> bool:
    """Whether the entry may be of `window`; one without a time may always be."""
    return entry.time is None or window.start <= entry.time < window.end


def _merged(windows: list[Window]) -> list[Window]:
    """The same instants in as few windows as possible, in order."""
    merged: list[Window] = []
    for window in sorted(windows):
        if merged and window.start <= merged[-1].end:
            merged[-1] = Window(merged[-1].start, max(merged[-1].end, window.end))
        else:
            merged.append(window)
    return merged
