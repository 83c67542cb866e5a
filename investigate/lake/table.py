"""One Delta table of the lake: its snapshot, and commits that happen exactly once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.exceptions import DeltaError, TableNotFoundError

from investigate.errors import LakeError
from investigate.lake.private import FILE, FOLDER, make_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa
    from deltalake.transaction import AddAction


@dataclass(frozen=True)
class Snapshot:
    """The files of a table at one version.

    Attributes:
        version: Delta's version, -1 for a table that was never written.
        files: absolute paths.
    """

    version: int
    files: tuple[str, ...]


class Table:
    """A Delta table in a folder.

    Args:
        path: the folder; need not exist.
        schema: of its rows, the partition's column included.
        partition_by: the partition's column, if any.
    """

    def __init__(self, path: Path, schema: pa.Schema, partition_by: str | None = None) -> None:
        self.path, self.schema, self.partition_by = path, schema, partition_by

    def snapshot(self, version: int | None = None) -> Snapshot:
        """The files at `version`, the newest where None; at -1, before the first, there are none.

        Raises:
            LakeError: there is no such version, or the table cannot be read.
        """
        if version == -1:
            return Snapshot(-1, ())
        table = self._open(version)
        if table is None:
            if version is not None:
                raise LakeError(f"The lake has no version {version}: it is empty.", "See: investigate lake info")
            return Snapshot(-1, ())
        # Not `file_uris()`: it percent-encodes what a folder's name may well contain.
        names = table.get_add_actions().column("path").to_pylist()
        return Snapshot(table.version(), tuple(sorted(str(self.path / name) for name in names)))

    def details(self) -> list[dict[str, Any]]:
        """One row a file: path, size_bytes, num_records, partition and statistics, flattened."""
        table = self._open()
        if table is None:
            return []
        columns = table.get_add_actions(flatten=True)
        names = columns.schema.names
        values = [columns.column(name).to_pylist() for name in names]
        return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]

    def committed(self, acquisition: str) -> Mapping[str, Any] | None:
        """What was noted with this acquisition's commit, None where it has not committed here."""
        table = self._open()
        if table is None or table.transaction_version(acquisition) is None:
            return None
        for commit in table.history():
            if commit.get("acquisition") == acquisition:
                return dict(json.loads(commit.get("counts", "{}")))
        return {}

    def commit(self, files: Sequence[AddAction], acquisition: str, counts: Mapping[str, int]) -> int:
        """Add files in one transaction that carries the acquisition's id; the version it made.

        Raises:
            LakeError: the commit failed; the files are then no part of the table.
        """
        notes = {"acquisition": acquisition, "counts": json.dumps(dict(counts), sort_keys=True)}
        properties = CommitProperties(custom_metadata=notes, app_transactions=[Transaction(acquisition, 1)])
        try:
            table = self._open() or self._create()
            table.create_write_transaction(
                list(files), "append", Schema.from_arrow(self.schema), self._partition(), commit_properties=properties
            )
        except (DeltaError, OSError) as error:
            raise LakeError(f"The lake could not be written: {_short(error)}", "Run the same command again.") from error
        version = self.snapshot().version
        self._make_private(version)
        return version

    def _make_private(self, version: int) -> None:
        """The log's files are made by the Delta library, which asks nobody for whom."""
        log = self.path / "_delta_log"
        log.chmod(FOLDER)
        for made in (*log.glob(f"{version:020}*"), *log.glob("_*")):
            made.chmod(FILE)

    def _create(self) -> DeltaTable:
        make_folder(self.path)
        table = DeltaTable.create(
            self.path, Schema.from_arrow(self.schema), mode="ignore", partition_by=self._partition()
        )
        self._make_private(0)
        return table

    def _open(self, version: int | None = None) -> DeltaTable | None:
        if not (self.path / "_delta_log").is_dir():
            return None
        try:
            return DeltaTable(self.path, version=version)
        except TableNotFoundError:
            return None
        except (DeltaError, OSError) as error:
            raise LakeError(f"The lake could not be read: {_short(error)}", "See: investigate lake info") from error

    def _partition(self) -> list[str]:
        return [self.partition_by] if self.partition_by else []


def _short(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
