"""`activity`, `pivot`, `search`, `blast-radius`, `timeline`, `identities` and `compare`: the chain of an investigation.

Each prints its rows; with JSON, the tables that belong to them stand beside them, each under its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from investigate.cli.faults import say
from investigate.cli.options import Format, From, Session, To, command, text_lines
from investigate.cli.output import Result, emit, note, print_line
from investigate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from investigate.case import Answer

Engine = Annotated[
    str,
    typer.Option(
        help="duckdb, polars, spark, or spark=sc://host:port, a cluster through Spark Connect; all give the same."
    ),
]
Version = Annotated[
    int | None, typer.Option("--lake-version", help="Ask that version of the lake again; every answer names its own.")
]
Many = list[str] | None


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for function in (activity, pivot, search, blast_radius, timeline, identities, compare):
        command(app, function.__name__.replace("_", "-"), rich_help_panel="Ask")(function)


def show(session: Session, answer: Answer, people: Callable[[Console], None] | None = None) -> int:
    """Write an answer with what belongs to it; the exit code.

    Args:
        session: how it is written.
        answer: to be written.
        people: prints the rows for people where there are any; None prints a plain table.
    """
    if session.debug and answer.sql:
        say(answer.sql)

    def table(terminal: Console) -> None:
        from investigate.cli.tables import nothing, plain_table  # noqa: PLC0415 - rich, only where a table is printed

        if answer.frame.is_empty():
            print_line(terminal, nothing(result))
        elif people:
            people(terminal)
        else:
            plain_table(terminal, Result.of(answer.frame))
        for name, frame in answer.tables.items():
            if not frame.is_empty():
                terminal.print()
                print_line(terminal, name.replace("_", " "), "bold")
                plain_table(terminal, Result.of(frame), whole="json")
        for line in answer.remarks():
            print_line(terminal, line)

    more: dict[str, Any] = {name: frame.to_dicts() for name, frame in answer.tables.items()}
    more |= {"suggestions": list(answer.suggestions)} if answer.suggestions else {}
    more |= {"notes": list(answer.notes)} if answer.notes else {}
    known = {"coverage": answer.coverage, "window": answer.window, "lake_version": answer.lake_version}
    result = Result.of(answer.frame, table=table, more=more, **known)
    emit(session, result)
    if session.shape in {Format.csv, Format.parquet}:
        _beside(answer)
    return session.code(complete=answer.coverage.complete)


def _beside(answer: Answer) -> None:
    """Say what a form for rows of one kind has no place for."""
    for line in answer.remarks():
        note(line.removeprefix("note  "))
    if answer.tables:
        note(f"of {' and '.join(name.replace('_', ' ') for name in answer.tables)} only --format json has the rows")


def activity(
    session: Session,
    actors: Annotated[
        list[str], typer.Argument(metavar="ACTOR…", help="Keys, e-mail addresses or persons; - or @FILE: one a line.")
    ],
    start: From = None,
    end: To = None,
    baseline: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="FROM TO", help="What came before: says what was first seen since."),
    ] = None,
    gap: Annotated[str, typer.Option(help="A session ends where nothing follows for longer.")] = "30m",
    engine: Engine = "duckdb",
    version: Version = None,
) -> int:
    """What an identity touched, how often, from where and with what; its sessions; and what of it was new.

    Example: investigate activity don:identity:dvrv-us-1:devo/acme:devu/7 --from 7d --baseline 30d 7d
    """
    wanted = text_lines(actors, "actor")
    case = session.open()
    answer = case.activity(wanted, start=start, end=end, baseline=baseline, gap=gap, engine=engine, version=version)
    return show(session, answer)


def pivot(
    session: Session,
    value: Annotated[
        str, typer.Argument(metavar="VALUE", help="An actor, e-mail, resource, address, network, credential, request…")
    ],
    start: From = None,
    end: To = None,
    engine: Engine = "duckdb",
    version: Version = None,
) -> int:
    """Where an identifier occurs, whatever it identifies, and with whom.

    Example: investigate pivot 203.0.113.0/24 --from 30d
    """
    return show(session, session.open().pivot(value, start=start, end=end, engine=engine, version=version))


def search(
    session: Session,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Upper and lower case of ASCII letters are equal.")],
    start: From = None,
    end: To = None,
    most: Annotated[int, typer.Option(help="So many events at most, the first.")] = 1000,
    engine: Engine = "duckdb",
    version: Version = None,
) -> int:
    """Events whose raw record holds a text: a scan of every record in the window.

    Example: investigate search "quarterly plan" --from 7d
    """
    answer = session.open().search(text, start=start, end=end, most=most, engine=engine, version=version)
    return show(session, answer)


def blast_radius(
    session: Session,
    *,
    seeds: Annotated[
        list[str], typer.Argument(metavar="SEED…", help="Actors, credentials or addresses; - or @FILE: one a line.")
    ],
    start: From = None,
    end: To = None,
    depth: Annotated[int, typer.Option(help="Steps from a seed.")] = 2,
    hub: Annotated[int, typer.Option(help="What more than these share is named, and not followed.")] = 10,
    follow_hubs: Annotated[bool, typer.Option("--follow-hubs", help="Follow it all the same.")] = False,
    engine: Engine = "duckdb",
    version: Version = None,
) -> int:
    """From an identity, credential or address outwards, to what it shares and to the objects, each edge with its proof.

    Example: investigate blast-radius don:core:dvrv-us-1:devo/acme:token/9 --from 7d --depth 3
    """
    wanted = text_lines(seeds, "value")
    case = session.open()
    how: dict[str, Any] = {"depth": depth, "hub": hub, "follow_hubs": follow_hubs, "engine": engine}
    return show(session, case.blast_radius(wanted, start=start, end=end, version=version, **how))


def timeline(
    session: Session,
    *,
    start: From = None,
    end: To = None,
    actor: Annotated[Many, typer.Option(help="Key, e-mail address or person; may be given again.")] = None,
    resource: Annotated[Many, typer.Option(help="Id, or a pattern with *; may be given again.")] = None,
    credential: Annotated[Many, typer.Option(help="May be given again.")] = None,
    ip: Annotated[Many, typer.Option(help="An address; may be given again.")] = None,
    action: Annotated[Many, typer.Option(help="The vendor's own word; may be given again.")] = None,
    activity: Annotated[Many, typer.Option(help="create, read, update, delete or other.")] = None,
    most: Annotated[int, typer.Option(help="So many events at most, the first.")] = 100_000,
    engine: Engine = "duckdb",
    version: Version = None,
) -> int:
    """Events of a selection in order, over all sources, with the gaps of coverage between them.

    Example: investigate timeline --actor don:identity:dvrv-us-1:devo/acme:devu/7 --from 2026-11-01 --to 2026-11-02
    """
    chosen: dict[str, Any] = {"actors": actor or (), "resources": resource or (), "credentials": credential or ()}
    chosen |= {"src_ips": ip or (), "actions": action or (), "activity": activity or ()}
    case = session.open()
    return show(session, case.timeline(start=start, end=end, most=most, engine=engine, version=version, **chosen))


def identities(
    session: Session,
    start: From = None,
    end: To = None,
    accept: Annotated[
        tuple[str, str, str] | None,
        typer.Option(metavar="PERSON SOURCE ACTOR", help="Say that an actor is a person, from now on."),
    ] = None,
    also: Annotated[
        Many,
        typer.Option(
            metavar="SOURCE/ACTOR", help="With --accept: another actor that is the person; may be given again."
        ),
    ] = None,
    author: Annotated[str | None, typer.Option(help="Who says so; needed with --accept.")] = None,
    engine: Engine = "duckdb",
    version: Version = None,
) -> int:
    """Everybody who acted, with all aliases over the sources; bots and services apart; and who may be the same.

    Example: investigate identities --accept ann@acme.example coderabbit "Ann Ash" --author inv
    """
    if author and not accept:
        raise UsageError("--author says who accepts, but nothing is accepted.", "Add --accept PERSON SOURCE ACTOR.")
    if also and not accept:
        raise UsageError("--also names another actor of a person, but no person.", "Add --accept PERSON SOURCE ACTOR.")
    case = session.open()
    if accept:
        person, source, actor = accept
        actors = [(source, actor), *((one.partition("/")[0], one.partition("/")[2]) for one in also or ())]
        case.accept_identity(person, *actors, author=author or "", evidence="accepted on the command line")
    return show(session, case.identities(start=start, end=end, engine=engine, version=version))


def compare(
    session: Session,
    *,
    baseline: Annotated[tuple[str, str], typer.Option(metavar="FROM TO", help="What the window is held against.")],
    start: From = None,
    end: To = None,
    actor: Annotated[Many, typer.Option(help="Key, e-mail address or person; may be given again.")] = None,
    resource: Annotated[Many, typer.Option(help="Id, or a pattern with *; may be given again.")] = None,
    factor: Annotated[float, typer.Option(help="So many times as many events a day, or as few, is a change.")] = 2.0,
    engine: Engine = "duckdb",
    version: Version = None,
) -> int:
    """What identities did to objects in one window that they did not, or otherwise, in another.

    Example: investigate compare --from 1d --baseline 8d 1d
    """
    case = session.open()
    window = case.window(start, end)
    chosen: dict[str, Any] = {"actors": actor or (), "resources": resource or (), "factor": factor}
    asked = (window.start, window.end)
    return show(session, case.compare(asked, baseline, engine=engine, version=version, **chosen))
