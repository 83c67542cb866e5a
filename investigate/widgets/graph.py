"""`Graph`: how far it reaches from whoever was pointed at, through credentials and addresses to the objects; capped."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Final

from investigate.report.text import visible
from investigate.trace.graph import Node
from investigate.widgets.asking import call, ends
from investigate.widgets.chart import ChartView, inline, labels
from investigate.widgets.picked import LAKE
from investigate.widgets.ranking import ranked
from investigate.widgets.scope import QUESTION
from investigate.widgets.where import Where
from investigate.widgets.whom import Whom, named, whom

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from investigate.case.answer import Answer
    from investigate.widgets.scope import Chosen
    from investigate.widgets.whom import Meant

_DEPTH: Final = 2
MOST: Final = 60
"""Nodes that are drawn."""
_UNASKED: Final = 500_000
"""Events of a lake over which a graph is walked before anybody was chosen."""
_WIDTH: Final = 760
_HEIGHT: Final = 560
_CROWDED: Final = 24
_SHAPES: Final = {"actor": "circle", "credential": "diamond", "src_ip": "triangle-up", "resource": "square"}
_NAMES: Final = {"actor": "identity", "credential": "credential", "src_ip": "address", "resource": "object"}
_COLOURS: Final = ("#1976d2", "#b26a00", "#6a1b9a", "#2e7d32")
_POINTS: Final = {"actor": "identities", "credential": "credentials", "src_ip": "src_ips", "resource": "only"}


class Graph(ChartView):
    """Blast radius; see `View`."""

    title = "How far it reaches"
    follows = QUESTION | {"identities", "credentials", "src_ips"}
    columns = ("from", "to", "kind", "events", "first", "last")
    signals: ClassVar[tuple[str, ...]] = ("node",)
    label = "A graph of identities, credentials, addresses and objects, further out the more steps away."
    answer: Answer | None = None
    seeds: tuple[Meant, ...] = ()

    def ask(self, chosen: Chosen) -> None:
        """As `View` has it."""
        self.seeds = (*chosen.identities, *chosen.credentials, *chosen.src_ips)
        begun = "Begins at what was chosen."
        self.spec, self.rows, self.nodes = None, [], list[Node]()
        if not self.seeds and self.seat().count(LAKE, Where()) <= _UNASKED:
            self.seeds, begun = self._first(chosen), "Nobody was chosen: begins at the first of the ranking."
        if not self.seeds:
            self.note = "Choose an identity above: the graph begins there."
            return
        self.answer = self.desk.case.blast_radius(
            *_seeds(self.seeds),
            start=chosen.start,
            end=chosen.end,
            sources=chosen.sources,
            depth=_DEPTH,
            version=self.seat().version,
        )
        edges, places = self.answer.frame.to_dicts(), self.answer.tables["nodes"].to_dicts()
        if not places:
            self.note = f"{begun} Nothing of it is there in what was collected."
            return
        self.nodes = _nearest(places, edges)
        kept = set(self.nodes)
        drawn_edges = [one for one in edges if {_end(one, "from"), _end(one, "to")} <= kept]
        capped = len(places) > len(self.nodes)
        cap = (
            f" Capped: {len(self.nodes)} of {len(places):,} nodes are drawn, the nearest and busiest." if capped else ""
        )
        hubs = " ".join(f"{visible(note, 160)}." for note in list(dict.fromkeys(self.answer.notes))[:3])
        self.note = f"{begun} {len(places):,} nodes, {len(edges):,} links.{cap} {hubs}".strip()
        names = _readable(kept)
        self.rows = [_row(one, names) for one in drawn_edges]
        depths = {_node(one): one["depth"] for one in places}
        self.spec = drawn(self.nodes, depths, drawn_edges)

    def _first(self, chosen: Chosen) -> tuple[Meant, ...]:
        ranking = ranked(self, chosen)
        return () if ranking is None or ranking.frame.is_empty() else (whom(ranking.frame.row(0, named=True)),)

    def pointed(self, value: Mapping[str, Any]) -> None:
        """As `ChartView` has it: one node, by its number."""
        numbers = value.get("n")
        number = numbers[0] if isinstance(numbers, list) and numbers else None
        if not (isinstance(number, int) and 0 <= number < len(self.nodes)):
            return
        kind, name, source, tenant = self.nodes[number]
        if kind == "resource":
            self.desk.scope.change(only=name)
        else:
            self.desk.scope.point(**{_POINTS[kind]: [Whom(source, tenant, name) if kind == "actor" else name]})

    def code(self) -> str:
        """As `View` has it."""
        now = self.desk.scope.now
        if not self.seeds:
            return ""
        seeds = _seeds(self.seeds)
        asked = call("blast_radius", *seeds, **ends(now), sources=list(now.sources), depth=_DEPTH)
        exact = any(isinstance(one, Node) for one in seeds)
        return f"from investigate.trace.graph import Node\n\n{asked}" if exact else asked


def _seeds(chosen: Iterable[Meant]) -> list[str | Node]:
    """Where it begins: an identity by itself, a person by name."""
    return [
        one if isinstance(one, str) else Node("actor", one.actor, one.source, one.tenant) if one.source else one.actor
        for one in chosen
    ]


def drawn(nodes: list[Node], depths: Mapping[Node, int], edges: list[dict[str, Any]]) -> dict[str, Any]:
    """The graph as Vega-Lite: rings by distance, links as lines."""
    import altair as alt  # noqa: PLC0415 - of the extra `lab`

    places, names, whole = _rings(nodes, depths), _names(nodes), _readable(nodes)
    points = [
        {
            "n": number,
            "x": places[node][0],
            "y": places[node][1],
            "kind": _NAMES[node[0]],
            "label": names[node],
            "value": whole[node],
            "steps": depths[node],
        }
        for number, node in enumerate(nodes)
    ]
    lines = [
        {
            **dict(zip(("x", "y"), places[_end(one, "from")], strict=True)),
            **dict(zip(("x2", "y2"), places[_end(one, "to")], strict=True)),
            "events": one["events"],
        }
        for one in edges
    ]
    square = alt.Scale(domain=[-1.1, 1.1])
    x, y = alt.X("x:Q", axis=None, scale=square), alt.Y("y:Q", axis=None, scale=square)
    pick = alt.selection_point(name="node", fields=["n"])
    kinds = alt.Scale(domain=list(_NAMES.values()), range=list(_COLOURS))
    shapes = alt.Scale(domain=list(_NAMES.values()), range=list(_SHAPES.values()))
    links = alt.Chart(inline(lines)).mark_rule(color="#8888", strokeWidth=1).encode(x=x, y=y, x2="x2", y2="y2")
    base = alt.Chart(inline(points)).encode(x=x, y=y)
    dots = (
        base.mark_point(filled=True, size=130, opacity=1, cursor="pointer")
        .encode(
            color=alt.Color("kind:N", scale=kinds, title=None),
            shape=alt.Shape("kind:N", scale=shapes, title=None),
            tooltip=["value:N", "kind:N", "steps:Q"],
        )
        .add_params(pick)
    )
    words = base.mark_text(fontSize=10, limit=170, dx=9, align="left").encode(text="label:N")
    right = words.transform_filter(alt.datum.x >= 0)
    left = base.mark_text(fontSize=10, limit=170, dx=-9, align="right").encode(text="label:N")
    left = left.transform_filter(alt.datum.x < 0)
    return dict((links + dots + right + left).properties(width=_WIDTH, height=_HEIGHT).to_dict())


def _names(nodes: list[Node]) -> dict[Node, str]:
    found, actors = dict[Node, str](), _actors(nodes)
    for kind in _NAMES:
        own = {node: actors.get(node, node[1]) for node in nodes if node[0] == kind}
        short = labels(list(dict.fromkeys(own.values())))
        found |= {node: short[name] for node, name in own.items()}
    return found


def _readable(nodes: Iterable[Node]) -> dict[Node, str]:
    """What each is called in full, or nearly so."""
    ones = list(nodes)
    return {node: visible(node[1], 200) for node in ones} | _actors(ones, 200)


def _actors(nodes: Iterable[Node], limit: int | None = None) -> dict[Node, str]:
    """What identities are called, so that no two are called the same."""
    own = {node: Whom(node[2], node[3], node[1]) for node in nodes if node[0] == "actor"}
    names = named(own.values(), limit)
    return {node: names[who] for node, who in own.items()}


def _rings(nodes: list[Node], depths: Mapping[Node, int]) -> dict[Node, tuple[float, float]]:
    """A place for each: what is one step further lies one ring further out."""
    deepest = max((depths[node] for node in nodes), default=0) or 1
    found: dict[Node, tuple[float, float]] = {}
    for depth in sorted({depths[node] for node in nodes}):
        ring = [node for node in nodes if depths[node] == depth]
        radius = (depth / deepest) ** 0.7 if depth else 0.0 if len(ring) == 1 else 0.12
        for at, node in enumerate(sorted(ring)):
            angle = 2 * math.pi * (at + 0.25 * depth) / len(ring)
            across = 0.62 + 0.38 * (at % 2) if len(ring) > _CROWDED else 1  # so that names do not lie on each other
            found[node] = (round(radius * across * math.cos(angle), 4), round(radius * across * math.sin(angle), 4))
    return found


def _nearest(places: list[dict[str, Any]], edges: list[dict[str, Any]]) -> list[Node]:
    busy: dict[Node, int] = {}
    for one in edges:
        for end in ("from", "to"):
            busy[_end(one, end)] = busy.get(_end(one, end), 0) + one["events"]
    ordered = sorted(places, key=lambda one: (one["depth"], -busy.get(_node(one), 0), one["kind"], one["value"]))
    return [_node(one) for one in ordered[:MOST]]


def _node(one: Mapping[str, Any]) -> Node:
    return Node(one["kind"], one["value"], one["source"] or "", one["tenant"] or "")


def _end(one: Mapping[str, Any], end: str) -> Node:
    """An end of an edge; source and tenant of an edge are those of the actor that is one of its ends."""
    kind = one[f"{end}_kind"]
    return Node(kind, one[end], *((one["source"] or "", one["tenant"] or "") if kind == "actor" else ()))


def _row(one: Mapping[str, Any], names: Mapping[Node, str]) -> dict[str, Any]:
    from investigate.case.display import cell  # noqa: PLC0415

    kinds = f"{_NAMES[one['from_kind']]} → {_NAMES[one['to_kind']]}"
    shown = [names[_end(one, "from")], names[_end(one, "to")], kinds, f"{one['events']:,}"]
    return {"cells": [*shown, cell(one["first"]), cell(one["last"])]}
