"""A vendor that contradicts itself or goes away: what a case then holds, counts and claims."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import stamina
from pydantic import SecretStr

import investigate
from investigate.config import HttpConfig
from investigate.errors import LinkExpired, SourceError, VendorUnavailable
from investigate.events import Window
from investigate.sources import coderabbit, coderabbit_pages
from investigate.sources.download import download
from investigate.sources.http import Client
from investigate.sources.link import Link

from .proxy import Fault, Proxy
from .vendor import END, START, Page, Vendor, entry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from investigate.case import Acquisition, Case
    from investigate.evidence.store import EvidenceStore
    from tests.case.conftest import Box

COUNT = 350
HOUR = 3600.0


def log(count: int = COUNT) -> list[Page]:
    return [entry(f"e{number}", END - timedelta(seconds=number + 1)) for number in range(count)]


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    monkeypatch.setenv("CODERABBIT_API_KEY", "cr-key-5ec4e7")
    return investigate.open(tmp_path / "case")


def pulled(case: Case, vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> Acquisition:
    """What a pull brings; whatever the vendor does, the sum holds and the evidence is sound."""
    monkeypatch.setenv("INVESTIGATE_CODERABBIT_BASE_URL", vendor.url)
    acquired = investigate.open(case.layout.root).coderabbit.pull(START, END)
    counts = acquired.counts
    assert counts.received == counts.stored + counts.duplicate + counts.rejected
    assert case.verify().ok
    return acquired


def ids(case: Case) -> set[str]:
    return set(case.sql("SELECT event_uid FROM events")["event_uid"])


def test_pages_that_shift_are_read_until_nothing_is_missing(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def arrive(vendor: Vendor) -> None:
        if len(vendor.pages) in {2, 7}:
            vendor.entries.insert(0, entry(f"new{len(vendor.pages)}", END - timedelta(seconds=1)))

    with Vendor(log(), after=arrive) as vendor:
        acquired = pulled(case, vendor, monkeypatch)
    assert ids(case) == {one["id"] for one in vendor.entries}
    assert len(vendor.entries) > COUNT
    assert acquired.coverage.complete


def test_the_order_of_the_log_does_not_matter(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    with Vendor(log()[::-1]) as vendor:
        acquired = pulled(case, vendor, monkeypatch)
    assert (acquired.counts.stored, acquired.coverage.complete) == (COUNT, True)


FIRST_PAGE = log(100)


def again_and_again(page: Page) -> Page:
    data = FIRST_PAGE
    return {**page, "data": data, "pagination": {**page["pagination"], "total_count": COUNT, "has_next_page": True}}


def restless() -> Any:
    totals = iter(range(COUNT, 10**6))
    return lambda page: {**page, "pagination": {**page["pagination"], "total_count": next(totals)}}


@pytest.mark.parametrize(("alter", "least"), [(again_and_again, 100), (restless(), COUNT)])
def test_a_vendor_that_repeats_itself_or_counts_anew_ends_and_claims_nothing(
    alter: Any, least: int, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coderabbit_pages, "_SPARE_REQUESTS", 10)
    with Vendor(log(), alter=alter) as vendor:
        acquired = pulled(case, vendor, monkeypatch)
    assert len(vendor.pages) < 500
    assert acquired.counts.stored == len(ids(case)) >= least
    assert not acquired.coverage.complete
    assert "not proven complete" in str(acquired.warnings)


def test_one_entry_under_two_ids_is_kept_twice_and_told_of(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is one or two, nobody but the vendor can say: its ids count, and a person hears of it."""
    twin = {**log()[99], "id": "twin of e99"}
    with Vendor([*log()[:100], twin, *log()[100:]]) as vendor:
        acquired = pulled(case, vendor, monkeypatch)
    assert ids(case) == {one["id"] for one in log()} | {"twin of e99"}
    assert "1 entries differ from another in nothing but their id" in str(acquired.warnings)
    assert acquired.coverage.complete
    assert len(vendor.pages) == 7  # four pages, the second of the twins, the first page and the end once more


def test_an_id_that_is_another_in_each_answer_claims_nothing_beyond_a_page(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last entry of a page comes on the next one too, in the place of one that never comes, under a new id."""
    numbers, entries = iter(range(10**6)), log()

    def alter(page: Page) -> Page:
        if page["pagination"]["page"] > 1 and page["data"]:
            place = entries.index(page["data"][0])
            page["data"][0] = {**entries[place - 1], "id": f"again{next(numbers)}"}
        return page

    with Vendor(entries, alter=alter) as vendor:
        acquired = pulled(case, vendor, monkeypatch)
    missing = {one["id"] for one in entries} - ids(case)
    gaps = [gap.window for gap in acquired.coverage.gaps]
    times = [datetime.fromisoformat(one["createdAt"]) for one in entries if one["id"] in missing]
    assert all(any(gap.start <= time < gap.end for gap in gaps) for time in times)


class Clock:
    """Seconds that pass only while somebody sleeps, for all threads at once; not for those of other tests."""

    def __init__(self) -> None:
        self._lock, self._now, self._real = threading.Lock(), 0.0, time.sleep
        self._others = {thread.ident for thread in threading.enumerate()} - {threading.get_ident()}

    def __call__(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        if threading.get_ident() in self._others:
            self._real(seconds)
            return
        with self._lock:
            self._now += seconds

    def present(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """Real waits, on a clock of our own."""
    made = Clock()
    monkeypatch.setattr("time.sleep", made.sleep)
    with stamina.set_testing(False):
        yield made


@pytest.mark.parametrize("connections", [1, 4])
def test_a_vendor_that_goes_away_half_way_for_an_hour(connections: int, clock: Clock, store: EvidenceStore) -> None:
    http = HttpConfig(connections=connections, retry_attempts=50)
    key = {"x-coderabbitai-api-key": SecretStr("cr-key-5ec4e7")}

    def pull(base: str) -> coderabbit.PullReceived:
        with Client(base, key, http, vendor=coderabbit.VENDOR, clock=clock) as client:
            return coderabbit.pull(client, Window(START, END), store=store)

    with Vendor(log(), up=lambda vendor: len(vendor.pages) != 3 or clock() > HOUR) as vendor:
        with pytest.raises(VendorUnavailable, match="No answer from") as caught:
            pull(vendor.url)
        assert caught.value.hint
        assert http.retry_budget * 0.9 < clock() < HOUR
        assert (list(store), "cr-key" in str(caught.value)) == ([], False)
        clock.sleep(HOUR)
        received = pull(vendor.url)
    assert (received.total, received.unproven) == (COUNT, ())


def test_a_budget_longer_than_the_absence_outlasts_it(clock: Clock, store: EvidenceStore) -> None:
    http = HttpConfig(connections=1, retry_attempts=1000, retry_budget=2 * HOUR)
    with Vendor(log(), up=lambda vendor: len(vendor.pages) != 3 or clock() > HOUR) as vendor:
        key = {"x-coderabbitai-api-key": SecretStr("cr-key-5ec4e7")}
        with Client(vendor.url, key, http, vendor=coderabbit.VENDOR, clock=clock) as client:
            received = coderabbit.pull(client, Window(START, END), store=store)
    assert (received.total, received.unproven) == (COUNT, ())
    assert HOUR < clock() < HOUR + 60


def test_a_bucket_that_goes_away_half_way_for_an_hour_and_then_for_a_day(
    box: Box, clock: Clock, store: EvidenceStore, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in box.environment.items():
        monkeypatch.setenv(name, value)
    devrev = investigate.open(case.layout.root).devrev
    with stamina.set_testing(False), monkeypatch.context() as awake:
        awake.undo()
        link = box.link_after(lambda: devrev.request_export(*box.window))
    away = iter([Fault.CUT])
    with Proxy(box.at["s3_url"], lambda: next(away, Fault.GONE)) as proxy:
        found = Link.parse(proxy.through(link), now=clock.present())
        with pytest.raises(SourceError) as caught:
            download(found, store, HttpConfig(), now=clock.present)
        assert caught.value.hint
        clock.sleep(HOUR)
        proxy.plan, reached = (lambda: None), len(proxy.passed)
        size = download(found, store, HttpConfig(), now=clock.present).files[0].size
        assert (size > 0, len(proxy.passed)) == (True, reached + 1)
        clock.sleep(24 * HOUR)
        with pytest.raises(LinkExpired, match="expired"):
            download(found, store, HttpConfig(), now=clock.present)
        assert len(proxy.passed) == reached + 1
