"""Text as numbers: the place of a value among all that are there, so that who compares two compares their places."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from investigate.lake import copies
from investigate.lake.parquet import leaf
from investigate.lake.portions import date_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from investigate.lake.table import Table

FEW: Final = 200_000
"""A column with no more values than these comes as numbers."""
_ROWS: Final = 2**16
"""Rows whose values are looked up at once ..."""
_BYTES: Final = 8 * 2**20
"""... unless fewer take so much memory."""
_NEW: Final = 2**14
"""So many values, or as many as are known, are waited for before it is seen which of them are new."""
_CODE: Final = pa.int32()


@dataclass(frozen=True)
class Files:
    """Some columns of files of one table.

    Attributes:
        table: which; of a partitioned one, the partition's value stands in the files' names alone.
        names: of the files, below the table's root.
        columns: that are read.
        alike: columns whose values are numbered with those of another one, by name.
        copies: of some of the files, which are read in their place; see `copies`.
    """

    table: Table
    names: Sequence[str]
    columns: Sequence[str]
    alike: Mapping[str, str] = field(default_factory=dict)
    copies: Mapping[str, Path] = field(default_factory=dict)

    @property
    def texts(self) -> dict[str, str]:
        """The columns of text, or of lists of text, and whose values each is numbered with."""
        fields = [self.table.schema.field(name) for name in self.columns]
        return {one.name: self.alike.get(one.name, one.name) for one in fields if _is_text(one.type)}

    def groups(self, columns: Sequence[str]) -> Iterator[tuple[str, pa.Table]]:
        """Those of the columns that the files hold: for each row group the file's name, and texts as dictionaries."""
        schema = self.table.schema
        leaves = [leaf(schema.field(name)) for name in self.texts]
        for name in self.names:
            if name in self.copies:
                yield from ((name, rows) for rows in copies.read(self.copies[name], columns))
                continue
            with closing(self.table.storage.parquet(name, leaves)) as file:
                for group in range(file.num_row_groups):
                    yield name, file.read_row_group(group, columns=list(columns), use_threads=False)


def numbered(parts: Iterable[Files], memory: int) -> dict[str, pa.Array]:
    """Of each column of text with few values, these, in ascending order: a value's place stands for it.

    Args:
        parts: where the values stand.
        memory: what all of them may take, in bytes; of the columns that take the most none are given then.

    Raises:
        OSError, pa.ArrowException: a file cannot be read.
    """
    found: dict[str, _Values] = {}
    for part in parts:
        for called in part.texts.values():
            found.setdefault(called, _Values())
        for file in part.names:
            wanted = [name for name, called in part.texts.items() if not found[called].many]
            for _, rows in replace(part, names=[file]).groups(wanted):
                for name in rows.column_names:
                    for chunk in rows[name].chunks:
                        found[part.texts[name]].add(_words(chunk).dictionary)
                _keep_to(found.values(), memory)
    for values in found.values():
        values.settle()
    return {name: values.in_order() for name, values in found.items() if not values.many}


def as_codes(part: Files, codes: Mapping[str, pa.Array], days: tuple[date, date] | None = None) -> pa.RecordBatchReader:
    """The rows of some files, with the places of values instead of them; to be read once.

    Args:
        part: which; their values are among the codes.
        codes: as from `numbered`.
        days: the first and the last that count, of the column `date`; None: all.

    Returns:
        The columns of `part`, text as int32, or as it is where there are no codes for it.
    """
    fields = []
    for name in part.columns:
        one = part.table.schema.field(name)
        if part.texts.get(name) in codes:
            one = one.with_type(pa.list_(_CODE) if pa.types.is_list(one.type) else _CODE)
        fields.append(one)
    schema = pa.schema(fields)
    return pa.RecordBatchReader.from_batches(schema, _batches(part, codes, schema, days))


def _keep_to(found: Collection[_Values], memory: int) -> None:
    """See that values take no more memory, in bytes.

    Once they would, no more than half is kept: with less room for new ones they would be settled again and again.
    """
    if sum(values.bytes for values in found) <= memory:
        return
    for values in found:
        values.settle()
    while sum(values.bytes for values in found) > memory // 2:
        max(found, key=lambda values: values.bytes).give_up()


class _Values:
    """The values of a column, as they come.

    Attributes:
        bytes: what they take.
        many: whether there are so many that nobody wants to know them; none are kept then.
    """

    def __init__(self) -> None:
        self._known = pa.array([], pa.string())
        self._new: list[pa.Array] = []
        self._size = self.bytes = 0
        self.many = False

    def add(self, values: pa.Array) -> None:
        """Take some, which may be known."""
        if self.many:
            return
        self._new.append(pa.concat_arrays([values, self._known[:0]]))  # a copy: theirs may have far more room
        self._size += len(values)
        self.bytes += values.nbytes
        if self._size > max(len(self._known), _NEW):
            self.settle()

    def in_order(self) -> pa.Array:
        """Each of them once, ascending, once they are settled."""
        return self._known.take(pc.sort_indices(self._known))

    def give_up(self) -> None:
        """They are too many."""
        self._known, self._new = self._known.slice(0, 0), []
        self._size = self.bytes = 0
        self.many = True

    def settle(self) -> None:
        """Keep each of them once."""
        self._known = pc.unique(pa.chunked_array([self._known, *self._new], pa.string()))
        self._new, self._size, self.bytes = [], 0, self._known.nbytes
        if len(self._known) > FEW:
            self.give_up()


def _batches(
    part: Files, codes: Mapping[str, pa.Array], schema: pa.Schema, days: tuple[date, date] | None
) -> Iterator[pa.RecordBatch]:
    by = part.table.partition_by
    waiting: list[tuple[str, pa.Table]] = []
    rows = size = 0
    for found in part.groups([name for name in part.columns if name != by]):
        waiting.append(found)
        rows += len(found[1])
        size += found[1].nbytes
        if rows >= _ROWS or size >= _BYTES:
            yield from _of_groups(part, codes, schema, waiting, days)
            waiting, rows, size = [], 0, 0
    yield from _of_groups(part, codes, schema, waiting, days)


def _of_groups(
    part: Files,
    codes: Mapping[str, pa.Array],
    schema: pa.Schema,
    groups: Sequence[tuple[str, pa.Table]],
    days: tuple[date, date] | None,
) -> Iterator[pa.RecordBatch]:
    """Some row groups; their values are looked up in one go, for each look-up begins with reading all codes."""
    columns = []
    for one in schema:
        if one.name == part.table.partition_by:
            found = [pa.repeat(date_of(name), len(rows)) for name, rows in groups]
        else:
            found = [rows[one.name].combine_chunks() for _, rows in groups]
        if one.name in part.texts and groups:
            found = _looked_up(found, codes.get(part.texts[one.name]))
        columns.append([column.cast(one.type) for column in found])
    for rows in zip(*columns, strict=True):
        batch = pa.RecordBatch.from_arrays(list(rows), schema=schema)
        if days:
            at = batch["date"]
            batch = batch.filter(pc.and_(pc.greater_equal(at, days[0]), pc.less_equal(at, days[1])))
        yield batch


def _looked_up(columns: Sequence[pa.Array], codes: pa.Array | None) -> list[pa.Array]:
    """The places of all values, in lists where these stand in lists; without codes the values themselves."""
    words = [_words(column) for column in columns]
    if codes is None:
        found = [word.cast(pa.string()) for word in words]
    else:
        unified = pa.chunked_array(words).unify_dictionaries().chunks
        places = pc.index_in(unified[0].dictionary, value_set=codes)
        found = [places.take(word.indices) for word in unified]
    return [
        pa.ListArray.from_arrays(column.offsets, values, mask=column.is_null())
        if pa.types.is_list(column.type)
        else values
        for column, values in zip(columns, found, strict=True)
    ]


def _words(column: pa.Array) -> pa.DictionaryArray:
    """The texts of a column, or those that stand in its lists."""
    return column.values if pa.types.is_list(column.type) else column


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or (pa.types.is_list(kind) and pa.types.is_string(kind.value_type)))
