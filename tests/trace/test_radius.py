"""Blast radius: all engines against a walk over plain events."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from investigate.trace import Directory, Scope, radius
from investigate.trace.graph import KINDS, MACHINES, Graph, Node, Reach, nodes_of, reach_objects
from investigate.trace.rows import of_actions, of_events

from .lakes import ENGINES, Event, directories, event, extent, few, lakes, on_every_engine, reading

MOST = 2


def ask(
    engine: str, events: list[Event], seed: str, depth: int, hub: int, directory: Directory, *, follow: bool = False
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Edges and nodes, as `Case.blast_radius` puts them together."""
    with reading(engine, events) as (frame, collect):
        (links,) = collect(radius.links(of_actions(frame, Scope())))
        graph = Graph(links.iter_rows(named=True), directory)
        reach = graph.spread(graph.find(seed, directory), depth, hub, follow_hubs=follow)
        parts = radius.around(Scope(), reach)
        lazy = [radius.objects(of_events(frame, part, sharing=False)) for part in parts]
        proofs = [radius.link_proofs(frame, part, MOST) for part in parts]
        proofs += [radius.object_proofs(frame, part, MOST) for part in parts]
        touched, proven = collect(*lazy), collect(*proofs)
    if not touched:
        return radius.edge_rows(Reach(), links.head(0).with_columns(resource=None, event_uid=None, time=None), 1), links
    rows = pl.concat(touched, how="vertical_relaxed").unique([*radius.LINK, "resource"])
    reach_objects(reach, rows.iter_rows(named=True), depth)
    known = pl.concat(proven, how="diagonal_relaxed").unique()
    return radius.edge_rows(reach, known, MOST), radius.node_rows(reach, directory)


def model(  # noqa: C901 - the whole walk in one view
    events: list[Event], seed: str, depth: int, hub: int, directory: Directory
) -> dict[Any, list[Event]]:
    """Edge to the events that prove it, walked over the events themselves."""
    wanted = set(directory.expand([seed]))
    everywhere = {node for one in events for node in nodes_of(one)}

    def same(node: Node) -> set[Node]:
        person = directory.person(node.source, node.value) if node.kind == "actor" else None
        others = {n for n in everywhere if n.kind == "actor" and directory.person(n.source, n.value) == person}
        return others if person else {node}

    def is_hub(node: Node) -> bool:
        met = [one for one in events if node in nodes_of(one)]
        if node.kind != "actor":
            return len({min(same(nodes_of(one)[0])) for one in met}) > hub
        machine = max(str(one["actor_type"]) for one in met) in MACHINES or any(
            max(o["actor_type"] for o in met if (o["credential"], o["src_ip"]) == (one["credential"], one["src_ip"]))
            in MACHINES
            for one in met
        )
        return machine and len({n for one in met for n in nodes_of(one)[1:]}) > hub

    begun = {
        node
        for node in everywhere
        if (node.kind == "actor" and {(node.source, node.value), ("", node.value)} & wanted)
        or (node.kind != "actor" and node.value == seed)
    }
    ring = {alias for node in begun for alias in same(node)}
    depths, followed, edges = dict.fromkeys(ring, 0), set[Node](), dict[Any, list[Event]]()
    for step in range(1, depth + 1):
        going = {node for node in ring if step == 1 or not is_hub(node)}
        followed |= going
        fresh = set()
        for one in events:
            for node in going & set(nodes_of(one)):
                for other in nodes_of(one):
                    if depths.get(other, step) == step and other != node:
                        edges.setdefault((step, node, other), []).append(one)
                        fresh |= same(other)
        ring = fresh - depths.keys()
        depths |= dict.fromkeys(ring, step)
    for one in events:
        near = [node for node in nodes_of(one) if node in followed]
        if near:
            origin = min(near, key=lambda node: (depths[node], KINDS.index(node.kind)))
            for name in dict.fromkeys(one["resources"]):
                edges.setdefault((depths[origin] + 1, origin, Node("resource", name)), []).append(one)
    return edges


@on_every_engine(
    lake=lakes,
    seed=few(["ann", "bob", "tok1", "192.0.2.1", "Ann Ash", "nobody"]),
    depth=few([1, 2, 3]),
    hub=few([1, 2, 10]),
    directory=directories,
)
def test_edges_and_their_proofs_on_every_engine(
    engine: str, lake: list[Event], seed: str, depth: int, hub: int, directory: Directory
) -> None:
    expected = {}
    for (step, near, far), proof in model(lake, seed, depth, hub, directory).items():
        actor = next((node for node in (near, far) if node.kind == "actor"), None)
        where = (actor.source, actor.tenant) if actor else (None, None)
        key = (step, near.kind, near.value, far.kind, far.value, *where)
        size = extent(proof)
        ordered = sorted((one["time"], one["event_uid"]) for one in proof)
        expected[key] = (size["events"], size["first"], size["last"], [uid for _, uid in ordered[:MOST]])
    edges, _ = ask(engine, lake, seed, depth, hub, directory)
    assert {row[:7]: row[7:] for row in edges.rows()} == expected
    assert edges.height == len(expected)


@pytest.mark.parametrize("engine", ENGINES)
def test_from_a_token_to_who_else_used_it_and_what_they_touched(engine: str) -> None:
    events = [
        event(0, actor="ann", credential="tok", src_ip="192.0.2.1", resources=["r1"]),
        event(1, actor="eve", credential="tok", src_ip="198.51.100.9", resources=["r2"]),
        event(2, actor="eve", credential="other", src_ip="198.51.100.9", resources=["r3"]),
        event(3, actor="far", credential="apart", src_ip="203.0.113.5", resources=["r4"]),
    ]
    edges, nodes = ask(engine, events, "tok", 2, 10, Directory())
    assert edges.filter(depth=1).select("to_kind", "to", "event_uids").rows() == [
        ("actor", "ann", ["e0"]),
        ("actor", "eve", ["e1"]),
        ("resource", "r1", ["e0"]),
        ("resource", "r2", ["e1"]),
        ("src_ip", "192.0.2.1", ["e0"]),
        ("src_ip", "198.51.100.9", ["e1"]),
    ]
    assert set(nodes.filter(depth=2)["value"]) == {"other", "r3"}
    assert "far" not in nodes["value"]


def test_an_address_shared_by_many_is_named_and_not_followed() -> None:
    events = [event(number, actor=f"user{number}", src_ip="192.0.2.1") for number in range(5)]
    _, nodes = ask("duckdb", events, "user0", 2, 3, Directory())
    assert nodes.filter(kind="src_ip").select("hub", "shared", "followed").rows() == [(True, 5, False)]
    assert nodes.filter(kind="actor")["value"].to_list() == ["user0"]
    _, asked = ask("duckdb", events, "user0", 2, 3, Directory(), follow=True)
    assert asked.filter(kind="actor").height == 5
    _, seeded = ask("duckdb", events, "192.0.2.1", 1, 3, Directory())
    assert seeded.filter(kind="actor").height == 5
