"""What a Sigma rule calls its log and its fields, and what this lake calls them.

A rule's `product` and `service` name a source; a field is a canonical column, else a path in the raw record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from investigate.events import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable

SERVICES: Final[dict[tuple[str, str], str]] = {
    ("aws", "cloudtrail"): "cloudtrail",
    ("github", "audit"): "github",
    ("okta", "okta"): "okta",
    ("gcp", "gcp.audit"): "gcp",
    ("google_workspace", "google_workspace"): "google_workspace",
    ("devrev", "audit"): "devrev",
    ("coderabbit", "audit"): "coderabbit",
}
"""Sigma's product and service to the profile of the same log; see Sigma's "Logsources" taxonomy."""

WORKSPACE: Final = "google_workspace"
"""The profile of Google's Reports API, whose records hold several events."""
_SHIPPED: Final = frozenset({"devrev", "coderabbit", "cloudtrail", WORKSPACE})
"""Sources whose profiles come with the program: of no column's name has the vendor a text of its own."""
_EVENT: Final = "protoPayload.metadata.event."
_OKTA_KEYS: Final = {
    key.lower(): key
    for key in (
        *("alternateId", "asNumber", "asOrg", "authenticationContext", "authenticationProvider"),
        *("authenticationStep", "authnRequestId", "changeDetails", "credentialProvider", "credentialType"),
        *("debugContext", "debugData", "detailEntry", "deviceFingerprint", "displayMessage", "displayName"),
        *("dtHash", "eventType", "externalSessionId", "factorIntent", "geographicalContext"),
        *("insertionTimestamp", "ipAddress", "ipChain", "isProxy", "legacyEventType", "logOnlySecurityData"),
        *("loginResult", "originalPrincipal", "postalCode", "proxyType", "rawUserAgent", "requestId"),
        *("requestUri", "rootSessionId", "securityContext", "threatSuspected", "userAgent", "userBehaviors"),
    )
}
"""Keys of Okta's System Log in its own spelling: public rules have some of them in lower case."""
_OKTA_FIELDS: Final = {
    "alternateid": ("actor", "alternateId"),
    "event_type": ("eventType",),
    "target.user.display.name": ("target", "displayName"),
}
"""What some public rules, written for collectors that rename fields, call those of the log."""


@dataclass(frozen=True)
class Column:
    """A canonical column."""

    name: str


@dataclass(frozen=True)
class Both:
    """A canonical column, and what the vendor calls the same: GitHub's `actor` is a name, the column may be an id."""

    name: str


@dataclass(frozen=True)
class Path:
    """A value in the raw record, key by key; lists on the way are gone through, any element counts."""

    keys: tuple[str, ...]

    @property
    def dotted(self) -> str:
        """The keys as one: a flattened log has it as a key."""
        return ".".join(self.keys)


@dataclass(frozen=True)
class Parameter:
    """A named parameter of Google's Reports API: `events[].parameters[name=…]`, in upper or lower case."""

    name: str


@dataclass(frozen=True)
class Service:
    """Google's application name as its audit logs in Cloud Logging have it: `admin` is `admin.googleapis.com`."""


Place = Column | Both | Path | Parameter | Service


def sources_of(product: str | None, service: str | None, known: Iterable[str]) -> list[str] | None:
    """Those of the lake's sources a rule's logsource means; None is all of them.

    Args:
        product: as the rule has it.
        service: likewise.
        known: the lake's sources.

    Returns:
        Sources by Sigma's taxonomy, else those called like the service, the product, or both. A rule that names
        neither is about any log.
    """
    if product is None and service is None:
        return None
    kind, of = (product or "").lower(), (service or "").lower()
    if kind == "gcp" and of.startswith(WORKSPACE):
        wanted = {WORKSPACE}
    elif (kind, of) in SERVICES:
        wanted = {SERVICES[kind, of], f"{kind}_{of}", f"{kind}.{of}"}
    else:
        wanted = {of, kind, f"{kind}_{of}", f"{kind}.{of}"} if of else {kind}
        wanted |= {source for (one, _), source in SERVICES.items() if one == kind and not of}
    return sorted(source for source in known if source.lower() in wanted)


def place_of(field: str, source: str) -> Place:
    """Where a field of a rule stands in the events of a source.

    Args:
        field: as the rule has it, with dots between keys; `[]` and `{}` behind a key say what is true anyway.
        source: the profile's name.
    """
    if source == WORKSPACE and (own := _workspace(field)) is not None:
        return own
    if field in COLUMNS:
        return Both(field) if source not in _SHIPPED and COLUMNS[field][0] == "string" else Column(field)
    keys = tuple(key.removesuffix("[]").removesuffix("{}") for key in field.split("."))
    return Path(_okta(keys) if source.lower().startswith("okta") else keys)


def _okta(keys: tuple[str, ...]) -> tuple[str, ...]:
    own = keys[1:] if keys[0] == "okta" and keys[1:] else keys
    return _OKTA_FIELDS.get(".".join(own).lower()) or tuple(_OKTA_KEYS.get(key, key) for key in own)


def _workspace(field: str) -> Place | None:
    """Fields of public rules for Google Workspace are those of Cloud Logging; the profile reads the Reports API."""
    if field in {"eventName", "protoPayload.metadata.event.eventName"}:
        return Column("action")
    if field in {"eventService", "protoPayload.serviceName"}:
        return Service()
    if field.startswith(_EVENT):
        return Parameter(field.removeprefix(_EVENT))
    return Parameter(field) if field not in COLUMNS and field.isidentifier() and field not in _REPORT_KEYS else None


_REPORT_KEYS: Final = frozenset({"kind", "id", "etag", "actor", "ownerDomain", "ipAddress", "networkInfo", "events"})
