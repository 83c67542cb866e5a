"""`audit run` and `audit rules`: Sigma rules over the lake, for cron and for pipelines."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from investigate.cli.options import Format, From, Session, To, command, group
from investigate.cli.output import Result, emit, note, print_line, text_sink, utc, warn
from investigate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from investigate.case.audited import Audit

FOUND = 4
"""The exit code where there are findings at or above `--fail-on`."""
_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "", "informational": "dim"}
_SHOWN = 100

Rules = Annotated[
    list[Path] | None,
    typer.Option("--rules", metavar="PATH", help="A Sigma rule or a folder of them; may be given again."),
]
Shipped = Annotated[bool, typer.Option("--shipped/--no-shipped", help="Also the rules that come with this program.")]
Placeholders = Annotated[
    Path | None, typer.Option(metavar="FILE", help="TOML with values for the %name% of rules that have such.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    audit = typer.Typer(no_args_is_help=True)
    group(audit)
    command(audit, "run")(run)
    command(audit, "rules")(rules)
    app.add_typer(audit, name="audit", help="Sigma rules over the lake: run, rules.", rich_help_panel="Ask")


def run(
    session: Session,
    *,
    paths: Rules = None,
    shipped: Shipped = True,
    start: From = None,
    end: To = None,
    new_only: Annotated[
        bool | None,
        typer.Option(
            "--new-only/--all",
            help="Only what came into the lake since the last run, which is then remembered; so it is without --from"
            " and --to.",
        ),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep/--no-keep", help="Remember how far this run came, so that the next one goes on.")
    ] = True,
    fail_on: Annotated[
        str | None,
        typer.Option(metavar="LEVEL", help="Exit with 4 at a finding of this severity or above: high, medium …"),
    ] = None,
    suppress: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Findings to leave out, each with a reason and an end.")
    ] = None,
    placeholders: Placeholders = None,
    sarif: Annotated[Path | None, typer.Option(metavar="FILE", help="Also as SARIF 2.1.0.")] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Also as JUnit XML.")] = None,
) -> int:
    """What rules find: by default in what is new since the last run.

    Example: investigate audit run --fail-on high --suppress audit.toml --format json
    """
    from investigate.audit.findings import at_or_above, rank  # noqa: PLC0415 - only where an audit is run

    if fail_on is not None:
        rank(fail_on)
    windowed = start is not None or end is not None
    if windowed and new_only:
        raise UsageError("What is new is not asked for by a window.", "Leave out --new-only, or --from and --to.")
    case = session.open()
    asked: dict[str, Any] = {"shipped": shipped, "suppress": suppress, "placeholders": _values(placeholders)}
    with ExitStack() as stack:
        if windowed or new_only is False:
            audit = case.audit(paths or (), start=start, end=end, **asked)
        else:
            audit = stack.enter_context(case.audit_new(paths or (), keep=keep, **asked))
        _write(session, audit, fail_on, sarif, junit)
    if fail_on is not None and at_or_above(audit.findings, fail_on):
        return FOUND
    return session.code(complete=audit.coverage.complete and not audit.untranslated)


def rules(session: Session, *, paths: Rules = None, shipped: Shipped = True, placeholders: Placeholders = None) -> int:
    """The rules there are, and those that cannot be run, with the reason; no case is needed.

    Example: investigate audit rules --rules sigma/rules/cloud/aws --format csv
    """
    from investigate.case.audited import rules_frame  # noqa: PLC0415 - only where it is asked for
    from investigate.case.auditing import load  # noqa: PLC0415

    emit(session, Result.of(rules_frame(load(paths or (), shipped=shipped, placeholders=_values(placeholders)))))
    return 0


def _write(session: Session, audit: Audit, fail_on: str | None, sarif: Path | None, junit: Path | None) -> None:
    """Everything that was asked for is out before the frontier moves."""
    from investigate.cli import audit_forms  # noqa: PLC0415 - only where an audit is run

    for path, text in ((sarif, audit_forms.sarif), (junit, audit_forms.junit)):
        if path is not None:
            with text_sink(replace(session, out=path)) as stream:
                stream.write(text(audit, fail_on))
    rows = [one.as_row() for one in audit.findings]

    def table(terminal: Console) -> None:
        _people(terminal, audit)

    known: dict[str, Any] = {"coverage": audit.coverage, "window": audit.window, "lake_version": audit.lake_version}
    if session.shape is Format.json:
        columns = list(rows[0]) if rows else []
        emit(session, Result(columns, [list(row.values()) for row in rows], more=audit.as_json(), **known))
        return
    emit(session, Result.of(audit.frame, table=table, **known))
    if session.shape is not Format.table:
        for line in audit.lines():
            (warn if line.startswith(("warning", "not run")) else note)(line.partition("  ")[2])


def _people(terminal: Console, audit: Audit) -> None:
    from rich.text import Text  # noqa: PLC0415 - rich, only where a table is printed

    from investigate.case.display import visible  # noqa: PLC0415
    from investigate.cli.tables import more, new_table, nothing, short  # noqa: PLC0415

    if not audit.findings:
        said = nothing(Result.of(audit.frame, coverage=audit.coverage))
        if audit.untranslated and audit.coverage.sources and audit.coverage.complete:
            said = "Nothing found by the rules that could be run, which are not all:"
        print_line(terminal, said)
    else:
        table = new_table("severity", "what, and who", "events", "first and last, UTC", right=("events",))
        table.columns[3].no_wrap = True
        for one in audit.findings[:_SHOWN]:
            who = one.actor_name or (short(one.actor) if one.actor else one.identity) or "several identities"
            where = ", ".join(visible(address, 45) for address in one.src_ips[:2])
            what = Text(visible(one.title), style="bold")
            what.append(f"\n{visible(one.source)}  {visible(who, 80)}{'  ' + where if where else ''}", style="not bold")
            times = Text(f"{utc(one.first)}\n{utc(one.last)}")
            table.add_row(Text(one.severity, style=_STYLES[one.severity]), what, Text(f"{one.events:,}"), times)
        terminal.print(table)
        more(terminal, len(audit.findings), _SHOWN)
    for line in audit.lines():
        print_line(terminal, line)


def _values(path: Path | None) -> Mapping[str, Any] | None:
    if path is None:
        return None
    import tomllib  # noqa: PLC0415 - only where placeholders are given

    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no TOML"
        raise UsageError(f"{path} cannot be read: {reason}.", 'Write lines such as admins = ["ann", "ben"].') from error
