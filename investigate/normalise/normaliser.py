"""Evidence in, canonical events and rejects out, chunk by chunk: memory depends on the chunk, not on the file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import IO, TYPE_CHECKING, Any, Final, Self

import pyarrow as pa
import pyarrow.compute as pc

from investigate.errors import ContainerError
from investigate.events import event_schema, reject_schema
from investigate.normalise.containers import Limits, members
from investigate.normalise.plan import Plan
from investigate.normalise.records import BLOCK, EXCERPT, Chunk, Fault, RecordReader
from investigate.normalise.times import read_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from investigate.normalise.profile import Profile
    from investigate.normalise.survey import Decision


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
    """

    events: pa.Table
    rejects: pa.Table
    records: int
    unread: int = 0


@dataclass
class _Pending:
    """Records that wait until there are enough of them, over small files."""

    records: list[bytes] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    faults: list[tuple[Fault, str]] = field(default_factory=list)
    unread: int = 0
    size: int = 0

    def add(self, chunk: Chunk, file: str) -> None:
        """Take the chunk's records that are UTF-8, and faults for the others."""
        for record, place in _decodable(chunk, file, self.faults):
            self.records.append(record)
            self.places.append(place)
            self.files.append(file)
        self.faults += [(fault, file) for fault in chunk.faults]
        self.size += chunk.size + EXCERPT * len(chunk.faults)


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
        pending = _Pending()
        for file in files:
            if self._profile.flexible:
                self._plan.forget()
            for chunk, unread in self._chunks(file):
                pending.add(chunk, file.sha256)
                pending.unread += unread
                if pending.size >= BLOCK:
                    yield self._batch(pending)
                    pending = _Pending()
            if self._profile.flexible and pending.size:
                yield self._batch(pending)
                pending = _Pending()
        if pending.records or pending.faults:
            yield self._batch(pending)

    def _chunks(self, file: Input) -> Iterator[tuple[Chunk, int]]:
        place = 0
        try:
            for _, reader in members(file.stream, file.size, self._limits):
                records = RecordReader(reader, self._profile.records, self._limits, place)
                for chunk in records:
                    nothing = records.place == place + 1 and not chunk.records
                    yield chunk, int(nothing)
                place = records.place
        except ContainerError as error:
            yield Chunk(faults=[Fault(place, error.message, b"")]), int(place == 0)

    def _batch(self, pending: _Pending) -> Batch:
        faults = pending.faults
        count = len(pending.records) + len(faults)
        events = event_schema().empty_table()
        if pending.records:
            found = self._plan.run(pending.records, range(len(pending.records)))
            times, faulty = self._times(found)
            faults = faults + [
                (Fault(pending.places[f.place], f.reason, f.excerpt), pending.files[f.place]) for f in faulty
            ]
            found = found.set_column(found.schema.get_field_index("time"), "time", times).filter(pc.is_valid(times))
            events = self._events(found, pending)
        return Batch(events, self._rejects(faults), count, pending.unread)

    def _times(self, found: pa.Table) -> tuple[pa.Array, list[Fault]]:
        """The times, those that the query left over read by slower means, and faults for what is none."""
        times = found["time"].combine_chunks().cast(pa.timestamp("us", "UTC"))
        unread = pc.indices_nonzero(pc.is_null(times)).to_pylist()
        if not unread:
            return times, []
        values, faults = times.to_pylist(), {}
        for row in unread:
            record = {name: found[name][row].as_py() for name in ("place", "raw", "time_text", "is_object")}
            text = record["time_text"]
            read = read_time(text, self._zone) if text else _no_time(record["raw"], is_object=record["is_object"])
            if isinstance(read, str):
                faults[record["place"]] = Fault(record["place"], read, record["raw"].encode()[:EXCERPT])
            else:
                values[row] = read
        return pa.array(values, pa.timestamp("us", "UTC")), list(faults.values())

    def _events(self, found: pa.Table, pending: _Pending) -> pa.Table:
        size, rows = found.num_rows, found["place"]
        derived: Mapping[str, Any] = {
            "event_uid": self._uids(found),
            "date": found["time"].cast(pa.date32()),
            "source": pa.repeat(self._profile.name, size),
            "evidence": pa.array(pending.files, pa.string()).take(rows.combine_chunks()),
            "evidence_record": pa.array(pending.places, pa.int64()).take(rows.combine_chunks()),
        }
        schema = event_schema()
        columns = [derived[name] if name in derived else found[name] for name in schema.names]
        return pa.table([column.cast(kind) for column, kind in zip(columns, schema.types, strict=True)], schema=schema)

    def _uids(self, found: pa.Table) -> pa.ChunkedArray | pa.Array:
        uids = found["uid"]
        if not uids.null_count:
            return uids
        values = uids.to_pylist()
        for row in pc.indices_nonzero(pc.is_null(uids)).to_pylist():
            digest = content_hash(found["raw"][row].as_py(), self._profile.volatile)
            values[row] = f"{digest}#{found['part'][row].as_py()}" if self._profile.explode else digest
        return pa.array(values, pa.string())

    def _rejects(self, faults: Sequence[tuple[Fault, str]]) -> pa.Table:
        ordered = sorted(faults, key=lambda entry: entry[0].place)
        rows = {
            "source": [self._profile.name] * len(ordered),
            "reason": [fault.reason for fault, _ in ordered],
            "excerpt": [fault.excerpt.decode(errors="backslashreplace")[:EXCERPT] for fault, _ in ordered],
            "evidence": [file for _, file in ordered],
            "evidence_record": [fault.place for fault, _ in ordered],
            "acquisition": [""] * len(ordered),
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


def _decodable(chunk: Chunk, file: str, faults: list[tuple[Fault, str]]) -> Iterator[tuple[bytes, int]]:
    try:
        b"\n".join(chunk.records).decode()
    except UnicodeDecodeError:
        for record, place in zip(chunk.records, chunk.places, strict=True):
            try:
                record.decode()
            except UnicodeDecodeError as error:
                faults.append((Fault(place, f"not UTF-8 at byte {error.start} of the record", record[:EXCERPT]), file))
            else:
                yield record, place
    else:
        yield from zip(chunk.records, chunk.places, strict=True)


def _no_time(raw: str, *, is_object: bool) -> str:
    """Why a record without a time has none."""
    if is_object and raw.startswith("{"):
        return "no time: none of the profile's fields for it is there"
    try:
        value = json.loads(raw)
    except ValueError as error:
        return f"not JSON: {error}"
    except RecursionError:
        return "not JSON: nested too deep"
    return f"no JSON object but {_KINDS.get(type(value), 'null')}"


_KINDS: Final = {list: "a list", str: "a string", int: "a number", float: "a number", bool: "true or false"}
