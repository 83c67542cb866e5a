"""Events as lines of a file: CSV, JSON Lines, Timesketch's import form, OCSF; some thousands at once, by column.

What is hostile in a text is seen to as `text` does it; only texts that need it leave the columns for that.
"""

from __future__ import annotations

import codecs
import io
import json
from typing import IO, TYPE_CHECKING, Any, Final

from investigate.report import ocsf
from investigate.report.columns import moment, some
from investigate.report.rows import CSV_COLUMNS
from investigate.report.text import LIST_SEPARATOR, csv_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import polars as pl

_TIMESKETCH: Final = ("message", "datetime", "timestamp_desc")
_SUSPECT: Final = r"[^\x20-\x7e]|^ *[=+@|%-]"
"""What `csv_cell` might change has this; what has not is a cell as it is."""
_CODEC: Final = "investigate.json"


def write(form: str, suffix: str, frames: Iterable[pl.DataFrame], stream: IO[bytes]) -> int:
    """Write events in one of `FORMS`; how many.

    Args:
        form: see `FORMS`.
        suffix: likewise.
        frames: canonical events, some at a time.
        stream: where to.
    """
    made, header = FORMS[form, suffix]
    stream.write(f"{','.join(header)}\r\n".encode() if header else b"")
    count = 0
    for frame in frames:
        if not frame.is_empty():
            stream.write(made(frame))
        count += frame.height
    return count


def csv(frame: pl.DataFrame) -> bytes:
    """Rows as CSV (RFC 4180), without `raw`, cells that a spreadsheet would take for a formula defused."""
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    names = [name for name in frame.columns if name in _CELLS]
    frame = frame.select(_cells(frame, name) for name in names)
    # Null is an empty cell, and an empty text is none in quotes.
    return _written(frame.with_columns(pl.col(pl.String).replace("", None)).write_csv, line_terminator="\r\n")


def jsonl(frame: pl.DataFrame) -> bytes:
    """Rows as JSON Lines, all columns, in ASCII: nothing in them acts on whoever looks at them."""
    import polars as pl  # noqa: PLC0415 - see `csv`

    times = [moment(name).alias(name) for name, kind in frame.schema.items() if kind == pl.Datetime]
    dates = [pl.col(name).dt.to_string() for name, kind in frame.schema.items() if kind == pl.Date]
    return _ascii(_written(frame.with_columns(*times, *dates).write_ndjson))


def timesketch_csv(frame: pl.DataFrame) -> bytes:
    """Rows as Timesketch imports CSV."""
    return csv(_timesketch(frame))


def timesketch_jsonl(frame: pl.DataFrame) -> bytes:
    """Rows as Timesketch imports JSON Lines."""
    return jsonl(_timesketch(frame))


def api_activity(frame: pl.DataFrame) -> bytes:
    """Rows as JSON Lines of OCSF API Activity."""
    listed: str = ocsf.objects(frame).str.join("\n").item()
    return _ascii(f"{listed}\n".encode())


def _timesketch(frame: pl.DataFrame) -> pl.DataFrame:
    """Events as Timesketch takes them.

    Source: timesketch.org, "Import from JSON or CSV": `message`, `datetime` (ISO 8601, here with microseconds) and
    `timestamp_desc` must be there, anything else may.
    """
    import polars as pl  # noqa: PLC0415 - see `csv`

    message = pl.concat_str(
        some("actor_name", "actor_email", "actor"),
        pl.lit(": ") + some("action", "activity"),
        pl.lit(" ") + some("resource_name", "resource"),
        pl.lit(" from ") + some("src_ip"),
        pl.format(" ({})", "outcome"),
        ignore_nulls=True,
    )
    exact = pl.col("time").dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00")
    first = [message.alias("message"), exact.alias("datetime"), pl.lit("Event Logged").alias("timestamp_desc")]
    return frame.select(*first, *(name for name in CSV_COLUMNS if name != "time"))


def _cells(frame: pl.DataFrame, name: str) -> pl.Series:
    """A column as cells of CSV, see `text.csv_cell`."""
    import polars as pl  # noqa: PLC0415 - see `csv`

    kind = frame.schema[name]
    if kind == pl.Datetime:
        return frame.select(moment(name).alias(name)).to_series()
    if kind == pl.List:
        joined = pl.col(name).list.eval(pl.element().fill_null("")).list.join(LIST_SEPARATOR)
        texts = frame.select(joined).to_series()
    elif kind == pl.String:
        texts = frame[name]
    else:
        return frame[name]
    odd = texts.filter(texts.str.contains(_SUSPECT)).unique()
    if odd.is_empty():
        return texts
    return texts.replace(odd, pl.Series([csv_cell(text) for text in odd], dtype=pl.String))


def _written(write: Callable[..., Any], **how: Any) -> bytes:
    out = io.BytesIO()
    write(out, include_header=False, **how) if how else write(out)
    return out.getvalue()


def _ascii(text: bytes) -> bytes:
    """JSON without a character beyond ASCII, nor DEL."""
    if not text.isascii():
        text = text.decode().encode("ascii", _CODEC)
    return text.replace(b"\x7f", b"\\u007f")


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """What is not ASCII in JSON, as JSON's escapes: it stands within a string."""
    assert isinstance(error, UnicodeEncodeError)  # noqa: S101 - `_ascii` only encodes
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error(_CODEC, _escaped)

_CELLS: Final = frozenset((*_TIMESKETCH, *CSV_COLUMNS))
FORMS: Final[dict[tuple[str, str], tuple[Callable[[pl.DataFrame], bytes], tuple[str, ...]]]] = {
    ("csv", ".csv"): (csv, CSV_COLUMNS),
    ("jsonl", ".jsonl"): (jsonl, ()),
    ("timesketch", ".csv"): (timesketch_csv, (*_TIMESKETCH, *(name for name in CSV_COLUMNS if name != "time"))),
    ("timesketch", ".jsonl"): (timesketch_jsonl, ()),
    ("ocsf", ".jsonl"): (api_activity, ()),
}
"""By form and extension: what makes lines of events, and the names of columns that stand above them."""
