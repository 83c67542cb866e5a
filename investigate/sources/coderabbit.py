"""CodeRabbit's audit log: a pull that is proven complete, or says which windows are not.

Facts are from CodeRabbit's API reference "GET /v1/audit-logs" (seeds/002_76e46fa884973481.txt) and vendors.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from investigate.errors import BadTime, UsageError
from investigate.events import Window
from investigate.sources.answers import Vendor
from investigate.sources.coderabbit_pages import paging
from investigate.sources.coderabbit_reader import PATH, Reader
from investigate.sources.http import Client
from investigate.sources.phrases import moment
from investigate.sources.received import Received, silent

if TYPE_CHECKING:
    import httpx
    from pydantic import SecretStr

    from investigate.config import CodeRabbitConfig, HttpConfig
    from investigate.evidence.store import EvidenceStore
    from investigate.sources.coderabbit_steps import Outcome
    from investigate.sources.received import Progress

MAX_VALUES: Final = 50
MAX_SEARCH: Final = 200
_ADMIN: Final = "Use an API key made by a member with the Admin role, on the Enterprise plan."
VENDOR: Final = Vendor(
    "CodeRabbit",
    {
        400: "Check the filters; the vendor does not know one of them.",
        401: "Set CODERABBIT_API_KEY to a valid key of the right region ([coderabbit] region in case.toml: us or eu).",
        403: _ADMIN,
        404: "Check [coderabbit] org_id in case.toml: no such organisation in this key's workspace.",
        "NOT_ADMIN": _ADMIN,
        "LEGACY_API_KEY": "Make a new, non-agentic API key in CodeRabbit's dashboard and set CODERABBIT_API_KEY to it.",
    },
)


@dataclass(frozen=True)
class CodeRabbitFilter:
    """What a pull is narrowed to; empty means everything.

    Attributes:
        search: part of the actor's name, case-insensitive, at most 200 characters.
        actions: action keys, at most 50.
        resource_types: resource type keys, at most 50.

    Raises:
        UsageError: too long, too many, or a value no key can be.
    """

    search: str | None = None
    actions: tuple[str, ...] = ()
    resource_types: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        search = (self.search or "").strip()
        if len(search) > MAX_SEARCH:
            raise UsageError(f"CodeRabbit searches for at most {MAX_SEARCH} characters.", "Shorten the search.")
        object.__setattr__(self, "search", search or None)
        for name in ("actions", "resource_types"):
            values = tuple(dict.fromkeys(str(value).strip() for value in getattr(self, name)))
            if len(values) > MAX_VALUES:
                raise UsageError(f"CodeRabbit takes at most {MAX_VALUES} {name}.", "Pull in several turns.")
            if any(not value or "," in value for value in values):
                raise UsageError(f"A blank value or one with a comma among {name}.", "Give each value by itself.")
            object.__setattr__(self, name, values)

    def as_params(self) -> dict[str, str]:
        """The filters that are set, by the vendor's names."""
        params = {
            "search": self.search or "",
            "actions": ",".join(self.actions),
            "resource_types": ",".join(self.resource_types),
        }
        return {name: value for name, value in params.items() if value}


@dataclass(frozen=True, kw_only=True)
class PullReceived(Received):
    """What a pull brought, and how much of its window is proven.

    Attributes:
        window: what was read: the window asked for, up to its youngest, unsettled part.
        complete: the parts of it in which no entry can be missing, in order.
        unproven: the other parts, in order.
        total: different entries received.
        rereads: readings that proved nothing and were followed by another.
    """

    window: Window
    complete: tuple[Window, ...]
    unproven: tuple[Window, ...]
    total: int
    rereads: int


@dataclass(frozen=True)
class Option:
    """A value to filter by, what the vendor calls it, and in how many entries it occurs."""

    value: str
    label: str
    count: int


@dataclass(frozen=True)
class FilterOptions:
    """The values that occur in the organisation's log."""

    actions: tuple[Option, ...]
    resource_types: tuple[Option, ...]


def client(
    config: CodeRabbitConfig, key: SecretStr, http: HttpConfig, *, transport: httpx.BaseTransport | None = None
) -> Client:
    """A client for CodeRabbit's API, in the region of `config`.

    Args:
        config: region or address.
        key: a non-agentic API key of an Admin.
        http: timeouts, retries, requests at once.
        transport: in place of the network.

    Raises:
        ConfigError: an address the key must not be sent to.
    """
    return Client(config.url, {"x-coderabbitai-api-key": key}, http, vendor=VENDOR, transport=transport)


def filter_options(client: Client, *, org_id: str | None = None) -> FilterOptions:
    """The actions and resource types that occur, from the vendor's `filter_options`.

    Args:
        client: of `client`.
        org_id: for workspace tokens, one organisation.

    Raises:
        VendorError: an error answered.
    """
    params: dict[str, str | int] = {"page": 1, "page_size": 1}
    if org_id:
        params["org_id"] = org_id
    data = client.request("GET", PATH, params=params).data
    options = data.get("filter_options") if isinstance(data, dict) else None
    found = options if isinstance(options, dict) else {}
    return FilterOptions(_options(found.get("actions")), _options(found.get("resource_types")))


def _options(values: object) -> tuple[Option, ...]:
    rows = [row for row in values if isinstance(row, dict) and "value" in row] if isinstance(values, list) else []
    return tuple(
        Option(
            str(row["value"]),
            str(row.get("label", row["value"])),
            count if isinstance(count := row.get("count"), int) else 0,
        )
        for row in rows
    )


def pull(
    client: Client,
    window: Window,
    filter: CodeRabbitFilter | None = None,  # noqa: A002 - the vendor's and the reader's word
    *,
    store: EvidenceStore,
    org_id: str | None = None,
    settle: float = 60,
    progress: Progress = silent,
    now: datetime | None = None,
) -> PullReceived:
    """Read the entries of `window` and keep the pages they came on, one file of gzipped JSON Lines, a page a line.

    A line is `{"request": {parameters}, "status": 200, "date": "…", "body": "…"}`; the body is the vendor's, byte for
    byte, as text, or as `body_base64` where it is not UTF-8. An entry may be on two of the pages.

    Args:
        client: of `client`.
        window: what to read, UTC.
        filter: what to narrow it to.
        store: where the evidence goes.
        org_id: for workspace tokens, one organisation.
        settle: seconds before now at which the window is cut off, so that pages hold still.
        progress: told of the pages read.
        now: the present, aware; None reads the clock.

    Raises:
        BadTime: nothing of the window has settled.
        VendorError: an error answered; nothing is kept then.
        TransferError: an answer that is no page.
    """
    pinned = _pinned(window, timedelta(seconds=settle), now or datetime.now(UTC))
    chosen = filter or CodeRabbitFilter()
    params = chosen.as_params() | ({"org_id": org_id} if org_id else {})
    name = f"coderabbit-{pinned.start:%Y%m%dT%H%M%SZ}-{pinned.end:%Y%m%dT%H%M%SZ}.jsonl.gz"
    with store.receive(name, ".jsonl.gz") as incoming, Reader(client, params, incoming, progress) as reader:
        outcome = reader.run(paging(pinned, batch=4 * client.config.connections))
        file = incoming.commit()
    return PullReceived(
        files=(file,),
        request={"method": "GET", "url": reader.url, "params": params | pinned.as_json()},
        response=reader.response,
        warnings=tuple(_warnings(outcome, window, pinned)),
        window=pinned,
        complete=tuple(pinned.minus(list(outcome.unproven))),
        unproven=outcome.unproven,
        total=outcome.total,
        rereads=outcome.rereads,
    )


def _pinned(window: Window, settle: timedelta, now: datetime) -> Window:
    """The settled part of `window`: it ends before now, at a whole second, so that no arrival shifts its pages."""
    end = min(window.end, (now - settle).astimezone(UTC).replace(microsecond=0))
    if end <= window.start:
        raise BadTime(
            f"Nothing between {moment(window.start)} and {moment(window.end)} has settled yet.",
            f"Pull again {int(settle.total_seconds())} s after the window's start.",
        )
    return Window(window.start, end)


def _warnings(outcome: Outcome, window: Window, pinned: Window) -> list[str]:
    warnings = []
    if pinned.end < window.end:
        warnings.append(f"The window was read up to {pinned.end:%Y-%m-%d %H:%M:%S} UTC; what is younger still moves.")
    if outcome.unproven:
        warnings.append(
            f"{len(outcome.unproven)} part(s) of the window are not proven complete, from {outcome.unproven[0]} on: "
            f"{outcome.fault}."
        )
    if outcome.outside:
        warnings.append(f"{outcome.outside} entries lie outside the time asked for; they are kept.")
    if outcome.alike:
        warnings.append(f"{outcome.alike} entries differ from another in nothing but their id.")
    return warnings
