"""`lake info`: how much the lake holds, and how it lies on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from investigate.cli.options import Session, command, group
from investigate.cli.output import Result, emit
from investigate.cli.progress import amount

if TYPE_CHECKING:
    from rich.console import Console


def register(app: typer.Typer) -> None:
    """Add the commands."""
    lake = typer.Typer(no_args_is_help=True)
    group(lake)
    command(lake, "info")(info)
    app.add_typer(lake, name="lake", help="The Parquet lake: info.", rich_help_panel="Keep")


def info(session: Session) -> int:
    """Events, files, days, bytes, versions and rejects, and how the size compares with the evidence's.

    Example: investigate lake info
    """
    from investigate.case import inspection  # noqa: PLC0415 - only where a case is opened

    case = session.open()
    found: dict[str, Any] = dict(case.lake.info())
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


def _for_people(found: dict[str, Any]) -> dict[str, Any]:
    days = f"{found['days']:,}" + (f", {found['first_day']} .. {found['last_day']}" if found["days"] else "")
    ratio = "" if found["ratio"] is None else f", {found['ratio']:.2f} times the evidence's"
    return {
        "events": f"{found['events']:,}",
        "rejects": f"{found['rejects']:,}",
        "days": days,
        "files": f"{found['files']:,}",
        "size": f"{amount(found['bytes'], 'bytes')}{ratio} ({amount(found['evidence_bytes'], 'bytes')})",
        "version": f"{found['version']} (of {found['versions']} kept)",
    }
