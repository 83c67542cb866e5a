"""The report before it is known how it will be written: claims, and all that they rest on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from investigate.events import Window


@dataclass(frozen=True)
class Stack:
    """Two values of one cell, the second of less weight: a name and its key, a first and a last."""

    top: Any
    below: Any = None


@dataclass(frozen=True)
class Sheet:
    """A table for people.

    Attributes:
        columns: their names.
        rows: values in the order of the columns, some of them a `Stack`.
        total: how many rows there are, those that are not shown included.
        caption: what the table shows, a sentence without its full stop.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    total: int
    caption: str = ""


@dataclass(frozen=True)
class Lane:
    """One line of a timeline's picture: an identity, and how many events it has in each bucket.

    Attributes:
        name: of the identity, for people.
        counts: events by number of the bucket, from 0.
    """

    name: str
    counts: Mapping[int, int]


@dataclass(frozen=True)
class Picture:
    """A timeline of events: how many in each bucket of time, in all and by identity, and where nobody collected.

    Attributes:
        window: what it spans.
        buckets: how many equal parts the window has.
        counts: events by number of the bucket.
        lanes: the most active identities.
        others: identities that have no lane.
        gaps: spans that were not, or not surely, collected.
    """

    window: Window
    buckets: int
    counts: Mapping[int, int]
    lanes: tuple[Lane, ...]
    others: int = 0
    gaps: tuple[Window, ...] = ()


@dataclass(frozen=True)
class Claim:
    """One finding: what is claimed, and what shows it.

    Attributes:
        text: the claim, a sentence.
        events: how many events it rests on; None where that cannot be told.
        identities: how many identities acted in them; None likewise.
        first: when the first of them happened, UTC.
        last: when the last of them happened, UTC.
        severity: of an audit's finding; empty otherwise.
        query: what was asked, as the engine ran it.
        window: what was asked about.
        complete: whether all of it was collected.
        notes: what else to know, a sentence each.
        tables: those that show it, the identities first, an excerpt of the events last.
        picture: when it happened; None where it has no events.
    """

    text: str
    events: int | None = None
    identities: int | None = None
    first: datetime | None = None
    last: datetime | None = None
    severity: str = ""
    query: str = ""
    window: Window | None = None
    complete: bool | None = None
    notes: tuple[str, ...] = ()
    tables: tuple[Sheet, ...] = ()
    picture: Picture | None = None


@dataclass(frozen=True)
class Hole:
    """A span that was not, or not surely, collected: the source (empty: any), the span, what is known of it."""

    source: str
    window: Window
    state: str


@dataclass(frozen=True)
class Known:
    """What of the report's window was collected.

    Attributes:
        window: the report's.
        sources: those that were ever collected, as `source/tenant`.
        holes: where something is missing, in order.
    """

    window: Window
    sources: tuple[str, ...]
    holes: tuple[Hole, ...]

    @property
    def complete(self) -> bool:
        """Whether every source was collected over the whole window."""
        return not self.holes


@dataclass(frozen=True)
class Report:
    """A report.

    Attributes:
        title: its heading.
        question: what was asked, in words.
        made: the time it states, UTC.
        author: who made it.
        known: the coverage of its window.
        scope: what it is about, as names and values.
        claims: the findings, in order.
        annotations: what people said of events, oldest first.
        evidence: every file it rests on.
        ledger: how many lines the ledger has, and the SHA-256 of the last.
        lake_version: Delta version of the events it was made from.
        method: how it was made, a sentence each.
        versions: name and version of what made it.
        redaction: what was taken out, in a sentence; empty: nothing.
        total: events in scope.
    """

    title: str
    question: str
    made: datetime
    author: str
    known: Known
    scope: tuple[tuple[str, str], ...]
    claims: tuple[Claim, ...]
    annotations: Sheet
    evidence: Sheet
    ledger: tuple[int, str]
    lake_version: int
    method: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]
    redaction: str = ""
    total: int = 0


def sheet(columns: Sequence[str], rows: Sequence[Sequence[Any]], total: int | None = None, caption: str = "") -> Sheet:
    """A table of these rows, which are all there are where no total is given."""
    return Sheet(tuple(columns), tuple(map(tuple, rows)), len(rows) if total is None else total, caption)
