"""The rows of a run as files, in each order of `touches`: some are sorted within memory while others are written."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from investigate.lake.beside import beside_each_other
from investigate.lake.ranges import ranges
from investigate.lake.touches import kept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import duckdb
    from deltalake.transaction import AddAction

    from investigate.lake.scratch import Scratch
    from investigate.lake.table import Table
    from investigate.lake.touches import Order

_SORTED: Final = 1_200
"""So many rows are sorted at once in one MiB of memory, and by the square of it in more: of each part that fits into
memory a block must do so, too. Measured: 8 million in 85 MiB pass, 16 million run out."""
_WRITERS: Final = 2
"""So many files are in hand at a time: of one the rows are sorted while another is written."""
_FILE: Final = 2**17
"""Rows a file: a look-up reads the footer of one, and of that one or two row groups."""
_IN_HAND: Final = 24 * 2**20
"""Bytes of its rows, after which a file is no longer."""

_Added = tuple["Order", "AddAction"]


def in_orders(
    scratch: Scratch,
    connection: duckdb.DuckDBPyConnection,
    codes: Mapping[str, pa.Array],
    tables: Mapping[Order, Table],
    names: str,
    memory: int,
) -> list[_Added]:
    """Put the rows of a table `rows` into some orders' tables, where no snapshot has them yet.

    Args:
        scratch: where files are made.
        connection: with the table `rows`.
        codes: of columns of text, the values whose places `rows` has.
        tables: of the orders.
        names: of the files, with a place for the number of one.
        memory: what sorting may use, in bytes.
    """

    def put(order: Order, number: int, batches: list[pa.RecordBatch]) -> _Added:
        return order, scratch.put(tables[order], names.format(number), batches, {})

    def files() -> Iterator[Callable[[], _Added]]:
        for order in tables:
            rows, numbers = _sorted(connection, order, _sortable(memory)), itertools.count()
            while batches := list(_named(_up_to(rows, _FILE // order.group), codes)):
                yield partial(put, order, next(numbers), batches)
                del batches

    return beside_each_other(files(), _WRITERS, connection.interrupt)


def _sorted(connection: duckdb.DuckDBPyConnection, order: Order, most: int) -> Iterator[pa.RecordBatch]:
    """The table `rows` in an order, a row group at a time, no more than so many rows sorted at once."""
    by = ", ".join(order.sort)
    for where, values in list(ranges(connection, "rows", order.sort, most)):
        part = connection.sql(f"SELECT {kept(order)} FROM rows WHERE {where} ORDER BY {by}", params=values)
        yield from part.to_arrow_reader(order.group)


def _sortable(memory: int) -> int:
    """How many rows an engine sorts at once that may use so many bytes."""
    return int(_SORTED * max(memory / 2**20, 1) ** 2)


def _up_to(rows: Iterator[pa.RecordBatch], most: int) -> Iterator[pa.RecordBatch]:
    """The next batches, no more than so many, and fewer where they take much memory."""
    size = 0
    for batch in itertools.islice(rows, most):
        yield batch
        size += batch.nbytes
        if size >= _IN_HAND:
            return


def _named(batches: Iterable[pa.RecordBatch], codes: Mapping[str, pa.Array]) -> Iterator[pa.RecordBatch]:
    """Batches with values in place of their places."""
    for batch in batches:
        columns = [
            pa.DictionaryArray.from_arrays(batch[name], codes[name]) if name in codes else batch[name]
            for name in batch.schema.names
        ]
        yield pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
