"""`sandbox`: the two vendors on this machine, until Ctrl-C."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from investigate.cli.child import sandbox
from investigate.cli.faults import say
from investigate.cli.options import Format, Session, command
from investigate.cli.output import console, emit_json, print_line, text_sink

if TYPE_CHECKING:
    from rich.console import Console


def register(app: typer.Typer) -> None:
    """Add the command."""
    settings = {"allow_extra_args": True, "ignore_unknown_options": True}
    command(app, "sandbox", rich_help_panel="Start here", context_settings=settings)(run)


def run(
    session: Session,
    events: Annotated[
        int | None, typer.Option(metavar="N", min=1_000, max=50_000_000, help="DevRev events, 60,000 when not given.")
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Another world; the same seed gives the same.")] = None,
    flags: Annotated[
        list[str] | None, typer.Argument(metavar="[FLAG…]", help="Any other flag of python -m investigate.sandbox.")
    ] = None,
) -> int:
    """Run both vendors on this machine until Ctrl-C: DevRev with its S3 and Updates page, and CodeRabbit.

    What it prints points a case at them. Further flags, such as --muted, --arrivals 3 or --link-lifetime 60, are
    passed on; python -m investigate.sandbox --help lists them.

    Example: investigate sandbox --events 100000 --export-delay 5
    """
    given = [*_flag("--events", events), *_flag("--seed", seed), *(flags or [])]
    try:
        with sandbox(given) as running:
            if session.shape is Format.json:
                emit_json(session, running.at)
            else:
                with text_sink(session) as stream:
                    _describe(console(stream), running.at)
            running.wait()
    except KeyboardInterrupt:  # the way to end it, and no failure
        say("The sandbox is closed.")
    return 0


def _flag(name: str, value: int | None) -> list[str]:
    return [] if value is None else [name, str(value)]


def environment(at: dict[str, Any]) -> dict[str, str]:
    """The variables that point a case at a sandbox.

    Args:
        at: what the sandbox said when it was ready.
    """
    return {
        "INVESTIGATE_DEVREV_BASE_URL": at["devrev_url"],
        "INVESTIGATE_CODERABBIT_BASE_URL": at["coderabbit_url"],
        "DEVREV_TOKEN": at["devrev_token"],
        "CODERABBIT_API_KEY": at["coderabbit_key"],
    }


def _s3(at: dict[str, Any]) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": at["s3_url"],
        "AWS_ACCESS_KEY_ID": at["s3_access_key"],
        "AWS_SECRET_ACCESS_KEY": at["s3_secret_key"],
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def _describe(terminal: Console, at: dict[str, Any]) -> None:
    window = at["window"]

    def line(text: str = "", style: str | None = None) -> None:
        print_line(terminal, text, style)

    line(
        f"A sandbox is running: {at['events']:,} DevRev events, {at['coderabbit_events']:,} CodeRabbit entries,", "bold"
    )
    line(f"{window['start']} .. {window['end']}. Ctrl-C ends it.")
    line()
    line(f"DevRev      {at['devrev_url']}")
    line(f"CodeRabbit  {at['coderabbit_url']}")
    line(f"Updates     {at['updates_url']}   (open it in a browser: the links of exports come there)")
    line(f"S3          {at['s3_url']}   bucket {at['s3_bucket']}, logs below {at['s3_log_prefix']}")
    line()
    line("Point a case at it, in another terminal:", "bold")
    for name, value in environment(at).items():
        line(f"export {name}={value}")
    line()
    line("Then:", "bold")
    line("investigate --case data/sandbox devrev request --from 31d --to now")
    line("investigate --case data/sandbox devrev collect -      # paste the link from the Updates page")
    line("investigate --case data/sandbox coderabbit pull --from 31d")
    line()
    line("Or read its S3 as a log archive:", "bold")
    for name, value in _s3(at).items():
        line(f"export {name}={value}")
    prefix = f"s3://{at['s3_bucket']}/{at['s3_log_prefix']}"
    line(f"investigate --case data/archive import {prefix} --profile devrev")
    line()
    line("The lead to follow:", "bold")
    line(at["brief"]["story"])
