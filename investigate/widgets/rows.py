"""Events as a page shows them: short, and with nothing in them that a reader would obey instead of see."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

from investigate.events import COLUMNS, iso
from investigate.journal.annotations import Annotation, Marks
from investigate.journal.rows import to_us
from investigate.report.text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LONGEST: Final = 300
"""Characters of a cell that reach the page; a cut is marked."""
LONGEST_RAW: Final = 64_000
"""Characters of a record that reach the page; all of it is in the evidence."""
_LONGEST_KEY: Final = 1_000
_LISTED: Final = 5
EVENT: Final = ("source", "tenant", "event_uid")
"""What an event is one by."""


def selected(names: Iterable[str]) -> list[str]:
    """Columns as SQL that carries no more of a long value than a page shows."""
    return [_short(name) for name in names]


def cell(name: str, value: Any) -> Any:
    """One value for the page: times as microseconds since 1970, text visible and short, lists with commas."""
    kind = COLUMNS[name][0]
    if value is None:
        return None
    if kind == "timestamp":
        return to_us(value)
    if kind == "int":
        return value
    if kind == "list":
        more = ", …" if len(value) > _LISTED else ""
        return ", ".join(_cut(one or "") for one in value[:_LISTED]) + more
    return _cut(str(value))


def key(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """What an event is one by."""
    return row["source"], row["tenant"], row["event_uid"]


def marked(marks: Marks | None) -> dict[str, Any] | None:
    """What holds of an event, as the page shows it beside the row."""
    if marks is None or marks == Marks():
        return None
    return {"starred": marks.starred, "tags": [visible(tag) for tag in marks.tags], "comments": len(marks.comments)}


def detail(row: Mapping[str, Any], marks: Marks, said: Iterable[Annotation]) -> dict[str, Any]:
    """One event with its record, its evidence and what was said of it."""
    names = [name for name in COLUMNS if name not in {"raw", "date", "evidence", "evidence_record"}]
    given = [(name, _full(name, row[name])) for name in names if row[name] is not None]
    raw = row["raw"] or ""
    more = (
        f"\n… {len(raw) - LONGEST_RAW:,} characters more; all of them are in the evidence"
        if len(raw) > LONGEST_RAW
        else ""
    )
    where = f"Evidence {row['evidence']}, record {row['evidence_record']}"
    return {
        "fields": given,
        "raw": _lines(raw[:LONGEST_RAW]) + more,
        "evidence": f"{where}: investigate evidence show {_cut(str(row['event_uid']))}",
        "marks": marked(marks) or {"starred": False, "tags": [], "comments": 0},
        "said": [
            {"time": to_us(one.time), "author": visible(one.author), "kind": one.kind, "text": _lines(one.text)}
            for one in said
        ],
    }


def plain(row: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """A row as text, for what has no page."""
    return [
        "" if row[name] is None else iso(row[name]) if name == "time" else str(cell(name, row[name])) for name in names
    ]


def _full(name: str, value: Any) -> Any:
    if COLUMNS[name][0] == "list":
        return "\n".join(_cut(one or "") for one in value[:100]) + ("\n…" if len(value) > 100 else "")  # noqa: PLR2004
    return cell(name, value)


def _cut(text: str) -> str:
    """Text that is short enough already, or the beginning of one whose length the query did not bring along."""
    return visible(text) if len(text) <= LONGEST else visible(text[:LONGEST]) + "…"


def _lines(text: str) -> str:
    return "\n".join(visible(line) for line in text.replace("\t", "    ").split("\n"))


def _short(name: str) -> str:
    kind = COLUMNS[name][0]
    if kind == "string":
        return f"left({name}, {_LONGEST_KEY if name in EVENT else LONGEST + 1}) AS {name}"
    if kind == "list":
        return f"list_transform({name}[1:{_LISTED + 1}], lambda one: left(one, {LONGEST + 1})) AS {name}"
    return name


def literal(value: Any) -> Any:
    """A bound value as Python writes it without an import: times and days as ISO 8601."""
    return iso(value) if isinstance(value, datetime) else value.isoformat() if isinstance(value, date) else value
