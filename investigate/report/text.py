"""What a log says, as text that acts on nobody: escapes for people, no formula for a spreadsheet, plain JSON."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from investigate.events import iso

CELL: Final = 300
"""The longest text a cell for people shows."""
LIST_SEPARATOR: Final = "; "
"""Between the values of a list in a cell of CSV."""
_LISTED: Final = 6
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a cell of a spreadsheet may begin with to be a formula, also in full width."""
_SURROGATES: Final = dict.fromkeys(range(0xD800, 0xE000), "\ufffd")


def visible(text: str, limit: int | None = None) -> str:
    """`text` with everything that a reader or a terminal would obey instead of show written out as an escape.

    Args:
        text: anything.
        limit: the most characters; a cut is marked, with how many there are in all.
    """
    cut = text if limit is None or len(text) <= limit else text[:limit]
    written = _without_hidden(cut)
    return written if cut is text else f"{written}… ({len(text):,} characters)"


def _without_hidden(text: str, keep: str = "") -> str:
    """A text with its hidden characters, but those to keep, as escapes; as fast for a megabyte as for a word."""
    if text.isprintable():
        return text
    hidden = (c for c in set(text) if unicodedata.category(c) in _HIDDEN and c not in keep)
    return text.translate({ord(c): _escaped(c) for c in hidden})


def _escaped(character: str) -> str:
    code = ord(character)
    if code < 0x100:  # noqa: PLR2004 - two hexadecimal digits
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004 - four hexadecimal digits


def shown(value: Any, limit: int = CELL) -> str:
    """One value as a table for people shows it: times UTC with Z, lists with commas, null empty."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return clock(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        more = f", and {len(value) - _LISTED:,} more" if len(value) > _LISTED else ""
        return ", ".join(shown(item, limit) for item in value[:_LISTED]) + more
    return visible(str(value), limit)


def clock(value: datetime) -> str:
    """An instant for people: `2026-11-03 14:00:05.123456Z`, microseconds only where there are any."""
    return value.astimezone(UTC).isoformat(sep=" ").replace("+00:00", "Z")


def plain(value: Any) -> Any:  # noqa: PLR0911 - one kind of value a line
    """A value as JSON has it: times ISO 8601 with Z and all their microseconds, what JSON has no form for as text."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return value if value.isascii() else value.translate(_SURROGATES)
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None  # noqa: PLR0124 - NaN equals nothing
    if isinstance(value, datetime):
        return iso(value) if value.tzinfo else value.isoformat()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def to_json(value: Any, indent: int | None = None) -> str:
    """JSON in ASCII, so that nothing in it can act on whoever looks at it; values as `plain` has them."""
    try:
        written = json.dumps(value, default=plain, ensure_ascii=True, allow_nan=False, indent=indent)
    except ValueError:  # a number that is none
        written = json.dumps(plain(value), ensure_ascii=True, allow_nan=False, indent=indent)
    return written.replace("\x7f", "\\u007f")


def csv_cell(value: Any) -> Any:
    """One value as a cell of CSV: what a spreadsheet would take for a formula has an apostrophe before it.

    Lists are joined, null is empty; control characters are written as escapes, all but tab and line ends, which
    stand inside quotes.
    """
    bare = _cell_text(value)
    return _without_hidden(bare, keep="\t\r\n") if isinstance(bare, str) else bare


def _cell_text(value: Any) -> str | int | float:
    """As `csv_cell`, with control characters as they are."""
    bare = plain(value)
    if bare is None:
        return ""
    if isinstance(bare, int | float) and not isinstance(bare, bool):
        return bare
    if isinstance(bare, list) and not any(isinstance(item, list | dict) for item in bare):
        text = LIST_SEPARATOR.join("" if item is None else str(item) for item in bare)
    elif isinstance(bare, list | dict):
        text = to_json(bare)
    else:
        text = str(bare).lower() if isinstance(bare, bool) else str(bare)
    # A spreadsheet looks past blanks, so what stands behind them counts.
    return "'" + text if text.lstrip(" \u00a0").startswith(_FORMULA) else text
