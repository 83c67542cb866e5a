"""Evidence: write-once bytes by SHA-256, the hash-chained ledger, and the verification of both."""

from investigate.evidence.ledger import Entry, Head, Ledger
from investigate.evidence.redact import RedactingFilter, redact, redact_data
from investigate.evidence.store import EvidenceFile, EvidenceStore, Incoming
from investigate.evidence.verify import Finding, VerifyReport, verify

__all__ = [
    "Entry",
    "EvidenceFile",
    "EvidenceStore",
    "Finding",
    "Head",
    "Incoming",
    "Ledger",
    "RedactingFilter",
    "VerifyReport",
    "redact",
    "redact_data",
    "verify",
]
