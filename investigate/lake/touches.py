"""`touches`: one row for all that an identity did alike to one object on a day; what it is made of, and its orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY: Final = (
    *("date", "source", "tenant", "actor", "resource", "action", "activity", "src_ip", "credential", "outcome"),
)
"""What tells one row from another."""

_MOMENT = pa.timestamp("us", "UTC")
_TYPES: Final = {
    **dict.fromkeys(KEY, pa.string()),
    "date": pa.date32(),
    **dict.fromkeys(("events", "main", "several", "span"), pa.int64()),
    **dict.fromkeys(("first", "last"), _MOMENT),
    **dict.fromkeys(("actor_name", "actor_email", "actor_type"), pa.string()),
}

COLUMNS: Final = {
    "date": "UTC day of the events",
    "source": "profile name",
    "tenant": "workspace, organisation or account",
    "actor": "who",
    "resource": "what was touched: a row for each one an event names, and one with null for an event that names none",
    "action": "the vendor's own word",
    "activity": "create, read, update, delete, other",
    "src_ip": "from where",
    "credential": "with what",
    "outcome": "success, failure, unknown",
    "events": "how many events",
    "main": "for how many of them the resource is the first one named, or none is: summed, every event once",
    "several": "how many of them name more than one resource: where it is 0, no event is in two rows",
    "first": "when the earliest of them happened",
    "last": "when the latest of them happened",
    "actor_name": "as given, the last in alphabetical order where they differ",
    "actor_email": "the same",
    "actor_type": "the same: user, bot, service, system, unknown",
}
"""Columns of `touches` and what they mean."""

_NAMES: Final = ("actor_name", "actor_email", "actor_type")
_WITH_SPAN: Final = (
    *("source", "tenant", "actor", "resource", "action", "activity", "src_ip", "credential", "outcome"),
    *("events", "main", "several", "first", "span"),
    *_NAMES,
)


@dataclass(frozen=True)
class Order:
    """The rows of `touches` in one order, a Delta table of its own.

    Attributes:
        name: of the table, below the lake's root.
        lead: the column that is looked up in it.
        sort: what the rows of a file, and the files of a run, are sorted by.
        group: rows of a row group: what a look-up reads at least.
        columns: how they are kept. All but `touches` itself leave `date` out, which `first` tells, and have `span`,
            microseconds from `first` to `last`, in place of `last`: mostly zero, and then next to nothing on disk.
    """

    name: str
    lead: str
    sort: tuple[str, ...]
    group: int
    columns: tuple[str, ...]

    @property
    def schema(self) -> pa.Schema:
        """Of its files."""
        return pa.schema([pa.field(name, _TYPES[name]) for name in self.columns])

    @property
    def last(self) -> str:
        """What `last` is, of the columns of its files."""
        return "last" if "last" in self.columns else "first + to_microseconds(span)"


BY_RESOURCE: Final = Order("touches", "resource", ("resource", "first", "actor"), 2**14, tuple(COLUMNS))
BY_ACTOR: Final = Order("touches_by_actor", "actor", ("actor", "resource", "first"), 2**16, _WITH_SPAN)
BY_SRC_IP: Final = Order("touches_by_src_ip", "src_ip", ("src_ip", "actor", "resource", "first"), 2**16, _WITH_SPAN)
ORDERS: Final = (BY_RESOURCE, BY_ACTOR, BY_SRC_IP)


def of_events(view: str) -> str:
    """The query that sums the events of a view up."""
    return f"""
        WITH named AS (
            SELECT * EXCLUDE (resource), list_filter(resources, lambda one: one IS NOT NULL) AS named FROM {view}),
        spread AS (
            SELECT *, named[1] AS chief, unnest(CASE len(named) WHEN 0 THEN [NULL] WHEN 1 THEN named
                ELSE list_distinct(named) END) AS resource
            FROM (SELECT * REPLACE (coalesce(named, []) AS named) FROM named))
        SELECT {", ".join(KEY)},
            count(*) AS events,
            count(*) FILTER (resource IS NOT DISTINCT FROM chief) AS main,
            count(*) FILTER (len(list_distinct(named)) > 1) AS several,
            min(time) AS first, max(time) AS last, {", ".join(f"max({name}) AS {name}" for name in _NAMES)}
        FROM spread GROUP BY ALL"""


def summed(parts: Sequence[str]) -> str:
    """The query that sums some queries over rows of `touches` up to such rows."""
    return f"""
        SELECT {", ".join(KEY)}, sum(events)::BIGINT AS events, sum(main)::BIGINT AS main,
            sum(several)::BIGINT AS several, min(first) AS first, max(last) AS last,
            {", ".join(f"max({name}) AS {name}" for name in _NAMES)}
        FROM ({" UNION ALL ".join(parts)}) GROUP BY ALL"""


def kept(order: Order) -> str:
    """The columns of an order, selected from rows of `touches`."""
    told = {"span": "epoch_us(last) - epoch_us(first) AS span"}
    return ", ".join(told.get(name, name) for name in order.columns)


def read(order: Order) -> str:
    """The columns of `touches`, selected from the files of an order."""
    told = {"date": "first::DATE AS date", "last": f"{order.last} AS last"}
    missing = set(COLUMNS) - set(order.columns)
    return ", ".join(told[name] if name in missing else name for name in COLUMNS)
