"""`lake info`, `lake compact` and `lake rebuild-touches`: how much the lake holds, and how it lies there better."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from investigate.case.display import amount
from investigate.cli.options import Session, command, group
from investigate.cli.output import Result, emit
from investigate.cli.progress import watching
from investigate.errors import CaseError, UsageError
from investigate.events import parse_time

if TYPE_CHECKING:
    from rich.console import Console

    from investigate.case import Case


def register(app: typer.Typer) -> None:
    """Add the commands."""
    lake = typer.Typer(no_args_is_help=True)
    group(lake)
    command(lake, "info")(info)
    command(lake, "compact")(compact)
    command(lake, "rebuild-touches")(rebuild_touches)
    app.add_typer(lake, name="lake", help="The Parquet lake: info, compact, rebuild-touches.", rich_help_panel="Keep")


def info(session: Session) -> int:
    """Events, files, days, bytes, versions and rejects, and how the size compares with the evidence and the records.

    Example: investigate lake info
    """
    from investigate.case import inspection, versions  # noqa: PLC0415 - only where a case is opened

    case = session.open()
    written, found = case.journal.lake_version(), dict[str, Any](case.lake.info())
    versions.insist(found["version"], written)
    kept = inspection.evidence_bytes(case)
    found["evidence_bytes"] = kept
    found["ratio"] = round(found["bytes"] / kept, 3) if kept else None
    known = inspection.known(case)

    def table(terminal: Console) -> None:
        from investigate.cli.tables import facts  # noqa: PLC0415 - rich, only where a table is printed

        facts(terminal, _for_people(found))

    result = Result(
        tuple(found),
        [list(found.values())],
        coverage=known,
        window=known.window,
        lake_version=found["version"],
        table=table,
    )
    emit(session, result)
    return session.code(complete=known.complete)


def compact(
    session: Session,
    *,
    vacuum: Annotated[
        bool, typer.Option("--vacuum", help="Also remove the files that only versions older than --keep need.")
    ] = False,
    keep: Annotated[
        str | None, typer.Option(metavar="SPAN", help="With --vacuum: how long old versions stay readable, as 7d.")
    ] = None,
) -> int:
    """Make the lake's many small files few. No event changes; whoever reads or writes meanwhile may go on.

    What was merged stays on disk for old versions of the lake until --vacuum.

    Examples: investigate lake compact · investigate lake compact --vacuum --keep 7d
    """
    if keep is not None and not vacuum:
        raise UsageError("--keep says what --vacuum leaves.", "Add --vacuum, or leave --keep out.")
    case = session.open()
    _insist_writable(case)
    span = _span(keep) if keep else timedelta(days=case.config.lake.keep_days)
    with watching() as progress:
        done = case.lake.compact(progress=lambda done, total: progress("compact", done, total, "rows"))
    removed = case.lake.vacuum(span) if vacuum else None
    found: dict[str, Any] = {
        "files_before": done.files_before,
        "files_after": done.files_after,
        "bytes_before": done.bytes_before,
        "bytes_after": done.bytes_after,
        "rewritten": done.rewritten,
        "removed_files": removed.files if removed else 0,
        "removed_bytes": removed.bytes if removed else 0,
    }

    def table(terminal: Console) -> None:
        from investigate.cli.tables import facts  # noqa: PLC0415 - rich, only where a table is printed

        facts(terminal, _before_and_after(found, vacuumed=removed is not None))

    result = Result(tuple(found), [list(found.values())], lake_version=done.version, table=table)
    emit(session, result)
    return 0


def rebuild_touches(session: Session) -> int:
    """Sum all events up anew into touches, the roll-up that answers questions fast. No event changes.

    It is kept by itself with every acquisition; this is for one that was damaged or removed.

    Example: investigate lake rebuild-touches
    """
    case = session.open()
    _insist_writable(case)
    begun = time.monotonic()
    with watching() as progress:
        events = case.lake.rebuild_touches(lambda done, total: progress("sum up", done, total, "events"))
    rows = {name: sum(run.rows for run in runs.runs()) for name, runs in case.lake.orders.items()}
    found: dict[str, Any] = {
        "events": events,
        "touches": rows["touches"],
        "touches_bytes": sum(runs.bytes for runs in case.lake.orders.values()),
        "seconds": round(time.monotonic() - begun, 3),
    }

    def table(terminal: Console) -> None:
        from investigate.cli.tables import facts  # noqa: PLC0415 - rich, only where a table is printed

        facts(terminal, found | {"touches_bytes": amount(found["touches_bytes"], "bytes")})

    version = case.lake.events.snapshot().version
    emit(session, Result(tuple(found), [list(found.values())], lake_version=version, table=table))
    return 0


def _insist_writable(case: Case) -> None:
    if not case.writable:
        raise CaseError("The case cannot be written.", "Copy it to where this account may write.")


def _span(text: str) -> timedelta:
    now = datetime.now(UTC)
    return now - parse_time(text, now=now)


def _before_and_after(found: dict[str, Any], *, vacuumed: bool) -> dict[str, Any]:
    told = {
        "before": f"{amount(found['files_before'], 'files')}, {amount(found['bytes_before'], 'bytes')}",
        "after": f"{amount(found['files_after'], 'files')}, {amount(found['bytes_after'], 'bytes')}",
    }
    if vacuumed:
        told["removed"] = f"{amount(found['removed_files'], 'files')}, {amount(found['removed_bytes'], 'bytes')}"
    return told


def _for_people(found: dict[str, Any]) -> dict[str, Any]:
    days = f"{found['days']:,}" + (f", {found['first_day']} .. {found['last_day']}" if found["days"] else "")
    raw = "" if found["raw_ratio"] is None else f"; the size is {found['raw_ratio']:.2f} times that"
    ratio = "" if found["ratio"] is None else f", {found['ratio']:.2f} times the evidence's"
    return {
        "events": f"{found['events']:,}",
        "rejects": f"{found['rejects']:,}",
        "days": days,
        "files": f"{found['files']:,}",
        "size": f"{amount(found['bytes'], 'bytes')}{ratio} ({amount(found['evidence_bytes'], 'bytes')})",
        "records": f"{amount(found['raw_bytes'], 'bytes')} as JSON{raw}",
        "touches": amount(found["touches_bytes"], "bytes") + ("" if found["summed_up"] else ", not up to date"),
        "version": f"{found['version']} ({found['versions']} in the log)",
    }
