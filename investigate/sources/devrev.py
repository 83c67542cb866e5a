"""DevRev's audit log: exports are asked for here; the link comes to a person, and no API says how a job stands.

Facts are from DevRev's support document "Audit logs" (seeds/000_7efd665d45a1220a.txt) and its API reference for
`audit-logs.fetch` (vendors.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from investigate.errors import BadTime, UsageError
from investigate.events import ACTIVITIES, Window, iso
from investigate.sources.answers import Vendor
from investigate.sources.http import Client
from investigate.sources.phrases import devrev_request, moment, span
from investigate.sources.received import kept_headers

if TYPE_CHECKING:
    import httpx
    from pydantic import SecretStr

    from investigate.config import DevRevConfig, HttpConfig

INGESTION_DELAY: Final = timedelta(minutes=15)
"""New activity takes 10 to 15 minutes before it can be exported."""
LINK_LIFE: Final = timedelta(hours=8)
EXPECTED: Final = timedelta(minutes=15)
"""A job often takes a few minutes; without a link after this, something else is wrong."""
STATES: Final = ("requested", "linked", "downloading", "collected", "expired", "failed")
MAX_REQUESTS: Final = 1000

_TOO_MANY: Final = 429
_PATH: Final = "/audit-logs.fetch"
_ADMIN: Final = "Use the Personal Access Token of a member of the Admins group (DevRev: Settings > User groups)."
VENDOR: Final = Vendor(
    "DevRev",
    {
        401: "Set DEVREV_TOKEN to a Personal Access Token that is valid: it is missing, wrong or expired.",
        403: _ADMIN,
        404: "Check [devrev] base_url in case.toml; the usual address is https://api.devrev.ai.",
        400: "Check the time range and the filters of the request.",
        "sent": "An export may have been started: wait 15 minutes for its notification before asking again.",
    },
)
TROUBLESHOOTING: Final = (
    "Open Updates (the bell) in DevRev and look under Important and under Others.",
    "The link goes to the administrator whose token asked for the export, to nobody else.",
    "In DevRev's notification settings, see that the DevRev Bot channel is enabled and not muted.",
    "On the Computer SKU the notification service blocks these notifications: contact DevRev support.",
    "A large range or a busy system takes longer: ask for shorter ranges with --split.",
)
"""What DevRev's support document says for "no notification is received", in the order to try."""


@dataclass(frozen=True)
class ExportFilter:
    """What an export is narrowed to; empty means everything.

    Attributes:
        categories: the vendor's words.
        operation_types: of create, read, update, delete, other.
        users: the vendor's ids of users.

    Raises:
        UsageError: an unknown operation type, or a blank value.
    """

    categories: tuple[str, ...] = ()
    operation_types: tuple[str, ...] = ()
    users: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("categories", "operation_types", "users"):
            values = tuple(dict.fromkeys(str(value).strip() for value in getattr(self, name)))
            if "" in values:
                raise UsageError(f"A blank value among {name}.", "Leave the filter out to get everything.")
            object.__setattr__(self, name, values)
        lowered = tuple(dict.fromkeys(value.lower() for value in self.operation_types))
        unknown = [value for value in lowered if value not in ACTIVITIES]
        if unknown:
            raise UsageError(f"Not an operation type: {unknown[0]!r}.", f"Choose of {', '.join(ACTIVITIES)}.")
        object.__setattr__(self, "operation_types", lowered)

    def as_json(self) -> dict[str, list[str]]:
        """The filters that are set, by the vendor's names."""
        values = {"categories": self.categories, "operation_types": self.operation_types, "users": self.users}
        return {name: list(chosen) for name, chosen in values.items() if chosen}


@dataclass(frozen=True)
class Requested:
    """An export DevRev has accepted.

    Attributes:
        window: what was asked for, UTC.
        filter: what it was narrowed to.
        requested_at: UTC.
        request: method, address and body, for the ledger.
        response: the response headers worth keeping.
        warnings: one sentence each.
    """

    window: Window
    filter: ExportFilter
    requested_at: datetime
    request: dict[str, object]
    response: dict[str, str]
    warnings: tuple[str, ...]


def client(
    config: DevRevConfig, token: SecretStr, http: HttpConfig, *, transport: httpx.BaseTransport | None = None
) -> Client:
    """A client for DevRev's API.

    Args:
        config: the address.
        token: a Personal Access Token of an administrator.
        http: timeouts and retries.
        transport: in place of the network.

    Raises:
        ConfigError: an address the token must not be sent to.
    """
    # `SecretStr(…)` of a formatted string: the header never exists as a variable that a traceback could show.
    headers = {"Authorization": type(token)(f"Bearer {token.get_secret_value()}")}
    return Client(config.base_url, headers, http, vendor=VENDOR, transport=transport)


def plan(window: Window, *, split: timedelta | None = None) -> list[Window]:
    """The windows to ask for, in order; together they are `window`, and they share no instant.

    Args:
        window: what is wanted, UTC.
        split: the length of each; None asks for all at once.

    Raises:
        UsageError: an empty window, a length that is none, or more than a thousand requests.
    """
    if window.start == window.end:
        raise BadTime(f"The window {window} is empty.", "Give an end after the start.")
    if split is None:
        return [window]
    if split <= timedelta(0):
        raise UsageError("Exports are split into spans longer than nothing.", "Write a span such as 1d or 12h.")
    if (window.end - window.start) / split > MAX_REQUESTS:
        raise UsageError(f"That would be more than {MAX_REQUESTS} exports.", "Split into longer spans.")
    windows, at = [], window.start
    while window.end - at > split:
        windows.append(Window(at, at + split))
        at += split
    return [*windows, Window(at, window.end)]


def warnings_for(window: Window, now: datetime) -> tuple[str, ...]:
    """What a person should know before asking for `window`.

    Args:
        window: UTC.
        now: the present, aware.
    """
    ready = window.end + INGESTION_DELAY
    if window.end > now:
        warning = f"The window ends in the future: what happens after {moment(now)} needs another export."
    elif ready > now:
        warning = (
            f"The window reaches into DevRev's ingestion delay of {span(INGESTION_DELAY)}: its last entries may be "
            f"missing. Ask again for the end of the range after {moment(ready)}."
        )
    else:
        return ()
    return (warning,)


def request_export(client: Client, window: Window, filter: ExportFilter, *, now: datetime | None = None) -> Requested:  # noqa: A002 - the vendor's and the reader's word
    """Ask DevRev for an export; the link goes to the administrator whose token this is.

    Whether DevRev counts `to` in is not documented. It is sent as it stands: counted in, an entry of that very
    instant comes twice and is stored once; not counted in, nothing is missing. Less would risk a gap.

    Args:
        client: of `client`.
        window: what to export, UTC.
        filter: what to narrow it to.
        now: the present, aware; None reads the clock.

    Raises:
        BadTime: an empty window, or one that starts in the future.
        VendorError: DevRev does not accept the request; after a broken connection a job may have been started all
            the same, and the hint says so.
    """
    present = (now or datetime.now(UTC)).astimezone(UTC)
    plan(window)
    if window.start >= present:
        raise BadTime(f"The window starts in the future ({iso(window.start)}).", "Nothing can be in it yet.")
    body = {"from": iso(window.start), "to": iso(window.end), **filter.as_json()}
    answer = client.request("POST", _PATH, json=body, repeatable=False)
    warnings = warnings_for(window, present)
    if any(status != _TOO_MANY for status in answer.earlier):
        failed = ", ".join(str(status) for status in answer.earlier)
        warnings += (f"DevRev answered {failed} before it accepted: more than one notification may come.",)
    method, _, address = answer.request.partition(" ")
    return Requested(
        window=window,
        filter=filter,
        requested_at=present,
        request={"method": method, "url": address, "body": body},
        response=kept_headers(answer.headers),
        warnings=warnings,
    )


def advice(
    state: str,
    requested_at: datetime,
    link_expires_at: datetime | None,
    now: datetime,
    window: Window | None = None,
) -> str:
    """What to do next about an export.

    Args:
        state: one of `STATES`.
        requested_at: UTC.
        link_expires_at: UTC; None while there is no link.
        now: the present, aware.
        window: what was asked for.
    """
    again = f"ask again: {devrev_request(window)}"
    if state == "collected":
        return "Nothing: it is collected."
    if state == "failed":
        return f"It failed; {again}"
    if state == "expired" or (link_expires_at is not None and now >= link_expires_at):
        died = f" at {moment(link_expires_at)}" if link_expires_at else ""
        return f"The link died{died}; {again}"
    if link_expires_at is not None:
        left = span(link_expires_at - now)
        verb = "Collect it once more: the download goes on" if state == "downloading" else "Collect it"
        return f"{verb}, the link lives for another {left}: investigate devrev collect URL"
    return _without_link(now - requested_at, again)


def _without_link(age: timedelta, again: str) -> str:
    if age < EXPECTED:
        return (
            "Wait for the notification: Updates (the bell) in DevRev, under Important or Others; then: "
            "investigate devrev collect URL"
        )
    steps = " ".join(f"({number}) {step}" for number, step in enumerate(TROUBLESHOOTING, 1))
    if age > LINK_LIFE:
        return f"No link for {span(age)}; one that came at once is dead by now, so {again} — {steps}"
    return f"No link after {span(age)}: {steps}"
