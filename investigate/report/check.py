"""A bundle checked on a machine that never saw the case: hashes, the ledger's chain, every record in its evidence.

The file comes from elsewhere, so nothing in it is trusted: names must be those a bundle has, sizes have bounds, and
what is unpacked goes, one file at a time, into a folder that is gone afterwards.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from investigate.errors import ContainerError, EvidenceError
from investigate.evidence import Ledger
from investigate.evidence.chain import examine
from investigate.report.archive import SUMS
from investigate.report.bundle import EVENTS, LEDGER, MANIFEST, PAGE, README
from investigate.report.manifest import NO_BUNDLE, read
from investigate.report.proof import Proof
from investigate.report.verdict import Checked, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from investigate.evidence import Entry
    from investigate.report.manifest import Manifest
    from investigate.report.proof import Reader

_STORED: Final = re.compile(r"evidence/sha256/([0-9a-f]{2})/([0-9a-f]{64})((?:\.[a-z0-9]+)*)")
_ALWAYS: Final = frozenset({README, MANIFEST, EVENTS, PAGE, SUMS})
_NAMES: Final = _ALWAYS | {LEDGER}
_LINE: Final = re.compile(r"([0-9a-f]{64}) \*([^\n\\]+)")
_BLOCK: Final = 2**20
_RATIO: Final = 200
_RATIO_FROM: Final = 64 * 2**20
_SMALL: Final = 256 * 2**20
"""The most bytes of a member that is read whole: the manifest and the sums."""
_MEMBERS: Final = 200_000
_SEVERAL: Final = 2


def check(path: Path, reader: Reader) -> Checked:
    """Check a bundle.

    Args:
        path: of the zip.
        reader: of evidence.

    Raises:
        EvidenceError: it is no bundle: no zip, a zip with other names in it, or one that expands without end.
    """
    found = Checked()
    try:
        with path.open("rb") as stream:
            found.sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            with zipfile.ZipFile(stream) as archive, tempfile.TemporaryDirectory(prefix="investigate-") as folder:
                _Check(archive, Path(folder), reader, found).run(path.stat().st_size)
    except OSError as error:
        raise EvidenceError(f"{path} cannot be read: {error.strerror or error}.", "Name a bundle's file.") from error
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError, ValueError) as error:
        raise EvidenceError(
            f"{path} is no sound zip: {error}.", "Get the bundle again from whoever made it."
        ) from error
    return found


class _Check:
    """One check."""

    def __init__(self, archive: zipfile.ZipFile, folder: Path, reader: Reader, found: Checked) -> None:
        self._archive, self._folder, self._reader, self._found = archive, folder, reader, found
        self._entries: list[Entry] = []
        self._infos: dict[str, zipfile.ZipInfo] = {}
        self._manifest: Manifest
        self._unpacked = 0

    def run(self, size: int) -> None:
        """Everything, in order."""
        self._insist_on_names(size)
        sums = self._sums()
        self._manifest = read(self._small(MANIFEST))
        self._found.redacted = self._manifest.redacted
        self._hash(sums)
        self._insist_on_members(sums)
        if LEDGER in self._infos:
            self._ledger()
        if EVENTS in self._infos:
            self._events()

    def _insist_on_names(self, size: int) -> None:
        infos = self._archive.infolist()
        if len(infos) > _MEMBERS:
            raise EvidenceError(f"The zip has {len(infos):,} members, too many for a bundle.", NO_BUNDLE)
        for info in infos:
            stored = _STORED.fullmatch(info.filename)
            if info.filename not in _NAMES and not (stored and stored[1] == stored[2][:_SEVERAL]):
                raise EvidenceError(f"The zip holds {info.filename[:200]!r}, which no bundle does.", NO_BUNDLE)
            if info.filename in self._infos:
                raise EvidenceError(f"The zip holds {info.filename} twice.", NO_BUNDLE)
            if info.flag_bits & 1 or (info.external_attr >> 16) & 0o170000 not in {0, 0o100000}:
                raise EvidenceError(f"{info.filename} in the zip is encrypted or no plain file.", NO_BUNDLE)
            if info.file_size > max(_RATIO_FROM, _RATIO * info.compress_size):
                raise EvidenceError(f"{info.filename} in the zip expands without measure.", NO_BUNDLE)
            self._infos[info.filename] = info
        if sum(info.compress_size for info in infos) > size:
            raise EvidenceError("Members of the zip share their bytes.", NO_BUNDLE)
        if absent := sorted({MANIFEST, SUMS} - self._infos.keys()):
            raise EvidenceError(f"The zip has no {absent[0]}.", NO_BUNDLE)

    def _sums(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for number, line in enumerate(self._small(SUMS).decode("utf-8", "replace").splitlines(), 1):
            match = _LINE.fullmatch(line)
            if match is None or match[2] in found:
                self._found.fault("sums", SUMS, f"Line {number} of {SUMS} is none, or names a file twice.")
            else:
                found[match[2]] = match[1]
        return found

    def _hash(self, sums: dict[str, str]) -> None:
        for name, info in self._infos.items():
            if name == SUMS:
                continue
            digest, size = hashlib.sha256(), 0
            with self._archive.open(info) as stream:
                for block in _blocks(stream, info.file_size):
                    digest.update(block)
                    size += len(block)
            self._found.files += 1
            self._found.bytes += size
            actual, stored = digest.hexdigest(), _STORED.fullmatch(name)
            if name not in sums:
                self._found.fault("unlisted", name, f"{name} is not in {SUMS}.")
            elif sums[name] != actual:
                self._found.fault("changed", name, f"{name} was changed: its SHA-256 is {actual}.")
            elif stored and stored[2] != actual:
                self._found.fault("wrong_name", name, f"{name} is not named by its SHA-256, which is {actual}.")
        for name in sorted(sums.keys() - self._infos.keys()):
            self._found.fault("missing", name, f"{name} is in {SUMS}, but not in the zip.")

    def _insist_on_members(self, sums: dict[str, str]) -> None:
        """What every bundle has, and what one has that is not redacted; a redacted one has nothing to tell by."""
        wanted = {*_ALWAYS, *([LEDGER] if self._manifest.rests and not self._manifest.redacted else [])}
        for name in sorted(wanted - self._infos.keys() - sums.keys()):
            self._found.fault("missing", name, f"{name} is not in the zip.")
        present = {match[2] for name in self._infos if (match := _STORED.fullmatch(name))}
        for sha256, included in self._manifest.listed.items():
            if included and sha256 not in present:
                self._found.fault("missing", sha256, f"The evidence {sha256} is in the manifest, but not in the zip.")
        said = self._manifest.ledger or any(self._manifest.listed.values())
        if self._manifest.redacted and (said or present or LEDGER in self._infos):
            message = "The manifest says that the bundle is redacted, yet it has evidence or the ledger, or says so."
            self._found.fault("not_redacted", MANIFEST, message)

    def _ledger(self) -> None:
        path = self._unpack(LEDGER)
        entries, self._found.lines, findings = examine(Ledger(path), self._manifest.head)
        self._entries = list(entries)
        for one in findings:
            self._found.faults.append(Fault(one.kind, one.where, one.message, one.severity))
        recorded = {file.sha256 for entry in entries for file in entry.files}
        for sha256 in sorted(self._manifest.listed.keys() - recorded):
            self._found.fault("unrecorded", sha256, f"No line of the ledger names the evidence {sha256}.")
        left_out = len(recorded - self._manifest.listed.keys())
        if left_out:
            message = f"{left_out:,} files the ledger names hold nothing in scope and are not in the bundle."
            self._found.fault("left_out", LEDGER, message, "note")
        path.unlink()

    def _events(self) -> None:
        files = {match[2]: name for name in self._infos if (match := _STORED.fullmatch(name))}
        path = self._unpack(EVENTS)
        with Proof(path, self._folder, self._found) as proof:
            proof.counted(self._manifest.events)
            proof.distinct()
            proof.placed()
            for sha256, source, count in proof.files():
                if sha256 not in self._manifest.listed:
                    message = f"{count:,} events name the evidence {sha256}, which is not listed."
                    self._found.fault("unrecorded", sha256, message)
                elif not self._found.redacted and sha256 not in files:
                    message = f"{count:,} events name the evidence {sha256}, which is not here."
                    self._found.fault("missing", sha256, message)
                elif not self._found.redacted:
                    evidence = self._unpack(files[sha256])
                    proof.find(evidence, sha256, source, self._reader.records, self._manifest.facts)
                    evidence.unlink()
            if self._found.ok and not self._found.redacted:
                self._insist_on_all()
                self._remake(proof, files)
        path.unlink()

    def _insist_on_all(self) -> None:
        """No event may have gone past the comparison, whatever way it found."""
        if left := self._found.events - self._found.records:
            self._found.fault("record_missing", EVENTS, f"{left:,} events were not found in the evidence.")

    def _remake(self, proof: Proof, files: dict[str, str]) -> None:
        """Make the events again, and say how many cannot be: a file may have to be read with others not here."""
        used = {(sha256, source): count for sha256, source, count in proof.files()}
        read_as = {(file.sha256, entry.source) for entry in self._entries for file in entry.files}
        for sha256, source in sorted(used.keys() - read_as):
            message = f"No line of the ledger says that the evidence {sha256} was read as {source[:80]}."
            self._found.fault("unrecorded", sha256, message)
        able = []
        for entry in self._entries:
            here = [file.sha256 in files for file in entry.files]
            whole = all(here) or self._reader.apart(entry.source, self._manifest.facts)
            if whole and any((file.sha256, entry.source) in used for file in entry.files):
                able.append(entry)
        wanted = {file.sha256 for entry in able for file in entry.files if file.sha256 in files}
        unpacked = {sha256: self._unpack(files[sha256]) for sha256 in sorted(wanted)}
        proof.remake(able, unpacked, self._reader, self._manifest.facts)
        for path in unpacked.values():
            path.unlink()
        if left := sum(count for (sha256, _), count in used.items() if sha256 not in wanted):
            message = f"{left:,} events are of acquisitions whose other files are not here, and were not made again."
            self._found.fault("not_remade", EVENTS, message, "note")

    def _unpack(self, name: str) -> Path:
        """A member in the temporary folder, under a name of ours."""
        info = self._infos[name]
        free = shutil.disk_usage(self._folder).free
        if info.file_size > free:
            raise EvidenceError(f"There is no room to unpack {name}, {info.file_size:,} bytes.", "Free some space.")
        self._unpacked += 1
        path = self._folder / f"{self._unpacked}"
        with self._archive.open(info) as stream, path.open("wb") as out:
            for block in _blocks(stream, info.file_size):
                out.write(block)
        return path

    def _small(self, name: str) -> bytes:
        info = self._infos[name]
        if info.file_size > _SMALL:
            raise EvidenceError(f"{name} has {info.file_size:,} bytes, too many.", NO_BUNDLE)
        with self._archive.open(info) as stream:
            return b"".join(_blocks(stream, info.file_size))


def _blocks(stream: IO[bytes], size: int) -> Iterator[bytes]:
    """What a member holds, and no more than it said."""
    read = 0
    while block := stream.read(_BLOCK):
        read += len(block)
        if read > size:
            raise ContainerError("A member of the zip is longer than it says.", NO_BUNDLE)
        yield block
