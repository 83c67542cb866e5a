"""One Delta table of the lake: its snapshots, and commits that stand on the one they were made for, or not at all."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.exceptions import DeltaError, TableNotFoundError

from investigate.errors import LakeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pyarrow as pa
    from deltalake.transaction import AddAction, RemoveAction

    from investigate.lake.storage import Storage

_PATIENCE: Final = 600.0
"""Seconds after which a writer that others always come before gives up."""
_SETTINGS: Final = {
    "delta.logRetentionDuration": "interval 30 days",
    "delta.deletedFileRetentionDuration": "interval 30 days",
    "delta.checkpointInterval": "20",
}
"""How long the log tells old versions, and what was removed when: the longest a vacuum can be told to keep; and how
many commits at most whoever opens the table reads one by one."""
_LOG: Final = "_delta_log"
_COMMIT: Final = re.compile(_LOG + r"/\d{20}\.json")
_DRAWN: Final = re.compile(r"\x1b\[\d*m|\N{DOWNWARDS ARROW WITH TIP RIGHTWARDS}")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 2.0


@dataclass(frozen=True)
class Snapshot:
    """The files of a table at one version.

    Attributes:
        version: Delta's version, -1 for a table that was never written.
        files: absolute paths, or addresses `s3://…`.
        names: the same, below the table's root.
    """

    version: int
    files: tuple[str, ...]
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """What a commit does.

    Attributes:
        added: files.
        removed: files, none of them added.
        counts: are kept with it.
    """

    added: Sequence[AddAction] = ()
    removed: Sequence[RemoveAction] = ()
    counts: Mapping[str, int] = field(default_factory=dict)


class Table:
    """A Delta table.

    Args:
        storage: where it lies; nothing need be there.
        schema: makes that of its rows, the partition's column included; who only looks rows up needs none.
        order: columns by which the rows of a file are sorted.
        partition_by: the partition's column, if any.
    """

    def __init__(
        self, storage: Storage, schema: Callable[[], pa.Schema], order: Sequence[str], partition_by: str | None = None
    ) -> None:
        self.storage, self._schema, self.order, self.partition_by = storage, schema, tuple(order), partition_by
        self._live: DeltaTable | None = None
        self._lock = threading.Lock()
        self._ends = -1  # the newest version when last looked
        self._seen = Snapshot(-1, ())  # the newest when last looked: what it has need not be read again

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns of its rows."""
        return self._schema()

    @property
    def file_schema(self) -> pa.Schema:
        """The columns of its files: the partition's stands in their paths."""
        if self.partition_by is None:
            return self.schema
        return self.schema.remove(self.schema.get_field_index(self.partition_by))

    def snapshot(self, version: int | None = None) -> Snapshot:
        """The files at `version`, the newest where None; at -1, before the first, there are none.

        Raises:
            LakeError: there is no such version, it is no longer whole, or the table cannot be read.
        """
        if version == -1:
            return Snapshot(-1, ())
        if version is not None and version > self._seen.version:
            self.snapshot()
        if version is not None and self._seen.version == version:
            return self._seen
        table = self.open() if version is None else self._open(version)
        if table is None and version is not None:
            raise LakeError(f"The lake has no version {version}: it is empty.", "See: investigate lake info")
        if version is None and table is not None and table.version() == self._seen.version:
            return self._seen
        found = self._snapshot(table) if table is not None else Snapshot(-1, ())
        if version is None:
            self._seen = found
        else:
            self._check_whole(found)
        return found

    def version(self) -> int:
        """The newest version, -1 of a table that was never written, without reading what is in it."""
        if self._live is None and self.storage.local_folders:
            # The log of a folder is at hand, and a file of it is one commit, there whole or not at all.
            if self._ends >= 0 and self._is_newest(self._ends):
                return self._ends
            names = [stored.name for stored in self.storage.listed(_LOG) if _COMMIT.fullmatch(stored.name)]
            if names:
                self._ends = int(max(names)[-25:-5])
                return self._ends
        table = self.open()
        return -1 if table is None else table.version()

    def versions(self) -> int:
        """How many versions the log still tells."""
        return sum(1 for stored in self.storage.listed(_LOG) if _COMMIT.fullmatch(stored.name))

    def details(self) -> list[dict[str, Any]]:
        """One row a file: path, size_bytes, num_records, partition and statistics, flattened."""
        table = self.open()
        if table is None:
            return []
        columns = table.get_add_actions(flatten=True)
        names = columns.schema.names
        values = [columns.column(name).to_pylist() for name in names]
        return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]

    def bounds(self, column: str) -> tuple[Any, Any] | None:
        """The smallest and the largest value of a column, by the files' statistics; None where these say nothing."""
        table = self.open()
        if table is None:
            return None
        files = table.get_add_actions(flatten=True)
        if f"min.{column}" not in files.schema.names:
            return None
        low, high = (files.column(f"{end}.{column}").to_pylist() for end in ("min", "max"))
        found = [(one, other) for one, other in zip(low, high, strict=True) if one is not None and other is not None]
        return (min(one for one, _ in found), max(other for _, other in found)) if found else None

    def committed(self, identity: str) -> Mapping[str, Any] | None:
        """What was noted with this writer's commit, None where it has not committed here."""
        found = self._commit_of(identity)
        return None if found is None else found[1]

    def committed_at(self, identity: str) -> int | None:
        """The version this writer's commit made, None where it has not committed here."""
        found = self._commit_of(identity)
        return None if found is None else found[0]

    def noted(self, version: int) -> tuple[str, Mapping[str, Any]] | None:
        """Who made a version, and what was noted with it; None where the log does not go so far back.

        Read from the log itself: `DeltaTable.history` finds nothing in a folder whose name holds a `#`, and tells of
        later versions too.
        """
        said = self.storage.read(f"{_LOG}/{version:020}.json")
        if said is None:
            return None
        actions = (json.loads(line) for line in said.splitlines() if line.strip())
        info: dict[str, Any] = next((action["commitInfo"] for action in actions if "commitInfo" in action), {})
        return str(info.get("acquisition", "")), dict(json.loads(info.get("counts", "{}")))

    def _commit_of(self, identity: str) -> tuple[int, Mapping[str, Any]] | None:
        table = self._open()
        if table is None or table.transaction_version(identity) is None:
            return None
        version = newest = table.version()
        while found := self.noted(version):
            if found[0] == identity:
                return version, found[1]
            version -= 1
        return newest, {}

    def transact(self, identity: str, prepare: Callable[[Snapshot], Change | None]) -> int:
        """Commit a change once, on the very snapshot it was prepared for; the version it made.

        Where another writer, on this machine or another, commits first, the change is prepared again for what the
        table is then. So of two that bring the same event one finds it there, and nothing is lost or twice.

        Args:
            identity: of the writer: Delta's application transaction. One that has committed is not asked again.
            prepare: makes the change for a snapshot; called once a try, and tells by itself what of an earlier try
                to use again or remove. None where there is nothing left to do: the version is then the snapshot's.

        Raises:
            LakeError: the commit failed, or others came first for ten minutes.
        """
        self.storage.prepare()
        for _ in _tries():
            table = self._open() or self._create()
            if table.transaction_version(identity) is not None:
                break  # an earlier try, whose answer was lost on its way
            snapshot = self._snapshot(table)
            change = prepare(snapshot)
            if change is None:
                return snapshot.version
            try:
                self._commit(table, identity, change)
            except (DeltaError, OSError) as error:
                if self.snapshot().version == snapshot.version:  # nobody came first: it is no conflict
                    reason = f"The lake could not be written: {_short(error)}"
                    raise LakeError(reason, "Run the same command again.") from error
                continue
            self.storage.seal(snapshot.version + 1)
            return snapshot.version + 1
        version = self.committed_at(identity)
        if version is None:
            raise LakeError("Other writers have come first for ten minutes.", "Run the same command again.")
        self.storage.seal(version)
        return version

    def open(self) -> DeltaTable | None:
        """The newest state as delta-rs has it, None where nothing was ever written; to be read only.

        Raises:
            LakeError: it cannot be read.
        """
        with self._lock:
            if self._live is None:
                self._live = self._open()
                return self._live
            if self._is_newest(self._live.version()):
                return self._live
            try:
                self._live.update_incremental()
            except (DeltaError, OSError):
                self._live = self._open()  # its log was cut short, or the folder is another one
            return self._live

    def _is_newest(self, version: int) -> bool:
        """Whether the log of a folder surely ends with a version: asking Delta takes a hundred times as long."""
        here, later = (f"{_LOG}/{number:020}.json" for number in (version, version + 1))
        # Where neither is there, the log was cut short or is another one; a bucket's is asked for by one request.
        return bool(self.storage.local_folders) and self.storage.exists(here) and not self.storage.exists(later)

    def counts(self) -> dict[str, int]:
        """How many rows each file of the newest version has, by its name below the root."""
        table = self.open()
        if table is None:
            return {}
        files = table.get_add_actions()
        return dict(zip(files.column("path").to_pylist(), files.column("num_records").to_pylist(), strict=True))

    def stored_since(self, version: int) -> bool:
        """Whether a commit after this version may have brought rows that were not in the table before."""
        newest = self.snapshot().version
        made = [self.noted(later) for later in range(newest, version, -1)]
        return any(found is None or found[1].get("stored", 1) for found in made)

    def _commit(self, table: DeltaTable, identity: str, change: Change) -> None:
        notes = {"acquisition": identity, "counts": json.dumps(dict(change.counts), sort_keys=True)}
        table.create_write_transaction(
            [*change.added, *change.removed],
            "append",
            Schema.from_arrow(self.schema),
            self._partition(),
            commit_properties=CommitProperties(
                notes,
                # Delta would let two appends pass each other, both having found that an event is not there yet.
                max_commit_retries=0,
                app_transactions=[Transaction(identity, 1)],
            ),
        )

    def _create(self) -> DeltaTable:
        try:
            table = DeltaTable.create(
                self.storage.uri,
                Schema.from_arrow(self.schema),
                mode="ignore",
                partition_by=self._partition(),
                configuration=_SETTINGS,
                storage_options=self.storage.options,
            )
        except (DeltaError, OSError) as error:
            found = self._open()  # another writer may have been faster
            if found is None:
                raise LakeError(
                    f"The lake could not be made: {_short(error)}", "Run the same command again."
                ) from error
            return found
        self.storage.seal(0)
        return table

    def _open(self, version: int | None = None) -> DeltaTable | None:
        try:
            return DeltaTable(self.storage.uri, version=version, storage_options=self.storage.options)
        except TableNotFoundError:
            return None
        except (DeltaError, OSError) as error:
            raise LakeError(f"The lake could not be read: {_short(error)}", "See: investigate lake info") from error

    def _snapshot(self, table: DeltaTable) -> Snapshot:
        # Not `file_uris()`: it percent-encodes what a folder's name may well contain.
        while True:  # another thread may bring the table up to date, in place, between the two
            version = table.version()
            names = sorted(table.get_add_actions().column("path").to_pylist())
            if table.version() == version:
                return Snapshot(version, tuple(self.storage.locate(name) for name in names), tuple(names))

    def _check_whole(self, old: Snapshot) -> None:
        """An old version may have been vacuumed: what the newest no longer has may be gone."""
        newest = set(self.snapshot().names)
        if any(not self.storage.exists(name) for name in old.names if name not in newest):
            raise LakeError(
                f"Version {old.version} of the lake was vacuumed: some of its files are gone.",
                "Ask a newer version: its events are the same or more.",
            )

    def _partition(self) -> list[str]:
        return [self.partition_by] if self.partition_by else []


def _tries() -> Iterator[None]:
    """At once, then after pauses that differ between writers, for a bounded time."""
    deadline, pause = time.monotonic() + _PATIENCE, _FIRST_PAUSE
    while time.monotonic() < deadline:
        yield
        time.sleep(random.uniform(0, pause))  # noqa: S311 - no secret hangs on it
        pause = min(2 * pause, _LONGEST_PAUSE)


def _short(error: Exception) -> str:
    """What failed and why it did: the first and the last line of what may be a chain of causes, drawn in colours."""
    lines = [line.strip() for line in _DRAWN.sub("", str(error)).splitlines() if line.strip()]
    return ": ".join(dict.fromkeys((lines[0][:120], lines[-1][:120]))) if lines else type(error).__name__
