"""Events for which `touches` are summed up, and the schema of these."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from investigate.events import event_schema
from investigate.lake.touches import COLUMNS, ORDERS

if TYPE_CHECKING:
    from collections.abc import Sequence

Event = dict[str, Any]
START = datetime(2026, 11, 1, tzinfo=UTC)


def event(number: int, resources: Sequence[str | None] = ("r",), hours: float = 0, **more: Any) -> Event:
    time = START + timedelta(hours=hours, microseconds=number)
    made = dict.fromkeys(event_schema().names) | {"event_uid": f"e{number}", "time": time, "date": time.date()}
    made |= {"source": "devrev", "tenant": "acme", "actor": "ann", "actor_type": "user", "activity": "read"}
    made |= {"action": "ticket.get", "outcome": "success", "src_ip": "10.0.0.1", "credential": "t1"}
    made |= {"resources": list(resources), "resource": resources[0] if resources else None}
    return made | {"raw": "{}", "evidence": "0" * 64, "evidence_record": number} | more


def table(events: Sequence[Event]) -> pa.Table:
    return pa.Table.from_pylist(list(events), schema=event_schema())


def schema() -> pa.Schema:
    types = {field.name: field.type for order in ORDERS for field in order.schema()}
    return pa.schema([pa.field(name, types[name]) for name in COLUMNS])
