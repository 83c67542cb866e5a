"""What people say of events: stars, tags and comments, each with author and time, only ever added to.

A star or a tag is taken back by a later row, so that the journal also says who took it back, and when.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal, get_args

from investigate.errors import UsageError
from investigate.journal.rows import from_us, to_us

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from investigate.journal.database import Database

Kind = Literal["star", "unstar", "tag", "untag", "comment"]
Event = tuple[str, str, str]
"""Source, tenant and `event_uid`: what an event is one by."""

KINDS: Final[tuple[str, ...]] = get_args(Kind)
LONGEST: Final = {"star": 0, "unstar": 0, "tag": 80, "untag": 80, "comment": 10_000}
"""The most characters an annotation's text may have."""


@dataclass(frozen=True)
class Annotation:
    """One thing said of one event.

    Attributes:
        id: its number in this journal, ascending in the order in which they were said.
        time: when it was said, UTC.
        author: who said it.
        source: the event's source.
        tenant: the event's tenant.
        event_uid: the event's id.
        kind: star, unstar, tag, untag or comment.
        text: the tag or the comment; empty for a star.
    """

    id: int
    time: datetime
    author: str
    source: str
    tenant: str
    event_uid: str
    kind: Kind
    text: str

    @property
    def event(self) -> Event:
        """The event it is about."""
        return self.source, self.tenant, self.event_uid


@dataclass(frozen=True)
class Marks:
    """What holds of an event after all that was said of it.

    Attributes:
        starred: whether it has a star.
        tags: its tags, sorted.
        comments: its comments, oldest first.
    """

    starred: bool = False
    tags: tuple[str, ...] = ()
    comments: tuple[Annotation, ...] = ()


class Annotations:
    """The annotations of one journal.

    Args:
        database: the journal's file.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        source: str,
        tenant: str,
        event_uid: str,
        kind: Kind,
        text: str,
        author: str,
        *,
        now: datetime | None = None,
    ) -> Annotation:
        """Say something of an event; it cannot be unsaid, only followed by something else.

        Args:
            source: the event's source.
            tenant: the event's tenant.
            event_uid: the event's id.
            kind: star, unstar, tag, untag or comment.
            text: the tag, on one line, or the comment; empty for a star.
            author: who says it.
            now: the present, aware; None reads the clock.

        Raises:
            UsageError: an unknown kind, a text where none belongs, or none, or too much, where one does.
            CaseError: the journal cannot be written.
        """
        said = _checked(kind, text)
        if not (event_uid and source and author.strip()):
            raise UsageError("An annotation names an event, its source and an author.", "Give all three.")
        values = (to_us(now or datetime.now(UTC)), author.strip(), source, tenant, event_uid, kind, said)
        with self._database.write() as connection:
            cursor = connection.execute(
                "INSERT INTO annotation (time_us, author, source, tenant, event_uid, kind, text)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                values,
            )
            row = connection.execute("SELECT * FROM annotation WHERE id = ?", (cursor.lastrowid,)).fetchone()
        return _to_annotation(row)

    def all(self) -> list[Annotation]:
        """Everything that was said, in order."""
        with self._database.read() as connection:
            return [_to_annotation(row) for row in connection.execute("SELECT * FROM annotation ORDER BY id")]

    def of(self, event_uids: Iterable[str]) -> list[Annotation]:
        """What was said of the events with these ids, whatever their source and tenant, in order."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT * FROM annotation WHERE event_uid IN (SELECT value FROM json_each(?)) ORDER BY id",
                (json.dumps(list(event_uids)),),
            )
            return [_to_annotation(row) for row in rows]


def marks(annotations: Iterable[Annotation]) -> dict[Event, Marks]:
    """What holds of each event after `annotations`, which are in order."""
    stars: set[Event] = set()
    tags: dict[Event, set[str]] = {}
    comments: dict[Event, list[Annotation]] = {}
    for one in annotations:
        if one.kind == "star":
            stars.add(one.event)
        elif one.kind == "unstar":
            stars.discard(one.event)
        elif one.kind == "tag":
            tags.setdefault(one.event, set()).add(one.text)
        elif one.kind == "untag":
            tags.get(one.event, set()).discard(one.text)
        else:
            comments.setdefault(one.event, []).append(one)
    return {
        event: Marks(event in stars, tuple(sorted(tags.get(event, ()))), tuple(comments.get(event, ())))
        for event in sorted({*stars, *tags, *comments})
    }


def _checked(kind: str, text: str) -> str:
    if kind not in KINDS:
        raise UsageError(f"{kind[:40]!r} is no kind of annotation.", f"Kinds are {', '.join(KINDS)}.")
    said, most = text.strip(), LONGEST[kind]
    if bool(said) != bool(most):
        raise UsageError(f"A {kind} {'without a text says nothing' if most else 'has no text'}.", "Say it otherwise.")
    if len(said) > most:
        raise UsageError(f"A {kind} has at most {most:,} characters; this has {len(said):,}.", "Shorten it.")
    if kind in {"tag", "untag"} and len(said.splitlines()) > 1:
        raise UsageError("A tag stands on one line.", "Write what is longer as a comment.")
    return said


def _to_annotation(row: sqlite3.Row) -> Annotation:
    fields = dict(row)
    return Annotation(time=from_us(fields.pop("time_us")), **fields)
