"""A day that arrives in 1,000 pieces: what merging at a commit costs, and what it saves whoever opens and reads.

Run as `python tests/benchmarks/pieces.py [PIECES] [EVENTS]`: pieces of so many events, 200 where not said. Prints, for
the same events in one piece, in pieces left as they came, merged as they came, and compacted: seconds to ingest, files,
seconds to open the snapshot and to read it (median of five), and the time to read as a multiple of the one piece's.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from investigate.events import event_schema, reject_schema
from investigate.lake import compaction
from investigate.lake.lake import Lake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DAY = datetime(2026, 11, 3, tzinfo=UTC)
QUERY = "SELECT actor, count(*), min(time), max(time) FROM events WHERE resource = 'object-7' GROUP BY actor"


def piece(number: int, events: int) -> pa.Table:
    """Events of one day, spread over it, of 500 actors and 20,000 objects."""
    rng = random.Random(number)  # noqa: S311 - the same events every time
    rows = []
    for at in range(events):
        moment = DAY + timedelta(microseconds=rng.randrange(86_400_000_000))
        actor, resource = f"actor-{rng.randrange(500)}", f"object-{rng.randrange(20_000)}"
        raw = json.dumps({"id": f"{number}-{at}", "at": moment.isoformat(), "who": actor, "what": resource})
        rows.append(
            dict.fromkeys(event_schema().names)
            | {"event_uid": f"{number}-{at}", "time": moment, "date": DAY.date(), "source": "devrev", "tenant": "acme"}
            | {"actor": actor, "actor_type": "user", "activity": "read", "outcome": "success", "resource": resource}
            | {"resources": [resource], "src_ip": f"192.0.2.{rng.randrange(256)}", "raw": raw}
            | {"evidence": "0" * 64, "evidence_record": at}
        )
    return pa.Table.from_pylist(rows, schema=event_schema())


def ingest(lake: Lake, tables: Iterable[pa.Table]) -> float:
    """Commit each table as an acquisition; the seconds that took."""
    spent = 0.0
    for number, table in enumerate(tables):
        begun = time.perf_counter()
        with lake.stage(f"acquisition-{number}") as staging:
            staging.add(table, reject_schema().empty_table())
            lake.commit(staging, f"acquisition-{number}", table.num_rows)
        spent += time.perf_counter() - begun
    return spent


def median(work: Callable[[], object]) -> float:
    """Seconds, of five times."""
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def read(lake: Lake) -> None:
    """Ask one question of all there is."""
    with lake.connect() as connection:
        connection.sql(QUERY).to_arrow_table()


def opened(lake: Lake) -> Lake:
    """The lake as a new process finds it, its newest snapshot read."""
    found = Lake(lake.root)
    found.events.snapshot()
    return found


def tell(what: str, lake: Lake, seconds: float, base: float | None) -> float:
    """Print one line; the seconds it took to read."""
    snapshot, reading = median(lambda: opened(lake)), median(lambda: read(opened(lake)))
    details = lake.events.details()
    size = sum(row["size_bytes"] for row in details)
    print(
        f"{what:12} ingest {seconds:8.1f} s  files {len(details):5}  {size / 1e6:7.1f} MB  versions "
        f"{lake.events.versions():5}  snapshot {snapshot * 1e3:7.1f} ms  read {reading * 1e3:8.1f} ms"
        f"  {reading / (base or reading):5.2f} x"
    )
    return reading


def main(pieces: int, events: int) -> None:
    """Run it all."""
    # The roll-up has a benchmark of its own.
    Lake._sum_up = lambda *_: ""  # type: ignore[method-assign]
    root = Path(tempfile.mkdtemp())
    tables = [piece(number, events) for number in range(pieces)]
    one = Lake(root / "one")
    base = tell("one piece", one, ingest(one, [pa.concat_tables(tables)]), None)
    merged = Lake(root / "merged")
    tell("merged", merged, ingest(merged, tables), base)
    begun = time.perf_counter()
    merged.compact()
    tell("compacted", merged, time.perf_counter() - begun, base)
    compaction.too_many = lambda _: []
    left = Lake(root / "left")
    tell("as they came", left, ingest(left, tables), base)
    begun = time.perf_counter()
    left.compact()
    tell("compacted", left, time.perf_counter() - begun, base)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pieces", type=int, nargs="?", default=1000)
    parser.add_argument("events", type=int, nargs="?", default=200)
    given = parser.parse_args()
    main(given.pieces, given.events)
