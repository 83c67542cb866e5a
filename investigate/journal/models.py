"""What the journal keeps, as frozen dataclasses: export requests, acquisitions, coverage and its gaps."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol, TypedDict

from investigate.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from investigate.events import Window

Filter = dict[str, list[str]]
"""Field to the values an acquisition or a question is narrowed to; `{}`: everything."""

Basis = Literal["vendor", "observed", "declared"]
AcquisitionState = Literal["running", "recorded", "done", "failed"]


class LedgerHead(NamedTuple):
    """Where the ledger ended when the journal last heard of it; equal to the ledger's own `Head`.

    Attributes:
        lines: how many lines there were.
        sha256: SHA-256 of the last line; sixty-four zeros when there was none.
    """

    lines: int
    sha256: str


class KeptFile(Protocol):
    """A file of evidence, as `investigate.evidence.EvidenceFile` describes it."""

    @property
    def sha256(self) -> str:
        """SHA-256 of its bytes."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def name(self) -> str:
        """What it was called where it came from."""

    @property
    def ext(self) -> str:
        """The extension it has on disk."""


class RequestState(StrEnum):
    """How far an export request has come."""

    requested = "requested"
    linked = "linked"
    downloading = "downloading"
    collected = "collected"
    expired = "expired"
    failed = "failed"


NEXT_STATES: Final[dict[RequestState, frozenset[RequestState]]] = {
    RequestState.requested: frozenset(RequestState) - {RequestState.collected},
    RequestState.linked: frozenset(RequestState) - {RequestState.requested, RequestState.collected},
    RequestState.downloading: frozenset(RequestState) - {RequestState.requested},
    # A later link, or another try with the same one, can still bring the export in.
    RequestState.expired: frozenset({RequestState.expired, RequestState.linked, RequestState.downloading}),
    RequestState.failed: frozenset({RequestState.failed, RequestState.linked, RequestState.downloading}),
    RequestState.collected: frozenset({RequestState.collected}),
}
"""State to the states that may follow it, itself included."""


@dataclass(frozen=True)
class ExportRequest:
    """One export asked of a vendor that delivers by link.

    Attributes:
        id: its id in this journal.
        source: the vendor, `devrev`.
        window: the time asked for.
        filter: what it was narrowed to; empty: nothing.
        state: how far it has come.
        requested_at: when it was asked for, UTC.
        operator: who asked.
        link_expires_at: until when its link holds, UTC.
        link_name: host and path of the link, without its query.
        collected_at: when its log was taken in, UTC.
        acquisition: id of the acquisition that took it in.
        note: a remark, for example why it failed.
    """

    id: str
    source: str
    window: Window
    filter: Filter
    state: RequestState
    requested_at: datetime
    operator: str
    link_expires_at: datetime | None = None
    link_name: str | None = None
    collected_at: datetime | None = None
    acquisition: str | None = None
    note: str = ""


class RequestChanges(TypedDict, total=False):
    """What of an export request may change."""

    state: RequestState
    link_expires_at: datetime | None
    link_name: str | None
    collected_at: datetime | None
    acquisition: str | None
    note: str


@dataclass(frozen=True)
class Counts:
    """What became of the records of an acquisition: `received == stored + duplicate + rejected`.

    Attributes:
        records: records the evidence holds.
        received: those that were taken in.
        stored: those that became events in the lake.
        duplicate: those the lake had already, or that came twice.
        rejected: those no event could be made of.
    """

    records: int
    received: int
    stored: int
    duplicate: int
    rejected: int

    def __str__(self) -> str:
        return (
            f"received {self.received:,} = stored {self.stored:,} + duplicate {self.duplicate:,} "
            f"+ rejected {self.rejected:,}"
        )

    def __post_init__(self) -> None:
        if min(self.records, self.received, self.stored, self.duplicate, self.rejected) < 0:
            raise UsageError(f"A count below zero: {self}.")
        if self.received != self.stored + self.duplicate + self.rejected:
            raise UsageError(
                f"The counts do not add up: received {self.received}, but stored {self.stored} "
                f"+ duplicate {self.duplicate} + rejected {self.rejected}."
            )


@dataclass(frozen=True)
class AcquisitionRow:
    """One acquisition.

    Attributes:
        id: its id.
        key: a digest that is the same for every try at the same thing.
        kind: `devrev`, `coderabbit` or `import`.
        source: the profile or vendor.
        state: `running`, `recorded` (its evidence is in the ledger), `done` (in the lake) or `failed`.
        started_at: when its latest try began, UTC.
        finished_at: when it was done or failed, UTC.
        spec: what was asked for, enough to try again.
        files: its evidence, each `{"sha256", "size", "name", "ext"}`.
        window: the time it covers, once known.
        filter: what it was narrowed to; empty: nothing.
        counts: what became of its records, once done.
        lake_version: version of the lake's table after its commit.
        note: a remark, for example why it failed.
        alive: whether the process that runs it still lives; only ever true while `running` or `recorded`.
    """

    id: str
    key: str
    kind: str
    source: str
    state: AcquisitionState
    started_at: datetime
    finished_at: datetime | None
    spec: dict[str, Any]
    files: tuple[dict[str, Any], ...] = ()
    window: Window | None = None
    filter: Filter = field(default_factory=dict)
    counts: Counts | None = None
    lake_version: int | None = None
    note: str = ""
    alive: bool = False


class CoverageState(StrEnum):
    """How sure it is that an interval was acquired whole."""

    complete = "complete"
    provisional = "provisional"
    failed = "failed"


@dataclass(frozen=True)
class Interval:
    """A span of time acquired, or tried.

    Attributes:
        source: the profile or vendor.
        tenant: workspace, organisation or account.
        filter: what the acquisition was narrowed to; empty: nothing.
        window: the span.
        state: how sure it is.
        acquisition: id of the acquisition.
        basis: who says that the span is covered: the vendor's contract, the times observed in the log, or the person
            who brought the files.
    """

    source: str
    tenant: str
    filter: Filter
    window: Window
    state: CoverageState
    acquisition: str
    basis: Basis


@dataclass(frozen=True)
class Gap:
    """A span that was not, or not surely, collected.

    Attributes:
        source: the profile or vendor; None when nothing was ever collected from any.
        tenant: workspace, organisation or account; None likewise.
        window: the span.
        state: `never collected`, `provisional` or `failed`.
        note: what was collected of it all the same, for example `only operation_types=read was collected`.
    """

    source: str | None
    tenant: str | None
    window: Window
    state: Literal["never collected", "provisional", "failed"]
    note: str = ""
