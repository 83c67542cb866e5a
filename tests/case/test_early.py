"""A file that is read while it arrives ends as one that was read when it was whole, whatever comes between."""

from __future__ import annotations

import gzip
import json
import random
import threading
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

import investigate
from investigate.case import early
from investigate.case.acquisition import Acquisition, Fetched, acquire
from investigate.case.early import Early
from investigate.errors import Cancelled, TransferError
from investigate.events import Window
from investigate.sources.received import Received, silent
from tests.faults.contents import faults
from tests.faults.kinds import log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import polars as pl

    from investigate.case import Case
    from investigate.evidence.store import EvidenceFile, Incoming
    from investigate.journal import Counts

    Write = Callable[[Incoming, bytes, Early], None]

PIECE = 4096
EVENTS = 400
SCOPE = Window.of("2026-11-01", "2026-11-04")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A log of several chunks, with lines that are no events, and padding that no compression takes away."""
    chance = random.Random(1)  # noqa: S311 - padding
    folder = tmp_path_factory.mktemp("data")
    lines = gzip.decompress(log(folder / "log.gz", 0, EVENTS, broken=5).read_bytes()).splitlines()
    for at, line in enumerate(lines):
        if line.startswith(b'{"eventID": "e'):
            lines[at] = line[:-1] + b', "pad": "%s"}' % chance.randbytes(15_000).hex().encode()
    return gzip.compress(b"\n".join(lines), 1)


class Watched(Early):
    """Says afterwards whether it was made use of."""

    used = False

    def holds(self, files: Sequence[EvidenceFile]) -> bool:
        self.used = super().holds(files)
        return self.used


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    """A case whose logs are read in small chunks, one after the other."""
    for bound in ("_SMALLEST", "_LARGEST"):
        monkeypatch.setattr(f"investigate.normalise.normaliser.{bound}", 2**18)
    made = investigate.open(tmp_path / "case")
    made.bound(jobs=1)
    return made


def pieces(data: bytes) -> Iterator[bytes]:
    step = max(PIECE, len(data) // 60)
    yield from (data[at : at + step] for at in range(0, len(data), step))


def steadily(incoming: Incoming, data: bytes, early: Early) -> None:
    early.arriving.begin(incoming.reader, 0, len(data))
    for piece in pieces(data):
        incoming.write(piece)
        early.arriving.grew(incoming.size)


def patiently(incoming: Incoming, data: bytes, early: Early) -> None:
    """The last byte comes only when something of what came before was set aside, or could not be."""
    early.arriving.begin(incoming.reader, 0, len(data))
    incoming.write(data[:-1])
    early.arriving.grew(len(data) - 1)
    assert early.aside.wait(60)
    incoming.write(data[-1:])
    early.arriving.grew(len(data))


def broken_off_once(incoming: Incoming, data: bytes, early: Early) -> None:
    half = len(data) // 2
    early.arriving.begin(incoming.reader, 0, len(data))
    incoming.write(data[:half])
    early.arriving.grew(half)
    early.arriving.begin(incoming.reader, half, len(data))
    incoming.write(data[half:])
    early.arriving.grew(len(data))


def another_file_first(incoming: Incoming, data: bytes, early: Early) -> None:
    other = gzip.compress(b'{"eventID": "other"}\n' * 1000)
    early.arriving.begin(incoming.reader, 0, len(data))
    incoming.write(other)
    early.arriving.grew(len(other))
    early.arriving.restart()
    incoming.truncate()
    steadily(incoming, data, early)


def of_unknown_length(incoming: Incoming, data: bytes, early: Early) -> None:
    early.arriving.begin(incoming.reader, 0, None)
    incoming.write(data)
    early.arriving.grew(len(data))


def without_a_word(incoming: Incoming, data: bytes, _early: Early) -> None:
    incoming.write(data)


def brought(case: Case, data: bytes, write: Write) -> tuple[Acquisition, Watched]:
    early = Watched(case, "cloudtrail", None)

    def fetch() -> Fetched:
        with case.evidence.receive("log.gz", ".gz") as incoming:
            write(incoming, data, early)
            received = Received(files=(incoming.commit(),), request={}, response={})
        return Fetched(received, SCOPE, {}, {"tenant": None})

    return acquire(case, "devrev", "cloudtrail", {}, fetch, silent, early), early


def held(case: Case) -> list[pl.DataFrame]:
    return [case.sql("FROM events ORDER BY ALL"), case.sql("SELECT * EXCLUDE (acquisition) FROM rejects ORDER BY ALL")]


@pytest.fixture(scope="module")
def whole(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> tuple[Counts, list[pl.DataFrame]]:
    """What comes of a file that was whole."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "log.gz").write_bytes(data)
    case = investigate.open(folder / "case")
    return case.import_files(folder / "log.gz", "cloudtrail").counts, held(case)


@pytest.mark.parametrize(
    ("write", "used"),
    [
        (steadily, True),
        (broken_off_once, True),
        (another_file_first, False),
        (of_unknown_length, False),
        (without_a_word, False),
    ],
)
def test_it_ends_as_a_file_that_was_whole(
    case: Case, data: bytes, whole: tuple[Counts, list[pl.DataFrame]], write: Write, used: bool
) -> None:
    acquired, early = brought(case, data, write)
    assert early.used == used
    assert acquired.counts == whole[0]
    assert acquired.counts.stored == EVENTS
    assert all(mine.equals(theirs) for mine, theirs in zip(held(case), whole[1], strict=True))
    assert case.lake.staged() == []


def test_a_file_that_is_whole_before_its_reader_comes_to_it_is_read_as_it_came(
    case: Case, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lies elsewhere by then."""
    asked, run, holds = threading.Event(), Watched._run, Watched.holds
    monkeypatch.setattr(Watched, "_run", lambda self, *given: asked.wait(60) and run(self, *given))
    monkeypatch.setattr(Watched, "holds", lambda self, files: asked.set() or holds(self, files))
    acquired, early = brought(case, data, steadily)
    assert early.used
    assert acquired.counts.stored == EVENTS


def test_records_are_read_before_the_file_is_whole(case: Case, data: bytes) -> None:
    acquired, early = brought(case, data, patiently)
    assert early.used
    assert acquired.counts.stored == EVENTS


@pytest.mark.parametrize("error", [TransferError("cut", ""), Cancelled("by hand", ""), KeyboardInterrupt()])
def test_what_breaks_it_off_leaves_nothing(case: Case, data: bytes, tmp_path: Path, error: BaseException) -> None:
    def breaking(incoming: Incoming, data: bytes, early: Early) -> None:
        early.arriving.begin(incoming.reader, 0, len(data))
        incoming.write(data[: len(data) // 2])
        early.arriving.grew(len(data) // 2)
        raise error

    with pytest.raises(type(error)):
        brought(case, data, breaking)
    assert case.lake.staged() == []
    assert json.loads(case.sql("SELECT count(*) AS n FROM events").write_json()) == [{"n": 0}]
    acquired, _ = brought(case, data, steadily)
    assert acquired.counts.stored == EVENTS
    assert [fault for fault in faults(tmp_path / "case") if ".leases" not in fault] == []


def test_a_disk_too_small_for_what_is_set_aside_only_costs_the_start(
    case: Case, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("investigate.case.early._write", full)
    acquired, early = brought(case, data, patiently)
    assert (early.used, acquired.counts.stored) == (False, EVENTS)


def test_rows_set_aside_may_have_dictionaries_of_their_own(tmp_path: Path) -> None:
    parts = [pa.table({"actor": pa.array(names).dictionary_encode()}) for names in (["ann", "bob"], ["bob", None])]
    path = early._write(pa.concat_tables(parts), tmp_path / "rows.arrow")
    assert path is not None
    assert early._read(path)["actor"].to_pylist() == ["ann", "bob", "bob", None]
