"""The window of a form: what is typed, what was assumed, and the same instants in another zone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import investigate
from investigate.events import Window
from investigate.widgets.collect import Collect
from investigate.widgets.collect_window import WindowEntry

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "<img src=x onerror=alert(1)> \x1b[31mred"


def test_a_window_is_shown_in_utc_and_in_the_chosen_zone_and_what_was_assumed_is_said() -> None:
    entry = WindowEntry("Europe/Berlin")
    entry.start.value, entry.end.value = "Nov 1, 2026 2:00 PM", "2026-11-02T00:00:00Z"
    said = "it names no zone and was taken as Europe/Berlin"
    assert entry.notice.texts() == [
        f"From 2026-11-01 13:00:00 UTC = 2026-11-01 14:00:00+01:00 Europe/Berlin; {said}",
        "To 2026-11-02 00:00:00 UTC = 2026-11-02 01:00:00+01:00 Europe/Berlin",
        "11 h long.",
    ]
    assert entry.read() == Window.of("2026-11-01T13:00:00Z", "2026-11-02T00:00:00Z")


def test_another_zone_moves_what_named_none_and_a_quick_choice_fills_both() -> None:
    entry = WindowEntry("UTC")
    entry.start.value = "2026-11-01"
    entry.zone.value = "America/New_York"
    assert entry.notice.texts()[0].startswith("From 2026-11-01 04:00:00 UTC = 2026-11-01 00:00:00-04:00")
    entry.quick.value = "7d"
    assert (entry.start.value, entry.end.value) == ("7d", "")
    assert entry.notice.texts()[-1] == "7 d long."


@pytest.mark.parametrize(("start", "said"), [("03/04/2026", "may be a day and a month"), (HOSTILE, "Not a time")])
def test_what_is_no_time_is_said_while_it_is_typed(start: str, said: str) -> None:
    entry = WindowEntry()
    entry.start.value = start
    assert said in entry.notice.texts()[0]
    assert entry.notice.lines[0][0] == "bad"
    assert "\x1b" not in repr(entry)
    assert "<img" not in entry._repr_mimebundle_()["text/html"]


def test_a_window_that_reaches_into_the_last_minutes_is_warned_of(tmp_path: Path) -> None:
    form = Collect(investigate.open(tmp_path / "case")).export
    form.window.quick.value = "24h"
    (warning,) = [line for kind, line in form.window.notice.lines if kind == "warn"]
    assert warning.startswith("The window reaches into DevRev's ingestion delay of 15 min")
