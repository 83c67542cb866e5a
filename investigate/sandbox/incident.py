"""The planted incident: a support engineer's leaked token, used from abroad at night, then an API key made and deleted.

Everything here is a plan of events; what they amount to (`truth.py`) is read from the finished stream, not from here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from investigate.sandbox import catalogue, clock, stream
from investigate.sandbox.catalogue import Operation
from investigate.sandbox.stream import Event
from investigate.sandbox.world import Actor, Credential, Thing, World

FOREIGN: Final = "203.0.113.77"  # no one else in the world calls from here
_TRIP: Final = "203.0.113.140"  # a colleague who travels: abroad, and innocent
_ATTACK_AGENT: Final = "python-requests/2.32.3"
_REPORT_AGENT: Final = "queue-report/2.0 python-requests/2.32.3"
_FAMOUS: Final = (471, 1_204)  # tickets with near misses: 47 and 4711, 120
_NEAR: Final = (("ticket", 47), ("ticket", 4_711), ("ticket", 120), ("account", 4), ("account", 412))
_ACCOUNT: Final = 41
_INSIDE, _OUTSIDE, _NEAR_PEOPLE = 9, 6, 5
_WEEKDAYS: Final = 5


@dataclass(frozen=True, slots=True)
class Incident:
    """A plan. Instants in microseconds since 1970 UTC; `window` is whole hours, half-open."""

    owner: Actor
    token: Credential
    window: tuple[int, int]
    key_made: int
    key_deleted: int
    things: frozenset[Thing]
    events: tuple[Event, ...]

    @property
    def story(self) -> str:
        """The lead an investigator is given."""
        begin, end = (clock.as_datetime(micros) for micros in self.window)
        return (
            f"A secret scanner found a DevRev personal access token in a public gist. "
            f"Its id in the audit log is {self.token.don}. The gist went up at about {begin:%H:%M} UTC on "
            f"{begin:%d %B %Y} and the token was revoked before {end:%H:%M} UTC. Which customer records did it reach, "
            f"who else touched those records in that time, and did whoever held it get any further?"
        )


def plan(world: World, seed: int, window: tuple[int, int]) -> Incident:
    """The incident of a world whose log covers `window`, three to nine days before its end.

    Args:
        world: The main workspace.
        seed: The same seed and window give the same incident.
        window: First and last instant of the log, microseconds since 1970 UTC.
    """
    rng = Random(f"incident/{seed}")
    day = _day(rng, window[1])
    begin = day + 3 * clock.HOUR + rng.randrange(5, 40) * clock.MINUTE
    finish = begin + rng.randrange(130, 165) * clock.MINUTE
    made = finish + rng.randrange(6, 16) * clock.MINUTE + rng.randrange(60_000) * 1_000
    deleted = made + rng.randrange(24, 41) * clock.MINUTE + rng.randrange(60_000) * 1_000
    asked = (begin // clock.HOUR * clock.HOUR - clock.HOUR, (deleted // clock.HOUR + 3) * clock.HOUR)
    owner = _owner(world, rng)
    token = Credential(world.workspace.identity("token", f"pat{rng.getrandbits(44):011x}"), "pat")
    targets = _targets(world, rng)
    queue = tuple(rng.sample([thing for thing in world.things["ticket"][1_300:4_000] if thing not in targets], 2))
    crowd = _Crowd(world, rng, owner)
    events = [
        *_attack(rng, owner, token, targets, (begin, finish)),
        *_queue_reports(owner, token, queue, window, rng),
        *_care(rng, crowd, targets + queue, window, asked),
        *_near_misses(rng, crowd, world, asked),
        *_trip(rng, crowd.traveller, world, day),
        *_last_minutes(rng, world, window[1]),
    ]
    events = sorted(
        (event for event in events if window[0] <= event.micros <= window[1]), key=lambda event: event.micros
    )
    return Incident(owner, token, asked, made, deleted, frozenset(targets + queue), tuple(events))


def _day(rng: Random, end: int) -> int:
    """Midnight UTC of a working day, Tuesday to Friday, so that the night before it is a working night too."""
    days = [(end // clock.DAY - back) * clock.DAY for back in range(4, 10)]
    return rng.choice([day for day in days if 1 <= clock.weekday(day) < _WEEKDAYS])


def _owner(world: World, rng: Random) -> Actor:
    """Someone in Austin, asleep while the token is used, whose name is theirs alone."""
    names = [person.name for person in world.people]
    return rng.choice(
        [
            person
            for person in world.people
            if person.role == "support"
            and person.office.city == "Austin"
            and person.name not in {None, *catalogue.HOSTILE_NAMES}
            and names.count(person.name) == 1
        ]
    )


def _targets(world: World, rng: Random) -> tuple[Thing, ...]:
    tickets = {number: world.thing("ticket", number) for number in (*_FAMOUS, *rng.sample(range(500, 1_200), 10))}
    accounts = [world.thing("account", number) for number in (_ACCOUNT, *rng.sample(range(100, 400), 3))]
    artifacts = rng.sample(world.things["artifact"], 3)
    conversations = rng.sample(world.things["conversation"], 2)
    return (*tickets.values(), *accounts, *artifacts, *conversations)


class _Crowd:
    """Who else is in the story: those with reasons, those near it, and one who travels."""

    def __init__(self, world: World, rng: Random, owner: Actor) -> None:
        staff = [
            person
            for person in world.people
            if person is not owner and person.role in {"support", "success", "finance"}
        ]
        east = [person for person in staff if person.office.city in {"Bengaluru", "Berlin"}]
        self.inside = rng.sample(east, _INSIDE)
        others = [person for person in staff if person not in self.inside]
        self.outside = rng.sample(others, _OUTSIDE)
        bystanders = [person for person in others if person not in self.outside]
        self.near = rng.sample(bystanders, _NEAR_PEOPLE)
        self.traveller = rng.choice([person for person in bystanders if person not in self.near])
        self.machines = (world.services[0], world.systems[1])


def _attack(
    rng: Random, owner: Actor, token: Credential, targets: Sequence[Thing], span: tuple[int, int]
) -> Iterator[Event]:
    """Lists, then record after record, as a script does, with pauses and an answer 429 now and then."""
    reads = list(_reads(targets))
    steps: list[tuple[Operation, tuple[Thing, ...]]] = [(catalogue.SELF, ()), (catalogue.WORKS_LIST, ())]
    for number, read in enumerate(reads):
        if number % 9 == 0:
            steps.append((rng.choice((catalogue.WORKS_LIST, catalogue.ACCOUNTS_LIST)), ()))
        steps.append(read)
    tickets = tuple(thing for thing in targets if thing.kind == "ticket")
    steps.append((catalogue.TICKETS_EXPORT, tuple(rng.sample(tickets, 5))))
    begin, finish = span
    moments = sorted(rng.sample(range(begin, finish), len(steps)))
    for (operation, things), micros in zip(steps, moments, strict=True):
        if rng.random() < 0.06:  # noqa: PLR2004 - turned away, and back a moment later
            yield Event(micros - 900_000, owner, token, FOREIGN, _ATTACK_AGENT, operation, things, 429)
        yield Event(micros, owner, token, FOREIGN, _ATTACK_AGENT, operation, things)


def _reads(things: Sequence[Thing]) -> Iterator[tuple[Operation, tuple[Thing, ...]]]:
    for thing in things:
        if thing.kind == "ticket":
            yield catalogue.TICKET_GET, (thing,)
            yield catalogue.TIMELINE_LIST, (thing,)
        elif thing.kind == "account":
            yield catalogue.ACCOUNT_GET, (thing,)
        elif thing.kind == "artifact":
            yield catalogue.ARTIFACT_LOCATE, (thing,)
        else:
            yield catalogue.CONVERSATION_GET, (thing,)


def _queue_reports(
    owner: Actor, token: Credential, queue: Sequence[Thing], window: tuple[int, int], rng: Random
) -> Iterator[Event]:
    """What the owner made the token for: a report at 20:20 in Austin after every working day, from the office."""
    for day in range(window[0] // clock.DAY, window[1] // clock.DAY + 1):
        micros = day * clock.DAY + 2 * clock.HOUR + 20 * clock.MINUTE + rng.randrange(30 * clock.SECOND)
        if 1 <= clock.weekday(micros) <= _WEEKDAYS:
            address = owner.office.addresses[0]
            yield Event(micros, owner, token, address, _REPORT_AGENT, catalogue.WORKS_LIST)
            for number, thing in enumerate(queue, start=1):
                later = micros + number * 700_000
                yield Event(later, owner, token, address, _REPORT_AGENT, catalogue.TICKET_GET, (thing,))


def _care(
    rng: Random, crowd: _Crowd, things: Sequence[Thing], window: tuple[int, int], asked: tuple[int, int]
) -> Iterator[Event]:
    """The people these objects are the work of: some come in the hours asked about, some only before or after."""
    for thing in things:
        for person in rng.sample(crowd.inside, 2):
            yield from _visits(rng, person, thing, window, rng.randrange(2, 5))
        for person in rng.sample(crowd.outside, 2):
            visits = _visits(rng, person, thing, window, rng.randrange(2, 5))
            yield from (event for event in visits if not asked[0] <= event.micros < asked[1])
    for person in crowd.inside:  # at least once each, late enough for Berlin to be at its desks
        for thing in rng.sample(things, rng.randrange(1, 3)):
            yield from _visit(
                rng, person, thing, rng.randrange(asked[1] - 100 * clock.MINUTE, asked[1] - 5 * clock.MINUTE)
            )
    for machine in crowd.machines:
        for thing in rng.sample([thing for thing in things if thing.kind == "ticket"], 3):
            yield _touch(machine, thing, catalogue.TICKET_UPDATE, rng.randrange(*asked))


def _visits(rng: Random, person: Actor, thing: Thing, window: tuple[int, int], count: int) -> Iterator[Event]:
    for _ in range(count):
        micros = rng.randrange(*window)
        while stream.at_work(person.office, micros) < 0.5:  # noqa: PLR2004 - within the hours most are at work
            micros = rng.randrange(*window)
        yield from _visit(rng, person, thing, micros)


def _visit(rng: Random, person: Actor, thing: Thing, micros: int) -> Iterator[Event]:
    """A person opens an object, and sometimes works on it."""
    steps = [operation for operation, _ in _reads([thing])]
    if thing.kind == "ticket" and rng.random() < 0.5:  # noqa: PLR2004 - half of the visits
        steps.append(rng.choice((catalogue.TIMELINE_CREATE, catalogue.TICKET_UPDATE)))
    for operation in steps:
        yield _touch(person, thing, operation, micros)
        micros += rng.randrange(2, 60) * clock.SECOND + rng.randrange(clock.SECOND)


def _touch(actor: Actor, thing: Thing, operation: Operation, micros: int) -> Event:
    credential, address = stream.credential_of(actor, micros), stream.address_of(actor, micros)
    return Event(micros, actor, credential, address, actor.agents[0], operation, (thing,))


def _near_misses(rng: Random, crowd: _Crowd, world: World, asked: tuple[int, int]) -> Iterator[Event]:
    """Objects whose ids contain those of the incident's, or are part of them, touched by others in the same hours."""
    for person, (kind, number) in zip(crowd.near, _NEAR, strict=True):
        yield from _visit(rng, person, world.thing(kind, number), rng.randrange(asked[0], asked[1] - clock.HOUR))


def _trip(rng: Random, traveller: Actor, world: World, day: int) -> Iterator[Event]:
    """An innocent foreign address: a colleague abroad, two days around the incident."""
    for _ in range(24):
        micros = day + rng.randrange(-12, 30) * clock.HOUR + rng.randrange(clock.HOUR)
        thing = world.thing("ticket", rng.randrange(1_400, 1_500))
        credential = stream.credential_of(traveller, micros)
        yield Event(micros, traveller, credential, _TRIP, traveller.agents[0], catalogue.TICKET_GET, (thing,))


def _last_minutes(rng: Random, world: World, end: int) -> Iterator[Event]:
    """Something younger than the vendor's ingestion delay, whatever the hour the log ends at."""
    for number in range(6):
        machine = world.services[number]
        thing = world.thing("ticket", rng.randrange(1_500, 1_600))
        yield _touch(machine, thing, catalogue.TICKET_UPDATE, end - number * 110 * clock.SECOND)
