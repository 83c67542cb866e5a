"""A bundle checked: by whoever got it, on a machine that has no case and needs none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

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

    return check(Path(path), _records)


def _records(stream: BinaryIO, size: int, source: str, manifest: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """The records of an evidence file and their places, cut out as when they were taken in."""
    from investigate.normalise.containers import Limits, members  # noqa: PLC0415 - heavy, and only needed here
    from investigate.normalise.profile import load  # noqa: PLC0415
    from investigate.normalise.records import RecordReader  # noqa: PLC0415

    # As the case had it set, for a record that is too long is none; what it is, the stranger's machine must bear.
    longest = min(int(manifest.get("max_record") or Limits.max_record), _LONGEST)
    limits, first = Limits(max_record=longest), 0
    profile = load(source, manifest.get("profiles") or {})
    for _, reader in members(stream, size, limits):
        records = RecordReader(reader, profile, limits, first)
        for chunk in records:
            yield from zip(chunk.records.to_pylist(), chunk.places.to_pylist(), strict=True)
        first = records.place
