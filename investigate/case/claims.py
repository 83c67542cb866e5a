"""What an acquisition covers: by the vendor's contract where it was asked for, else only what was seen in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from investigate.case.coverage import span
from investigate.events import Window, parse_time
from investigate.journal import CoverageState, ExportRequest, Interval, RequestState

if TYPE_CHECKING:
    from investigate.case.case import Case
    from investigate.case.tally import Tally
    from investigate.evidence import Entry


_INSTANT: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class Claim:
    """What goes into the journal's coverage.

    Attributes:
        window: the time the acquisition speaks for.
        intervals: with their states.
        warnings: for the person who asked.
        note: for the journal.
    """

    window: Window | None
    intervals: tuple[Interval, ...]
    warnings: tuple[str, ...] = ()
    note: str = ""


def claim(case: Case, entry: Entry, tally: Tally) -> Claim:
    """What this acquisition covers.

    Args:
        case: whose journal knows the requests.
        entry: its line in the ledger. `extra` holds, for CodeRabbit, `complete` and `unproven` (lists of
            `{"from", "to"}`); for DevRev, `request` (an id, or null), `signed_at`; for both, `asked_at`; for files,
            `declared` (a window, or null); for all, `tenant`.
        tally: what was met in it.
    """
    warnings = _warnings(tally)
    if tally.unreadable:
        return Claim(None, (), warnings, tally.unreadable)
    if entry.kind == "coderabbit":
        return _pulled(case, entry, warnings)
    if entry.kind == "devrev":
        return _exported(case, entry, tally, warnings)
    declared = Window.from_json(entry.extra.get("declared"))
    if declared is None:
        return _observed(entry, tally, warnings)
    return _declared(case, entry, tally, declared, warnings)


def _declared(case: Case, entry: Entry, tally: Tally, declared: Window, warnings: tuple[str, ...]) -> Claim:
    """What somebody said that a log covers, as far as it can be so: no log covers what was still to come."""
    said = []
    seen, known = tally.hull, parse_time(entry.time)
    if seen and not (declared.start <= seen.start and seen.end <= declared.end + _INSTANT):
        said.append(f"It holds entries of {span(seen)}, and was said to cover {span(declared)}.")
    if declared.end > known:
        declared = Window(min(declared.start, known), known)
        said.append(f"What was to come when it was imported it cannot cover: it counts for {span(declared)}.")
    tenants = list(tally.spans) or [entry.extra.get("tenant") or case.known_tenant(entry.source)]
    state = CoverageState.complete if tally.whole else CoverageState.failed
    intervals = [
        Interval(entry.source, tenant, {}, declared, state, entry.acquisition, "declared") for tenant in tenants
    ]
    return Claim(declared, tuple(intervals), (*warnings, *said))


def _observed(entry: Entry, tally: Tally, warnings: tuple[str, ...]) -> Claim:
    """What lies between the first and the last event; of a log that is not whole what is missing may lie there, too."""
    state = CoverageState.complete if tally.whole else CoverageState.failed
    intervals = [
        Interval(entry.source, tenant, {}, seen, state, entry.acquisition, "observed")
        for tenant, seen in sorted(tally.spans.items())
    ]
    return Claim(tally.hull, tuple(intervals), warnings)


def _pulled(case: Case, entry: Entry, warnings: tuple[str, ...]) -> Claim:
    tenant = entry.extra.get("tenant") or case.known_tenant(entry.source)
    intervals = [
        Interval(entry.source, tenant, dict(entry.filter), window, state, entry.acquisition, "vendor")
        for name, state in (("complete", CoverageState.complete), ("unproven", CoverageState.failed))
        for window in map(Window.from_json, entry.extra.get(name, []))
        if window is not None
    ]
    return Claim(Window.from_json(entry.window), tuple(intervals), warnings)


def _exported(case: Case, entry: Entry, tally: Tally, warnings: tuple[str, ...]) -> Claim:
    request, said = _request_of(case, entry, tally)
    if request is None:
        return _observed(entry, tally, (*warnings, *said))
    if request.state is not RequestState.collected:
        if request.state is not RequestState.downloading:
            case.journal.update_request(request.id, state=RequestState.downloading)
        case.journal.update_request(
            request.id,
            state=RequestState.collected,
            acquisition=entry.acquisition,
            collected_at=parse_time(entry.time),
            link_name=str(entry.request.get("url", "")),
        )
    tenants = list(tally.spans) or [case.known_tenant(entry.source)]
    intervals = [
        Interval(entry.source, tenant, dict(request.filter), window, state, entry.acquisition, "vendor")
        for tenant in sorted(tenants)
        for window, state in _settled(request, whole=tally.whole)
    ]
    return Claim(request.window, tuple(intervals), (*warnings, *said))


def _settled(request: ExportRequest, *, whole: bool) -> list[tuple[Window, CoverageState]]:
    """What was old enough to be exported when it was asked for, and what may have come too late for it.

    Of a log that breaks off nothing is certain: its entries are there, and the window counts as failed.
    """
    if not whole:
        return [(request.window, CoverageState.failed)]
    from investigate.sources.devrev import INGESTION_DELAY  # noqa: PLC0415 - httpx, which a look at a case needs not

    settled = request.requested_at - INGESTION_DELAY
    window, asked = request.window, request.requested_at
    parts = []
    if window.start < settled:
        parts.append((Window(window.start, min(window.end, settled)), CoverageState.complete))
    if window.end > settled and window.start < asked:
        parts.append((Window(max(window.start, settled), min(window.end, asked)), CoverageState.provisional))
    return parts


def _request_of(case: Case, entry: Entry, tally: Tally) -> tuple[ExportRequest | None, tuple[str, ...]]:
    """The request this export answers, told by what is inside it, and what there is to say about that."""
    named = entry.extra.get("request")
    if named is not None:
        request = case.journal.request(named)
        fault = _fault(request, tally)
        if fault is None:
            return request, ()
        return None, (f"The log is not what request {named} asked for: {fault}. It counts only for what it holds.",)
    signed = _time(entry.extra.get("signed_at"))
    answered = (RequestState.collected, RequestState.failed)
    asked = [
        request
        for request in case.journal.requests()
        if (request.state not in answered or request.acquisition == entry.acquisition)
        and (signed is None or request.requested_at <= signed + timedelta(seconds=1))
    ]
    fitting = [request for request in asked if _fault(request, tally) is None]
    if not fitting or (tally.hull is None and len(fitting) > 1):
        inside = f"entries of {span(tally.hull)}" if tally.hull else "no entries"
        open_ones = f"{len(asked)} open requests" if asked else "no open request"
        return None, (
            f"The log holds {inside}; {open_ones} could tell what else it covers, so it counts for that alone.",
        )
    # The smallest claim wins: the shortest window, then the narrowest filter, then the latest before the link.
    best = min(fitting, key=lambda r: (r.window.end - r.window.start, -len(r.filter), -r.requested_at.timestamp()))
    return best, ()


def _fault(request: ExportRequest, tally: Tally) -> str | None:
    """Why this log cannot be the answer to this request, None where it can."""
    seen = tally.hull
    # Whether the vendor counts the end in is not documented: an entry of that very instant is no contradiction.
    if seen and not (request.window.start <= seen.start and seen.end <= request.window.end + _INSTANT):
        return f"it holds entries of {span(seen)}, and {span(request.window)} was asked for"
    for name, met in (("operation_types", tally.activities), ("users", tally.actors)):
        wanted = request.filter.get(name)
        if wanted and not met <= set(wanted):
            return f"it holds other {name} than were asked for"
    return None


def _warnings(tally: Tally) -> tuple[str, ...]:
    if not tally.rejects or tally.unreadable:
        return ()
    files = f", {tally.unread} of them whole files or members," if tally.unread else ""
    lost = " A file breaks off: what should follow is not there." if tally.cut else ""
    said = f"{tally.rejects:,} of {tally.records:,} records{files} were rejected, the first because: {tally.reason}"
    return (f'{said}{lost} All of them: investigate sql "select * from rejects"',)


def _time(value: str | None) -> datetime | None:
    return parse_time(value) if value else None
