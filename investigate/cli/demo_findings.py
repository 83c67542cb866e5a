"""What the demonstration finds, by the case's own means: objects, identities, addresses, and what else they did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import polars as pl

    from investigate.case import Answer, Case

_ADDRESSES: Final = """
    WITH seen AS (SELECT src_ip, source, count(DISTINCT actor) AS actors, min(time) AS first
                  FROM events WHERE list_contains($addresses, src_ip) GROUP BY src_ip, source)
    SELECT src_ip, max(actors) AS actors, min(first) AS first FROM seen GROUP BY src_ip"""
_USED_FROM: Final = """
    SELECT src_ip, count(*) AS events, min(time) AS first, max(time) AS last FROM events
    WHERE credential = $token AND time >= $start AND time < $end AND src_ip IS NOT NULL
    GROUP BY src_ip ORDER BY events DESC, src_ip"""
_ELSEWHERE: Final = """
    SELECT time, source, actor, action, coalesce(resource_name, resource, resource_type) AS "on", src_ip, event_uid
    FROM events WHERE list_contains($addresses, src_ip) AND credential IS DISTINCT FROM $token
    ORDER BY time, event_uid"""


@dataclass(frozen=True)
class Findings:
    """What came out.

    Attributes:
        objects: those the token touched in the hours of the brief.
        identities: who touched one of those in these hours.
        addresses: from where the token was used in these hours: `src_ip`, `events`, `first`, `last`.
        alone: those of the addresses that nobody used before these hours, nor anybody else ever.
        elsewhere: what else came from those, without the token, in either log, at any time.
        remarks: plain facts about an identity, by actor.
    """

    objects: Answer
    identities: Answer
    addresses: pl.DataFrame
    alone: tuple[str, ...]
    elsewhere: pl.DataFrame
    remarks: dict[str, list[str]]


def find(case: Case, brief: dict[str, Any]) -> Findings:
    """Follow the lead.

    Args:
        case: with both logs in it.
        brief: `token`, the id the log gives it, and `window`, `{"start", "end"}`.
    """
    from investigate.case.objects import touched_by  # noqa: PLC0415 - only where a demonstration runs

    token, start, end = brief["token"], brief["window"]["start"], brief["window"]["end"]
    objects = touched_by(case, token, start=start, end=end)
    identities = case.who_touched(objects.frame["resource"].to_list(), start=start, end=end)
    window = objects.window
    used = case.sql(_USED_FROM, {"token": token, "start": window.start, "end": window.end})
    seen = case.sql(_ADDRESSES, {"addresses": _all_addresses(identities)}).to_dicts()
    new = {one["src_ip"]: one for one in seen if one["actors"] == 1 and one["first"] >= window.start}
    alone = tuple(address for address in used["src_ip"].to_list() if address in new)
    elsewhere = case.sql(_ELSEWHERE, {"addresses": list(alone), "token": token})
    return Findings(objects, identities, used, alone, elsewhere, _remarks(identities, token, new))


def _all_addresses(identities: Answer) -> list[str]:
    return identities.frame["src_ips"].explode().drop_nulls().unique().sort().to_list()


def _remarks(identities: Answer, token: str, new: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in identities.frame.iter_rows(named=True):
        said = ["with the leaked token"] if token in row["credentials"] else []
        said += [
            f"{address}: first seen {new[address]['first']:%d %b %H:%M}, in the hours asked about; used by nobody else"
            for address in row["src_ips"]
            if address in new
        ]
        if said:
            found[row["actor"]] = said
    return found
