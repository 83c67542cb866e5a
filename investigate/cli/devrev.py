"""`devrev request`, `devrev exports` and `devrev collect`: an export is asked for here, its link comes to a person."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from investigate.cli.acquired import show
from investigate.cli.faults import hide
from investigate.cli.options import Jobs, Memory, Session, command, group
from investigate.cli.output import Result, emit, note, print_line, utc, warn
from investigate.cli.progress import watching
from investigate.errors import BadTime, InvestigateError, UsageError
from investigate.events import Window, iso, parse_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from investigate.case import Case
    from investigate.journal import ExportRequest

_STDIN: Final = "-"
_REQUEST: Final = ("id", "state", "requested_at", "from", "to", "filter")
_EXPORTS: Final = (*_REQUEST, "age_seconds", "link_expires_at", "link_seconds_left", "operator", "acquisition", "next")
_NEXT: Final = (
    "DevRev works on it aside and tells the administrator whose token asked, in Updates (the bell), under Important",
    "or Others, often within a few minutes. Paste the link from there, it lives for eight hours, into:",
    "  investigate devrev collect -",
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    devrev = typer.Typer(no_args_is_help=True)
    group(devrev)
    command(devrev, "request")(request)
    command(devrev, "exports")(exports)
    command(devrev, "collect")(collect)
    app.add_typer(
        devrev, name="devrev", help="DevRev's audit log: request, exports, collect.", rich_help_panel="Collect"
    )


def request(
    session: Session,
    start: Annotated[
        str, typer.Option("--from", metavar="TIME", help="A date, a time with its zone, or a span such as 7d.")
    ],
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="The same, or now; itself not included.")],
    category: Annotated[list[str] | None, typer.Option(help="Only this category; may be given again.")] = None,
    operation_type: Annotated[
        list[str] | None, typer.Option(help="Only create, read, update, delete or other; may be given again.")
    ] = None,
    user: Annotated[list[str] | None, typer.Option(help="Only this user's id; may be given again.")] = None,
    split: Annotated[
        str | None, typer.Option(metavar="SPAN", help="Ask for exports of this length each, such as 1d.")
    ] = None,
) -> int:
    """Ask DevRev for an export; the link comes to the administrator whose token asked.

    The token is read from DEVREV_TOKEN or the keyring: a Personal Access Token of a member of the Admins group.

    Example: investigate devrev request --from 2026-11-01 --to 2026-11-03 --operation-type read
    """
    from investigate.sources.devrev import ExportFilter  # noqa: PLC0415 - heavy, and --help needs none of it

    case = session.open()
    chosen = ExportFilter(tuple(category or ()), tuple(operation_type or ()), tuple(user or ()))
    before = {one.id for one in case.journal.requests()}
    try:
        asked = case.devrev.request_exports(Window.of(start, end), chosen, split=_span(split))
    except InvestigateError:
        accepted = [one.id for one in case.journal.requests() if one.id not in before]
        if accepted:
            note(f"Accepted before that: {', '.join(accepted)}. See: investigate devrev exports")
        raise
    for one in asked:
        for warning in one.warnings:
            warn(warning)
    _emit_requests(session, case, [one.request for one in asked])
    return 0


def _span(text: str | None) -> timedelta | None:
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,6}\s*[smhdw]", text.strip().lower()):
        raise BadTime(f"Not a span: {text[:80]!r}.", "Write one such as 1d, 12h or 2w.")
    now = datetime.now(UTC)
    return now - parse_time(text, now=now)


def _emit_requests(session: Session, case: Case, asked: Sequence[ExportRequest]) -> None:
    def table(terminal: Console) -> None:
        for one in asked:
            print_line(terminal, f"requested  {one.id}  {_window(one)}  {_filter(one) or 'everything'}")
        for line in _NEXT:
            print_line(terminal, line)

    window = Window(min(one.window.start for one in asked), max(one.window.end for one in asked))
    _emit(session, case, Result(_REQUEST, [_row(one) for one in asked], window=window, table=table))


def exports(session: Session) -> int:
    """Every request: its state and age, how long its link still lives, and what to do next.

    Example: investigate devrev exports
    """
    case = session.open()
    now = datetime.now(UTC)
    found = case.devrev.exports(now=now)

    def table(terminal: Console) -> None:
        if not found:
            print_line(terminal, "No export was ever asked for: investigate devrev request --from … --to …")
        for one, advice in found:
            print_line(terminal, f"{one.id}  {one.state}  {_window(one)}  {_filter(one) or 'everything'}", "bold")
            print_line(terminal, f"  asked for {_age(now - one.requested_at)} ago by {one.operator}{_link(one, now)}")
            if one.note:
                print_line(terminal, f"  {one.note}")
            print_line(terminal, f"  {advice}")

    rows = [[*_row(one), *_life(one, now), one.operator, one.acquisition, advice] for one, advice in found]
    _emit(session, case, Result(_EXPORTS, rows, table=table))
    return 0


def _emit(session: Session, case: Case, result: Result) -> None:
    """With the case's coverage in JSON only: no request says that anything was collected."""
    from dataclasses import replace  # noqa: PLC0415 - beside its only use

    from investigate.case import inspection  # noqa: PLC0415 - only where a case is opened

    known = inspection.known(case)
    more = {"coverage": known.as_json()}
    version = inspection.lake_version(case)
    emit(session, replace(result, window=result.window or known.window, lake_version=version, more=more))


def _row(one: ExportRequest) -> list[Any]:
    return [one.id, str(one.state), one.requested_at, iso(one.window.start), iso(one.window.end), one.filter]


def _life(one: ExportRequest, now: datetime) -> list[Any]:
    left = (one.link_expires_at - now).total_seconds() if one.link_expires_at else None
    age = int((now - one.requested_at).total_seconds())
    return [age, one.link_expires_at, None if left is None else max(0, int(left))]


def _window(one: ExportRequest) -> str:
    from investigate.case.coverage import span  # noqa: PLC0415 - only where a case is opened

    return span(one.window)


def _filter(one: ExportRequest) -> str:
    from investigate.case.coverage import filter_text  # noqa: PLC0415 - only where a case is opened

    return filter_text(one.filter)


def _age(value: timedelta) -> str:
    from investigate.sources.phrases import span  # noqa: PLC0415 - only where a case is opened

    return span(value)


def _link(one: ExportRequest, now: datetime) -> str:
    if one.link_expires_at is None or one.state == "collected":
        return ""
    if one.link_expires_at <= now:
        return f"; its link died at {utc(one.link_expires_at)} UTC"
    return f"; its link lives for another {_age(one.link_expires_at - now)}, until {utc(one.link_expires_at)} UTC"


def collect(
    session: Session,
    link: Annotated[
        str, typer.Argument(metavar="URL", help="The link from the notification; - reads it from standard input.")
    ] = _STDIN,
    request: Annotated[
        str | None, typer.Option(metavar="ID", help="The request it answers; found by the times in the log without.")
    ] = None,
    memory: Memory = None,
    jobs: Jobs = None,
) -> int:
    """Download an export, keep it, and put its events into the lake; a download cut off goes on where it stopped.

    The link opens the file to whoever has it: as an argument it stands in the list of processes and in the shell's
    history, so standard input is better.

    Example: investigate devrev collect -   (then paste the link, and press Enter)
    """
    case = session.open(memory, jobs)
    if link != _STDIN:
        note("A link in the arguments is seen in the list of processes and the shell's history; better: collect -")
    followed = _pasted() if link == _STDIN else link
    hide(followed)
    with watching() as progress:
        acquisition = case.devrev.collect(followed, request=request, progress=progress)
    return show(session, acquisition)


def _pasted() -> str:
    """The link from standard input: to its end, or on a terminal one line."""
    if sys.stdin.isatty():
        sys.stderr.write("Paste the link and press Enter: ")
        sys.stderr.flush()
        text = sys.stdin.readline()
    else:
        text = sys.stdin.read()
    if not text.strip():
        raise UsageError(
            "There is no link on standard input.", "Copy it from the notification in DevRev, and paste it."
        )
    return text
