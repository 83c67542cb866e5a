"""Ranges of a table hold every row once, in order, and few rows each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from investigate.lake import ranges
from investigate.lake.scratch import Scratch

if TYPE_CHECKING:
    from pathlib import Path

rows = st.lists(
    st.tuples(st.sampled_from([None, "a", "b", "bb", "Ü"]), st.integers(0, 30), st.integers(0, 2)), max_size=60
)


@settings(max_examples=30, deadline=None)
@given(rows, st.integers(1, 20))
def test_every_row_is_in_one_range_and_the_ranges_in_order(rows: list[tuple[str | None, int, int]], most: int) -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE rows (a VARCHAR, b INT, c INT)")
        if rows:
            connection.executemany("INSERT INTO rows VALUES (?, ?, ?)", rows)
        order = ("a", "b")
        parts = [
            connection.execute(f"SELECT * FROM rows WHERE {where} ORDER BY a, b, c", values).fetchall()
            for where, values in ranges.ranges(connection, "rows", order, most)
        ]
        wanted = connection.execute("SELECT * FROM rows ORDER BY a, b, c").fetchall()
    assert [row for part in parts for row in part] == wanted


def test_an_engine_of_ours_sorts_a_large_table_by_the_first_column_first(tmp_path: Path) -> None:
    """DuckDB 2.0 by itself sorts it in parts, where texts begin alike and the second column tells blocks apart."""
    with Scratch(tmp_path / "scratch", 2**28, ()) as scratch, scratch.engine("rows.duckdb") as connection:
        second = "TIMESTAMPTZ '2026-01-01' + to_seconds(i)"
        connection.execute(
            f"CREATE TABLE t AS SELECT 'alike so far ' || i % 9999 AS a, {second} AS b FROM range(12_000_000) r(i)"
        )
        ((_, plan),) = connection.execute("EXPLAIN SELECT * FROM t ORDER BY a, b").fetchall()
        assert "Union" not in plan
        connection.execute("SET disabled_optimizers = ''")
        ((_, plan),) = connection.execute("EXPLAIN SELECT * FROM t ORDER BY a, b").fetchall()
        assert "Union" in plan, "DuckDB is mended: the setting can go"


def test_of_a_large_table_each_range_is_small_but_where_all_is_alike() -> None:
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE rows AS SELECT CASE WHEN i % 3 = 0 THEN 'hub' WHEN i % 7 > 0 THEN 'u' || hash(i) END AS a, "
            "i AS b FROM range(100_000) t(i)"
        )
        found = [
            connection.execute(f"SELECT count(*) FROM rows WHERE {where}", values).fetchall()[0][0]
            for where, values in ranges.ranges(connection, "rows", ("a", "b"), 10_000)
        ]
    assert sum(found) == 100_000
    assert max(found) <= 10_000
    assert len(found) < 60
