"""Whole acquisitions through a proxy that does everything at once: the case ends up as an undisturbed one."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import pytest

import investigate
from investigate.errors import InvestigateError

from .proxy import Fault, Proxy, first, sometimes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import polars as pl

    from investigate.case import Case
    from tests.case.conftest import Box

T = TypeVar("T")
SHARE = 0.4
TRIES = 20
API = tuple(fault for fault in Fault if fault is not Fault.SWAPPED)  # in JSON, that only TLS can tell
EVENTS = """SELECT * EXCLUDE (evidence, evidence_record, raw), regexp_replace(raw, '"relativeTime":"[^"]*"', '') AS raw
            FROM events ORDER BY source, event_uid"""


def opened(box: Box, folder: Path, monkeypatch: pytest.MonkeyPatch, base: str) -> Case:
    for name, value in box.environment.items():
        monkeypatch.setenv(name, base if name.endswith("BASE_URL") else value)
    return investigate.open(folder)


def state(case: Case) -> list[pl.DataFrame]:
    coverage = case.coverage("2000-01-01", "2100-01-01").filter(state="complete")
    return [case.sql(EVENTS), coverage.drop("acquisition").unique().sort("source")]


def until_done(act: Callable[[], T], errors: list[InvestigateError]) -> T:
    """What a person does who reads the error and follows its hint: the same again."""
    for _ in range(TRIES):
        try:
            return act()
        except InvestigateError as error:
            errors.append(error)
    pytest.fail(f"never done: {errors}")


@pytest.fixture(scope="module")
def end(box: Box) -> str:
    """After the planted incident, before the settling time: two pulls see the same."""
    return str(box.at["brief"]["window"]["end"])


@pytest.fixture(scope="module")
def undisturbed(box: Box, end: str, tmp_path_factory: pytest.TempPathFactory) -> list[pl.DataFrame]:
    with pytest.MonkeyPatch.context() as patch:
        case = opened(box, tmp_path_factory.mktemp("undisturbed") / "case", patch, box.at["devrev_url"])
        case.devrev.collect(box.link_after(lambda: case.devrev.request_export(box.window[0], end)))
        case.coderabbit.pull(box.window[0], end)
        return state(case)


@pytest.mark.parametrize("seed", [2])
def test_a_case_is_the_same_after_all_of_it(
    seed: int,
    box: Box,
    end: str,
    undisturbed: list[pl.DataFrame],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    errors: list[InvestigateError] = []
    start = box.window[0]
    api = Proxy(box.at["devrev_url"], sometimes(seed, API, SHARE), seed)
    with api, Proxy(box.at["s3_url"], sometimes(seed, tuple(Fault), SHARE), seed) as bucket:
        case = opened(box, tmp_path / "case", monkeypatch, api.url)
        link = box.link_after(lambda: until_done(lambda: case.devrev.request_export(start, end), errors))
        until_done(lambda: case.devrev.collect(bucket.through(link)), errors)
        until_done(lambda: case.coderabbit.pull(start, end), errors)
    assert all(error.hint for error in errors)
    assert [found.equals(wanted) for found, wanted in zip(state(case), undisturbed, strict=True)] == [True, True]
    done = [row.counts for row in case.journal.acquisitions() if row.state == "done" and row.counts]
    assert [one.received for one in done] == [one.stored + one.duplicate + one.rejected for one in done]
    assert sum(one.stored for one in done) == undisturbed[0].height
    assert case.verify().ok
    assert len(api.met) > 3
    secrets = [link.rpartition("X-Amz-Signature=")[2], box.at["devrev_token"], box.at["coderabbit_key"]]
    files = b"".join(path.read_bytes() for path in case.layout.root.rglob("*") if path.is_file())
    said = caplog.text + "".join(f"{error!r}{error}" for error in errors)
    assert [secret for secret in secrets if secret in said or secret.encode() in files] == []


def test_bytes_altered_for_good_are_told_of_and_the_next_try_is_whole(
    box: Box, end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = opened(box, tmp_path / "case", monkeypatch, box.at["devrev_url"])
    link = box.link_after(lambda: case.devrev.request_export(box.window[0], end))
    with Proxy(box.at["s3_url"], lambda: Fault.CORRUPT) as bucket:
        with pytest.raises(InvestigateError, match="something on the way may be altering them"):
            case.devrev.collect(bucket.through(link))
        assert case.sql("SELECT count(*) AS n FROM events")["n"][0] == 0
        bucket.plan = first()
        acquired = case.devrev.collect(bucket.through(link))
    assert acquired.counts.received == acquired.counts.stored > 0
    assert case.verify().ok
