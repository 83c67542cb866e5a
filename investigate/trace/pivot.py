"""Where an identifier occurs, whatever it identifies; and text in raw records, which is a scan."""

from __future__ import annotations

import bisect
import ipaddress
import json
import re
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw

from investigate.trace.scope import equal, loose
from investigate.trace.shape import IDENTITY, distinct, fold, ordered, tidy

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl

    from investigate.trace.people import Directory
    from investigate.trace.scope import Scope

FIELDS: Final = (
    *("actor", "actor_email", "actor_name", "credential", "resource", "resource_name"),
    *("src_ip", "user_agent", "request_uid", "event_uid"),
)
"""Where identifiers stand, in the order of the answer; `resource` is any an event names."""
RESOURCE: Final = "resource"
COLUMNS: Final = ("field", "value", "actor", "source", "tenant", "events", "first", "last")
FOUND_COLUMNS: Final = (
    *("time", "event_uid", "actor", "source", "tenant", "action", "resource", "src_ip", "raw"),
    *("evidence", "evidence_record"),
)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_WITH_PORT: Final = re.compile(r"(?:([0-9.]+)|\[([0-9A-Fa-f:.]+)\]):[0-9]{1,5}")
_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")
"""Where IPv6 has the addresses of IPv4 (RFC 4291, 2.5.5.2)."""


def network(value: str) -> Network | None:
    """The network a value names, an address being one of its own; None where it names none."""
    try:
        return _plain(ipaddress.ip_network(value.strip(), strict=False))
    except ValueError:
        return None


def addresses(events: nw.LazyFrame[Any], scope: Scope) -> nw.LazyFrame[Any]:
    """The distinct `src_ip` there are."""
    return distinct(scope.narrow(events).filter(~nw.col("src_ip").is_null()), "src_ip")


class Addresses:
    """Some addresses, in the order of networks.

    Args:
        values: as events have them; what is none is left out.
    """

    def __init__(self, values: Iterable[str]) -> None:
        found = ((_of_address(value), value) for value in values)
        self._sorted = sorted((one.version, int(one.network_address), value) for one, value in found if one)

    def inside(self, wanted: Network) -> list[str]:
        """Those that lie in a network, however they are written, sorted."""
        first, last = int(wanted.network_address), int(wanted.broadcast_address)
        begin = bisect.bisect_left(self._sorted, (wanted.version, first))
        end = bisect.bisect_left(self._sorted, (wanted.version, last + 1))
        # What is itself a network lies inside only as a whole.
        return sorted(value for _, _, value in self._sorted[begin:end] if _whole(value, wanted))


def _whole(value: str, wanted: Network) -> bool:
    one = _of_address(value)
    return one is not None and one.prefixlen >= wanted.prefixlen


def _of_address(value: str) -> Network | None:
    """The network an event's address is, which may bear a port."""
    with_port = _WITH_PORT.fullmatch(value.strip())
    return network(with_port[1] or with_port[2]) if with_port else network(value)


def pivot(events: nw.LazyFrame[Any], scope: Scope, value: str) -> nw.LazyFrame[Any]:
    """Where a value occurs, but for resources, and with whom.

    Args:
        events: canonical events.
        scope: the window.
        value: any identifier; exact, but for an e-mail address, where the case of ASCII letters is equal.

    Returns:
        One row for each `field` (one of `FIELDS`), `value` as it stands there, source, tenant and actor: `events`
        (int), `first` and `last` (timestamp[us, UTC]). Where it is a resource, `met` tells.
    """
    narrowed, found = scope.narrow(events), []
    for field in FIELDS:
        if field == RESOURCE:
            continue
        column = nw.col(field)
        rows = narrowed.filter(equal(field, [value]) if field == "actor_email" else column == value)
        found.append(rows.select(*IDENTITY, nw.lit(field).alias("field"), column.alias("value"), "event_uid", "time"))
    return (
        nw.concat(found, how="vertical")
        .group_by(*IDENTITY, "field", "value")
        .agg(
            nw.len().alias("events"),
            nw.col("time").min().alias("first"),
            nw.col("time").max().alias("last"),
        )
    )


def met(touches: nw.LazyFrame[Any], field: str) -> nw.LazyFrame[Any]:
    """With whom the values of a field occur in some touches; rows as `pivot` has them.

    Args:
        touches: see `rows`; those the values occur in.
        field: one of `FIELDS` that touches have.
    """
    counts = nw.col("events" if field == RESOURCE else "share")
    named = touches.with_columns(nw.lit(field).alias("field"), nw.col(field).alias("value"), counts.alias("counts"))
    return named.group_by(*IDENTITY, "field", "value").agg(
        nw.col("counts").sum().alias("events"), nw.col("first").min(), nw.col("last").max()
    )


def pivot_rows(found: pl.DataFrame, directory: Directory) -> pl.DataFrame:
    """What `pivot` gave, by person, in the order of `FIELDS`, then value, then most events; columns of `COLUMNS`."""
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    rows = fold(tidy(found).select(COLUMNS), directory, ["field", "value"])
    rank = pl.col("field").replace_strict({name: at for at, name in enumerate(FIELDS)}, return_dtype=pl.Int64)
    return ordered(rows, rank, "value", -pl.col("events"), "actor", "source", "tenant")


def search(events: nw.LazyFrame[Any], scope: Scope, text: str) -> nw.LazyFrame[Any]:
    """The events whose raw record holds a text, upper and lower case of ASCII letters being equal.

    The text is sought as it stands, and as JSON would write it. Reads every record in scope: a scan.
    """
    wanted = nw.col("raw").str.contains(loose(text))
    for written in sorted({json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]} - {text}):
        wanted = wanted | nw.col("raw").str.contains(loose(written))
    return scope.narrow(events).filter(wanted).select(*FOUND_COLUMNS)


def search_rows(found: nw.LazyFrame[Any], most: int) -> nw.LazyFrame[Any]:
    """The first of them in time, ties by source, tenant and event; `most` and one more, which tells that it is cut."""
    return found.sort("time", "source", "tenant", "event_uid").head(most + 1)


def _plain(value: Network) -> Network:
    """An IPv4 address or network that is written as one of IPv6 is the same."""
    if isinstance(value, ipaddress.IPv6Network) and value.subnet_of(_MAPPED):
        mapped = value.network_address.ipv4_mapped
        return ipaddress.ip_network((str(mapped), value.prefixlen - _MAPPED.prefixlen))
    return value
