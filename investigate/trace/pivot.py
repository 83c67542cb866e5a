"""Where an identifier occurs, whatever it identifies; and text in raw records, which is a scan."""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw

from investigate.trace.shape import IDENTITY, fold, tidy

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import polars as pl

    from investigate.trace.people import Directory
    from investigate.trace.scope import Scope

FIELDS: Final = (
    *("actor", "actor_email", "actor_name", "credential", "resource", "resource_name"),
    *("src_ip", "user_agent", "request_uid", "event_uid"),
)
"""Where identifiers stand, in the order of the answer; `resource` is any an event names."""
COLUMNS: Final = ("field", "value", "actor", "source", "tenant", "events", "first", "last")
FOUND_COLUMNS: Final = (
    *("time", "event_uid", "actor", "source", "tenant", "action", "resource", "src_ip", "raw"),
    *("evidence", "evidence_record"),
)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def network(value: str) -> Network | None:
    """The network a value names, an address being one of its own; None where it names none."""
    try:
        return _plain(ipaddress.ip_network(value.strip(), strict=False))
    except ValueError:
        return None


def addresses(events: nw.LazyFrame[Any], scope: Scope) -> nw.LazyFrame[Any]:
    """The distinct `src_ip` there are."""
    return scope.narrow(events).filter(~nw.col("src_ip").is_null()).select("src_ip").unique()


def inside(values: Iterable[str], wanted: Network) -> list[str]:
    """Those of some addresses that lie in a network, however they are written, sorted."""
    found = []
    for value in values:
        one = network(value)
        if one is not None and one.version == wanted.version and one.subnet_of(wanted):  # type: ignore[arg-type]
            found.append(value)
    return sorted(found)


def pivot(events: nw.LazyFrame[Any], scope: Scope, value: str, near: Sequence[str] = ()) -> nw.LazyFrame[Any]:
    """Where a value occurs and with whom.

    Args:
        events: canonical events.
        scope: the window.
        value: any identifier; exact, but for an e-mail address, where upper and lower case are equal.
        near: addresses that are meant by it, as events have them: all of a network.

    Returns:
        One row for each `field` (one of `FIELDS`), `value` as it stands there, source, tenant and actor: `events`
        (int), `first` and `last` (timestamp[us, UTC]).
    """
    narrowed = scope.narrow(events)
    touching = narrowed.drop("resource").with_columns(nw.col("resources").alias("resource")).explode("resource")
    found = []
    for field in FIELDS:
        column = nw.col(field)
        wanted = column == value
        if field == "actor_email":
            wanted = column.str.to_lowercase() == value.lower()
        elif field == "src_ip" and near:
            wanted = column.is_in(list(near))
        rows = (touching if field == "resource" else narrowed).filter(wanted)
        found.append(rows.select(*IDENTITY, nw.lit(field).alias("field"), column.alias("value"), "event_uid", "time"))
    return (
        nw.concat(found, how="vertical")
        .group_by(*IDENTITY, "field", "value")
        .agg(
            nw.col("event_uid").n_unique().alias("events"),
            nw.col("time").min().alias("first"),
            nw.col("time").max().alias("last"),
        )
    )


def pivot_rows(found: pl.DataFrame, directory: Directory) -> pl.DataFrame:
    """What `pivot` gave, by person, in the order of `FIELDS`, then value, then most events; columns of `COLUMNS`."""
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    rows = fold(tidy(found).select(COLUMNS), directory, ["field", "value"])
    rank = pl.col("field").replace_strict({name: at for at, name in enumerate(FIELDS)}, return_dtype=pl.Int64)
    return rows.sort(rank, "value", -pl.col("events"), "actor", "source", "tenant")


def search(events: nw.LazyFrame[Any], scope: Scope, text: str) -> nw.LazyFrame[Any]:
    """The events whose raw record holds a text, upper and lower case of ASCII letters being equal.

    The text is sought as it stands, and as JSON would write it. Reads every record in scope: a scan.
    """
    wanted = nw.col("raw").str.contains(_loose(text))
    for written in sorted({json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]} - {text}):
        wanted = wanted | nw.col("raw").str.contains(_loose(written))
    return scope.narrow(events).filter(wanted).select(*FOUND_COLUMNS)


def search_rows(found: nw.LazyFrame[Any], most: int) -> nw.LazyFrame[Any]:
    """The first of them in time, ties by source, tenant and event; `most` and one more, which tells that it is cut."""
    return found.sort("time", "source", "tenant", "event_uid").head(most + 1)


def _loose(text: str) -> str:
    """A text as a regular expression in which only the case of ASCII letters does not matter, alike in all engines."""
    return "".join(
        f"[{sign.lower()}{sign.upper()}]" if sign.isascii() and sign.isalpha() else rf"\x{{{ord(sign):x}}}"
        for sign in text
    )


def _plain(value: Network) -> Network:
    """An IPv4 address that is written as one of IPv6 is the same address."""
    if isinstance(value, ipaddress.IPv6Network) and value.prefixlen == value.max_prefixlen:
        mapped = value.network_address.ipv4_mapped
        if mapped is not None:
            return ipaddress.ip_network(mapped)
    return value
