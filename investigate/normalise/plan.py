"""The query a profile compiles to, run on one engine; for a flexible profile, the query grows with what is met."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from investigate.errors import ProfileError
from investigate.events import UNKNOWN
from investigate.normalise.paths import literal, pointer
from investigate.normalise.profile import Column
from investigate.normalise.sql import Compiled
from investigate.normalise.survey import SAMPLE, Decision, survey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from investigate.normalise.paths import Path
    from investigate.normalise.profile import Profile

_SURVEYS: Final = 20
"""How often a file whose records change their form is looked at again."""

_ESCAPE: Final = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


class Plan:
    """Runs a profile over raw records.

    Args:
        profile: how to read them.
        tenant: the tenant of events whose record names none.
        memory: what the engine may use, in bytes.

    Raises:
        ProfileError: the engine does not take it.
    """

    def __init__(self, profile: Profile, tenant: str | None, memory: int) -> None:
        self._given, self._tenant = profile, tenant
        self._connection = duckdb.connect(
            config={"memory_limit": f"{memory // 2**20}MiB", "autoinstall_known_extensions": "false"}
        )
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("SET enable_progress_bar = false")  # it goes to standard output, among results
        self.decisions: dict[tuple[str, str], Decision] = {}
        self._left = 0
        self._profile = profile
        self._met: set[Path] = set()
        self._sql = Compiled(_one_path_each(profile) if profile.flexible else profile, tenant).sql
        try:
            self._query(pa.table({"row": pa.array([0], pa.int64()), "raw": ["{}"]}))
        except duckdb.Error as error:
            self.close()
            raise ProfileError(f"Profile {profile.name}: {error}.", "Correct its patterns.") from error
        self.forget()

    def close(self) -> None:
        """Free the engine."""
        self._connection.close()

    def forget(self) -> None:
        """Start on new files, whose fields may have other names."""
        if self._given.flexible:
            self._sql, self._left, self._met = "", _SURVEYS, set()

    def next_file(self) -> None:
        """A new file begins, whose fields may have other names: what does not fit will be looked at again."""
        if self._given.flexible:
            self._left = _SURVEYS

    def run(self, batch: pa.Table) -> pa.Table:
        """The columns of `Compiled` for these records.

        Args:
            batch: `row` (int64, ascending), `raw` (string), and columns to be passed on.

        Raises:
            duckdb.Error: the engine gives up, for want of memory as a rule.
        """
        if self._given.flexible and not self._sql:
            self._adopt(*survey(self._given, _texts(batch)))
        found = self._query(batch)
        while self._left > 0 and (lost := _lost(found, batch)):
            self._left -= 1
            if not self._extend(lost):
                break
            found = self._query(batch)
        return self._mended(found, batch)

    def parts(self, records: pa.ChunkedArray) -> pa.Array:
        """How many events each record holds, int64."""
        explode = self._given.explode
        if explode is None:
            return pa.repeat(pa.scalar(1, pa.int64()), len(records))
        size = f"try(json_array_length(raw, {literal(pointer(explode.scalar))}))"
        sql = f"SELECT greatest(coalesce({size}, 1), 1)::BIGINT AS parts FROM batch"
        return self._select(sql, pa.table({"raw": records}))["parts"].combine_chunks()

    def _extend(self, lost: Sequence[bytes]) -> bool:
        """Also read the fields in which these records keep what was not found; false where they have none."""
        profile, decisions, met = survey(self._given, lost, met=self._met)
        columns = {
            name: replace(column, paths=tuple(dict.fromkeys((*column.paths, *_column(profile, name).paths))))
            for name, column in self._profile.columns.items()
        }
        if all(columns[name].paths == column.paths for name, column in self._profile.columns.items()):
            return False
        self._adopt(self._profile.with_columns(columns), decisions, met)
        return True

    def _adopt(self, profile: Profile, decisions: Sequence[Decision], met: set[Path]) -> None:
        self._profile, self._sql = profile, Compiled(profile, self._tenant).sql
        self._met |= met
        for item in decisions:
            self.decisions.setdefault((item.column, item.path), item)

    def _mended(self, found: pa.Table, batch: pa.Table) -> pa.Table:
        """What was found, and the records with half a surrogate pair read again without it.

        JSON allows such an escape, the engine refuses it; `raw` keeps it.
        """
        bad = found.filter(pc.invert(found["is_object"]))
        again = {row: mended(raw) for row, raw in zip(bad["row"].to_pylist(), bad["raw"].to_pylist(), strict=True)}
        again = {row: text for row, text in again.items() if text is not None}
        if not again:
            return found
        rows = pa.array(list(again), pa.int64())
        renewed = self._query(batch.filter(pc.is_in(batch["row"], rows)), pa.array(again.values(), pa.string()))
        kept = found.filter(pc.invert(pc.is_in(found["row"], rows)))
        return pa.concat_tables([kept, renewed]).sort_by([("row", "ascending"), ("part", "ascending")])

    def _query(self, batch: pa.Table, texts: pa.Array | None = None) -> pa.Table:
        return self._select(self._sql, batch.append_column("text", batch["raw"] if texts is None else texts))

    def _select(self, sql: str, batch: pa.Table) -> pa.Table:
        self._connection.register("batch", batch)
        try:
            return self._connection.sql(sql).to_arrow_table()
        finally:
            self._connection.unregister("batch")


def _one_path_each(profile: Profile) -> Profile:
    """A flexible profile without most of the names it only tries: enough to see whether the engine takes it."""
    return profile.with_columns(
        {name: replace(column, paths=column.paths[:1]) for name, column in profile.columns.items()}
        | {name: profile.columns[name] for name in profile.pinned}
    )


def mended(raw: str) -> str | None:
    """The record with U+FFFD for each half of a surrogate pair, None where it has none."""
    text = _ESCAPE.sub(lambda found: "\\ufffd" if found["lone"] else found[0], raw)
    return text if text != raw else None


def _texts(batch: pa.Table) -> list[bytes]:
    """A sample of the records, evenly spread."""
    step = max(1, batch.num_rows // SAMPLE)
    chosen = batch["raw"].take(pa.array(range(0, batch.num_rows, step), pa.int64()))
    return [text.encode() for text in chosen.to_pylist()]


def _column(profile: Profile, name: str) -> Column:
    return profile.columns.get(name, Column())


def _lost(found: pa.Table, batch: pa.Table) -> list[bytes]:
    """A sample of the records that lack a time, a who or a what."""
    missing = pc.or_(pc.equal(found["actor"], UNKNOWN), pc.is_null(found["resource"]))
    missing = pc.and_(pc.or_(missing, pc.is_null(found["time"])), found["is_object"])
    return _texts(batch.filter(pc.is_in(batch["row"], found.filter(missing)["row"].combine_chunks())))
