"""A bundle checked: by whoever got it, on a machine that has no case and needs none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from investigate.evidence import Entry
    from investigate.normalise.containers import Limits
    from investigate.report.verdict import Checked

_LONGEST: Final = 2**28
"""The longest record a bundle may ask to be read, in bytes."""


def verify_bundle(path: str | os.PathLike[str]) -> Checked:
    """Check a bundle, on a machine that needs nothing but this program.

    Args:
        path: of the zip.

    Raises:
        EvidenceError: it is no bundle at all.
    """
    from investigate.report.check import check  # noqa: PLC0415 - engines, and only where one is checked
    from investigate.report.proof import Reader  # noqa: PLC0415 - likewise

    return check(Path(path), Reader(_records, _events, _apart, _alike, _foretold))


def _records(stream: BinaryIO, size: int, source: str, manifest: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """The records of an evidence file and their places, cut out as when they were taken in."""
    from investigate.normalise.containers import members  # noqa: PLC0415 - heavy, and only needed here
    from investigate.normalise.profile import load  # noqa: PLC0415
    from investigate.normalise.records import RecordReader  # noqa: PLC0415

    limits, first = _limits(manifest), 0
    profile = load(source, manifest.get("profiles") or {})
    for _, reader in members(stream, size, limits):
        records = RecordReader(reader, profile, limits, first)
        for chunk in records:
            yield from zip(chunk.records.to_pylist(), chunk.places.to_pylist(), strict=True)
        first = records.place


def _events(files: Mapping[str, Path], entry: Entry, manifest: dict[str, Any]) -> Iterator[pa.Table]:
    """The events of those of an acquisition's files that are here, made as when they were taken in."""
    from investigate.normalise.normaliser import Input, Normaliser  # noqa: PLC0415 - see `_records`
    from investigate.normalise.profile import load  # noqa: PLC0415

    def opened() -> Iterator[Input]:
        for file in entry.files:
            if file.sha256 in files:
                with files[file.sha256].open("rb") as stream:
                    yield Input(stream, file.size, file.sha256)

    profile = load(entry.source, manifest.get("profiles") or {})
    with Normaliser(profile, _limits(manifest), tenant=entry.extra.get("tenant")) as normaliser:
        for batch in normaliser.read(opened()):
            yield batch.events


def _apart(source: str, manifest: dict[str, Any]) -> bool:
    """Whether a file of this profile is read alike whatever the others of its acquisition say."""
    from investigate.errors import ProfileError  # noqa: PLC0415 - see `_records`
    from investigate.normalise.profile import load  # noqa: PLC0415

    try:
        return not load(source, manifest.get("profiles") or {}).flexible
    except ProfileError:
        return False


def _alike(entry: Entry, manifest: dict[str, Any]) -> bool:
    """Whether an acquisition was taken in by the profile, and the release, that read it now."""
    from investigate.case.acquisition import PROFILE  # noqa: PLC0415 - see `_records`
    from investigate.case.sections import versions  # noqa: PLC0415
    from investigate.normalise.profile import digest  # noqa: PLC0415

    mine = dict(versions())["investigate"]
    same = (manifest.get("tool") or {}).get("investigate") == mine
    return same and entry.extra.get(PROFILE) == digest(entry.source, manifest.get("profiles") or {})


def _foretold(entry: Entry, manifest: dict[str, Any]) -> bool:
    """Whether the ledger names the profile that the manifest gives; another release has other profiles."""
    from investigate.case.acquisition import PROFILE  # noqa: PLC0415 - see `_records`
    from investigate.evidence.ledger import tool  # noqa: PLC0415
    from investigate.normalise.profile import digest  # noqa: PLC0415

    said = entry.extra.get(PROFILE)
    return said is None or entry.tool != tool() or said == digest(entry.source, manifest.get("profiles") or {})


def _limits(manifest: dict[str, Any]) -> Limits:
    """As the case had them set, for a record that is too long is none; what it is, the stranger's machine must bear."""
    from investigate.normalise.containers import Limits  # noqa: PLC0415 - see `_records`

    return Limits(max_record=min(int(manifest.get("max_record") or Limits.max_record), _LONGEST))
