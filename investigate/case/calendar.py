"""Coverage as a calendar: every hour of a window, by source, with its events and what is known about it.

"Nothing happened" and "never collected" are different states here, as everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

from investigate.errors import UsageError
from investigate.events import Window, parse_time

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl

    from investigate.case.case import Case
    from investigate.events import TimeLike
    from investigate.journal import Gap

State = Literal["future", "events", "empty", "provisional", "partial", "failed", "gap"]
STATES: Final[dict[State, str]] = {
    "future": "still to come",
    "events": "collected",
    "empty": "collected, no events",
    "provisional": "provisional: may still be missing some",
    "partial": "only some kinds of events were collected",
    "failed": "collecting it failed",
    "gap": "never collected",
}
"""State of an hour to its meaning, from best to worst."""
MOST_DAYS: Final = 92
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_SHOWN: Final = timedelta(days=30)
"""Days before the last that are shown where nobody says how many."""
_VENDORS: Final = ("devrev", "coderabbit")
_COUNT: Final = """
    SELECT source, tenant, date_trunc('hour', time) AS hour, count(*) AS events FROM events
    WHERE date >= $first::DATE AND date <= $last::DATE AND time >= $start::TIMESTAMPTZ AND time < $end::TIMESTAMPTZ
    GROUP BY ALL"""


@dataclass(frozen=True)
class Calendar:
    """What is known of a window, hour by hour.

    Attributes:
        window: whole UTC days.
        frame: `source`, `tenant` (string), `hour` (timestamp[us, UTC]), `events` (int64), `state` (string, one of
            `STATES`); every hour of every source once, in order.
        gaps: what the states other than events and empty stand for, by source, tenant and time, as the journal has it.
    """

    window: Window
    frame: pl.DataFrame
    gaps: tuple[Gap, ...]

    @property
    def sources(self) -> list[tuple[str, str]]:
        """Source and tenant of its rows, in order."""
        return [(row[0], row[1]) for row in self.frame.select("source", "tenant").unique(maintain_order=True).rows()]

    def gap_at(self, source: str, tenant: str, hour: datetime) -> Gap | None:
        """The gap that the hour of a source lies in, the worst where there are several; None where it is covered."""
        within = Window(hour, hour + _HOUR)
        found = [
            gap for gap in self.gaps if (gap.source, gap.tenant) == (source, tenant) and gap.window.intersect(within)
        ]
        return max(found, key=lambda gap: list(STATES).index(_state(gap)), default=None)


def calendar(case: Case, start: TimeLike | None = None, end: TimeLike | None = None) -> Calendar:
    """The coverage of a case as a calendar.

    Args:
        case: which.
        start: the first day; see `Window.of`. None: what the case covers, at most the last 31 days of it.
        end: the day after the last, or a time within the last; None is now.

    Raises:
        BadTime: a window that cannot be meant.
        UsageError: more than 92 days.
    """
    window = _days(case, start, end)
    if window.end - window.start > MOST_DAYS * _DAY:
        raise UsageError(f"A calendar shows at most {MOST_DAYS} days.", "Choose a shorter window.")
    sources = _sources(case)
    past = window.intersect(Window(window.start, max(window.start, datetime.now(UTC))))
    gaps = case.journal.gaps(past, sources=sources) if past else []
    return Calendar(window, _frame(case, window, sources, gaps), tuple(gaps))


def _days(case: Case, start: TimeLike | None, end: TimeLike | None) -> Window:
    """The whole days of a window."""
    now = datetime.now(UTC)
    last = now if end is None else parse_time(end, now=now)
    known = case.journal.span()
    default = max(known.start if known else last - _SHOWN, last - _SHOWN)
    first = min(default, last) if start is None else parse_time(start, now=now)
    chosen = Window(first, last)
    day = _midnight(chosen.end)
    return Window(_midnight(chosen.start), day if day == chosen.end > chosen.start else day + _DAY)


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _sources(case: Case) -> list[tuple[str, str]]:
    """The sources that were ever collected; both vendors, unless the case holds nothing but files of others."""
    known = {(one.source, one.tenant) for one in case.journal.intervals()}
    names = {source for source, _ in known}
    others_only = known and not names.intersection(_VENDORS) and not case.journal.requests()
    missing = set() if others_only else set(_VENDORS) - names
    tenants = {"devrev": case.known_tenant("devrev"), "coderabbit": case.config.coderabbit.tenant}
    return sorted(known | {(vendor, tenants[vendor]) for vendor in missing})


def _state(gap: Gap) -> State:
    if gap.state == "never collected":
        return "partial" if gap.note else "gap"
    return gap.state


def _frame(case: Case, window: Window, sources: list[tuple[str, str]], gaps: Iterable[Gap]) -> pl.DataFrame:
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    bounds = {"first": window.start.date(), "last": window.end.date(), "start": window.start, "end": window.end}
    counted = {(row[0], row[1], row[2]): int(row[3]) for row in case.sql(_COUNT, bounds).rows()}
    worst = _worst(window, gaps)
    hours = [window.start + _HOUR * n for n in range(int((window.end - window.start) / _HOUR))]
    now, rows = datetime.now(UTC), []
    for source, tenant in sources:
        for hour in hours:
            events = counted.get((source, tenant, hour), 0)
            covered: State = "events" if events else "future" if hour >= now else "empty"
            state = worst.get((source, tenant, hour), covered)
            rows.append((source, tenant, hour, events, state))
    text = pl.String()
    schema: dict[str, pl.DataType] = {"source": text, "tenant": text, "hour": pl.Datetime("us", "UTC")}
    return pl.DataFrame(rows, schema=schema | {"events": pl.Int64(), "state": text}, orient="row")


def _worst(window: Window, gaps: Iterable[Gap]) -> dict[tuple[str | None, str | None, datetime], State]:
    """Source, tenant and hour to the worst state of any gap that touches it."""
    order = list(STATES)
    found: dict[tuple[str | None, str | None, datetime], State] = {}
    for gap in gaps:
        state = _state(gap)
        at = window.start + _HOUR * int((gap.window.start - window.start) / _HOUR)
        while at < gap.window.end:
            key = (gap.source, gap.tenant, at)
            if key not in found or order.index(found[key]) < order.index(state):
                found[key] = state
            at += _HOUR
    return found
