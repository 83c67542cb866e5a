"""Records to columns on one DuckDB of one thread: each record parsed once, each value that comes again derived once."""

from __future__ import annotations

import atexit
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Self

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from investigate.normalise.sql import Compiled, Derived

_HELD: Final = 32 * 2**20
"""So many bytes of derived values an engine remembers, those of all columns together; about a batch more at times."""
_ENTRY: Final = 200
"""Bytes that Python takes for one of them, besides its letters."""
GAVE_UP: Final = (duckdb.Error, UnicodeDecodeError)
"""What a query raises; its message may quote a record up to the middle of a letter, and then cannot be read itself."""
_NO_JSON: Final = (duckdb.InvalidInputException, UnicodeDecodeError)
"""The same for a record that is no JSON."""
_AMPLE: Final = Lock()
_SPARE: Final[dict[int, Engine]] = {}
"""By process: one that was let go of. To start it, and to plan its queries, takes longer than a small file."""
_QUERIES: Final = 100
"""So many are kept ready."""
_LARGE: Final = 2_000
"""From so many records on, the query for their values is planned anew each time."""
_SHORTEST_INSTANT: Final = len("2026-11-03T10:00:00Z")
_FIRST_YEAR: Final = pa.scalar(-62_135_596_800_000_000, pa.timestamp("us", "UTC"))
_INSTANT: Final = pa.timestamp("us", "UTC")
_ESCAPE: Final = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


@dataclass(frozen=True)
class _Coded:
    """A column as numbers of its values, one of which may be None; a value may have several."""

    codes: pa.Array
    values: list[Any]

    @classmethod
    def of(cls, column: pa.Array) -> Self:
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        found = column.dictionary_encode(null_encoding="encode")
        return cls(found.indices, found.dictionary.to_pylist())

    def or_else(self, default: str) -> Self:
        """The same with a default in place of None."""
        return type(self)(self.codes, [default if value is None else value for value in self.values])

    def column(self) -> pa.DictionaryArray:
        """The column, with each value once."""
        numbers: dict[str, int] = {}
        places = [None if value is None else numbers.setdefault(value, len(numbers)) for value in self.values]
        codes = pa.array(places, pa.int32()).take(self.codes)
        return pa.DictionaryArray.from_arrays(codes, pa.array(numbers, pa.string()))


class _Source:
    """What a query reads: the table it is run over."""

    def __init__(self, schema: pa.Schema) -> None:
        self.table: pa.Table | None = None
        self._empty = schema.empty_table()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        table = self._empty if self.table is None else self.table
        return table.__arrow_c_stream__(requested_schema)


class _Query:
    """A query over `batch`, ready to be run again."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, name: str, sql: str, source: _Source) -> None:
        self._connection, self._name, self.source = connection, name, source
        connection.register(f"batch_{name}", source)
        self._text = f"WITH batch AS (SELECT * FROM batch_{name}) SELECT * FROM ({sql}) AS result"
        connection.execute(f"PREPARE {name} AS {self._text}")

    def planned_once(self) -> pa.Table:
        """The result, which for many a query takes less time than its plan."""
        return self._connection.sql(f"EXECUTE {self._name}").to_arrow_table()

    def planned_anew(self) -> pa.Table:
        """The same, not kept once more on its way out: better for many rows of many columns and a short plan."""
        return self._relation.to_arrow_table()

    @cached_property
    def _relation(self) -> duckdb.DuckDBPyRelation:
        return self._connection.sql(self._text)

    def forget(self) -> None:
        self._connection.execute(f"DEALLOCATE {self._name}")
        self._connection.unregister(f"batch_{self._name}")


class Engine:
    """Runs compiled profiles; one thread at a time.

    Args:
        memory: what it may use, in bytes.
        ample: what it may use instead while no other engine does.
    """

    def __init__(self, memory: int, ample: int) -> None:
        self._connection = duckdb.connect(config={"threads": 1, "autoinstall_known_extensions": "false"})
        self.bound(memory, ample)
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("SET enable_progress_bar = false")  # it goes to standard output, among results
        self._queries: dict[tuple[str, pa.Schema], _Query] = {}
        self._remembered: dict[str, dict[tuple[Any, ...], Any]] = {}
        self._held = 0

    @classmethod
    def ready(cls, memory: int, ample: int) -> Self:
        """As a new one, though it may have been used before."""
        spare = _SPARE.pop(os.getpid(), None)
        if not isinstance(spare, cls):
            return cls(memory, ample)
        spare.bound(memory, ample)
        return spare

    def close(self) -> None:
        """Let go of it."""
        try:
            self._connection.execute("SELECT 1")  # an engine that broke down takes no query more
        except duckdb.Error:
            self._connection.close()
            return
        if _SPARE.setdefault(os.getpid(), self) is not self:
            self._connection.close()

    def bound(self, memory: int, ample: int) -> None:
        """Hold it to other bounds, those of `Engine`."""
        self._usual, self._ample = (f"{size // 2**20}MiB" for size in (memory, max(memory, ample)))
        self._connection.execute(f"SET memory_limit = '{self._usual}'")

    @contextmanager
    def ample(self) -> Iterator[None]:
        """For a record that is too long for what an engine may use among others."""
        with _AMPLE:
            self._connection.execute(f"SET memory_limit = '{self._ample}'")
            try:
                yield
            finally:
                self._connection.execute(f"SET memory_limit = '{self._usual}'")

    def run(self, compiled: Compiled, batch: pa.Table) -> pa.Table:
        """The events of some records.

        Args:
            compiled: how to read them.
            batch: `row` (int64, ascending), `raw` (string), and columns to be passed on.

        Returns:
            The batch's columns, `part`, `is_object`, `uid`, `time_text`, `time` (null where it must be read by slower
            means) and the canonical columns that a record decides.

        Raises:
            GAVE_UP: the engine gives up, for want of memory as a rule.
        """
        found = self._events(compiled, batch, batch["raw"])
        # JSON allows an escape that is half a surrogate pair, the engine refuses it; `raw` keeps it.
        bad = found.filter(pc.invert(found["is_object"]))
        again = {row: mended(raw) for row, raw in zip(bad["row"].to_pylist(), bad["raw"].to_pylist(), strict=True)}
        again = {row: text for row, text in again.items() if text is not None}
        if not again:
            return found
        rows = pa.array(list(again), pa.int64())
        part = batch.filter(pc.is_in(batch["row"], rows))
        renewed = self._events(compiled, part, pa.array(again.values(), pa.string()))
        kept = found.filter(pc.invert(pc.is_in(found["row"], rows)))
        return pa.concat_tables([kept, renewed]).sort_by([("row", "ascending"), ("part", "ascending")])

    def _events(self, compiled: Compiled, batch: pa.Table, texts: pa.ChunkedArray | pa.Array) -> pa.Table:
        values = self._values(compiled, pa.table({"row": batch["row"], "text": texts}))
        if values.num_rows != batch.num_rows or not values["row"].equals(batch["row"]):
            batch = batch.take(pc.index_in(values["row"], value_set=batch["row"].combine_chunks()))
        columns = {"part": values["part"].combine_chunks()}
        for name in compiled.names:
            value = values[name].combine_chunks()
            columns[name] = value if name in compiled.verbatim else _unless_empty(value)
        columns |= self._in_each(compiled, columns)
        coded: dict[str, _Coded] = {}
        for column in compiled.derived:
            columns[column.name] = self._derived(column, columns, coded, batch["raw"])
        columns["time"] = self._times(compiled, columns["time_text"])
        given = {name: batch[name] for name in batch.column_names}
        made = {name: column for name, column in columns.items() if name not in compiled.names}
        return pa.table({**given, "is_object": values["is_object"], **made})

    def _values(self, compiled: Compiled, texts: pa.Table) -> pa.Table:
        try:
            return self.select(compiled.values, texts, anew=texts.num_rows >= _LARGE)
        except _NO_JSON:  # to be ready for that copies all that is found
            return self.select(compiled.values_of_any, texts)

    def select(self, sql: str, batch: pa.Table, *, anew: bool = False) -> pa.Table:
        """The result of a query over `batch`, in its order; see `_Query` for the two ways to it."""
        if (sql, batch.schema) not in self._queries:
            self._queries[sql, batch.schema] = self._query(sql, batch.schema)
        query = self._queries[sql, batch.schema]
        query.source.table = batch
        try:
            return query.planned_anew() if anew else query.planned_once()
        finally:
            query.source.table = None

    def _query(self, sql: str, schema: pa.Schema) -> _Query:
        if len(self._queries) >= _QUERIES:
            for query in self._queries.values():
                query.forget()
            self._queries.clear()
        return _Query(self._connection, f"query_{len(self._queries)}", sql, _Source(schema))

    def _in_each(self, compiled: Compiled, columns: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
        names = compiled.in_each_needs or ("part",)
        found = self.select(compiled.in_each, pa.table({name: columns[name] for name in names}))
        return {name: found[name].combine_chunks() for name in found.column_names}

    def _derived(
        self, column: Derived, columns: Mapping[str, pa.Array], coded: dict[str, _Coded], raw: pa.ChunkedArray
    ) -> pa.Array:
        if not column.needs:
            found = pa.nulls(len(raw), pa.string())
        elif column.plain:
            found = columns[column.sql]
        else:
            of_values = self._of_values(column, columns, coded)
            if column.default is not None and not column.search:
                of_values = of_values.or_else(column.default)
            coded[column.name] = of_values
            found = of_values.column()
        if column.search and found.null_count:
            left = pc.is_null(found)
            rest = self.select(f"SELECT {column.search} AS found FROM batch", pa.table({"raw": raw.filter(left)}))
            found = pc.replace_with_mask(found.cast(pa.string()), left, rest["found"].combine_chunks())
            coded.pop(column.name, None)
        if column.default is not None and found.null_count:
            found = found.fill_null(column.default)
            coded.pop(column.name, None)
        # Of one type, whether or not anything was left to look for: what is read again joins the others.
        return found.dictionary_encode() if column.search and not pa.types.is_dictionary(found.type) else found

    def _of_values(self, column: Derived, columns: Mapping[str, pa.Array], coded: dict[str, _Coded]) -> _Coded:
        """The column for each combination of values that it is computed from, once."""
        for name in column.needs:
            if name not in coded:
                coded[name] = _Coded.of(columns[name])
        codes, distinct = _combined([coded[name] for name in column.needs])
        if self._held > _HELD:
            self._remembered.clear()
            self._held = 0
        known = self._remembered.setdefault(column.sql, {})
        unseen = list(dict.fromkeys(values for values in distinct if values not in known))
        if unseen:
            rows = {name: [values[at] for values in unseen] for at, name in enumerate(column.needs)}
            table = pa.table({name: pa.array(values, columns[name].type) for name, values in rows.items()})
            found = self.select(f"SELECT {column.sql} AS found FROM batch", table)
            known.update(zip(unseen, found["found"].to_pylist(), strict=True))
            self._held += table.nbytes + found.nbytes + _ENTRY * len(unseen)
        return _Coded(codes, [known[values] for values in distinct])

    def _times(self, compiled: Compiled, texts: pa.Array) -> pa.Array:
        """The instants; where all are written in the one common form, without asking the engine."""
        lengths = pc.min(pc.binary_length(texts)).as_py()
        if lengths is not None and lengths >= _SHORTEST_INSTANT and pc.all(pc.ends_with(texts, "Z")).as_py():
            try:
                times = pc.cast(texts, _INSTANT)
            except pa.ArrowInvalid:
                pass
            else:
                if pc.all(pc.greater_equal(times, _FIRST_YEAR)).as_py():
                    return times
        found = self.select(f"SELECT {compiled.time}", pa.table({"time_text": texts}))
        return found.column(0).combine_chunks().cast(_INSTANT)


@atexit.register
def _end() -> None:
    _SPARE.pop(os.getpid(), None)


def mended(raw: str) -> str | None:
    """The record with U+FFFD for each half of a surrogate pair, None where it has none."""
    text = _ESCAPE.sub(lambda found: "\\ufffd" if found["lone"] else found[0], raw)
    return text if text != raw else None


def _unless_empty(texts: pa.Array) -> pa.Array:
    """Null for an empty text."""
    empty = pc.equal(texts, "")
    return pc.if_else(empty, None, texts) if pc.any(empty).as_py() else texts


def _combined(columns: Sequence[_Coded]) -> tuple[pa.Array, list[tuple[Any, ...]]]:
    """For each row the number of its combination of values, and the combinations."""
    codes, distinct = columns[0].codes, [(value,) for value in columns[0].values]
    for column in columns[1:]:
        size = len(column.values)
        both = pc.add(pc.multiply(codes.cast(pa.int64()), size), column.codes.cast(pa.int64())).dictionary_encode()
        pairs = [divmod(code, size) for code in both.dictionary.to_pylist()]
        codes, distinct = both.indices, [(*distinct[before], column.values[at]) for before, at in pairs]
    return codes, distinct
