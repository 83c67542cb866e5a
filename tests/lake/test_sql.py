"""SQL over the lake reads the lake, and does nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from investigate.errors import QueryRefused
from investigate.lake import sql
from investigate.lake.lake import Lake

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

TEXT = "WITH x AS (COPY (SELECT 1) TO ''{lake}/events/out.parquet'') FROM x"
REFUSED = (
    "COPY events TO '{folder}/out.csv'",
    "EXPORT DATABASE '{folder}/out'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "ATTACH '{folder}/other.db'",
    "DROP VIEW events",
    "CREATE TABLE t AS SELECT 1",
    "INSERT INTO events SELECT * FROM events",
    "DELETE FROM events",
    "WITH x AS (DELETE FROM events RETURNING *) SELECT * FROM x",
    "WITH x AS (COPY (SELECT 1) TO '{lake}/events/out.parquet') SELECT * FROM x",
    "SELECT * FROM (WITH x AS (COPY (SELECT 1) TO '{lake}/events/out.parquet') SELECT * FROM x)",
    "WITH y AS (WITH x AS (COPY (SELECT 1) TO '{lake}/events/out.parquet') SELECT * FROM x) SELECT * FROM y",
    "WITH x AS (INSERT INTO events SELECT * FROM events RETURNING *) SELECT * FROM x",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{lake}/events/out.parquet'",
    "/* a */ EXPLAIN (ANALYZE, FORMAT json) COPY (SELECT 1) TO '{lake}/events/out.parquet'",
    "-- a\nEXPLAIN ANALYZE WITH x AS (COPY (SELECT 1) TO '{lake}/events/out.parquet') FROM x",
    "EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1",
    f"FROM JSON_execute_serialized_SQL(json_serialize_sql('{TEXT}'))",
    f"FROM query('{TEXT}')",
    "FROM query('FROM json_execute_serialized_sql($text)')",
    "SELECT (FROM query('SELECT 1'))",
    "SET memory_limit = '1GB'",
    "SET enable_external_access = true",
    "PRAGMA database_list",
    "CALL pragma_version()",
    "CHECKPOINT",
    "SELECT 1; SELECT 2",
    "",
    "SELECT * FROM '{folder}/secret.csv'",
    "SELECT * FROM read_csv('{folder}/secret.csv')",
    "SELECT * FROM read_text('{folder}/secret.csv')",
    "SELECT * FROM read_blob('{folder}/../*')",
    "SELECT * FROM glob('{folder}/*')",
    "SELECT * FROM read_parquet('https://example.com/x.parquet')",
    "SELECT * FROM read_text('{lake}/../secret.csv')",
    "SELECT getenv('HOME')",
    "SELECT * FROM query('COPY (SELECT 1) TO ''{folder}/out.csv''')",
    "SELEKT 1",
    "SELECT nothing FROM events",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    (tmp_path / "lake" / "events").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def connection(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with Lake(folder / "lake").borrow() as opened:
        yield opened


@pytest.mark.parametrize("query", REFUSED)
def test_anything_but_reading_the_lake_is_refused(
    connection: duckdb.DuckDBPyConnection, folder: Path, query: str
) -> None:
    before = sorted(folder.rglob("*"))
    with pytest.raises(QueryRefused):
        sql.run(connection, query.format(folder=folder, lake=folder / "lake"))
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM events",
        "FROM events",
        "WITH x AS (SELECT * FROM events) SELECT * FROM x",
        "EXPLAIN SELECT 1",
        "-- why\n EXPLAIN ANALYZE SELECT 1",
        "explain (format json) FROM events",
        "WITH RECURSIVE x AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM x WHERE n < 3) FROM x",
        "SELECT 1 UNION SELECT 2 EXCEPT SELECT 3",
        "WITH x AS MATERIALIZED (FROM events) SELECT * FROM x WHERE actor IN (SELECT actor FROM rejects, events)",
        "SUMMARIZE events",
        "PIVOT events ON activity IN ('read', 'update') USING count(*) GROUP BY actor",
        "SELECT 'COPY_QUERY_NODE' AS \"type\", {'type': 'INSERT_QUERY_NODE'} AS told",
        "VALUES (1)",
        "SELECT * FROM rejects",
        "DESCRIBE events",
        "SELECT 1;",
    ],
)
def test_reading_is_not_refused(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    assert sql.run(connection, query).num_columns > 0


@pytest.mark.parametrize("before", range(35, 45))
def test_a_text_that_is_no_json_is_told_though_the_engine_quotes_half_a_letter(
    connection: duckdb.DuckDBPyConnection, before: int
) -> None:
    text = '{"a"! "' + "x" * before + "é" * 40
    with pytest.raises(QueryRefused, match="JSON"):
        sql.run(connection, "SELECT json_extract_string($text, '$.a')", {"text": text})


def test_values_are_bound(connection: duckdb.DuckDBPyConnection) -> None:
    hostile = "'; DROP VIEW events; --"
    assert sql.run(connection, "SELECT $who AS who", {"who": hostile})["who"].to_pylist() == [hostile]
