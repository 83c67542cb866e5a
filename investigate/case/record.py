"""From an event back to the bytes: its record cut out of the evidence file once more, and compared with the lake.

The lake is not asked what the record says, only where it lies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from investigate.errors import EvidenceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from investigate.case.case import Case
    from investigate.evidence import Entry
    from investigate.normalise.records import Chunk

_FIND = """
    SELECT event_uid, time, source, tenant, actor, action, evidence, evidence_record, raw FROM events
    WHERE event_uid = $uid AND ($source IS NULL OR source = $source) AND ($tenant IS NULL OR tenant = $tenant)
    ORDER BY source, tenant"""


@dataclass(frozen=True)
class Proof:
    """One event's record as it stands in the evidence.

    Attributes:
        event: the event's key, time, who and what, from the lake.
        evidence: SHA-256 of the file, hashed again before it was read.
        evidence_record: the record's place in it, from 0.
        raw: the record, cut out of the file now.
        equal: whether the lake's `raw` is the same.
        entry: the ledger's line that brought the file in; None where none names it.
        name: what the file was called where it came from.
        size: of the file, in bytes.
    """

    event: dict[str, Any]
    evidence: str
    evidence_record: int
    raw: str
    equal: bool
    entry: Entry | None
    name: str
    size: int


def prove(case: Case, event_uid: str, *, source: str | None = None, tenant: str | None = None) -> Proof:
    """The record of an event, out of its evidence file, whose SHA-256 is checked first.

    Args:
        case: where it is.
        event_uid: of the event.
        source: its profile; needed only where several sources have this id.
        tenant: its tenant; likewise.

    Raises:
        UsageError: no event has this id, or several have.
        EvidenceError: the file is missing, was changed, or does not hold the record.
    """
    event = _event(case, event_uid, source, tenant)
    sha256, place = str(event["evidence"]), int(event["evidence_record"])
    size = _checked(case, sha256)
    entry = next((one for one in case.ledger.entries() if sha256 in {file.sha256 for file in one.files}), None)
    file = next((file for file in entry.files if file.sha256 == sha256), None) if entry else None
    raw = _cut(case, str(event["source"]), sha256, size, place)
    return Proof(event, sha256, place, raw, raw == event.pop("raw"), entry, file.name if file else "", size)


def _event(case: Case, uid: str, source: str | None, tenant: str | None) -> dict[str, Any]:
    found = case.sql(_FIND, {"uid": uid, "source": source, "tenant": tenant}).to_dicts()
    if not found:
        raise UsageError(
            f"No event in this case has the id {uid[:200]!r}.",
            'Ids are in the column event_uid: investigate sql "select event_uid, time, actor from events limit 10"',
        )
    if len(found) > 1:
        where = ", ".join(f"{one['source']}/{one['tenant']}" for one in found)
        raise UsageError(f"{len(found)} events have this id: {where}.", "Add --source and --tenant.")
    return found[0]


def _checked(case: Case, sha256: str) -> int:
    """The size of an evidence file that is what it was."""
    from investigate.evidence.files import hash_file  # noqa: PLC0415 - beside its only use

    actual, size = hash_file(case.evidence.find(sha256))
    if actual != sha256:
        raise EvidenceError(
            f"The evidence file {sha256} was changed: its SHA-256 is {actual} now.",
            "Nothing is shown from it. See what else is wrong: investigate evidence verify",
        )
    return size


def _cut(case: Case, source: str, sha256: str, size: int, place: int) -> str:
    for chunk in _chunks(case, source, sha256, size):
        for record, at in _records(chunk):
            if at == place:
                return record
            if at > place:
                break
    raise EvidenceError(
        f"The evidence file {sha256} has no record {place}.",
        "The lake and the evidence disagree. See what else is wrong: investigate evidence verify",
    )


def _chunks(case: Case, source: str, sha256: str, size: int) -> Iterator[Chunk]:
    """The records of a file in chunks, counted as when they were taken in."""
    from investigate.normalise.containers import members  # noqa: PLC0415 - heavy, and only needed here
    from investigate.normalise.profile import load  # noqa: PLC0415
    from investigate.normalise.records import RecordReader  # noqa: PLC0415

    limits = case.limits
    profile = load(source, case.config.profiles)
    first = 0
    with case.evidence.open(sha256) as stream:
        for _, reader in members(stream, size, limits):
            records = RecordReader(reader, profile, limits, first)
            yield from records
            first = records.place


def _records(chunk: Chunk) -> Iterator[tuple[str, int]]:
    return zip(chunk.records.to_pylist(), chunk.places.to_pylist(), strict=True)
