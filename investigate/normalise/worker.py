"""Some records to events and faults: what the engine found, completed by what it cannot do; one worker, one engine."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from investigate.errors import first_line
from investigate.events import UNKNOWN, coded_schema
from investigate.normalise.canonical import Hasher
from investigate.normalise.chunk import EXCERPT, Fault
from investigate.normalise.engine import GAVE_UP
from investigate.normalise.paths import literal, pointer
from investigate.normalise.records import may_be_several
from investigate.normalise.survey import SAMPLE
from investigate.normalise.times import read_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from investigate.normalise.engine import Engine
    from investigate.normalise.profile import Profile
    from investigate.normalise.sql import Compiled

TEXTS: Final = 64 * 2**20
"""Bytes that the texts of the events made at once come to at most: each is kept with its record's."""
_OF_A_SURVEY: Final = ["row", "actor", "resource", "time", "is_object"]
_OF_A_FAULT: Final = ["row", "raw", "time_text", "evidence", "evidence_record"]


@dataclass(frozen=True)
class Made:
    """What some records became.

    Attributes:
        compiled: how they were read.
        events: in portions, each with the number of records it is of, and the faults for records that hold none.
        faults: for records that were not read at all.
        found: for a flexible profile, what of each portion's records tells whether they lack something.
        several: whether among those that could not be read is one that may be several.
    """

    compiled: Compiled
    events: Sequence[tuple[pa.Table, int, Sequence[tuple[Fault, str]]]]
    faults: Sequence[tuple[Fault, str]]
    found: Sequence[tuple[pa.Table, pa.Table]]
    several: bool

    def lost(self) -> list[bytes]:
        """A sample of the records that lack a time, a who or a what."""
        return [text for found, batch in self.found for text in _lost(found, batch)]


class Worker:
    """Makes events.

    Args:
        engine: its own.
        profile: which.
    """

    def __init__(self, engine: Engine, profile: Profile) -> None:
        self._engine, self._profile = engine, profile
        self._hasher = Hasher(profile.volatile)
        self._found: list[tuple[pa.Table, pa.Table]] = []
        self._several = False

    def run(self, compiled: Compiled, table: pa.Table) -> Made:
        """The events of some records.

        Args:
            compiled: how to read them.
            table: row, raw, evidence, evidence_record.
        """
        faults: list[tuple[Fault, str]] = []
        self._found, self._several = [], False
        made = []
        for portion in self._portions(table, faults) if table.num_rows else ():
            events, unread = self._events(compiled, portion)
            made.append((events, portion.num_rows, unread))
        return Made(compiled, made, faults, self._found, self._several)

    def _portions(self, table: pa.Table, faults: list[tuple[Fault, str]]) -> Iterator[pa.Table]:
        """The records in portions whose events, each with its record's text, come to no more than `TEXTS` bytes."""
        if self._profile.explode is None:
            yield table
            return
        weights = pc.multiply(pc.binary_length(table["raw"]).cast(pa.int64()), self._parts(table["raw"]))
        fits = pc.less_equal(weights, TEXTS)
        reason = f"holds so many events that its text, kept with each, would be more than {TEXTS:,} bytes"
        faults += [_fault(row, reason) for row in table.filter(pc.invert(fits)).to_pylist()]
        table, weights = table.filter(fits), weights.filter(fits)
        start = weight = 0
        for row, more in enumerate(weights.to_pylist()):
            if weight + more > TEXTS:
                yield table.slice(start, row - start)
                start, weight = row, 0
            weight += more
        if start < table.num_rows:
            yield table.slice(start)

    def _events(self, compiled: Compiled, table: pa.Table) -> tuple[pa.Table, list[tuple[Fault, str]]]:
        """The events of some records, and faults for the records that hold none."""
        try:
            found = self._engine.run(compiled, table)
        except GAVE_UP:
            if table.num_rows > 1:
                return self._events_of_halves(compiled, table)
            try:
                with self._engine.ample():
                    found = self._engine.run(compiled, table)
            except GAVE_UP as error:
                reason = f"the engine cannot read this record: {first_line(error)}"
                self._look_at(table["raw"])
                return coded_schema().empty_table(), [_fault(table.to_pylist()[0], reason)]
        if self._profile.flexible:
            self._found.append((found.select(_OF_A_SURVEY), table))
        if not pc.all(found["is_object"]).as_py():
            self._look_at(found.filter(pc.invert(found["is_object"]))["raw"])
        found, faults = self._timed(compiled, found)
        size = found.num_rows
        derived: Mapping[str, Any] = {
            "event_uid": self._uids(found),
            "date": found["time"].cast(pa.date32()),
            "source": pa.repeat(self._profile.name, size),
        }
        schema = coded_schema()
        columns = [derived[name] if name in derived else found[name] for name in schema.names]
        columns = [_of_kind(column, kind) for column, kind in zip(columns, schema.types, strict=True)]
        return pa.table(columns, schema=schema), faults

    def _look_at(self, unread: pa.ChunkedArray) -> None:
        self._several = self._several or any(may_be_several(text.encode()) for text in unread.to_pylist())

    def _events_of_halves(self, compiled: Compiled, table: pa.Table) -> tuple[pa.Table, list[tuple[Fault, str]]]:
        """What the engine could not take at once, in smaller parts."""
        half = table.num_rows // 2
        first, second = self._events(compiled, table.slice(0, half)), self._events(compiled, table.slice(half))
        return pa.concat_tables([first[0], second[0]]), first[1] + second[1]

    def _timed(self, compiled: Compiled, found: pa.Table) -> tuple[pa.Table, list[tuple[Fault, str]]]:
        """The events, times that the query left over read by slower means, and faults for what has none."""
        times = found["time"].combine_chunks().cast(pa.timestamp("us", "UTC"))
        left = pc.is_null(times)
        read: list[datetime | None] = []
        faults: dict[int, tuple[Fault, str]] = {}
        if pc.any(left).as_py():
            for record in found.select(_OF_A_FAULT).filter(left).to_pylist():
                text = record["time_text"]
                time = read_time(text, compiled.zone) if text else _no_time(record["raw"])
                read.append(None if isinstance(time, str) else time)
                if isinstance(time, str):
                    faults.setdefault(record["row"], _fault(record, time))
            times = pc.replace_with_mask(times, left, pa.array(read, pa.timestamp("us", "UTC")))
            found = found.set_column(found.schema.get_field_index("time"), "time", times)
            found = found.filter(pc.is_valid(times))
        return found, list(faults.values())

    def _uids(self, found: pa.Table) -> pa.ChunkedArray | pa.Array:
        uids = found["uid"].combine_chunks()
        if not uids.null_count:
            return uids
        left = pc.is_null(uids)
        without = found.select(["raw", "part"])
        if uids.null_count < len(uids):
            without = without.filter(left)
        hashes = [self._hasher.hash(raw) for raw in without["raw"].to_pylist()]
        if self._profile.explode:
            parts = without["part"].to_pylist()
            hashes = [f"{digest}#{part}" for digest, part in zip(hashes, parts, strict=True)]
        return pc.replace_with_mask(uids, left, pa.array(hashes, pa.string()))

    def _parts(self, records: pa.ChunkedArray) -> pa.Array:
        """How many events each record holds, int64."""
        explode = self._profile.explode
        if explode is None:
            return pa.repeat(pa.scalar(1, pa.int64()), len(records))
        size = f"try(json_array_length(raw, {literal(pointer(explode.scalar))}))"
        sql = f"SELECT greatest(coalesce({size}, 1), 1)::BIGINT AS parts FROM batch"
        return self._engine.select(sql, pa.table({"raw": records}))["parts"].combine_chunks()


def _of_kind(column: pa.Array | pa.ChunkedArray, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    """The column with that type, a dictionary of it where such is asked for."""
    if pa.types.is_dictionary(kind) and not pa.types.is_dictionary(column.type):
        return column.cast(kind.value_type).dictionary_encode()
    return column.cast(kind)


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


def sample(batch: pa.Table) -> list[bytes]:
    """Some of the records, evenly spread."""
    step = max(1, batch.num_rows // SAMPLE)
    chosen = batch["raw"].take(pa.array(range(0, batch.num_rows, step), pa.int64()))
    return [text.encode() for text in chosen.to_pylist()]


def _lost(found: pa.Table, batch: pa.Table) -> list[bytes]:
    """A sample of the records that lack a time, a who or a what."""
    missing = pc.or_(pc.equal(found["actor"], UNKNOWN), pc.is_null(found["resource"]))
    missing = pc.and_(pc.or_(missing, pc.is_null(found["time"])), found["is_object"])
    return sample(batch.filter(pc.is_in(batch["row"], found.filter(missing)["row"].combine_chunks())))
