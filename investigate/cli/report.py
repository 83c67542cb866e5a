"""`report` and `bundle`: the document that leaves the room, and with it what lets others check it."""

from __future__ import annotations

import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from investigate.cli.options import From, Session, To, command, text_lines
from investigate.cli.output import Result, emit, print_line
from investigate.cli.questions import Version  # noqa: TC001 - typer reads the annotations
from investigate.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from investigate.case import Case
    from investigate.case.reporting import Written

_FACTS = ("path", "form", "sha256", "size", "events", "claims", "redacted")


class Form(StrEnum):
    """How a report is written."""

    html = "html"
    markdown = "markdown"
    csv = "csv"
    jsonl = "jsonl"
    timesketch = "timesketch"
    ocsf = "ocsf"


class Mode(StrEnum):
    """Who may lift an Object Lock: a privileged user, or nobody."""

    governance = "GOVERNANCE"
    compliance = "COMPLIANCE"


Many = list[str] | None
Title = Annotated[str, typer.Option(help="The heading.")]
Question = Annotated[str, typer.Option(help="What was asked, in words; it stands on top.")]
Resource = Annotated[Many, typer.Option(metavar="ID", help="An object, or a pattern with *; - or @FILE: one a line.")]
Actor = Annotated[Many, typer.Option(metavar="ACTOR", help="Key, e-mail address or person; - or @FILE: one a line.")]
Credential = Annotated[Many, typer.Option(metavar="ID", help="A token, key or session; may be given again.")]
Ip = Annotated[Many, typer.Option(metavar="ADDRESS", help="May be given again.")]
Tag = Annotated[Many, typer.Option(help="Objects with this tag in the case's classification.csv.")]
Subject = Annotated[
    Many,
    typer.Option("--subject-access", metavar="SUBJECT", help="All accesses to somebody's data: ids, patterns, e-mail."),
]
Audited = Annotated[bool, typer.Option("--audit", help="Run the rules over the window; findings become claims.")]
Rules = Annotated[Many, typer.Option(metavar="PATH", help="With --audit: further Sigma rules, files or folders.")]
Suppress = Annotated[Path | None, typer.Option(metavar="FILE", help="With --audit: findings to leave out.")]
Redact = Annotated[
    str | None,
    typer.Option(metavar="WHAT", help="names,emails,ips,credentials,actors, each =hash or =drop; or a profile.toml."),
]
KeyFile = Annotated[
    Path | None,
    typer.Option("--redaction-key-file", metavar="FILE", help="Else $INVESTIGATE_REDACTION_KEY, else the keyring."),
]
Made = Annotated[str | None, typer.Option("--at", metavar="TIME", help="The time it states; now when not given.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    command(app, "report", rich_help_panel="Tell")(report)
    command(app, "bundle", rich_help_panel="Tell")(bundle)


def report(
    session: Session,
    *,
    form: Annotated[Form | None, typer.Option("--as", help="Else by the file's name.")] = None,
    title: Title = "",
    question: Question = "",
    resource: Resource = None,
    actor: Actor = None,
    credential: Credential = None,
    ip: Ip = None,
    tag: Tag = None,
    subject: Subject = None,
    start: From = None,
    end: To = None,
    audit: Audited = False,
    rules: Rules = None,
    suppress: Suppress = None,
    redact: Redact = None,
    redaction_key_file: KeyFile = None,
    at: Made = None,
    version: Version = None,
) -> int:
    """Write a report to --out FILE: .html (one file, no script), .md, .csv, .jsonl; Timesketch and OCSF with --as.

    Example: investigate report --resource @objects.txt --question "Who saw these?" --from 30d --out report.html
    """
    about = _about(resource=resource, actor=actor, subject=subject, credentials=credential, src_ips=ip, tag=tag)
    about |= {"title": title, "question": question, "start": start, "end": end}
    about |= _how(redact, redaction_key_file, at, version)
    case = session.open()
    about |= _audit(case, audit, rules, suppress, about)
    if session.out is None or str(session.out) == "-":
        written = case.report(sys.stdout.buffer, form=form.value if form else "html", **about)
        sys.stdout.buffer.flush()
        return session.code(complete=written.coverage.complete)
    return _tell(session, case.report(session.out, form=form.value if form else None, **about))


def bundle(
    session: Session,
    *,
    title: Title = "",
    question: Question = "",
    resource: Resource = None,
    actor: Actor = None,
    credential: Credential = None,
    ip: Ip = None,
    tag: Tag = None,
    subject: Subject = None,
    start: From = None,
    end: To = None,
    audit: Audited = False,
    rules: Rules = None,
    suppress: Suppress = None,
    all_evidence: Annotated[
        bool, typer.Option("--all-evidence", help="Also what covers the window and holds none of the events.")
    ] = False,
    upload: Annotated[str | None, typer.Option(metavar="URL", help="s3://bucket/key.zip, with Object Lock.")] = None,
    retain: Annotated[str, typer.Option(metavar="TIME", help="How long it is locked there: 365d, 52w, 7y.")] = "365d",
    mode: Annotated[Mode, typer.Option(help="Who may lift the lock: a privileged user, or nobody.")] = Mode.governance,
    redact: Redact = None,
    redaction_key_file: KeyFile = None,
    at: Made = None,
    version: Version = None,
) -> int:
    """Write a zip to --out FILE: report, events, their evidence, the ledger, and hashes that a stranger can check.

    Example: investigate bundle --resource @objects.txt --from 30d --out bundle.zip
    """
    if session.out is None or str(session.out) == "-":
        raise UsageError("A bundle goes to a file.", "Add --out FILE.zip")
    about = _about(resource=resource, actor=actor, subject=subject, credentials=credential, src_ips=ip, tag=tag)
    about |= {"title": title, "question": question, "start": start, "end": end}
    about |= _how(redact, redaction_key_file, at, version)
    case = session.open()
    about |= _audit(case, audit, rules, suppress, about)
    where: dict[str, Any] = {"upload": upload, "retain": retain, "mode": mode.value}
    return _tell(session, case.bundle(session.out, all_evidence=all_evidence, **where, **about))


def _about(*, resource: Many, actor: Many, subject: Many, **rest: Any) -> dict[str, Any]:
    """What it is about, as `Case.report` takes it."""
    lists = {"resources": text_lines(resource or [], "resource"), "actors": text_lines(actor or [], "actor")}
    lists["subjects"] = text_lines(subject or [], "subject")
    return {**lists, **{name: value for name, value in rest.items() if value is not None}}


def _how(redact: str | None, key_file: Path | None, at: str | None, version: int | None) -> dict[str, Any]:
    from investigate.events import parse_time  # noqa: PLC0415 - only where a report is written

    found: dict[str, Any] = {"redact": redact, "version": version, "made": parse_time(at) if at else None}
    if key_file is not None:
        if redact is None:
            raise UsageError("A redaction key, and nothing to redact.", "Add --redact names,emails,ips")
        try:
            found["redaction_key"] = key_file.read_bytes().strip()
        except OSError as error:
            raise ConfigError(f"{key_file} cannot be read: {error.strerror}.", "Name a file with the key.") from error
    return found


def _audit(case: Case, wanted: bool, rules: Many, suppress: Path | None, about: dict[str, Any]) -> dict[str, Any]:
    """What the rules find in the window, where that is wanted."""
    if not wanted:
        if rules or suppress:
            raise UsageError("Rules, and no audit to run them in.", "Add --audit.")
        return {}
    asked = {name: about[name] for name in ("start", "end", "version")}
    return {"audit": case.audit(rules or (), suppress=suppress, **asked)}


def _tell(session: Session, written: Written) -> int:
    """Say what was written, where, and of how much."""
    stored = written.stored
    values: dict[str, Any] = {name: getattr(written, name) for name in _FACTS} | {"claims": list(written.claims)}
    if stored:
        values |= {"url": stored.url, "version": stored.version, "mode": stored.mode, "until": stored.until}

    def table(terminal: Console) -> None:
        for claim in written.claims:
            print_line(terminal, claim)
        redacted = f", redacted: {written.redacted}" if written.redacted else ""
        print_line(
            terminal, f"{written.form}  {written.path}  {written.size:,} bytes, {written.events:,} events{redacted}"
        )
        print_line(terminal, f"sha256  {written.sha256}")
        if stored:
            until = f"{stored.until:%Y-%m-%d %H:%M}Z"
            print_line(terminal, f"stored  {stored.url}  version {stored.version}, {stored.mode} until {until}")

    known: dict[str, Any] = {
        "coverage": written.coverage,
        "window": written.window,
        "lake_version": written.lake_version,
    }
    emit(replace(session, out=None), Result(tuple(values), [list(values.values())], table=table, **known))
    return session.code(complete=written.coverage.complete)
