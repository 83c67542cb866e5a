"""What every report has beside its claims: coverage, evidence, annotations, how and with what it was made."""

from __future__ import annotations

import platform
from importlib.metadata import version as version_of
from typing import TYPE_CHECKING, Final

from investigate.case.composing import EXCERPT, IDENTITIES, ROWS
from investigate.events import Window
from investigate.evidence.ledger import tool
from investigate.report.model import Hole, Known, Sheet, sheet
from investigate.report.selection import LANES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from investigate.case.case import Case
    from investigate.case.coverage import Coverage
    from investigate.trace.people import Directory

ANNOTATIONS: Final = 2_000
_PACKAGES: Final = ("duckdb", "polars", "pyarrow", "deltalake")


def known(coverage: Coverage) -> Known:
    """Coverage as a report has it."""
    holes = [
        Hole(
            f"{gap.source}/{gap.tenant}" if gap.source else "",
            gap.window,
            "; ".join(filter(None, (gap.state, gap.note))),
        )
        for gap in coverage.gaps
    ]
    return Known(coverage.window, tuple("/".join(one) for one in coverage.sources), tuple(holes))


def evidence_sheet(case: Case, used: Mapping[str, int], window: Window) -> Sheet:
    """Every file the report rests on: those its events are from, and those that cover its window and have none."""
    rows = []
    for entry in case.ledger.entries():
        covers = Window.from_json(entry.window)
        near = covers is None or covers.intersect(window) is not None
        rows += [
            (file.sha256, used.get(file.sha256, 0), file.size, file.name, entry.source, entry.time, entry.seq)
            for file in entry.files
            if near or file.sha256 in used
        ]
    columns = ("sha256", "events here", "bytes", "name", "source", "acquired", "ledger line")
    return sheet(columns, list({row[0]: row for row in rows}.values()), caption="Files")


def annotation_sheet(case: Case, inside: set[tuple[str, str, str]]) -> Sheet:
    """What people said of these events, oldest first."""
    said = [one for one in case.journal.annotations.all() if (one.source, one.tenant, one.event_uid) in inside]
    rows = [(one.time, one.author, one.kind, one.text, one.event_uid, one.source) for one in said]
    columns = ("time", "author", "kind", "text", "event_uid", "source")
    return sheet(columns, rows[:ANNOTATIONS], len(rows))


def method(version: int, directory: Directory) -> tuple[str, ...]:
    """How a report is made, for who must be able to do it again."""
    people = "Identities that are one person, by identities.csv or by equal e-mail addresses, count as one. "
    again = f"`investigate report --lake-version {version}` reads the same again."
    record = "`investigate evidence show EVENT_UID` cuts the record out of the file again after hashing it."
    tables = f"Tables for people show the first {ROWS} rows, {IDENTITIES} identities and {EXCERPT} events, pictures"
    return (
        f"Events were read with DuckDB from version {version} of the lake, which stays as it is; {again}",
        "A window holds its start and not its end. All times are UTC, to the microsecond where the vendor gives it.",
        f"Every event names the SHA-256 of its evidence file and the record's place in it, from 0: {record}",
        f"{people if directory else ''}Every other identity is its key in its source and tenant.",
        f"{tables} the {LANES} most active identities; counts are of all. CSV and JSON Lines have every event.",
    )


def versions() -> tuple[tuple[str, str], ...]:
    """What made it."""
    name, _, number = tool().partition(" ")
    found = [(name, number), ("Python", platform.python_version())]
    return (*found, *((package, version_of(package)) for package in _PACKAGES))
