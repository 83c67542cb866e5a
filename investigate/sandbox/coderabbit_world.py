"""CodeRabbit's side of the world: what an organisation's people and bots do to its settings over the same 30 days.

The people are DevRev's, under the same display names; CodeRabbit gives its actors no id.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Final, NamedTuple

from investigate.sandbox import catalogue, clock, incident, stream
from investigate.sandbox.incident import Incident
from investigate.sandbox.world import Actor, World

_BOT: Final = "coderabbitai[bot]"
_SYSTEM: Final = "System"
_REPOSITORIES: Final = ("billing-api", "web", "mobile", "infra", "data-jobs", "docs", "search", "auth", "sdk-python")
_TIMES_DRAWN: Final = 4


class Kind(NamedTuple):
    """An action: its key, label, the resource it is about, how often."""

    action: str
    label: str
    resource: str
    resource_label: str
    weight: int


KINDS: Final = (
    Kind("repository_create", "Repository added", "repository", "Repository", 18),
    Kind("repository_delete", "Repository removed", "repository", "Repository", 6),
    Kind("api_key_create", "API key created", "api_key", "API Key", 2),
    Kind("api_key_delete", "API key deleted", "api_key", "API Key", 2),
    Kind("seat_assign", "Seat assigned", "seat", "Seat", 30),
    Kind("seat_unassign", "Seat unassigned", "seat", "Seat", 18),
    Kind("subscription_update", "Subscription updated", "subscription", "Subscription", 2),
    Kind("configuration_update", "Configuration updated", "configuration", "Configuration", 26),
    Kind("user_role_update", "User role changed", "user_role", "User Role", 8),
    Kind("organization_update", "Organization updated", "organization", "Organization", 2),
)
LABELS: Final = {kind.action: kind.label for kind in KINDS}
RESOURCE_LABELS: Final = {kind.resource: kind.resource_label for kind in KINDS}
_MADE, _DELETED = KINDS[2], KINDS[3]


@dataclass(frozen=True, slots=True)
class Member:
    """Someone CodeRabbit knows. `subtitle` is the role."""

    name: str
    subtitle: str
    address: str | None
    person: Actor | None = None

    def shown(self) -> dict[str, Any]:
        """The actor of an entry."""
        picture = f"https://avatars.example/{_number_of(self.name)}" if self.person is not None else None
        return {
            "name": self.name,
            "subtitle": self.subtitle,
            "isBot": self.subtitle == "Bot",
            "avatarUrl": picture,
        }


def _number_of(text: str) -> int:
    """A number made of a text, the same in every process."""
    return Random(text).getrandbits(32)


def members(world: World, seed: int, owner: Actor | None) -> tuple[Member, ...]:
    """Who acts in CodeRabbit: engineers, those who run it, the bot, the system; last, the leaked token's owner."""
    rng = Random(f"coderabbit/members/{world.workspace.key}/{seed}")
    found = [Member(_BOT, "Bot", None), Member(_SYSTEM, "System", None)]
    for person in world.people:
        if person.role not in {"engineering", "operations"} or person.name is None:
            continue
        role = "Admin" if person.role == "operations" else "Billing Admin" if rng.random() < 0.04 else "Member"  # noqa: PLR2004 - few
        found.append(Member(person.name, role, person.addresses[0], person))
    if owner is not None:
        found.append(Member(owner.name or "", "Admin", owner.addresses[0], owner))
    return tuple(found)


class Entry(NamedTuple):
    """One entry. `micros` since 1970 UTC, whole milliseconds as the vendor shows them; `body` without relativeTime."""

    micros: int
    action: str
    resource: str
    actor: str
    body: dict[str, Any]

    @property
    def uid(self) -> str:
        """The vendor's id."""
        return str(self.body["id"])


class Maker:
    """Makes entries up, with ids of its own."""

    def __init__(self, people: tuple[Member, ...], seed: str) -> None:
        self.people = people
        self._rng = Random(seed)
        self._weights = [6.0, 1.5] + [4.0 if who.subtitle != "Member" else 1.0 for who in people[2:]]

    def entry(self, micros: int) -> Entry:
        """An entry at about that instant, by someone who is then at work."""
        rng = self._rng
        for _ in range(_TIMES_DRAWN):
            (member,) = rng.choices(self.people, self._weights)
            if member.person is None or rng.random() < stream.at_work(member.person.office, micros):
                break
        else:
            member = self.people[1]
        (kind,) = rng.choices(KINDS, [kind.weight for kind in KINDS])
        return self.made(member, kind, micros, self._address(member, micros))

    def made(self, member: Member, kind: Kind, micros: int, address: str | None, name: str | None = None) -> Entry:
        """An entry of that kind, about something called `name` (None: something drawn)."""
        micros -= micros % 1_000
        summary, metadata = self._resource(kind, name)
        uid = f"{self._rng.getrandbits(32):08x}-{self._rng.getrandbits(16):04x}-4{self._rng.getrandbits(12):03x}"
        uid += f"-a{self._rng.getrandbits(12):03x}-{self._rng.getrandbits(48):012x}"
        body = {
            "id": uid,
            "action": kind.action,
            "actionLabel": kind.label,
            "resourceType": kind.resource,
            "resourceTypeLabel": kind.resource_label,
            "resourceSummary": summary,
            "actor": member.shown(),
            "metadata": metadata,
            "ipAddress": address,
            "createdAt": clock.iso(micros, "milliseconds"),
        }
        return Entry(micros, kind.action, kind.resource, member.name, body)

    def _address(self, member: Member, micros: int) -> str | None:
        return None if member.person is None else stream.address_of(member.person, micros)

    def _resource(self, kind: Kind, name: str | None) -> tuple[str, dict[str, Any]]:
        rng = self._rng
        if kind.resource == "repository":
            full = f"meridian/{name or rng.choice(_REPOSITORIES)}"
            return full, {"repository": full, "provider": "github", "private": rng.random() < 0.9}  # noqa: PLR2004
        if kind.resource == "api_key":
            label = name or rng.choice(("ci", "reporting", "terraform", "backstage", catalogue.HOSTILE_TITLES[1]))
            return f"API key “{label}”", {"key_name": label, "key_prefix": f"cr-{rng.getrandbits(24):06x}"}
        if kind.resource in {"seat", "user_role"}:
            member = rng.choice(self.people[2:])
            change = {"from": "Member", "to": "Admin"} if kind.resource == "user_role" else None
            return member.name, {"user": member.name, "change": change}
        if kind.resource == "configuration":
            return "reviews.profile", {"path": "reviews.profile", "before": "chill", "after": "assertive"}
        if kind.resource == "subscription":
            return "Enterprise", {"seats": rng.randrange(80, 130)}
        return "Meridian Logistics", {}


def entries(maker: Maker, seed: str, window: tuple[int, int], count: int) -> Iterator[Entry]:
    """Ordinary entries over the window, in time order; some share their instant, as changes made in one go do."""
    rng = Random(seed)
    times: list[int] = []
    while len(times) < count:
        micros = rng.randrange(window[0], window[1] + 1)
        at_once = rng.randrange(3, 40) if rng.random() < 0.01 else 1  # noqa: PLR2004 - a bulk change of seats
        times += [micros] * min(at_once, count - len(times))
    return (maker.entry(micros) for micros in sorted(times))


def planted(maker: Maker, found: Incident) -> tuple[Entry, Entry]:
    """The API key made and deleted, from the attacker's address, under the name of the leaked token's owner."""
    owner = maker.people[-1]
    return (
        maker.made(owner, _MADE, found.key_made, incident.FOREIGN, "sync-backup"),
        maker.made(owner, _DELETED, found.key_deleted, incident.FOREIGN, "sync-backup"),
    )
