"""The statements the journal is made of, each inside a transaction that its caller holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from investigate.errors import CaseError, EvidenceError, UsageError
from investigate.events import Window
from investigate.journal.models import NEXT_STATES, ExportRequest, LedgerHead
from investigate.journal.rows import filter_json, from_us, to_ends, to_interval, to_request, to_us

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from investigate.journal.coverage import Source
    from investigate.journal.models import AcquisitionState, Interval, RequestChanges

_NO_LINES: Final = LedgerHead(0, "0" * 64)
_CHANGEABLE: Final = {"state", "link_expires_at", "link_name", "collected_at", "acquisition", "note"}


def read_head(connection: sqlite3.Connection) -> LedgerHead:
    """Where the ledger ended, as the journal knows."""
    row = connection.execute("SELECT lines, sha256 FROM ledger_head").fetchone()
    return LedgerHead(*row) if row else _NO_LINES


def write_head(connection: sqlite3.Connection, head: tuple[int, str]) -> None:
    """Move the head on; EvidenceError when that would be back or aside."""
    before, after = read_head(connection), LedgerHead(*head)
    if after.lines < before.lines or (after.lines == before.lines and after != before):
        raise EvidenceError(
            f"The ledger ends at line {after.lines}, but the journal knows {before.lines} lines and their hashes.",
            "See what happened to it: investigate evidence verify",
        )
    connection.execute("INSERT OR REPLACE INTO ledger_head (only, lines, sha256) VALUES (1, ?, ?)", after)


def read_request(connection: sqlite3.Connection, identity: str) -> ExportRequest:
    """The export request with this id; UsageError when there is none."""
    row = connection.execute("SELECT * FROM export_request WHERE id = ?", (identity,)).fetchone()
    if row is None:
        raise UsageError(
            f"There is no export request {identity[:80]!r}.", "See which there are: investigate devrev exports"
        )
    return to_request(row)


def read_requests(connection: sqlite3.Connection) -> list[ExportRequest]:
    """All export requests, newest first."""
    rows = connection.execute("SELECT * FROM export_request ORDER BY requested_at DESC, rowid DESC")
    return [to_request(row) for row in rows]


def write_request(connection: sqlite3.Connection, identity: str, changes: RequestChanges) -> None:
    """Change an export request; UsageError when there is none, or its state cannot follow."""
    before = read_request(connection, identity)
    values: dict[str, Any] = dict(changes)
    if unknown := values.keys() - _CHANGEABLE:
        raise UsageError(f"An export request's {min(unknown)!r} cannot be changed.")
    if "state" in changes and changes["state"] not in NEXT_STATES[before.state]:
        raise UsageError(
            f"Export request {before.id} is {before.state} and cannot become {changes['state']}.",
            "See how each request stands: investigate devrev exports",
        )
    for name in ("link_expires_at", "collected_at"):
        if moment := values.get(name):
            values[name] = to_us(moment)
    if link := values.get("link_name"):
        values["link_name"] = link.partition("?")[0]
    for name, value in values.items():
        connection.execute(f"UPDATE export_request SET {name} = ? WHERE id = ?", (value, identity))


def find_acquisition(connection: sqlite3.Connection, identity: str) -> sqlite3.Row | None:
    """The row of an acquisition, or None."""
    row: sqlite3.Row | None = connection.execute("SELECT * FROM acquisition WHERE id = ?", (identity,)).fetchone()
    return row


def read_acquisition(connection: sqlite3.Connection, identity: str) -> sqlite3.Row:
    """The row of an acquisition; UsageError when there is none."""
    row = find_acquisition(connection, identity)
    if row is None:
        raise UsageError(
            f"There is no acquisition {identity[:80]!r}.", "See which there are: investigate evidence list"
        )
    return row


def insist_state(connection: sqlite3.Connection, identity: str, *allowed: AcquisitionState) -> None:
    """Raise a CaseError unless the acquisition is in one of these states."""
    state = read_acquisition(connection, identity)["state"]
    if state not in allowed:
        raise CaseError(f"Acquisition {identity} is {state}, not {' or '.join(allowed)}.")


def read_lake_version(connection: sqlite3.Connection) -> int:
    """The newest version of the lake that an acquisition made, -1 where none did."""
    row = connection.execute("SELECT coalesce(max(lake_version), -1) FROM acquisition").fetchone()
    return int(row[0])


def write_coverage(connection: sqlite3.Connection, identity: str, intervals: Sequence[Interval]) -> None:
    """Make `intervals` all that the acquisition covers."""
    connection.execute("DELETE FROM coverage WHERE acquisition = ?", (identity,))
    connection.executemany(
        "INSERT INTO coverage (acquisition, source, tenant, filter, start_us, end_us, state, basis)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (identity, i.source, i.tenant, filter_json(i.filter), *to_ends(i.window), i.state, i.basis)
            for i in intervals
        ],
    )


def read_sources(connection: sqlite3.Connection) -> list[Source]:
    """Every source and tenant of which any time was acquired or tried."""
    rows = connection.execute(
        "SELECT DISTINCT source, tenant FROM coverage WHERE start_us < end_us ORDER BY source, tenant"
    )
    return [(row["source"], row["tenant"]) for row in rows]


def read_span(connection: sqlite3.Connection) -> Window | None:
    """From the first instant any interval covers to the last; None when there is none."""
    row = connection.execute("SELECT min(start_us), max(end_us) FROM coverage WHERE start_us < end_us").fetchone()
    return None if row[0] is None else Window(from_us(row[0]), from_us(row[1]))


def read_setting(connection: sqlite3.Connection, name: str) -> str | None:
    """The value kept under a name, or None."""
    row = connection.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
    return None if row is None else str(row["value"])


def read_intervals(
    connection: sqlite3.Connection, window: Window | None, sources: Sequence[Source] | None
) -> list[Interval]:
    """Intervals that overlap `window` (None: all) of these sources (None: all), by source, tenant and time."""
    rows = connection.execute(
        "SELECT * FROM coverage WHERE ?1 IS NULL OR (start_us < ?2 AND end_us > ?1)"
        " ORDER BY source, tenant, start_us, end_us, rowid",
        to_ends(window),
    )
    wanted = None if sources is None else set(sources)
    return [to_interval(row) for row in rows if wanted is None or (row["source"], row["tenant"]) in wanted]
