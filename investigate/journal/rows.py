"""Rows of the journal to dataclasses and back: times as microseconds, filters as canonical JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from investigate.events import Window
from investigate.journal.models import (
    AcquisitionRow,
    Counts,
    CoverageState,
    ExportRequest,
    Filter,
    Interval,
    RequestState,
)

if TYPE_CHECKING:
    import sqlite3

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def to_us(moment: datetime) -> int:
    """Microseconds since 1970, UTC, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def from_us(count: int) -> datetime:
    """The instant so many microseconds after 1970, aware, UTC."""
    return _EPOCH + count * _MICROSECOND


def to_ends(window: Window | None) -> tuple[int | None, int | None]:
    """Start and end of a window in microseconds; two times None for none."""
    return (None, None) if window is None else (to_us(window.start), to_us(window.end))


def to_json(value: Any) -> str:
    """JSON with sorted names."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def filter_json(chosen: Filter) -> str:
    """A filter in the one form it has in the journal: sorted, each value once, without empty fields."""
    return to_json({name: sorted(set(values)) for name, values in chosen.items() if values})


def to_request(row: sqlite3.Row) -> ExportRequest:
    """An export request from its row."""
    fields = dict(row)
    window = _window(fields)
    for name in ("requested_at", "link_expires_at", "collected_at"):
        fields[name] = _moment(fields[name])
    fields |= {"window": window, "filter": json.loads(fields["filter"]), "state": RequestState(fields["state"])}
    return ExportRequest(**fields)


def to_acquisition(row: sqlite3.Row, *, alive: bool) -> AcquisitionRow:
    """An acquisition from its row."""
    fields = dict(row)
    window = _window(fields)
    numbers = [fields.pop(name) for name in ("records", "received", "stored", "duplicate", "rejected")]
    for name in ("started_at", "finished_at"):
        fields[name] = _moment(fields[name])
    for name in ("spec", "filter", "files"):
        fields[name] = json.loads(fields[name])
    fields |= {"window": window, "files": tuple(fields["files"]), "alive": alive}
    return AcquisitionRow(**fields, counts=None if None in numbers else Counts(*numbers))


def to_interval(row: sqlite3.Row) -> Interval:
    """An interval of coverage from its row."""
    fields = dict(row)
    window = Window(from_us(fields.pop("start_us")), from_us(fields.pop("end_us")))
    fields |= {"window": window, "filter": json.loads(fields["filter"]), "state": CoverageState(fields["state"])}
    return Interval(**fields)


def _moment(count: int | None) -> datetime | None:
    return None if count is None else from_us(count)


def _window(fields: dict[str, Any]) -> Window | None:
    start, end = fields.pop("start_us"), fields.pop("end_us")
    return None if start is None else Window(from_us(start), from_us(end))
