"""From what engines give to what answers hold: equal types, lists of distinct values, identities as one person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import polars as pl

    from investigate.trace.people import Directory

IDENTITY: Final = ("source", "tenant", "actor")
"""What tells one actor from another: its key, and where that key is valid."""
_FEW: Final = 10_000
"""So many values are listed group by group; more of them, list by list, which costs more to begin with."""


def distinct(frame: nw.LazyFrame[Any], *columns: str) -> nw.LazyFrame[Any]:
    """The distinct combinations of some columns, of which null is a value like others.

    By groups: where an engine has no `unique` of its own, narwhals numbers the rows of each, in ten times the time.
    """
    return frame.group_by(*columns).agg(nw.len().alias("rows")).select(*columns)


def tidy(frame: pl.DataFrame) -> pl.DataFrame:
    """Counts as 64-bit integers, whatever width or decimal the engine summed them in."""
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost
    from polars import selectors  # noqa: PLC0415

    return frame.with_columns((selectors.integer() | selectors.decimal()).cast(pl.Int64))


def as_sets(frame: pl.DataFrame, *names: str) -> pl.DataFrame:
    """Lists that hold each value once, sorted, without null; the rows in any order.

    Args:
        frame: whose lists are, in a row, all of one length.
        names: of the lists.
    """
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    alone = pl.col(names[0]).list.len() == 1  # as nearly all are: the rest takes longer, list by list
    some = pl.col(*names).list.filter(pl.element().is_not_null())  # a tenth of the time of `drop_nulls`
    parts = [frame.filter(alone).with_columns(some), frame.filter(~alone).with_columns(some.list.unique().list.sort())]
    return pl.concat(parts)


def by_events(frame: pl.DataFrame, *names: str) -> pl.DataFrame:
    """Rows by events, most first, then by columns in order; one that says the same in every row is passed over."""
    telling = [name for name in names if frame[name].null_count() or frame[name].min() != frame[name].max()]
    return frame.sort("events", *telling, descending=[True, *(False for _ in telling)])


def with_lists(rows: pl.DataFrame, found: pl.DataFrame, keys: Sequence[str], facets: Mapping[str, str]) -> pl.DataFrame:
    """`rows` with the distinct values that `found` has for each, as sorted lists.

    Args:
        rows: one row for each combination of `keys`.
        found: combinations of `keys` and the columns of `facets`.
        keys: columns of both; null equals null.
        facets: name of the list to the column it lists; null is left out.
    """
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    numbered = rows.with_row_index("number")
    whose = tidy(found).join(numbered.select("number", *keys), on=list(keys), how="inner", nulls_equal=True)
    if whose.height <= _FEW:
        some = (pl.col(column).drop_nulls().unique().sort().alias(name) for name, column in facets.items())
        lists = whose.group_by("number").agg(some)
        numbered = numbered.join(lists, on="number", how="left", maintain_order="left")
        return _without_nulls(numbered, facets)
    for name, column in facets.items():
        pairs = whose.select("number", pl.col(column).alias(name)).drop_nulls().unique().sort("number", name)
        lists = pairs.group_by("number", maintain_order=True).agg(name)
        numbered = numbered.join(lists, on="number", how="left", maintain_order="left")
    return _without_nulls(numbered, facets)


def _without_nulls(numbered: pl.DataFrame, lists: Iterable[str]) -> pl.DataFrame:
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    empty = pl.lit([], dtype=pl.List(pl.String))
    return numbered.drop("number").with_columns(pl.col(name).fill_null(empty) for name in lists)


def fold(frame: pl.DataFrame, directory: Directory, keys: Sequence[str] = ()) -> pl.DataFrame:
    """One row for a person in place of one for each of its aliases; a frame without aliases stays as it is.

    Args:
        frame: rows by `source`, `tenant`, `actor` and `keys`.
        directory: who is who; where it is empty, the columns do not change.
        keys: what else tells rows apart.

    Returns:
        The columns of `frame`, of which a person's `actor` is its name, `source` and `tenant` are all of its own, with
        commas, counts are summed, `first` is the earliest and other times and texts the greatest, lists are joined;
        and `aliases` (sorted list of `source/actor`, of a person what was found of it, of others empty).
    """
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    if not directory:
        return frame
    known = [directory.person(source, actor) for source, actor in frame.select("source", "actor").iter_rows()]
    person = pl.Series("person", known, dtype=pl.String)
    marked = frame.with_columns(
        person,
        *(pl.when(person.is_null()).then(pl.col(name)).alias(f"own {name}") for name in IDENTITY),
        pl.when(person.is_not_null()).then(pl.concat_str("source", pl.lit("/"), "actor")).alias("aliases"),
    )
    by = ["person", *(f"own {name}" for name in IDENTITY), *keys]
    rest = [name for name in frame.columns if name not in {*IDENTITY, *keys}]
    folded = marked.group_by(by, maintain_order=True).agg(
        *(pl.col(name).drop_nulls().unique().sort().str.join(", ") for name in ("source", "tenant")),
        pl.col("actor").max(),
        *(_joined(name, frame.schema[name]) for name in rest),
        pl.col("aliases").drop_nulls().unique().sort(),
    )
    named = folded.with_columns(pl.coalesce("person", "actor").alias("actor"))
    return named.select(*frame.columns, "aliases")


def ordered(rows: pl.DataFrame, *by: str | pl.Expr) -> pl.DataFrame:
    """Rows in order, and those that are equal in it by their aliases: a person may be called what an actor is."""
    return rows.sort(*by, *(["aliases"] if "aliases" in rows.columns else []))


def _joined(name: str, kind: pl.DataType) -> pl.Expr:
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    column = pl.col(name)
    if isinstance(kind, pl.List):
        return column.list.explode(keep_nulls=False, empty_as_null=False).drop_nulls().unique().sort()
    if kind.is_integer():
        return column.sum()
    return column.min() if name == "first" else column.max()
