"""Which rows of new files a table has already, or are there twice: by hashes first, then exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from investigate.lake.scratch import short_of_memory
from investigate.lake.sql import expose, literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from investigate.lake.sorting import Made
    from investigate.lake.table import Table

_A_ROW: Final = 1024
"""Bytes of an acquisition's memory for each row that is looked for at once, of which the engine has a third."""
_TURNS: Final = 64
"""After so many it is not the rows that take the memory."""
_TOLD: Final = 64 * 1024
"""Rows that are told of at once."""


class Search:
    """Looks for rows that are there twice.

    Args:
        table: the rows are for.
        key: the columns that, with the partition's, make a row the same as another.
        memory: of the acquisition, in bytes: so much decides how many rows are looked for at once.
    """

    def __init__(self, table: Table, key: Sequence[str], memory: int) -> None:
        self._table, self._key, self._most = table, ", ".join(key), max(memory // _A_ROW, 1)

    def run(
        self,
        engine: duckdb.DuckDBPyConnection,
        made: Mapping[Path, Made],
        near: Sequence[str],
        evidence: Mapping[str, int],
        *,
        once: bool,
    ) -> dict[Path, pa.Array]:
        """The rows to take out.

        Args:
            engine: may be used up.
            made: the new files.
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
        found: dict[Path, list[pa.Array]] = {}
        for paths in self._groups(made):
            places = tuple(f"{self._table.partition_by}={made[path].partition}/" for path in paths)
            theirs = [name for name in near if self._table.partition_by is None or name.startswith(places)]
            if not theirs and not once:
                continue
            self._expose(engine, {path: made[path].partition for path in paths}, theirs)
            turns = -(-sum(made[path].rows for path in paths) // self._most)
            for file, rows in self._in_turns(engine, turns, once=once):
                found.setdefault(paths[file], []).append(rows)
        return {path: pa.concat_arrays(rows) for path, rows in found.items()}

    def _in_turns(self, engine: duckdb.DuckDBPyConnection, turns: int, *, once: bool) -> list[tuple[int, pa.Array]]:
        """What all turns tell; equal rows have equal hashes, so what is too much for the memory is divided by these."""
        while True:
            try:
                return [
                    found
                    for turn in range(turns)
                    for found in self._turn(engine, f"hash % {turns} = {turn}", once=once)
                ]
            except (duckdb.Error, OSError) as error:
                if turns > _TURNS or not short_of_memory(error):
                    raise
                turns *= 4

    def _groups(self, made: Mapping[Path, Made]) -> Iterator[list[Path]]:
        """The new files in groups of whole partitions, of so many rows as are looked for at once where that can be."""
        partitions: dict[str, list[Path]] = {}
        for path, one in made.items():
            partitions.setdefault(one.partition or "", []).append(path)
        group: list[Path] = []
        size = 0
        for _, paths in sorted(partitions.items()):
            rows = sum(made[path].rows for path in paths)
            if group and size + rows > self._most:
                yield group
                group, size = [], 0
            group += paths
            size += rows
        if group:
            yield group

    def _expose(
        self, engine: duckdb.DuckDBPyConnection, made: Mapping[Path, str | None], theirs: Sequence[str]
    ) -> None:
        """Views of the rows: `mine` of new files, `known` of the table's."""
        by, key = self._table.partition_by, self._key
        names = [str(path) for path in made]
        files = {
            "filename": pa.array(names, pa.string()),
            "file": pa.arange(0, len(names)),
            "partition": pa.array(made.values(), pa.string()),
        }
        engine.register("files", pa.table(files))
        listed = ", ".join(map(literal, names))
        engine.execute(f"""
            CREATE OR REPLACE VIEW mine AS SELECT *, hash(partition, {key}) AS hash
            FROM read_parquet([{listed}], filename = true, file_row_number = true, hive_partitioning = false)
            JOIN files USING (filename)""")
        expose(engine, "theirs", self._table, [self._table.storage.locate(name) for name in theirs])
        partition = f"{by}::VARCHAR" if by else "NULL::VARCHAR"
        engine.execute(f"""
            CREATE OR REPLACE VIEW known AS SELECT *, hash(partition, {key}) AS hash
            FROM (SELECT {partition} AS partition, {key} FROM theirs)""")

    def _turn(self, engine: duckdb.DuckDBPyConnection, where: str, *, once: bool) -> Iterator[tuple[int, pa.Array]]:
        """Numbers of rows to take out with the number of their file, of the rows whose hashes meet a condition."""
        key = self._key
        engine.execute(f"CREATE OR REPLACE TEMP TABLE hashes AS SELECT hash FROM mine WHERE {where}")
        twice = (
            "SELECT hash FROM hashes GROUP BY hash HAVING count(*) > 1"
            if once
            else "SELECT 0::UBIGINT AS hash WHERE false"
        )
        engine.execute(f"""
            CREATE OR REPLACE TEMP TABLE doubtful AS
            {twice} UNION
            SELECT hash FROM (SELECT hash FROM known WHERE {where}) SEMI JOIN hashes USING (hash)""")
        if not engine.execute("SELECT count(*) FROM doubtful").fetchall()[0][0]:
            return
        extra = engine.sql(f"""
            WITH suspects AS (
                SELECT partition, {key}, file, file_row_number, ordinal, evidence_record
                FROM mine JOIN ordinals USING (evidence) WHERE hash IN (FROM doubtful)),
            numbered AS (SELECT *, row_number() OVER (
                PARTITION BY partition, {key} ORDER BY ordinal, evidence_record, file, file_row_number) AS n
                FROM suspects),
            there AS (SELECT DISTINCT partition, {key}, true AS there FROM known WHERE hash IN (FROM doubtful))
            SELECT file, file_row_number FROM numbered
            LEFT JOIN there ON {self._same("numbered", "there")}
            WHERE there.there OR {"n > 1" if once else "false"}
            ORDER BY ALL""")
        for batch in extra.to_arrow_reader(_TOLD):
            for file in pc.unique(batch["file"]).to_pylist():
                yield file, batch.filter(pc.equal(batch["file"], file))["file_row_number"]

    def _same(self, left: str, right: str) -> str:
        columns = ["partition", *self._key.split(", ")]
        return " AND ".join(f"{left}.{name} IS NOT DISTINCT FROM {right}.{name}" for name in columns)
