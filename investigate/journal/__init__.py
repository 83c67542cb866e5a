"""The journal: export requests, acquisitions, coverage and the ledger's head, in one SQLite file."""

from investigate.journal.journal import Journal
from investigate.journal.models import (
    AcquisitionRow,
    AcquisitionState,
    Basis,
    Counts,
    CoverageState,
    ExportRequest,
    Filter,
    Gap,
    Interval,
    KeptFile,
    LedgerHead,
    RequestChanges,
    RequestState,
)

__all__ = [
    "AcquisitionRow",
    "AcquisitionState",
    "Basis",
    "Counts",
    "CoverageState",
    "ExportRequest",
    "Filter",
    "Gap",
    "Interval",
    "Journal",
    "KeptFile",
    "LedgerHead",
    "RequestChanges",
    "RequestState",
]
