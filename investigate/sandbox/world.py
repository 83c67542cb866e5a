"""An organisation: its people, service accounts and bots, and the objects they work on.

Built once from the seed and small whatever the size of the log; `stream.py` sets it in motion.
"""

from dataclasses import dataclass
from random import Random
from typing import Final

from investigate.sandbox import catalogue
from investigate.sandbox.catalogue import Office, Operation

_OBJECTS: Final = {
    "ticket": 4_800,
    "issue": 2_600,
    "account": 420,
    "conversation": 1_500,
    "article": 300,
    "opportunity": 350,
    "artifact": 2_000,
}
_DISPLAY: Final = {"ticket": "TKT", "issue": "ISS", "account": "ACC", "conversation": "CONV", "article": "ART"}


@dataclass(frozen=True, slots=True, eq=False)
class Workspace:
    """A DevRev organisation: `don` is how entries name it, `key` its last part, `slug` what people call it."""

    key: str
    slug: str
    name: str
    domain: str

    @property
    def don(self) -> str:
        """The workspace's own DON."""
        return f"don:identity:dvrv-us-1:devo/{self.key}"

    def identity(self, kind: str, number: int | str) -> str:
        """DON of a user (`devu`), service account (`svcacc`), system user (`sysu`) or token of the workspace."""
        return f"{self.don}:{kind}/{number}"

    def thing(self, kind: str, number: int) -> str:
        """DON of an object of the workspace."""
        return f"don:core:dvrv-us-1:devo/{self.key}:{kind}/{number}"


@dataclass(frozen=True, slots=True, eq=False)
class Credential:
    """What a call was made with; the id only, never a secret."""

    don: str
    kind: str


@dataclass(frozen=True, slots=True, eq=False)
class Thing:
    """Something that can be touched: a ticket, an account, a person's record."""

    don: str
    kind: str
    display: str
    title: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Actor:
    """Who can act, with what and from where.

    `pace` is how much, against the average; `addresses` and `agents` may hold None, for the log has gaps.
    """

    don: str
    number: int
    kind: str
    role: str
    name: str | None
    email: str | None
    office: Office
    pace: float
    operations: tuple[Operation, ...]
    addresses: tuple[str | None, ...]
    agents: tuple[str | None, ...]
    credentials: tuple[Credential, ...]


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """A workspace with everyone and everything in it."""

    workspace: Workspace
    people: tuple[Actor, ...]
    services: tuple[Actor, ...]
    systems: tuple[Actor, ...]
    things: dict[str, tuple[Thing, ...]]

    @property
    def actors(self) -> tuple[Actor, ...]:
        """Everyone who can act."""
        return self.people + self.services + self.systems

    def thing(self, kind: str, number: int) -> Thing:
        """The object of that kind and number; numbers start at 1."""
        return self.things[kind][number - 1]


def build(workspace: Workspace, seed: int, scale: float = 1.0) -> World:
    """The world of a workspace, the same for the same seed; `scale` 1.0 is an organisation of 260 people."""
    rng = Random(f"world/{workspace.key}/{seed}")
    people = tuple(_people(workspace, rng, scale))
    services = tuple(
        _machine(workspace, rng, "svcacc", number, name, pace)
        for number, (name, pace) in enumerate(catalogue.SERVICE_ACCOUNTS, start=1)
    )
    systems = tuple(
        _machine(workspace, rng, "sysu", number, name, pace)
        for number, (name, pace) in enumerate(catalogue.SYSTEM_USERS, start=1)
    )
    things = {
        kind: tuple(_things(workspace, rng, kind, max(1, int(count * scale)))) for kind, count in _OBJECTS.items()
    }
    things["devu"] = tuple(Thing(who.don, "dev_user", "DEVU-" + who.don.rsplit("/", 1)[1], who.name) for who in people)
    return World(workspace, people, services, systems, things)


def _people(workspace: Workspace, rng: Random, scale: float) -> list[Actor]:
    people: list[Actor] = []
    for role, count in catalogue.STAFF:
        for _ in range(max(1, round(count * scale))):
            people.append(_person(workspace, rng, len(people) + 1, role))
    return people


def _person(workspace: Workspace, rng: Random, number: int, role: str) -> Actor:
    given, family = rng.choice(catalogue.GIVEN_NAMES), rng.choice(catalogue.FAMILY_NAMES)
    name: str | None = f"{given} {family}"
    every = max(1, 216 // len(catalogue.HOSTILE_NAMES))
    if number % every == every - 1:
        name = catalogue.HOSTILE_NAMES[number // every % len(catalogue.HOSTILE_NAMES)]
    elif number % 61 == 0:  # an account whose profile was never filled in
        name = None
    (office,) = rng.choices(catalogue.OFFICES, [office.share for office in catalogue.OFFICES])
    home = f"192.0.2.{number % 250 + 1}" if number % 3 else f"2001:db8:{number:x}::{rng.randrange(1, 0xFFFF):x}"
    browser, other = rng.sample(catalogue.BROWSERS, 2)
    agents = [browser] * 29 + [other, other, catalogue.HOSTILE_AGENTS[number % 3] if number % 17 == 0 else None]
    mail = f"{_ascii(given)}.{_ascii(family)}{number}@{workspace.domain}"
    return Actor(
        don=workspace.identity("devu", number),
        number=number,
        kind="dev_user",
        role=role,
        name=name,
        email=mail.title() if number % 43 == 0 else mail,
        office=office,
        pace=rng.uniform(0.4, 1.8),
        operations=_expanded(role),
        addresses=(*(office.addresses * 12)[:12], *[home] * 4),
        agents=tuple(agents),
        credentials=tuple(_session(workspace, rng) for _ in range(6)),
    )


def _machine(workspace: Workspace, rng: Random, kind: str, number: int, name: str, pace: float) -> Actor:
    system = kind == "sysu"
    address = None if system else f"2001:db8:feed::{number:x}"
    agent = f"{name.lower().replace(' ', '-')}/{rng.randrange(1, 5)}.{rng.randrange(10)}"
    return Actor(
        don=workspace.identity(kind, number),
        number=number,
        kind="sys_user" if system else "service_account",
        role="system" if system else "service",
        name=name,
        email=None,
        office=catalogue.OFFICES[1],
        pace=pace,
        operations=_expanded("system" if system else "service"),
        addresses=(address,),
        agents=(None if system else agent,),
        credentials=(Credential(workspace.identity("token", _token(rng)), "internal" if system else "service"),),
    )


def _things(workspace: Workspace, rng: Random, kind: str, count: int) -> list[Thing]:
    found = []
    for number in range(1, count + 1):
        title: str | None = f"{rng.choice(catalogue.SUBJECTS)} ({rng.choice(catalogue.COMPANIES)})"
        if kind == "account":
            first, second = rng.sample(catalogue.COMPANIES, 2)
            title = f"{first} {second} {rng.choice(('GmbH', 'Inc', 'Ltd'))}"
        elif number % 97 == 0:
            title = catalogue.HOSTILE_TITLES[number // 97 % len(catalogue.HOSTILE_TITLES)]
        elif number % 53 == 0:
            title = None
        found.append(Thing(workspace.thing(kind, number), kind, f"{_DISPLAY.get(kind, kind.upper())}-{number}", title))
    return found


def _expanded(role: str) -> tuple[Operation, ...]:
    # Drawn from by index: one multiplication an event instead of a walk through weights.
    return tuple(operation for operation, weight in catalogue.ROLES[role] for _ in range(weight))


def _session(workspace: Workspace, rng: Random) -> Credential:
    return Credential(workspace.identity("token", _token(rng)), "session")


def _token(rng: Random) -> str:
    return f"{rng.getrandbits(60):015x}"


def _ascii(name: str) -> str:
    return "".join(letter for letter in name.lower() if "a" <= letter <= "z") or "user"
