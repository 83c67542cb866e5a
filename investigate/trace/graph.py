"""Identities, credentials and addresses as a graph, walked outwards from seeds, ring by ring."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from investigate.trace.shape import IDENTITY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from investigate.trace.people import Directory

LINK: Final = (*IDENTITY, "credential", "src_ip")
"""What events share: each distinct combination is one link between an identity, a credential and an address."""
KINDS: Final = ("actor", "credential", "src_ip", "resource")
MACHINES: Final = frozenset({"bot", "service", "system"})


class Node(NamedTuple):
    """A place in the graph: its kind, its value, and of an actor the source and tenant its key is valid in."""

    kind: str
    value: str
    source: str = ""
    tenant: str = ""


@dataclass
class Edge:
    """Two nodes that events share.

    Attributes:
        depth: how far out its far end lies.
        events: how many events prove it.
        first: the earliest of them, UTC.
        last: the latest.
        links: the combinations of `LINK` it is made of.
    """

    depth: int
    events: int
    first: datetime
    last: datetime
    links: set[tuple[Any, ...]] = field(default_factory=set)


@dataclass
class Reach:
    """What was reached.

    Attributes:
        depths: node to its distance from the nearest seed.
        edges: from node and to node to what proves it; an edge always leads further out.
        hubs: node to how many share it.
        followed: the nodes the walk went on from.
    """

    depths: dict[Node, int] = field(default_factory=dict)
    edges: dict[tuple[Node, Node], Edge] = field(default_factory=dict)
    hubs: dict[Node, int] = field(default_factory=dict)
    followed: set[Node] = field(default_factory=set)

    def add(self, near: Node, far: Node, depth: int, row: Mapping[str, Any]) -> None:
        """One more link, or object touched over a link, that proves an edge."""
        link = tuple(row[name] for name in LINK)
        edge = self.edges.setdefault((near, far), Edge(depth, 0, row["first"], row["last"]))
        if link not in edge.links:
            edge.links.add(link)
            edge.events += row["events"]
            edge.first, edge.last = min(edge.first, row["first"]), max(edge.last, row["last"])


class Graph:
    """Links, by the nodes they join.

    Args:
        rows: of `radius.links`.
        directory: which actors are one person.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]], directory: Directory) -> None:
        self._directory = directory
        self._around: dict[Node, list[Mapping[str, Any]]] = {}
        self._machines: set[Node] = set()
        for row in rows:
            for node in nodes_of(row):
                self._around.setdefault(node, []).append(row)
            if row["actor_type"] in MACHINES:
                self._machines.add(nodes_of(row)[0])
        persons: dict[str, list[Node]] = {}
        for node in self._around:
            if person := self._person(node):
                persons.setdefault(person, []).append(node)
        self._aliases = {node: members for members in persons.values() for node in members}

    def find(self, value: str, directory: Directory, more: Iterable[tuple[str, str]] = ()) -> list[Node]:
        """The nodes a value names: an actor, a person, a credential or an address; none where it occurs nowhere.

        Args:
            value: what is named.
            directory: who is who.
            more: source and actor of others it names, as an e-mail address does.
        """
        keys = {*directory.expand([value]), *more}
        found = []
        for node in self._around:
            if node.kind == "actor":
                if {(node.source, node.value), ("", node.value)} & keys:
                    found.append(node)
            elif node.value == value:
                found.append(node)
        return sorted(found)

    def has(self, node: Node) -> bool:
        """Whether a node is there."""
        return node in self._around

    def spread(self, seeds: Iterable[Node], depth: int, hub: int, *, follow_hubs: bool = False) -> Reach:
        """Walk outwards from seeds.

        Args:
            seeds: where to begin; they are followed whatever they are.
            depth: how many steps from a seed.
            hub: more identities than these at an address or a credential, or more addresses and credentials than these
                at a bot, a service or a system, make a hub.
            follow_hubs: whether to go on from hubs.
        """
        ring = sorted({alias for seed in seeds for alias in self._aliases.get(seed, [seed])})
        reach = Reach(depths=dict.fromkeys(ring, 0))
        for step in range(depth + 1):
            for node in ring:
                shared = self._shared(node)
                if shared > hub:
                    reach.hubs[node] = shared
            going = [node for node in ring if step == 0 or follow_hubs or node not in reach.hubs]
            if step == depth:
                break
            reach.followed.update(going)
            ring = self._next(going, reach, step + 1)
        return reach

    def _next(self, ring: Iterable[Node], reach: Reach, step: int) -> list[Node]:
        """Add the edges that lead outwards from a ring; the nodes of the next."""
        fresh: set[Node] = set()
        for node in ring:
            for row in self._around.get(node, []):
                for other in nodes_of(row):
                    if other != node and reach.depths.get(other, step) == step:
                        reach.add(node, other, step, row)
                        fresh.update(self._aliases.get(other, [other]))
        found = sorted(fresh - reach.depths.keys())
        reach.depths |= dict.fromkeys(found, step)
        return found

    def _shared(self, node: Node) -> int:
        """How many share a node: identities, where all aliases of a person are one; of a machine, what it used."""
        rows = self._around.get(node, [])
        if node.kind == "actor":
            return len({other for row in rows for other in nodes_of(row)[1:]}) if node in self._machines else 0
        return len({self._person(actor) or actor for actor in (nodes_of(row)[0] for row in rows)})

    def _person(self, node: Node) -> str | None:
        return self._directory.person(node.source, node.value) if node.kind == "actor" else None


def reach_objects(reach: Reach, rows: Iterable[Mapping[str, Any]], depth: int) -> None:
    """Add the objects touched over what was reached, each link's from the nearest of its nodes.

    Args:
        reach: of `Graph.spread`; changed.
        rows: of `radius.objects`.
        depth: how many steps from a seed.
    """
    for row in rows:
        near = [node for node in nodes_of(row) if node in reach.followed]
        if not near:
            continue
        origin = min(near, key=lambda node: (reach.depths[node], KINDS.index(node.kind)))
        step = reach.depths[origin] + 1
        if step <= depth:
            target = Node("resource", row["resource"])
            reach.add(origin, target, step, row)
            reach.depths[target] = min(step, reach.depths.get(target, step))


def nodes_of(row: Mapping[str, Any]) -> list[Node]:
    """The nodes a link joins: its actor, then its credential and its address where it has them."""
    found = [Node("actor", row["actor"], row["source"], row["tenant"])]
    return found + [Node(kind, row[kind]) for kind in ("credential", "src_ip") if row[kind] is not None]
