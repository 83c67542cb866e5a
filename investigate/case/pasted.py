"""Times as people paste them, from logs, mails and tickets: read tolerantly, never guessed silently.

A time without a zone is taken in the zone its reader has chosen, and the answer says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from investigate.errors import BadTime
from investigate.events import Window, parse_time

_HINT: Final = (
    "Write a date (2026-11-03), a time (2026-11-03 14:00, or with its zone 2026-11-03T14:00:00+01:00), seconds since "
    '1970, or a span back from now ("7d").'
)
_LONGEST: Final = 100
_AROUND: Final = " \t\r\n\u00a0\"'`[]()<>,;"
_EPOCH: Final = re.compile(r"(\d{9,11})(\.\d{1,9})?|\d{12,14}|\d{15,17}|\d{18,20}")
_SPAN: Final = re.compile(r"now|\d{1,6}\s*[smhdw]", re.IGNORECASE)
_OFFSET: Final = re.compile(
    r"(.*?\d)\s*(?:UTC|GMT)?([+-])(\d\d)(?::?(\d\d))?(?:\s*\([^)]*\)?)?$", re.IGNORECASE | re.DOTALL
)
_UTC: Final = re.compile(r"(.*(?:\d|[ap]m))\s*(?:Z|UTC|GMT)$", re.IGNORECASE | re.DOTALL)
_NAMED: Final = re.compile(r"(.*(?:\d|[ap]m))\s+\(?([A-Za-z_]+(?:/[A-Za-z_+-]+){1,2})\)?$", re.IGNORECASE | re.DOTALL)
_LETTERS: Final = re.compile(r".*(?:\d|[ap]m)\s+([A-Za-z]{2,5})$", re.IGNORECASE | re.DOTALL)
_WEEKDAY: Final = re.compile(r"^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*[.,]?\s+", re.IGNORECASE)
_ORDER: Final = re.compile(r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b.*", re.DOTALL)
_FRACTION: Final = re.compile(r"(:\d\d)[.,](\d{1,9})")
_DAYS: Final = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d %b %Y", "%d %B %Y", "%b %d %Y", "%B %d %Y", "%d/%b/%Y")
_CLOCKS: Final = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", " %I %p")


@dataclass(frozen=True)
class Pasted:
    """One instant out of a text.

    Attributes:
        time: UTC, microseconds kept.
        assumed: the zone it was taken in because it names none; empty where it does.
    """

    time: datetime
    assumed: str = ""


def zone_of(name: str) -> tzinfo:
    """The time zone of that name, such as `Europe/Berlin`.

    Raises:
        BadTime: there is none.
    """
    if name.strip().upper() in {"", "UTC", "Z", "GMT"}:
        return UTC
    try:
        return ZoneInfo(name.strip())
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadTime(
            f"There is no time zone {name.strip()[:40]!r}.", "Write one such as Europe/Berlin or UTC."
        ) from error


def read_time(text: str, zone: str = "UTC", *, now: datetime | None = None) -> Pasted:
    """The instant a text means.

    Read are: ISO 8601; `2026-11-03 14:00` with a slash, a dot or a T anywhere; `3 Nov 2026 14:00`, `Nov 3, 2026
    2:00 PM`; mail and web server dates; seconds, milli-, micro- and nanoseconds since 1970; `now`, `7d`. With `Z`,
    `UTC`, an offset or a name such as `Europe/Berlin` after it, or without.

    Args:
        text: as pasted; quotes and brackets around it do not matter.
        zone: name of the zone for a time that has none.
        now: the present, aware; None reads the clock.

    Raises:
        BadTime: no time; one that may be two (`03/04/2026`, the hour a clock is set back, `CST`); one that no clock
            in its zone ever showed.
    """
    plain = " ".join(text.strip(_AROUND).split())
    if not plain or len(plain) > _LONGEST:
        raise BadTime("There is no time." if not plain else f"Not a time: {plain[:40]!r}….", _HINT)
    if _SPAN.fullmatch(plain):
        return Pasted(parse_time(plain, now=now))
    if _EPOCH.fullmatch(plain):
        return Pasted(_since_1970(plain))
    body, named = _split(plain)
    local = _local(body, text)
    if named is not None:
        return Pasted(_placed(local, named, plain))
    chosen = zone_of(zone)
    return Pasted(_placed(local, chosen, plain), assumed=zone.strip() or "UTC")


def read_window(
    start: str, end: str, zone: str = "UTC", *, now: datetime | None = None
) -> tuple[Window, Pasted, Pasted]:
    """The window between two texts, and how each was read.

    Args:
        start: see `read_time`.
        end: the same; empty is now.
        zone: name of the zone for times that have none.
        now: the present, aware; None reads the clock.

    Raises:
        BadTime: see `read_time`; the window ends before it starts, or is empty.
    """
    present = now or datetime.now(UTC)
    first, last = read_time(start, zone, now=present), read_time(end or "now", zone, now=present)
    if first.time == last.time:
        raise BadTime("The window is empty.", "Let it end after it starts.")
    return Window(first.time, last.time), first, last


def in_zone(moment: datetime, zone: str) -> str:
    """`2026-11-03 15:00:00+01:00 Europe/Berlin`; microseconds only where there are any."""
    local = moment.astimezone(zone_of(zone))
    shown = local.isoformat(sep=" ", timespec="auto")
    return f"{shown[:-6]} UTC" if local.tzinfo is UTC else f"{shown} {zone.strip()}"


def _since_1970(plain: str) -> datetime:
    whole, _, fraction = plain.partition(".")
    digits = len(whole)
    scale = 0 if digits <= 11 else 3 if digits <= 14 else 6 if digits <= 17 else 9  # noqa: PLR2004 - years 1973 to 5138
    nanoseconds = int(whole) * 10 ** (9 - scale) + int((fraction or "0").ljust(9, "0"))
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=nanoseconds // 1000)


def _split(plain: str) -> tuple[str, tzinfo | None]:
    """A text without its zone, and the zone, None where it names none."""
    if found := _UTC.fullmatch(plain):
        return found[1], UTC
    if _is_clock(plain) and (found := _OFFSET.fullmatch(plain)):
        offset = timedelta(hours=int(found[3]), minutes=int(found[4] or 0))
        if offset < timedelta(hours=24):
            return found[1], timezone(-offset if found[2] == "-" else offset)
    if found := _NAMED.fullmatch(plain):
        return found[1], zone_of(found[2])
    found = _LETTERS.fullmatch(plain)
    if found and found[1].lower() not in {"am", "pm"}:
        raise BadTime(
            f"{found[1]} may be several time zones.", "Write the offset, for example +01:00, or a name: Europe/Berlin."
        )
    return plain, None


def _is_clock(plain: str) -> bool:
    """Whether there is a time of day, so that what follows a sign is an offset and not a day of the month."""
    return ":" in plain or re.search(r"\d[T ]\d{4,6}[+-]", plain) is not None


def _local(body: str, text: str) -> datetime:
    """Date and time of day as written, without a zone."""
    try:
        return datetime.fromisoformat(body.replace("/", "-") if re.match(r"\d{4}/\d\d/\d\d", body) else body)
    except ValueError:
        pass
    if _ORDER.fullmatch(body):
        raise BadTime(
            f"{body[:20]!r} may be a day and a month, or a month and a day.", "Write the year first: 2026-11-03."
        )
    found = _FRACTION.search(body)
    micros = int(found[2].ljust(6, "0")[:6]) if found else 0
    words = _WEEKDAY.sub("", _FRACTION.sub(r"\1", body)).replace(",", " ").replace(" at ", " ")
    words = re.sub(r"(\d{4})[:T](\d\d:)", r"\1 \2", " ".join(words.split()))
    for form in (day + clock for day in _DAYS for clock in _CLOCKS):
        try:
            return datetime.strptime(words, form).replace(microsecond=micros)  # noqa: DTZ007 - the zone is the caller's
        except ValueError:
            continue
    raise BadTime(f"Not a time: {text.strip()[:40]!r}.", _HINT)


def _placed(local: datetime, zone: tzinfo, plain: str) -> datetime:
    """The instant a clock in `zone` shows `local`."""
    if local.tzinfo is not None:
        return local.astimezone(UTC)
    early, late = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    try:
        back = early.astimezone(UTC).astimezone(zone).replace(tzinfo=None)
        if back != local:
            raise BadTime(
                f"No clock in {zone} showed {plain}: it was set forward.", "Add the offset, for example +01:00."
            )
        if early.utcoffset() != late.utcoffset():
            raise BadTime(
                f"Clocks in {zone} showed {plain} twice: they were set back.", "Add the offset, for example +01:00."
            )
        return early.astimezone(UTC)
    except OverflowError as error:
        raise BadTime(f"Not a time: {plain!r}.", _HINT) from error
