"""Layouts of `touches`: the one that is used beside those that were weighed, over the same rows, in one run.

    python tests/benchmarks/layouts.py /tmp/layouts --touches 3e6

Builds each in the folder, which is new, and prints bytes a row, seconds to build, and the milliseconds of a look-up by
resource, actor and address, each the hundredth most common, in a year and in a month: warm, median of five, the layouts
taking turns, by the clock and by the processor's time, which other work on the machine disturbs less. Each must find
the rows there are. DuckDB reads the files whose smallest and largest values allow for a match; SQLite, which is asked
for comparison, tells of a touch no more than date, resource, actor and address.
"""

from __future__ import annotations

import argparse
import itertools
import sqlite3
import statistics
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parent))

import world
from layout_kinds import BY_DAY, BY_Z, LEADS, Coded, Edges, Full, connect

from investigate.lake.touches import COLUMNS, of_events

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import polars as pl

    from investigate.events import Window

Took = tuple[float, float]
"""Time by the clock, and of the processor."""
ROUNDS: Final = 5
SPANS: Final = (world.DAYS, 30)
"""Days that are asked for."""
OURS: Final = "three orders, groups of 64k"


def layouts(folder: Path) -> list[Full | Edges]:
    """All that are compared."""
    return [
        Full("three orders, groups of 16k", folder / "ours-16k", group=2**14),
        Full(OURS, folder / "ours-64k"),
        Full("three orders, groups of 128k", folder / "ours-128k", group=2**17),
        Full("a file a day, by resource, groups of 8k", folder / "days", [BY_DAY], 2**13, days=1),
        Full("the same with bloom filters", folder / "bloom", [BY_DAY], 2**13, days=1, bloom=LEADS),
        Full("z-order, groups of 16k", folder / "z", [BY_Z], 2**14),
        Coded("three orders of integers, dictionary", folder / "coded"),
        Coded("the same in 64 buckets", folder / "buckets", buckets=64),
        Edges("edges of integers in SQLite", folder / "edges"),
    ]


def choose(engine: duckdb.DuckDBPyConnection, lead: str) -> str:
    """The value that is the hundredth most common."""
    query = f"SELECT {lead} FROM rows GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1 OFFSET 99"
    return str(engine.sql(query).fetchall()[0][0])


def timed(works: Sequence[Callable[[], object]]) -> list[Took]:
    """Median milliseconds of each; they take turns, so that a busy moment of the machine is everyone's."""
    took: list[list[Took]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for work, times in zip(works, took, strict=True):
            times.append(clocked(work))
    return [
        (statistics.median(wall) * 1e3, statistics.median(busy) * 1e3)
        for wall, busy in (zip(*times, strict=True) for times in took)
    ]


def clocked(work: Callable[[], object]) -> Took:
    """Seconds by the clock, and of the processor in all threads."""
    begun, busy = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - begun, time.process_time() - busy


def main() -> None:
    """Build, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--touches", type=lambda text: int(float(text)), default=3_000_000)
    given = parser.parse_args()
    given.folder.mkdir(parents=True)
    engine = connect(str(given.folder / "rows.duckdb"))
    engine.execute(f"CREATE VIEW made AS {world.events(0, given.touches, given.touches)}")
    engine.execute(f"CREATE TABLE rows AS {of_events('made')} ORDER BY date")
    total = engine.sql("SELECT count(*) FROM rows").fetchall()[0][0]
    print(f"{total:,} touches; DuckDB {duckdb.__version__}, pyarrow {pa.__version__}, SQLite {sqlite3.sqlite_version}")
    compared = layouts(given.folder)
    cells = {layout.name: built(layout, engine, total) for layout in compared}
    heads = []
    for lead, days in itertools.product(LEADS, SPANS):
        value, window = choose(engine, lead), world.window(days)
        asked = [partial(layout.rows, lead, value, window) for layout in compared]
        rows = check(engine, lead, value, window, [ask() for ask in asked])
        heads.append((f"{lead} {days} d", f"{rows:,} rows"))
        for layout, took in zip(compared, timed(asked), strict=True):
            cells[layout.name].append(took)
    show(heads, cells)


def check(
    engine: duckdb.DuckDBPyConnection, lead: str, value: str, window: Window, found: Sequence[pl.DataFrame]
) -> int:
    """Assert that every layout found the rows there are, and no other, as far as it tells; how many there are."""
    query = f"SELECT {', '.join(COLUMNS)} FROM rows WHERE {lead} = $value AND first < $until AND last >= $since"
    truth = engine.sql(query, params={"value": value, "since": window.start, "until": window.end}).pl()
    for frame in found:
        told = truth.select(frame.columns)
        told = told if told.columns == truth.columns else told.unique()
        assert frame.sort(frame.columns, nulls_last=True).equals(told.sort(frame.columns, nulls_last=True))
    return truth.height


def built(layout: Full | Edges, engine: duckdb.DuckDBPyConnection, total: int) -> list[Took]:
    """Build a layout; bytes a row, told twice, and seconds."""
    took = clocked(lambda: layout.build(engine))
    size = sum(path.stat().st_size for path in layout.folder.rglob("*") if path.is_file()) / total
    print(f"  {layout.name}: {took[0]:.0f} s", flush=True)
    return [(size, size), took]


def show(heads: Sequence[tuple[str, str]], cells: dict[str, list[Took]]) -> None:
    """Tables of what was measured, by the clock and by the processor, and of both divided by the layout in use."""
    for (at, clock), divided in itertools.product(enumerate(("clock", "processor")), (False, True)):
        print(f"\n{clock + (', to ' + OURS if divided else ', ms'):<42}{'bytes':>8}{'build':>8}", end="")
        print("".join(f"{question:>16}" for question, _ in heads))
        print(f"{'':<42}{'a row':>8}{'s':>8}" + "".join(f"{rows:>16}" for _, rows in heads))
        for name, values in cells.items():
            size, build, *took = (
                value[at] / (base[at] if divided else 1) for value, base in zip(values, cells[OURS], strict=True)
            )
            print(f"{name:<42}{size:>8.2f}{build:>8.1f}" + "".join(f"{each:>16.2f}" for each in took))


if __name__ == "__main__":
    main()
