"""Evidence in, canonical events and rejects out, chunk by chunk: memory depends on the chunk, not on the file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final, Self

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from investigate.errors import ContainerError
from investigate.events import event_schema, reject_schema
from investigate.normalise.chunk import EXCERPT, ROWS, SIZE, Chunk, Fault, of_fault
from investigate.normalise.containers import Limits, members
from investigate.normalise.plan import Plan
from investigate.normalise.records import RecordReader
from investigate.normalise.times import read_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from investigate.normalise.profile import Profile
    from investigate.normalise.survey import Decision

_TEXTS: Final = 64 * 2**20
_OF_A_FAULT: Final = ["row", "raw", "time_text", "evidence", "evidence_record"]


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
        events: canonical events, columns as in `event_schema()`.
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
    """Records that wait until there are enough of them, over small files."""

    def __init__(self) -> None:
        self._chunks: list[tuple[Chunk, str]] = []
        self.size = self.rows = 0

    def add(self, chunk: Chunk, file: str) -> None:
        """Take a chunk of the file with that SHA-256."""
        self._chunks.append((chunk, file))
        self.size += chunk.size
        self.rows += len(chunk.records) + len(chunk.faults)

    @property
    def faults(self) -> list[tuple[Fault, str]]:
        """What should be records and is none, each with its file."""
        return [(fault, file) for chunk, file in self._chunks for fault in chunk.faults]

    def table(self) -> pa.Table:
        """The records: row, raw, evidence, evidence_record."""
        records = [run for chunk, _ in self._chunks for run in chunk.records.chunks]
        places = [run for chunk, _ in self._chunks for run in chunk.places.chunks]
        files = [pa.repeat(file, len(chunk.records)) for chunk, file in self._chunks]
        raw = pa.chunked_array(records, pa.string())
        columns = {
            "row": pa.arange(0, len(raw)),
            "raw": raw,
            "evidence": pa.chunked_array(files, pa.string()),
            "evidence_record": pa.chunked_array(places, pa.int64()),
        }
        return pa.table(columns)


class Normaliser:
    """Turns evidence files of one profile into batches.

    Args:
        profile: how to read them.
        limits: bounds on expansion and on the length of a record.
        tenant: the tenant of events whose record names none.
        memory: what the engine may use, in bytes.
    """

    def __init__(
        self,
        profile: Profile,
        limits: Limits | None = None,
        *,
        tenant: str | None = None,
        memory: int = 256 * 2**20,
    ) -> None:
        self._profile, self._limits = profile, limits or Limits()
        self._plan = Plan(profile, tenant, memory)
        self._zone = profile.columns["time"].zone if "time" in profile.columns else "UTC"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._plan.close()

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """For a flexible profile, which field was taken for which column, over all files read so far."""
        return tuple(self._plan.decisions.values())

    def read(self, files: Iterable[Input]) -> Iterator[Batch]:
        """All that is in some evidence files, in their order.

        A file, or an archive's member, that holds no log counts as one rejected record with its reason.
        """
        self._plan.forget()
        pending = _Pending()
        for file in files:
            self._plan.next_file()
            for chunk in self._chunks(file):
                pending.add(chunk, file.sha256)
                if pending.size >= SIZE or pending.rows >= ROWS:
                    yield from self._batches(pending)
                    pending = _Pending()
        if pending.rows:
            yield from self._batches(pending)

    def _chunks(self, file: Input) -> Iterator[Chunk]:
        place, nothing = 0, True
        try:
            for _, reader in members(file.stream, file.size, self._limits):
                nothing = False
                records = RecordReader(reader, self._profile, self._limits, place)
                for chunk in records:
                    place = records.place
                    yield chunk
        except ContainerError as error:
            yield of_fault(Fault(error.message, b"", whole=place == 0, cut=place > 0, place=place))
        else:
            if nothing:
                yield of_fault(Fault("The archive holds no file.", b"", whole=True))

    def _batches(self, pending: _Pending) -> Iterator[Batch]:
        """One batch, or several where records hold so many events that their texts would not fit into memory."""
        faults, table = pending.faults, pending.table()
        portions = list(self._portions(table, faults)) if table.num_rows else []
        for portion in portions:
            events, unread = self._events(portion)
            yield Batch(events, self._rejects(unread), portion.num_rows)
        if faults:
            whole = sum(fault.whole for fault, _ in faults)
            cut = sum(fault.cut for fault, _ in faults)
            yield Batch(event_schema().empty_table(), self._rejects(faults), len(faults), whole, cut)

    def _portions(self, table: pa.Table, faults: list[tuple[Fault, str]]) -> Iterator[pa.Table]:
        """The records in portions whose events, each with its record's text, come to no more than `_TEXTS` bytes."""
        if self._profile.explode is None:
            yield table
            return
        weights = pc.multiply(pc.binary_length(table["raw"]).cast(pa.int64()), self._plan.parts(table["raw"]))
        fits = pc.less_equal(weights, _TEXTS)
        reason = f"holds so many events that its text, kept with each, would be more than {_TEXTS:,} bytes"
        faults += [_fault(row, reason) for row in table.filter(pc.invert(fits)).to_pylist()]
        table, weights = table.filter(fits), weights.filter(fits)
        start = weight = 0
        for row, more in enumerate(weights.to_pylist()):
            if weight + more > _TEXTS:
                yield table.slice(start, row - start)
                start, weight = row, 0
            weight += more
        if start < table.num_rows:
            yield table.slice(start)

    def _events(self, table: pa.Table) -> tuple[pa.Table, list[tuple[Fault, str]]]:
        """The events of some records, and faults for the records that hold none."""
        try:
            found = self._plan.run(table)
        except duckdb.Error as error:
            return self._events_of_halves(table, error)
        found, faults = self._timed(found)
        size = found.num_rows
        derived: Mapping[str, Any] = {
            "event_uid": self._uids(found),
            "date": found["time"].cast(pa.date32()),
            "source": pa.repeat(self._profile.name, size),
        }
        schema = event_schema()
        columns = [derived[name] if name in derived else found[name] for name in schema.names]
        columns = [column.cast(kind) for column, kind in zip(columns, schema.types, strict=True)]
        return pa.table(columns, schema=schema), faults

    def _events_of_halves(self, table: pa.Table, error: duckdb.Error) -> tuple[pa.Table, list[tuple[Fault, str]]]:
        """What the engine could not take at once, in smaller parts; a record it cannot take at all is a reject."""
        if table.num_rows == 1:
            reason = f"the engine cannot read this record: {str(error).splitlines()[0]}"
            return event_schema().empty_table(), [_fault(table.to_pylist()[0], reason)]
        half = table.num_rows // 2
        first, second = self._events(table.slice(0, half)), self._events(table.slice(half))
        return pa.concat_tables([first[0], second[0]]), first[1] + second[1]

    def _timed(self, found: pa.Table) -> tuple[pa.Table, list[tuple[Fault, str]]]:
        """The events, times that the query left over read by slower means, and faults for what has none."""
        times = found["time"].combine_chunks().cast(pa.timestamp("us", "UTC"))
        left = pc.is_null(times)
        read: list[datetime | None] = []
        faults: dict[int, tuple[Fault, str]] = {}
        if pc.any(left).as_py():
            for record in found.select(_OF_A_FAULT).filter(left).to_pylist():
                text = record["time_text"]
                time = read_time(text, self._zone) if text else _no_time(record["raw"])
                read.append(None if isinstance(time, str) else time)
                if isinstance(time, str):
                    faults.setdefault(record["row"], _fault(record, time))
            times = pc.replace_with_mask(times, left, pa.array(read, pa.timestamp("us", "UTC")))
            found = found.set_column(found.schema.get_field_index("time"), "time", times)
            found = found.filter(pc.is_valid(times))
        return found, list(faults.values())

    def _uids(self, found: pa.Table) -> pa.ChunkedArray | pa.Array:
        uids = found["uid"].combine_chunks()
        left = pc.is_null(uids)
        if not uids.null_count:
            return uids
        hashes = []
        for record in found.select(["raw", "part"]).filter(left).to_pylist():
            digest = content_hash(record["raw"], self._profile.volatile)
            hashes.append(f"{digest}#{record['part']}" if self._profile.explode else digest)
        return pc.replace_with_mask(uids, left, pa.array(hashes, pa.string()))

    def _rejects(self, faults: Sequence[tuple[Fault, str]]) -> pa.Table:
        rows = {
            "source": [self._profile.name] * len(faults),
            "reason": [fault.reason for fault, _ in faults],
            "excerpt": [fault.excerpt.decode(errors="backslashreplace")[:EXCERPT] for fault, _ in faults],
            "evidence": [file for _, file in faults],
            "evidence_record": [fault.place for fault, _ in faults],
            "acquisition": [""] * len(faults),
        }
        return pa.table(rows, schema=reject_schema())


def content_hash(raw: str, volatile: Sequence[str] = ()) -> str:
    """`sha256:` of a record in canonical form: keys sorted, no white space, without its volatile members.

    Numbers count as they are written, so that two past 64 bits never fall together.
    """
    try:
        record = json.loads(raw, parse_float=lambda text: f"\x00{text}", parse_int=lambda text: f"\x00{text}")
        if isinstance(record, dict):
            record = {key: value for key, value in record.items() if key not in volatile}
        text = json.dumps(record, sort_keys=True, separators=(",", ":"))
    except (ValueError, RecursionError):
        text = raw
    return "sha256:" + hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _fault(record: Mapping[str, Any], reason: str) -> tuple[Fault, str]:
    excerpt = record["raw"][:EXCERPT].encode()[:EXCERPT]
    return Fault(reason, excerpt, place=record["evidence_record"]), record["evidence"]


def _no_time(raw: str) -> str:
    """Why a record without a time has none."""
    try:
        value = json.loads(raw)
    except ValueError as error:
        return f"not JSON: {error}"
    except RecursionError:
        return "no time, or nested too deep to look for one"
    if isinstance(value, dict):
        return "no time: none of the profile's fields for it is there"
    return f"no JSON object but {_KINDS.get(type(value), 'null')}"


_KINDS: Final = {list: "a list", str: "a string", int: "a number", float: "a number", bool: "true or false"}
