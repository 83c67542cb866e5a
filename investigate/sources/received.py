"""What every source hands to the case: the evidence kept, and what was asked and answered, without a secret."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from investigate.evidence.redact import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from investigate.evidence.store import EvidenceFile

_KEPT_HEADERS: Final = (
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "etag",
    "last-modified",
    "server",
    "x-amz-request-id",
    "x-amz-server-side-encryption",
    "x-amz-version-id",
    "x-request-id",
)
_LABEL_LENGTH: Final = 200
_EXTENSION: Final = re.compile(r"(?:\.[A-Za-z][A-Za-z0-9]{0,7}){0,1}\.[A-Za-z][A-Za-z0-9]{0,7}$")


@dataclass(frozen=True, kw_only=True)
class Received:
    """What one acquisition brought.

    Attributes:
        files: the evidence, in the order it came.
        request: method, address and parameters, for the ledger; no header, no query of a presigned link.
        response: the response headers that say what was handed over.
        warnings: one sentence each, for the person who asked.
    """

    files: tuple[EvidenceFile, ...]
    request: dict[str, object]
    response: dict[str, str]
    warnings: tuple[str, ...] = ()


class Sink(Protocol):
    """Where the bytes of a file go: what `Incoming` has of it."""

    @property
    def size(self) -> int:
        """How many came so far."""

    def write(self, data: bytes) -> None:
        """Append some."""


class Progress(Protocol):
    """Told how far an acquisition is; whatever it raises ends it, except as said below.

    Of each phase first in the unit its length is measured in, then in others that are counted on the way.
    """

    def __call__(self, phase: str, done: int, total: int | None, unit: str) -> None:
        """Take note.

        Args:
            phase: `"download"`, `"pull"` or `"import"` while evidence comes, `"normalise"` while it is read, `"sum up"`
                once the events are in the lake, when `Cancelled` is of no effect any more; elsewhere `"verify"`,
                `"compact"`.
            done: units done.
            total: units in all, None while unknown.
            unit: `"bytes"`, `"pages"`, `"files"`, `"records"`, `"rejects"`, `"events"` or `"rows"`.
        """


def silent(phase: str, done: int, total: int | None, unit: str) -> None:
    """The progress nobody watches."""
    del phase, done, total, unit


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of an answer that the ledger keeps, in order of name."""
    return {name: label(headers[name]) for name in _KEPT_HEADERS if name in headers}


def label(text: str) -> str:
    """`text` as it may be shown: one printable line without secrets, at most 200 characters."""
    printable = "".join(character if character.isprintable() else "\ufffd" for character in redact(text))
    if len(printable) > _LABEL_LENGTH:
        return "…" + printable[1 - _LABEL_LENGTH :]
    return printable


def extension(name: str) -> str:
    """The ending of a file's name that says what it is, such as `.jsonl.gz`, lower case; empty without one."""
    found = _EXTENSION.search(name)
    return found[0].lower() if found else ""
