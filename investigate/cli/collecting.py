"""`import` and `coderabbit pull`: logs into the case."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from investigate.cli.acquired import show
from investigate.cli.options import Jobs, Memory, Session, To, command, group
from investigate.cli.progress import watching
from investigate.errors import UsageError

_PANEL: Final = "Collect"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    rabbit = typer.Typer(no_args_is_help=True)
    group(rabbit)
    command(rabbit, "pull")(pull)
    app.add_typer(rabbit, name="coderabbit", help="CodeRabbit's audit log: pull.", rich_help_panel=_PANEL)
    command(app, "import", rich_help_panel=_PANEL)(import_files)


def import_files(
    session: Session,
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH…", help="Files, folders, archives, patterns in quotes, s3://bucket/prefix, or -"),
    ],
    profile: Annotated[
        str | None, typer.Option(metavar="NAME", help="How to read them: cloudtrail, google_workspace, devrev, …")
    ] = None,
    covers_from: Annotated[
        str | None, typer.Option(metavar="TIME", help="The files are the whole log from this time on …")
    ] = None,
    covers_to: Annotated[
        str | None, typer.Option(metavar="TIME", help="… up to this one, itself not included.")
    ] = None,
    memory: Memory = None,
    jobs: Jobs = None,
) -> int:
    """Take in audit logs that are files already; each is kept byte for byte.

    Without --covers-from and --covers-to they cover only the time from their first event to their last.

    Example: investigate import 'logs/**/*.json.gz' --profile cloudtrail
    """
    case = session.open(memory, jobs)
    if profile is None:
        from investigate.case.inspection import profile_names  # noqa: PLC0415 - only for this message

        raise UsageError("No profile says how to read these files.", f"Add --profile {'|'.join(profile_names(case))}")
    if (covers_from is None) != (covers_to is None):
        raise UsageError("--covers-from and --covers-to belong together.", "Give both, or neither.")
    covers = (covers_from, covers_to) if covers_from is not None and covers_to is not None else None
    with watching() as progress:
        acquisition = case.import_files(paths, profile, covers=covers, progress=progress)
    return show(session, acquisition)


def pull(
    session: Session,
    start: Annotated[
        str, typer.Option("--from", metavar="TIME", help="A date, a time with its zone, or a span such as 7d.")
    ],
    end: To = None,
    action: Annotated[list[str] | None, typer.Option(help="Only this action, such as api_key_create; again.")] = None,
    resource_type: Annotated[list[str] | None, typer.Option(help="Only this type, such as api_key; again.")] = None,
    search: Annotated[str | None, typer.Option(help="Only actors with this in their name.")] = None,
    memory: Memory = None,
    jobs: Jobs = None,
) -> int:
    """Read every entry of a window, provably all of them, and keep the pages; --to is now when not given.

    The key is read from CODERABBIT_API_KEY or the keyring: a non-agentic key of an Admin.

    Example: investigate coderabbit pull --from 30d --action api_key_create --action api_key_delete
    """
    case = session.open(memory, jobs)
    with watching() as progress:
        acquisition = case.coderabbit.pull(
            start, end, actions=action or (), resource_types=resource_type or (), search=search, progress=progress
        )
    return show(session, acquisition)
