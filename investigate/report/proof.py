"""Every event held against its evidence: the record it names, cut out of the file again, must be the one it has.

Events and records both come in the order in which they lie in the file, so neither is ever held whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self

import duckdb
from duckdb import ColumnExpression, ConstantExpression

from investigate.errors import EvidenceError, InvestigateError, first_line
from investigate.events import event_schema
from investigate.report.bundle import EVENTS
from investigate.report.remade import Remade

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    import pyarrow as pa

    from investigate.evidence import Entry
    from investigate.report.verdict import Checked

    Records = Callable[[BinaryIO, int, str, dict[str, Any]], Iterator[tuple[str, int]]]
    """Gives the records of an evidence file and their places: of a stream, its size, a profile, the manifest."""
    Events = Callable[[Mapping[str, Path], Entry, dict[str, Any]], Iterator[pa.Table]]
    """Makes the events of an acquisition again: of those of its files that are here, by SHA-256, and the manifest."""
    Wanted = tuple[int, str | None, str | None]
    """Place, id and record of an event."""


@dataclass(frozen=True)
class Reader:
    """What reads evidence for a check; see the kinds of functions above.

    Attributes:
        records: cuts the records out of an evidence file.
        events: makes the events of an acquisition again.
        apart: whether each file of an acquisition of this profile is read by itself, whatever the others say.
        alike: whether an acquisition was taken in by the profile, and the release, that read it now.
        foretold: whether that release, where it is this one, says in the ledger that the profile was this one.
    """

    records: Records
    events: Events
    apart: Callable[[str, dict[str, Any]], bool]
    alike: Callable[[Entry, dict[str, Any]], bool]
    foretold: Callable[[Entry, dict[str, Any]], bool]


_BATCH: Final = 20_000
_MOST: Final = 20
"""So many events are named that are there twice, or have no place."""
_SHOWN: Final = 80
_UNSURE: Final = " It may have been taken in by an earlier profile, or another release."
_UNCONFIRMED: Final = "so the bundle is not confirmed."


class Proof:
    """The events of a bundle; a context manager.

    Args:
        events: the Parquet file.
        scratch: a folder to spill to.
        found: where faults are noted.
    """

    def __init__(self, events: Path, scratch: Path, found: Checked) -> None:
        self._found = found
        self._connection = duckdb.connect(config={"temp_directory": str(scratch / "spill")})
        self._connection.execute("SET enable_progress_bar = false")
        try:
            found_there = self._connection.read_parquet(str(events), hive_partitioning=False)
            self._insist_on_columns(found_there)
            found_there.create_view("events")
        except (InvestigateError, duckdb.Error) as error:
            reason = first_line(error)
            found.fault("unreadable", EVENTS, f"The events cannot be read: {reason}")
            self._connection.from_arrow(event_schema().empty_table()).create_view("events")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def files(self) -> list[tuple[str, str, int]]:
        """The evidence files that events name, with their profile, and how many do."""
        query = "SELECT coalesce(evidence, ''), coalesce(source, ''), count(*) FROM events GROUP BY ALL ORDER BY ALL"
        return self._connection.execute(query).fetchall()

    def counted(self, said: object) -> None:
        """Count the events, and hold that against what the manifest says."""
        self._found.events = sum(count for _, _, count in self.files())
        if self._found.events != said:
            message = f"The manifest says {said!r} events, the bundle has {self._found.events:,}."
            self._found.fault("count", EVENTS, message)

    def distinct(self) -> None:
        """Insist that no event is there twice. Redaction may make ids alike, but not the places of two records.

        An id may come again on another day, in another record: that is another event.
        """
        place = ", evidence, evidence_record" if self._found.redacted else ""
        query = f"""SELECT event_uid, count(*) FROM events GROUP BY source, tenant, event_uid{place}
                    HAVING count(*) > least(count(DISTINCT date), count(DISTINCT (evidence, evidence_record)))
                    ORDER BY ALL LIMIT {_MOST}"""
        for uid, count in self._connection.execute(query).fetchall():
            self._found.fault("repeated", str(uid), f"Event {uid} is in the bundle {count:,} times.")

    def placed(self) -> None:
        """Insist that every event names the place of its record."""
        query = f"""SELECT event_uid, count(*) OVER () FROM events WHERE evidence_record IS NULL
                    ORDER BY ALL LIMIT {_MOST}"""
        for uid, count in self._connection.execute(query).fetchall():
            message = f"Event {uid} names no record of its evidence; {count:,} in all do not."
            self._found.fault("record_missing", str(uid), message)

    def find(self, path: Path, sha256: str, source: str, records: Records, manifest: dict[str, Any]) -> None:
        """Look for the records of all events of one evidence file, which lies at `path`; see also `placed`."""
        try:
            wanted = self._wanted(sha256, source)
            with path.open("rb") as stream:
                self._walk(wanted, records(stream, path.stat().st_size, source, manifest), sha256)
        except (InvestigateError, ValueError, duckdb.Error) as error:
            reason = first_line(error)
            message = f"The events of the evidence {sha256}, as {source[:80]}, cannot be compared: {reason}"
            self._found.fault("unreadable", sha256, message)

    def remake(
        self, entries: Sequence[Entry], unpacked: Mapping[str, Path], reader: Reader, manifest: dict[str, Any]
    ) -> None:
        """Make the events of acquisitions again, whose files lie unpacked, and hold the bundle's against them.

        What differs is a fault. It may be due to a profile that was changed since, or to another release, which is
        said; but only the manifest says so, and whoever changes an event can change that too.
        """
        try:
            made = Remade(self._connection)
            for entry in entries:
                made.add(reader.events(unpacked, entry, manifest))
            count, messages = made.differing(list(unpacked))
            alike = all(reader.alike(entry, manifest) for entry in entries)
            for message in messages:
                self._found.fault("column_changed", EVENTS, message if alike else message + _UNSURE)
            if count and not alike:
                by = (manifest.get("tool") or {}).get("investigate", "unknown")[:_SHOWN]
                differ = f"{count:,} events differ from what is made of the evidence now, {_UNCONFIRMED}"
                message = f"{differ} Check it with the release that the manifest says made it: {by}."
                self._found.fault("unconfirmed", EVENTS, message)
            for entry in entries:
                if not reader.foretold(entry, manifest):
                    said = f"The ledger says that {entry.acquisition} was read by another profile than the manifest has"
                    self._found.fault("profile_changed", entry.acquisition, f"{said}, {_UNCONFIRMED}")
        except (InvestigateError, ValueError, duckdb.Error) as error:
            self._found.fault("unreadable", EVENTS, f"The events cannot be made again: {first_line(error)}")

    def _insist_on_columns(self, found: duckdb.DuckDBPyRelation) -> None:
        wanted = self._connection.from_arrow(event_schema().empty_table())
        types = dict(zip(found.columns, map(str, found.types), strict=True))
        for name, kind in zip(wanted.columns, map(str, wanted.types), strict=True):
            if types.get(name) != kind:
                raise EvidenceError(f"the column {name} is {types.get(name, 'missing')[:_SHOWN]}, not {kind}.")

    def _walk(self, wanted: Iterator[Wanted], records: Iterator[tuple[str, int]], sha256: str) -> None:
        """Go through events and records side by side."""
        event = next(wanted, None)
        for record, at in records:
            while event and event[0] < at:
                self._lost(sha256, event)
                event = next(wanted, None)
            while event and event[0] == at:
                self._compare(event, record, sha256)
                event = next(wanted, None)
            if event is None:
                return
        while event:
            self._lost(sha256, event)
            event = next(wanted, None)

    def _compare(self, event: Wanted, record: str, sha256: str) -> None:
        at, uid, raw = event
        if raw == record:
            self._found.records += 1
        else:
            message = f"Event {uid} is not what record {at} of the evidence {sha256} says."
            self._found.fault("record_changed", str(uid), message)

    def _lost(self, sha256: str, event: Wanted) -> None:
        place, uid, _ = event
        message = f"The evidence {sha256} has no record {place}, which event {uid} names."
        self._found.fault("record_missing", str(uid), message)

    def _wanted(self, sha256: str, source: str) -> Iterator[Wanted]:
        own = (ColumnExpression("evidence") == ConstantExpression(sha256)) & (
            ColumnExpression("source") == ConstantExpression(source)
        )
        own &= ColumnExpression("evidence_record").isnotnull()
        found = self._connection.query("FROM events").filter(own).select("evidence_record", "event_uid", "raw")
        for batch in found.order("evidence_record, event_uid").to_arrow_reader(_BATCH):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
