"""Eight writers and eight readers of one case at once, each a process; what they saw, as JSON.

`python -m tests.faults.crowd CASE LOG…`: each log is imported by a writer of its own, the first of which compacts the
lake then; meanwhile readers count the events of every tenant, again and again, each on one connection to the end too.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import investigate
from tests.faults.zygote import import_all

if TYPE_CHECKING:
    from collections.abc import Callable

READERS: Final = 8
_PATIENCE: Final = 240.0
"""Seconds that all of it may take, on a machine that is busy with other things."""
_BREATH: Final = 0.25
"""Seconds that a reader leaves the processors to the others after its first look, doubled after each that follows."""
_COUNT: Final = "SELECT tenant, count(*) AS n FROM events GROUP BY tenant ORDER BY tenant"


def main(folder: str, logs: list[str]) -> int:
    """Run all of them; 1 where one did not come to its end in time."""
    import_all()
    investigate.open(folder)
    over, still = os.pipe()  # readers see its end when this process closes its side
    writers = [
        _start(lambda log=log, at=at: _write(folder, log, compacts=not at), still) for at, log in enumerate(logs)
    ]
    readers = [_start(lambda: _read(folder, over), still) for _ in range(READERS)]
    deadline = time.monotonic() + _PATIENCE
    told = {"writers": [_end(one, deadline) for one in writers]}
    os.close(still)
    told["readers"] = [_end(one, deadline) for one in readers]
    sys.stdout.write(json.dumps(told) + "\n")
    return 0 if all(one is not None for side in told.values() for one in side) else 1


def _write(folder: str, log: str, *, compacts: bool) -> dict[str, Any]:
    case = investigate.open(folder)
    acquired = case.import_files(log, "cloudtrail").as_json()
    if compacts:
        case.lake.compact()
    return acquired


def _read(folder: str, over: int) -> dict[str, Any]:
    case = investigate.open(folder)
    seen: list[dict[str, int]] = []
    with case.lake.connect() as held:
        first = held.sql(_COUNT).fetchall()
        while True:
            last = bool(select.select([over], [], [], _BREATH * 2 ** len(seen))[0])
            seen.append(dict(case.sql(_COUNT).iter_rows()))
            if last:
                break
        same = held.sql(_COUNT).fetchall() == first
    return {"seen": seen, "same": same}


def _start(work: Callable[[], dict[str, Any]], still: int) -> tuple[int, int]:
    """A process that does some work, and the pipe that says what came of it."""
    reading, writing = os.pipe()
    if process := os.fork():
        os.close(writing)
        return process, reading
    os.close(still)
    os.close(reading)
    with os.fdopen(writing, "w") as answer:
        json.dump(work(), answer)
    sys.exit()


def _end(started: tuple[int, int], deadline: float) -> dict[str, Any] | None:
    """What a process says, None where it failed or is not done in time."""
    process, reading = started
    said = b""
    while select.select([reading], [], [], max(0.0, deadline - time.monotonic()))[0]:
        if not (more := os.read(reading, 2**16)):
            break
        said += more
    else:
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    return None if status else dict(json.loads(said))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
