"""The lake of a case: events and rejects, one commit an acquisition, exactly once."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb

from investigate.errors import LakeError
from investigate.events import event_schema, reject_schema
from investigate.lake import sql
from investigate.lake.staging import Staging
from investigate.lake.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import polars as pl


@dataclass(frozen=True)
class Written:
    """What a commit did: counts of events and rejects, the lake's version after it, and whether it was new."""

    received: int
    stored: int
    duplicate: int
    rejected: int
    records: int
    version: int
    replayed: bool = False


class Lake:
    """The Delta tables below a case's `lake/`.

    Args:
        root: the folder; need not exist.
        memory: what an engine may use, in bytes.
    """

    def __init__(self, root: Path, memory: int = 512 * 2**20) -> None:
        self.root, self._memory = root.absolute(), memory
        self.events = Table(self.root / "events", event_schema(), "date")
        self.rejects = Table(self.root / "rejects", reject_schema())

    @contextmanager
    def stage(self, acquisition: str) -> Iterator[Staging]:
        """An empty place for this acquisition's events, gone when left.

        Raises:
            LakeError: the engine or the disk failed; nothing of the acquisition is in the lake then.
        """
        try:
            with Staging(self.root / ".staging" / acquisition, self._memory // 2) as staging:
                yield staging
        except (duckdb.Error, OSError) as error:
            reason = str(error).partition("\n")[0][:200]
            raise LakeError(
                f"The acquisition could not be finished: {reason}",
                "Free some space if the disk is full, then run the same command again: it goes on from the evidence.",
            ) from error

    def staged(self) -> list[str]:
        """The acquisitions that have something in staging: under way, or killed."""
        folder = self.root / ".staging"
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    def discard(self, acquisition: str) -> None:
        """Remove what a killed process left in staging."""
        shutil.rmtree(self.root / ".staging" / acquisition, ignore_errors=True)

    def commit(self, staging: Staging, acquisition: str, records: int) -> Written:
        """Add an acquisition to the lake: all of it or, after a crash, none of it, and never twice.

        The caller holds the case's lock, so that no other commit comes between looking for duplicates and adding.

        Args:
            staging: its events and rejects.
            acquisition: its id, Delta's application transaction.
            records: how many of the vendor's records it has.
        """
        if (earlier := self.committed(acquisition)) is not None:
            return earlier
        if staging.rejects and self.rejects.committed(acquisition) is None:
            fresh = staging.write_rejects(self.rejects, acquisition, list(self.rejects.snapshot().files))
            self.rejects.commit(fresh, acquisition, {"rejected": staging.rejects})
        days = {day.isoformat() for day in staging.dates()}
        duplicate = staging.drop_duplicates([path for path in self.events.snapshot().files if _day(path) in days])
        counts = {
            "records": records,
            "received": staging.events + staging.rejects,
            "stored": staging.events - duplicate,
            "duplicate": duplicate,
            "rejected": staging.rejects,
        }
        files = staging.write(self.events, acquisition)
        return _written(counts, self.events.commit(files, acquisition, counts))

    def committed(self, acquisition: str) -> Written | None:
        """What this acquisition's commit did, where there was one."""
        counts = self.events.committed(acquisition)
        if counts is None:
            return None
        if not counts:
            raise LakeError(f"The counts of acquisition {acquisition} are no longer in the log.", "Import it again.")
        return _written(counts, self.events.snapshot().version, replayed=True)

    def connect(self, version: int | None = None) -> duckdb.DuckDBPyConnection:
        """A locked DuckDB connection with the views `events` and `rejects`; see `lake.sql`.

        Args:
            version: of the events, the newest where None.
        """
        tables = {"events": self.events.snapshot(version), "rejects": self.rejects.snapshot()}
        return sql.connect(self.root, tables, self._memory)

    def scan(self, version: int | None = None) -> pl.LazyFrame:
        """The events as a Polars LazyFrame, columns as in `event_schema()`."""
        import polars as pl  # noqa: PLC0415 - half a second that other engines' users need not wait

        snapshot = self.events.snapshot(version)
        if not snapshot.files:
            return pl.DataFrame(pl.from_arrow(event_schema().empty_table())).lazy()
        # The snapshot's files by name: `scan_delta` loses its way in folders whose names need percent-encoding, and a
        # folder above the lake whose name has a `=` counts as a partition.
        above = [part.partition("=")[0] for part in self.root.parts if "=" in part]
        partitions = {**dict.fromkeys(above, pl.String), "date": pl.Date}
        frame = pl.scan_parquet(list(snapshot.files), glob=False, hive_partitioning=True, hive_schema=partitions)
        return frame.select(event_schema().names)

    def info(self) -> dict[str, Any]:
        """Version, events, files, bytes, days, first and last day, and rejects."""
        rows = self.events.details()
        days = sorted({str(row["partition.date"]) for row in rows})
        return {
            "version": self.events.snapshot().version,
            "events": sum(row["num_records"] or 0 for row in rows),
            "files": len(rows),
            "bytes": sum(row["size_bytes"] for row in rows),
            "days": len(days),
            "first_day": days[0] if days else None,
            "last_day": days[-1] if days else None,
            "rejects": sum(row["num_records"] or 0 for row in self.rejects.details()),
            "versions": self.events.snapshot().version + 1,
        }


def _written(counts: Mapping[str, int], version: int, *, replayed: bool = False) -> Written:
    return Written(
        received=counts["received"],
        stored=counts["stored"],
        duplicate=counts["duplicate"],
        rejected=counts["rejected"],
        records=counts["records"],
        version=version,
        replayed=replayed,
    )


def _day(path: str) -> str:
    return path.replace("\\", "/").rsplit("/", 2)[-2].removeprefix("date=")
