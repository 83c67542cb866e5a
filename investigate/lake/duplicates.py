"""Which rows of new files a table has already, or are there twice: by hashes first, then exactly."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from investigate.lake.sql import expose, literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import duckdb

    from investigate.lake.table import Table

_AT_ONCE: Final = 256 * 2**20
"""Bytes of new files that are looked through at once: a bounded number of keys."""


class Search:
    """Looks for rows that are there twice.

    Args:
        table: the rows are for.
        key: the columns that, with the partition's, make a row the same as another.
    """

    def __init__(self, table: Table, key: Sequence[str]) -> None:
        self._table, self._key = table, ", ".join(key)

    def run(
        self,
        engine: duckdb.DuckDBPyConnection,
        made: Mapping[Path, str | None],
        near: Sequence[str],
        evidence: Mapping[str, int],
        *,
        once: bool,
    ) -> dict[Path, pa.Array]:
        """The rows to take out.

        Args:
            engine: may be used up.
            made: the new files, each with its partition's value.
            near: files of the table that may hold the same.
            evidence: the evidence files in the order in which they were read: the row read first stays.
            once: whether of equal rows of the new files only the first stays.

        Returns:
            For each new file that has any, the numbers of its rows.
        """
        ordinals = pa.table(
            {"evidence": pa.array(evidence, pa.string()), "ordinal": pa.array(evidence.values(), pa.int64())}
        )
        engine.register("ordinals", ordinals)
        found: dict[Path, pa.Array] = {}
        for paths in self._groups(made):
            places = tuple(f"{self._table.partition_by}={made[path]}/" for path in paths)
            theirs = [name for name in near if self._table.partition_by is None or name.startswith(places)]
            if theirs or once:
                found |= self._in(engine, {str(path): made[path] for path in paths}, theirs, once=once)
        return found

    def _groups(self, made: Mapping[Path, str | None]) -> Iterator[list[Path]]:
        """The new files in groups of whole partitions."""
        group: list[Path] = []
        size = 0
        for path in sorted(made, key=lambda path: made[path] or ""):
            if size > _AT_ONCE and made[path] != made[group[-1]]:
                yield group
                group, size = [], 0
            group.append(path)
            size += path.stat().st_size
        if group:
            yield group

    def _in(
        self, engine: duckdb.DuckDBPyConnection, made: Mapping[str, str | None], theirs: Sequence[str], *, once: bool
    ) -> dict[Path, pa.Array]:
        by, key = self._table.partition_by, self._key
        files = pa.table({"filename": pa.array(made, pa.string()), "partition": pa.array(made.values(), pa.string())})
        engine.register("files", files)
        names = ", ".join(map(literal, made))
        engine.execute(f"""
            CREATE OR REPLACE VIEW mine AS
            SELECT * FROM read_parquet([{names}], filename = true, file_row_number = true, hive_partitioning = false)
            JOIN files USING (filename)""")
        expose(engine, "theirs", self._table, [self._table.storage.locate(name) for name in theirs])
        partition = f"{by}::VARCHAR AS partition" if by else "NULL::VARCHAR AS partition"
        engine.execute(f"CREATE OR REPLACE VIEW known AS SELECT {partition}, {key} FROM theirs")
        engine.execute(f"""
            CREATE OR REPLACE TEMP TABLE hashes AS SELECT hash(partition, {key}) AS hash FROM mine""")
        twice = (
            "SELECT hash FROM hashes GROUP BY hash HAVING count(*) > 1"
            if once
            else "SELECT 0::UBIGINT AS hash WHERE false"
        )
        engine.execute(f"""
            CREATE OR REPLACE TEMP TABLE doubtful AS
            {twice} UNION
            SELECT hash FROM (SELECT hash(partition, {key}) AS hash FROM known) SEMI JOIN hashes USING (hash)""")
        if not engine.execute("SELECT count(*) FROM doubtful").fetchall()[0][0]:
            return {}
        engine.execute(f"""
            CREATE OR REPLACE TEMP TABLE extra AS
            WITH suspects AS (
                SELECT partition, {key}, filename, file_row_number, ordinal, evidence_record
                FROM mine JOIN ordinals USING (evidence)
                WHERE hash(partition, {key}) IN (FROM doubtful)),
            numbered AS (SELECT *, row_number() OVER (
                PARTITION BY partition, {key} ORDER BY ordinal, evidence_record, filename, file_row_number) AS n
                FROM suspects),
            there AS (SELECT DISTINCT partition, {key}, true AS there FROM known
                WHERE hash(partition, {key}) IN (FROM doubtful))
            SELECT filename, file_row_number FROM numbered
            LEFT JOIN there ON {self._same("numbered", "there")}
            WHERE there.there OR {"n > 1" if once else "false"}""")
        rows = engine.sql("SELECT filename, list(file_row_number) AS numbers FROM extra GROUP BY filename")
        table = rows.to_arrow_table()
        return {
            Path(name.as_py()): numbers.values
            for name, numbers in zip(table["filename"], table["numbers"], strict=True)
        }

    def _same(self, left: str, right: str) -> str:
        columns = ["partition", *self._key.split(", ")]
        return " AND ".join(f"{left}.{name} IS NOT DISTINCT FROM {right}.{name}" for name in columns)
