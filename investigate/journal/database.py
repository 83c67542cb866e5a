"""The journal's SQLite file: made, migrated, opened for writing or, on a read-only medium or full disk, for reading."""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from investigate.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUSY_SECONDS: Final = 30
_ROOM: Final = 64 * 1024
"""Bytes: more than the index of the write-ahead log, in which processes find each other's changes, grows by at once."""

MIGRATIONS: Final = (
    """
    CREATE TABLE ledger_head (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        lines INTEGER NOT NULL CHECK (lines >= 0),
        sha256 TEXT NOT NULL
    ) STRICT;
    CREATE TABLE export_request (
        id TEXT PRIMARY KEY,
        source TEXT NOT NULL,
        start_us INTEGER NOT NULL,
        end_us INTEGER NOT NULL,
        filter TEXT NOT NULL,
        state TEXT NOT NULL,
        requested_at INTEGER NOT NULL,
        operator TEXT NOT NULL,
        link_expires_at INTEGER,
        link_name TEXT,
        collected_at INTEGER,
        acquisition TEXT,
        note TEXT NOT NULL DEFAULT ''
    ) STRICT;
    CREATE TABLE acquisition (
        id TEXT PRIMARY KEY,
        key TEXT NOT NULL,
        kind TEXT NOT NULL,
        source TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('running', 'recorded', 'done', 'failed')),
        started_at INTEGER NOT NULL,
        finished_at INTEGER,
        spec TEXT NOT NULL,
        files TEXT NOT NULL DEFAULT '[]',
        start_us INTEGER,
        end_us INTEGER,
        filter TEXT NOT NULL DEFAULT '{}',
        records INTEGER,
        received INTEGER,
        stored INTEGER,
        duplicate INTEGER,
        rejected INTEGER,
        lake_version INTEGER,
        note TEXT NOT NULL DEFAULT '',
        CHECK (received = stored + duplicate + rejected)
    ) STRICT;
    CREATE INDEX acquisition_by_key ON acquisition (key, state);
    CREATE TABLE coverage (
        acquisition TEXT NOT NULL REFERENCES acquisition (id),
        source TEXT NOT NULL,
        tenant TEXT NOT NULL,
        filter TEXT NOT NULL,
        start_us INTEGER NOT NULL,
        end_us INTEGER NOT NULL CHECK (end_us >= start_us),
        state TEXT NOT NULL CHECK (state IN ('complete', 'provisional', 'failed')),
        basis TEXT NOT NULL CHECK (basis IN ('vendor', 'observed', 'declared'))
    ) STRICT;
    CREATE INDEX coverage_by_source ON coverage (source, tenant, start_us);
    CREATE INDEX coverage_by_acquisition ON coverage (acquisition);
    CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    """,
    """
    CREATE TABLE annotation (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        time_us INTEGER NOT NULL,
        author TEXT NOT NULL,
        source TEXT NOT NULL,
        tenant TEXT NOT NULL,
        event_uid TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('star', 'unstar', 'tag', 'untag', 'comment')),
        text TEXT NOT NULL
    ) STRICT;
    CREATE INDEX annotation_by_event ON annotation (event_uid);
    CREATE TRIGGER annotation_stays BEFORE UPDATE ON annotation
        BEGIN SELECT RAISE(ABORT, 'annotations are only added'); END;
    CREATE TRIGGER annotation_is_kept BEFORE DELETE ON annotation
        BEGIN SELECT RAISE(ABORT, 'annotations are only added'); END;
    CREATE TRIGGER annotation_is_not_replaced BEFORE INSERT ON annotation
        WHEN EXISTS (SELECT 1 FROM annotation WHERE id = new.id)
        BEGIN SELECT RAISE(ABORT, 'annotations are only added'); END;
    """,
)
"""The schema's steps, in order, never changed once released; `user_version` says how many were taken."""


class Database:
    """One SQLite file; every use opens it anew, so threads, forks and other processes need not know of each other.

    Args:
        path: the file; made with mode 0600, in a folder that is there.

    Raises:
        CaseError: it is no journal, of a newer version, or cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            is_link, is_there = path.is_symlink(), path.exists()
        except OSError as error:
            raise CaseError(
                f"{path.name} cannot be reached: {error.strerror}.", f"Check who may enter {path.parent}."
            ) from error
        if is_link:
            raise CaseError(f"{path.name} is a link and is not written through.", f"Replace {path} by the file itself.")
        self.writable = os.access(path.parent, os.W_OK) and (not is_there or os.access(path, os.W_OK))
        if self.writable:
            self._prepare()
        else:
            with self.read() as connection:
                self._check_version(_version(connection))

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one state of the file throughout."""
        with self._connection(reads=True) as connection:
            connection.execute("BEGIN")
            yield connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it is durable when the context ends, or none if it raises.

        Raises:
            CaseError: the medium is read-only, or another process writes for longer than 30 seconds.
        """
        if not self.writable:
            raise CaseError(
                f"{self.path.name} cannot be written: the case is on a read-only medium or belongs to someone else.",
                f"Copy the case to a folder of your own: cp -r {self.path.parent} NEW-FOLDER",
            )
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def _prepare(self) -> None:
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600))
        except OSError as error:
            raise CaseError(
                f"{self.path.name} could not be made: {error.strerror}.", f"Check that {self.path.parent} is a folder."
            ) from error
        with self._connection(reads=True) as connection:
            version = _version(connection)
            if version == len(MIGRATIONS):
                return
        self._check_version(version)
        with self._connection() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
        with self.write() as connection:
            for number, script in enumerate(MIGRATIONS[_version(connection) :], _version(connection) + 1):
                for statement in _statements(script):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number:d}")

    def _check_version(self, version: int) -> None:
        if version > len(MIGRATIONS):
            raise CaseError(
                f"{self.path.name} has version {version}; this program knows versions up to {len(MIGRATIONS)}.",
                "Open the case with a newer version: pip install -U investigate",
            )
        if not self.writable and version < len(MIGRATIONS):
            raise CaseError(
                f"{self.path.name} has version {version} and cannot be brought to {len(MIGRATIONS)} where it lies.",
                f"Copy the case to a folder that can be written: cp -r {self.path.parent} NEW-FOLDER",
            )

    @contextmanager
    def _connection(self, *, reads: bool = False) -> Iterator[sqlite3.Connection]:
        connection = None
        try:
            connection = self._connect_to_read() if reads or not self.writable else self._connect()
            yield connection
        except sqlite3.Error as error:
            raise self._error(error) from error
        finally:
            if connection is not None:
                connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
        connection.row_factory = sqlite3.Row
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _connect_to_read(self) -> sqlite3.Connection:
        if self.writable:
            try:
                return self._connect()
            except sqlite3.Error as error:  # on a full disk there is no room for the index of the log
                if not self._is_full(error) or self._log_holds_changes():
                    raise
        return self._connect_read_only()

    def _connect_read_only(self) -> sqlite3.Connection:
        address = self.path.absolute().as_uri()
        try:
            connection = sqlite3.connect(f"{address}?mode=ro", uri=True, timeout=BUSY_SECONDS, isolation_level=None)
            try:
                _version(connection)
            except sqlite3.Error:
                connection.close()
                raise
        except sqlite3.OperationalError:
            # A WAL file needs a folder that can be written, unless nothing of it is still in the log beside it.
            if self._log_holds_changes():
                raise CaseError(
                    f"{self.path.name}-wal holds changes that a read-only medium does not let me see.",
                    f"Copy the case to a folder that can be written: cp -r {self.path.parent} NEW-FOLDER",
                ) from None
            connection = sqlite3.connect(f"{address}?immutable=1", uri=True, isolation_level=None)
        connection.row_factory = sqlite3.Row
        return connection

    def _error(self, error: sqlite3.Error) -> CaseError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if self._is_full(error):
            return CaseError(
                f"No space is left to write {self.path.name}.",
                f"Free space on the disk of {self.path.parent} and run the command again: nothing recorded is lost.",
            )
        if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return CaseError(
                f"Another process kept {self.path.name} busy for {BUSY_SECONDS} seconds.",
                "Wait until it ends, then run the command again.",
            )
        if code in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
            return CaseError(
                f"{self.path.name} is damaged or no journal: {error}.", "Restore it from a copy of the case."
            )
        if code == sqlite3.SQLITE_CANTOPEN:
            return CaseError(f"There is no {self.path.name} in {self.path.parent}.", "Name the folder of a case.")
        return CaseError(f"{self.path.name}: {error}.", f"Check that {self.path.parent} can be written.")

    def _log_holds_changes(self) -> bool:
        log = self.path.with_name(self.path.name + "-wal")
        return log.exists() and log.stat().st_size > 0

    def _is_full(self, error: sqlite3.Error) -> bool:
        """Whether the disk has no room for what SQLite keeps beside the file: it calls that an error of the disk."""
        import shutil  # noqa: PLC0415 - only where something went wrong

        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code != sqlite3.SQLITE_IOERR:
            return code == sqlite3.SQLITE_FULL
        try:
            return shutil.disk_usage(self.path.parent).free < _ROOM
        except OSError:
            return False


def _statements(script: str) -> Iterator[str]:
    """The statements of a script; the semicolons inside a trigger end none."""
    held = ""
    for part in filter(str.strip, script.split(";")):
        held += f"{part};"
        if sqlite3.complete_statement(held):
            yield held
            held = ""


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
