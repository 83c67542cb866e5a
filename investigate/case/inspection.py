"""A look at what a case holds: whether it is one, what its lake and its ledger say, how much of a window is known.

Reads, never writes; none of it needs an engine.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from investigate.case.coverage import Coverage
from investigate.case.layout import Layout, resolve

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from investigate.case.case import Case
    from investigate.events import Window
    from investigate.evidence import Entry

_COMMIT: Final = re.compile(r"(\d{20})(?:\.checkpoint.*\.parquet|\.json)")


def is_case(path: str | os.PathLike[str] | None) -> bool:
    """Whether a case lies there already; None is where `investigate.open` would look."""
    return Layout(resolve(path)).toml.exists()


def profile_names(case: Case) -> list[str]:
    """The profiles files can be imported with: the shipped ones and those of `case.toml`."""
    from investigate.normalise.profile import names  # noqa: PLC0415 - only where one is asked for

    return sorted({*names(), *case.config.profiles})


def lake_version(case: Case) -> int:
    """The Delta version of the events, told from the names in their log; -1 for a lake that was never written.

    See the Delta protocol, "Delta Log Entries": a commit is a file named after its version, of twenty digits.
    """
    if case.config.lake.uri:
        return case.lake.events.snapshot().version
    log = case.layout.lake / "events" / "_delta_log"
    names = (_COMMIT.fullmatch(path.name) for path in (log.iterdir() if log.is_dir() else ()))
    return max((int(name[1]) for name in names if name), default=-1)


def known(case: Case, window: Window | None = None) -> Coverage:
    """How much of a window was collected, by every source the case knows; None is all the time it covers."""
    asked = window or case.collected()
    sources = sorted(dict.fromkeys((one.source, one.tenant) for one in case.journal.intervals()))
    return Coverage(asked, tuple(case.journal.gaps(asked)), tuple(sources))


def ledger(case: Case) -> Iterator[Entry]:
    """The entries of the ledger, in order.

    Raises:
        EvidenceError: a line cannot be read.
    """
    return case.ledger.entries()


def evidence_bytes(case: Case) -> int:
    """Bytes of all evidence the ledger names, each file once."""
    return sum({file.sha256: file.size for entry in case.ledger.entries() for file in entry.files}.values())
