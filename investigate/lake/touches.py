"""`touches`: one row for all that an identity did alike to one object on a day; what it is made of, and its orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    import pyarrow as pa

KEY: Final = (
    *("date", "source", "tenant", "actor", "resource", "action", "activity", "src_ip", "credential", "outcome"),
)
"""What tells one row from another."""

_TYPES: Final = {
    "date": "date",
    **dict.fromkeys(("events", "main", "several", "span"), "int"),
    **dict.fromkeys(("first", "last"), "timestamp"),
}
"""Of the columns that are no strings."""

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
OF_EVENTS: Final = (*(name for name in KEY if name != "resource"), "resources", *_NAMES, "time")
"""Columns of the events that say all of this."""
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
    def kinds(self) -> dict[str, str]:
        """The columns of its files, and of each whether it is a date, an int, a timestamp or a string."""
        return {name: _TYPES.get(name, "string") for name in self.columns}

    def schema(self) -> pa.Schema:
        """Of its files."""
        import pyarrow as pa  # noqa: PLC0415 - a tenth of a second that a look-up does without

        types = {"date": pa.date32(), "int": pa.int64(), "timestamp": pa.timestamp("us", "UTC"), "string": pa.string()}
        return pa.schema([pa.field(name, types[kind]) for name, kind in self.kinds.items()])

    @property
    def last(self) -> str:
        """What `last` is, of the columns of its files."""
        return "last" if "last" in self.columns else "first + to_microseconds(span)"


BY_RESOURCE: Final = Order("touches", "resource", ("resource", "first", "actor"), 2**13, tuple(COLUMNS))
BY_ACTOR: Final = Order("touches_by_actor", "actor", ("actor", "resource", "first"), 2**15, _WITH_SPAN)
BY_SRC_IP: Final = Order("touches_by_src_ip", "src_ip", ("src_ip", "actor", "resource", "first"), 2**15, _WITH_SPAN)
ORDERS: Final = (BY_RESOURCE, BY_ACTOR, BY_SRC_IP)


def nothing() -> pl.DataFrame:
    """No rows of `touches`."""
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    types = {"date": pl.Date(), "int": pl.Int64(), "timestamp": pl.Datetime("us", "UTC"), "string": pl.String()}
    return pl.DataFrame(schema={name: types[_TYPES.get(name, "string")] for name in COLUMNS})


def of_events(view: str) -> str:
    """The query that sums the events of a view up, of whose columns it reads `OF_EVENTS`."""
    read = ", ".join(OF_EVENTS)
    # Most events name one object or none: what several need is worked out for those alone.
    named = "list_filter(resources, lambda one: one IS NOT NULL)"
    return f"""
        WITH counted AS (SELECT {read}, coalesce(len(resources), 0) AS size FROM {view}),
        named AS (SELECT * EXCLUDE (resources),
            CASE size WHEN 0 THEN [NULL] WHEN 1 THEN resources ELSE
                CASE len({named}) WHEN 0 THEN [NULL] ELSE list_distinct({named}) END END AS named,
            CASE WHEN size < 2 THEN resources[1] ELSE ({named})[1] END AS chief FROM counted),
        spread AS (SELECT * EXCLUDE (named), len(named) > 1 AS several, unnest(named) AS resource FROM named),
        told AS (SELECT *, resource IS NOT DISTINCT FROM chief AS main FROM spread)
        SELECT {", ".join(KEY)},
            count(*) AS events,
            count(*) FILTER (main) AS main,
            count(*) FILTER (several) AS several,
            min(time) AS first, max(time) AS last, {", ".join(f"max({name}) AS {name}" for name in _NAMES)}
        FROM told GROUP BY ALL"""


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
