"""`Case`: the folder of one investigation, and the only place where all rooms meet."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from investigate import config
from investigate.case import coverage as coverages
from investigate.case import versions
from investigate.case.coverage import Coverage
from investigate.case.layout import Layout, resolve
from investigate.case.methods import Later
from investigate.errors import BadTime, CaseError, QueryRefused, UsageError
from investigate.events import UNKNOWN, Window, parse_time
from investigate.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import duckdb
    import polars as pl

    from investigate.case import auditing, finding, people, questions, reading, remarks, reporting, subject, touching
    from investigate.case.acquisition import Acquisition
    from investigate.case.desks import CodeRabbit, DevRev
    from investigate.events import TimeLike
    from investigate.evidence import EvidenceStore, Ledger, VerifyReport
    from investigate.lake.lake import Lake
    from investigate.normalise.containers import Limits
    from investigate.sources.received import Progress
    from investigate.trace.pivot import Addresses
    from investigate.widgets import Widgets
else:
    auditing, finding, people, questions, reading, remarks, reporting, subject, touching = map(
        Later,
        ("auditing", "finding", "people", "questions", "reading", "remarks", "reporting", "subject", "touching"),
    )

_LOCK_SILENT: Final = 2
_LOCK_TIMEOUT: Final = 600
_MOST_JOBS: Final = 4
_KEEP_PARTIAL: Final = timedelta(days=2)
_DEFAULT_SPAN: Final = timedelta(days=30)


class Case:
    """One investigation: evidence, lake, journal and settings in one folder.

    Args:
        path: the folder; made where it does not exist.

    Raises:
        CaseError: it is no case and cannot be made one.
        ConfigError: `case.toml` holds something unusable.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.layout = Layout(resolve(path))
        self.layout.make()
        self.config = config.load(self.layout.toml)
        self.journal = Journal(self.layout.journal)
        self.mails: dict[int, list[tuple[str, str, str, str]]] = {}
        self.addresses: dict[int, Addresses] = {}
        self.mailed: dict[int, pl.DataFrame] = {}

    @cached_property
    def evidence(self) -> EvidenceStore:
        """The files as they were received."""
        from investigate.evidence import EvidenceStore  # noqa: PLC0415 - a question reads none

        return EvidenceStore(self.layout.evidence)

    @cached_property
    def ledger(self) -> Ledger:
        """What was received when."""
        from investigate.evidence import Ledger  # noqa: PLC0415 - see `evidence`

        return Ledger(self.layout.ledger)

    @cached_property
    def devrev(self) -> DevRev:
        """Exports from DevRev."""
        from investigate.case.desks import DevRev  # noqa: PLC0415 - httpx, which a look at a case needs not

        return DevRev(self)

    @cached_property
    def coderabbit(self) -> CodeRabbit:
        """Pulls from CodeRabbit."""
        from investigate.case.desks import CodeRabbit  # noqa: PLC0415 - see `devrev`

        return CodeRabbit(self)

    @property
    def path(self) -> str:
        """The folder, as it was named."""
        return str(self.layout.root)

    @property
    def writable(self) -> bool:
        """Whether the case lies where it can be written."""
        return self.journal.writable

    @property
    def limits(self) -> Limits:
        """The bounds on what a file may expand to and on how long a record may be."""
        from investigate.normalise.containers import Limits  # noqa: PLC0415 - see `evidence`

        bounds = self.config.ingest
        return Limits(max_expanded=bounds.max_expanded, max_ratio=bounds.max_ratio, max_record=bounds.max_record)

    def bound(self, memory: int | None = None, jobs: int | None = None) -> None:
        """Set for this process what the case's settings say of reading logs; before anything is read.

        Args:
            memory: in bytes, at least 64 MiB; None leaves it.
            jobs: threads that make events of records; None leaves it.

        Raises:
            UsageError: it is too little memory.
        """
        if memory is not None and memory < config.LEAST_MEMORY:
            least = f"{config.LEAST_MEMORY // 2**20} MiB"
            raise UsageError(f"{memory:,} bytes of memory are too few.", f"Give at least {least}.")
        given = {name: value for name, value in (("memory", memory), ("jobs", jobs)) if value is not None}
        self.config = self.config.model_copy(update={"ingest": self.config.ingest.model_copy(update=given)})

    @property
    def jobs(self) -> int:
        """How many threads make events of records."""
        return self.config.ingest.jobs or min(_MOST_JOBS, os.cpu_count() or 1)

    @cached_property
    def lake(self) -> Lake:
        """The lake of events and rejects."""
        from investigate.lake.lake import Lake  # noqa: PLC0415 - heavy, and a command may do without

        return Lake(self.layout.lake, self.config.ingest.memory, self.config.lake.uri)

    @cached_property
    def widgets(self) -> Widgets:
        """The widgets of this case, for notebooks; see `investigate.widgets.desk`."""
        from investigate.widgets import Widgets  # noqa: PLC0415 - a way in for notebooks; nothing here uses it

        return Widgets(self)

    def __repr__(self) -> str:
        return f"Case({self.path!r})"

    # In

    def import_files(
        self,
        paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        profile: str,
        *,
        covers: tuple[TimeLike, TimeLike] | None = None,
        progress: Progress | None = None,
    ) -> Acquisition:
        """Take in audit logs that are files already.

        Args:
            paths: files, folders, patterns, archives, `s3://bucket/prefix`.
            profile: how to read them; see `investigate.normalise.profile.names`.
            covers: start and end for which the files are known to be the whole log; without, they cover only
                what lies between their first and last event, and never what is still to come.
            progress: told how far it is.

        Raises:
            ProfileError: no such profile.
            UsageError: nothing is there, or the window has not begun yet.
            ContainerError: none of the files is a log; they are kept as evidence all the same.
        """
        from investigate.case.acquisition import Fetched, acquire  # noqa: PLC0415 - see `evidence`
        from investigate.normalise import profile as profiles  # noqa: PLC0415
        from investigate.sources import files  # noqa: PLC0415
        from investigate.sources.received import silent  # noqa: PLC0415

        told = progress or silent
        named = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
        profiles.load(profile, self.config.profiles)
        declared = Window.of(*covers) if covers else None
        if declared and declared.start >= datetime.now(UTC):
            raise UsageError(f"No log covers {declared}, which is still to come.", "Give a window that has begun.")
        others: list[str] = []
        found = files.expand([os.fspath(path) for path in named], passed_over=others, without=self.layout.made)
        received = files.keep(found, self.evidence, told)
        if others:
            said = f"{len(others)} files are no logs by their names and were passed over: {', '.join(others[:5])}"
            received = replace(received, warnings=(*received.warnings, f"{said}; name one to import it."))
        extra = {"declared": declared.as_json() if declared else None, "tenant": None}
        spec = {"files": [file.sha256 for file in received.files], **extra}
        return acquire(self, "import", profile, spec, lambda: Fetched(received, declared, {}, extra), told)

    # Out

    def events(self) -> duckdb.DuckDBPyRelation:
        """The events as a DuckDB relation, columns as in `investigate.events.COLUMNS`, on a connection of its own."""
        return self.lake.connect(versions.newest(self)).query("FROM events")

    def scan(self) -> pl.LazyFrame:
        """The events as a Polars LazyFrame, columns as in `investigate.events.COLUMNS`."""
        return self.lake.scan(versions.newest(self))

    frame = reading.frame

    def sql(self, query: str, parameters: Mapping[str, Any] | None = None) -> pl.DataFrame:
        """The rows of one SELECT over the views `events`, `rejects` and `touches`.

        Args:
            query: DuckDB's SQL; `$name` stands for a parameter.
            parameters: their values, bound.

        Raises:
            QueryRefused: anything but one statement that reads the lake.
            LakeError: it failed while it ran; or the lake, or what was written to it last, is gone.
        """
        import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

        from investigate.lake import sql  # noqa: PLC0415

        written, version = self.journal.lake_version(), self.lake.events.snapshot().version
        versions.insist(version, written)
        with self.lake.borrow(version) as connection:
            self.lake.expose_touches(connection, version, query)
            table = sql.run(connection, query, parameters)
        try:
            return pl.DataFrame(pl.from_arrow(table))
        except pl.exceptions.ComputeError as error:  # an interval, for one
            raise QueryRefused(
                "The result has a column of a type that no table here can hold.",
                "Cast it, for example to VARCHAR; of two times, subtract epoch(time).",
            ) from error

    # Questions; each says in its own place what it takes and what it gives

    who_touched = touching.who_touched
    activity = questions.activity
    timeline = questions.timeline
    compare = questions.compare
    pivot = finding.pivot
    search = finding.search
    blast_radius = finding.blast_radius
    identities = people.identities
    accept_identity = people.accept_identity
    subject_access = subject.subject_access
    audit = auditing.audit
    audit_new = auditing.audit_new

    # What leaves the room

    report = reporting.report
    bundle = reporting.bundle

    # What people say of events

    annotate = remarks.annotate
    annotations = remarks.annotations_of

    # How sure

    def window(self, start: TimeLike | None = None, end: TimeLike | None = None) -> Window:
        """The window meant by a start and an end.

        Args:
            start: see `Window.of`; None is where the case's coverage begins, or its first event lies where that is
                earlier.
            end: not included; None is where coverage ends, or behind the last event where that is later. From a start
                after both it is now: nothing of that was collected, and nobody may take it for nothing found.

        Raises:
            BadTime: a window that cannot be meant, or one in which no time lies.
        """
        meant = self._meant(start, end)
        if meant.start == meant.end:  # nothing lies in it, and nobody may take that for nothing found
            raise BadTime("The window is empty.", "Let it end after it starts: a day ends where the next begins.")
        return meant

    def _meant(self, start: TimeLike | None, end: TimeLike | None) -> Window:
        now = datetime.now(UTC)
        if start is not None and end is not None:
            return Window.of(start, end, now=now)
        known = self._known()
        first = known.start if start is None else parse_time(start, now=now)
        if end is not None:
            return Window(first, parse_time(end, now=now))
        return Window(first, known.end if first < known.end else max(first, now))

    def collected(self) -> Window:
        """From where the case's coverage begins to where it ends; the last 30 days where there is none."""
        now = datetime.now(UTC)
        return self.journal.span() or Window(now - _DEFAULT_SPAN, now)

    def _known(self) -> Window:
        """The time of which anything is known: what was collected, and beyond it where there are events."""
        collected, there = self.journal.span(), self.lake.span()
        if collected is None or there is None:
            return there or self.collected()
        return Window(min(collected.start, there.start), max(collected.end, there.end))

    def coverage(self, start: TimeLike | None = None, end: TimeLike | None = None) -> pl.DataFrame:
        """What of a window was collected, by source and tenant.

        Args:
            start: see `window`.
            end: see `window`.

        Returns:
            `source`, `tenant` (string), `from`, `to` (timestamp[us, UTC]), `state` (complete, provisional, failed or
            never collected), `filter`, `basis` (vendor, observed or declared), `acquisition` (string).
        """
        window = self.window(start, end)
        return coverages.frame(self.journal.intervals(window), self.journal.gaps(window))

    def coverage_of(self, window: Window | None, sources: Sequence[tuple[str, str]]) -> Coverage:
        """The coverage of a window by some sources and tenants; of none, of an empty window, it is complete."""
        if window is None or not sources:
            now = datetime.now(UTC)
            return Coverage(window or Window(now, now), (), tuple(sources))
        wanted = tuple(dict.fromkeys(sources))
        return Coverage(window, tuple(self.journal.gaps(window, sources=list(wanted))), wanted)

    def known_tenant(self, source: str) -> str:
        """The tenant of a source's latest coverage, for an acquisition that holds nothing to tell it from."""
        if source == "devrev" and self.config.devrev.tenant:
            return self.config.devrev.tenant
        tenants = [i.tenant for i in self.journal.intervals() if i.source == source and i.tenant != UNKNOWN]
        return tenants[-1] if tenants else UNKNOWN

    def verify(self, progress: Callable[[int, int], None] | None = None) -> VerifyReport:
        """Hash all evidence again and walk the ledger.

        Args:
            progress: called with the bytes hashed so far and the bytes there are.
        """
        from investigate.evidence import verify  # noqa: PLC0415 - see `evidence`

        return verify(self.evidence, self.ledger, self.journal.head(), progress=progress)

    # For the rooms of this package

    @contextmanager
    def locked(self) -> Iterator[None]:
        """The case's one lock: held for a ledger line and for a commit, never for a download.

        Who waits for longer than two seconds is told, by a warning to this module's log.

        Raises:
            CaseError: another process has held it for ten minutes.
        """
        from filelock import FileLock, Timeout  # noqa: PLC0415 - asyncio, which a question needs not

        lock = FileLock(self.layout.lock, mode=0o600)
        try:
            try:
                lock.acquire(timeout=_LOCK_SILENT)
            except Timeout:
                import logging  # noqa: PLC0415 - seldom there is anybody to wait for

                logging.getLogger(__name__).warning(
                    "Another process is writing to this case. Waiting until it is done."
                )
                lock.acquire(timeout=_LOCK_TIMEOUT - _LOCK_SILENT)
        except Timeout as error:
            raise CaseError("Another process has been writing to this case for ten minutes.", "Try again.") from error
        try:
            yield
        finally:
            lock.release()

    def sweep(self) -> None:
        """Remove what killed processes left: temporary evidence, staging."""
        left = self.lake.staged()
        alive = {row.id for row in self.journal.pending() if row.alive}
        for acquisition in left:
            if acquisition not in alive:
                self.lake.discard(acquisition)
        self.evidence.sweep(_KEEP_PARTIAL)
