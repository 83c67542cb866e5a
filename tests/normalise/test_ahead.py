"""What is done ahead comes in order, no further ahead than asked for, and stops when nobody takes it any more."""

from __future__ import annotations

import io
import json
import threading
from typing import TYPE_CHECKING

import pytest

from investigate.normalise.ahead import ahead
from investigate.normalise.normaliser import Input, Normaliser
from investigate.normalise.profile import load

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_items_come_in_order_and_an_error_after_those_before_it() -> None:
    def items() -> Iterator[int]:
        yield from range(5)
        raise OSError(5, "broken")

    taking = ahead(items(), 2)
    assert [next(taking) for _ in range(5)] == list(range(5))
    with pytest.raises(OSError, match="broken"):
        next(taking)


def test_it_goes_no_further_than_there_is_room_and_ends_with_who_takes() -> None:
    made: list[int] = []
    ended = threading.Event()

    def items() -> Iterator[int]:
        try:
            for number in range(1000):
                made.append(number)
                yield number
        finally:
            ended.set()

    taking = ahead(items(), 2)
    assert next(taking) == 0
    taking.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "ahead"]
    assert len(made) <= 5
    del taking
    assert ended.wait(5)


@pytest.mark.parametrize("jobs", [2, 3])
def test_many_threads_read_what_one_reads(jobs: int) -> None:
    def line(number: int) -> bytes:
        # From the middle on the fields have other names: what is learned of one batch holds for those after it.
        who, where = ("actor_id", "ip_address") if number < 30_000 else ("principal", "remote_addr")
        record = {
            "id": f"e{number}",
            "timestamp": f"2026-11-03T10:00:{number % 60:02}Z",
            who: f"don:identity:x:{number % 7}",
        }
        record |= {where: f"192.0.2.{number % 200}", "object_id": f"don:core:x:ticket/{number % 99}"}
        return json.dumps(record | {"pad": "x" * 600}).encode()

    data = b"\n".join(map(line, range(60_000)))

    def read(count: int) -> list[tuple[object, ...]]:
        with Normaliser(load("devrev"), jobs=count) as normaliser:
            batches = list(normaliser.read([Input(io.BytesIO(data), len(data), "0" * 64)]))
        columns = ["event_uid", "actor", "src_ip", "resource", "evidence_record"]
        return [tuple(row.values()) for batch in batches for row in batch.events.select(columns).to_pylist()]

    alone = read(1)
    assert len(alone) == 60_000
    assert alone[-1] == ("e59999", "don:identity:x:2", "192.0.2.199", "don:core:x:ticket/5", 59_999)
    assert read(jobs) == alone


def test_there_are_no_more_threads_than_memory_bears() -> None:
    data = b"\n".join(json.dumps({"id": f"e{n}", "timestamp": "2026-11-03T10:00:00Z"}).encode() for n in range(20_000))
    with Normaliser(load("devrev"), memory=32 * 2**20, jobs=64) as normaliser:
        batches = list(normaliser.read([Input(io.BytesIO(data), len(data), "0" * 64)]))
    assert sum(batch.events.num_rows for batch in batches) == 20_000
