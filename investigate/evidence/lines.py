"""A line of the ledger: how it is written, and what must hold for it on its own."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from investigate.evidence.files import SHA256, EvidenceFile

GENESIS: Final = "0" * 64
"""What the first line has for the hash of the line before."""

_TEXTS: Final = ("time", "tool", "operator", "acquisition", "kind", "source", "note", "prev")
_OBJECTS: Final = ("request", "response", "filter", "extra")
_KINDS: Final[dict[str, type | tuple[type, ...]]] = {
    **dict.fromkeys(_TEXTS, str),
    **dict.fromkeys(_OBJECTS, dict),
    "seq": int,
    "size": int,
    "files": list,
    "window": (dict, type(None)),
}


class LineError(ValueError):
    """Bytes that are no line this program wrote; the message says why, to stand after a colon."""


class Head(NamedTuple):
    """Where the ledger ends.

    Attributes:
        lines: how many lines there are.
        sha256: SHA-256 of the last line without its line end; sixty-four zeros when there is none.
    """

    lines: int
    sha256: str


@dataclass(frozen=True)
class Entry:
    """One acquisition as the ledger has it.

    Attributes:
        seq: its number, from 1.
        time: when it was acquired, UTC.
        tool: program and version.
        operator: who acquired.
        acquisition: its id.
        kind: `devrev`, `coderabbit` or `import`.
        source: the profile or vendor the files are of.
        request: what was asked for, without secrets.
        response: what of the answer matters.
        files: the evidence, in order.
        size: bytes of all files.
        window: `{"from", "to"}`, ISO 8601 UTC, or None when unknown.
        filter: what it was narrowed to; empty: nothing.
        note: a remark.
        extra: anything else worth keeping.
        prev: SHA-256 of the line before.
        sha256: SHA-256 of this line; not part of it.
    """

    seq: int
    time: datetime
    tool: str
    operator: str
    acquisition: str
    kind: str
    source: str
    request: dict[str, Any]
    response: dict[str, Any]
    files: tuple[EvidenceFile, ...]
    size: int
    window: dict[str, str] | None
    filter: dict[str, Any]
    note: str
    extra: dict[str, Any]
    prev: str
    sha256: str


def digest(line: bytes) -> str:
    """SHA-256 of a line without its line end."""
    return hashlib.sha256(line).hexdigest()


def encode(fields: dict[str, Any]) -> bytes:
    """The one way to write these fields: sorted names, no spaces, UTF-8, no line end."""
    return json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def parse(line: bytes) -> Entry:
    """The entry a line holds.

    Raises:
        LineError: it is not JSON as `encode` writes it, a field is missing, too many or of the wrong kind, or its
            fields contradict each other.
    """
    try:
        fields = json.loads(line)
        same = isinstance(fields, dict) and encode(fields) == line
    except (ValueError, RecursionError):
        raise LineError("it is not JSON") from None
    if not same:
        raise LineError("it is not written the way this program writes")
    _check(fields)
    try:
        time = datetime.fromisoformat(fields["time"])
        files = tuple(EvidenceFile(**file) for file in fields["files"])
    except (ValueError, TypeError):
        raise LineError("its time or its files cannot be read") from None
    if time.tzinfo is None:
        raise LineError("its time has no zone")
    if not all(isinstance(file.sha256, str) and SHA256.fullmatch(file.sha256) for file in files):
        raise LineError("a file in it has no SHA-256")
    if not all(type(file.size) is int for file in files) or sum(file.size for file in files) != fields["size"]:
        raise LineError("its size is not the sum of its files' sizes")
    return Entry(**(fields | {"time": time, "files": files}), sha256=digest(line))


def _check(fields: dict[str, Any]) -> None:
    if fields.keys() != _KINDS.keys():
        odd = sorted(fields.keys() ^ _KINDS.keys())
        raise LineError(f"the field {odd[0]!r} is missing or none of its own")
    for name, kind in _KINDS.items():
        if not isinstance(fields[name], kind) or isinstance(fields[name], bool):
            raise LineError(f"the field {name!r} is of the wrong kind")
    if not SHA256.fullmatch(fields["prev"]):
        raise LineError("the hash of the line before is none")
