"""`doctor`: what stands in the way of an acquisition, each thing with its remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from investigate.cli.faults import FAILED
from investigate.cli.options import Session, command
from investigate.cli.output import Result, emit, print_line

if TYPE_CHECKING:
    import typer
    from rich.console import Console

_STYLES: Final = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "doctor", rich_help_panel="Keep")(doctor)


def doctor(session: Session) -> int:
    """Look at credentials, reachability, clock, permissions, space and journal; exit 1 when something fails.

    No audit log is asked for, and no credential is sent or shown.

    Example: investigate doctor --format json
    """
    from investigate.case import inspection  # noqa: PLC0415 - only where a case is opened
    from investigate.case.doctor import examine, worst  # noqa: PLC0415

    case = session.open()
    checks = list(examine(case))

    def table(terminal: Console) -> None:
        width = max(len(check.check) for check in checks)
        for check in checks:
            line = f"{check.state:<4}  {check.check:<{width}}  {check.detail}"
            print_line(terminal, line, _STYLES[check.state] if check.state != "ok" else None)
            if check.remedy:
                print_line(terminal, f"{'':<{width + 6}}  {check.remedy}")

    known = inspection.known(case)
    columns = ("check", "state", "detail", "remedy")
    rows = [[check.check, check.state, check.detail, check.remedy] for check in checks]
    result = Result(
        columns,
        rows,
        window=known.window,
        lake_version=inspection.lake_version(case),
        table=table,
        more={"coverage": known.as_json(), "state": worst(checks)},
    )
    emit(session, result)
    return FAILED if worst(checks) == "fail" else 0
