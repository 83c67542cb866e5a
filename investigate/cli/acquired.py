"""An acquisition as the person who ran it sees it: what came, what became of it, where it lies, what it covers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from investigate.case.display import amount
from investigate.cli.options import Format
from investigate.cli.output import Result, emit, emit_json, print_line, warn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from investigate.case import Acquisition
    from investigate.cli.options import Session

_FILES: Final = 3
_SHA: Final = 12


def show(session: Session, acquisition: Acquisition) -> int:
    """Print an acquisition, say what there is to remark on standard error; the exit code."""
    from investigate.cli.faults import say  # noqa: PLC0415 - beside `warn`, of which it is the plain form

    if acquisition.resumed:
        say("note  An earlier run of the same was cut off; this one brought it to its end.")
    for decision in acquisition.decisions:
        say(f"read as  {decision}")
    for warning in acquisition.warnings:
        warn(warning)
    facts = acquisition.as_json()
    if session.shape is Format.json:
        emit_json(session, facts)
    else:
        columns = ("received", "stored", "duplicate", "rejected", "records", "evidence", "acquisition", "source")
        row = [facts[name] for name in columns]

        def table(terminal: Console) -> None:
            for line in lines(acquisition):
                print_line(terminal, line)

        emit(session, Result(columns, [row], coverage=acquisition.coverage, table=table))
    return session.code(complete=acquisition.coverage.complete)


def lines(acquisition: Acquisition) -> Iterator[str]:
    """The account of an acquisition: counts that add up, evidence, window, version; without its coverage."""
    from investigate.case.coverage import span  # noqa: PLC0415 - only where an acquisition was made

    counts: Any = acquisition.counts
    yield str(counts)
    if counts.records != counts.received:
        yield f"          {counts.records:,} records of {acquisition.source}, some with several events"
    for file in acquisition.evidence[:_FILES]:
        short = file.sha256[:_SHA]
        yield f"evidence  {short}…  {amount(file.size, 'bytes')}  {file.name}  in evidence/sha256/{short[:2]}/"
    if rest := acquisition.evidence[_FILES:]:
        yield f"          and {len(rest)} more files, {amount(sum(file.size for file in rest), 'bytes')}"
    if acquisition.window:
        yield f"window    {span(acquisition.window)}"
    yield f"lake      version {acquisition.lake_version}"
    if counts.rejected:
        yield 'rejected  why: investigate sql "select reason, count(*) as n from rejects group by reason"'
