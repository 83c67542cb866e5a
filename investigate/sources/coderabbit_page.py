"""What one page of CodeRabbit's audit log says, reduced to what paging must know: no text of an entry is held."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Final

from investigate.errors import TransferError

PAGE_SIZE: Final = 100
"""The most the vendor hands out at once (seeds/002_76e46fa884973481.txt)."""
_CANONICAL: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
_CHANGING: Final = ("id", "relativeTime")
"""`relativeTime` changes from call to call and is no part of an entry (vendors.md)."""


@dataclass(frozen=True)
class Entry:
    """One entry, told from others.

    Attributes:
        key: digest of its id, or of its content where it has none.
        content: digest of all but its id and `relativeTime`.
        time: `createdAt`, aware; None where it is none.
    """

    key: bytes
    content: bytes
    time: datetime | None


@dataclass(frozen=True)
class Page:
    """One page.

    Attributes:
        entries: in the vendor's order.
        total: `total_count`: the entries of all pages.
        number: the page this claims to be, None where it does not say.
        size: `page_size` as the vendor understood it, None where it does not say.
        more: `has_next_page`, None where it does not say.
    """

    entries: tuple[Entry, ...]
    total: int
    number: int | None = None
    size: int | None = None
    more: bool | None = None

    @property
    def pages(self) -> int:
        """How many pages there are by this one's words, at least 1."""
        size = self.size or (len(self.entries) if self.more and self.entries else PAGE_SIZE)
        # A vendor that hands out everything at once has no second page, whatever size it names.
        return 1 if len(self.entries) >= self.total else -(-self.total // size)


def read_page(data: object) -> Page:
    """The page in an answer's JSON.

    Args:
        data: the parsed body.

    Raises:
        TransferError: it is no page: `data` or `pagination.total_count` is missing.
    """
    entries = data.get("data") if isinstance(data, dict) else None
    pagination = data.get("pagination") if isinstance(data, dict) else None
    total = _number(pagination.get("total_count")) if isinstance(pagination, dict) else None
    if not isinstance(entries, list) or not isinstance(pagination, dict) or total is None:
        raise TransferError(
            "CodeRabbit's answer is no page of an audit log: data or pagination.total_count is missing.",
            "Check [coderabbit] region and base_url in case.toml: investigate doctor",
        )
    more = pagination.get("has_next_page")
    return Page(
        entries=tuple(_entry(entry) for entry in entries),
        total=total,
        number=_number(pagination.get("page")),
        size=_number(pagination.get("page_size")),
        more=more if isinstance(more, bool) else None,
    )


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _entry(value: object) -> Entry:
    if not isinstance(value, dict):
        return Entry(_digest(value), _digest(value), None)
    content = _digest({name: part for name, part in value.items() if name not in _CHANGING})
    uid = value.get("id")
    key = content if uid is None or uid == "" else _digest({"id": uid})
    return Entry(key, content, _time(value.get("createdAt")))


def _digest(value: object) -> bytes:
    return blake2b(_CANONICAL.encode(value).encode("ascii"), digest_size=16).digest()


def _time(value: object) -> datetime | None:
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return time if time is not None and time.tzinfo is not None else None
