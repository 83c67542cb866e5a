"""Correlations: examples a reader must understand, and random logs against a count by hand."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from investigate.audit.ruleset import load

from .made import Event, event, rule, scan, written

if TYPE_CHECKING:
    from pathlib import Path

MINUTE = timedelta(minutes=1)
A, B, C = (rule({"s": {"action": name}, "condition": "s"}, name=name) for name in "abc")


def correlation(kind: str, names: list[str], condition: Any = None, span: str = "10m", **more: Any) -> Event:
    inner = {"type": kind, "rules": names, "timespan": span, "group-by": ["actor"], **more}
    return {
        "title": "c",
        "correlation": inner if condition is None else {**inner, "condition": condition},
        "level": "high",
    }


def acts(*steps: tuple[float, str], **more: Any) -> list[Event]:
    return [event(minutes * MINUTE, action=name, **more) for minutes, name in steps]


def found(folder: Path, events: list[Event], *documents: Event) -> list[tuple[str, int]]:
    """Actor and number of events of each finding of the correlation."""
    rules = written(folder, *documents)
    assert rules.untranslated == ()
    return [(one.actor, one.events) for one in scan(events, rules).findings if one.title == "c"]


def test_a_count_is_over_any_window_both_ends_included(tmp_path: Path) -> None:
    counted = correlation("event_count", ["a"], {"gte": 3})
    assert found(tmp_path, acts((0, "a"), (5, "a"), (10, "a"), (9, "b")), A, B, counted) == [("ann", 3)]
    assert found(tmp_path, acts((0, "a"), (5, "a"), (10.01, "a")), A, B, counted) == []
    both = [*acts((0, "a"), (1, "a")), *acts((2, "a"), actor="ben")]
    assert found(tmp_path, both, A, B, counted) == []


def test_windows_that_overlap_are_one_episode_with_all_its_events(tmp_path: Path) -> None:
    counted = correlation("event_count", ["a"], {"gt": 1})
    events = acts((0, "a"), (6, "a"), (12, "a"), (60, "a"), (200, "a"), (201, "a"))
    assert found(tmp_path, events, A, counted) == [("ann", 5)]


def test_values_are_counted_once_and_null_never(tmp_path: Path) -> None:
    counted = correlation("value_count", ["a"], {"field": "src_ip", "gte": 2})
    same = acts(*((at, "a") for at in range(5)), src_ip="10.0.0.1")
    assert found(tmp_path, [*same, *acts((3, "a"))], A, counted) == []
    assert found(tmp_path, [*same, *acts((3, "a"), src_ip="10.0.0.2")], A, counted) == [("ann", 6)]


def test_rules_together_and_rules_in_order(tmp_path: Path) -> None:
    backwards = acts((0, "b"), (3, "a"))
    assert found(tmp_path, backwards, A, B, correlation("temporal", ["a", "b"])) == [("ann", 2)]
    assert found(tmp_path, backwards, A, B, correlation("temporal_ordered", ["a", "b"])) == []
    ordered = correlation("temporal_ordered", ["a", "b", "c"])
    assert found(tmp_path, acts((0, "a"), (2, "a"), (8, "b"), (12, "c")), A, B, C, ordered) == [("ann", 3)]
    assert found(tmp_path, acts((0, "a"), (8, "b"), (12, "c")), A, B, C, ordered) == []


def test_a_condition_may_say_and_or_not(tmp_path: Path) -> None:
    only = correlation("temporal", ["a", "b", "c"], "a and (b or not c)")
    assert found(tmp_path, acts((0, "a")), A, B, C, only) == [("ann", 1)]
    assert found(tmp_path, acts((0, "c"), (1, "a")), A, B, C, only) == []
    assert found(tmp_path, acts((0, "c"), (1, "b"), (2, "a")), A, B, C, only) == [("ann", 3)]


@pytest.mark.parametrize(("count", "fits"), [(2, False), (3, True), (4, True), (5, False)])
def test_a_range_has_two_bounds(tmp_path: Path, count: int, fits: bool) -> None:
    ranged = correlation("event_count", ["a"], {"gt": 2, "lte": 4})
    events = acts(*((0, "a") for _ in range(count)))
    assert found(tmp_path, events, A, ranged) == ([("ann", count)] if fits else [])


def test_a_bound_may_be_a_fraction(tmp_path: Path) -> None:
    mean = correlation("value_avg", ["a"], {"field": "size", "gt": 0.5})
    events = [event(raw={"size": size}, action="a") for size in (0, 0.25, 1)]
    assert found(tmp_path, events, A, mean) == []
    assert found(tmp_path, [*events, event(raw={"size": 1}, action="a")], A, mean) == [("ann", 4)]


@pytest.mark.parametrize("condition", [None, {"gte": 2}, {"eq": 2}, {"gt": 1, "lte": 2}, "a AND b"])
def test_rules_in_an_order_may_say_that_all_of_them_have_to_match(tmp_path: Path, condition: Any) -> None:
    ordered = correlation("temporal_ordered", ["a", "b"], condition)
    assert found(tmp_path, acts((0, "a"), (1, "b")), A, B, ordered) == [("ann", 2)]
    assert found(tmp_path, acts((0, "b"), (1, "a")), A, B, ordered) == []


def test_aliases_bring_fields_of_different_names_together(tmp_path: Path) -> None:
    paired = correlation("temporal", ["a", "b"], aliases={"who": {"a": "actor", "b": "deep.user"}})
    paired["correlation"]["group-by"] = ["who"]
    events = [*acts((0, "a")), event(MINUTE, {"deep": {"user": "ann"}}, action="b", actor="root")]
    assert found(tmp_path, events, A, B, paired) == [("", 2)]
    other = [*acts((0, "a")), event(MINUTE, {"deep": {"user": "ben"}}, action="b", actor="root")]
    assert found(tmp_path, other, A, B, paired) == []


def test_a_correlation_of_correlations(tmp_path: Path) -> None:
    burst = {**correlation("event_count", ["a"], {"gte": 2}), "name": "burst", "title": "burst"}
    then = correlation("temporal_ordered", ["burst", "b"], span="1h")
    assert found(tmp_path, acts((0, "a"), (1, "a"), (30, "b")), A, B, burst, then) == [("ann", 2)]
    assert found(tmp_path, acts((0, "a"), (30, "b")), A, B, burst, then) == []


def test_what_serves_a_correlation_is_reported_only_where_that_says_so(tmp_path: Path) -> None:
    quiet, loud = (correlation("event_count", ["a"], {"gte": 9}, generate=generate) for generate in (False, True))
    assert scan(acts((0, "a")), written(tmp_path, A, quiet)).findings == []
    assert [one.title for one in scan(acts((0, "a")), written(tmp_path, A, loud)).findings] == ["t"]


def test_values_in_lists_and_parameters_are_grouped_by_and_counted(tmp_path: Path) -> None:
    counted = correlation("value_count", ["a"], {"field": "items.id", "gte": 2})
    events = [event(at * MINUTE, {"items": [{"id": one}]}, action="a") for at, one in enumerate("xxy")]
    assert found(tmp_path, events, A, counted) == [("ann", 3)]
    assert found(tmp_path, events[:2], A, counted) == []
    google = rule({"s": {"eventName": "share"}, "condition": "s"}, name="a", logsource={"service": "google_workspace"})
    shared = correlation("event_count", ["a"], {"gte": 2})
    shared["correlation"]["group-by"] = ["doc_id"]
    raws = [{"events": [{"parameters": [{"name": "doc_id", "value": one}]}]} for one in "dde"]
    activities = [event(raw=raw, action="share", source="google_workspace") for raw in raws]
    assert found(tmp_path, activities, google, shared) == [("ann", 2)]


def test_numbers_are_summed(tmp_path: Path) -> None:
    sums = correlation("value_sum", ["a"], {"field": "size", "gt": 10})
    events = [event(at * MINUTE, {"size": size}, action="a") for at, size in enumerate((4, "5", 2))]
    assert found(tmp_path, events, A, sums) == [("ann", 3)]
    assert found(tmp_path, events[:2], A, sums) == []


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (correlation("event_count", ["nobody"], {"gte": 1}), "nobody"),
        (correlation("temporal_ordered", ["a", "b"], "a or b"), "order"),
        (correlation("temporal_ordered", ["a", "b"], {"gte": 1}), "order"),
        (correlation("event_count", ["a"], {"gte": "many"}), "many"),
        (correlation("event_count", ["a"], {"gte": 1}, aliases={"x": {"zz": "actor"}}), "zz"),
        (correlation("value_percentile", ["a"], {"field": "size", "gt": 1}), "percentile"),
    ],
)
def test_what_cannot_be_asked_is_listed_with_its_reason(tmp_path: Path, document: Event, reason: str) -> None:
    (left,) = written(tmp_path, A, B, document).untranslated
    assert reason in left.reason


steps = st.lists(st.tuples(st.integers(0, 30), st.sampled_from("ab"), st.sampled_from(["ann", "ben"])), max_size=12)


@settings(max_examples=12, deadline=None)
@given(steps)
def test_counting_by_hand_comes_to_the_same(tmp_path_factory: Any, given_steps: list[tuple[int, str, str]]) -> None:
    folder = tmp_path_factory.mktemp("rules")
    kinds = (
        correlation("event_count", ["a", "b"], {"gte": 3}),
        correlation("temporal", ["a", "b"]),
        correlation("temporal_ordered", ["a", "b"]),
    )
    events = [event(at * MINUTE, action=name, actor=actor) for at, name, actor in given_steps]
    for at, kind in enumerate(kinds):
        rules = written(folder, A, B, kind, name=f"{at}.yml")
        expected = sorted({actor for _, _, actor in given_steps if _by_hand(kind, given_steps, actor)})
        assert sorted(one.actor for one in scan(events, rules).findings) == expected
    assert len(load([folder], shipped=False)) > 0


def _by_hand(document: Event, given_steps: list[tuple[int, str, str]], actor: str) -> bool:
    own = [(at, name) for at, name, who in given_steps if who == actor]
    if document["correlation"]["type"] == "event_count":
        return any(sum(end - 10 <= at <= end for at, _ in own) >= 3 for end, _ in own)
    pairs = itertools.product([at for at, name in own if name == "a"], [at for at, name in own if name == "b"])
    if document["correlation"]["type"] == "temporal":
        return any(abs(first - second) <= 10 for first, second in pairs)
    return any(0 <= second - first <= 10 for first, second in pairs)


@pytest.mark.parametrize(
    ("expression", "kind", "more"),
    [
        ("count() by actor >= 3", "event_count", {"condition": {"gte": 3}}),
        ("count() > 3", "event_count", {"condition": {"gt": 3}, "group-by": []}),
        ("count(src_ip) by actor > 1", "value_count", {"condition": {"gt": 1, "field": "src_ip"}}),
        ("count(src_ip) by actor, action = 2", "value_count", {"condition": {"eq": 2, "field": "src_ip"}}),
        ("sum( size ) by actor>5", "value_sum", {"condition": {"gt": 5, "field": "size"}}),
    ],
)
def test_a_condition_that_counts_is_a_correlation(
    tmp_path: Path, expression: str, kind: str, more: dict[str, Any]
) -> None:
    steps = ((0, "a"), (4, "a"), (9, "a"), (9, "b"), (30, "a"), (31, "a"))
    events = [one | {"src_ip": f"10.0.0.{at % 2}", "raw": f'{{"size":{at}}}'} for at, one in enumerate(acts(*steps))]
    events += acts((1, "a"), (2, "a"), actor="ben")
    detection = {"s": {"action": "a"}, "condition": f"s | {expression}"}
    counts = rule(detection | {"timeframe": "10m"}, title="c", level="high")
    grouped = {"group-by": ["actor", "action"]} if "action" in expression else {}
    written_out = correlation(kind, ["a"], **{**grouped, **more})
    assert found(tmp_path, events, counts) == found(tmp_path, events, A, written_out) != []
    assert {one.severity for one in scan(events, written(tmp_path, counts)).findings} == {"high"}
    beside = rule(detection, timeframe="10m", title="c")  # a public rule has it there
    assert found(tmp_path, events, beside) == found(tmp_path, events, counts)
