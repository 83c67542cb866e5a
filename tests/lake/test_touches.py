"""`touches` equals the events it sums up, in every order, whatever came when, and heals where a process was killed."""

from __future__ import annotations

import errno
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from investigate.errors import LakeError
from investigate.lake import ordered, portions, rollup, runs
from investigate.lake.lake import Lake
from investigate.lake.storage import Folder
from investigate.lake.touches import BY_ACTOR, BY_RESOURCE, BY_SRC_IP, COLUMNS, KEY, ORDERS, read
from tests.lake.made import commit
from tests.lake.touched import Event, event, schema, table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from deltalake.transaction import AddAction

    from investigate.lake.table import Table
    from investigate.lake.touches import Order

NAMES = ("actor_name", "actor_email", "actor_type")


@pytest.fixture(autouse=True)
def _every_order_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in large lakes."""
    monkeypatch.setattr(rollup, "_LOOKED_THROUGH", 0)


def summed(events: Sequence[Event]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """What `touches` says of some events, in plain Python."""
    found: dict[tuple[Any, ...], list[tuple[Event, bool, bool]]] = {}
    for one in events:
        named = [name for name in one["resources"] or [] if name is not None]
        for resource in dict.fromkeys(named) or [None]:
            key = tuple(resource if name == "resource" else one[name] for name in KEY)
            first = not named or resource == named[0]
            found.setdefault(key, []).append((one, first, len(set(named)) > 1))
    return {
        key: (
            len(group),
            sum(first for _, first, _ in group),
            sum(several for _, _, several in group),
            min(one["time"] for one, _, _ in group),
            max(one["time"] for one, _, _ in group),
            *(max((one[name] for one, _, _ in group if one[name] is not None), default=None) for name in NAMES),
        )
        for key, group in found.items()
    }


def kept(lake: Lake, order: str) -> Counter[tuple[Any, ...]]:
    """The rows of an order's table, as rows of `touches`."""
    own = lake.touches.orders[order]
    if not (files := own.files()):
        return Counter()
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        own.table.storage.expose(connection, "found", files, own.table.schema, None)
        rows = connection.sql(f"SELECT {read(own.order)} FROM found").to_arrow_table().cast(schema())
    return Counter(tuple(row[name] for name in COLUMNS) for row in rows.to_pylist())


def of(events: Sequence[Event]) -> Counter[tuple[Any, ...]]:
    return Counter((*key, *values) for key, values in summed(events).items())


def _killed(*_given: object) -> int:
    raise LakeError("cut off", "")


def test_an_acquisition_is_summed_up_with_its_commit(lake: Lake) -> None:
    events = [event(1), event(2), event(3, ["r", "s", "r"]), event(4, []), event(5, hours=30, src_ip=None)]
    commit(lake, "a1", table(events))
    for order in ORDERS:
        assert kept(lake, order.name) == of(events), order.name


rows = st.builds(
    event,
    st.integers(0, 10**6),
    st.lists(st.sampled_from(["r", "s", "Ü", None]), max_size=3),
    st.integers(0, 72),
    actor=st.sampled_from(["ann", "bob"]),
    src_ip=st.sampled_from(["10.0.0.1", "10.0.0.2", None]),
    credential=st.sampled_from(["t1", None]),
    outcome=st.sampled_from(["success", "failure"]),
    actor_name=st.sampled_from(["Ann", "Änn", None]),
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(rows, max_size=12, unique_by=lambda one: one["event_uid"]), min_size=1, max_size=3),
    st.sampled_from([0, rollup._WITHIN]),
    st.sampled_from([1, 5, portions._AT_ONCE]),
)
def test_it_equals_the_events_it_sums_however_they_came(
    tmp_path_factory: pytest.TempPathFactory, acquisitions: list[list[Event]], within: int, at_once: int
) -> None:
    lake = Lake(tmp_path_factory.mktemp("lakes") / "lake")
    stored: dict[tuple[Any, ...], Event] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rollup, "_WITHIN", within)
        patch.setattr(portions, "_AT_ONCE", at_once)
        for number, events in enumerate(acquisitions):
            commit(lake, f"a{number}", table(events))
            for one in events:
                stored.setdefault((one["date"], one["event_uid"]), one)
    assert [kept(lake, order.name) for order in ORDERS] == [of(list(stored.values()))] * len(ORDERS)


def test_late_events_of_a_day_join_its_rows(lake: Lake) -> None:
    first, late = event(1), event(2)
    commit(lake, "a1", table([first]))
    commit(lake, "a2", table([late]))
    assert kept(lake, BY_RESOURCE.name) == of([first, late])


def test_many_small_acquisitions_leave_few_runs(folder_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portions, "_SMALL", 0)
    events = [event(number, [f"r{number}"], hours=24 * number) for number in range(13)]
    for number, one in enumerate(events):
        commit(folder_lake, f"a{number}", table([one]))
    assert len(folder_lake.touches.orders[BY_RESOURCE.name].runs()) <= 5
    assert kept(folder_lake, BY_ACTOR.name) == of(events)


def test_few_rows_of_a_disk_are_kept_in_one_order(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollup, "_LOOKED_THROUGH", 2)
    events = [event(1), event(2), event(3, ["s"])]
    commit(lake, "a1", table(events))
    assert lake.summed_up(lake.events.snapshot().version)
    wanted = [BY_RESOURCE] if lake.events.storage.local_folders else ORDERS
    assert [own.order for own in lake.orders.values() if own.events_version is not None] == list(wanted)
    assert [kept(lake, order.name) for order in wanted] == [of(events)] * len(wanted)


@pytest.mark.parametrize("small", [0, portions._SMALL])
def test_once_there_are_many_rows_all_orders_are_kept(
    folder_lake: Lake, monkeypatch: pytest.MonkeyPatch, small: int
) -> None:
    """Whether the earlier ones would be merged with those that make them many or not; no event is read again."""
    monkeypatch.setattr(rollup, "_LOOKED_THROUGH", 3)
    monkeypatch.setattr(portions, "_SMALL", small)
    real, read_again = Folder.parquet, list[str]()
    monkeypatch.setattr(Folder, "parquet", lambda *given: read_again.append(given[1]) or real(*given))
    events = [event(number, [f"r{number}"], hours=24 * number) for number in range(6)]
    for number in range(5):
        commit(folder_lake, f"a{number}", table(events[: number + 1]))
        wanted = [BY_RESOURCE] if number < 3 else ORDERS
        assert [kept(folder_lake, order.name) for order in wanted] == [of(events[: number + 1])] * len(wanted), number
        assert [own.events_version is not None for own in folder_lake.orders.values()].count(True) == len(wanted), (
            number
        )
    monkeypatch.setattr(rollup, "_LOOKED_THROUGH", 9)
    commit(folder_lake, "a6", table(events))
    assert [kept(folder_lake, order.name) for order in ORDERS] == [of(events)] * len(ORDERS)
    assert not [name for name in read_again if name.startswith("date=")]


def test_a_first_acquisition_of_several_parts_may_be_of_many_rows_only_with_its_last(
    folder_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollup, "_LOOKED_THROUGH", 3)
    monkeypatch.setattr(portions, "_RUN", 2)
    events = [event(number, [f"r{number}"], hours=24 * number) for number in range(6)]
    commit(folder_lake, "a1", table(events))
    assert [kept(folder_lake, order.name) for order in ORDERS] == [of(events)] * len(ORDERS)
    assert len(folder_lake.orders[BY_RESOURCE.name].runs()) > 1


def test_a_file_ends_where_its_rows_take_much_memory(folder_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordered, "_IN_HAND", 1)
    events = [event(number, [f"r{number:05}"]) for number in range(3 * BY_RESOURCE.group)]
    commit(folder_lake, "a1", table(events))
    assert [len(own.files() or []) for own in folder_lake.orders.values()] == [3, 1, 1]
    assert [kept(folder_lake, order.name) for order in ORDERS] == [of(events)] * len(ORDERS)


def test_a_file_that_cannot_be_written_ends_the_others(folder_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    real, puts = rollup.Scratch.put, list[str]()

    def full(self: rollup.Scratch, at: Table, name: str, *rest: object) -> AddAction:
        puts.append(name)
        if len(puts) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, at, name, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as broken:
        broken.setattr(rollup.Scratch, "put", full)
        assert "No space left" in commit(folder_lake, "a1", table([event(1)])).note
    assert len(puts) < len(ORDERS)
    assert not folder_lake.staged()
    assert folder_lake.touches.catch_up() == 1
    assert [kept(folder_lake, order.name) for order in ORDERS] == [of([event(1)])] * len(ORDERS)


@pytest.mark.parametrize("order", [BY_ACTOR, BY_RESOURCE])
def test_what_was_cut_off_when_all_orders_came_to_be_kept_is_made_up_for(
    folder_lake: Lake, monkeypatch: pytest.MonkeyPatch, order: Order
) -> None:
    monkeypatch.setattr(portions, "_SMALL", 0)
    monkeypatch.setattr(rollup, "_LOOKED_THROUGH", 1)
    events = [event(number, [f"r{number}"], hours=24 * number) for number in range(4)]
    commit(folder_lake, "a1", table(events[:1]))
    with monkeypatch.context() as broken:
        broken.setattr(folder_lake.orders[order.name].table, "transact", _killed)
        assert "not summed up yet" in commit(folder_lake, "a2", table(events[1:2])).note
    assert not folder_lake.summed_up(folder_lake.events.snapshot().version)
    for number in (2, 3):
        commit(folder_lake, f"a{number + 1}", table(events[number : number + 1]))
        assert [kept(folder_lake, one.name) for one in ORDERS] == [of(events[: number + 1])] * len(ORDERS), number


def test_new_rows_are_summed_up_without_reading_their_files(folder_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    events = [event(1), event(2, ["s", "r"]), event(3, [], actor="Änn", actor_name=None), event(4, hours=48)]
    with monkeypatch.context() as patch:
        patch.setattr(Folder, "parquet", lambda *_: pytest.fail("a file was read"))
        commit(folder_lake, "a1", table(events))
    assert kept(folder_lake, BY_ACTOR.name) == of(events)
    commit(folder_lake, "a2", table([events[1], event(5), event(5), event(6, hours=48)]))
    assert kept(folder_lake, BY_ACTOR.name) == of([*events, event(5), event(6, hours=48)])


def test_what_was_cut_off_before_the_roll_up_is_made_up_for(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(lake, "a1", table([event(1)]))
    with monkeypatch.context() as broken:
        broken.setattr(rollup.Rollup, "catch_up", lambda *_: 0)
        commit(lake, "a2", table([event(2, ["s"])]))
    assert not lake.summed_up(lake.events.snapshot().version)
    commit(lake, "a3", table([event(3, ["t"])]))
    assert lake.summed_up(lake.events.snapshot().version)
    assert kept(lake, BY_SRC_IP.name) == of([event(1), event(2, ["s"]), event(3, ["t"])])


def test_what_was_cut_off_between_two_orders_is_made_up_for(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(lake, "a1", table([event(1)]))
    last = lake.touches.orders[BY_RESOURCE.name].table
    with monkeypatch.context() as broken:
        broken.setattr(last, "transact", _killed)
        assert "not summed up yet" in commit(lake, "a2", table([event(2, ["s"])])).note
    assert not lake.summed_up(lake.events.snapshot().version)
    assert lake.touches.catch_up() == 1
    assert [kept(lake, order.name) for order in ORDERS] == [of([event(1), event(2, ["s"])])] * len(ORDERS)
    monkeypatch.setattr(portions, "_SMALL", 0)  # then what was cut off is not merged with what comes
    commit(lake, "a3", table([event(3, ["t"])]))
    events = [event(1), event(2, ["s"]), event(3, ["t"])]
    assert [kept(lake, order.name) for order in ORDERS] == [of(events)] * len(ORDERS)


def test_a_rebuild_gives_the_same(lake: Lake) -> None:
    events = [event(number, [f"r{number % 3}"], hours=number) for number in range(40)]
    commit(lake, "a1", table(events[:25]))
    commit(lake, "a2", table(events[20:]))
    assert lake.touches.rebuild() == 40
    assert [kept(lake, order.name) for order in ORDERS] == [of(events)] * len(ORDERS)


@pytest.mark.parametrize("error", [duckdb.OutOfMemoryException("x"), OSError("Out of Memory Error: by way of Arrow")])
@pytest.mark.parametrize(("within", "first", "quarters"), [(rollup._WITHIN, ":memory:", 3), (0, rollup._ROWS, 2)])
def test_where_memory_is_too_little_rows_lie_in_a_file_and_all_of_it_is_used(
    folder_lake: Lake, monkeypatch: pytest.MonkeyPatch, error: Exception, within: int, first: str, quarters: int
) -> None:
    given, real = list[tuple[str, int]](), rollup.Scratch

    class Short(real):
        def engine(self, database: str = ":memory:", memory: int | None = None) -> duckdb.DuckDBPyConnection:
            assert memory is not None
            given.append((database, memory))
            if len(given) == 1:
                raise error
            return super().engine(database, memory)

    monkeypatch.setattr(rollup, "Scratch", Short)
    monkeypatch.setattr(rollup, "_WITHIN", within)
    assert commit(folder_lake, "a1", table([event(1), event(2, ["s"])])).note == ""
    assert kept(folder_lake, BY_ACTOR.name) == of([event(1), event(2, ["s"])])
    (_, all_of_it) = given[1]
    assert given == [(first, quarters * all_of_it // 4), (rollup._ROWS, all_of_it)]


def test_a_rebuild_mends_a_roll_up_that_lost_a_file(folder_lake: Lake) -> None:
    commit(folder_lake, "a1", table([event(1)]))
    own = folder_lake.touches.orders[BY_ACTOR.name]
    own.table.storage.remove(own.table.snapshot().names)
    folder_lake.touches.rebuild()
    assert kept(folder_lake, BY_ACTOR.name) == of([event(1)])


def test_a_run_that_no_table_has_goes_once_nobody_can_read_it(
    folder_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(folder_lake, "a1", table([event(1)]))
    own = folder_lake.touches.orders[BY_RESOURCE.name]
    (old,) = own.files()
    monkeypatch.setattr(runs, "_LINGER", timedelta(hours=-1))
    commit(folder_lake, "a2", table([event(2)]))
    assert own.files() != [old]
    assert not [one for one in own.table.storage.listed() if old.endswith(one.name)]


def test_two_that_sum_up_at_once_leave_one_sum(folder_lake: Lake, tmp_path: Path) -> None:
    """The slower one finds the table changed when it comes to commit."""
    commit(folder_lake, "a1", table([event(1)]))
    other = Lake(tmp_path / "lake")
    plan = other.touches._plan(other.events.snapshot(), anew=True)
    commit(folder_lake, "a2", table([event(2)]))
    with pytest.raises(rollup._Overtaken):
        other.touches._sum(plan, None)
    assert [kept(folder_lake, order.name) for order in ORDERS] == [of([event(1), event(2)])] * len(ORDERS)


def test_a_rebuild_that_was_overtaken_begins_anew(folder_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(folder_lake, "a1", table([event(1)]))
    other = Lake(folder_lake.root)
    really, plans = other.touches._plan, list[object]()

    def planned(*given: Any, **more: Any) -> Any:
        plans.append(really(*given, **more))
        if len(plans) == 1:
            commit(folder_lake, "a2", table([event(2)]))
        return plans[-1]

    monkeypatch.setattr(other.touches, "_plan", planned)
    assert other.rebuild_touches() == 2
    assert kept(folder_lake, BY_RESOURCE.name) == of([event(1), event(2)])
