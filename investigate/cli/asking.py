"""`coverage`, `who-touched` and `sql`: questions to the lake, answered with what they rest on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from investigate.cli.options import From, Session, To, command, text_lines
from investigate.cli.output import Result, emit
from investigate.cli.questions import Engine, Version, show
from investigate.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console


def register(app: typer.Typer) -> None:
    """Add the commands."""
    command(app, "who-touched", rich_help_panel="Ask")(who_touched)
    command(app, "coverage", rich_help_panel="Ask")(coverage)
    command(app, "sql", rich_help_panel="Ask")(sql)


def who_touched(
    session: Session,
    *,
    resources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RESOURCE…", help="Ids as the events name them, or patterns with *; - or @FILE: one a line."
        ),
    ] = None,
    start: From = None,
    end: To = None,
    activity: Annotated[
        list[str] | None, typer.Option(help="create, read, update, delete or other; may be given again.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help="Resources with this tag in the case's classification.csv.")
    ] = None,
    literal: Annotated[bool, typer.Option("--literal", help="A * stands for itself, not for any text.")] = False,
    rank: Annotated[str, typer.Option(help="events, or exposure: distinct objects first.")] = "events",
    contained: Annotated[
        str | None, typer.Option(metavar="TIME", help="Count events before and after this instant.")
    ] = None,
    contained_to: Annotated[
        str | None, typer.Option(metavar="TIME", help="With --contained, its end: count also what lies between.")
    ] = None,
    matrix: Annotated[bool, typer.Option("--matrix", help="Also each identity by each object.")] = False,
    engine: Engine = "duckdb",
    version: Version = None,
) -> int:
    """Which identities touched any of these resources, most active first.

    Example: investigate who-touched don:core:dvrv-us-1:devo/acme:ticket/4711 --from 7d --activity read
    """
    wanted = text_lines(resources or [], "resource")
    if not wanted and not tag:
        raise UsageError(
            "Missing argument 'RESOURCE…': no resource was named, and no --tag.",
            "Name one or more ids as the events have them.",
        )
    if contained_to and not contained:
        raise UsageError("--contained-to says when it ended, but not when it began.", "Add --contained TIME.")
    span = (contained, contained_to) if contained_to else contained
    how: dict[str, Any] = {"tag": tag or (), "literal": literal, "rank": rank, "contained": span}
    how |= {"activity": activity or (), "with_matrix": matrix, "engine": engine, "version": version}
    answer = session.open().who_touched(wanted, start=start, end=end, **how)

    def people(terminal: Console) -> None:
        from investigate.cli.tables import identities  # noqa: PLC0415 - rich, only where a table is printed

        identities(terminal, answer)

    return show(session, answer, people if rank == "events" and not contained else None)


def coverage(session: Session, start: From = None, end: To = None) -> int:
    """What of a window was collected, from where, and what was not.

    Example: investigate coverage --from 2026-11-01 --to 2026-11-03 --strict
    """
    from investigate.case import inspection  # noqa: PLC0415 - only where a case is opened

    case = session.open()
    window = case.window(start, end)
    known = inspection.known(case, window)
    frame = case.coverage(window.start, window.end)
    version = inspection.lake_version(case)

    def table(terminal: Console) -> None:
        from investigate.cli.tables import intervals  # noqa: PLC0415 - rich, only where a table is printed

        intervals(terminal, result)

    result = Result.of(frame, coverage=known, window=window, lake_version=version, table=table)
    emit(session, result)
    return session.code(complete=known.complete)


def sql(
    session: Session,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="One SELECT; - reads it from standard input.")],
) -> int:
    """Run one SELECT over the views events, rejects and touches; nothing else is taken.

    Example: investigate sql "select actor, count(*) as n from events group by actor order by n desc"
    """
    from investigate.case import inspection  # noqa: PLC0415 - only where a case is opened

    case = session.open()
    frame = case.sql(sys.stdin.read() if query == "-" else query)
    known = inspection.known(case)
    version = inspection.lake_version(case)
    emit(session, Result.of(frame, coverage=known, window=known.window, lake_version=version))
    return session.code(complete=known.complete)
