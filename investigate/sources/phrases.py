"""Times, spans and commands as they stand in messages."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from investigate.events import iso

if TYPE_CHECKING:
    from investigate.events import Window

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def moment(value: datetime) -> str:
    """`2026-11-03 18:04 UTC`, from an aware UTC time."""
    return f"{value:%Y-%m-%d %H:%M} UTC"


def span(value: timedelta) -> str:
    """`2 h 11 min`: the two largest units, rounded down; a negative span counts as none."""
    seconds = max(0, int(value.total_seconds()))
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min"
    if seconds < _DAY:
        return _pair(seconds // _HOUR, "h", seconds % _HOUR // _MINUTE, "min")
    return _pair(seconds // _DAY, "d", seconds % _DAY // _HOUR, "h")


def _pair(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large} {large_unit} {small} {small_unit}" if small else f"{large} {large_unit}"


def devrev_request(window: Window | None) -> str:
    """The command that asks DevRev for an export of `window`; with gaps to fill in where it is not known."""
    if window is None:
        return "investigate devrev request --from … --to …"
    return f"investigate devrev request --from {_short(window.start)} --to {_short(window.end)}"


def _short(value: datetime) -> str:
    return f"{value:%Y-%m-%d}" if value.time() == time() else iso(value)
