"""What the tests of audits share: events, an engine that has them, and rules asked of them."""

from __future__ import annotations

import itertools
import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import yaml

from investigate.audit.ruleset import RuleSet, load
from investigate.audit.scan import Extent, Scan, Scanned
from investigate.events import event_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

START = datetime(2026, 11, 2, 9, tzinfo=UTC)
_numbers = itertools.count()

Event = dict[str, Any]


def event(after: timedelta = timedelta(0), raw: Any = None, **given: Any) -> Event:
    """An event so long after `START`."""
    time = START + after
    number = next(_numbers)
    base: Event = dict.fromkeys(event_schema().names)
    base |= {"event_uid": f"e{number}", "source": "devrev", "tenant": "acme", "actor": "ann", "actor_type": "user"}
    base |= {"outcome": "success", "activity": "read", "evidence": "0" * 64, "evidence_record": number}
    base |= {
        "time": time,
        "date": time.date(),
        "raw": json.dumps({} if raw is None else raw, ensure_ascii=False, separators=(",", ":")),
    }
    resource = given.get("resource")
    return base | {"resources": [resource] if resource else []} | given


@contextmanager
def lake(events: Iterable[Event]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection like that of the lake, with these events."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("given", pa.Table.from_pylist(list(events), schema=event_schema()))
        connection.execute("CREATE TABLE events AS FROM given")
        connection.unregister("given")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection


def scan(events: Iterable[Event], rules: RuleSet, extent: Extent | None = None) -> Scanned:
    """What rules find in events."""
    with lake(events) as connection:
        return Scan(connection, rules, extent or Extent()).find()


def written(folder: Path, *documents: Event | str, name: str = "rule.yml") -> RuleSet:
    """Rules in a file, read."""
    texts = [one if isinstance(one, str) else yaml.safe_dump(one, sort_keys=False) for one in documents]
    (folder / name).write_text("---\n".join(texts), encoding="utf-8")
    return load([folder / name], shipped=False)


def rule(detection: Event, **more: Any) -> Event:
    """A rule about any log."""
    return {"title": "t", "logsource": {"product": "devrev"}, "detection": detection, **more}
