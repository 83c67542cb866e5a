"""Which parts of a window were not collected: pure arithmetic on intervals."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

from investigate.events import Window
from investigate.journal.models import CoverageState, Filter, Gap, Interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

Source = tuple[str, str]
"""Source and tenant."""
_Mark = tuple[CoverageState, str]
"""What an interval says of a span: its state, and the filter that keeps it from answering (empty: it answers)."""
_Verdict = tuple[Literal["never collected", "provisional", "failed"], str]


def gaps(window: Window, intervals: Iterable[Interval], sources: Iterable[Source], question: Filter) -> list[Gap]:
    """What of `window` the intervals do not surely cover.

    Args:
        window: the time asked about.
        intervals: what was acquired or tried.
        sources: the sources and tenants that should cover it; none: one gap without a source.
        question: what the question is narrowed to; empty: nothing.

    Returns:
        Gaps by source, tenant and time; those that touch and say the same are one.
    """
    if window.start == window.end:
        return []
    wanted = sorted(set(sources))
    if not wanted:
        return [Gap(None, None, window, "never collected", "")]
    by_source: dict[Source, list[Interval]] = {source: [] for source in wanted}
    for interval in intervals:
        by_source.get((interval.source, interval.tenant), []).append(interval)
    return [
        Gap(source, tenant, Window(start, end), *verdict)
        for (source, tenant), own in by_source.items()
        for start, end, verdict in _merged(_spans(window, own, question))
    ]


def answers(acquired: Filter, question: Filter) -> bool:
    """Whether all that the question can find was in an acquisition narrowed to `acquired`."""
    return all(question.get(name) and set(question[name]) <= set(values) for name, values in acquired.items() if values)


def describe(chosen: Filter) -> str:
    """A filter in words: `operation_types=read,list category=issue`."""
    return " ".join(f"{name}={','.join(sorted(set(values)))}" for name, values in sorted(chosen.items()) if values)


def _spans(
    window: Window, intervals: list[Interval], question: Filter
) -> Iterator[tuple[datetime, datetime, _Verdict | None]]:
    """The window in spans between which nothing begins or ends, each with what is wrong with it (None: nothing)."""
    turns: dict[datetime, list[tuple[_Mark, int]]] = {window.start: []}
    for interval in intervals:
        span = window.intersect(interval.window)
        if span is None:
            continue
        mark = (interval.state, "" if answers(interval.filter, question) else describe(interval.filter))
        turns.setdefault(span.start, []).append((mark, 1))
        turns.setdefault(span.end, []).append((mark, -1))
    times = sorted(turns)
    under_way: Counter[_Mark] = Counter()
    for start, end in zip(times, [*times[1:], window.end], strict=True):
        for mark, change in turns[start]:
            under_way[mark] += change
        yield start, end, _verdict(+under_way)


def _verdict(marks: Iterable[_Mark]) -> _Verdict | None:
    states = {state for state, beside in marks if not beside}
    if CoverageState.complete in states:
        return None
    if CoverageState.provisional in states:
        return "provisional", ""
    if CoverageState.failed in states:
        return "failed", ""
    others = sorted({beside for state, beside in marks if state != CoverageState.failed})
    return "never collected", f"only {' and '.join(others)} was collected" if others else ""


def _merged(
    spans: Iterable[tuple[datetime, datetime, _Verdict | None]],
) -> Iterator[tuple[datetime, datetime, _Verdict]]:
    held: tuple[datetime, datetime, _Verdict] | None = None
    for start, end, verdict in spans:
        if held and held[1] == start and held[2] == verdict:
            held = held[0], end, held[2]
            continue
        if held:
            yield held
        held = (start, end, verdict) if verdict and start < end else None
    if held:
        yield held
