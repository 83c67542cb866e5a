"""The case's one lock: who waits for it is told, and what does not need it does not wait."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING

import pytest

import investigate
from investigate.cli import main
from investigate.errors import CaseError
from tests.faults.kinds import log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from investigate.case import Case

CASE = "investigate.case.case"


@pytest.fixture
def case(tmp_path: Path) -> Case:
    made = investigate.open(tmp_path / "case")
    made.import_files(log(tmp_path / "log.json.gz", 0, 30), "cloudtrail")
    return made


@pytest.fixture
def held(case: Case) -> Iterator[None]:
    """Another holds the lock."""
    begun, ended = Event(), Event()

    def hold() -> None:
        with investigate.open(case.path).locked():
            begun.set()
            ended.wait()

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(hold)
        begun.wait()
        yield
        ended.set()
        holding.result()


@pytest.mark.usefixtures("held")
def test_who_waits_is_told_and_gives_up_in_the_end(
    case: Case, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(f"{CASE}._LOCK_SILENT", 0.01)
    monkeypatch.setattr(f"{CASE}._LOCK_TIMEOUT", 0.05)
    with pytest.raises(CaseError, match="writing to this case for ten minutes"), case.locked():
        pytest.fail("two hold it at once")
    assert [record.message for record in caplog.records if record.name == CASE] == [
        "Another process is writing to this case. Waiting until it is done."
    ]


def test_who_need_not_wait_is_told_nothing(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        with case.locked():
            assert not [record for record in caplog.records if record.name == CASE]


@pytest.mark.usefixtures("held")
def test_summing_up_anew_needs_no_lock(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{CASE}._LOCK_TIMEOUT", 0.05)
    assert main(["--case", case.path, "lake", "rebuild-touches"]) == 0
    assert case.lake.summed_up(case.lake.events.version())
