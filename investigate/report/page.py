"""The report as one HTML file: no script, nothing from elsewhere, tables behind every picture, fit to print."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from investigate.report import picture as pictures
from investigate.report.markup import lines, raw, tag, text
from investigate.report.model import Stack, sheet
from investigate.report.text import clock, shown

if TYPE_CHECKING:
    from investigate.report.markup import Markup
    from investigate.report.model import Claim, Report, Sheet

LONGEST_QUERY: Final = 20_000
"""Characters of a query that are shown."""
_HOLES: Final = 200
_LISTED: Final = 20
"""So many claims stand on the first page."""
_CODES: Final = frozenset({"event_uid", "event, record", "sha256", "actor", "resource", "value"})
_COLUMNS: Final = 7
"""A table of more columns breaks its times, so that it fits the page."""


def render(report: Report) -> str:
    """The page."""
    style = _style()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="generator", content=" ".join(report.versions[0])),
        tag("title", report.title),
        tag("style", raw(style)),
    )
    body = tag(
        "body",
        pictures.definitions(),
        tag("header", *_opening(report), _contents(report)),
        tag("main", *_sections(report)),
        tag(
            "footer",
            f"Made {clock(report.made)} by {report.author} with {' '.join(report.versions[0])}. Times are UTC.",
        ),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


@cache
def _style() -> str:
    return files("investigate.report").joinpath("report.css").read_text(encoding="utf-8")


def _opening(report: Report) -> list[Markup]:
    parts = [
        tag("h1", report.title),
        tag("p", f"{clock(report.known.window.start)} to {clock(report.known.window.end)}", class_="soft"),
    ]
    if report.question:
        parts.append(tag("p", lines(report.question), class_="question"))
    if report.redaction:
        parts.append(tag("p", f"Redacted. {report.redaction}", class_="verdict redacted"))
    parts.append(verdict(report))
    if report.claims:
        listed = [tag("li", *_link(at, claim)) for at, claim in enumerate(report.claims[:_LISTED], 1)]
        rest = len(report.claims) - len(listed)
        listed += [tag("li", tag("a", f"{rest:,} more", href=f"#finding-{_LISTED + 1}"))] if rest else []
        parts.append(tag("ol", *listed, class_="claims"))
    return parts


def _link(number: int, claim: Claim) -> tuple[Markup | None, Markup]:
    return _chip(claim), tag("a", claim.text, href=f"#finding-{number}")


def _chip(claim: Claim) -> Markup | None:
    return tag("span", claim.severity, class_=f"chip {_severity(claim)}") if claim.severity else None


def verdict(report: Report) -> Markup:
    """Whether all of the window was collected, in a sentence nobody overlooks."""
    known = report.known
    if not known.sources:
        said = "Nothing was ever collected, so nothing can be found: this report is no statement that nothing happened."
        return tag("p", said, class_="verdict incomplete")
    if known.complete:
        said = "Complete: every source was collected over the whole window."
        return tag("p", said, class_="verdict complete")
    holes = len(known.holes)
    what = "one span of the window was" if holes == 1 else f"{holes:,} spans of the window were"
    said = f"Not complete: {what} not, or not surely, collected. What happened there is not known."
    return tag("p", said, " ", tag("a", "Which?", href="#coverage"), class_="verdict incomplete")


def _contents(report: Report) -> Markup:
    names = [
        "Scope",
        "Coverage",
        "Findings",
        *(["Annotations"] if report.annotations.total else []),
        "Evidence",
        "Method",
    ]
    return tag("nav", tag("ul", *(tag("li", tag("a", name, href=f"#{name.lower()}")) for name in names)))


def _sections(report: Report) -> list[Markup]:
    parts = [
        tag("section", tag("h2", "Scope"), facts(report.scope), id="scope"),
        _coverage(report),
        tag(
            "section",
            tag("h2", "Findings"),
            *(_finding(at, claim) for at, claim in enumerate(report.claims, 1)),
            None if report.claims else tag("p", "None. No question was asked of the events in scope."),
            id="findings",
        ),
    ]
    if report.annotations.total:
        parts.append(tag("section", tag("h2", "Annotations"), table(report.annotations), id="annotations"))
    return [*parts, _evidence(report), _method(report)]


def facts(pairs: tuple[tuple[str, str], ...]) -> Markup:
    """Names and values."""
    cells = (part for name, value in pairs for part in (tag("dt", name), tag("dd", lines(value))))
    return tag("dl", *cells, class_="facts")


def _coverage(report: Report) -> Markup:
    known = report.known
    parts: list[Markup] = [tag("h2", "Coverage")]
    if known.sources:
        parts.append(pictures.coverage(known))
        parts += [tag("p", "Hatched: not collected, or not surely.", class_="soft")] if known.holes else []
    parts.append(table(gap_sheet(report)) if known.holes else tag("p", "No gaps."))
    return tag("section", *parts, id="coverage")


def gap_sheet(report: Report) -> Sheet:
    """The gaps of coverage as a table."""
    known = report.known
    rows = [(hole.source or "any source", hole.window.start, hole.window.end, hole.state) for hole in known.holes]
    return sheet(("source", "from", "to", "state"), rows[:_HOLES], len(rows), "What was not, or not surely, collected")


def _finding(number: int, claim: Claim) -> Markup:
    parts: list[Markup | None] = [tag("h3", f"{number}. ", _chip(claim), claim.text), _figures(claim)]
    parts += [tag("p", note, class_="soft") for note in claim.notes]
    if claim.picture:
        parts.append(tag("p", pictures.said(claim.picture), class_="soft"))
        parts.append(pictures.timeline(claim.picture))
        behind = pictures.behind(claim.picture)
        parts.append(tag("details", tag("summary", "The numbers behind the picture"), table(behind)))
    parts += [table(one) for one in claim.tables]
    if claim.query:
        cut = claim.query[:LONGEST_QUERY]
        more = "" if cut == claim.query else f"\n… ({len(claim.query):,} characters)"
        parts.append(tag("details", tag("summary", "The query"), tag("pre", lines(cut + more))))
    return tag("article", *parts, id=f"finding-{number}")


def _severity(claim: Claim) -> str:
    known = ("informational", "low", "medium", "high", "critical")
    return claim.severity if claim.severity in known else "other"


def _figures(claim: Claim) -> Markup:
    known = None if claim.complete is None else "complete" if claim.complete else "not complete"
    pairs: tuple[tuple[str, Any], ...] = (
        ("events", claim.events),
        ("identities", claim.identities),
        ("first", claim.first),
        ("last", claim.last),
        ("coverage", known),
    )
    given = (tag("div", tag("dt", name), tag("dd", shown(value))) for name, value in pairs if value is not None)
    return tag("dl", *given, class_="figures")


def _evidence(report: Report) -> Markup:
    count, head = report.ledger
    said = f"The ledger has {count:,} lines; the SHA-256 of its last is "
    return tag(
        "section",
        tag("h2", "Evidence"),
        tag("p", "Every event above names one of these files and its record in it. ", said, tag("code", head), "."),
        table(report.evidence),
        id="evidence",
    )


def _method(report: Report) -> Markup:
    return tag(
        "section",
        tag("h2", "Method"),
        tag("ul", *(tag("li", *_with_code(one)) for one in report.method), class_="plain"),
        facts((*report.versions, ("Lake version", str(report.lake_version)))),
        id="method",
    )


def _with_code(said: str) -> list[Markup]:
    """A sentence in which what stands between backticks is something to type."""
    parts = said.split("`")
    return [tag("code", part) if at % 2 else text(part) for at, part in enumerate(parts)]


def table(sheet: Sheet) -> Markup:
    """A table; where rows are left out, it says so."""
    if not sheet.rows:
        return tag("p", f"{sheet.caption}: none." if sheet.caption else "None.", class_="soft")
    kinds = [_kind(name, [row[at] for row in sheet.rows], len(sheet.columns)) for at, name in enumerate(sheet.columns)]
    cut = f" ({len(sheet.rows):,} of {sheet.total:,})" if sheet.total > len(sheet.rows) else ""
    caption = tag("caption", sheet.caption or "Rows", tag("span", cut, class_="soft")) if sheet.caption or cut else None
    pairs = list(zip(sheet.columns, kinds, strict=True))
    head = tag("thead", tag("tr", *(tag("th", name, class_=kind, scope="col") for name, kind in pairs)))
    rows = (
        tag("tr", *(tag("td", *_cell(value), class_=kind) for value, kind in zip(row, kinds, strict=True)))
        for row in sheet.rows
    )
    return tag("div", tag("table", caption, head, tag("tbody", *rows)), class_="wide", tabindex="0")


def _cell(value: Any) -> list[Markup]:
    if not isinstance(value, Stack):
        return [text(shown(value))]
    top, below = shown(value.top), shown(value.below)
    return [tag("div", top), *([tag("div", below, class_="soft")] if below and below != top else [])]


def _kind(name: str, values: list[Any], columns: int) -> str | None:
    """How a column is set: numbers flush right, times on one line, keys broken anywhere."""
    tops = [value.top if isinstance(value, Stack) else value for value in values]
    given = [value for value in tops if value is not None]
    if given and all(isinstance(value, int | float) and not isinstance(value, bool) for value in given):
        return "number"
    if given and all(isinstance(value, datetime) for value in given):
        return "time" if columns <= _COLUMNS else "moment"
    return "code" if name in _CODES else None
