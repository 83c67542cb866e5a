"""Evidence verified: every file hashed again, the ledger's chain walked, and the two compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from investigate.evidence.chain import Finding, examine
from investigate.evidence.files import STORED, hash_file, is_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from investigate.evidence.ledger import Ledger
    from investigate.evidence.lines import Entry
    from investigate.evidence.store import EvidenceStore

__all__ = ["Finding", "VerifyReport", "verify"]

_WRITE_BITS: Final = 0o222


@dataclass(frozen=True)
class VerifyReport:
    """What `verify` looked at and found.

    Attributes:
        files: evidence files hashed.
        bytes: bytes hashed.
        lines: lines of the ledger.
        findings: those about the ledger first, then those about files.
    """

    files: int
    bytes: int
    lines: int
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing but notes was found."""
        return all(finding.severity == "note" for finding in self.findings)


@dataclass(frozen=True)
class _Recorded:
    """What the ledger says of one file."""

    size: int
    lines: tuple[int, ...]

    def __str__(self) -> str:
        return f"line {', '.join(map(str, self.lines))} of the ledger"


def verify(
    store: EvidenceStore,
    ledger: Ledger,
    head: tuple[int, str] | None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> VerifyReport:
    """Hash all evidence again, walk the ledger, and name everything that is not as recorded.

    Args:
        store: the evidence.
        ledger: its ledger.
        head: the head the journal keeps (`Journal.head()`), the witness for the last lines; None without a journal.
        progress: called with the bytes hashed so far and the bytes there are.

    Returns:
        A report; it is `ok` when all bytes and all lines are what they were.
    """
    entries, lines, findings = examine(ledger, head)
    recorded = _recorded(entries)
    check = _FileCheck(store, recorded, progress)
    named = {(finding.kind, finding.where) for finding in findings}
    # A line that is known to be edited need not be named again for the size it gives.
    findings += [finding for finding in check.run() if (finding.kind, finding.where) not in named]
    return VerifyReport(check.files, check.done, lines, tuple(findings))


class _FileCheck:
    """One walk over the files of a store."""

    def __init__(
        self, store: EvidenceStore, recorded: dict[str, _Recorded], progress: Callable[[int, int], None] | None
    ) -> None:
        self.files = 0
        self.done = 0
        self._root = store.root
        self._paths = list(store.walk())
        self._recorded = recorded
        self._progress = progress
        self._total = sum(path.stat().st_size for path in self._paths if is_plain(path))

    def run(self) -> Iterator[Finding]:
        seen = set()
        for path in self._paths:
            stored = STORED.fullmatch(path.name)
            rightly = stored is not None and path.parent.name == path.name[:2]
            if stored and rightly:
                seen.add(stored[1])
            yield from self._check(path, stored[1] if stored and rightly else None)
        for sha256 in sorted(self._recorded.keys() - seen):
            message = f"The evidence of {self._recorded[sha256]} is missing: {sha256}."
            yield Finding("missing", f"sha256/{sha256[:2]}/{sha256}", message)

    def _check(self, path: Path, sha256: str | None) -> Iterable[Finding]:
        where = path.relative_to(self._root).as_posix()
        if not is_plain(path):
            return [Finding("not_a_file", where, f"{where} is no file but a link, a folder or a device.")]
        try:
            actual, size = hash_file(path, self._advance)
            mode = path.stat().st_mode
        except OSError as error:
            return [Finding("unreadable", where, f"{where} cannot be read: {error.strerror}.")]
        self.files += 1
        if sha256 is None:
            known = f" it holds the evidence of {self._recorded[actual]}." if actual in self._recorded else ""
            return [Finding("wrong_name", where, f"{where} is not named and placed by its SHA-256.{known}")]
        findings = []
        record = self._recorded.get(sha256)
        if actual != sha256:
            was = f" by {record}" if record else ""
            grown = f", and {size:,} bytes, not {record.size:,}" if record and record.size != size else ""
            findings.append(Finding("changed", where, f"{where} was changed: its SHA-256 is {actual}{grown}{was}."))
        elif record and record.size != size:
            message = f"Line {record.lines[0]} of the ledger says {record.size:,} bytes, but {where} has {size:,}."
            findings.append(Finding("ledger_edited", f"ledger line {record.lines[0]}", message))
        if record is None:
            message = f"{where} is in no line of the ledger: an acquisition was interrupted, or someone put it there."
            findings.append(Finding("unrecorded", where, message, "note"))
        if mode & _WRITE_BITS:
            findings.append(Finding("writable", where, f"{where} can be written; evidence is read-only.", "note"))
        return findings

    def _advance(self, count: int) -> None:
        self.done += count
        if self._progress:
            self._progress(self.done, self._total)


def _recorded(entries: list[Entry]) -> dict[str, _Recorded]:
    found: dict[str, _Recorded] = {}
    for entry in entries:
        for file in entry.files:
            earlier = found.get(file.sha256)
            lines = (*earlier.lines, entry.seq) if earlier else (entry.seq,)
            found[file.sha256] = _Recorded(earlier.size if earlier else file.size, lines)
    return found
