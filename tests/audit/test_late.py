"""Late arrivals: what older events make a match of newer ones is reported when they come, and once."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from investigate.audit.scan import PENDING, Extent

from .made import Event, event, rule, scan, written

if TYPE_CHECKING:
    from pathlib import Path

    from investigate.audit.ruleset import RuleSet

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
READ = {"s": {"activity": "read"}, "condition": "s"}
A, B = (rule({"s": {"action": name}, "condition": "s"}, name=name) for name in "ab")
GIVEN = {"first_seen": ["actor", "src_ip"], "given": ["actor"], "settled": "1d", "learn": "2d", "lasts": "1d"}


def novel(**attribute: Any) -> Event:
    return rule(READ, title="novel", name="novel", level="high", investigate={"learn": "0s", **attribute})


def correlated(kind: str, names: list[str], span: str, condition: Any = None, name: str = "c") -> Event:
    inner = {"type": kind, "rules": names, "timespan": span, "group-by": ["actor"]}
    return {
        "title": name,
        "name": name,
        "level": "high",
        "correlation": inner if condition is None else {**inner, "condition": condition},
    }


def arriving(*parts: list[Event]) -> list[list[Event]]:
    """The same, each part with evidence of its own."""
    return [[one | {"evidence": str(at)} for one in part] for at, part in enumerate(parts)]


def told(rules: RuleSet, parts: list[list[Event]], unknown: frozenset[int] = frozenset()) -> list[set[Any]]:
    """Rule and event of what each part brings, audited when it came; of unknown parts nobody told."""
    found = []
    for now in range(len(parts)):
        arrivals = {("devrev", str(at)): at for at in range(now + 1) if at not in unknown or at < now}
        since = {one.id: now - 1 for one in rules.rules} if now else {}
        found.append(pairs(rules, list(itertools.chain(*parts[: now + 1])), Extent(None, arrivals, since)))
    return found


def pairs(rules: RuleSet, events: list[Event], extent: Extent | None = None) -> set[Any]:
    findings = scan(events, rules, extent).findings
    return {(one.title, uid) for one in findings for uid in one.event_uids}


def days(*at: float, **more: Any) -> list[Event]:
    return [event(one * DAY, **more) for one in at]


def test_late_history_that_makes_an_identity_dormant_tells_of_its_return(tmp_path: Path) -> None:
    rules = written(tmp_path, novel(dormant="actor", silence="30d"))
    (back,) = days(60)
    parts = arriving([back, *days(61, actor="ben")], days(1), days(62, actor="ben"))
    assert told(rules, parts) == [set(), {("novel", back["event_uid"])}, set()]


def test_late_history_that_makes_an_identity_known_tells_of_its_new_address(tmp_path: Path) -> None:
    rules = written(tmp_path, novel(first_seen=["actor", "src_ip"], given="actor"))
    (moved,) = days(20, src_ip="10.0.0.2")
    parts = arriving([*days(0, actor="ben", src_ip="1.1.1.1"), moved], days(5, src_ip="10.0.0.1"))
    assert told(rules, parts) == [set(), {("novel", moved["event_uid"])}]


def test_a_log_that_is_older_than_was_known_is_judged_from_its_beginning(tmp_path: Path) -> None:
    rules = written(tmp_path, novel(first_seen="actor", learn="7d"))
    first = days(10, 11)
    (new,) = days(12, actor="ben")
    parts = arriving([*first, new], days(0))
    assert told(rules, parts) == [set(), {("novel", new["event_uid"])}]


def test_a_correlation_over_what_late_history_made_new_is_reported(tmp_path: Path) -> None:
    pair = correlated("temporal_ordered", ["novel", "b"], "10m")
    rules = written(tmp_path, novel(dormant="actor", silence="30d"), B, pair)
    back = event(60 * DAY)
    after = event(60 * DAY + MINUTE, action="b", activity="update")
    parts = arriving([back, after], days(1), days(2))
    wanted = {("c", one["event_uid"]) for one in (back, after)}
    assert told(rules, parts) == [set(), wanted, set()]


def test_a_correlation_of_correlations_is_reported_when_a_late_event_completes_the_lower_one(tmp_path: Path) -> None:
    burst = correlated("event_count", ["a"], "10m", {"gte": 3}, "burst")
    rules = written(tmp_path, A, B, burst, correlated("temporal_ordered", ["burst", "b"], "15m"))
    first, last = event(MINUTE, action="a"), event(2 * MINUTE, action="a")
    after = event(5 * MINUTE, action="b")
    late, more = event(action="a"), event(-MINUTE, action="a")
    parts = arriving([first, last, after], [late], [more])
    once = {("c", last["event_uid"]), ("c", after["event_uid"])}
    # The third late one makes an earlier event the end of a burst, which is new.
    assert told(rules, parts) == [set(), once, once | {("c", first["event_uid"])}]
    assert told(rules, arriving([late, first, last, after], [event(3 * DAY, action="a")]))[1] == set()


def test_evidence_that_nobody_told_of_is_new_and_is_named(tmp_path: Path) -> None:
    rules = written(tmp_path, A)
    one, other = days(1, action="a"), days(2, action="a")
    parts = arriving(one, other)
    extent = Extent(None, {("devrev", "0"): 4}, {rules.rules[0].id: 9})
    done = scan([*parts[0], *parts[1]], rules, extent)
    assert [found.event_uids for found in done.findings] == [(other[0]["event_uid"],)]
    assert done.unseen == (("devrev", "1"),)
    waiting = Extent(None, {("devrev", "0"): 4, ("devrev", "1"): PENDING}, extent.since)
    assert scan([*parts[0], *parts[1]], rules, waiting).unseen == ()


came = st.tuples(st.integers(0, 2), st.integers(0, 40), st.sampled_from(["ann", "ben"]), st.integers(1, 3))


@settings(max_examples=8, deadline=None)
@drawn(st.lists(came, min_size=3, max_size=14))
def test_what_each_part_brings_is_what_an_audit_of_everything_finds_more(
    tmp_path_factory: Any, given_events: list[tuple[int, int, str, int]]
) -> None:
    attributes = (GIVEN, {"dormant": "actor", "silence": "3d", "learn": "0s"}, {"first_seen": "src_ip|network"})
    documents = [
        rule(READ, title=f"t{at}", name=f"n{at}", investigate={"baseline": "90d", **attribute})
        if "silence" not in attribute
        else rule(READ, title=f"t{at}", name=f"n{at}", investigate=attribute)
        for at, attribute in enumerate(attributes)
    ]
    loud = correlated("event_count", ["n1"], "3d", {"gte": 2})
    loud["correlation"]["generate"] = True
    rules = written(tmp_path_factory.mktemp("rules"), *documents, loud)
    assert rules.untranslated == ()
    parts: list[list[Event]] = [[], [], []]
    for part, half_days, actor, last in given_events:
        parts[part].append(event(half_days * DAY / 2, actor=actor, src_ip=f"10.0.{last}.1"))
    parts = arriving(*parts)
    before: set[Any] = set()
    for at, reported in enumerate(told(rules, parts)):
        now = pairs(rules, list(itertools.chain(*parts[: at + 1])))
        singles = {one for one in now - before if one[0] != "c"}
        assert singles == {one for one in reported if one[0] != "c"}
        assert {one for one in now - before if one[0] == "c"} <= {one for one in reported if one[0] == "c"} <= now
        before |= now
