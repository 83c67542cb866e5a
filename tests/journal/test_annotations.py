"""Stars, tags and comments: kept with author and time, and never changed or removed."""

from __future__ import annotations

import sqlite3
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from investigate.errors import UsageError
from investigate.journal import Journal, Marks, marks
from investigate.journal.database import MIGRATIONS, Database

from .made import NOW, again

if TYPE_CHECKING:
    from investigate.journal import Annotation

EVENT = ("devrev", "acme", "e1")


def test_an_annotation_is_kept_as_it_was_said(journal: Journal) -> None:
    said = journal.annotations.add(*EVENT, "comment", " <b>\u202eodd</b> ", "ada", now=NOW)
    assert again(journal).annotations.all() == [said]
    assert (said.time, said.author, said.event) == (NOW, "ada", EVENT)
    assert (said.kind, said.text) == ("comment", "<b>\u202eodd</b>")


def test_the_time_is_now_unless_it_is_given(journal: Journal) -> None:
    before = datetime.now(UTC)
    assert before <= journal.annotations.add(*EVENT, "star", "", "ada").time <= datetime.now(UTC)


def test_those_of_some_events_are_found(journal: Journal) -> None:
    for uid in ("e1", "e2", "'; --", "e1"):
        journal.annotations.add("devrev", "acme", uid, "star", "", "ada")
    assert [one.id for one in journal.annotations.of(["e1", "'; --", "e9"])] == [1, 3, 4]
    assert journal.annotations.of([]) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE annotation SET text = 'x'",
        "DELETE FROM annotation",
        "REPLACE INTO annotation SELECT id, time_us, 'eve', source, tenant, event_uid, kind, text FROM annotation",
    ],
)
def test_nothing_that_was_said_can_be_changed_or_removed(journal: Journal, statement: str) -> None:
    said = journal.annotations.add(*EVENT, "comment", "seen", "ada")
    with sqlite3.connect(journal._database.path) as connection, pytest.raises(sqlite3.IntegrityError, match="added"):
        connection.execute(statement)
    connection.close()
    assert journal.annotations.all() == [said]


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("like", "", "no kind"),
        ("star", "x", "has no text"),
        ("comment", " \n", "says nothing"),
        ("tag", "", "says nothing"),
        ("tag", "a\u2028b", "one line"),
        ("tag", "a" * 81, "at most 80"),
        ("comment", "a" * 10_001, "at most 10,000"),
    ],
)
def test_what_says_nothing_is_refused(journal: Journal, kind: Any, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        journal.annotations.add(*EVENT, kind, text, "ada")
    assert journal.annotations.all() == []


@pytest.mark.parametrize("event", [("", "acme", "e1"), ("devrev", "acme", "")])
def test_an_annotation_names_an_event(journal: Journal, event: tuple[str, str, str]) -> None:
    with pytest.raises(UsageError, match="names an event"):
        journal.annotations.add(*event, "star", "", "ada")


def held(said: list[Annotation]) -> dict[tuple[str, str, str], Marks]:
    """The marks of each event, as a model has them."""
    found: dict[tuple[str, str, str], Marks] = {}
    for one in said:
        old = found.get(one.event, Marks())
        starred = {"star": True, "unstar": False}.get(one.kind, old.starred)
        tags = set(old.tags) | {one.text} if one.kind == "tag" else set(old.tags)
        tags -= {one.text} if one.kind == "untag" else set()
        comments = (*old.comments, one) if one.kind == "comment" else old.comments
        found[one.event] = Marks(starred, tuple(sorted(tags)), comments)
    return found


sayings = st.tuples(
    st.sampled_from(["e1", "e2"]),
    st.sampled_from([("star", ""), ("unstar", ""), ("tag", "a"), ("tag", "b"), ("untag", "a"), ("comment", "why")]),
)


@given(st.lists(sayings, max_size=8))
@settings(max_examples=15, deadline=None)
def test_the_marks_of_an_event_are_what_was_said_last(spoken: list[tuple[str, tuple[Any, str]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.db")
        said = [journal.annotations.add("devrev", "acme", uid, *what, "ada") for uid, what in spoken]
        expected = {event: mark for event, mark in held(said).items() if mark != Marks()}
        assert {event: mark for event, mark in marks(journal.annotations.all()).items() if mark != Marks()} == expected


def test_a_journal_of_the_first_version_learns_to_keep_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("investigate.journal.database.MIGRATIONS", MIGRATIONS[:1])
    Database(tmp_path / "journal.db")
    monkeypatch.undo()
    journal = Journal(tmp_path / "journal.db")
    assert journal.annotations.add(*EVENT, "star", "", "ada").id == 1
