"""Charts: short names that tell apart, and a script that asks nobody for anything."""

from __future__ import annotations

from investigate.widgets import vega
from investigate.widgets.chart import labels


def test_short_names_are_one_for_each() -> None:
    ids = [f"don:core:dvrv-us-1:devo/1:ticket/{number}" for number in (1, 2)]
    more = ["don:core:dvrv-us-2:devo/1:ticket/1", "2001:db8::1", "x" * 99, "y" + "x" * 99, "\u202e"]
    assert list(labels([*ids, *more]).values()) == [
        *("ticket/1", "ticket/2", "ticket/1 (2)", "2001:db8::1", "…" + "x" * 35, "…" + "x" * 35 + " (2)", "\\u202e")
    ]


def test_the_offline_vega_loads_nothing() -> None:
    script = vega.script().decode()
    assert "embed" in script[-500:]
    assert not [line for line in script.splitlines() if line.startswith("import ") and "http" in line]
