"""Any page of any order is that part of the whole, sorted: from a table of its own or a lake too large for one."""

from __future__ import annotations

from threading import Timer
from typing import TYPE_CHECKING

import pytest

from investigate.errors import LakeError, UsageError
from investigate.widgets import pages, picked
from investigate.widgets.order import Order
from investigate.widgets.pages import Pages
from investigate.widgets.picked import LAKE, Shelf
from investigate.widgets.subset import Subset
from investigate.widgets.where import Where, filtered

from .traced import case_of, record, small_case

if TYPE_CHECKING:
    from pathlib import Path

    from investigate.case import Case

COLUMNS = ["event_uid", "time", "actor", "action", "credential"]


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("pages")
    identity = {"arn": "arn:aws:iam::1:user/u1", "userName": "none"}
    without = [record(500 + number, userIdentity=identity, eventID=f"n{number}") for number in range(9)]
    return case_of(folder, *(record(number) for number in range(120)), *without)


@pytest.fixture(scope="module")
def shelf(case: Case) -> Shelf:
    return Shelf(case)


def whole(case: Case, order: Order, where: str = "true") -> list[tuple[object, ...]]:
    """The values all events are sorted by, in order."""
    way = "DESC" if order.descending else "ASC"
    by = f"{order.column} {way} NULLS LAST, time {way}"
    return case.sql(f"SELECT {order.column}, epoch_us(time) FROM events WHERE {where} ORDER BY {by}").rows()


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("column", ["time", "date", "actor", "credential", "src_ip", "event_uid", "evidence_record"])
def test_the_pages_together_are_the_whole_in_order(
    case: Case, shelf: Shelf, monkeypatch: pytest.MonkeyPatch, column: str, held: bool, descending: bool
) -> None:
    monkeypatch.setattr(picked, "MOST", 1_000 if held else 0)
    monkeypatch.setattr(pages, "HEAD", 40)
    order = Order(column, descending)
    seat = shelf.seat()
    pick = seat.pick(Where())
    found = Pages(Subset(seat, pick, Where(prefix="f")), order)
    wanted = [f"{column} AS value", "epoch_us(time) AS us", "event_uid AS uid"]
    got = [row for start in range(0, 140, 33) for row in found.page(start, 33, wanted)]
    assert pick.held == held
    assert (found.total, len({row["uid"] for row in got})) == (129, 129)
    assert [(row["value"], row["us"]) for row in got] == whole(case, order)


def test_a_page_in_the_middle_needs_none_before_it(case: Case, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picked, "MOST", 0)
    monkeypatch.setattr(pages, "HEAD", 0)
    where = Where(prefix="f")
    filtered(where, [{"column": "action", "operator": "is", "value": "GetObject"}])
    seat = shelf.seat()
    found = Pages(Subset(seat, seat.pick(Where()), where), Order("actor", descending=False))
    expected = whole(case, Order("actor", descending=False), "action = 'GetObject'")
    page = found.page(17, 5, ["actor", "epoch_us(time) AS us"])
    assert found.total == len(expected)
    assert [(row["actor"], row["us"]) for row in page] == expected[17:22]
    assert found.page(found.total, 5, ["actor"]) == []
    found.close()


def test_few_of_many_become_a_table_in_which_every_page_is_the_same(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picked, "MOST", 0)
    monkeypatch.setattr(pages, "HEAD", 200)
    where, order = Where(prefix="f"), Order("actor", descending=False)
    filtered(where, [{"column": "action", "operator": "is", "value": "GetObject"}])
    seat = shelf.seat()
    pick = seat.pick(Where())
    subset = Subset(seat, pick, where)
    monkeypatch.setattr(picked, "MOST", 1_000)
    found = Pages(subset, order)
    wanted = found.page(0, 500, ["event_uid"])
    assert len(wanted) == subset.total > 5
    found.prepare()
    monkeypatch.setattr(pages, "HEAD", 5)
    for these in (found, Pages(subset, order)):  # goes over to the table, and begins with it
        assert [{name: row[name] for name in wanted[0]} for row in these.page(0, 500, ["event_uid"])] == wanted
        assert subset.pick().held
        these.close()
    assert subset.answers(seat, pick, where)
    subset.close()
    assert not subset.pick().held


def test_who_waits_for_a_page_of_what_was_asked_before_waits_no_longer(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picked, "MOST", 0)
    monkeypatch.setattr(pages, "HEAD", 1)
    seat = shelf.seat()
    found = Pages(Subset(seat, seat.pick(Where()), Where(prefix="f")), Order("actor"))
    found.prepare()
    found.stop()
    with pytest.raises(LakeError, match="stopped"):
        found.page(50, 5, ["actor"])
    found.close()


@pytest.mark.parametrize("column", ["raw", "resources", "1; DROP TABLE events", None])
def test_an_order_that_is_none_is_refused(column: object) -> None:
    with pytest.raises(UsageError):
        Order.asked(column, descending=True)


def test_a_pick_of_a_pick_is_part_of_it(case: Case, shelf: Shelf) -> None:
    where = Where()
    seat = shelf.seat()
    where.among("action", ["GetObject"])
    first = seat.pick(where)
    more = Where(prefix="s")
    more.among("src_ip", ["192.0.2.1"])
    second = seat.pick(more, first)
    expected = case.sql("SELECT count(*) FROM events WHERE action = 'GetObject' AND src_ip = '192.0.2.1'").item()
    assert seat.count(second.table, Where()) == expected


def test_a_lake_that_grew_is_seen_by_the_next_cursor(tmp_path: Path) -> None:
    case = small_case(tmp_path, 3)
    shelf = Shelf(case)
    before = shelf.seat()
    (tmp_path / "more.jsonl").write_text(record(77))
    case.import_files(tmp_path / "more.jsonl", "cloudtrail")
    after = shelf.seat(before)
    assert (before.count(LAKE, Where()), after.count(LAKE, Where())) == (3, 4)
    assert shelf.seat(after) is after


def test_a_query_that_was_stopped_says_so(shelf: Shelf) -> None:
    seat = shelf.seat()
    timer = Timer(0.3, seat.cursor.interrupt)
    timer.start()
    with pytest.raises(LakeError, match="stopped"):
        seat.rows("SELECT sum(a.range * b.range) AS n FROM range(1000000) a, range(1000000) b")
    timer.join()
