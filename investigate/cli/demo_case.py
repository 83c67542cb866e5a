"""The case of the demonstration: made, or emptied of an earlier demonstration; never one that holds anything real."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from investigate.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from investigate.case import Case
    from investigate.cli.options import Session
    from investigate.evidence import Entry

_MARK: Final = "demonstration"
_PREFIX: Final = "INVESTIGATE_"
_KEPT: Final = ("INVESTIGATE_CASE", "INVESTIGATE_OPERATOR")
_LOOPBACK: Final = "127.0.0.1"


def open_for_demo(session: Session) -> Case:
    """The case of the session, empty and marked as the demonstration's.

    Raises:
        CaseError: it holds evidence that no sandbox made.
    """
    from investigate.case import Case  # noqa: PLC0415 - a second of libraries that --help must not cost

    case = Case(session.case)
    if not _is_empty(case):
        if case.journal.get(_MARK) is None or not all(_of_a_sandbox(entry) for entry in case.ledger.entries()):
            raise CaseError(
                f"{case.path} is a case with evidence of its own, which the demonstration does not touch.",
                "Give it another folder: investigate demo --case data/demo",
            )
        _clear(case)
        case = Case(session.case)
    case.journal.put(_MARK, "true")
    return case


def _is_empty(case: Case) -> bool:
    return case.ledger.head().lines == 0 and not case.journal.acquisitions() and not case.journal.requests()


def _of_a_sandbox(entry: Entry) -> bool:
    """Whether what this line brought came from this machine: no vendor is here."""
    address = str(entry.request.get("url", ""))
    return entry.kind != "import" and urlsplit(address).hostname == _LOOPBACK


def _clear(case: Case) -> None:
    """Remove what an earlier demonstration collected; settings, and reports of other names, stay.

    The journal goes last: as long as it is there, it says whose this is.
    """
    for folder in (case.layout.lake, case.layout.evidence):
        shutil.rmtree(folder)
        folder.mkdir(mode=0o700)
    for path in sorted(case.layout.root.glob(f"{case.layout.journal.name}*"), reverse=True):
        path.unlink()


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """This process's environment with these settings and no others of ours, until the context ends.

    Args:
        values: variables to set; they reach the case as settings and secrets do otherwise.
    """
    before = dict(os.environ)
    for name in list(os.environ):
        if name.startswith(_PREFIX) and name not in _KEPT:
            del os.environ[name]
    os.environ.update(values)
    try:
        yield
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)
