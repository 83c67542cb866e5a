"""Where every export stands, and what a pasted link is: for the people who wait for the one and hold the other."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from pydantic import SecretStr

from investigate.errors import LinkExpired
from investigate.journal import ExportRequest, RequestState
from investigate.sources.devrev import EXPECTED, LINK_LIFE, TROUBLESHOOTING
from investigate.sources.link import Link
from investigate.sources.phrases import moment, span

if TYPE_CHECKING:
    from investigate.case.case import Case

_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WORKSPACE: Final = re.compile(r"\bdevo[=/:-]([0-9A-Za-z]{4,40})(?![0-9A-Za-z])")
_A_SECOND: Final = timedelta(seconds=1)
"""A signature's time is in whole seconds."""
_LOOK: Final = "Updates (the bell), under Important or Others"


@dataclass(frozen=True)
class Standing:
    """How one export stands.

    Attributes:
        request: as the journal keeps it.
        age: since it was asked for.
        expires_at: until when its link lives, UTC; None without a link, and once it is collected.
        next: what to do, one sentence.
        steps: the vendor's troubleshooting, once it has taken too long; each a sentence.
        again: whether asking for it again is what helps.
    """

    request: ExportRequest
    age: timedelta
    expires_at: datetime | None
    next: str
    steps: tuple[str, ...] = ()
    again: bool = False


@dataclass(frozen=True)
class Offer:
    """A link that may be followed now.

    Attributes:
        link: with its secret query.
        request: the request it answers, None where only the times inside the log can tell.
        candidates: the open requests it may answer, newest first.
        workspace: DevRev's id of the workspace, where the link's path names it; empty where it does not.
    """

    link: Link
    request: ExportRequest | None
    candidates: tuple[ExportRequest, ...]
    workspace: str

    def lines(self, now: datetime) -> list[str]:
        """Whose it is and until when it lives, a sentence each.

        Args:
            now: the present, aware.
        """
        link = self.link
        said = [f"Valid for another {span(link.expires_at - now)}, until {moment(link.expires_at)}."]
        owner = f"of workspace {self.workspace}, " if self.workspace else ""
        signed = f", signed {moment(link.signed_at)}" if link.signed_at else ""
        said.append(f"File {link.name}, {owner}at {link.host}{signed}.")
        if self.request:
            said.append(f"It answers request {self.request.id}.")
        elif self.candidates:
            said.append(f"Which of {len(self.candidates)} open requests it answers, the times inside will tell.")
        else:
            said.append("No open request of this case could have led to it: it will count only for what it holds.")
        return said


def standings(case: Case, *, now: datetime | None = None) -> list[Standing]:
    """Every export of a case, newest first.

    Args:
        case: whose journal.
        now: the present, aware; None reads the clock.
    """
    present = now or datetime.now(UTC)
    return [_standing(request, present) for request, _ in case.devrev.exports(now=present)]


def _standing(request: ExportRequest, now: datetime) -> Standing:
    age, dies = now - request.requested_at, request.link_expires_at
    if request.state is RequestState.collected:
        return Standing(request, age, None, "Nothing: it is collected.")
    if request.state is RequestState.failed:
        return Standing(request, age, None, f"It failed: {request.note or 'no reason was given.'}", again=True)
    if request.state is RequestState.expired or (dies is not None and dies <= now):
        died = f" at {moment(dies)}" if dies else ""
        return Standing(request, age, None, f"The link died{died}. Request the export again.", again=True)
    if dies is not None:
        halted = "If no download is under way, paste the link again: it goes on where it stopped."
        return Standing(request, age, dies, halted if request.state is RequestState.downloading else "Download it.")
    return _waiting(request, age)


def _waiting(request: ExportRequest, age: timedelta) -> Standing:
    """One that has no link yet."""
    if age < EXPECTED:
        return Standing(request, age, None, f"Wait for the notification in DevRev: {_LOOK}. Paste its link below.")
    if age > LINK_LIFE:
        said = f"No link for {span(age)}; one that came at once is dead by now. Request the export again."
        return Standing(request, age, None, said, TROUBLESHOOTING, again=True)
    return Standing(request, age, None, f"No link after {span(age)}. Go through these in order:", TROUBLESHOOTING)


def due(standing: Standing) -> datetime | None:
    """When what is said of an export will next change by the passing of time alone, UTC; None if it will not."""
    if standing.expires_at is not None:
        return standing.expires_at
    if standing.request.state is not RequestState.requested or standing.again:
        return None
    return standing.request.requested_at + (EXPECTED if standing.age < EXPECTED else LINK_LIFE + _A_SECOND)


def offer(case: Case, link: str, *, request: str | None = None, now: datetime | None = None) -> Offer:
    """What a pasted link is; the request it answers, where that is certain, is noted to have one.

    Args:
        case: whose requests it may answer, and whose `case.toml` says what hosts are allowed.
        link: as pasted.
        request: id of the request it answers; None takes the only one it can answer, if it is the only one.
        now: the present, aware; None reads the clock.

    Raises:
        LinkExpired: with the time it died; the request, where certain, is noted as expired.
        LinkRefused: no presigned link, or of a scheme or host that is not allowed.
    """
    pasted = SecretStr(link)
    del link  # a traceback that shows variables shows this frame
    present = now or datetime.now(UTC)
    found = Link.parse(
        pasted.get_secret_value(), now=_LONG_AGO, allowed_hosts=case.config.devrev.link_hosts
    )  # whether it is alive is asked below, when it is known what it answers
    candidates = _candidates(case, found)
    known = case.journal.request(request) if request else candidates[0] if len(candidates) == 1 else None
    is_open = known is not None and known.state is not RequestState.collected
    try:
        found.require_alive(present, known.window if known else None)
    except LinkExpired:
        if known and is_open:
            case.journal.update_request(known.id, state=RequestState.expired, link_expires_at=found.expires_at)
        raise
    if known and is_open:
        known = case.journal.update_request(
            known.id, state=RequestState.linked, link_expires_at=found.expires_at, link_name=found.address
        )
    return Offer(found, known, tuple(candidates), _workspace(found))


def _candidates(case: Case, link: Link) -> list[ExportRequest]:
    """The open requests that were made before the link was signed."""
    return [
        one
        for one in case.journal.requests()
        if one.state is not RequestState.collected
        and (link.signed_at is None or one.requested_at <= link.signed_at + _A_SECOND)
    ]


def _workspace(link: Link) -> str:
    found = _WORKSPACE.search(unquote(link.path))
    return found[1] if found else ""
