"""The canonical event, one Arrow schema for every source, and the half-open UTC window every question has.

Names follow OCSF's API Activity (class 6003) where it has one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from investigate.errors import BadTime

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

ACTIVITIES: Final = ("create", "read", "update", "delete", "other")
ACTOR_TYPES: Final = ("user", "bot", "service", "system", "unknown")
OUTCOMES: Final = ("success", "failure", "unknown")
UNKNOWN: Final = "unknown"

COLUMNS: Final[dict[str, tuple[str, str]]] = {
    "event_uid": ("string", "the vendor's id, else sha256: of the canonical record; unique in source, tenant and day"),
    "time": ("timestamp", "when it happened, UTC, microseconds, never truncated to less"),
    "date": ("date", "UTC day of time; the partition"),
    "source": ("string", "profile name: devrev, coderabbit, cloudtrail …"),
    "tenant": ("string", "workspace, organisation or account"),
    "actor": ("string", "who, as one key: vendor's user id, else e-mail in lower case, else name, else unknown"),
    "actor_name": ("string", "as given"),
    "actor_email": ("string", "as given"),
    "actor_type": ("string", "user, bot, service, system or unknown"),
    "credential": ("string", "id of the token, key or session used"),
    "action": ("string", "the vendor's own word for what was done"),
    "category": ("string", "the vendor's own word for the kind of action"),
    "activity": ("string", "create, read, update, delete or other"),
    "resource": ("string", "what was touched (the first one)"),
    "resource_type": ("string", "its kind, as given"),
    "resource_name": ("string", "its title or name, as given"),
    "resources": ("list", "every resource the event names"),
    "src_ip": ("string", "from where: an IP address, or a service's host name"),
    "user_agent": ("string", "with what"),
    "request_uid": ("string", "the vendor's request id"),
    "outcome": ("string", "success, failure or unknown"),
    "raw": ("string", "the record exactly as the vendor wrote it"),
    "evidence": ("string", "SHA-256 of the evidence file"),
    "evidence_record": ("int", "the record's place in that file, from 0"),
}
"""Column name to (type, meaning), in order; `date` is the partition."""

REJECT_COLUMNS: Final[dict[str, tuple[str, str]]] = {
    "source": ("string", "the profile it was read with"),
    "reason": ("string", "why no event could be made of it"),
    "excerpt": ("string", "its beginning, at most 2,000 characters, undecodable bytes as \\xNN"),
    "evidence": ("string", "SHA-256 of the evidence file"),
    "evidence_record": ("int", "the record's place in that file, from 0"),
    "acquisition": ("string", "id of the acquisition that met it first"),
}


_CODED: Final = {"tenant", "actor", "actor_type", "action", "activity", "outcome", "evidence"}
"""Columns that are worked out for each value, not for each event."""


def event_schema() -> pa.Schema:
    """The canonical event as an Arrow schema; each field's metadata holds its meaning."""
    return _schema(COLUMNS)


def coded_schema() -> pa.Schema:
    """The same with dictionaries for the columns that are worked out value by value: so events are on their way."""
    import pyarrow as pa  # noqa: PLC0415 - see `_schema`

    kind = pa.dictionary(pa.int32(), pa.string())
    fields = _schema(COLUMNS)
    return pa.schema(field.with_type(kind) if field.name in _CODED else field for field in fields)


def reject_schema() -> pa.Schema:
    """A rejected record as an Arrow schema."""
    return _schema(REJECT_COLUMNS)


def _schema(columns: dict[str, tuple[str, str]]) -> pa.Schema:
    import pyarrow as pa  # noqa: PLC0415 - half a second that `import investigate` must not cost

    types = {
        "string": pa.string(),
        "timestamp": pa.timestamp("us", "UTC"),
        "date": pa.date32(),
        "list": pa.list_(pa.field("element", pa.string())),
        "int": pa.int64(),
    }
    return pa.schema([pa.field(name, types[kind], metadata={"doc": doc}) for name, (kind, doc) in columns.items()])


@dataclass(frozen=True, order=True)
class Window:
    """A span of time, half-open: `start <= t < end`, both aware and UTC, microseconds kept."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            object.__setattr__(self, name, _utc(getattr(self, name)))
        if self.end < self.start:
            raise BadTime(
                f"The window ends ({iso(self.end)}) before it starts ({iso(self.start)}).",
                "Swap the two times.",
            )

    @classmethod
    def of(cls, start: TimeLike, end: TimeLike | None = None, *, now: datetime | None = None) -> Window:
        """A window from what people write.

        Args:
            start: an aware datetime, an ISO 8601 string with a zone, a date (midnight UTC), or a
                span back from now such as `"7d"`, `"12h"`, `"30m"`.
            end: the same; a date means the end of that day is not included. None means now.
            now: the present, aware; None reads the clock.

        Raises:
            BadTime: a naive time, no time at all, or an end before the start.
        """
        present = now or datetime.now(UTC)
        return cls(parse_time(start, now=present), present if end is None else parse_time(end, now=present))

    @classmethod
    def from_json(cls, value: Mapping[str, str] | None) -> Window | None:
        """What `as_json` gave; None of None."""
        return cls.of(value["from"], value["to"]) if value else None

    def intersect(self, other: Window) -> Window | None:
        """What both span, or None."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Window(start, end) if start < end else None

    def minus(self, others: list[Window]) -> list[Window]:
        """The parts of this window that none of `others` spans, in order."""
        rest, at = [], self.start
        for other in sorted(others):
            if other.end <= at:
                continue
            if other.start >= self.end:
                break
            if other.start > at:
                rest.append(Window(at, other.start))
            at = max(at, other.end)
        if at < self.end:
            rest.append(Window(at, self.end))
        return rest

    def as_json(self) -> dict[str, str]:
        """`{"from": …, "to": …}`, ISO 8601 with Z."""
        return {"from": iso(self.start), "to": iso(self.end)}

    def __str__(self) -> str:
        return f"{iso(self.start)} .. {iso(self.end)}"


TimeLike = datetime | date | str

_SPAN = re.compile(r"(\d{1,6})\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_time(value: TimeLike, *, now: datetime | None = None) -> datetime:
    """One instant, aware, UTC.

    Args:
        value: an aware datetime, an ISO 8601 string with a zone, a date or `YYYY-MM-DD` (midnight UTC),
            `"now"`, or a span back from now such as `"7d"`.
        now: the present, aware; None reads the clock.

    Raises:
        BadTime: a naive time, or no time at all.
    """
    if isinstance(value, datetime):
        return _utc(value)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    text = value.strip()
    present = now or datetime.now(UTC)
    if text.lower() == "now":
        return present.astimezone(UTC)
    try:
        if span := _SPAN.fullmatch(text.lower()):
            return present.astimezone(UTC) - timedelta(**{_UNITS[span[2]]: int(span[1])})
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
        return _utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError) as error:
        raise BadTime(f"Not a time: {text[:80]!r}.", _TIME_HINT) from error


_TIME_HINT = 'Write a date (2026-11-03), a time with its zone (2026-11-03T14:00:00Z) or a span back from now ("7d").'


def just_after(moment: datetime) -> datetime:
    """The first instant after one, which ends a window that holds it; the last there is has none after it."""
    try:
        return moment + timedelta(microseconds=1)
    except OverflowError:
        return moment


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None or value.utcoffset() is None:
        raise BadTime(f"The time {value.isoformat()} has no zone.", "Add one, for example " + value.isoformat() + "Z.")
    return value.astimezone(UTC)


def iso(value: datetime) -> str:
    """ISO 8601, UTC, with Z; microseconds only where there are any."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
