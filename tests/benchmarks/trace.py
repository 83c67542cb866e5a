"""Look-ups in a year of events: this project's questions beside DuckDB, Polars and chDB over the same events.

    python tests/benchmarks/trace.py --events 20e6 --folder /tmp/year

Builds the lake and plain files in the folder, once; prints medians of five in milliseconds, warm, and the whole command
cold. The plain files have every column but `raw`. chDB is asked where it is installed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb
import polars as pl

sys.path.insert(0, str(Path(__file__).parent))

import world

import investigate

if TYPE_CHECKING:
    from collections.abc import Callable

    from investigate.case import Case
    from investigate.events import Window

ROUNDS: Final = 5
WINDOWS: Final = (1, 30, world.DAYS)
"""Days."""
TARGETS: Final = {"resource": 50, "actor": 15, "src_ip": 15}
"""How many times as fast as DuckDB's glob a look-up of a year is to be, at 20 million events."""
ASKED: Final = {
    "resource": "actor, source, tenant, max(actor_name), max(actor_email), max(actor_type)",
    "actor": "actor, source, tenant, resource, action, activity",
    "src_ip": "actor, source, tenant",
}
ENGINES: Final = ("ours", "duckdb", "polars", "chdb")
_GROUPED: Final = {"resource": "actor, source, tenant"}


def main() -> None:
    """Build what is missing, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=lambda text: int(float(text)), default=10_000_000)
    parser.add_argument("--folder", type=Path, default=Path("benchmark-trace"))
    given = parser.parse_args()
    print(", ".join(f"{name} {_version(name)}" for name in ("duckdb", "polars", "chdb", "narwhals", "deltalake")))
    case = build(given.folder, given.events)
    plain = given.folder / "plain"
    sizes(given.folder, given.events)
    values = chosen(plain)
    print(f"\nwarm, median of {ROUNDS}, ms{'':24}{'ours':>9}{'duckdb':>9}{'polars':>9}{'chdb':>9}   duckdb/ours")
    for column, value in values.items():
        for days in WINDOWS:
            row(column, value, days, case, plain)
    cold(given.folder, values["resource"])


def build(folder: Path, total: int) -> Case:
    """The case with a year of events, and the same events in plain files."""
    done = folder / "done.json"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        case = investigate.open(folder / "case")
        begun = time.perf_counter()
        world.fill(case, folder / "plain", total)
        filled = time.perf_counter()
        case.lake.touches.catch_up()
        times = {"events": total, "fill": filled - begun, "touches": time.perf_counter() - filled}
        done.write_text(json.dumps(times))
    times = json.loads(done.read_text())
    assert times["events"] == total, f"{folder} holds {times['events']:,} events"
    print(f"{total:,} events made in {times['fill']:.0f} s; touches in all orders in {times['touches']:.0f} s")
    return investigate.open(folder / "case")


def sizes(folder: Path, total: int) -> None:
    """Bytes an event on disk."""
    lake = folder / "case" / "lake"
    found = {path.name: _size(path) for path in sorted(lake.iterdir()) if path.name in _TABLES}
    found["plain, without raw"] = _size(folder / "plain")
    print("bytes an event: " + ", ".join(f"{name} {size / total:.1f}" for name, size in found.items()))
    touches = sum(found.get(name, 0) for name in _TABLES[1:])
    print(f"touches, all orders, to events: {touches / found['events']:.2f} (goal: at most 0.40)")


_TABLES: Final = ("events", "touches", "touches_by_actor", "touches_by_src_ip")


def chosen(plain: Path) -> dict[str, str]:
    """A resource, an actor and an address that is neither the most common nor the rarest."""
    day = plain / f"date={world.START.replace(month=7)}" / "events.parquet"
    picked = {}
    for column in TARGETS:
        query = f"SELECT {column}, count(*) AS n FROM read_parquet($file) GROUP BY 1 ORDER BY n DESC, 1 LIMIT 50"
        rows = duckdb.sql(query, params={"file": str(day)}).fetchall()
        picked[column] = rows[len(rows) // 2][0]
    return picked


def row(column: str, value: str, days: int, case: Case, plain: Path) -> None:
    """One line: a question in a window, on every engine."""
    window = world.window(days)
    timed = {
        "ours": median(lambda: ours(case, column, value, window)),
        "duckdb": median(lambda: by_duckdb(plain, column, value, window)),
        "polars": median(lambda: by_polars(plain, column, value, window)),
    }
    if _version("chdb") != "-":
        timed["chdb"] = median(lambda: by_chdb(plain, column, value, window))
    rows = ours(case, column, value, window)
    shown = "".join(
        f"{timed[name]:>9.1f}" if name in timed else f"{'-':>9}" for name in ("ours", "duckdb", "polars", "chdb")
    )
    label = f"{column}, {days} day{'s' if days > 1 else ''}, {rows:,} rows"
    print(f"{label:<48}{shown}   {timed['duckdb'] / timed['ours']:.0f} (goal {TARGETS[column]})")


def ours(case: Case, column: str, value: str, window: Window) -> int:
    """Ask as a user does; how many rows came."""
    ends = {"start": window.start, "end": window.end}
    if column == "resource":
        return case.who_touched(value, **ends).frame.height
    if column == "actor":
        return case.activity(value, **ends).frame.height
    return case.pivot(value, **ends).frame.height


def by_duckdb(plain: Path, column: str, value: str, window: Window) -> int:
    """The same from DuckDB's glob."""
    return duckdb.sql(query(plain, column), params=bound(value, window)).pl().height


def query(plain: Path, column: str) -> str:
    """What DuckDB is asked."""
    grouped = _GROUPED.get(column, ASKED[column])
    return (
        f"SELECT {ASKED[column]}, count(*) AS events, min(time) AS first, max(time) AS last "
        f"FROM read_parquet('{plain}/*/*.parquet', hive_partitioning = true) "
        f"WHERE {column} = $value AND date >= $from AND date < $to GROUP BY {grouped} ORDER BY events DESC"
    )


def bound(value: str, window: Window) -> dict[str, Any]:
    """The parameters of `query`."""
    return {"value": value, "from": window.start.date(), "to": window.end.date()}


def by_polars(plain: Path, column: str, value: str, window: Window) -> int:
    """The same from Polars."""
    grouped = [name.strip() for name in _GROUPED.get(column, ASKED[column]).split(",")]
    return (
        pl.scan_parquet(plain / "*/*.parquet", hive_partitioning=True)
        .filter(pl.col(column) == value, pl.col("date") >= window.start.date(), pl.col("date") < window.end.date())
        .group_by(grouped)
        .agg(pl.len().alias("events"), pl.col("time").min().alias("first"), pl.col("time").max().alias("last"))
        .sort("events", descending=True)
        .collect()
        .height
    )


def by_chdb(plain: Path, column: str, value: str, window: Window) -> int:
    """The same from chDB."""
    import chdb  # noqa: PLC0415 - only where it is installed

    grouped = _GROUPED.get(column, ASKED[column])
    asked = (
        f"SELECT {ASKED[column]}, count(*) AS events, min(time) AS first, max(time) AS last "
        f"FROM file('{plain}/*/*.parquet', Parquet) WHERE {column} = '{value}' "
        f"AND time >= '{window.start:%Y-%m-%d %H:%M:%S}' AND time < '{window.end:%Y-%m-%d %H:%M:%S}' "
        f"GROUP BY {grouped} ORDER BY events DESC SETTINGS session_timezone = 'UTC'"
    )
    return len(str(chdb.query(asked, "JSONEachRow")).splitlines())


def cold(folder: Path, resource: str) -> None:
    """The whole command, and a script that asks DuckDB the same, each in a process of its own."""
    window = world.window(world.DAYS)
    script = folder / "cold.py"
    asked, values = query(folder / "plain", "resource"), bound(resource, window)
    lines = ["import datetime", "import duckdb", f"rows = duckdb.sql({asked!r}, params={values!r})"]
    script.write_text("\n".join([*lines, "print(rows.to_arrow_table().to_pylist())", ""]))
    command = [str(Path(sys.executable).with_name("investigate")), "--case", str(folder / "case"), "who-touched"]
    command += [resource, "--from", str(window.start.date()), "--to", str(window.end.date()), "--format", "json"]
    mine, theirs = median(lambda: _run(command)), median(lambda: _run([sys.executable, str(script)]))
    told = f"ours {mine:.0f}, DuckDB {theirs:.0f}: {mine / theirs:.2f} (goal: at most 0.50)"
    print(f"\ncold, whole process, median of {ROUNDS}, ms: {told}")


def median(work: Callable[[], object]) -> float:
    """Milliseconds, after one round that does not count."""
    work()
    took = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        work()
        took.append(time.perf_counter() - begun)
    return statistics.median(took) * 1000


def _run(command: list[str]) -> None:
    environment = {**os.environ, "PYTHONPATH": ""}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.parquet"))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "-"


if __name__ == "__main__":
    main()
