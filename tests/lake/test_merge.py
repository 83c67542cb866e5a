"""Sorted files become one sorted stream, read at once where they are small, else little by little."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from investigate.errors import LakeError
from investigate.lake import merge

if TYPE_CHECKING:
    from pathlib import Path

ORDER = ("time", "uid")
SOME = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
TIMES = st.lists(st.integers(0, 30), min_size=1, max_size=120).map(sorted)


def written(folder: Path, contents: list[list[int]]) -> list[Path]:
    """A file for each list of times."""
    paths = []
    for number, times in enumerate(contents):
        uids = [f"{number}-{place:03}" for place in range(len(times))]
        paths.append(folder / f"{number}.parquet")
        pq.write_table(
            pa.table({"time": pa.array(times, pa.int64()), "uid": uids, "raw": [f"{uid:>500}" for uid in uids]}),
            paths[-1],
        )
    return paths


@SOME
@given(
    contents=st.lists(TIMES, min_size=1, max_size=6), size=st.integers(1, 50), memory=st.sampled_from([1, 2**19, 2**30])
)
def test_every_row_comes_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, contents: list[list[int]], size: int, memory: int
) -> None:
    paths = written(tmp_path_factory.mktemp("files"), contents)

    batches = list(merge.merged(paths, ORDER, size, memory))

    rows = [tuple(row.values()) for batch in batches for row in batch.select(ORDER).to_pylist()]
    assert rows == sorted(
        (time, f"{number}-{at:03}") for number, times in enumerate(contents) for at, time in enumerate(times)
    )
    lengths = [len(batch) for batch in batches]
    assert set(lengths[:-1]) <= {lengths[0]}
    assert lengths[-1] <= lengths[0] <= size


@pytest.mark.parametrize(("memory", "at_once"), [(2**30, True), (2**16, False)])
def test_small_files_are_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: int, *, at_once: bool
) -> None:
    paths = written(tmp_path, [[*range(100)], [*range(100)]])
    monkeypatch.setattr(merge, "_ready" if at_once else "_at_once", None)
    monkeypatch.setattr(merge, "_LEAST", 0)
    assert sum(map(len, merge.merged(paths, ORDER, 1000, memory))) == 200


def test_a_file_that_is_not_sorted_is_refused(tmp_path: Path) -> None:
    paths = written(tmp_path, [[3, 1, 2, 5], [0, 4]])
    with pytest.raises(LakeError, match="not in order"):
        list(merge.merged(paths, ORDER, 2, 2**30))


def test_of_no_rows_there_are_no_batches(tmp_path: Path) -> None:
    assert list(merge.merged(written(tmp_path, [[], []]), ORDER, 1, 2**30)) == []


@pytest.mark.parametrize(
    ("memory", "most"), [(8 * 2**20, 8 * 2**20 // merge._PART), (24 * 2**20, 24 * 2**20 // merge._BATCH)]
)
def test_batches_stay_small_where_long_rows_lie_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: int, most: int
) -> None:
    monkeypatch.setattr(merge, "_LEAST", 0)
    lengths = [10] * 4000 + [10_000] * 200
    paths = [tmp_path / f"{number}.parquet" for number in range(2)]
    for number, path in enumerate(paths):
        uids = [f"{number}-{place:04}" for place in range(len(lengths))]
        raw = [f"{uid:>{length}}" for uid, length in zip(uids, lengths, strict=True)]
        table = pa.table({"time": pa.array(range(len(lengths)), pa.int64()), "uid": uids, "raw": raw})
        pq.write_table(table, path, row_group_size=200, use_dictionary=False)

    batches = list(merge.merged(paths, ORDER, 2**20, memory))

    assert sum(map(len, batches)) == 2 * len(lengths)
    assert max(batch.nbytes for batch in batches) < 1.25 * most
