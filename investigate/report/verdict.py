"""What a check of a bundle finds: one fault a thing that is not as it should be, and how much was looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

_MOST_NAMED: Final = 20
"""So many faults of one kind are named one by one."""


@dataclass(frozen=True)
class Fault:
    """One thing that is not as it should be: its kind, where, a sentence, and `error` or `note`."""

    kind: str
    where: str
    message: str
    severity: Literal["error", "note"] = "error"


@dataclass
class Checked:
    """What was looked at, and what was found.

    Attributes:
        files: members hashed.
        bytes: bytes of them.
        lines: lines of the ledger.
        events: events in the bundled lake.
        records: events whose record was found again in the evidence, byte for byte.
        redacted: what was taken out, in words; empty: nothing.
        sha256: of the bundle itself.
        faults: what is wrong, in the order it was met.
    """

    files: int = 0
    bytes: int = 0
    lines: int = 0
    events: int = 0
    records: int = 0
    redacted: str = ""
    sha256: str = ""
    faults: list[Fault] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing but notes was found."""
        return all(fault.severity == "note" for fault in self.faults)

    def fault(self, kind: str, where: str, message: str, severity: Literal["error", "note"] = "error") -> None:
        """Note a fault; of many of one kind, that there are more."""
        before = sum(fault.kind == kind for fault in self.faults)
        if before < _MOST_NAMED:
            self.faults.append(Fault(kind, where, message, severity))
        elif before == _MOST_NAMED:
            self.faults.append(Fault(kind, "", f"And there is more of the same kind: {kind}.", severity))
