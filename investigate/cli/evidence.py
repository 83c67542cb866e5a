"""`evidence verify`, `evidence list` and `evidence show`: the bytes, the ledger, and the way back to a record."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from investigate.case.display import amount
from investigate.cli.faults import FAILED, say
from investigate.cli.options import Format, Session, command, group
from investigate.cli.output import Result, emit, emit_json, print_line, utc
from investigate.cli.progress import watching

if TYPE_CHECKING:
    from rich.console import Console

    from investigate.case.record import Proof
    from investigate.evidence import Entry, VerifyReport

_SHA: Final = 12
_LIST: Final = (
    *("seq", "time", "kind", "source", "files", "bytes", "operator", "acquisition", "request", "window", "filter"),
    *("evidence", "sha256"),
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    evidence = typer.Typer(no_args_is_help=True)
    group(evidence)
    command(evidence, "verify")(verify)
    command(evidence, "list")(list_entries)
    command(evidence, "show")(show)
    app.add_typer(
        evidence, name="evidence", help="The evidence and its ledger: verify, list, show.", rich_help_panel="Keep"
    )


def verify(
    session: Session,
    bundle: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A bundle, in place of a case: from anybody, on any machine.")
    ] = None,
) -> int:
    """Hash every evidence file again and walk the ledger's chain; exit 1 when anything is not as recorded.

    Of a bundle, also whether its hashes hold, and every event is found again in its evidence, byte for byte.

    Example: investigate evidence verify --format json
    """
    if bundle is not None:
        return _verify_bundle(session, bundle)
    case = session.open()
    with watching() as progress:
        report = case.verify(lambda done, total: progress("verify", done, total, "bytes"))
    columns = ("severity", "kind", "where", "message")
    rows = [[getattr(finding, name) for name in columns] for finding in report.findings]

    def table(terminal: Console) -> None:
        for finding in report.findings:
            print_line(terminal, f"{finding.severity}  {finding.kind}  {finding.message}")
        print_line(terminal, _verdict(report))

    more = {"ok": report.ok, "files": report.files, "bytes": report.bytes, "lines": report.lines}
    emit(session, Result(columns, rows, table=table, more=more))
    if not report.ok:
        say("Error: The evidence or its ledger is not what was recorded.")
        say("Keep this case as it is, and take the evidence again from its source or from a copy.")
    return 0 if report.ok else FAILED


def _verify_bundle(session: Session, path: Path) -> int:
    """What `verify` does with a bundle: no case is opened or made."""
    from investigate.case.checking import verify_bundle  # noqa: PLC0415 - only where one is checked

    checked = verify_bundle(path)
    columns = ("severity", "kind", "where", "message")
    rows = [[getattr(fault, name) for name in columns] for fault in checked.faults]
    counts = ("files", "bytes", "lines", "events", "records", "redacted", "sha256")

    def table(terminal: Console) -> None:
        for fault in checked.faults:
            print_line(terminal, f"{fault.severity}  {fault.kind}  {fault.message}")
        seen = _seen(checked.files, checked.bytes, checked.lines)
        found = f"{checked.records:,} of {checked.events:,} events found again in the evidence"
        why = f" (redacted: {checked.redacted})" if checked.redacted else ""
        print_line(terminal, f"{seen}; {found}{why}: {'all as recorded' if checked.ok else 'NOT as recorded'}")
        print_line(terminal, f"sha256  {checked.sha256}  compare it with the one you were told")

    more: dict[str, Any] = {"ok": checked.ok} | {name: getattr(checked, name) for name in counts}
    emit(session, Result(columns, rows, table=table, more=more))
    if not checked.ok:
        say("Error: The bundle is not what it says.")
        say("Do not rely on it: get it again from whoever made it, and compare its SHA-256.")
    return 0 if checked.ok else FAILED


def _seen(files: int, size: int, lines: int) -> str:
    return f"{amount(files, 'files')}, {amount(size, 'bytes')}, {amount(lines, 'lines')} of the ledger"


def _verdict(report: VerifyReport) -> str:
    seen = _seen(report.files, report.bytes, report.lines)
    if not report.files and not report.lines:
        return "nothing to verify: nothing was ever collected"
    return f"{seen} verified: all as recorded" if report.ok else f"{seen} looked at: NOT as recorded"


def list_entries(session: Session) -> int:
    """The ledger: what was taken in, when, by whom, from where.

    Example: investigate evidence list --format csv --out ledger.csv
    """
    from investigate.case import inspection  # noqa: PLC0415 - only where a case is opened

    case = session.open()
    entries = list(inspection.ledger(case))

    def table(terminal: Console) -> None:
        from investigate.cli.tables import new_table  # noqa: PLC0415 - rich, only where a table is printed

        if not entries:
            print_line(terminal, "The ledger is empty: nothing was ever collected.")
            return
        terminal.print(_ledger_table(new_table("line", "time, UTC", "what", "files", "size", "by"), entries))

    known = inspection.known(case)
    result = Result(
        _LIST,
        [_row(entry) for entry in entries],
        window=known.window,
        lake_version=inspection.lake_version(case),
        table=table,
        more={"coverage": known.as_json()},
    )
    emit(session, result)
    return 0


def _ledger_table(table: Any, entries: list[Entry]) -> Any:
    from rich.text import Text  # noqa: PLC0415 - see `list_entries`

    from investigate.case.display import visible  # noqa: PLC0415

    for entry in entries:
        names = ", ".join(file.name for file in entry.files[:2]) + (" …" if len(entry.files) > 2 else "")  # noqa: PLR2004
        what = Text(visible(f"{entry.kind} {entry.source}"))
        what.append(f"\n{visible(_request(entry) or names, 120)}", style="dim")
        size = amount(entry.size, "bytes")
        by = visible(entry.operator)
        table.add_row(
            *map(Text, (str(entry.seq), utc(entry.time))), what, *map(Text, (str(len(entry.files)), size, by))
        )
    return table


def _row(entry: Entry) -> list[Any]:
    return [
        *(entry.seq, entry.time, entry.kind, entry.source, len(entry.files), entry.size, entry.operator),
        *(entry.acquisition, _request(entry), entry.window, entry.filter),
        *([file.sha256 for file in entry.files], entry.sha256),
    ]


def _request(entry: Entry) -> str:
    """What was asked for, in a line."""
    asked = entry.request
    if "url" in asked:
        return f"{asked.get('method', 'GET')} {asked['url']}"
    inputs = asked.get("inputs", [])
    return ", ".join(str(name) for name in inputs[:3]) + (f" and {len(inputs) - 3} more" if len(inputs) > 3 else "")  # noqa: PLR2004 - as many as were named


def show(
    session: Session,
    event_uid: Annotated[str, typer.Argument(metavar="EVENT_UID", help="The event's id, from the column event_uid.")],
    source: Annotated[str | None, typer.Option(help="Where several sources have this id: which one.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Where several tenants have this id: which one.")] = None,
) -> int:
    """An event's record, read again from its evidence file after that file's SHA-256 was checked.

    Standard output has the record alone, as the vendor wrote it; what is known of it goes to standard error.

    Example: investigate evidence show evt-4711 | jq
    """
    from investigate.case.record import prove  # noqa: PLC0415 - only where a case is opened

    proof = prove(session.open(), event_uid, source=source, tenant=tenant)
    facts = _facts(proof)
    if session.shape is Format.json:
        emit_json(session, facts)
    elif session.shape is Format.table:
        for name in ("evidence", "name", "evidence_record", "ledger", "verified", "equal"):
            say(f"{name:<16} {facts[name]}")
        _print_record(session, proof.raw)
    else:
        emit(session, Result(tuple(facts), [list(facts.values())]))
    if not proof.equal:
        say("Error: The lake holds another text for this record than the evidence.")
        say("The evidence rules: make a new case and import the evidence file into it.")
        return FAILED
    return 0


def _facts(proof: Proof) -> dict[str, Any]:
    return {
        **{name: proof.event[name] for name in ("event_uid", "time", "source", "tenant", "actor", "action")},
        "evidence": proof.evidence,
        "evidence_record": proof.evidence_record,
        "raw": proof.raw,
        "ledger": proof.entry.seq if proof.entry else None,
        "acquisition": proof.entry.acquisition if proof.entry else None,
        "name": proof.name,
        "size": proof.size,
        "verified": True,
        "equal": proof.equal,
    }


def _print_record(session: Session, raw: str) -> None:
    """The record as it is; on a terminal, what the terminal would obey is written out."""
    from investigate.case.display import visible  # noqa: PLC0415 - see `show`
    from investigate.cli.output import text_sink  # noqa: PLC0415

    with text_sink(session) as stream:
        shown = "\n".join(visible(line) for line in raw.splitlines()) if stream.isatty() else raw
        stream.write(shown + "\n")
    sys.stdout.flush()
