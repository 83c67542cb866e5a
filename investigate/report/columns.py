"""What forms of export have in common, as expressions over the columns of events: times, texts of JSON, objects."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl


def moment(name: str) -> pl.Expr:
    """A time as `investigate.events.iso` writes it: with Z, microseconds only where there are any."""
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    exact = pl.col(name).dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
    return exact.str.replace(".000000Z", "Z", literal=True)


def some(*names: str) -> pl.Expr:
    """The first of these texts that is there and not empty; else null."""
    import polars as pl  # noqa: PLC0415 - see `moment`

    return pl.coalesce(pl.when(pl.col(name) != "").then(pl.col(name)) for name in names)


def quoted(text: pl.Expr | str) -> pl.Expr:
    """A text as JSON has it, quotes and escapes included; null stays null."""
    import polars as pl  # noqa: PLC0415 - see `moment`

    value = pl.col(text) if isinstance(text, str) else text
    bare = pl.struct(x=value).struct.json_encode().str.strip_prefix('{"x":').str.strip_suffix("}")
    return pl.when(value.is_not_null()).then(bare)


def json_object(given: Mapping[str, pl.Expr], **optional: pl.Expr) -> pl.Expr:
    """An object of JSON.

    Args:
        given: values as JSON has them, by name, at least one, none of them null.
        optional: likewise; what is null is left out.
    """
    import polars as pl  # noqa: PLC0415 - see `moment`

    named = [(f"{',' if at else '{'}{json.dumps(name)}:", value) for at, (name, value) in enumerate(given.items())]
    parts = [part for name, value in named for part in (pl.lit(name), value)]
    parts += [pl.lit(f",{json.dumps(name)}:") + value.cast(pl.String) for name, value in optional.items()]
    return pl.concat_str(*parts, pl.lit("}"), ignore_nulls=True)
