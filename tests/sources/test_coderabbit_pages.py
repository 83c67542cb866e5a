"""The paging logic against a simulated vendor; no socket, no transport."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from investigate.errors import TransferError
from investigate.events import Window
from investigate.sources import coderabbit_pages
from investigate.sources.coderabbit_page import Page, read_page
from investigate.sources.coderabbit_pages import paging
from investigate.sources.coderabbit_steps import Ask, Fetch, Keep, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

START = datetime(2026, 11, 3, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(hours=1))
SECOND = timedelta(seconds=1)


def entry(uid: object, time: datetime, **more: object) -> dict[str, object]:
    return {"id": uid, "createdAt": time.isoformat(), "relativeTime": str(random.random()), "about": uid, **more}  # noqa: S311


@dataclass
class Log:
    """A vendor whose list may change between any two requests.

    Attributes:
        rows: (time, id).
        arrivals: request number to rows that arrive before it is answered.
        cut: the unit to which the vendor cuts the times it is asked for.
        alter: has the last word on a page.
    """

    rows: list[tuple[datetime, str]]
    arrivals: dict[int, list[tuple[datetime, str]]] = field(default_factory=dict)
    cut: timedelta = timedelta(microseconds=1)
    size: int = 100
    alter: Callable[[Ask, dict[str, object], int], dict[str, object]] = lambda ask, page, number: page  # noqa: ARG005
    requests: int = 0

    def __call__(self, ask: Ask) -> Page:
        self.rows += self.arrivals.get(self.requests, [])
        self.requests += 1
        since, until = self._cut(ask.span.window.start), self._cut(ask.span.until)
        rows = sorted((row for row in self.rows if since <= row[0] <= until), reverse=True)
        first = (ask.page - 1) * self.size
        page = {
            "data": [entry(uid, time) for time, uid in rows[first : first + self.size]],
            "pagination": {
                "page": ask.page,
                "page_size": self.size,
                "total_count": len(rows),
                "has_next_page": first + self.size < len(rows),
            },
        }
        return read_page(self.alter(ask, page, self.requests))

    def _cut(self, time: datetime) -> datetime:
        return time - (time - START) % self.cut


def carried_out(
    steps: Generator[Fetch | Keep, Sequence[Page], Outcome], answer: Callable[[Fetch], dict[Ask, Page]]
) -> tuple[Outcome, list[Page]]:
    """What reading came to, and the pages kept, where each step is answered by `answer`."""
    kept: list[Page] = []
    seen: dict[Ask, Page] = {}
    step = next(steps)
    try:
        while True:
            if isinstance(step, Keep):
                kept += [seen[ask] for ask in step.asks]
                seen.clear()
                step = steps.send(())
            else:
                answers = answer(step)
                seen |= answers
                step = steps.send(tuple(answers[ask] for ask in step.asks))
    except StopIteration as stop:
        return stop.value, kept


def run(log: Log, window: Window = WINDOW, shuffle: random.Random | None = None) -> tuple[Outcome, list[Page]]:
    """What reading came to, and the pages kept; requests of a step are answered in any order, those ahead perhaps."""
    early: dict[Ask, Page] = {}

    def answer(step: Fetch) -> dict[Ask, Page]:
        nonlocal early
        early = {ask: page for ask, page in early.items() if ask in {*step.asks, *step.ahead}}
        order = [ask for ask in step.asks if ask not in early]
        order += [ask for ask in step.ahead if ask not in early and shuffle and shuffle.random() < 0.5]
        if shuffle:
            shuffle.shuffle(order)
        early |= {ask: log(ask) for ask in order}
        return {ask: early.pop(ask) for ask in step.asks}

    return carried_out(paging(window, batch=4), answer)


def rows(count: int, spacing: timedelta = SECOND) -> list[tuple[datetime, str]]:
    return [(START + number * spacing, f"e{number}") for number in range(count)]


def keys(pages: list[Page]) -> list[bytes]:
    return [one.key for page in pages for one in page.entries]


@pytest.mark.parametrize(("count", "requests"), [(0, 2), (1, 2), (100, 2), (101, 4), (250, 5), (1000, 12)])
def test_a_log_that_holds_still_is_read_once(count: int, requests: int) -> None:
    log = Log(rows(count))
    outcome, pages = run(log)
    assert outcome == Outcome((), count, 0, 0, 0, "")
    assert len(keys(pages)) == len(set(keys(pages))) == count
    assert log.requests == requests


def test_an_arrival_while_reading_has_the_window_read_again() -> None:
    log = Log(rows(250), {2: [(START + timedelta(minutes=59), "late")]})
    outcome, pages = run(log)
    assert (outcome.unproven, outcome.total, outcome.rereads) == ((), 251, 1)
    assert len(keys(pages)) == 251


def test_an_arrival_after_the_last_page_is_noticed_by_looking_at_the_first_again() -> None:
    log = Log(rows(150), {2: [(START + timedelta(minutes=59), "late")]})
    outcome, _ = run(log)
    assert (outcome.total, outcome.rereads) == (151, 1)


def test_a_window_that_never_holds_still_is_halved_until_its_parts_fit_a_page() -> None:
    arrivals = {
        number: [(START + timedelta(seconds=number % 200, milliseconds=1), f"n{number}")] for number in range(60)
    }
    log = Log(rows(250), arrivals)
    outcome, pages = run(log)
    assert outcome.unproven == ()
    assert {f"e{number}" for number in range(250)} <= {row[1] for row in log.rows}
    assert len(set(keys(pages))) == outcome.total >= 250


def test_too_many_entries_are_halved_before_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coderabbit_pages, "MAX_ENTRIES", 300)
    outcome, pages = run(Log(rows(1000)))
    assert (outcome.unproven, outcome.total, outcome.rereads) == ((), 1000, 0)
    assert len(set(keys(pages))) == 1000


def always(**pagination: object) -> Callable[[Ask, dict[str, object], int], dict[str, object]]:
    def alter(ask: Ask, page: dict[str, object], number: int) -> dict[str, object]:
        del ask, number
        return {**page, "pagination": {**page["pagination"], **pagination}}

    return alter


def first_page_for_ever(ask: Ask, page: dict[str, object], number: int) -> dict[str, object]:
    del ask, page, number
    data = [entry(uid, time) for time, uid in rows(100)]
    return {"data": data, "pagination": {"page": 1, "page_size": 100, "total_count": 250, "has_next_page": True}}


def restless_total(ask: Ask, page: dict[str, object], number: int) -> dict[str, object]:
    return always(total_count=250 + number)(ask, page, number)


def two_ids(ask: Ask, page: dict[str, object], number: int) -> dict[str, object]:
    """Page 2 begins with the last entry of page 1 under another id, in the place of one that is never shown."""
    del number
    if ask.page == 2 and page["data"]:
        page["data"][0] = {**page["data"][0], "about": page["data"][0]["id"], "id": "other"}
        page["data"][0] |= {"about": "e150", "createdAt": (START + 150 * SECOND).isoformat()}
    return page


@pytest.mark.parametrize(
    "alter",
    [
        first_page_for_ever,
        restless_total,
        always(total_count=10**12),
        always(has_next_page=True),
        always(total_count=249),
    ],
)
def test_a_vendor_that_contradicts_itself_proves_nothing_and_is_not_asked_for_ever(
    alter: Callable[[Ask, dict[str, object], int], dict[str, object]],
) -> None:
    log = Log(rows(250), alter=alter)
    outcome, pages = run(log)
    assert log.requests < 3000
    whole = sum(((window.end - window.start) for window in outcome.unproven), timedelta())
    assert whole > timedelta(0)
    assert outcome.fault
    assert len(set(keys(pages))) >= 100  # what was read is kept all the same


def test_pages_that_all_claim_to_be_the_first_are_read_one_window_each() -> None:
    outcome, pages = run(Log(rows(250), alter=always(page=1)))
    assert (outcome.unproven, outcome.total, len(set(keys(pages)))) == ((), 250, 250)


def test_an_entry_under_two_ids_on_two_pages_hides_nothing() -> None:
    outcome, pages = run(Log(rows(250), alter=two_ids))
    assert len(pages) > 3  # halved, since reading it again would show the same
    hidden = Log(rows(250))(Ask(span=next(paging(WINDOW)).asks[0].span, page=2, turn=1)).entries[0]
    inside = any(window.start <= hidden.time < window.end for window in outcome.unproven)
    assert inside or hidden.key in keys(pages)


def twins(seconds: set[int]) -> Callable[[Ask, dict[str, object], int], dict[str, object]]:
    """In these seconds, all entries are alike but for their ids."""

    def alter(ask: Ask, page: dict[str, object], number: int) -> dict[str, object]:
        del ask, number
        for row in page["data"]:
            time = datetime.fromisoformat(row["createdAt"]).replace(microsecond=0)
            if (time - START).seconds in seconds:
                row |= {"about": "twin", "createdAt": time.isoformat()}
        return page

    return alter


def test_entries_alike_on_two_pages_are_vouched_for_by_one_request_a_second() -> None:
    log = Log(rows(1000, SECOND / 3), alter=twins({66, 166, 266}))
    outcome, pages = run(log)
    assert (outcome.unproven, outcome.total, outcome.rereads, outcome.fault) == ((), 1000, 0, "")
    assert len(pages) == 10
    assert log.requests == 12 + 3


def test_more_entries_alike_than_a_page_holds_are_read_as_a_window_of_their_own() -> None:
    crowd = [(START + 100 * SECOND + number * timedelta(milliseconds=1), f"c{number}") for number in range(150)]
    log = Log([*rows(90), *crowd, *rows(500, SECOND / 5)[480:]], alter=twins({100}))
    outcome, pages = run(Log([*rows(300), *crowd], alter=twins({100})))
    assert (outcome.unproven, outcome.total, len(pages)) == ((), 450, 5)
    outcome, _ = run(log)
    assert (outcome.unproven, outcome.total) == ((), len({row[1] for row in log.rows}))


def test_entries_that_differ_in_nothing_but_their_id_are_told_of() -> None:
    def alter(ask: Ask, page: dict[str, object], number: int) -> dict[str, object]:
        del ask, number
        return {**page, "data": [{**row, "about": "same", "createdAt": START.isoformat()} for row in page["data"]]}

    outcome, _ = run(Log(rows(250), alter=alter))
    assert (outcome.unproven, outcome.total, outcome.alike > 200) == ((), 250, True)


def test_entries_without_an_id_are_told_apart_by_content() -> None:
    def alter(ask: Ask, page: dict[str, object], number: int) -> dict[str, object]:
        del ask, number
        return {**page, "data": [{name: row[name] for name in row if name != "id"} for row in page["data"]]}

    outcome, _ = run(Log(rows(250), alter=alter))
    assert (outcome.unproven, outcome.total) == ((), 250)


def test_entries_outside_the_window_are_kept_and_counted() -> None:
    def alter(ask: Ask, page: dict[str, object], number: int) -> dict[str, object]:
        del ask, number
        old = "2020-01-01T00:00:00Z"
        return {
            **page,
            "data": [{**row, "createdAt": old if row["id"] == "e7" else row["createdAt"]} for row in page["data"]],
        }

    outcome, pages = run(Log(rows(20), alter=alter))
    assert (outcome.outside, len(keys(pages))) == (1, 20)


def test_a_smaller_page_size_than_asked_for_is_noticed() -> None:
    outcome, _ = run(Log(rows(130), size=50))
    assert (outcome.unproven, outcome.total) == ((), 130)


def test_inclusive_ends_count_no_entry_twice() -> None:
    log = Log([*rows(3, timedelta(minutes=20)), (WINDOW.end, "next")])
    first, _ = run(log)
    second, _ = run(log, Window(WINDOW.end, WINDOW.end + timedelta(hours=1)))
    assert (first.total, second.total) == (3, 1)


@pytest.mark.parametrize("cut", [timedelta(milliseconds=1), SECOND])
def test_a_vendor_that_cuts_times_hides_nothing_at_the_end(cut: timedelta) -> None:
    last = (WINDOW.end - timedelta(microseconds=3), "last")
    outcome, pages = run(Log([*rows(5), last], cut=cut))
    assert (outcome.unproven, outcome.total, len(keys(pages))) == ((), 6, len(set(keys(pages))) + (cut == SECOND) * 0)


SHORT = Window(START, START + 16 * SECOND)
# Where cracks would be: at whole seconds, and just before them.
TIMES = st.builds(
    lambda second, micros: START + timedelta(seconds=second, microseconds=micros),
    st.integers(0, 15),
    st.sampled_from([0, 1, 500_000, 999_000, 999_500, 999_999]),
)
ROWS = st.lists(TIMES, max_size=60)


@settings(max_examples=150, deadline=None)
@given(
    present=ROWS,
    arriving=st.lists(st.tuples(st.integers(0, 40), TIMES), max_size=25),
    cut=st.sampled_from([timedelta(microseconds=1), timedelta(milliseconds=1), SECOND]),
    size=st.sampled_from([1, 3, 10]),
    seed=st.randoms(use_true_random=False),
)
def test_there_is_never_a_silent_gap(
    present: list[datetime],
    arriving: list[tuple[int, datetime]],
    cut: timedelta,
    size: int,
    seed: random.Random,
) -> None:
    """What was there from start to end is on a kept page, or its window is reported; and nothing is counted twice."""
    arrivals: dict[int, list[tuple[datetime, str]]] = {}
    for number, (request, time) in enumerate(arriving):
        arrivals.setdefault(request, []).append((time, f"new{number}"))
    rows = [(time, f"old{number}") for number, time in enumerate(present)]
    log = Log(list(rows), arrivals, cut, size)
    outcome, pages = run(log, SHORT, seed)
    read = {one.key for page in pages for one in page.entries}
    for time, uid in rows:
        if not any(one.start <= time < one.end for one in outcome.unproven):
            assert read_page({"data": [entry(uid, time)], "pagination": {"total_count": 1}}).entries[0].key in read
    assert outcome.total == len(read)


@pytest.mark.parametrize(
    "data",
    [None, [], {}, {"data": []}, {"data": {}, "pagination": {"total_count": 0}}, {"data": [], "pagination": []}]
    + [{"data": [], "pagination": {"total_count": total}} for total in (None, True, -1, "many", 1.5)],
)
def test_what_is_no_page_is_refused(data: object) -> None:
    with pytest.raises(TransferError, match="no page of an audit log"):
        read_page(data)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_any_entry_has_a_key(value: object) -> None:
    page = {"data": [value, value], "pagination": {"total_count": 2, "page": "x", "page_size": None}}
    first, second = read_page(page).entries
    assert first == second


def test_fetches_are_bounded() -> None:
    steps = paging(WINDOW, batch=4)
    step = next(steps)
    assert isinstance(step, Fetch)
    log = Log(rows(3000))
    step = steps.send(tuple(log(ask) for ask in step.asks))
    assert len(step.asks) == 4


def crossed(log: Log, chance: random.Random) -> tuple[Outcome, list[Page]]:
    """As `run`, but of the requests under way any two may get each other's answers, those given up included."""
    under_way: dict[Ask, Page] = {}
    early: dict[Ask, Page] = {}
    share = chance.choice([0.05, 0.2, 0.4])

    def answer(step: Fetch) -> dict[Ask, Page]:
        nonlocal early
        wanted = [*step.asks, *step.ahead]
        early = {ask: page for ask, page in early.items() if ask in wanted}
        under_way.update({ask: log(ask) for ask in wanted if ask not in early and ask not in under_way})
        while not early.keys() >= set(step.asks):
            one, other = chance.choice(list(under_way)), chance.choice(list(under_way))
            if chance.random() < share:
                under_way[one], under_way[other] = under_way[other], under_way[one]
            page = under_way.pop(one)
            if one in wanted:
                early[one] = page
        return {ask: early.pop(ask) for ask in step.asks}

    return carried_out(paging(WINDOW, batch=4), answer)


def test_answers_that_change_places_lose_no_entry_unsaid() -> None:
    for seed in range(300):
        chance = random.Random(seed)  # noqa: S311 - mishaps that come again with their seed
        count = chance.choice([50, 150, 250, 600])
        outcome, pages = crossed(Log(rows(count, timedelta(hours=1) / count)), chance)
        assert outcome.unproven or len(set(keys(pages))) == count, seed
