"""Evidence in, canonical events and rejects out, chunk by chunk: memory depends on the chunk, not on the file."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Lock
from typing import IO, TYPE_CHECKING, Final, Self

import pyarrow as pa
import pyarrow.compute as pc

from investigate.errors import ContainerError
from investigate.events import coded_schema, reject_schema
from investigate.freed import give_back
from investigate.normalise.ahead import ahead
from investigate.normalise.chunk import EXCERPT, ROWS, Chunk, Fault, of_fault
from investigate.normalise.containers import Limits, members
from investigate.normalise.engine import Engine
from investigate.normalise.plan import Plan
from investigate.normalise.records import RecordReader, exactly
from investigate.normalise.worker import Made, Worker, sample

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from investigate.normalise.profile import Profile
    from investigate.normalise.sql import Compiled
    from investigate.normalise.survey import Decision


_WAITING: Final = 1
"""So many chunks may wait as events: more of them would take the memory with which chunks can be larger."""
_OF_MEMORY: Final = 48
"""Of the memory, this part makes a chunk: what is in hand of several of them comes to many times that."""
_SMALLEST: Final = 2**20
_LARGEST: Final = 12 * 2**20
"""Bytes of a chunk, at least and at most: in larger ones hardly any time is saved."""
_LEAST: Final = 8 * 2**20
"""Bytes an engine needs to make anything of a chunk."""
_GIVEN_BACK: Final = 512 * 2**20
"""After so many bytes of records the memory that is free goes back to the system, which must make it anew if needed."""


@dataclass(frozen=True)
class Input:
    """One evidence file to read.

    Attributes:
        stream: seekable, at its start.
        size: in bytes.
        sha256: of the file.
    """

    stream: IO[bytes]
    size: int
    sha256: str


@dataclass(frozen=True)
class Batch:
    """What some records became.

    Attributes:
        events: canonical events, columns as in `coded_schema()`.
        rejects: rejected records, columns as in `reject_schema()`; `acquisition` is empty.
        records: how many of the vendor's records these were, rejects included.
        unread: how many of the rejects stand for a file or a member that holds no log at all.
        cut: how many of them stand for the rest of a file or a member, which is missing or damaged.
    """

    events: pa.Table
    rejects: pa.Table
    records: int
    unread: int = 0
    cut: int = 0


class _Pending:
    """Records that wait until there are enough of them, over small files.

    Attributes:
        begins: whether files begin with them; else they go on with one, and nothing but that.
        more: how many records the last file has, as far as it is read, that its places know nothing of.
    """

    def __init__(self, *, begins: bool = False) -> None:
        self._chunks: list[tuple[Chunk, str]] = []
        self.size = self.rows = self.more = 0
        self.begins = begins

    def add(self, chunk: Chunk, file: str) -> None:
        """Take a chunk of the file with that SHA-256."""
        self._chunks.append((chunk, file))
        self.size += chunk.size
        self.rows += chunk.rows

    def exactly(self, profile: Profile, limits: Limits) -> _Pending:
        """The same, with each line cut into as many records as it holds."""
        found = _Pending(begins=self.begins)
        for chunk, file in self._chunks:
            begins = chunk.place == 0
            found.more = 0 if begins else found.more
            exact = exactly(chunk, chunk.place + found.more, profile, limits)
            found.more += exact.rows - chunk.rows
            found.add(exact, file)
        return found

    @property
    def faults(self) -> list[tuple[Fault, str]]:
        """What should be records and is none, each with its file."""
        return [(fault, file) for chunk, file in self._chunks for fault in chunk.faults]

    def table(self) -> pa.Table:
        """The records: row, raw, evidence, evidence_record."""
        records = [run for chunk, _ in self._chunks for run in chunk.records.chunks]
        places = [run for chunk, _ in self._chunks for run in chunk.places.chunks]
        files = [_same(file, len(chunk.records)) for chunk, file in self._chunks]
        raw = pa.chunked_array(records, pa.string())
        columns = {
            "row": pa.arange(0, len(raw)),
            "raw": raw,
            "evidence": pa.chunked_array(files, coded_schema().field("evidence").type),
            "evidence_record": pa.chunked_array(places, pa.int64()),
        }
        return pa.table(columns)


class Normaliser:
    """Turns evidence files of one profile into batches; a context manager.

    Files are read, and records made events, in threads of their own, a few chunks ahead of whoever takes the batches.

    Args:
        profile: how to read them.
        limits: bounds on expansion and on the length of a record.
        tenant: the tenant of events whose record names none.
        memory: what the engines may use, all together, in bytes.
        jobs: how many threads make events; as many as the memory bears, at most.

    Raises:
        ProfileError: the engine does not take the profile.
    """

    def __init__(
        self,
        profile: Profile,
        limits: Limits | None = None,
        *,
        tenant: str | None = None,
        memory: int = 256 * 2**20,
        jobs: int = 1,
    ) -> None:
        self._profile, self._limits = profile, limits or Limits()
        self._jobs = max(1, min(jobs, memory // _LEAST - 1))
        self._memory, self._engines = memory, list[Engine]()
        self._more = 0
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        self._starting = Lock()
        self._idle.put(self._worker())
        try:
            self._plan = Plan(profile, tenant, self._engines[0])
        except BaseException:
            self._close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._close()

    def _close(self) -> None:
        for engine in self._engines:
            engine.close()
        give_back()

    @property
    def _size(self) -> int:
        """Bytes of a chunk, about."""
        return min(_LARGEST, max(_SMALLEST, self._memory // _OF_MEMORY))

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """For a flexible profile, which field was taken for which column, over all files read so far."""
        return tuple(self._plan.decisions.values())

    def read(self, files: Iterable[Input]) -> Generator[Batch, None, None]:
        """All that is in some evidence files, in their order.

        A file, or an archive's member, that holds no log counts as one rejected record with its reason.
        """
        self._plan.forget()
        size = self._more = 0
        with closing(ahead(self._begun(files), self._carried_on, self._jobs, _WAITING)) as results:
            for pending, made in results:
                yield from self._batches(pending, made)
                size += pending.size
                if size >= _GIVEN_BACK:
                    give_back()
                    size = 0

    def _begun(self, files: Iterable[Input]) -> Generator[tuple[_Pending, Compiled, pa.Table], None, None]:
        """Records to read, and how."""
        for pending in self._gathered(files):
            if self._plan.compiled is None:  # these records decide what is taken for what
                pending = pending.exactly(self._profile, self._limits)  # noqa: PLW2901 - the same
            table = pending.table()
            yield pending, self._plan.begin(sample, table), table

    def _carried_on(self, begun: tuple[_Pending, Compiled, pa.Table]) -> tuple[_Pending, Made]:
        pending, compiled, table = begun
        made = self._made(compiled, table)
        if made.several:
            exact = pending.exactly(self._profile, self._limits)
            renewed = exact.table()
            if not renewed["raw"].equals(table["raw"]):
                return exact, self._made(compiled, renewed)
        return pending, made

    def _gathered(self, files: Iterable[Input]) -> Iterator[_Pending]:
        pending = _Pending(begins=True)
        for file in files:
            for chunk in self._chunks(file):
                pending.add(chunk, file.sha256)
                if pending.size >= self._size or pending.rows >= ROWS:
                    yield pending
                    pending = _Pending()
            if pending.rows and not pending.begins:
                yield pending
                pending = _Pending(begins=True)
            pending.begins = True
        if pending.rows:
            yield pending

    def _chunks(self, file: Input) -> Iterator[Chunk]:
        place, nothing = 0, True
        try:
            for _, reader in members(file.stream, file.size, self._limits):
                nothing = False
                records = RecordReader(reader, self._profile, self._limits, place, size=self._size, sure=False)
                for chunk in records:
                    place = records.place
                    yield chunk
        except ContainerError as error:
            yield of_fault(Fault(error.message, b"", whole=place == 0, cut=place > 0, place=place))
        else:
            if nothing:
                yield of_fault(Fault("The archive holds no file.", b"", whole=True))

    def _made(self, compiled: Compiled, table: pa.Table) -> Made:
        """In any thread: what the next free worker makes of some records."""
        try:
            worker = self._idle.get_nowait()
        except Empty:
            worker = self._worker()
        try:
            return worker.run(compiled, table)
        finally:
            self._idle.put(worker)

    def _worker(self) -> Worker:
        """A new one, with an engine of its own."""
        with self._starting:
            engine = Engine.ready(self._memory // (self._jobs + 1), self._memory)
            self._engines.append(engine)
        return Worker(engine, self._profile)

    def _batches(self, pending: _Pending, made: Made) -> Iterator[Batch]:
        """One batch, or several where records hold so many events that their texts would not fit into memory."""
        if pending.begins:
            self._plan.next_file()
            self._more = 0
        moved = self._more
        self._more += pending.more
        while not self._plan.stands(made.compiled, made.lost):
            # Records before these have shown how to read them better: as if nobody had read ahead.
            table = pending.table()
            made = self._made(self._plan.begin(sample, table), table)
        for events, records, unread in made.events:
            yield Batch(_moved(events, moved), self._rejects(unread, moved), records)
        faults = [*pending.faults, *made.faults]
        if faults:
            whole = sum(fault.whole for fault, _ in faults)
            cut = sum(fault.cut for fault, _ in faults)
            yield Batch(coded_schema().empty_table(), self._rejects(faults, moved), len(faults), whole, cut)

    def _rejects(self, faults: Sequence[tuple[Fault, str]], moved: int) -> pa.Table:
        rows = {
            "source": [self._profile.name] * len(faults),
            "reason": [fault.reason for fault, _ in faults],
            "excerpt": [fault.excerpt.decode(errors="backslashreplace")[:EXCERPT] for fault, _ in faults],
            "evidence": [file for _, file in faults],
            "evidence_record": [fault.place + moved for fault, _ in faults],
            "acquisition": [""] * len(faults),
        }
        return pa.table(rows, schema=reject_schema())


def _moved(events: pa.Table, by: int) -> pa.Table:
    """Events whose records stand so many places further on."""
    if not by:
        return events
    at = events.schema.get_field_index("evidence_record")
    return events.set_column(at, events.schema.field(at), pc.add(events.column(at), by))


def _same(text: str, size: int) -> pa.DictionaryArray:
    """A column of so many rows with one text."""
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), size), [text])
