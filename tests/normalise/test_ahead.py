"""What is done ahead comes in order, no further ahead than asked for, and stops when nobody takes it any more."""

from __future__ import annotations

import io
import json
import threading
import time
from typing import TYPE_CHECKING

import pytest

from investigate.normalise.ahead import ahead
from investigate.normalise.normaliser import Input, Normaliser
from investigate.normalise.profile import load

if TYPE_CHECKING:
    from collections.abc import Generator


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_in_order_and_an_error_after_those_before_it(threads: int) -> None:
    def items() -> Generator[int, None, None]:
        yield from range(50)
        raise OSError(5, "broken")

    def work(number: int) -> int:
        time.sleep(number * 7 % 5 / 1000)  # later ones are often done first
        return number * 10

    taking = ahead(items(), work, threads, 2)
    assert [next(taking) for _ in range(50)] == list(range(0, 500, 10))
    with pytest.raises(OSError, match="broken"):
        next(taking)


def test_work_that_fails_is_told_in_its_turn() -> None:
    def work(number: int) -> int:
        if number == 3:
            raise ValueError(number)
        return number

    taking = ahead((number for number in range(50)), work, 3, 1)
    assert [next(taking) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="3"):
        next(taking)
    assert not _running()


def test_several_items_are_worked_on_at_once() -> None:
    together = threading.Barrier(3, timeout=10)

    def work(_: int) -> int:
        return together.wait()

    assert sorted(ahead((number for number in range(3)), work, 3, 0)) == [0, 1, 2]


def test_it_goes_no_further_than_there_is_room_and_ends_with_who_takes() -> None:
    made: list[int] = []
    ended = threading.Event()

    def items() -> Generator[int, None, None]:
        try:
            for number in range(1000):
                made.append(number)
                yield number
        finally:
            ended.set()

    taking = ahead(items(), lambda number: number, 2, 1)
    assert next(taking) == 0
    time.sleep(0.3)
    assert len(made) <= 5
    taking.close()
    assert not _running()
    assert ended.is_set()


def _running() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]


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
