"""The query a profile compiles to, run on one engine; for a flexible profile, the query grows with what is met."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from investigate.events import UNKNOWN
from investigate.normalise.profile import Column
from investigate.normalise.sql import Compiled
from investigate.normalise.survey import SAMPLE, Decision, survey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from investigate.normalise.profile import Profile

_SURVEYS: Final = 20
"""How often a file whose records change their form is looked at again."""


class Plan:
    """Runs a profile over raw records.

    Args:
        profile: how to read them.
        tenant: the tenant of events whose record names none.
        memory: what the engine may use, in bytes.
    """

    def __init__(self, profile: Profile, tenant: str | None, memory: int) -> None:
        self._given, self._tenant = profile, tenant
        self._connection = duckdb.connect(
            config={"memory_limit": f"{memory // 2**20}MiB", "autoinstall_known_extensions": "false"}
        )
        self._connection.execute("SET TimeZone = 'UTC'")
        self.decisions: dict[tuple[str, str], Decision] = {}
        self._left = 0
        self._profile = profile
        self._sql = "" if profile.flexible else Compiled(profile, tenant).sql

    def close(self) -> None:
        """Free the engine."""
        self._connection.close()

    def forget(self) -> None:
        """Start on a new file, whose fields may have other names."""
        if self._given.flexible:
            self._sql, self._left = "", _SURVEYS

    def run(self, records: Sequence[bytes], places: Sequence[int]) -> pa.Table:
        """The columns of `Compiled` for these records, which are UTF-8."""
        if not self._given.flexible:
            return self._query(records, places)
        if not self._sql:
            self._adopt(*survey(self._given, records))
        found = self._query(records, places)
        while self._left > 0 and (lost := _lost(found, records, places)):
            self._left -= 1
            if not self._extend(lost):
                break
            found = self._query(records, places)
        return found

    def _extend(self, lost: Sequence[bytes]) -> bool:
        """Also read the fields in which these records keep what was not found; false where they have none."""
        profile, decisions = survey(self._given, lost)
        columns = {
            name: replace(column, paths=tuple(dict.fromkeys((*column.paths, *_column(profile, name).paths))))
            for name, column in self._profile.columns.items()
        }
        if all(columns[name].paths == column.paths for name, column in self._profile.columns.items()):
            return False
        self._adopt(self._profile.with_columns(columns), decisions)
        return True

    def _adopt(self, profile: Profile, decisions: Sequence[Decision]) -> None:
        self._profile, self._sql = profile, Compiled(profile, self._tenant).sql
        for item in decisions:
            self.decisions.setdefault((item.column, item.path), item)

    def _query(self, records: Sequence[bytes], places: Sequence[int]) -> pa.Table:
        batch = pa.table(
            {"raw": pa.array(records, pa.binary()).cast(pa.string()), "place": pa.array(places, pa.int64())}
        )
        self._connection.register("batch", batch)
        try:
            return self._connection.sql(self._sql).to_arrow_table()
        finally:
            self._connection.unregister("batch")


def _column(profile: Profile, name: str) -> Column:
    return profile.columns.get(name, Column())


def _lost(found: pa.Table, records: Sequence[bytes], places: Sequence[int]) -> list[bytes]:
    """The records that lack a time, a who or a what."""
    missing = pc.or_(pc.equal(found["actor"], UNKNOWN), pc.is_null(found["resource"]))
    missing = pc.and_(pc.or_(missing, pc.is_null(found["time"])), found["is_object"])
    lost = set(found.filter(missing)["place"].to_pylist())
    chosen = [record for record, place in zip(records, places, strict=True) if place in lost]
    return chosen[:: max(1, len(chosen) // SAMPLE)]
