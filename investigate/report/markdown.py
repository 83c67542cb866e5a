"""The report as Markdown: for a ticket, a wiki, a commit. No character of a log's is markup, or HTML."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from investigate.report import picture as pictures
from investigate.report.model import Stack
from investigate.report.page import gap_sheet
from investigate.report.text import clock, shown, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from investigate.report.model import Claim, Report, Sheet

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~&:@$^=\"'/])")
_FENCE: Final = "`"


def render(report: Report) -> str:
    """The document, in CommonMark with tables."""
    return "\n".join(_document(report)).rstrip() + "\n"


def escape(value: str) -> str:
    """A text in which nothing is markup, an address or HTML, on one line."""
    return _SPECIAL.sub(r"\\\1", visible(value))


def _document(report: Report) -> Iterator[str]:
    known = report.known
    yield f"# {escape(report.title)}\n"
    yield f"{clock(known.window.start)} to {clock(known.window.end)}, times are UTC\n"
    if report.question:
        yield "\n".join(f"> {escape(line)}" for line in report.question.splitlines()) + "\n"
    if report.redaction:
        yield f"**Redacted.** {escape(report.redaction)}\n"
    yield f"**{_verdict(report)}**\n"
    yield "## Scope\n"
    yield from (f"- {escape(name)}: {escape(value)}" for name, value in report.scope)
    yield "\n## Coverage\n"
    yield from table(gap_sheet(report)) if known.holes else ["No gaps.\n"]
    yield "## Findings\n"
    for number, claim in enumerate(report.claims, 1):
        yield from _finding(number, claim)
    if not report.claims:
        yield "None. No question was asked of the events in scope.\n"
    if report.annotations.total:
        yield "## Annotations\n"
        yield from table(report.annotations)
    yield "## Evidence\n"
    lines, head = report.ledger
    yield f"The ledger has {lines:,} lines; the SHA-256 of its last is `{head}`.\n"
    yield from table(report.evidence)
    yield "## Method\n"
    yield from (f"- {escape(one)}" for one in report.method)
    yield from (f"- {escape(name)} {escape(value)}" for name, value in report.versions)
    yield f"- Lake version {report.lake_version}\n"
    yield f"Made {clock(report.made)} by {escape(report.author)}."


def _verdict(report: Report) -> str:
    if not report.known.sources:
        return "Nothing was ever collected, so nothing can be found."
    if report.known.complete:
        return "Complete: every source was collected over the whole window."
    return f"Not complete: spans of the window that were not, or not surely, collected: {len(report.known.holes):,}."


def _finding(number: int, claim: Claim) -> Iterator[str]:
    severity = f"\\[{escape(claim.severity)}\\] " if claim.severity else ""
    yield f"### {number}. {severity}{escape(claim.text)}\n"
    given = (("events", claim.events), ("identities", claim.identities), ("first", claim.first), ("last", claim.last))
    yield from (f"- {name}: {escape(shown(value))}" for name, value in given if value is not None)
    if claim.complete is not None:
        yield f"- coverage: {'complete' if claim.complete else 'not complete'}"
    yield from (f"- {escape(note)}" for note in claim.notes)
    if claim.picture:
        yield f"- {escape(pictures.said(claim.picture))}"
    yield ""
    for one in claim.tables:
        yield from table(one)
    if claim.query:
        yield from _fenced(claim.query)


def table(sheet: Sheet) -> Iterator[str]:
    """A table; where rows are left out, it says so."""
    cut = f" ({len(sheet.rows):,} of {sheet.total:,})" if sheet.total > len(sheet.rows) else ""
    if not sheet.rows:
        yield f"{escape(sheet.caption or 'Rows')}: none.\n"
        return
    if sheet.caption:
        yield f"{escape(sheet.caption)}{cut}:\n"
    yield "| " + " | ".join(escape(name) for name in sheet.columns) + " |"
    yield "|" + " --- |" * len(sheet.columns)
    for row in sheet.rows:
        yield "| " + " | ".join(_cell(value) for value in row) + " |"
    yield ""


def _cell(value: object) -> str:
    if not isinstance(value, Stack):
        return escape(shown(value))
    parts = dict.fromkeys(filter(None, (shown(value.top), shown(value.below))))
    return ", ".join(map(escape, parts))


def _fenced(query: str) -> Iterator[str]:
    """A query as a block of code, behind a fence longer than any in it."""
    longest = max((len(run) for run in re.findall(f"{_FENCE}+", query)), default=0)
    fence = _FENCE * max(3, longest + 1)
    yield f"{fence}sql"
    yield from (visible(line) for line in query.splitlines())
    yield f"{fence}\n"
