"""Text as numbers: whatever files hold, each value has one number, numbers sort as values do, and none is lost."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from investigate.events import event_schema
from investigate.lake import codes, parquet
from investigate.lake.codes import Files, as_codes, numbered
from investigate.lake.copies import Copy
from investigate.lake.storage import Folder
from investigate.lake.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COLUMNS = ("date", "actor", "action", "resources", "time")
ALIKE = {"resources": "resource"}
LARGE = 2**20
Row = tuple[date, str | None, str | None, list[str | None] | None, datetime]

names = st.none() | st.sampled_from(["", "ann", "bob", "é", "😀", "a\x00b", "z" * 300])
rows = st.builds(
    lambda day, actor, action, resources: (date(2026, 11, day), actor, action, resources),
    st.integers(1, 3),
    names,
    names,
    st.none() | st.lists(names, max_size=3),
)


def table(root: Path) -> Table:
    return Table(Folder(root), event_schema, ("time",), "date")


def stored(at: Table, root: Path, files: Sequence[Sequence[Row]]) -> list[str]:
    """Write each of some lists of rows to files, one a day; their names."""
    found = []
    for number, part in enumerate(files):
        for day in sorted({row[0] for row in part}):
            name = f"date={day}/{number}.parquet"
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            mine = [row for row in part if row[0] == day]
            given_columns = dict(zip(COLUMNS, zip(*mine, strict=True), strict=True))
            columns = {one.name: given_columns.get(one.name, [None] * len(mine)) for one in at.file_schema}
            made = pa.table(
                {name: pa.array(list(values), at.file_schema.field(name).type) for name, values in columns.items()}
            )
            parquet.write(root / name, made.to_batches(), at.file_schema)
            found.append(name)
    return found


def copies_of(at: Table, names: Sequence[str]) -> dict[str, Path]:
    """Copies of some files, each in two portions, and none of these files any more."""
    made = {}
    for name in names:
        path = Path(at.storage.locate(name))
        rows = pq.read_table(path, partitioning=None)
        copy = Copy(path.with_suffix(".arrow"), rows.schema, [column for column in COLUMNS if column != "date"])
        for start in range(0, len(rows), max(1, len(rows) // 2)):
            copy.write(rows.slice(start, max(1, len(rows) // 2)))
        copy.close()
        path.unlink()
        made[name] = copy.path
    return made


def texts(batches: pa.RecordBatchReader, values: Mapping[str, pa.Array]) -> list[tuple[Any, ...]]:
    """The rows with values in place of numbers."""
    found = []
    for row in batches.read_all().to_pylist():
        for name in ("actor", "action", "resources"):
            known = values.get(ALIKE.get(name, name))
            if known is not None and isinstance(row[name], list):
                row[name] = [None if code is None else known[code].as_py() for code in row[name]]
            elif known is not None and row[name] is not None:
                row[name] = known[row[name]].as_py()
        found.append(tuple(row[name] for name in COLUMNS))
    return found


@given(
    files=st.lists(st.lists(rows, max_size=12), max_size=3),
    few=st.sampled_from([0, 2, 100]),
    memory=st.sampled_from([0, 100, LARGE]),
    at_once=st.integers(1, 20),
    days=st.none() | st.tuples(st.integers(1, 3), st.integers(1, 3)),
    copied=st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_rows_are_the_same_however_many_columns_are_numbered(
    tmp_path_factory: pytest.TempPathFactory,
    files: list[list[tuple[Any, ...]]],
    few: int,
    memory: int,
    at_once: int,
    days: tuple[int, int] | None,
    copied: bool,
) -> None:
    root = tmp_path_factory.mktemp("events")
    at = table(root)
    start = datetime(2026, 11, 1, tzinfo=UTC)
    dated = [
        [(*row, start + timedelta(seconds=1_000 * number + place)) for place, row in enumerate(part)]
        for number, part in enumerate(files)
    ]
    names = stored(at, root, dated)
    part = Files(at, names, COLUMNS, ALIKE, copies_of(at, names) if copied else {})
    window = days and (date(2026, 11, days[0]), date(2026, 11, days[1]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codes, "FEW", few)
        patch.setattr(codes, "_ROWS", at_once)
        values = numbered([part], memory)
        found = texts(as_codes(part, values, window), values)
    expected = [row for part in dated for row in part if window is None or window[0] <= row[0] <= window[1]]
    assert sorted(found, key=lambda row: row[-1]) == expected
    for column in values.values():
        assert column.to_pylist() == sorted(set(column.to_pylist()), key=str.encode)
        assert len(column) <= few
    assert sum(column.nbytes for column in values.values()) <= memory or not any(len(one) for one in values.values())
    if few == 100 and memory == LARGE:
        assert set(values) == {"actor", "action", "resource"}


def test_a_column_whose_dictionary_grew_too_long_for_its_file_is_numbered_like_others(tmp_path: Path) -> None:
    at = table(tmp_path)
    start, day = datetime(2026, 11, 1, tzinfo=UTC), date(2026, 11, 1)
    actors = [f"{number % 50 if number < 9_000 else number:0>120}" for number in range(parquet.ROW_GROUP)]
    made = [(day, actor, None, [actor, None], start + timedelta(seconds=n)) for n, actor in enumerate(actors)]
    part = Files(at, stored(at, tmp_path, [made]), COLUMNS, ALIKE)
    values = numbered([part], 2**24)
    assert values["actor"].to_pylist() == values["resource"].to_pylist() == sorted(set(actors))
    assert texts(as_codes(part, values), values) == made
