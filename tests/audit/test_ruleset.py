"""Reading rules: one that cannot be run never keeps the others from it, and is never left out in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from investigate.audit.logsources import sources_of
from investigate.audit.ruleset import load
from investigate.errors import UsageError

from .made import event, rule, scan, written

if TYPE_CHECKING:
    from pathlib import Path

KNOWN = ("cloudtrail", "devrev", "github", "github_audit", "google_workspace", "okta")
GOOD = rule({"s": {"action": "a"}, "condition": "s"}, id="11111111-1111-4111-8111-111111111111")


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (rule({"s": {"a|re": "(?=x)"}, "condition": "s"}), "RE2"),
        (rule({"s": {"a|expand": "%admins%"}, "condition": "s"}), "%admins%"),
        (rule({"s": {"a|base64offset|contains": ["ab", "ä"]}, "condition": "s"}), "ASCII"),
        (rule({"s": [{"a|base64offset|contains": "a"}], "condition": "s"}), "ASCII"),
        (rule({"s": {"a|nonsense": "x"}, "condition": "s"}), "nonsense"),
        (rule({"s": {"a": "x"}, "condition": "1 of filter_*"}), "not there"),
        (rule({"s": {"a": "x"}, "condition": "s | count() > 5"}), "timeframe"),
        (rule({"s": {"a": "x"}, "condition": "s | near t", "timeframe": "5m"}), "near t"),
        (rule({"s": {"a": "x"}, "condition": "s | sum() > 5", "timeframe": "5m"}), "no field"),
        (rule({"s": {"a": "x"}, "condition": "s", "aggregation": {"op": ">=", "value": 10}}), "aggregation"),
        (rule({"s": {"a": "x"}, "condition": "t"}), "'t'"),
        (rule({"s": {"a..b": "x"}, "condition": "s"}), "empty"),
        (rule({"s": {"a": "\ud800"}, "condition": "s"}), ""),
        (rule({"s": {"a|cidr": "10.0.0.1/8"}, "condition": "s"}), "CIDR"),
        (rule({"s": {"a|gt": "b"}, "condition": "s"}), ""),
        (rule({"s": {"a": "x"}, "condition": "s"}, status="deprecated"), "deprecated"),
        (rule({"s": {"a": "x"}, "condition": "s"}, investigate={"seen": "a"}), "seen"),
        (rule({"s": {"a": "x"}, "condition": "s"}, investigate={"first_seen": "raw.path"}), "raw.path"),
        (rule({"s": {"a": "x"}, "condition": "s"}, investigate={"first_seen": "actor", "baseline": "2h"}), "a day"),
        ({"title": "no detection", "logsource": {"product": "x"}}, "detection"),
        (rule({"s": {"a": "x"}, "condition": "s"}, taxonomy="ecs"), "ecs"),
        ("title: t\nlogsource: {product: x}\ndetection: {s: {a: x, a: y}, condition: s}\n", "Duplicate"),
        ("- just\n- a list\n", "list"),
        ("title: [unclosed\n", ""),
        ("title: t\nlevel: [unclosed\n", "line 3"),
        ("title: t\nlevel: a: b\n", "not allowed in this context, line 2"),
        ("detection: &a [*a]\n", ""),
    ],
)
def test_what_cannot_be_run_is_listed_and_the_rest_is_run(tmp_path: Path, document: Any, reason: str) -> None:
    bad = written(tmp_path, document, name="bad.yml")
    assert len(bad) == 0
    (left,) = bad.untranslated
    assert left.rule_file == "bad.yml"
    assert reason in left.reason
    assert left.reason
    written(tmp_path, GOOD, name="good.yml")
    assert [one.id for one in load([tmp_path], shipped=False).rules] == [GOOD["id"]]


@pytest.mark.parametrize(
    "words",
    [
        {"falsepositives": "one text\n", "references": "https://a.example", "tags": ["attack.t1000", "plain"]},
        {"author": ["Ann", "Ben"], "description": 5, "date": "yesterday", "modified": None, "license": []},
        {"id": "no-uuid", "related": "other", "fields": "actor"},
        {"id": 5},
    ],
)
def test_words_that_only_describe_keep_no_rule_from_being_run(tmp_path: Path, words: Any) -> None:
    rules = written(tmp_path, {**GOOD, **words})
    assert rules.untranslated == ()
    (finding,) = scan([event(action="a")], rules).findings
    assert finding.rule_id == str(words.get("id", GOOD["id"]))
    assert finding.falsepositives == (("one text\n",) if "falsepositives" in words else ())
    assert finding.tags == (("attack.t1000",) if "tags" in words else ())


def test_one_bad_document_leaves_the_others_of_its_file(tmp_path: Path) -> None:
    bad = {"title": "bad", "id": "x", "correlation": {"type": "event_count", "rules": ["a"], "condition": {"gte": []}}}
    rules = written(tmp_path, GOOD, bad, GOOD | {"id": "22222222-2222-4222-8222-222222222222"})
    assert len(rules) == 2
    assert [(one.rule_id, one.title) for one in rules.untranslated] == [("x", "bad")]


def test_of_two_rules_with_one_id_the_later_counts(tmp_path: Path) -> None:
    shipped = load().rules
    known = next(one.id for one in shipped if one.reports and not one.refers)
    written(tmp_path, rule({"s": {"action": "mine"}, "condition": "s"}, id=known, title="mine"))
    replaced = load([tmp_path]).rules
    assert len(replaced) == len(shipped)
    assert [one.title for one in replaced if one.id == known] == ["mine"]


def test_a_rule_whose_id_another_one_has_is_listed(tmp_path: Path) -> None:
    other = GOOD | {"detection": {"s": {"action": "b"}, "condition": "s"}}
    counts = rule(
        {"s": {"action": "c"}, "timeframe": "5m", "condition": "s | count() > 5"}, title="first", id=GOOD["id"]
    )
    written(tmp_path, counts, other | {"title": "second"}, other | {"title": "the same again"})
    loaded = load([tmp_path], shipped=False)
    assert [one.title for one in loaded.rules] == ["the same again"]
    (left,) = loaded.untranslated
    assert (left.title, left.reason) == ("first", "another rule has its id, and comes later: rule.yml")


def test_a_placeholder_takes_its_values_from_outside(tmp_path: Path) -> None:
    document = rule({"s": {"actor|expand": "%admins%"}, "condition": "s"})
    written(tmp_path, document)
    rules = load([tmp_path], shipped=False, placeholders={"admins": ["ann", "b*"]})
    assert [one.actor for one in scan([event(), event(actor="ben"), event(actor="cy")], rules).findings] == [
        "ann",
        "ben",
    ]


def test_filters_of_sigma_apply_to_the_rules_they_name(tmp_path: Path) -> None:
    leave = {"rules": [GOOD["id"]], "mine": {"actor": "ann"}, "condition": "not mine"}
    document = {"title": "f", "logsource": {"product": "devrev"}, "filter": leave}
    rules = written(tmp_path, GOOD, document)
    events = [event(action="a"), event(action="a", actor="ben")]
    assert [one.actor for one in scan(events, rules).findings] == ["ben"]
    assert written(tmp_path, GOOD).rules[0].digest != rules.rules[0].digest


def test_the_digest_is_of_what_a_rule_looks_for_and_not_of_its_words(tmp_path: Path) -> None:
    first = written(tmp_path, GOOD).rules[0].digest
    assert written(tmp_path, GOOD | {"title": "other", "level": "low"}).rules[0].digest == first
    assert written(tmp_path, GOOD | {"detection": {"s": {"action": "b"}, "condition": "s"}}).rules[0].digest != first


def test_a_path_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no rules"):
        load([tmp_path / "none"])


@pytest.mark.parametrize("name", ["rule.txt", "empty.yml"])
def test_a_path_without_any_rule_is_wrong_usage(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("# none yet\n")
    with pytest.raises(UsageError, match="no rules in"):
        load([tmp_path])


@pytest.mark.parametrize("name", ["A.YML", "a.Yaml"])
def test_a_suffix_may_be_in_upper_case(tmp_path: Path, name: str) -> None:
    written(tmp_path, GOOD, name=name)
    assert len(load([tmp_path], shipped=False)) == 1


@pytest.mark.parametrize(
    "detection",
    [
        {"s": {"n": 2**53 + 1}, "condition": "s"},
        {"s": {"n": [5, 2**53 + 1]}, "condition": "s"},
        {"s": [{"n": 2**53 + 1}, {"n": 5}], "condition": "s"},
        {"s": [2**53 + 1], "condition": "s"},
        {"s": {"n|gt": 2**53 - 1}, "t": {"n": [2**53, 2**53 + 2, 2**53 + 3]}, "condition": "s and not t"},
    ],
)
def test_large_whole_numbers_are_not_their_neighbours(tmp_path: Path, detection: Any) -> None:
    rules = written(tmp_path, rule(detection))
    assert rules.untranslated == ()
    (finding,) = scan([event(raw={"n": 2**53 + at}) for at in range(4)], rules).findings
    assert finding.events == 1
    one = scan([event(raw={"n": 2**53 + 1})], rules).findings
    assert [found.events for found in one] == [1]


@pytest.mark.parametrize(
    ("product", "service", "wanted"),
    [
        ("aws", "cloudtrail", ["cloudtrail"]),
        ("aws", None, ["cloudtrail"]),
        ("gcp", "google_workspace.admin", ["google_workspace"]),
        ("okta", "okta", ["okta"]),
        ("github", "audit", ["github", "github_audit"]),
        ("windows", "security", []),
        (None, None, None),
    ],
)
def test_a_logsource_names_a_source(product: str | None, service: str | None, wanted: list[str] | None) -> None:
    assert sources_of(product, service, KNOWN) == wanted
