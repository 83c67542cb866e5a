"""Blast radius: from an identity, a credential or an address outwards, through what events share, to the objects.

An engine gives the distinct links once; they are few beside the events, and the graph is walked over them afterwards.
A session is a credential here: the canonical event keeps the token, key or session used in one column.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw

from investigate.trace.graph import LINK, Node
from investigate.trace.shape import distinct

if TYPE_CHECKING:
    import polars as pl

    from investigate.trace.graph import Reach
    from investigate.trace.people import Directory
    from investigate.trace.scope import Scope

EDGE_COLUMNS: Final = (
    *("depth", "from_kind", "from", "to_kind", "to", "source", "tenant"),
    *("events", "first", "last", "event_uids"),
)
PROVING: Final = (*LINK, "resource", "resources", "event_uid", "time")
"""The columns of events that proofs are made of."""
NODE_COLUMNS: Final = ("depth", "kind", "value", "source", "tenant", "person", "hub", "shared", "followed")


def links(touches: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """The distinct combinations of `LINK`: `actor_type` (string), `events` (int), `first`, `last` (timestamp).

    Args:
        touches: see `rows`; each event's `share` is in one of them.
    """
    return touches.group_by(*LINK).agg(
        nw.col("actor_type").max(), nw.col("share").sum().alias("events"), nw.col("first").min(), nw.col("last").max()
    )


def objects(touches: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """What was touched over each link: one row for each combination of `LINK` and `resource`, as `links` has them."""
    return (
        touches.filter(~nw.col("resource").is_null())
        .group_by(*LINK, "resource")
        .agg(nw.col("events").sum(), nw.col("first").min(), nw.col("last").max())
    )


def link_proofs(events: nw.LazyFrame[Any], scope: Scope, most: int) -> nw.LazyFrame[Any]:
    """The earliest events of each link, at most so many: the columns of `LINK`, `event_uid` and `time`."""
    return _earliest(scope.narrow(events).select(*LINK, "event_uid", "time"), LINK, most)


def object_proofs(events: nw.LazyFrame[Any], scope: Scope, most: int) -> nw.LazyFrame[Any]:
    """The earliest events of each link and `resource`, at most so many, as `link_proofs` has them."""
    rows = scope.select(events).filter(~nw.col("touched").is_null()).rename({"resource": "main", "touched": "resource"})
    keys = (*LINK, "resource")
    return _earliest(distinct(rows, *keys, "event_uid", "time"), keys, most)


def around(scope: Scope, reach: Reach) -> tuple[Scope, ...]:
    """Scopes that together hold every event over a node the walk went on from: one for each kind of node there is."""
    by_kind: dict[str, list[Node]] = {}
    for node in sorted(reach.followed):
        by_kind.setdefault(node.kind, []).append(node)
    found = []
    if actors := by_kind.get("actor"):
        found.append(replace(scope, keys=tuple(sorted({(node.source, node.value) for node in actors}))))
    if credentials := by_kind.get("credential"):
        found.append(replace(scope, credentials=tuple(node.value for node in credentials)))
    if addresses := by_kind.get("src_ip"):
        found.append(replace(scope, src_ips=tuple(node.value for node in addresses)))
    return tuple(found)


def edge_rows(reach: Reach, proofs: pl.DataFrame, most: int) -> pl.DataFrame:
    """Every edge, nearest first, with the events that prove it.

    Args:
        reach: with its objects.
        proofs: collected from `link_proofs` and, with its `resource`, from `object_proofs`.
        most: event ids an edge carries.

    Returns:
        The columns of `EDGE_COLUMNS`: `depth`, `events` (int), `from_kind`, `from`, `to_kind`, `to` (string; kinds are
        actor, credential, src_ip, resource), `source` and `tenant` (string, of the actor that is one of its ends, else
        null), `first`, `last` (timestamp[us, UTC]), `event_uids` (list of string, the earliest; `events` says how many
        there are).
    """
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    known: dict[tuple[Any, ...], list[tuple[Any, str]]] = {}
    for *key, uid, time in proofs.select(*LINK, "resource", "event_uid", "time").iter_rows():
        known.setdefault(tuple(key), []).append((time, uid))
    rows = []
    for (near, far), edge in reach.edges.items():
        touched = far.value if far.kind == "resource" else None
        proven = sorted(one for link in edge.links for one in known.get((*link, touched), ()))
        actor = next((node for node in (near, far) if node.kind == "actor"), None)
        where = (actor.source, actor.tenant) if actor else (None, None)
        ends = (near.kind, near.value, far.kind, far.value)
        told = (edge.events, edge.first, edge.last, [uid for _, uid in proven[:most]])
        rows.append((edge.depth, *ends, *where, *told))
    moment, text, count = pl.Datetime("us", "UTC"), pl.String(), pl.Int64()
    schema: dict[str, pl.DataType] = dict.fromkeys(EDGE_COLUMNS, text)
    schema |= {"depth": count, "events": count, "first": moment, "last": moment, "event_uids": pl.List(pl.String)}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    order = ("from_kind", "from", "to_kind", "to", "source", "tenant")
    return frame.sort("depth", -pl.col("events"), *order)


def node_rows(reach: Reach, directory: Directory) -> pl.DataFrame:
    """Every node, nearest first.

    Returns:
        The columns of `NODE_COLUMNS`: `depth` (int), `kind`, `value`, `source`, `tenant`, `person` (string, null where
        they do not apply), `hub` (bool), `shared` (int, by how many; null for what is no hub), `followed` (bool).
    """
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    rows = []
    for node, depth in reach.depths.items():
        person = directory.person(node.source, node.value) if node.kind == "actor" else None
        where = (node.source or None, node.tenant or None, person)
        hub = node in reach.hubs
        rows.append((depth, node.kind, node.value, *where, hub, reach.hubs.get(node), node in reach.followed))
    text, count, flag = pl.String(), pl.Int64(), pl.Boolean()
    schema: dict[str, pl.DataType] = dict.fromkeys(NODE_COLUMNS, text)
    schema |= {"depth": count, "hub": flag, "shared": count, "followed": flag}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("depth", "kind", "value", "source", "tenant")


def _earliest(once: nw.LazyFrame[Any], keys: tuple[str, ...], most: int) -> nw.LazyFrame[Any]:
    number = nw.col("event_uid").cum_count().over(*keys, order_by=("time", "event_uid")).alias("number")
    return once.with_columns(number).filter(nw.col("number") <= most).drop("number")
