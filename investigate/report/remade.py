"""The events of a bundle, made again from their evidence: what was changed in a column and not in the record shows.

An acquisition is read whole, as when it was taken in: what its other files say may decide how one is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from investigate.events import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import duckdb
    import pyarrow as pa

_NAMES: Final = ", ".join(COLUMNS)
_KEY: Final = "evidence, evidence_record, event_uid"
_MOST: Final = 20
"""So many events are named whose columns differ."""


class Remade:
    """Events made again, to be held against those of the view `events`.

    Args:
        connection: where that view is.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._run = connection
        self._run.execute(f"CREATE TEMP TABLE wanted AS SELECT DISTINCT {_KEY} FROM events")
        self._run.execute(f"CREATE TEMP TABLE made AS SELECT {_NAMES} FROM events WHERE false")

    def add(self, tables: Iterable[pa.Table]) -> None:
        """Take what an acquisition's records become; of it, what the bundle has."""
        for table in tables:
            self._run.register("batch", table)
            self._run.execute(f"INSERT INTO made SELECT {_NAMES} FROM batch SEMI JOIN wanted USING ({_KEY})")
            self._run.unregister("batch")

    def differing(self, files: Sequence[str]) -> tuple[int, list[str]]:
        """How many events of these files no record of theirs becomes; of the first, a sentence each, column by column.

        An event that is there twice counts once: see `Proof.distinct`.
        """
        fresh = [f"CASE WHEN odd.{name} IS DISTINCT FROM made.{name} THEN '{name}' END" for name in COLUMNS]
        odd = f"""CREATE OR REPLACE TEMP TABLE odd AS
            SELECT {_NAMES} FROM events WHERE evidence IN (SELECT unnest($files)) EXCEPT SELECT {_NAMES} FROM made"""
        self._run.execute(odd, {"files": list(files)})
        ((count,),) = self._run.execute("SELECT count(*) FROM odd").fetchall()
        query = f"""
            SELECT odd.event_uid, made.event_uid IS NOT NULL,
                   list_filter([{", ".join(fresh)}], lambda name: name IS NOT NULL)
            FROM odd LEFT JOIN made USING ({_KEY}) ORDER BY odd.time, odd.event_uid LIMIT {_MOST}"""
        found = self._run.execute(query).fetchall()
        return count, [
            f"Event {uid} has another {', '.join(names)} than its record gives."
            if known
            else f"The record of event {uid} gives no event of this id."
            for uid, known, names in found
        ]
