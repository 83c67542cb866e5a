"""What an audit finds: `Finding`, one rule's matches by one identity, and the order of severities.

A finding is a claim; its events prove it, and each of them leads back to bytes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from investigate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

SEVERITIES: Final = ("informational", "low", "medium", "high", "critical")
"""Sigma's levels, mildest first."""
MOST_UIDS: Final = 1_000
"""The most event ids a finding carries; `events` has the full count."""

COLUMNS: Final = (
    *("rule_id", "title", "severity", "source", "tenant", "actor", "actor_name", "group", "events", "first", "last"),
    *("event_uids", "src_ips", "credentials", "actions", "resources", "description", "references", "tags"),
    *("falsepositives", "author", "rule_file", "fingerprint"),
)
"""The keys of a finding's row, in order."""


@dataclass(frozen=True)
class Finding:
    """What one rule found about one identity, or, of a correlation, about what its events share.

    Attributes:
        rule_id: the rule's id; where it has none, a digest of what it looks for.
        title: the rule's.
        severity: one of `SEVERITIES`.
        source: profile of the events; of several, joined by `, `.
        tenant: workspace, organisation or account; of several, joined by `, `.
        actor: the identity's key; empty where the events are of several identities.
        events: how many prove it.
        event_uids: their ids, earliest first, at most `MOST_UIDS`.
        first: time of the earliest, UTC.
        last: time of the latest, UTC.
        actor_name: as the log has it, empty where it has none.
        group: of a correlation, the fields its events share, with their values; empty of other rules.
        src_ips: from where, sorted, at most 50.
        credentials: with what, sorted, at most 50.
        actions: what was done, in the vendor's words, sorted, at most 50.
        resources: what was touched, sorted, at most 50.
        description: the rule's.
        references: the rule's, addresses.
        tags: the rule's, such as `attack.t1098`.
        falsepositives: what else may look like this, in the rule's words.
        author: of the rule.
        rule_file: name of the file the rule stands in, relative to where rules were looked for.
        places: source and tenant of each of `event_uids`; empty where that is not known.
        spread: all values of what is cut or joined above, by name (source, tenant, src_ip, credential), sorted; an
            empty text is that of events without one. What is not there is as above.
    """

    rule_id: str
    title: str
    severity: str
    source: str
    tenant: str
    actor: str
    events: int
    event_uids: tuple[str, ...]
    first: datetime
    last: datetime
    actor_name: str = ""
    group: tuple[tuple[str, str], ...] = ()
    src_ips: tuple[str, ...] = ()
    credentials: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    description: str = ""
    references: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    falsepositives: tuple[str, ...] = ()
    author: str = ""
    rule_file: str = ""
    places: tuple[tuple[str, str], ...] = ()
    spread: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    @property
    def fingerprint(self) -> str:
        """The same for the same rule and identity in every run: 32 hexadecimal digits."""
        key = [self.rule_id, self.source, self.tenant, self.actor, *map(list, self.group)]
        return hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]

    @property
    def identity(self) -> str:
        """Who or what it is about, for people: the actor, else what the events share, else nothing."""
        return self.actor or ", ".join(f"{name}={value}" for name, value in self.group)

    def as_row(self) -> dict[str, Any]:
        """The finding with the keys `COLUMNS`; `group` is an object, what has several values a list."""
        row = {name: getattr(self, name) for name in COLUMNS}
        row["group"] = dict(self.group)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in row.items()}


def rank(severity: str) -> int:
    """A severity's place in `SEVERITIES`.

    Raises:
        UsageError: it is none.
    """
    try:
        return SEVERITIES.index(severity)
    except ValueError:
        raise UsageError(f"{severity!r} is no severity.", f"Severities are {', '.join(SEVERITIES)}.") from None


def at_or_above(findings: Iterable[Finding], severity: str) -> list[Finding]:
    """The findings of this severity and those above, in their order.

    Raises:
        UsageError: there is no such severity.
    """
    least = rank(severity)
    return [finding for finding in findings if rank(finding.severity) >= least]


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """The gravest first; among equals the latest, then by rule and identity."""
    return sorted(
        findings, key=lambda one: (-rank(one.severity), -one.last.timestamp(), one.rule_id, one.identity, one.tenant)
    )
