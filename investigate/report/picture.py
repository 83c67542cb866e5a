"""Pictures as SVG, drawn here so that nothing has to be installed or fetched: a timeline, and a strip of coverage.

Each says in words what it shows; the numbers behind it stand in a table beside it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from investigate.report.markup import join, tag
from investigate.report.model import Picture, Sheet, sheet
from investigate.report.text import clock, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from investigate.events import Window
    from investigate.report.markup import Markup
    from investigate.report.model import Known

_WIDTH: Final = 960
_LEFT: Final = 200
_RIGHT: Final = 12
_PLOT: Final = _WIDTH - _LEFT - _RIGHT
_BARS: Final = 110
_TOP: Final = 14
_LANE: Final = 20
_AXIS: Final = 26
_TICKS: Final = 5
_NAME: Final = 26
_SOURCES: Final = 30
"""So many sources are drawn; the table beside the picture has the gaps of all."""
_FAINTEST: Final = 0.25
_SLIVER: Final = 2.0
_UNITS: Final = tuple(
    [timedelta(seconds=s) for s in (1, 5, 15, 30)]
    + [timedelta(minutes=m) for m in (1, 5, 15, 30)]
    + [timedelta(hours=h) for h in (1, 2, 3, 6, 12)]
    + [timedelta(days=d) for d in (1, 2, 7, 14, 30, 90, 180, 365, 3650)]
)
_EPOCH: Final = datetime(2000, 1, 3, tzinfo=UTC)
"""A Monday: steps of a week begin on one."""


def definitions() -> Markup:
    """What the pictures of a page share; stands once, before the first."""
    stripe = tag("path", d="M0 8L8 0M-2 2L2 -2M6 10L10 6", class_="stripe")
    pattern = tag("pattern", stripe, id="uncollected", width="8", height="8", patternUnits="userSpaceOnUse")
    return tag("svg", tag("defs", pattern), width="0", height="0", aria_hidden="true", class_="definitions")


def timeline(picture: Picture) -> Markup:
    """Events over time, in all and by identity; hatched where nobody collected."""
    scale = _Scale(picture.window)
    bottom = _TOP + _BARS
    floor = bottom + 8 + _LANE * len(picture.lanes)
    highest = max(picture.counts.values(), default=0)
    parts = [_hatched(scale, gap, _TOP, floor - _TOP) for gap in picture.gaps]
    parts += [_bar(picture, number, count, highest) for number, count in sorted(picture.counts.items())]
    parts.append(tag("text", f"{highest:,}", x=_LEFT - 8, y=_TOP + 10, class_="end"))
    parts.append(tag("text", "events", x=_LEFT - 8, y=bottom, class_="end"))
    most = max((count for lane in picture.lanes for count in lane.counts.values()), default=1)
    for at, lane in enumerate(picture.lanes):
        y = bottom + 8 + at * _LANE
        parts.append(tag("text", _short(lane.name), x=_LEFT - 8, y=y + _LANE - 6, class_="end"))
        parts.append(tag("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y + _LANE - 1, y2=y + _LANE - 1, class_="rule"))
        parts += [
            _cell(picture, number, y, f"{lane.name}: {count:,}", (count / most) ** 0.5)
            for number, count in sorted(lane.counts.items())
        ]
    parts.append(_axis(scale, bottom, floor))
    return _svg(said(picture), floor + _AXIS, parts)


def said(picture: Picture) -> str:
    """A timeline in words."""
    total = sum(picture.counts.values())
    if not total:
        return f"No event from {_second(picture.window.start)} to {_second(picture.window.end)}."
    peak, most = max(picture.counts.items(), key=lambda item: (item[1], -item[0]))
    rest = f", and {picture.others:,} more" if picture.others else ""
    names = ", ".join(lane.name for lane in picture.lanes)
    start = picture.window.start + peak * _step(picture)
    holes = f" {len(picture.gaps):,} spans were not, or not surely, collected." if picture.gaps else ""
    busiest = f"; most, {most:,}, from {_second(start)} on" if most > 1 else ""
    span = f"from {_second(picture.window.start)} to {_second(picture.window.end)}"
    return f"{total:,} event{'' if total == 1 else 's'} {span}, by {names}{rest}{busiest}.{holes}"


def behind(picture: Picture) -> Sheet:
    """The numbers behind a timeline: a row for each bucket that has an event."""
    step = _step(picture)
    names = [lane.name for lane in picture.lanes]
    rows = [
        (picture.window.start + number * step, count, *(lane.counts.get(number, 0) for lane in picture.lanes))
        for number, count in sorted(picture.counts.items())
    ]
    return sheet(
        ["from", "events", *names], rows, caption=f"Events in parts of {_span(step)}; parts without are left out"
    )


def coverage(known: Known) -> Markup:
    """What was collected of the window, a bar a source; hatched where it was not, or not surely."""
    scale = _Scale(known.window)
    parts = []
    drawn = known.sources[:_SOURCES]
    for at, source in enumerate(drawn):
        y = _TOP + at * (_LANE + 6)
        parts.append(tag("text", _short(source), x=_LEFT - 8, y=y + _LANE - 5, class_="end"))
        parts.append(tag("rect", x=_LEFT, y=y, width=_PLOT, height=_LANE, class_="covered"))
        for hole in known.holes:
            if hole.source in {source, ""}:
                box = _place(scale, hole.window)
                parts.append(tag("rect", y=y, height=_LANE, class_="hole", **box))
                parts.append(tag("rect", y=y, height=_LANE, fill="url(#uncollected)", **box))
        parts += [tag("rect", y=y, height=_LANE, class_="covered", **box) for box in _slivers(scale, known, source)]
    floor = _TOP + len(drawn) * (_LANE + 6)
    parts.append(_axis(scale, _TOP, floor))
    missing = len(known.holes)
    words = "complete for every source" if known.complete else f"{missing:,} spans missing or not sure"
    more = f", of which the first {len(drawn)} are drawn" if len(drawn) < len(known.sources) else ""
    return _svg(f"Coverage of {len(known.sources):,} sources{more}: {words}.", floor + _AXIS, parts)


def _slivers(scale: _Scale, known: Known, source: str) -> list[dict[str, float]]:
    """Where a source was collected for so short a time that nobody would see it between what was not."""
    found, at = [], scale.window.start
    holes = sorted((hole.window for hole in known.holes if hole.source in {source, ""}), key=lambda span: span.start)
    for start, end in [*((hole.start, hole.end) for hole in holes), (scale.window.end,) * 2]:
        if at < start and scale.x(start) - scale.x(at) < _SLIVER:
            found.append({"x": min(scale.x(at), _WIDTH - _RIGHT - _SLIVER), "width": _SLIVER})
        at = max(at, end)
    return found


class _Scale:
    """From times to the picture's units."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.length = max(window.end - window.start, timedelta(microseconds=1))

    def x(self, time: datetime) -> float:
        return round(_LEFT + _PLOT * ((time - self.window.start) / self.length), 2)

    def ticks(self) -> list[datetime]:
        unit = next((unit for unit in _UNITS if self.length / unit <= _TICKS), _UNITS[-1])
        first = _EPOCH + -((_EPOCH - self.window.start) // unit) * unit
        many = (self.window.end - first) // unit  # counted first: no time lies beyond the year 9999
        return [first + number * unit for number in range(max(many, -1) + 1)]


def _axis(scale: _Scale, top: int, floor: int) -> Markup:
    parts = [tag("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=floor, y2=floor, class_="axis")]
    ticks = scale.ticks()
    daily = all(time.hour == time.minute == time.second == 0 for time in ticks)
    fine = any(time.second for time in ticks)
    form = "%Y-%m-%d" if daily else "%d %b %H:%M:%S" if fine else "%d %b %H:%M"
    for time in ticks:
        x = scale.x(time)
        anchor = "start" if x < _LEFT + 30 else "end" if x > _WIDTH - _RIGHT - 30 else "middle"
        parts.append(tag("line", x1=x, x2=x, y1=top, y2=floor + 4, class_="rule"))
        parts.append(tag("text", f"{time:{form}}", x=x, y=floor + 18, text_anchor=anchor))
    return join(*parts)


def _bar(picture: Picture, number: int, count: int, highest: int) -> Markup:
    height = max(1.5, _BARS * count / highest)
    label = tag("title", f"{clock(picture.window.start + number * _step(picture))}: {count:,}")
    box = _bucket(picture, number)
    return tag("rect", label, y=round(_TOP + _BARS - height, 2), height=round(height, 2), class_="bar", **box)


def _cell(picture: Picture, number: int, y: int, label: str, strength: float) -> Markup:
    opacity = round(_FAINTEST + (1 - _FAINTEST) * strength, 2)
    box = _bucket(picture, number)
    return tag("rect", tag("title", label), y=y + 2, height=_LANE - 5, class_="bar", fill_opacity=opacity, **box)


def _bucket(picture: Picture, number: int) -> dict[str, float]:
    width = _PLOT / picture.buckets
    return {"x": round(_LEFT + number * width, 2), "width": round(max(1.0, width - 0.6), 2)}


def _hatched(scale: _Scale, gap: Window, y: int, height: int) -> Markup:
    return tag("rect", y=y, height=height, fill="url(#uncollected)", **_place(scale, gap))


def _place(scale: _Scale, span: Window) -> dict[str, float]:
    start, end = max(span.start, scale.window.start), min(span.end, scale.window.end)
    x = scale.x(start)
    return {"x": x, "width": max(1.0, round(scale.x(end) - x, 2))}


def _svg(words: str, height: int, parts: Sequence[Markup]) -> Markup:
    box = f"0 0 {_WIDTH} {height}"
    return tag("svg", tag("title", words), *parts, viewBox=box, role="img", class_="picture")


def _second(time: datetime) -> str:
    """A time of the picture's own in words; those of events stand whole in the tables."""
    return clock(time.replace(microsecond=0))


def _step(picture: Picture) -> timedelta:
    return (picture.window.end - picture.window.start) / picture.buckets


def _span(step: timedelta) -> str:
    seconds = step.total_seconds()
    for size, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {name}"
    return f"{seconds:.3g} seconds"


def _short(name: str) -> str:
    seen = visible(name)
    return seen if len(seen) <= _NAME else f"{seen[:12]}…{seen[-12:]}"
