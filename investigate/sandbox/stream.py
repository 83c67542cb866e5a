"""The log as a stream: events in time order, in memory that does not grow with the size of the log.

Calls an hour follow the working hours of each office; the planted incident is merged in where its times fall.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from random import Random
from typing import Final, NamedTuple

from investigate.sandbox import catalogue, clock
from investigate.sandbox.catalogue import Office, Operation
from investigate.sandbox.world import Actor, Credential, Thing, World

_STATUSES: Final = (*[200] * 119, 400, 400, 403, 404, 404, 404, 409, 429, 500)
_BACK_TO_IT: Final = (0, 1, 2)  # three calls in eight
_SATURDAY: Final = 5
_UID_BITS: Final = 48
_UID_MASK: Final = (1 << _UID_BITS) - 1
_UID_STEP: Final = 0x9E3779B97F4B  # odd, so multiplying by it modulo 2**48 never gives two events the same id


class Event(NamedTuple):
    """One API call. `uid` is given by `events`; a plan leaves it empty."""

    micros: int
    actor: Actor | None
    credential: Credential | None
    address: str | None
    agent: str | None
    operation: Operation
    things: tuple[Thing, ...] = ()
    status: int = 200
    request: str | None = None
    uid: str = ""


def events(
    world: World,
    seed: int,
    window: tuple[int, int],
    count: int,
    planted: Sequence[Event] = (),
    avoid: frozenset[Thing] = frozenset(),
) -> Iterator[Event]:
    """Exactly `count` events over `window`, in time order.

    Args:
        world: Who acts on what.
        seed: The same seed, world, window and plan give the same events.
        window: First and last instant, both inclusive, microseconds since 1970 UTC.
        count: Events in all, the planted ones included.
        planted: Events that must be there, in time order.
        avoid: Objects only planted events may touch.
    """
    rng = Random(f"stream/{world.workspace.key}/{seed}")
    salt = rng.getrandbits(_UID_BITS)
    draw = _Draw(rng, _pools(world, rng, avoid))
    plan = iter(planted)
    coming = next(plan, None)
    schedule = _schedule(world, rng, window, count, [event.micros for event in planted])
    for position, (micros, caller) in enumerate(schedule):
        uid = f"evt_{(position * _UID_STEP + salt) & _UID_MASK:012x}"
        if caller is not None:
            yield draw.call(caller, micros, uid)
        elif coming is not None:
            yield coming._replace(uid=uid, request=f"{rng.getrandbits(64):016x}")
            coming = next(plan, None)


def at_work(office: Office, micros: int) -> float:
    """How likely someone of that office is at work at that instant, 0 to 1."""
    local = micros + int(office.utc_offset * clock.HOUR)
    share = catalogue.WORKING_HOURS[local // clock.HOUR % 24]
    return share * catalogue.WEEKEND if clock.weekday(local) >= _SATURDAY else share


def credential_of(actor: Actor, micros: int) -> Credential:
    """The credential an actor uses that day: people sign in anew, machines keep theirs."""
    return actor.credentials[(actor.number + micros // clock.DAY) % len(actor.credentials)]


def address_of(actor: Actor, micros: int) -> str | None:
    """Where an actor calls from that day: mostly the office, sometimes from home."""
    return actor.addresses[(actor.number * 5 + micros // clock.DAY * 7) % len(actor.addresses)]


def _pools(world: World, rng: Random, avoid: frozenset[Thing]) -> dict[str, list[Thing]]:
    pools = {}
    for kind, things in world.things.items():
        pool = [thing for thing in things if thing not in avoid]
        rng.shuffle(pool)  # what is popular must not be what has a low number
        pools[kind] = pool
    return pools


def _hours(world: World, window: tuple[int, int]) -> list[tuple[int, int, float]]:
    """Clock hours of the window, cut to it, each with the weight of its activity."""
    start, end = window
    machines = sum(actor.pace for actor in world.services + world.systems)
    paces: dict[Office, float] = {}
    for person in world.people:
        paces[person.office] = paces.get(person.office, 0.0) + person.pace
    hours = []
    for hour in range(start // clock.HOUR, end // clock.HOUR + 1):
        begin, finish = max(start, hour * clock.HOUR), min(end + 1, (hour + 1) * clock.HOUR)
        people = sum(pace * at_work(office, begin) for office, pace in paces.items())
        hours.append((begin, finish, (people + machines) * (finish - begin) / clock.HOUR))
    return hours


def _shares(weights: Iterable[float], count: int) -> list[int]:
    """`count` split by weight into whole numbers that sum to it."""
    sums = list(accumulate(weights))
    marks = [round(count * value / sums[-1]) for value in sums]
    return [mark - before for mark, before in zip(marks, [0, *marks], strict=False)]


def _schedule(
    world: World, rng: Random, window: tuple[int, int], count: int, planted: Sequence[int]
) -> Iterator[tuple[int, "_Caller | None"]]:
    """When, and who, in time order; None stands where the next planted event belongs."""
    callers: list[_Caller] = []
    today = -1
    hours = _hours(world, window)
    shares = _shares((weight for _, _, weight in hours), count - len(planted))
    coming = 0
    for (begin, finish, _), share in zip(hours, shares, strict=True):
        if begin // clock.DAY != today:
            today = begin // clock.DAY
            callers = [_Caller(one, credential_of(one, begin), address_of(one, begin)) for one in world.actors]
        awake = {office: at_work(office, begin) for office in catalogue.OFFICES}
        weights = [
            one.pace * (awake[one.office] if one.kind == "dev_user" else 1.0) for one, _credential, _address in callers
        ]
        length, draw = finish - begin, rng.random
        times = sorted([begin + int(draw() * length) for _ in range(share)])
        crowd: list[_Caller | None] = [*rng.choices(callers, cum_weights=list(accumulate(weights)), k=share)]
        passed = bisect_left(planted, finish, coming)
        for micros in planted[coming:passed]:
            position = bisect_right(times, micros)
            times.insert(position, micros)
            crowd.insert(position, None)
        coming = passed
        yield from zip(times, crowd, strict=True)


class _Caller(NamedTuple):
    """An actor with what it uses that day: one credential and one address."""

    actor: Actor
    credential: Credential
    address: str | None


class _Draw:
    """Makes up calls; an actor goes back to what it knows."""

    def __init__(self, rng: Random, pools: Mapping[str, Sequence[Thing]]) -> None:
        self._bits = rng.getrandbits
        self._random = rng.random
        self._pools = pools
        self._habits: dict[tuple[Actor, str], Thing] = {}

    def call(self, caller: _Caller, micros: int, uid: str) -> Event:
        """One call at that instant."""
        actor, credential, address = caller
        # One draw of 64 bits serves every choice below; it is also the request id.
        bits = self._bits(64)
        request = f"{bits:016x}" if bits >> 56 else None
        agent = actor.agents[(bits >> 40 & 0xFF) % len(actor.agents)]
        if not bits >> 28 & 0x1FF and actor.kind == "dev_user":
            # A failed sign-in: the vendor does not know who it was.
            return Event(micros, None, None, address, agent, catalogue.LOGIN, (), 401, request, uid)
        operation = actor.operations[(bits & 0xFFFF) * len(actor.operations) >> 16]
        things = self._things(actor, operation, bits >> 16) if operation.kind is not None else ()
        status = _STATUSES[bits >> 48 & 0x7F]
        return Event(micros, actor, credential, address, agent, operation, things, status, request, uid)

    def _things(self, actor: Actor, operation: Operation, bits: int) -> tuple[Thing, ...]:
        kind = operation.kind or ""
        habit = (actor, kind)
        known = self._habits.get(habit) if bits & 7 in _BACK_TO_IT else None
        if known is None:
            pool = self._pools[kind]
            known = self._habits[habit] = pool[int(self._random() ** 2 * len(pool))]
        if operation.second is None:
            return (known,)
        pool = self._pools[operation.second]
        others = 2 + (bits >> 3 & 0x1F) if operation.second == kind else 1
        drawn = [pool[int(self._random() * len(pool))] for _ in range(others)]
        return (known, *(thing for thing in dict.fromkeys(drawn) if thing is not known))
