"""Files in, batches out: places, ids, hashes, and memory that does not grow with the files."""

from __future__ import annotations

import hashlib
import io
import json
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from investigate.normalise import normaliser, records
from investigate.normalise.containers import Limits
from investigate.normalise.engine import Engine, mended
from investigate.normalise.normaliser import Input, Normaliser
from investigate.normalise.profile import load
from investigate.normalise.records import RecordReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from investigate.normalise.sql import Compiled

    Read = Callable[..., Any]

LINE = b'{"eventID":"%d","eventTime":"2026-11-03T10:00:00Z"}\n'


def test_places_run_through_each_file_rejects_included(read: Read) -> None:
    first = LINE % 1 + b"broken\n" + LINE % 2
    reading = read(first, b"", LINE % 3, profile="cloudtrail")
    assert [(event["event_uid"], event["evidence_record"]) for event in reading.events] == [
        ("1", 0),
        ("2", 2),
        ("3", 0),
    ]
    assert sorted(reject["evidence_record"] for reject in reading.rejects) == [0, 1]
    assert reading.records == 5


def test_small_files_share_a_batch_and_large_ones_do_not_wait(read: Read) -> None:
    small = read(*(LINE % number for number in range(50)), profile="cloudtrail")
    large = read(b"".join(LINE % number for number in range(100_000)), profile="cloudtrail")
    assert len(small.batches) == 1
    assert len(large.batches) > 1
    assert [event["evidence_record"] for event in large.events] == list(range(100_000))


@pytest.mark.parametrize("profile", ["cloudtrail", "devrev"])
@given(
    lines=st.lists(
        st.sampled_from(
            [
                *('{"eventTime":"2026-11-03T10:00:00Z","a":1}', '{"eventTime":"2026-11-03T10:00:00Z","b":"}{"}', "{}"),
                *('{"eventTime":"2026-11-03T10:00:00Z"}{"c":2}', '{"eventTime":"2026-11-03T10:00:00Z"} [1,{"d":[3]}]'),
                *('{"e":4}\t{"eventTime":"2026-11-03T10:00:00Z"}{"f":5}', '{"g":6}[]', '[{"h":7},{"i":8}]', "\ufeff{}"),
                *(
                    '{"j":9}{"k"',
                    '{"l":"\\ud800"}{"eventTime":"2026-11-03T10:00:00Z"}',
                    '{"m":[[1],[2]]',
                    "",
                    "n",
                    "[]",
                ),
            ]
        ),
        max_size=60,
    ),
    sizes=st.tuples(st.integers(1, 200), st.integers(1, 20)),
    split=st.integers(0, 60),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lines_that_hold_several_records_move_those_after_them(
    read: Read, profile: str, lines: list[str], sizes: tuple[int, int], split: int
) -> None:
    files = ["\n".join(part).encode() + b"\n{}" for part in (["1", *lines[:split]], ["2", *lines[split:]])]
    expected = []
    for data in files:
        chunks = list(RecordReader(io.BytesIO(data), load(profile), Limits()))
        found = [pair for c in chunks for pair in zip(c.places.to_pylist(), c.records.to_pylist(), strict=True)]
        found += [(fault.place, fault.excerpt.decode()) for chunk in chunks for fault in chunk.faults]
        expected.append(sorted(found))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(normaliser, "_SMALLEST", sizes[0])
        patch.setattr(normaliser, "_LARGEST", sizes[0])
        for module in (normaliser, records):
            patch.setattr(module, "ROWS", sizes[1])
        reading = read(*files, profile=profile)
    hashes = [hashlib.sha256(data).hexdigest() for data in files]
    rows = [(row["evidence"], row["evidence_record"], row["raw"]) for row in reading.events]
    rows += [(row["evidence"], row["evidence_record"], row["excerpt"]) for row in reading.rejects]
    assert [sorted(row[1:] for row in rows if row[0] == file) for file in hashes] == expected


def test_the_same_record_has_the_same_id_however_it_is_written(read: Read) -> None:
    lines = b'{"eventTime":1793707200,"b":1,"a":[1.0]}\n{ "a": [1.0], "b": 1, "eventTime": 1793707200 }\n'
    assert len({event["event_uid"] for event in read(lines, profile="cloudtrail").events}) == 1


def test_half_a_surrogate_pair_is_mended_for_the_engine_alone() -> None:
    assert mended(r"\ud83d\ude00 \\ud800 \ud800 \udc00\ud83d") == r"\ud83d\ude00 \\ud800 \ufffd \ufffd\ufffd"
    assert mended(r"\ud83d\ude00 \\ud800 \n") is None


def test_records_the_engine_gives_up_on_are_rejects_and_cost_no_other(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Engine.run

    def give_up_on_three(self: Engine, compiled: Compiled, batch: pa.Table) -> pa.Table:
        if any('"3"' in raw for raw in batch["raw"].to_pylist()):
            raise duckdb.OutOfMemoryException("Out of Memory Error: too large\nsecond line")
        return run(self, compiled, batch)

    monkeypatch.setattr(Engine, "run", give_up_on_three)
    reading = read(b"".join(LINE % number for number in range(8)), profile="cloudtrail")
    assert [event["event_uid"] for event in reading.events] == ["0", "1", "2", "4", "5", "6", "7"]
    assert reading.reasons == ["the engine cannot read this record: Out of Memory Error: too large"]


@pytest.mark.parametrize("before", range(30, 50))
def test_a_record_is_a_reject_though_the_engine_quotes_it_up_to_the_middle_of_a_letter(read: Read, before: int) -> None:
    broken = ('{"a"! "' + "x" * before + "é" * 40 + '"}\n').encode()
    reading = read(LINE % 1, LINE % 2 + broken + LINE % 3, profile="cloudtrail")
    assert [event["event_uid"] for event in reading.events] == ["1", "2", "3"]
    assert [reject["excerpt"] for reject in reading.rejects] == [broken.decode().strip()]


def test_a_file_that_cannot_be_read_raises_what_the_disk_says() -> None:
    class Broken:
        def read(self, size: int) -> bytes:
            raise OSError(5, f"Input/output error after {size}")

    with Normaliser(load("cloudtrail")) as normaliser, pytest.raises(OSError, match="Input/output error"):
        list(normaliser.read([Input(Broken(), 1, "0" * 64)]))  # type: ignore[arg-type]


def test_the_engine_is_freed() -> None:
    with Normaliser(load("cloudtrail")) as normaliser:
        pass
    with pytest.raises(duckdb.Error):
        normaliser._engines[0].select("SELECT 1", pa.table({"row": [1]}))


def test_memory_does_not_grow_with_a_file(read_in_child: Callable[[str], int]) -> None:
    record = {"id": "e", "timestamp": "2026-11-03T10:00:00Z", "text": "x" * 400}
    line = json.dumps(record).encode() + b"\n"
    script = f"""
LINE = {line!r}
class File:
    def __init__(self): self.at = 0
    def seek(self, at): self.at = at
    def read(self, size):
        start, size = self.at % len(LINE), min(size, SIZE - self.at)
        self.at += size
        return (LINE * (size // len(LINE) + 2))[start:start + size]
with Normaliser(load("devrev")) as normaliser:
    assert sum(batch.records for batch in normaliser.read([Input(File(), SIZE, "0" * 64)])) >= SIZE // len(LINE)
"""
    assert read_in_child(script) < 150 * 2**20
