"""The ledger: one line of canonical JSON an acquisition, each with the SHA-256 of the line before.

Lines are only ever appended. What stands in them is redacted once more here, whatever the caller did.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final, Literal

from investigate.errors import EvidenceError
from investigate.evidence._folders import NO_FOLLOW, PRIVATE_FILE, make_folder, sync_folder, unwritable, write_all
from investigate.evidence.lines import GENESIS, Entry, Head, LineError, digest, encode, parse
from investigate.evidence.redact import redact_data

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from investigate.evidence.files import EvidenceFile

__all__ = ["Entry", "Head", "Ledger"]

Kind = Literal["devrev", "coderabbit", "import"]

_VERIFY: Final = "See what happened to it: investigate evidence verify"
_TAIL: Final = 2**16


class Ledger:
    """The ledger of one case, `<case>/evidence/ledger.jsonl`.

    Args:
        path: the file; made with mode 0600 when the first line is appended.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def head(self) -> Head:
        """How many lines there are, and the SHA-256 of the last one; a line torn by a crash does not count.

        Raises:
            EvidenceError: the last line is none of ours, or the file cannot be read.
        """
        line, _ = self._last()
        return line

    def append(
        self,
        *,
        acquisition: str,
        kind: Kind,
        source: str,
        request: Mapping[str, Any],
        response: Mapping[str, Any],
        files: Sequence[EvidenceFile],
        window: Mapping[str, str] | None = None,
        filter: Mapping[str, Any] | None = None,  # noqa: A002 - the name it has everywhere
        time: datetime | None = None,
        note: str = "",
        extra: Mapping[str, Any] | None = None,
        known: tuple[int, str] | None = None,
    ) -> Entry:
        """Append one acquisition, durably; the caller holds the case's lock.

        Args:
            acquisition: its id.
            kind: which client fetched it.
            source: the profile or vendor the files are of.
            request: what was asked for, without secrets.
            response: what of the answer matters: status, headers.
            files: the evidence, in order.
            window: `{"from": …, "to": …}`, ISO 8601 UTC, or None when unknown.
            filter: what the acquisition was narrowed to; empty: nothing.
            time: when it was acquired, aware; None reads the clock.
            note: a remark.
            extra: anything else worth keeping.
            known: the head the journal keeps. Appending to a ledger that no longer holds that line would hide that
                it was tampered with, so it is refused.

        Returns:
            The entry as it stands in the ledger.

        Raises:
            EvidenceError: it cannot be written, its last line is none of ours, or it is not the ledger `known` is of.
        """
        head, keep = self._last()
        self._insist(head, known)
        fields = redact_data(
            {
                "seq": head.lines + 1,
                "prev": head.sha256,
                "time": _iso(time or datetime.now(UTC)),
                "tool": tool(),
                "operator": operator(),
                "acquisition": acquisition,
                "kind": kind,
                "source": source,
                "request": request,
                "response": response,
                "files": [asdict(file) for file in files],
                "size": sum(file.size for file in files),
                "window": window or None,
                "filter": filter or {},
                "note": note,
                "extra": extra or {},
            }
        )
        line = encode(fields)
        self._write(keep, line + b"\n")
        return parse(line)

    def entries(self, after: int = 0) -> Iterator[Entry]:
        """The entries in the order they stand, without those numbered up to `after`; a torn last line is none.

        Raises:
            EvidenceError: a line cannot be read; the error says which.
        """
        for number, line, whole in self.lines():
            try:
                entry = parse(line)
            except LineError as error:
                if not whole:
                    return
                raise EvidenceError(f"Line {number} of the ledger is no entry: {error}.", _VERIFY) from error
            if entry.seq > after:
                yield entry

    def lines(self) -> Iterator[tuple[int, bytes, bool]]:
        """Each line as it stands: its number from 1, its bytes without the line end, whether it has one.

        Raises:
            EvidenceError: the file cannot be read.
        """
        handle = self._open()
        if handle is None:
            return
        with os.fdopen(handle, "rb") as file:
            for number, line in enumerate(file, 1):
                yield number, line.removesuffix(b"\n"), line.endswith(b"\n")

    def exists(self) -> bool:
        """Whether there is such a file, of whatever kind."""
        return os.path.lexists(self.path)

    def _last(self) -> tuple[Head, int]:
        """The head, and how many bytes of the file are whole lines (all, or all but a torn last one)."""
        handle = self._open()
        if handle is None:
            return Head(0, GENESIS), 0
        try:
            size = os.fstat(handle).st_size
            line, torn = _tail(handle, size)
        finally:
            os.close(handle)
        with contextlib.suppress(LineError):
            return _head_of(torn), size  # it lacks only its end, so it was written whole
        keep = size - len(torn)
        if not keep:
            return Head(0, GENESIS), 0
        try:
            return _head_of(line), keep
        except LineError as error:
            raise EvidenceError(f"The last line of the ledger is no entry: {error}.", _VERIFY) from error

    def _insist(self, head: Head, known: tuple[int, str] | None) -> None:
        """Refuse unless line `known[0]` is still the line that the journal knows."""
        if known is None or head == tuple(known) or known[0] == 0:
            return
        lines, sha256 = known
        found = next((digest(line) for number, line, _ in self.lines() if number == lines), None)
        if head.lines < lines or found != sha256:
            raise EvidenceError(
                f"The ledger has no line {lines} as the journal knows it: it was changed, and nothing is added to it.",
                _VERIFY,
            )

    def _write(self, keep: int, data: bytes) -> None:
        """Append `data` behind the first `keep` bytes, which a line end closes; all of it or nothing."""
        is_new = not self.exists()
        try:
            make_folder(self.path.parent)
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | NO_FOLLOW, PRIVATE_FILE)
        except OSError as error:
            raise unwritable(self.path, error) from error
        try:
            os.ftruncate(handle, keep)
            os.lseek(handle, max(0, keep - 1), os.SEEK_SET)
            if keep and os.read(handle, 1) != b"\n":
                data = b"\n" + data
            try:
                write_all(handle, data)
                os.fsync(handle)
            except OSError as error:
                os.ftruncate(handle, keep)
                raise unwritable(self.path, error) from error
        finally:
            os.close(handle)
        if is_new:
            sync_folder(self.path.parent)

    def _open(self) -> int | None:
        try:
            return os.open(self.path, os.O_RDONLY | NO_FOLLOW)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise EvidenceError(f"The ledger cannot be read: {error.strerror}.", _VERIFY) from error


def operator() -> str:
    """Who acquires: `$INVESTIGATE_OPERATOR`, else user@host."""
    named = os.environ.get("INVESTIGATE_OPERATOR", "").strip()
    if named:
        return named
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        user = str(os.getuid()) if hasattr(os, "getuid") else "unknown"
    return f"{user}@{socket.gethostname()}"


@cache
def tool() -> str:
    """This program and its version, for example `investigate 0.1.0`."""
    try:
        return f"investigate {version('investigate')}"
    except PackageNotFoundError:
        return "investigate (not installed)"


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _head_of(line: bytes) -> Head:
    return Head(parse(line).seq, digest(line))


def _tail(handle: int, size: int) -> tuple[bytes, bytes]:
    """The last whole line, without its end, and what stands after it, of a file of `size` bytes."""
    start, data = size, b""
    while start and b"\n" not in data.partition(b"\n")[2]:
        step = min(_TAIL, start)
        start -= step
        os.lseek(handle, start, os.SEEK_SET)
        data = os.read(handle, step) + data
    whole, end, torn = data.rpartition(b"\n")
    return (whole.rpartition(b"\n")[2], torn) if end else (b"", data)
