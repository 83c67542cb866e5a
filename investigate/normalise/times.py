"""Times that the compiled query leaves over: leap seconds, odd separators, mail dates, exponents."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from email.utils import parsedate_to_datetime
from typing import Final
from zoneinfo import ZoneInfo

_LEAP = re.compile(r"(.*[T ]\d\d:\d\d):60(?!\d)(.*)")
_FRACTION = re.compile(r"([.,])(\d+)")
_OF_NO_PLACE = re.compile(r"\s-0000(?:\s|$)")
"""By RFC 5322, 3.3: the time is UTC, and nothing is said of where the clock stands."""
EPOCH_SCALES: Final = ((10**11, 1_000_000), (10**14, 1_000), (10**17, 1))
"""(below, microseconds in one): seconds, milliseconds, microseconds; anything above is nanoseconds."""

_TOO_SMALL: Final = 10**8


def read_time(text: str, zone: str = "UTC") -> datetime | str:
    """The instant a log means by `text`, aware, UTC; else the reason why it is none.

    A time without a zone that its clock shows twice, in the hour before summer time ends, is the later of the two; one
    that it skips, in the hour in which summer time begins, is read as if it had not begun: 02:30 is 03:30 of summer
    time. The compiled query reads both alike.

    A leap second is the first of the next minute, its fraction kept, as POSIX time has it.

    Args:
        text: as the log has it.
        zone: IANA name, for times written without a zone.
    """
    text = text.strip()
    if len(text) > 64:  # noqa: PLR2004 - the longest form in use has half of that
        return f"unusable time: {text[:40]!r}…"
    try:
        found = _number(text) or _iso(text, zone) or _mail_date(text)
    except (OverflowError, OSError):
        return f"time outside the years 1 to 9999: {text!r}"
    except ValueError:
        year = re.match(r"([+-]?\d{4,})-\d\d-\d\d", text)
        if year and not 1 <= int(year[1]) <= 9999:  # noqa: PLR2004
            return f"time outside the years 1 to 9999: {text!r}"
        return f"unusable time: {text!r}"
    return found


def _number(text: str) -> datetime | None:
    if not re.fullmatch(r"[+-]?\d+(\.\d*)?([eE][+-]?\d{1,3})?", text):
        return None
    value = Decimal(text)
    if abs(value) < _TOO_SMALL:
        raise ValueError(text)
    factor = next((Decimal(micros) for below, micros in EPOCH_SCALES if value < below), Decimal("0.001"))
    micros = (value * factor).to_integral_value(ROUND_FLOOR)
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(micros))


def _iso(text: str, zone: str) -> datetime | None:
    if not re.match(r"\d{4}-?\d\d-?\d\d", text):
        return None
    leap = _LEAP.fullmatch(text)
    plain = f"{leap[1]}:59{leap[2]}" if leap else text
    plain = _FRACTION.sub(lambda found: "." + (found[2] + "000000")[:6], plain, count=1)
    plain = re.sub(r"\s*(?:UTC|GMT)$", "Z", plain)
    plain = re.sub(r"\s+(?=[+-]\d\d)", "", plain)
    parsed = datetime.fromisoformat(plain)
    if parsed.tzinfo is None:
        told = parsed.replace(tzinfo=ZoneInfo(zone))
        parsed = max(told.astimezone(UTC), told.replace(fold=1).astimezone(UTC))
    return parsed.astimezone(UTC) + (timedelta(seconds=1) if leap else timedelta())


def _mail_date(text: str) -> datetime:
    parsed = parsedate_to_datetime(text)
    if parsed.tzinfo is None:
        if not _OF_NO_PLACE.search(text):
            raise ValueError(text)
        parsed = parsed.replace(tzinfo=UTC)
    return parsed.astimezone(UTC)
