"""The lake of a case: events and rejects, one commit an acquisition, exactly once."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from investigate.errors import LakeError, first_line
from investigate.events import Window, event_schema, just_after, reject_schema
from investigate.lake.connections import Connections
from investigate.lake.runs import Runs, summed_up
from investigate.lake.storage import storage_of
from investigate.lake.table import Change, Table
from investigate.lake.touches import ORDERS, kept, of_events

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import timedelta
    from pathlib import Path

    import duckdb
    import polars as pl

    from investigate.lake.compaction import Compacted, Group
    from investigate.lake.lookup import LookUp
    from investigate.lake.rollup import Rollup, Told
    from investigate.lake.staging import Staging
    from investigate.lake.table import Snapshot
    from investigate.lake.vacuum import Vacuumed

_PASSES: Final = 8
"""Each makes so many files one as memory bears; what others write meanwhile is left to a later compaction."""


@dataclass(frozen=True)
class Written:
    """What a commit did: counts of events and rejects, the version after it, whether it was new, and a remark."""

    received: int
    stored: int
    duplicate: int
    rejected: int
    records: int
    version: int
    replayed: bool = False
    note: str = ""


class Lake(Connections):
    """The Delta tables of a case.

    Args:
        root: the case's `lake/`; need not exist. Writers work below it even where the tables lie elsewhere.
        memory: what an engine may use, in bytes.
        uri: where the tables lie, `s3://bucket/prefix`; None is `root`.

    Raises:
        ConfigError: the address has another form.
    """

    def __init__(self, root: Path, memory: int = 512 * 2**20, uri: str | None = None) -> None:
        self.root, self._memory = root.absolute(), memory
        self._spanned: tuple[int, Window | None] = (-1, None)
        storage = storage_of(self.root, uri)
        self.events = Table(storage.below("events"), event_schema, ("time", "source", "event_uid"), "date")
        self.rejects = Table(storage.below("rejects"), reject_schema, ("evidence", "evidence_record"))
        self.orders = {
            order.name: Runs(order, Table(storage.below(order.name), order.schema, order.sort)) for order in ORDERS
        }

    def span(self) -> Window | None:
        """From the first event to just behind the last; None of an empty lake."""
        version = self.events.version()
        if version != self._spanned[0]:
            found = self.events.bounds("time")
            self._spanned = (version, Window(found[0], just_after(found[1])) if found else None)
        return self._spanned[1]

    @cached_property
    def touches(self) -> Rollup:
        """What keeps the roll-up of the events."""
        from investigate.lake.rollup import Rollup  # noqa: PLC0415 - see `stage`

        return Rollup(self.events, self.orders, self._tables(), self._scratch, self._memory // 3)

    @cached_property
    def look_up(self) -> LookUp:
        """What finds a few rows of the roll-up."""
        from investigate.lake.lookup import LookUp  # noqa: PLC0415 - see `stage`

        return LookUp(self.orders, self._memory)

    def expose_touches(self, connection: duckdb.DuckDBPyConnection, version: int, query: str) -> None:
        """Make the orders of `touches` that a query names views of a connection: of their files, else of the events.

        Only those, because opening their tables takes as long as a short answer.

        Args:
            connection: from `borrow`.
            version: of the events, which are a view of it.
            query: any text.
        """
        for order in ORDERS:
            if order.name in query and not self.look_up.expose(connection, order.name, version):
                summed = f"SELECT {kept(order)} FROM ({of_events('events')})"
                connection.execute(f"CREATE OR REPLACE TEMP VIEW {order.name} AS {summed}")

    def summed_up(self, version: int) -> bool:
        """Whether the roll-up is that of the events at this version."""
        return summed_up(self.orders, version)

    @contextmanager
    def stage(self, acquisition: str) -> Iterator[Staging]:
        """An empty place for this acquisition's events, gone when left.

        Raises:
            LakeError: the engine or the disk failed; none of the acquisition's events is in the lake then.
        """
        import duckdb  # noqa: PLC0415 - a look-up needs neither this

        from investigate.lake.scratch import Scratch  # noqa: PLC0415 - nor pyarrow's writers
        from investigate.lake.staging import Staging  # noqa: PLC0415

        try:
            with ExitStack() as stack:
                scratch = stack.enter_context(Scratch(self._scratch(acquisition), self._memory // 3, self._tables()))
                yield stack.enter_context(Staging(scratch, self.events, self.rejects, self._memory))
        except (duckdb.Error, OSError) as error:
            reason = first_line(error)
            raise LakeError(
                f"The acquisition could not be finished: {reason}",
                "Free some space if the disk is full, then run the same command again: it goes on from the evidence.",
            ) from error

    @contextmanager
    def aside(self, writer: str) -> Iterator[Path]:
        """A folder for what is not ready to be staged, gone when left, and cleared away after who was killed.

        Raises:
            LakeError: it cannot be made.
        """
        from investigate.lake.scratch import Scratch  # noqa: PLC0415 - see `stage`

        with ExitStack() as stack:
            try:
                scratch = stack.enter_context(Scratch(self._scratch(writer), self._memory, ()))
            except OSError as error:
                raise LakeError(
                    f"Nothing can be set aside: {first_line(error)}", "See whether the case can be written."
                ) from error
            yield scratch.folder

    def staged(self) -> list[str]:
        """The writers that have something in staging, acquisitions and compactions: under way, or killed."""
        folder = self.root / ".staging"
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    def discard(self, writer: str) -> None:
        """Remove what a killed writer left, in staging and in the tables; one that is alive is left alone."""
        from investigate.lake.scratch import discard  # noqa: PLC0415 - see `stage`

        discard(self._scratch(writer), self._tables())

    def commit(self, staging: Staging, acquisition: str, records: int, progress: Told = None) -> Written:
        """Add an acquisition to the lake: all of its events or, after a crash, none of them, and never twice.

        Its rejects come first, in a commit of their own: they may be there without the events until it is done again.
        Other writers may commit to the same lake meanwhile, also from other machines: see `Table.transact`.

        Args:
            staging: its events and rejects.
            acquisition: its id, Delta's application transaction.
            records: how many of the vendor's records it has.
            progress: called, once the acquisition is in the lake, while it is summed up; see `rebuild_touches`.
        """
        if (earlier := self.committed(acquisition)) is not None:
            # What was killed between the two commits is made up for here, not at the next acquisition.
            return replace(earlier, note=self._sum_up(progress=progress))
        if staging.rejects and self.rejects.committed(acquisition) is None:
            self.rejects.transact(
                acquisition,
                lambda snapshot: Change(staging.new_rejects.files(snapshot), counts={"rejected": staging.rejects}),
            )
        counts: dict[str, int] = {}

        def change(snapshot: Snapshot) -> Change:
            files, duplicate = staging.new_events.files(snapshot), staging.new_events.dropped
            counts.update(
                records=records,
                received=staging.events + staging.rejects,
                stored=staging.events - duplicate,
                duplicate=duplicate,
                rejected=staging.rejects,
            )
            return Change(files, counts=counts)

        version = self.events.transact(acquisition, change)
        note = self._sum_up(staging.new_events.copies(), progress)
        self._tidy()
        return _written(counts, version, note=note)

    def _sum_up(self, copies: Mapping[str, Path] = MappingProxyType({}), progress: Told = None) -> str:
        """Bring the roll-up up to date; else why it is not, which makes questions slow and nothing worse."""
        try:
            self.touches.catch_up(copies, progress)
        except LakeError as error:
            return f"The events are stored, but not summed up yet. {error.message} {error.hint}".rstrip()
        return ""

    def rebuild_touches(self, progress: Told = None) -> int:
        """Sum all events up anew; how many there are.

        Args:
            progress: called with the events summed up so far and those there are, first with none.

        Raises:
            LakeError: it cannot be written, or other writers are at it.
        """
        self._clear_left()
        return self.touches.rebuild(progress)

    def _clear_left(self) -> None:
        """Remove what writers left that were killed while they put the lake in order."""
        from investigate.lake import compaction, rollup  # noqa: PLC0415 - see `stage`

        for writer in self.staged():
            if writer.startswith((compaction.NAME, rollup.NAME)):
                self.discard(writer)

    def compact(self, target: int | None = None, progress: Told = None) -> Compacted:
        """Make the small files of each day few, and likewise those of the rejects.

        No event changes. Readers keep their snapshots, whose files stay until a vacuum; writers may go on.

        Args:
            target: bytes a file is meant to have, 128 MiB where None.
            progress: called, in any thread, with the rows merged so far and those to be merged, of one table at a time.

        Raises:
            LakeError: a file cannot be read or written; what was compacted before that stays so.
        """
        from investigate.lake import compaction  # noqa: PLC0415 - see `stage`

        self._clear_left()
        self._sum_up()  # while the files that were not summed up yet can be told from those that were
        before, size = self.events.details(), target or compaction.TARGET
        merged = 0
        for _ in range(_PASSES):
            small = [(table, compaction.all_small(table, size)) for table in self._plain()]
            new = sum(self._merge(table, groups, size, self._memory, progress) for table, groups in small)
            merged += new
            if not new:
                break
        if merged:
            self._sum_up()
        after = self.events.details()
        return compaction.Compacted(
            version=self.events.snapshot().version,
            files_before=len(before),
            files_after=len(after),
            bytes_before=sum(row["size_bytes"] for row in before),
            bytes_after=sum(row["size_bytes"] for row in after),
            rewritten=merged,
        )

    def vacuum(self, keep: timedelta | None = None) -> Vacuumed:
        """Remove what no version younger than `keep` needs, and what failed writes left a day ago or earlier.

        Args:
            keep: how long an old version stays readable, seven days where None, thirty at most; whole hours count.

        Raises:
            UsageError: longer, or negative.
            LakeError: the lake cannot be read or written.
        """
        from investigate.lake.vacuum import KEEP, Vacuumed, vacuum  # noqa: PLC0415 - seldom asked for

        done = [vacuum(table, KEEP if keep is None else keep) for table in self._plain()]
        return Vacuumed(sum(one.files for one in done), sum(one.bytes for one in done))

    def _tidy(self) -> None:
        """Merge what has become too many files of one size in a day, so that late pieces do not make reads slow."""
        from investigate.lake.compaction import TARGET, too_many  # noqa: PLC0415 - see `stage`

        # The acquisition is committed; what fails here is done again after the next one, or by `compact`.
        with suppress(LakeError, OSError):
            half = self._memory // 2  # the other is what an acquisition has left behind in its process
            if sum(self._merge(table, too_many(table), TARGET, half) for table in self._plain()):
                self._sum_up()

    def _merge(self, table: Table, groups: Sequence[Group], target: int, memory: int, progress: Told = None) -> int:
        import duckdb  # noqa: PLC0415 - see `stage`
        import pyarrow as pa  # noqa: PLC0415

        from investigate.lake.compaction import Compactor  # noqa: PLC0415

        if not groups:
            return 0
        compactor = Compactor(table, self._tables(), self._scratch, memory, progress)
        try:
            return compactor.run(groups, target)
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            reason = first_line(error)
            raise LakeError(
                f"The lake could not be compacted: {reason}",
                "Free some space if the disk is full; see whether a file is damaged: investigate lake info",
            ) from error

    def committed(self, acquisition: str) -> Written | None:
        """What this acquisition's commit did, where there was one."""
        counts = self.events.committed(acquisition)
        if counts is None:
            return None
        if not counts:
            raise LakeError(f"The counts of acquisition {acquisition} are no longer in the log.", "Import it again.")
        return _written(counts, self.events.snapshot().version, replayed=True)

    def scan(self, version: int | None = None) -> pl.LazyFrame:
        """The events as a Polars LazyFrame, columns as in `event_schema()`."""
        import polars as pl  # noqa: PLC0415 - half a second that other engines' users need not wait

        snapshot = self.events.snapshot(version)
        if not snapshot.files:
            return pl.DataFrame(pl.from_arrow(event_schema().empty_table())).lazy()
        # The snapshot's files by name: `scan_delta` loses its way in folders whose names need percent-encoding, and a
        # folder above the lake whose name has a `=` counts as a partition, before the file's own column of that name.
        if "=" in self.events.storage.uri:
            options = self.events.storage.options
            lazy = pl.scan_parquet(list(snapshot.files), glob=False, hive_partitioning=False, storage_options=options)
            return lazy.with_columns(pl.col("time").dt.date().alias("date")).select(event_schema().names)
        frame = pl.scan_parquet(
            list(snapshot.files),
            glob=False,
            hive_partitioning=True,
            hive_schema={"date": pl.Date},
            storage_options=self.events.storage.options,
        )
        return frame.select(event_schema().names)

    def info(self) -> dict[str, Any]:
        """How much there is of the events, and how it lies.

        Returns:
            `version`, `events`, `files`, `bytes`, `days`, `first_day`, `last_day`, `rejects`, `versions` (that the log
            still tells, though a vacuum may have taken their files), `touches_bytes`, `summed_up` (whether `touches`
            is up to date), `raw_bytes` (of the vendors' records, to within a thousandth) and `raw_ratio` (`bytes` to
            `raw_bytes`, None for an empty lake).

        Raises:
            LakeError: a file of the lake is missing or damaged.
        """
        rows = self.events.details()
        days = sorted({str(row["partition.date"]) for row in rows})
        size, raw = sum(row["size_bytes"] for row in rows), self._looked_at()
        return {
            "version": self.events.snapshot().version,
            "events": sum(row["num_records"] or 0 for row in rows),
            "files": len(rows),
            "bytes": size,
            "days": len(days),
            "first_day": days[0] if days else None,
            "last_day": days[-1] if days else None,
            "rejects": sum(row["num_records"] or 0 for row in self.rejects.details()),
            "touches_bytes": sum(runs.bytes for runs in self.orders.values()),
            "summed_up": self.summed_up(self.events.snapshot().version),
            "versions": self.events.versions(),
            "raw_bytes": raw,
            "raw_ratio": round(size / raw, 3) if raw else None,
        }

    def _looked_at(self) -> int:
        """Bytes of the vendors' records; each file of the lake is looked at on the way."""
        from investigate.lake.footers import RESTORE, footers  # noqa: PLC0415 - see `stage`
        from investigate.lake.lookup import REBUILD  # noqa: PLC0415
        from investigate.lake.parquet import raw_bytes  # noqa: PLC0415

        for table in self._tables()[1:]:
            for _ in footers(table, RESTORE if table is self.rejects else REBUILD):
                pass
        return sum(map(raw_bytes, footers(self.events, RESTORE)))

    def _scratch(self, writer: str) -> Path:
        return self.root / ".staging" / writer

    def _plain(self) -> tuple[Table, ...]:
        """The tables that are not derived from others."""
        return (self.events, self.rejects)

    def _tables(self) -> tuple[Table, ...]:
        return (self.events, self.rejects, *(runs.table for runs in self.orders.values()))


def _written(counts: Mapping[str, int], version: int, *, replayed: bool = False, note: str = "") -> Written:
    named = {name: counts[name] for name in ("received", "stored", "duplicate", "rejected", "records")}
    return Written(**named, version=version, replayed=replayed, note=note)
