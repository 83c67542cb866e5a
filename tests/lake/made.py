"""Small acquisitions, and lakes to commit them to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from investigate.events import event_schema, reject_schema

if TYPE_CHECKING:
    from investigate.lake.lake import Lake, Written

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


def events(*uids: str, days: int = 0, tenant: str = "acme") -> pa.Table:
    time = NOON + timedelta(days=days)
    rows = [
        dict.fromkeys(event_schema().names)
        | {"event_uid": uid, "time": time + timedelta(microseconds=number), "date": time.date(), "source": "devrev"}
        | {"tenant": tenant, "actor": "ann", "actor_type": "user", "activity": "read", "outcome": "success"}
        | {"resources": ["r"], "raw": "{}", "evidence": "0" * 64, "evidence_record": number}
        for number, uid in enumerate(uids)
    ]
    return pa.Table.from_pylist(rows, schema=event_schema())


def rejects(*places: int) -> pa.Table:
    rows = [
        {"source": "devrev", "reason": "no time", "excerpt": "{}", "evidence": "0" * 64, "evidence_record": place}
        for place in places
    ]
    return pa.Table.from_pylist([row | {"acquisition": ""} for row in rows], schema=reject_schema())


def commit(lake: Lake, acquisition: str, *tables: pa.Table, rejected: pa.Table | None = None) -> Written:
    with lake.stage(acquisition) as staging:
        for table in tables:
            staging.add(table, reject_schema().empty_table())
        if rejected is not None:
            staging.add(event_schema().empty_table(), rejected)
        return lake.commit(staging, acquisition, sum(table.num_rows for table in tables))


def uids(lake: Lake) -> list[str]:
    return sorted(lake.scan().select("event_uid").collect()["event_uid"].to_list())
