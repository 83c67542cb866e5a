"""What the lake's files say of themselves, however their rows came: as texts, or as dictionaries of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from investigate.events import coded_schema, event_schema
from investigate.lake import parquet

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2026, 11, 3, tzinfo=UTC)
ROWS = parquet.ROW_GROUP + 5_000


def table(schema: pa.Schema, *, first: int = 0, rows: int = ROWS) -> pa.Table:
    """Events whose actors are known by few names, some by none, with `schema`'s types."""
    numbers = range(first, first + rows)
    columns = {
        "event_uid": [f"e{number}" for number in numbers],
        "time": [START + timedelta(seconds=number) for number in numbers],
        "date": [START.date()] * rows,
        "actor": [f"user/{number // 1_000}" for number in numbers],
        "action": [None if number % 7 == 0 else f"read {number % 3}" for number in numbers],
        "resources": [[f"ticket/{number % 5}"] * (number % 3) for number in numbers],
        "evidence_record": list(numbers),
    }
    plain = event_schema()
    made = [pa.array(columns.get(name, ["x"] * rows), plain.field(name).type) for name in plain.names]
    return pa.table([column.cast(kind) for column, kind in zip(made, schema.types, strict=True)], schema=schema)


def written(path: Path, *tables: pa.Table) -> pa.Table:
    """What a file of these has, read again."""
    batches = (batch for one in tables for batch in one.to_batches())
    parquet.write(path, batches, event_schema())
    return pq.ParquetFile(path).read()


def test_dictionaries_and_texts_make_the_same_file(tmp_path: Path) -> None:
    plain = table(event_schema())
    texts, coded = written(tmp_path / "a.parquet", plain), written(tmp_path / "b.parquet", table(coded_schema()))
    assert texts.equals(plain)
    assert coded.equals(plain)
    assert coded.schema.equals(event_schema(), check_metadata=True)
    frame = pl.read_parquet(tmp_path / "b.parquet")
    assert frame.schema["action"] == pl.String()
    assert frame["action"].null_count() == sum(number % 7 == 0 for number in range(ROWS))


def test_rows_that_come_now_as_texts_and_now_as_dictionaries_are_all_there(tmp_path: Path) -> None:
    parts = [table(coded_schema(), rows=900), table(event_schema(), first=900, rows=800)]
    assert written(tmp_path / "a.parquet", *parts).equals(table(event_schema(), rows=1_700))
    assert written(tmp_path / "b.parquet", *reversed(parts)).num_rows == 1_700


def test_a_row_group_has_hardly_a_value_that_is_not_its_own(tmp_path: Path) -> None:
    names = [f"user/{number:06}" for number in range(20_000)]
    rows = table(coded_schema(), rows=4_096)
    actors = pa.DictionaryArray.from_arrays(pa.array([number % 9 for number in range(4_096)], pa.int32()), names)
    rows = rows.set_column(rows.schema.get_field_index("actor"), rows.schema.field("actor"), actors)
    found = written(tmp_path / "a.parquet", rows)
    assert found["actor"].to_pylist() == [names[number % 9] for number in range(4_096)]
    group = pq.read_metadata(tmp_path / "a.parquet").row_group(0)
    column = group.column(event_schema().names.index("actor"))
    assert (column.statistics.min, column.statistics.max) == (names[0], names[8])
    assert column.total_uncompressed_size < 4_096


def test_ranges_are_told_where_they_tell_something(tmp_path: Path) -> None:
    written(tmp_path / "a.parquet", table(coded_schema()))
    metadata = pq.read_metadata(tmp_path / "a.parquet")
    group = metadata.row_group(metadata.num_row_groups - 1)
    ranges = {group.column(at).path_in_schema: group.column(at).statistics for at in range(group.num_columns)}
    assert ranges["raw"] is None
    assert ranges["time"].min == START + timedelta(seconds=parquet.ROW_GROUP)
    assert ranges["actor"].max == "user/37"
    assert set(group.column(event_schema().names.index("evidence_record")).encodings) >= {"DELTA_BINARY_PACKED"}


def test_a_dictionary_with_a_value_twice_is_refused(tmp_path: Path) -> None:
    rows = table(coded_schema(), rows=2)
    twice = pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int32()), ["same", "same"])
    rows = rows.set_column(rows.schema.get_field_index("actor"), rows.schema.field("actor"), twice)
    with pytest.raises(pa.ArrowInvalid, match="twice"):
        written(tmp_path / "a.parquet", rows)


def test_what_goes_elsewhere_too_has_no_values_that_are_not_its_own(tmp_path: Path) -> None:
    """A day's rows come with the dictionaries of all the chunks they are of."""
    many = pa.array([f"user/{number}" for number in range(10_000)])
    rows = pa.table({"actor": pa.DictionaryArray.from_arrays(pa.array([7, 9_000, None, 7], pa.int32()), many)})
    given: list[pa.Table] = []
    writer = parquet.Writer(tmp_path / "a.parquet", pa.schema([("actor", pa.string())]), ["actor"], also=given.append)
    writer.write(rows)
    writer.close()
    assert [table["actor"].to_pylist() for table in given] == [["user/7", "user/9000", None, "user/7"]]
    assert given[0]["actor"].chunk(0).dictionary.to_pylist() == ["user/7", "user/9000"]
