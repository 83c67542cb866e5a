"""A look-up in `touches` finds what they tell of a value, whichever table it is kept in, within a window and memory."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from investigate.errors import LakeError
from investigate.events import Window
from investigate.lake import lookup, rollup
from investigate.lake.lookup import LookUp
from investigate.lake.touches import BY_ACTOR, BY_RESOURCE, BY_SRC_IP
from tests.lake.made import commit
from tests.lake.touched import START, event, schema, table

if TYPE_CHECKING:
    import polars as pl

    from investigate.lake.lake import Lake

ALWAYS = Window.of("2026-01-01", "2027-01-01")


@pytest.fixture(autouse=True)
def _every_order_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in large lakes."""
    monkeypatch.setattr(rollup, "_LOOKED_THROUGH", 0)


def _looked_up(lake: Lake, order: str, value: str, window: Window) -> pl.DataFrame:
    answer = LookUp(lake.orders, 2**29).rows(order, [value], window, lake.events.snapshot().version)
    assert answer is not None
    return answer


@pytest.mark.parametrize("looked_through", [0, 9])
def test_a_look_up_finds_the_touches_of_a_value(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, looked_through: int
) -> None:
    monkeypatch.setattr(rollup, "_LOOKED_THROUGH", looked_through)
    events = {1: event(1), 2: event(2, hours=48, actor="bob"), 3: event(3, ["s"], src_ip="10.0.0.9")}
    commit(lake, "a1", table(list(events.values())))
    version = lake.events.snapshot().version
    asked: list[tuple[Any, str, set[int]]] = [
        *((BY_RESOURCE, "r", {1, 2}), (BY_ACTOR, "bob", {2})),
        *((BY_SRC_IP, "10.0.0.9", {3}), (BY_ACTOR, "nobody", set())),
    ]
    for order, value, wanted in asked:
        found = _looked_up(lake, order.name, value, ALWAYS)
        assert set(found["first"]) == {events[number]["time"] for number in wanted}, value
        assert found.equals(lake.look_up.scan(order.name, [value], ALWAYS, version).collect()), value


@pytest.mark.parametrize("looked_through", [0, 9])
def test_the_query_of_a_look_up_finds_the_same(
    folder_lake: Lake, monkeypatch: pytest.MonkeyPatch, looked_through: int
) -> None:
    monkeypatch.setattr(rollup, "_LOOKED_THROUGH", looked_through)
    commit(folder_lake, "a1", table([event(1), event(2, ["s"], hours=48), event(3, actor="bob", src_ip=None)]))
    window = Window.of("2026-11-01", "2026-11-02")
    for order, value in ((BY_RESOURCE, "r"), (BY_ACTOR, "ann"), (BY_SRC_IP, "10.0.0.1")):
        with folder_lake.borrow(version := folder_lake.events.snapshot().version) as connection:
            folder_lake.expose_touches(connection, version, order.name)
            bound = {"values": [value], "start": window.start, "end": window.end}
            rows = connection.sql(folder_lake.look_up.query(order.name), params=bound).to_arrow_table().cast(schema())
        assert rows.to_pylist() == _looked_up(folder_lake, order.name, value, window).to_dicts(), order.name


def test_a_look_up_whose_file_is_gone_says_what_to_do(folder_lake: Lake) -> None:
    commit(folder_lake, "a1", table([event(1)]))
    own = folder_lake.orders[BY_RESOURCE.name].table
    own.storage.remove(own.snapshot().names)
    with pytest.raises(LakeError, match="could not be read"):
        _looked_up(folder_lake, BY_RESOURCE.name, "r", ALWAYS)


def test_a_look_up_keeps_to_its_window(lake: Lake) -> None:
    commit(lake, "a1", table([event(1), event(2, hours=48)]))
    found = _looked_up(lake, BY_RESOURCE.name, "r", Window.of("2026-11-03", "2026-11-04"))
    assert found["date"].to_list() == [(START + timedelta(days=2)).date()]


def test_a_look_up_of_more_than_memory_holds_says_so(folder_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(folder_lake, "a1", table([event(number, hours=24 * number) for number in range(5)]))
    monkeypatch.setattr(lookup, "_ROW", 2**26)
    version = folder_lake.events.snapshot().version
    assert LookUp(folder_lake.orders, 2**27).rows(BY_RESOURCE.name, ["r"], ALWAYS, version) is None


def test_a_name_that_is_sql_is_only_a_name(folder_lake: Lake) -> None:
    name = "r' OR '1'='1"
    commit(folder_lake, "a1", table([event(1, [name]), event(2)]))
    found = _looked_up(folder_lake, BY_RESOURCE.name, name, ALWAYS)
    assert found["resource"].to_list() == [name]
