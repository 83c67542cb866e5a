"""A large table in ranges that follow each other in an order, so that each is sorted by itself within memory."""

from __future__ import annotations

from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb

_SAMPLE: Final = 20_000
"""Rows that are looked at to find where ranges begin."""
_FINER: Final = 1.25
"""So many times as many ranges as needed are cut: a sample does not hit the middle, and each costs a reading of all."""

Range = tuple[str, list[Any]]
"""A condition, and the values of its parameters."""


def ranges(
    connection: duckdb.DuckDBPyConnection, table: str, order: Sequence[str], most: int, within: Range = ("true", [])
) -> Iterator[Range]:
    """Conditions that together hold for every row once, in order, nulls last; each for about so many rows at most.

    Args:
        connection: where the table is.
        table: its name.
        order: columns that rows are sorted by.
        most: rows of a range. One whose rows are alike in all of these columns may have more.
        within: rows that count.
    """
    where, values = within
    ((rows,),) = connection.execute(f"SELECT count(*) FROM {table} WHERE {where}", values).fetchall()
    if rows <= most or not order:
        yield within
        return
    lead, rest = order[0], order[1:]
    drawn = f"SELECT {lead} FROM {table} WHERE {where} AND {lead} IS NOT NULL"
    sample = connection.execute(f"SELECT * FROM ({drawn}) USING SAMPLE {_SAMPLE} ROWS ORDER BY 1", values).fetchall()
    parts = ceil(_FINER * rows / most)
    cuts = [sample[len(sample) * number // parts][0] for number in range(1, parts)] if sample else []
    often = {cut for cut, following in pairwise(cuts) if cut == following}
    for text, bounds, alike in _pieces(lead, sorted(set(cuts)), often):
        piece = (f"{where} AND {text}", [*values, *bounds])
        if alike:
            yield from ranges(connection, table, rest, most, piece)
        else:
            yield piece


def _pieces(lead: str, cuts: Sequence[Any], often: set[Any]) -> Iterator[tuple[str, list[Any], bool]]:
    """Conditions on a column, their values, and whether all rows are alike in it."""
    if cuts:
        yield f"{lead} < ?", [cuts[0]], False
    for number, cut in enumerate(cuts):
        following = cuts[number + 1 : number + 2]
        until = f" AND {lead} < ?" if following else ""
        if cut in often:
            yield f"{lead} = ?", [cut], True
        yield f"{lead} {'>' if cut in often else '>='} ?{until}", [cut, *following], False
    yield f"{lead} IS NULL", [], True
