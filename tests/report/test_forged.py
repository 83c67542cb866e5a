"""Bundles in which an event has no place in its evidence, and such in which an id means two events."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import polars as pl
import pytest

from investigate.case.checking import verify_bundle

from .conftest import WINDOW, record, taken
from .test_bundle import events, made_again, stated

if TYPE_CHECKING:
    from pathlib import Path

    from investigate.report.verdict import Checked


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle of four events."""
    case = taken(tmp_path, [record(at, objects=["asked"]) for at in range(4)])
    case.bundle(tmp_path / "b.zip", resources=["asked"], **WINDOW)
    return tmp_path / "b.zip"


def forged(bundle: Path, *places: int | None, changed: str = "") -> Checked:
    """The bundle with one more event for each of these places, and another record of the event `changed`."""
    with zipfile.ZipFile(bundle) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}

    def change(found: pl.DataFrame) -> pl.DataFrame:
        raw = pl.when(pl.col("event_uid") == changed).then(pl.lit("{}")).otherwise("raw").alias("raw")
        more = [
            found.head(1).with_columns(event_uid=pl.lit(f"forged{at}"), evidence_record=pl.lit(place, pl.Int64))
            for at, place in enumerate(places)
        ]
        return pl.concat([found.with_columns(raw), *more])

    altered = events(members, change)
    return verify_bundle(made_again(stated(altered, events=4 + len(places)), bundle.with_name("forged.zip")))


@pytest.mark.parametrize("places", [(None,), (None, None), (None, 99), (-1, None)])
def test_an_event_without_a_place_is_a_fault_and_hides_none(bundle: Path, places: tuple[int | None, ...]) -> None:
    checked = forged(bundle, *places)
    assert {fault.kind for fault in checked.faults} == {"record_missing"}
    assert {fault.where for fault in checked.faults} == {f"forged{at}" for at in range(len(places))}
    assert (checked.events, checked.records) == (4 + len(places), 4)


def test_what_has_a_place_is_compared_all_the_same(bundle: Path) -> None:
    checked = forged(bundle, None, changed="ev3")
    assert {(fault.kind, fault.where) for fault in checked.faults} == {
        ("record_missing", "forged0"),
        ("record_changed", "ev3"),
    }


def test_an_id_that_came_again_on_another_day_is_another_event(tmp_path: Path) -> None:
    days = [[record(1, time=f"2026-11-0{day}T10:00:00Z", objects=["asked"])] for day in (1, 2)]
    case = taken(tmp_path, *days)
    case.bundle(tmp_path / "b.zip", resources=["asked"], **WINDOW)
    checked = verify_bundle(tmp_path / "b.zip")
    assert (checked.ok, checked.events, checked.records) == (True, 2, 2)
