"""Which version of the lake is read, and whether the lake has all that was written to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from investigate.errors import LakeError, UsageError

if TYPE_CHECKING:
    from investigate.case.case import Case

_GONE: Final = (
    "Restore lake/ from a copy of the case, or correct [lake] uri in case.toml. "
    "The evidence is still there, to be imported into a new case."
)


def newest(case: Case) -> int:
    """The newest version of the events, -1 of a lake that was never written.

    Raises:
        LakeError: see `insist`.
    """
    written = case.journal.lake_version()  # first: what is written meanwhile makes the lake's newer, never its own
    found = case.lake.events.version()
    insist(found, written)
    return found


def insist(found: int, written: int) -> None:
    """Insist that a lake has what was written to it: of one that is gone, nothing found would mean nothing.

    Args:
        found: its newest version.
        written: what the journal knew to be written before that was looked for.

    Raises:
        LakeError: it is older.
    """
    if found < written:
        raise LakeError(f"The lake has version {found}, but version {written} was written.", _GONE)


def chosen(case: Case, version: int | None) -> int:
    """The version that is read: fixed before anything is, so that a commit meanwhile changes nothing.

    Args:
        case: whose lake.
        version: what is asked for; None is the newest.

    Raises:
        UsageError: there is no such version.
        LakeError: see `insist`.
    """
    there = newest(case)
    if version is None:
        return there
    if not -1 <= version <= there:
        raise UsageError(
            f"The lake has no version {version}; its newest is {there}.", "See its versions: investigate lake info"
        )
    return version
