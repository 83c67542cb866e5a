"""The journal: export requests, acquisitions, coverage, annotations and the ledger's head, in one SQLite file."""

from investigate.journal.annotations import Annotation, Marks, marks
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
    "Annotation",
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
    "Marks",
    "RequestChanges",
    "RequestState",
    "marks",
]
