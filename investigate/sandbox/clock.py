"""Instants as whole microseconds since 1970 UTC, and RFC 3339 texts of them.

Whole numbers, because `datetime` cannot hold every instant an RFC 3339 text can name (year 1 at +23:59, a leap second).
"""

import re
import time
from datetime import UTC, date, datetime, timedelta

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt]([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)(?:\.(\d+))?"
    r"(?:([Zz])|([+-])([01]\d|2[0-3]):([0-5]\d))",
    re.ASCII,
)


def now() -> int:
    """The wall clock, in microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def parse(text: str) -> int:
    """Microseconds since 1970 UTC of an RFC 3339 date and time; finer digits are cut off.

    Raises:
        ValueError: The text is no RFC 3339 date-time, or has no zone.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError("not an RFC 3339 date and time with a zone")
    year, month, day, hour, minute, second, fraction, _, sign, zone_hour, zone_minute = match.groups()
    days = date(int(year), int(month), int(day)).toordinal() - _EPOCH_DAY
    micros = days * DAY + int(hour) * HOUR + int(minute) * MINUTE + int(second) * SECOND
    micros += int(((fraction or "") + "000000")[:6])
    if sign:
        offset = int(zone_hour) * HOUR + int(zone_minute) * MINUTE
        micros -= offset if sign == "+" else -offset
    return micros


def iso(micros: int, timespec: str = "microseconds") -> str:
    """The instant as RFC 3339 in UTC, ending in Z; `timespec` as of `datetime.isoformat`."""
    return as_datetime(micros).isoformat(timespec=timespec).removesuffix("+00:00") + "Z"


def as_datetime(micros: int) -> datetime:
    """The instant as an aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=micros)


def weekday(micros: int) -> int:
    """Day of the week of the instant, UTC, Monday is 0."""
    return (micros // DAY + 3) % 7  # 1970-01-01 was a Thursday
