"""`Journal`: what was asked for, what was acquired, what that covers, and where the ledger ends.

Every change is one transaction. Processes and threads may use it at once.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from investigate.errors import CaseError
from investigate.journal import coverage, statements
from investigate.journal.annotations import Annotations
from investigate.journal.database import Database
from investigate.journal.leases import Leases
from investigate.journal.rows import filter_json, to_acquisition, to_ends, to_json, to_us

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Unpack

    from investigate.events import Window
    from investigate.journal.models import (
        AcquisitionRow,
        AcquisitionState,
        Counts,
        ExportRequest,
        Filter,
        Gap,
        Interval,
        KeptFile,
        LedgerHead,
        RequestChanges,
    )


class Journal:
    """The journal of one case. Keep one object for as long as acquisitions run: it holds the signs of their life.

    Args:
        path: `<case>/journal.db`; made with mode 0600. On a read-only medium it opens for reading, and what would
            write raises a CaseError.

    Attributes:
        annotations: what people say of events.

    Raises:
        CaseError: it is no journal, of a newer version, or cannot be opened; every method raises it when the file
            can no longer be used.
    """

    def __init__(self, path: Path) -> None:
        self._database = Database(path)
        self._leases = Leases(path.parent / ".leases")
        self.annotations = Annotations(self._database)

    @property
    def writable(self) -> bool:
        """Whether this journal can be written where it lies."""
        return self._database.writable

    # The ledger's head

    def head(self) -> LedgerHead:
        """Where the ledger ended when the journal last heard of it."""
        with self._database.read() as connection:
            return statements.read_head(connection)

    def set_head(self, head: tuple[int, str]) -> None:
        """Move the head on to `head`.

        Raises:
            EvidenceError: that would be back, or to another line of the same number: the ledger was changed.
        """
        with self._database.write() as connection:
            statements.write_head(connection, head)

    # Export requests

    def add_request(
        self,
        window: Window,
        filter: Filter,  # noqa: A002
        *,
        operator: str,
        now: datetime,
        source: str = "devrev",
    ) -> ExportRequest:
        """A new export request, in state `requested`.

        Args:
            window: the time asked for.
            filter: what it is narrowed to; empty: nothing.
            operator: who asks.
            now: the present, aware.
            source: the vendor.
        """
        identity = f"{now.astimezone(UTC):%Y%m%d}-{secrets.token_hex(3)}"
        values = (identity, source, *to_ends(window), filter_json(filter), to_us(now), operator)
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO export_request (id, source, start_us, end_us, filter, state, requested_at, operator)"
                " VALUES (?, ?, ?, ?, ?, 'requested', ?, ?)",
                values,
            )
            return statements.read_request(connection, identity)

    def request(self, id: str) -> ExportRequest:  # noqa: A002
        """The export request with this id.

        Raises:
            UsageError: there is none.
        """
        with self._database.read() as connection:
            return statements.read_request(connection, id)

    def requests(self) -> list[ExportRequest]:
        """All export requests, newest first."""
        with self._database.read() as connection:
            return statements.read_requests(connection)

    def update_request(self, id: str, **changes: Unpack[RequestChanges]) -> ExportRequest:  # noqa: A002
        """Change an export request.

        Args:
            id: its id.
            changes: fields of `RequestChanges`; of `link_name` only what stands before a `?` is kept.

        Raises:
            UsageError: no such request, or a state that cannot follow the one it is in.
        """
        with self._database.write() as connection:
            statements.write_request(connection, id, changes)
            return statements.read_request(connection, id)

    # Acquisitions

    def begin(
        self,
        *,
        id: str,  # noqa: A002
        key: str,
        kind: str,
        source: str,
        spec: dict[str, Any],
        now: datetime | None = None,
    ) -> AcquisitionRow:
        """Begin an acquisition, or begin one again that died or failed before its evidence was recorded.

        Args:
            id: its id.
            key: a digest that is the same for every try at the same thing.
            kind: `devrev`, `coderabbit` or `import`.
            source: the profile or vendor.
            spec: what is asked for, without secrets, enough to try again; JSON.
            now: the present, aware; None reads the clock.

        Raises:
            CaseError: a living process runs it, or its evidence is recorded already.
        """
        with self._leases.guarded(id), self._database.write() as connection:
            if statements.find_acquisition(connection, id):
                statements.insist_state(connection, id, "running", "failed")
            self._leases.sweep(row["id"] for row in connection.execute("SELECT id FROM acquisition"))
            self._lease(id)
            connection.execute(
                "INSERT INTO acquisition (id, key, kind, source, state, started_at, spec)"
                " VALUES (?, ?, ?, ?, 'running', ?, ?) ON CONFLICT (id) DO UPDATE SET key = excluded.key,"
                " kind = excluded.kind, source = excluded.source, state = 'running', spec = excluded.spec,"
                " started_at = excluded.started_at, finished_at = NULL, note = ''",
                (id, key, kind, source, to_us(now or datetime.now(UTC)), to_json(spec)),
            )
            return self._row(statements.read_acquisition(connection, id))

    def record(
        self,
        id: str,  # noqa: A002
        files: Sequence[KeptFile],
        window: Window | None,
        filter: Filter,  # noqa: A002
        head: tuple[int, str],
    ) -> AcquisitionRow:
        """The evidence is in the store and in the ledger: state `recorded`, and the ledger's new head.

        Args:
            id: the acquisition, which must be `running` (or `recorded`, to say the same again).
            files: its evidence, in order.
            window: the time it covers, when that is known already.
            filter: what it was narrowed to; empty: nothing.
            head: the ledger's head after its line.

        Raises:
            CaseError: it is in another state.
            EvidenceError: the head would move back.
        """
        listed = [{"sha256": f.sha256, "size": f.size, "name": f.name, "ext": f.ext} for f in files]
        with self._database.write() as connection:
            statements.insist_state(connection, id, "running", "recorded")
            connection.execute(
                "UPDATE acquisition SET state = 'recorded', files = ?, start_us = ?, end_us = ?, filter = ?"
                " WHERE id = ?",
                (to_json(listed), *to_ends(window), filter_json(filter), id),
            )
            statements.write_head(connection, head)
            return self._row(statements.read_acquisition(connection, id))

    def finish(
        self,
        id: str,  # noqa: A002
        counts: Counts,
        intervals: Sequence[Interval],
        *,
        lake_version: int | None,
        window: Window | None,
        note: str = "",
        now: datetime | None = None,
    ) -> AcquisitionRow:
        """The events are in the lake: state `done`, with its counts and what it covers. Saying so twice is harmless.

        Args:
            id: the acquisition, which must be `recorded` or `done`.
            counts: what became of its records.
            intervals: what it covers; they replace what it covered before.
            lake_version: version of the lake's table after its commit; None when nothing was committed.
            window: the time it covers.
            note: a remark.
            now: the present, aware; None reads the clock.

        Raises:
            CaseError: it is in another state.
        """
        with self._database.write() as connection:
            statements.insist_state(connection, id, "recorded", "done")
            connection.execute(
                "UPDATE acquisition SET state = 'done', finished_at = coalesce(finished_at, ?), records = ?,"
                " received = ?, stored = ?, duplicate = ?, rejected = ?, lake_version = ?, start_us = ?, end_us = ?,"
                " note = ? WHERE id = ?",
                (
                    *(to_us(now or datetime.now(UTC)), counts.records, counts.received, counts.stored),
                    *(counts.duplicate, counts.rejected, lake_version, *to_ends(window), note, id),
                ),
            )
            statements.write_coverage(connection, id, intervals)
            row = statements.read_acquisition(connection, id)
        self._leases.retire(id)
        return self._row(row)

    def fail(
        self,
        id: str,  # noqa: A002
        reason: str,
        intervals: Sequence[Interval] = (),
        *,
        now: datetime | None = None,
    ) -> AcquisitionRow:
        """State `failed`; what is in evidence stays there.

        Args:
            id: the acquisition, which must not be `done`.
            reason: why.
            intervals: what it tried to cover, as `failed`, or covered all the same.
            now: the present, aware; None reads the clock.

        Raises:
            CaseError: it is done.
        """
        with self._database.write() as connection:
            statements.insist_state(connection, id, "running", "recorded", "failed")
            connection.execute(
                "UPDATE acquisition SET state = 'failed', finished_at = ?, note = ? WHERE id = ?",
                (to_us(now or datetime.now(UTC)), reason, id),
            )
            statements.write_coverage(connection, id, intervals)
            row = statements.read_acquisition(connection, id)
        self._leases.drop(id)
        return self._row(row)

    def leave(self, id: str) -> None:  # noqa: A002
        """Say that this process works on an acquisition no more: any may `adopt` it."""
        self._leases.drop(id)

    def adopt(self, id: str) -> AcquisitionRow:  # noqa: A002
        """Take over an acquisition that was cut off, to bring it to its end; it is `alive` from now on.

        Args:
            id: the acquisition, which must be `running` or `recorded`.

        Raises:
            CaseError: it is in another state, or a living process runs it.
        """
        with self._leases.guarded(id), self._database.write() as connection:
            statements.insist_state(connection, id, "running", "recorded")
            self._lease(id)
            return self._row(statements.read_acquisition(connection, id))

    def pending(self) -> list[AcquisitionRow]:
        """Acquisitions `running` or `recorded`, oldest first; those not `alive` were cut off and wait to be resumed."""
        return self._acquisitions("WHERE state IN ('running', 'recorded') ORDER BY started_at, rowid")

    def acquisition(self, id: str) -> AcquisitionRow:  # noqa: A002
        """The acquisition with this id.

        Raises:
            UsageError: there is none.
        """
        with self._database.read() as connection:
            return self._row(statements.read_acquisition(connection, id))

    def acquisitions(self) -> list[AcquisitionRow]:
        """All acquisitions, newest first."""
        return self._acquisitions("ORDER BY started_at DESC, rowid DESC")

    def by_key(self, key: str, state: AcquisitionState | None = None) -> AcquisitionRow | None:
        """The newest acquisition with this key, in this state where one is given; None when there is none."""
        found = self._acquisitions(
            "WHERE key = ?1 AND (?2 IS NULL OR state = ?2) ORDER BY started_at DESC, rowid DESC LIMIT 1", key, state
        )
        return found[0] if found else None

    def unreported(self, key: str) -> AcquisitionRow | None:
        """The newest acquisition with this key that is done, but whose process was killed before it could say so."""
        row = self.by_key(key, "done")
        if row is None or not self._leases.inherit(row.id):
            return None
        self._leases.retire(row.id)
        return row

    def lake_version(self) -> int:
        """The newest version of the lake that an acquisition made, -1 where none did."""
        with self._database.read() as connection:
            return statements.read_lake_version(connection)

    # Coverage

    def intervals(
        self, window: Window | None = None, sources: Sequence[coverage.Source] | None = None
    ) -> list[Interval]:
        """What was acquired or tried, by source, tenant and time.

        Args:
            window: only what overlaps it; None: all.
            sources: only these sources and tenants; None: all.
        """
        with self._database.read() as connection:
            return statements.read_intervals(connection, window, sources)

    def gaps(
        self,
        window: Window,
        *,
        question_filter: Filter | None = None,
        sources: Sequence[coverage.Source] | None = None,
    ) -> list[Gap]:
        """What of `window` was not, or not surely, collected.

        Args:
            window: the time asked about.
            question_filter: what the question is narrowed to; an acquisition narrowed further does not answer it.
            sources: the sources and tenants that should cover it; None: all the journal knows.

        Returns:
            Gaps by source, tenant and time; one without a source when there is no source at all.
        """
        with self._database.read() as connection:
            wanted = statements.read_sources(connection) if sources is None else sources
            found = statements.read_intervals(connection, window, wanted)
        return coverage.gaps(window, found, wanted, question_filter or {})

    def span(self) -> Window | None:
        """From the first instant any interval covers to the last; None when there is none."""
        with self._database.read() as connection:
            return statements.read_span(connection)

    # Small state

    def get(self, name: str) -> str | None:
        """The value kept under `name`, or None."""
        with self._database.read() as connection:
            return statements.read_setting(connection, name)

    def put(self, name: str, value: str) -> None:
        """Keep `value` under `name`."""
        with self._database.write() as connection:
            connection.execute("INSERT OR REPLACE INTO setting (name, value) VALUES (?, ?)", (name, value))

    def _lease(self, identity: str) -> None:
        if not self._leases.take(identity):
            raise CaseError(f"Acquisition {identity} is under way in another process.", "Wait until it ends.")

    def _acquisitions(self, clause: str, *values: str | None) -> list[AcquisitionRow]:
        with self._database.read() as connection:
            rows = connection.execute(f"SELECT * FROM acquisition {clause}", values).fetchall()
        return [self._row(row) for row in rows]

    def _row(self, row: sqlite3.Row) -> AcquisitionRow:
        under_way = row["state"] in {"running", "recorded"}
        return to_acquisition(row, alive=under_way and self._leases.is_alive(row["id"]))
