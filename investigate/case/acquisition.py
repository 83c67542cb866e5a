"""From received bytes to a finished acquisition: ledger, normalise, commit, journal; resumed where it was cut off.

The order makes it safe: evidence is durable before the ledger names it, the ledger before the lake has it, the lake
before the journal says so. Each step can be done again and changes nothing then.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import IO, TYPE_CHECKING, Any

from investigate.case.claims import claim
from investigate.case.tally import Tally
from investigate.errors import Cancelled, ContainerError, EvidenceError, InvestigateError, cause
from investigate.events import Window
from investigate.evidence import EvidenceFile
from investigate.evidence.redact import redact
from investigate.freed import frugal
from investigate.journal import Counts, CoverageState, Interval
from investigate.normalise import profile as profiles

PROFILE = "profile"
"""Where a line of the ledger says by which profile its files are read: `normalise.profile.digest`."""

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from investigate.case.case import Case
    from investigate.case.coverage import Coverage
    from investigate.case.early import Early
    from investigate.evidence import Entry
    from investigate.journal import AcquisitionRow
    from investigate.normalise.normaliser import Batch, Input, Normaliser
    from investigate.normalise.survey import Decision
    from investigate.sources.received import Progress, Received


@dataclass(frozen=True)
class Acquisition:
    """What one acquisition brought, and what became of it.

    Attributes:
        id: its id, also in the ledger and in the lake's log.
        kind: `devrev`, `coderabbit` or `import`.
        source: the profile its records were read with.
        counts: `received == stored + duplicate + rejected`, in events; `records` counts the vendor's records, of
            which one may hold several events.
        evidence: the files it kept.
        window: the time it speaks for, UTC; None where it holds nothing.
        coverage: of that window, after it.
        lake_version: Delta version of the events after its commit.
        decisions: for a flexible profile, which field was taken for which column.
        warnings: one sentence each.
        resumed: whether this run brought an earlier one to its end, that was cut off.
        unreadable: why none of its files could be read, empty where one could.
    """

    id: str
    kind: str
    source: str
    counts: Counts
    evidence: tuple[EvidenceFile, ...]
    window: Window | None
    coverage: Coverage
    lake_version: int
    decisions: tuple[Decision, ...] = ()
    warnings: tuple[str, ...] = ()
    resumed: bool = False
    unreadable: str = ""

    def as_json(self) -> dict[str, Any]:
        """`received`, `stored`, `duplicate`, `rejected`, `records`, `evidence`, `window`, `coverage` and the rest."""
        return {
            **asdict(self.counts),
            "evidence": [file.sha256 for file in self.evidence],
            "window": self.window.as_json() if self.window else None,
            "coverage": self.coverage.as_json(),
            "acquisition": self.id,
            "source": self.source,
            "lake_version": self.lake_version,
            "decisions": [asdict(decision) for decision in self.decisions],
            "warnings": list(self.warnings),
            "resumed": self.resumed,
        }


@dataclass(frozen=True)
class Fetched:
    """What a source brought, with what is needed to say later what it covers.

    Attributes:
        received: the evidence.
        window: the time asked for, None where nobody asked for one.
        filter: what it was narrowed to.
        extra: goes into the ledger; see `claims`.
    """

    received: Received
    window: Window | None
    filter: dict[str, list[str]]
    extra: dict[str, Any]


@frugal()
def acquire(
    case: Case,
    kind: Any,
    source: str,
    spec: dict[str, Any],
    fetch: Callable[[], Fetched],
    progress: Progress,
    early: Early | None = None,
) -> Acquisition:
    """Run one acquisition from its beginning, or bring one to its end that asked for the same and was cut off.

    Args:
        case: where to.
        kind: `devrev`, `coderabbit` or `import`.
        source: the profile.
        spec: what is asked for, without secrets; equal for every try at the same thing.
        fetch: brings the evidence.
        progress: told how far it is.
        early: reads what `fetch` brings while it still comes.

    Raises:
        ContainerError: none of the files holds a log; they are kept as evidence all the same.
        Cancelled: `progress` raised it; nothing is committed, and what is evidence already stays that.
        InvestigateError: whatever the source, the evidence or the lake raise.
    """
    key = _key(kind, source, spec)
    finished, said = _resume(case, progress, key)
    if (same := _same(case, key, finished)) is not None:
        return replace(same, warnings=(*said, *same.warnings))
    identity = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
    case.journal.begin(id=identity, key=key, kind=kind, source=source, spec=spec)
    with early.running(identity) if early else nullcontext():
        try:
            fetched = fetch()
            entry = _record(case, identity, kind, source, fetched)
        except BaseException as error:
            reason = error.message if isinstance(error, InvestigateError) else type(error).__name__
            case.journal.fail(identity, reason, _failed(case, kind, source, spec, identity))
            raise
        try:
            done = _finish(case, entry, progress, (*said, *fetched.received.warnings), early=early)
        except Cancelled as error:  # wanted by a person: the next acquisition must not bring it to its end after all
            case.journal.fail(identity, error.message, _failed(case, kind, source, spec, identity))
            raise
        except BaseException:
            case.journal.leave(identity)  # the next acquisition, also one of this process, brings it to its end
            raise
    return _judged(done)


@frugal()
def cut_off(case: Case, kind: Any, source: str, spec: dict[str, Any], progress: Progress) -> Acquisition | None:
    """One that asked for the same and was cut off after its evidence was recorded, brought to its end.

    For who may no longer have what `acquire` needs to `fetch`.

    Returns:
        None where there is none, or it could not be brought to its end this time either.
    """
    key = _key(kind, source, spec)
    if not any(row.key == key and row.state == "recorded" for row in case.journal.pending()):
        return None
    return _same(case, key, _resume(case, progress, key)[0])


def _key(kind: str, source: str, spec: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps([kind, source, spec], sort_keys=True).encode()).hexdigest()


def _same(case: Case, key: str, finished: Mapping[str, Acquisition]) -> Acquisition | None:
    """What an earlier process left of the acquisition with that key, if it is done now."""
    if key in finished:
        return _judged(finished[key])
    row = case.journal.unreported(key)
    return _judged(_reported(case, row)) if row else None


def _resume(case: Case, progress: Progress, key: str) -> tuple[dict[str, Acquisition], tuple[str, ...]]:
    """Bring acquisitions to their end that were cut off after their evidence was recorded.

    One that was cut off before that is noted as failed; what it left over is removed. One that cannot be brought to its
    end stays as it is, for a later time, unless its evidence is gone.

    Returns:
        Those that are done now, by their keys; and a sentence on each but those with `key`, for who wants this.
    """
    case.sweep()
    finished, said = dict[str, Acquisition](), list[str]()
    for row in case.journal.pending():
        done = None if row.alive else _brought_to_its_end(case, row, progress)
        if isinstance(done, Acquisition):
            finished[row.key] = done
        if done is not None and row.key != key:
            became = done if isinstance(done, str) else f"was brought to its end: {done.counts}."
            said.append(f"An earlier acquisition of {row.source} that was cut off ({row.id}) {became}")
    return finished, tuple(said)


def _brought_to_its_end(case: Case, row: AcquisitionRow, progress: Progress) -> Acquisition | str | None:
    """An acquisition whose process is gone: done now, else what is to be said of it, if anything."""
    try:
        row = case.journal.adopt(row.id)
    except InvestigateError:
        return None  # another process was faster
    entry = _entry(case, row)
    if entry is None:
        case.journal.fail(row.id, "cut off before its evidence was complete")
        return None
    if row.state == "running":
        window = Window.from_json(entry.window)
        case.journal.record(row.id, entry.files, window, dict(entry.filter), case.ledger.head())
    try:
        return _finish(case, entry, progress, (), resumed=True)
    except EvidenceError as error:
        case.journal.fail(row.id, error.message, _failed(case, row.kind, row.source, row.spec, row.id))
        return f"cannot be brought to its end any more. {error.message} {error.hint}"
    except (Cancelled, KeyboardInterrupt, SystemExit):  # meant for what this person wants, which has not begun yet
        case.journal.leave(row.id)
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not stand in the way of all that come later
        case.journal.leave(row.id)
        return f"could not be brought to its end, which is tried again next time. {redact(cause(error))}"


def _entry(case: Case, row: AcquisitionRow) -> Entry | None:
    return next((entry for entry in case.ledger.entries() if entry.acquisition == row.id), None)


def _record(case: Case, identity: str, kind: Any, source: str, fetched: Fetched) -> Entry:
    """Ledger, then journal: from here on the acquisition survives whatever happens."""
    with case.locked():
        entry = case.ledger.append(
            acquisition=identity,
            kind=kind,
            source=source,
            request=fetched.received.request,
            response=fetched.received.response,
            files=fetched.received.files,
            window=fetched.window.as_json() if fetched.window else None,
            filter=fetched.filter,
            extra={**fetched.extra, PROFILE: profiles.digest(source, case.config.profiles)},
            known=case.journal.head(),
        )
        case.journal.record(identity, entry.files, fetched.window, fetched.filter, case.ledger.head())
    return entry


def normaliser(case: Case, source: str, tenant: str | None) -> Normaliser:
    """What reads the records of a case's logs, within the bounds that are set for it."""
    from investigate.normalise.normaliser import Normaliser  # noqa: PLC0415 - engines, which a look at a case needs not

    profile = profiles.load(source, case.config.profiles)
    return Normaliser(profile, case.limits, tenant=tenant, memory=case.config.ingest.memory // 2, jobs=case.jobs)


def _finish(
    case: Case,
    entry: Entry,
    progress: Progress,
    warnings: tuple[str, ...],
    *,
    resumed: bool = False,
    early: Early | None = None,
) -> Acquisition:
    tally = Tally()
    with case.lake.stage(entry.acquisition) as staging:
        with _reading(case, entry, early) as reading:
            size = sum(file.size for file in entry.files)
            for batch in reading.batches(entry.files):
                staging.add(batch.events, batch.rejects)
                tally.add(batch)
                _read(progress, reading.done, size, tally)
            _read(progress, size, size, tally)
        with case.locked():
            written = case.lake.commit(staging, entry.acquisition, tally.records, partial(_summing_up, progress))
    claimed = claim(case, entry, tally)
    counts = Counts(written.records, written.received, written.stored, written.duplicate, written.rejected)
    window = claimed.window
    case.journal.finish(
        entry.acquisition, counts, claimed.intervals, lake_version=written.version, window=window, note=claimed.note
    )
    return Acquisition(
        id=entry.acquisition,
        kind=entry.kind,
        source=entry.source,
        counts=counts,
        evidence=tuple(entry.files),
        window=window,
        coverage=case.coverage_of(window, [(i.source, i.tenant) for i in claimed.intervals]),
        lake_version=written.version,
        decisions=reading.normaliser.decisions,
        warnings=(*warnings, *claimed.warnings, *([written.note] if written.note else [])),
        resumed=resumed,
        unreadable=tally.unreadable,
    )


def _read(progress: Progress, done: int, size: int, tally: Tally) -> None:
    progress("normalise", done, size, "bytes")
    progress("normalise", tally.records, None, "records")
    if tally.rejects:
        progress("normalise", tally.rejects, None, "rejects")


def _summing_up(progress: Progress, done: int, total: int) -> None:
    """What is in the lake already cannot be cancelled any more."""
    with suppress(Cancelled):
        progress("sum up", done, total, "events")


@contextmanager
def _reading(case: Case, entry: Entry, early: Early | None) -> Iterator[Early | _Opened]:
    """What reads the evidence of an acquisition; its engines need no memory any more once all is read."""
    if early and early.holds(entry.files):
        yield early
        return
    with normaliser(case, entry.source, entry.extra.get("tenant")) as reads:
        yield _Opened(case, reads)


def _reported(case: Case, row: AcquisitionRow) -> Acquisition:
    """An acquisition that was done when its process was killed, as far as the journal remembers it."""
    counts = row.counts
    assert counts is not None  # noqa: S101 - it is done
    intervals = [interval for interval in case.journal.intervals() if interval.acquisition == row.id]
    return Acquisition(
        id=row.id,
        kind=row.kind,
        source=row.source,
        counts=counts,
        evidence=tuple(EvidenceFile(**file) for file in row.files),
        window=row.window,
        coverage=case.coverage_of(row.window, [(interval.source, interval.tenant) for interval in intervals]),
        lake_version=row.lake_version if row.lake_version is not None else -1,
        resumed=True,
        unreadable=row.note if counts.rejected and counts.rejected == counts.received else "",
    )


class _Opened:
    """The evidence of an acquisition, opened one file after the other; see `Early`, which has the same members."""

    def __init__(self, case: Case, normaliser: Normaliser) -> None:
        self._case, self.normaliser = case, normaliser
        self._before = 0
        self._current: IO[bytes] | None = None

    def batches(self, files: Sequence[EvidenceFile]) -> Iterator[Batch]:
        return self.normaliser.read(self._inputs(files))

    @property
    def done(self) -> int:
        try:
            return self._before + (self._current.tell() if self._current else 0)
        except ValueError:  # closed by the thread that reads it
            return self._before

    def _inputs(self, files: Sequence[EvidenceFile]) -> Iterator[Input]:
        from investigate.normalise.normaliser import Input  # noqa: PLC0415 - see `normaliser`

        for file in files:
            with self._case.evidence.open(file.sha256) as stream:
                self._current = stream
                yield Input(stream, file.size, file.sha256)
                self._current = None
            self._before += file.size


def _judged(acquisition: Acquisition) -> Acquisition:
    if acquisition.unreadable:
        raise ContainerError(
            f"Nothing could be read: {acquisition.unreadable}",
            f"It is kept as evidence ({acquisition.evidence[0].sha256[:12]}…) and counted as rejected: "
            'investigate sql "select * from rejects"',
        )
    return acquisition


def _failed(case: Case, kind: str, source: str, spec: dict[str, Any], identity: str) -> list[Interval]:
    """What a pull that broke off was to cover, so that the gap says why it is there."""
    window = Window.from_json(spec.get("window"))
    if window is None or window.start == window.end or kind == "import":
        return []
    tenant = spec.get("tenant") or case.known_tenant(source)
    return [Interval(source, tenant, spec.get("filter", {}), window, CoverageState.failed, identity, "vendor")]
