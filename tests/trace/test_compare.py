"""Two windows held against each other, on all engines and in plain Python."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from typing import TYPE_CHECKING

from investigate.events import Window
from investigate.trace import Directory, Scope
from investigate.trace.compare import changes, done
from investigate.trace.rows import of_events

from .lakes import (
    START,
    directories,
    event,
    exploded,
    extent,
    few,
    grouped,
    inside,
    lakes,
    on_every_engine,
    reading,
    same,
    windows,
)

if TYPE_CHECKING:
    import polars as pl

    from .lakes import Event

DAY = timedelta(days=1)
NOBODY = Directory()


def ask(
    engine: str,
    events: list[Event],
    window: Window,
    baseline: Window,
    factor: float = 2.0,
    directory: Directory = NOBODY,
) -> pl.DataFrame:
    with reading(engine, events) as (frame, collect):
        spans = (of_events(frame, Scope(one), sharing=False) for one in (window, baseline))
        found, held = collect(*map(done, spans))
    return changes(found, held, directory, window, baseline, factor)


@on_every_engine(lake=lakes, window=windows, baseline=windows, factor=few([1.5, 2.0, 3.0]), directory=directories)
def test_changes_on_every_engine(
    engine: str, lake: list[Event], window: Window, baseline: Window, factor: float, directory: Directory
) -> None:
    rows = [one for one in exploded(lake) if inside(window, one) or inside(baseline, one)]
    expected = []
    for face, members, (resource, action) in grouped(directory, rows, "resource", "action"):
        now = sum(inside(window, one) for one in members)
        then = sum(inside(baseline, one) for one in members)
        rate, held = (Fraction(n) / _seconds(w) for n, w in ((now, window), (then, baseline)))
        changed = rate >= held * Fraction(factor) or held >= rate * Fraction(factor)
        change = "new" if not then else "gone" if not now else "changed" if changed else None
        if change:
            times = extent(members) | {"events": now, "baseline_events": then}
            expected.append(face | {"change": change, "resource": resource, "action": action} | times)
    rated = ask(engine, lake, window, baseline, factor, directory)
    assert same(rated.drop("per_day", "baseline_per_day"), expected)


def test_new_gone_changed_and_what_stayed_as_it_was() -> None:
    window, baseline = Window(START, START + DAY), Window(START - 2 * DAY, START)
    counts = {"new": (0, 1), "gone": (3, 0), "same": (4, 2), "more": (2, 2), "less": (8, 2)}
    events: list[Event] = []
    for name, (then, now) in counts.items():
        for time in [START - DAY] * then + [START] * now:
            events.append(event(len(events), time=time, resources=[name], action="get"))
    found = ask("duckdb", events, window, baseline)
    assert found.select("change", "resource", "per_day", "baseline_per_day").rows() == [
        ("new", "new", 1.0, 0.0),
        ("gone", "gone", 0.0, 1.5),
        ("changed", "less", 2.0, 4.0),
        ("changed", "more", 2.0, 1.0),
    ]


def _seconds(window: Window) -> Fraction:
    return Fraction((window.end - window.start) // timedelta(microseconds=1), 10**6)
