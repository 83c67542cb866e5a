"""Where something occurs and how far it reaches: `pivot`, `search` and `blast_radius`, each a method of `Case`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from investigate.case.reading import Reading, listed
from investigate.errors import UsageError
from investigate.trace.scope import Scope
from investigate.trace.shape import tidy

if TYPE_CHECKING:
    from collections.abc import Sequence

    import narwhals as nw
    import polars as pl

    from investigate.case.answer import Answer
    from investigate.case.case import Case
    from investigate.events import TimeLike
    from investigate.trace.graph import Node, Reach

MOST_FOUND: Final = 1_000
MOST_PROOFS: Final = 5
HUB: Final = 10
NEAR: Final = ("actor", "actor_email", "actor_name", "credential", "resources", "src_ip")
_NEAR_SEEDS: Final = ("actor", "actor_email", "credential", "src_ip")


def pivot(
    case: Case,
    value: str,
    *,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    engine: str = "duckdb",
    version: int | None = None,
) -> Answer:
    """Where an identifier occurs, whatever it identifies, and with whom.

    Args:
        case: where to look.
        value: an actor, e-mail address, name, credential, resource, address, network (`192.0.2.0/24`), user agent,
            request id or event id; exact, but for addresses, which count however they are written, and the case of
            e-mail addresses. An address or network is looked for as an address, an actor and a resource.
        start: see `Window.of`; None is where the case's coverage begins.
        end: not included; None is where it ends.
        engine: `duckdb`, `polars`, `spark` or `spark=sc://host:port`; all give the same.
        version: of the lake, the newest where None.

    Returns:
        One row for each field, value and identity: `field` (actor, actor_email, actor_name, credential, resource,
        resource_name, src_ip, user_agent, request_uid, event_uid, in this order), `value` as it stands there, `actor`,
        `source`, `tenant` (string), `events` (int), `first`, `last` (timestamp[us, UTC]), and `aliases` where there
        are any.

    Raises:
        UsageError: nothing was named, or no such engine or version.
        BadTime: a window that cannot be meant.
    """
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    from investigate.trace import pivot as trace  # noqa: PLC0415 - the module has the method's name

    wanted = value.strip()
    if not wanted:
        raise UsageError("Nothing was named.", "Name an identifier as the events have it.")
    scope = Scope(case.window(start, end))
    assert scope.window is not None  # noqa: S101 - `window()` always gives one
    with Reading(case, engine, version) as reading:
        network = trace.network(wanted)
        if network:
            parts = _address(reading, scope, wanted, reading.addresses().inside(network))
        else:
            parts = [trace.pivot(reading.events, scope, wanted)]
        parts.append(trace.met(reading.touches(replace(scope, resources=(wanted,)), sharing=False), trace.RESOURCE))
        found = [tidy(frame) for part in parts for frame in reading.collect(part)]
        frame = trace.pivot_rows(pl.concat(found, how="vertical_relaxed"), reading.directory())
        near = reading.near([wanted], NEAR, scope) if frame.is_empty() else ()
        return reading.answer(frame, reading.coverage(scope.window), scope.window, suggestions=near)


def _address(reading: Reading, scope: Scope, wanted: str, inside: Sequence[str]) -> list[nw.LazyFrame[Any]]:
    """Where an address occurs, or one of a network: as an address, and as what somebody is called."""
    from investigate.trace import pivot as trace  # noqa: PLC0415 - the module has the method's name

    parts = [trace.met(reading.touches(replace(scope, src_ips=tuple(inside))), "src_ip")] if inside else []
    return [*parts, trace.met(reading.touches(replace(scope, actors=(wanted,))), "actor")]


def search(
    case: Case,
    text: str,
    *,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    most: int = MOST_FOUND,
    engine: str = "duckdb",
    version: int | None = None,
) -> Answer:
    """Events whose raw record holds a text. Reads every record of the window: a scan, which takes its time.

    Args:
        case: where to look.
        text: what to look for; upper and lower case of ASCII letters are equal; also as JSON would escape it.
        start: see `Window.of`; None is where the case's coverage begins.
        end: not included; None is where it ends.
        most: so many events at most, the first; a note says that there are more.
        engine: `duckdb`, `polars`, `spark` or `spark=sc://host:port`; all give the same.
        version: of the lake, the newest where None.

    Returns:
        In order of time: `time` (timestamp[us, UTC]), `event_uid`, `actor`, `source`, `tenant`, `action`, `resource`,
        `src_ip`, `raw`, `evidence` (string), `evidence_record` (int). Rejected records are not events: they are in
        the view `rejects`.

    Raises:
        UsageError: an empty text, or no such engine or version.
        BadTime: a window that cannot be meant.
    """
    from investigate.trace import pivot as trace  # noqa: PLC0415 - the module of the other method

    if not text:
        raise UsageError("Nothing was named.", "Name a text to look for.")
    if most < 1:
        raise UsageError("No event was asked for.", "Let most be 1 or more.")
    scope = Scope(case.window(start, end))
    assert scope.window is not None  # noqa: S101 - `window()` always gives one
    with Reading(case, engine, version) as reading:
        (found,) = reading.collect(trace.search_rows(trace.search(reading.events, scope, text), most))
        notes = ["a scan: every raw record of the window was read; rejected records were not"]
        if found.height > most:
            notes.append(f"cut after the first {most:,} events")
        return reading.answer(found.head(most), reading.coverage(scope.window), scope.window, notes=tuple(notes))


def blast_radius(
    case: Case,
    *seeds: str | Sequence[str] | Node,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    sources: str | Sequence[str] = (),
    depth: int = 2,
    hub: int = HUB,
    follow_hubs: bool = False,
    proofs: int = MOST_PROOFS,
    engine: str = "duckdb",
    version: int | None = None,
) -> Answer:
    """How far it reaches: from seeds through shared credentials (sessions are such) and addresses to the objects.

    Args:
        case: where to look.
        seeds: actors, by key or e-mail address, persons, credentials or addresses, singly or in lists; or a `Node`,
            of an actor in one source and tenant alone.
        start: see `Window.of`; None is where the case's coverage begins.
        end: not included; None is where it ends.
        sources: profile names, of which alone events count; empty: all.
        depth: steps from a seed, at least 1: an identity's credentials, addresses and objects are one step away, who
            shares those two.
        hub: an address or credential of more identities than these, or a bot, service or system of more credentials
            and addresses, is a hub: named, not followed. A seed is followed whatever it is.
        follow_hubs: whether to follow them all the same.
        proofs: ids of events an edge carries, the earliest.
        engine: `duckdb`, `polars`, `spark` or `spark=sc://host:port`; all give the same.
        version: of the lake, the newest where None.

    Returns:
        One row an edge, nearest first: `depth` (int), `from_kind`, `from`, `to_kind`, `to` (kinds are actor,
        credential, src_ip, resource), `source`, `tenant` (string, of the actor that is an end, else null), `events`
        (int, how many prove it), `first`, `last` (timestamp[us, UTC]), `event_uids` (list).

        `tables["nodes"]`: `depth` (int), `kind`, `value`, `source`, `tenant`, `person` (string), `hub` (bool),
        `shared` (int, by how many, of a hub), `followed` (bool). An object is reached from the nearest of what
        touched it; aliases of a person are reached together.

    Raises:
        UsageError: no seed, a depth, hub or proofs below 1, or no such engine or version.
        BadTime: a window that cannot be meant.
    """
    from investigate.trace import graph, radius  # noqa: PLC0415 - only needed here

    nodes = [one for one in seeds if isinstance(one, graph.Node)]
    names = listed(one for one in seeds if not isinstance(one, graph.Node))
    if not names and not nodes:
        raise UsageError("No seed was named.", "Name an actor, a credential or an address as the events have it.")
    if min(depth, hub, proofs) < 1:
        raise UsageError("Depth, hub and proofs are at least 1.", "For example depth=2.")
    scope = Scope(case.window(start, end), sources=listed([sources]))
    assert scope.window is not None  # noqa: S101 - `window()` always gives one
    with Reading(case, engine, version) as reading:
        directory = reading.directory()
        (links,) = reading.collect(radius.links(reading.actions(scope)))
        walked = graph.Graph(links.iter_rows(named=True), directory)
        begun = {name: walked.find(name, directory, reading.keys_of(name)) for name in names}
        there = [node for node in nodes if walked.has(node)]
        there += [node for found in begun.values() for node in found]
        reach = walked.spread(there, depth, hub, follow_hubs=follow_hubs)
        proven = _prove(reading, scope, links, reach, depth, proofs)
        near = reading.near([name for name, found in begun.items() if not found], _NEAR_SEEDS, scope, who=True)
        more: dict[str, Any] = {"suggestions": near, "tables": {"nodes": radius.node_rows(reach, directory)}}
        more["notes"] = tuple(
            f"{kind} {value} is shared by {shared:,}: a hub, {'followed' if node in reach.followed else 'not followed'}"
            for node, shared in sorted(reach.hubs.items())
            for kind, value in [node[:2]]
        )
        frame = radius.edge_rows(reach, proven, proofs)
        return reading.answer(frame, reading.coverage(scope.window, sources=scope.sources), scope.window, **more)


def _prove(reading: Reading, scope: Scope, links: pl.DataFrame, reach: Reach, depth: int, most: int) -> pl.DataFrame:
    """Add the objects to what was reached; the events that prove links and objects."""
    import narwhals as nw  # noqa: PLC0415 - heavy, like the engines themselves
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    from investigate.trace import graph, radius  # noqa: PLC0415

    empty = dict.fromkeys((*graph.LINK, "resource", "event_uid"), pl.String)
    proven = [pl.DataFrame(schema={**empty, "time": pl.Datetime("us", "UTC")})]
    parts = radius.around(scope, reach)
    lazy = (radius.objects(reading.touches(part, sharing=False)) for part in parts)
    touched = [frame for one in lazy for frame in reading.collect(one)]
    if touched:
        rows = pl.concat(touched, how="vertical_relaxed").unique([*graph.LINK, "resource"])
        graph.reach_objects(reach, rows.iter_rows(named=True), depth)
    for part in parts:
        many = int(part.having(nw.from_native(links))["events"].sum())
        events, rest = reading.few(part, radius.PROVING, many)
        proven += reading.collect(radius.link_proofs(events, rest, most), radius.object_proofs(events, rest, most))
    return pl.concat(proven, how="diagonal_relaxed").unique()
