"""Who is who in a case: `identities.csv`, which people write or accept suggestions into, and equal e-mail addresses.

A row of the file says that an actor is a person; a later row outweighs an earlier one, and one without a person takes
it back. Rows are only ever added here, with who said so and when.
"""

from __future__ import annotations

import csv
import io
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from investigate.errors import CaseError, ConfigError
from investigate.events import iso
from investigate.trace.people import PEOPLE, Directory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from investigate.case.case import Case
    from investigate.case.reading import Reading
    from investigate.trace.people import Key

FIELDS: Final = ("person", "source", "actor", "author", "time", "evidence")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_QUOTE: Final = "'"


def directory_of(case: Case, reading: Reading) -> Directory:
    """Who is who at the version of the lake that is read.

    Equal e-mail addresses are looked for where the case has several sources or tenants, once for each version.
    """
    said = _said(case.layout.identities)
    if len({(one.source, one.tenant) for one in reading.intervals}) < 2:  # noqa: PLR2004 - several
        return said
    if reading.version not in case.mails:
        case.mails[reading.version] = _mails(reading)
    return said.with_mail(case.mails[reading.version])


def accept(case: Case, person: str, actors: Sequence[Key], *, author: str, evidence: str = "") -> None:
    """Add to `identities.csv` that some actors are one person.

    Args:
        case: whose file.
        person: what the person is called; empty takes back what was said of the actors.
        actors: source and actor of each; an empty source stands for any.
        author: who says so.
        evidence: why.

    Raises:
        CaseError: the file cannot be written.
    """
    now = iso(datetime.now(UTC))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    with case.locked():
        try:
            path = case.layout.identities
            there = path.exists() and path.stat().st_size > 0
            if there:
                _said(path)  # what cannot be read is not added to
            else:
                writer.writerow(FIELDS)
            for source, actor in actors:
                writer.writerow([_guarded(value) for value in (person, source, actor, author, now, evidence)])
            broken = there and not path.read_bytes().endswith(b"\n")
            with os.fdopen(
                os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8", newline=""
            ) as file:
                file.write(("\n" if broken else "") + text.getvalue())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise CaseError(
                f"identities.csv cannot be written: {error.strerror}.", "Check the case's folder."
            ) from error


def read_csv(path: Path, *required: str) -> list[dict[str, str]]:
    """The rows of a small CSV file with a header; cells without surrounding blanks, missing ones empty.

    Args:
        path: UTF-8, with or without a mark.
        required: columns it must have.

    Raises:
        ConfigError: it cannot be read, is no CSV, or lacks a column.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        names = [name.strip() for name in reader.fieldnames or ()]
        if missing := [name for name in required if name not in names]:
            raise ConfigError(
                f"{path.name} has no column {missing[0]!r}.", f"Its first line names columns: {','.join(required)}"
            )
        reader.fieldnames = names
        return [{name: _bare(row.get(name)) for name in names} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{path.name} cannot be read: {reason}.", f"Make {path} a CSV file in UTF-8.") from error


def _said(path: Path) -> Directory:
    if not path.exists():
        return Directory()
    persons: dict[Key, str] = {}
    for row in read_csv(path, "person", "actor"):
        key = (row.get("source", ""), row["actor"])
        persons.pop(key, None)
        if row["person"] and row["actor"]:
            persons[key] = row["person"]
    return Directory(persons, dict.fromkeys(persons, path.name))


def _mails(reading: Reading) -> list[tuple[str, str, str, str]]:
    import narwhals as nw  # noqa: PLC0415 - heavy, like the engines themselves

    from investigate.trace.shape import distinct  # noqa: PLC0415 - imports it

    columns = ["source", "tenant", "actor", "actor_email", "actor_type"]
    there = ~nw.col("actor_email").is_null() & nw.col("actor_type").is_in(sorted(PEOPLE))
    (frame,) = reading.collect(distinct(reading.by_actor().filter(there), *columns))
    return frame.drop("actor_type").unique().rows()


def _guarded(value: str) -> str:
    """A cell that no spreadsheet takes for a formula, and that keeps its blanks; see `_bare`."""
    return _QUOTE + value if value.startswith((*_FORMULA, _QUOTE)) or value != value.strip() else value


def _bare(cell: object) -> str:
    text = cell if isinstance(cell, str) else ""
    rest = text[1:]
    guarded = text.startswith(_QUOTE) and (rest.startswith((*_FORMULA, _QUOTE)) or rest != rest.strip())
    return rest if guarded else text.strip()
