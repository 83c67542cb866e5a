"""What the tests of this room share: reading bytes with a profile, and the invariants every reading keeps."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from investigate.events import ACTIVITIES, ACTOR_TYPES, OUTCOMES, coded_schema, reject_schema
from investigate.normalise import profile as profiles
from investigate.normalise.normaliser import Batch, Input, Normaliser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from investigate.normalise.containers import Limits
    from investigate.normalise.survey import Decision

NEVER_NULL = (
    *("event_uid", "time", "date", "source", "tenant", "actor", "actor_type", "activity", "outcome", "raw"),
    *("evidence", "evidence_record"),
)


@dataclass(frozen=True)
class Reading:
    """All that came of some bytes."""

    batches: list[Batch]
    events: list[dict[str, Any]]
    rejects: list[dict[str, Any]]
    records: int
    decisions: tuple[Decision, ...]

    @property
    def reasons(self) -> list[str]:
        return [reject["reason"] for reject in self.rejects]

    @property
    def raws(self) -> list[str]:
        return [event["raw"] for event in self.events]


def _check(batch: Batch) -> None:
    assert batch.events.schema.equals(coded_schema())
    assert batch.rejects.schema.equals(reject_schema())
    for name in NEVER_NULL:
        assert batch.events[name].null_count == 0, name
    for name, words in (("activity", ACTIVITIES), ("actor_type", ACTOR_TYPES), ("outcome", OUTCOMES)):
        assert set(batch.events[name].to_pylist()) <= set(words)
    assert batch.events["time"].cast("date32") == batch.events["date"]


class ReadBytes:
    """Reads bytes as files of a profile, and holds that every record is accounted for."""

    def __init__(self) -> None:
        self._open: dict[str, Normaliser] = {}

    def __call__(
        self,
        *files: bytes,
        profile: str = "devrev",
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
        limits: Limits | None = None,
        tenant: str | None = None,
    ) -> Reading:
        key = json.dumps([profile, overrides, repr(limits), tenant], sort_keys=True)
        if key not in self._open:
            self._open[key] = Normaliser(profiles.load(profile, overrides), limits, tenant=tenant)
        normaliser = self._open[key]
        inputs = [Input(io.BytesIO(data), len(data), hashlib.sha256(data).hexdigest()) for data in files]
        batches = list(normaliser.read(inputs))
        for batch in batches:
            _check(batch)
        events = [event for batch in batches for event in batch.events.to_pylist()]
        rejects = [reject for batch in batches for reject in batch.rejects.to_pylist()]
        reading = Reading(batches, events, rejects, sum(batch.records for batch in batches), normaliser.decisions)
        if len({file.sha256 for file in inputs}) == len(inputs):
            _check_places(reading, [file.sha256 for file in inputs])
        return reading

    def close(self) -> None:
        for normaliser in self._open.values():
            normaliser.__exit__()


def _check_places(reading: Reading, files: list[str]) -> None:
    """Every record of every file is an event, several events, or one reject: places run from 0 without a hole."""
    total = 0
    for file in files:
        accepted = {event["evidence_record"] for event in reading.events if event["evidence"] == file}
        rejected = [reject["evidence_record"] for reject in reading.rejects if reject["evidence"] == file]
        assert len(rejected) == len(set(rejected))
        assert accepted.isdisjoint(rejected)
        assert accepted | set(rejected) == set(range(len(accepted) + len(rejected)))
        total += len(accepted) + len(rejected)
    assert reading.records == total


@pytest.fixture(scope="session")
def read() -> Iterator[Callable[..., Reading]]:
    """Read files, given as bytes: `read(b"...", profile="cloudtrail")`."""
    reader = ReadBytes()
    yield reader
    reader.close()


_CHILD = """
import resource, sys
from investigate.normalise.containers import Limits
from investigate.normalise.normaliser import Input, Normaliser
from investigate.normalise.profile import load
from investigate.normalise.records import RecordReader
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
def run(SIZE):
"""


@pytest.fixture
def read_in_child() -> Callable[[str], int]:
    """Run a script with `SIZE` small, then 300 MB, in a process of its own: by how many bytes its peak grew."""

    def run(script: str) -> int:
        body = "".join(f"    {line}\n" for line in script.strip().splitlines())
        measured = "run(20_000_000)\nbefore = peak()\nrun(300_000_000)\nprint(peak() - before)\n"
        done = subprocess.run(
            [sys.executable, "-c", _CHILD + body + measured], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return int(done.stdout)

    return run
