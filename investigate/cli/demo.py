"""`demo`: a leaked token followed through two audit logs, from a fresh machine, without any account."""

from __future__ import annotations

import shlex
import sys
import textwrap
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from investigate.case.layout import DEFAULT
from investigate.cli.acquired import lines
from investigate.cli.child import insist_installed, sandbox
from investigate.cli.demo_case import environment, open_for_demo
from investigate.cli.demo_report import write
from investigate.cli.faults import hide
from investigate.cli.options import Format, Session, command
from investigate.cli.output import Result, console, emit, print_line, utc, warn
from investigate.cli.progress import watching
from investigate.cli.sandbox import environment as settings_of
from investigate.errors import VendorError

if TYPE_CHECKING:
    from rich.console import Console

    from investigate.case import Case
    from investigate.cli.demo_findings import Findings
    from investigate.journal import ExportRequest

_SETTLED: Final = timedelta(minutes=20)
"""The world ends so long ago: the youngest 15 minutes cannot be exported yet."""
_PATIENCE: Final = 120.0
_POLL: Final = 0.1
_WIDTH: Final = 76


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "demo", rich_help_panel="Start here")(demo)


def demo(
    session: Session,
    events: Annotated[int, typer.Option(metavar="N", min=1_000, max=50_000_000, help="DevRev events.")] = 60_000,
    seed: Annotated[int, typer.Option(metavar="N", help="Another world; the same seed gives the same.")] = 7,
) -> int:
    """A whole investigation in a minute, without any account: a leaked token, followed through two audit logs.

    Both vendors run on this machine; everything goes through the same commands as with the real ones.

    Example: investigate demo && investigate coverage
    """
    insist_installed()
    story = _Story(session)
    story.title("A leaked token, followed through two audit logs. Nothing leaves this machine.")
    with environment({}):
        truth = open_for_demo(session).layout.reports.absolute() / "truth.json"
    end = (datetime.now(UTC) - _SETTLED).replace(minute=0, second=0, microsecond=0)
    flags = ["--events", str(events), "--seed", str(seed), "--end", end.isoformat(), "--truth", str(truth)]
    story.step("Both vendors start on this machine", "sandbox")
    with sandbox(flags) as running:
        at = running.at
        story.line(f"{at['events']:,} DevRev events and {at['coderabbit_events']:,} CodeRabbit entries of 30 days")
        values = settings_of(at)
        hide(values["DEVREV_TOKEN"], values["CODERABBIT_API_KEY"])
        with environment(values):
            case = session.open()
            if case.path != str(DEFAULT):  # else no option is needed
                story.program = f"investigate --case {shlex.quote(case.path)}"
            _collect(story, case, at)
            _pull(story, case, at)
    found = _follow(story, case, at["brief"])
    _further(story, found)
    _next(story, case, found, write(case, at["brief"], found))
    return _finish(session, found)


class _Story:
    """The account of what is done: on standard output, or beside another format on standard error."""

    def __init__(self, session: Session) -> None:
        self._number = 0
        self.program = "investigate"
        self._began = self._last = time.monotonic()
        self.terminal: Console = console(sys.stdout if session.shape is Format.table else sys.stderr)

    def title(self, text: str) -> None:
        print_line(self.terminal, text, "bold")

    def step(self, text: str, typed: str) -> None:
        """Say what comes, and the command a person would type for it."""
        self._number += 1
        self.line()
        print_line(self.terminal, f"{self._number}  {text}", "bold")
        print_line(self.terminal, f"   $ {self.program} {typed}", "cyan")

    def line(self, text: str = "") -> None:
        print_line(self.terminal, f"   {text}" if text else "")

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began


def _collect(story: _Story, case: Case, at: dict[str, Any]) -> None:
    start, end = at["window"]["start"], at["window"]["end"]
    story.step("DevRev is asked for its log", f"devrev request --from {start} --to {end}")
    request = case.devrev.request_export(start, end)
    story.line(f"accepted as {request.id}; the link comes to the administrator's Updates page and nowhere else")
    story.step("The link from the Updates page is collected", "devrev collect -")
    link = _await_link(at["notifications_url"], request)
    hide(link)
    with watching() as progress:
        acquisition = case.devrev.collect(link, request=request, progress=progress)
    for line in lines(acquisition):
        story.line(line)
    told = [
        f"{one.column} = {one.path}" for one in acquisition.decisions if one.column in {"actor", "time", "resources"}
    ]
    if told:
        story.line(f"read as   {', '.join(told)} … of {len(acquisition.decisions)} fields told apart")
    for warning in acquisition.warnings:
        warn(warning)


def _await_link(address: str, request: ExportRequest) -> str:
    """The link of a notification about this export, as a person would see it come on the Updates page.

    Raises:
        VendorError: none comes.
    """
    import httpx  # noqa: PLC0415 - only where a demonstration runs

    wanted = request.window.as_json()
    deadline = time.monotonic() + _PATIENCE
    with httpx.Client(trust_env=False) as browser:
        while time.monotonic() < deadline:
            for one in browser.get(address).raise_for_status().json()["updates"]:
                if one["link"] and _same(one["export"], wanted):
                    return str(one["link"])
            time.sleep(_POLL)
    raise VendorError("The sandbox's Updates page shows no link.", "Run it again: investigate demo")


def _same(export: dict[str, Any], wanted: dict[str, str]) -> bool:
    return all(datetime.fromisoformat(export[name]) == datetime.fromisoformat(wanted[name]) for name in wanted)


def _pull(story: _Story, case: Case, at: dict[str, Any]) -> None:
    start, end = at["window"]["start"], at["window"]["end"]
    story.step("CodeRabbit's pages are pulled", f"coderabbit pull --from {start} --to {end}")
    with watching() as progress:
        acquisition = case.coderabbit.pull(start, end, progress=progress)
    for line in lines(acquisition):
        story.line(line)
    for warning in acquisition.warnings:
        warn(warning)


def _follow(story: _Story, case: Case, brief: dict[str, Any]) -> Findings:
    """Ask the questions of the lead, and tell what comes out."""
    from investigate.cli.demo_findings import find  # noqa: PLC0415 - only where a demonstration runs
    from investigate.cli.tables import identities  # noqa: PLC0415

    found = find(case, brief)
    hours = f"--from {brief['window']['start']} --to {brief['window']['end']}"
    story.line()
    print_line(story.terminal, "The lead", "bold")
    for line in textwrap.wrap(brief["story"], _WIDTH, break_on_hyphens=False, break_long_words=False):
        story.line(line)
    story.step("What did the token touch?", f'sql "{_touched_query(brief)}"')
    story.line(f"{found.objects.frame.height} objects, from {found.addresses.height} addresses:")
    for row in found.addresses.iter_rows(named=True):
        alone = "; used by nobody else, and never before these hours" if row["src_ip"] in found.alone else ""
        story.line(f"{row['src_ip']}  {row['events']:,} events, {utc(row['first'])} .. {utc(row['last'])}{alone}")
    story.step("Who touched those objects in these hours?", f"who-touched {shlex.quote('@' + _objects(case))} {hours}")
    identities(story.terminal, found.identities, found.remarks)
    for line in found.identities.coverage.lines():
        print_line(story.terminal, line)
    return found


def _touched_query(brief: dict[str, Any]) -> str:
    return f"select distinct unnest(resources) as object from events where credential = '{brief['token']}' and time …"


def _objects(case: Case) -> str:
    from investigate.cli.demo_report import OBJECTS  # noqa: PLC0415 - only where a demonstration runs

    return str(case.layout.reports / OBJECTS)


def _further(story: _Story, found: Findings) -> None:
    """What whoever held the token did besides."""
    from investigate.cli.tables import plain_table  # noqa: PLC0415 - only where a demonstration runs

    addresses = ", ".join(f"'{address}'" for address in found.alone)
    query = f"select time, source, actor, action from events where src_ip in ({addresses or 'null'}) order by time"
    story.step("Did whoever held it get further?", f'sql "{query}"')
    rows = found.elsewhere.drop("event_uid")
    if rows.is_empty():
        story.line("Nothing else came from those addresses.")
    else:
        story.line("From the same address, without the token:")
        plain_table(story.terminal, Result.of(rows))


def _next(story: _Story, case: Case, found: Findings, names: list[str]) -> None:
    uid = found.elsewhere["event_uid"].to_list()[:1]
    story.line()
    print_line(story.terminal, f"Done in {story.seconds:.0f} s. Written to {case.layout.reports}:", "bold")
    story.line(", ".join([*names, "truth.json (by the sandbox: what really happened)"]))
    story.line()
    print_line(story.terminal, "Try next, on the case this leaves", "bold")
    for command_line in (
        f"{story.program} coverage",
        f"{story.program} evidence verify",
        *(f"{story.program} evidence show {shlex.quote(one)} --format json" for one in uid),
        f'{story.program} sql "select activity, count(*) as n from events group by activity order by n desc"',
        "investigate sandbox        # both vendors again, to go on by hand: it prints how",
    ):
        story.line(command_line)


def _finish(session: Session, found: Findings) -> int:
    if session.shape is not Format.table or session.out is not None:
        answer = found.identities
        more = {
            "resources": sorted(found.objects.frame["resource"].to_list()),
            "identities": sorted(set(answer.frame["actor"].to_list())),
        }
        about = {"coverage": answer.coverage, "window": answer.window, "lake_version": answer.lake_version}
        emit(session, Result.of(answer.frame, **about, more=more))
    return session.code(complete=found.identities.coverage.complete)
