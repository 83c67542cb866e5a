"""Removes files that no snapshot within the retention needs, and what failed writes left; never a living writer's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, Final

from deltalake.exceptions import DeltaError

from investigate.errors import LakeError, UsageError, first_line

if TYPE_CHECKING:
    from investigate.lake.table import Table

KEEP: Final = timedelta(days=7)
LONGEST: Final = timedelta(days=30)
"""So long the log remembers what was removed when: see `Table`."""
_STRAY: Final = timedelta(days=1)
"""A file no commit names may be that of a writer about to commit, on another machine; after this it is not."""
_HOUR: Final = 3600


@dataclass(frozen=True)
class Vacuumed:
    """What a vacuum removed.

    Attributes:
        files: how many.
        bytes: of all.
    """

    files: int
    bytes: int


def vacuum(table: Table, keep: timedelta = KEEP) -> Vacuumed:
    """Remove the files that only snapshots older than `keep` need, and those no snapshot ever had.

    Args:
        table: which.
        keep: how long an old snapshot stays readable; whole hours count.

    Raises:
        UsageError: longer than the log remembers, or negative.
        LakeError: the table cannot be read or written.
    """
    if not timedelta() <= keep <= LONGEST:
        raise UsageError(f"Old versions can be kept for 0 to {LONGEST.days} days.", "For example --keep 7d.")
    found = table.open()
    if found is None:
        return Vacuumed(0, 0)
    hours = ceil(keep.total_seconds() / _HOUR)
    try:
        expired = found.vacuum(hours, dry_run=True, enforce_retention_duration=False, full=False)
        most = max(hours, int(_STRAY.total_seconds()) // _HOUR)
        strays = found.vacuum(most, dry_run=True, enforce_retention_duration=False, full=True)
    except (DeltaError, OSError) as error:
        reason = first_line(error)
        raise LakeError(f"The lake could not be read: {reason}", "Run the same command again.") from error
    needed = set(table.snapshot().names)
    doomed = {name for name in (*expired, *strays) if name not in needed}
    there = [stored for stored in table.storage.listed() if stored.name in doomed]
    try:
        table.storage.remove(stored.name for stored in there)
    except OSError as error:
        reason = f"Old files of the lake could not be removed: {first_line(error)}"
        hint = "Some may be gone, and none that is needed; see whether the case may be written."
        raise LakeError(reason, hint) from error
    return Vacuumed(len(there), sum(stored.size for stored in there))
