"""Records that say the same have one hash, others have others, and a form that was learnt changes none of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from investigate.normalise import canonical
from investigate.normalise.canonical import Hasher, content_hash

TEXTS = st.text(st.sampled_from('ab,:"\\{}[]%/ \x7f\té€😀'), max_size=5) | st.sampled_from(["\ud800", "null", "1"])
NUMBERS = st.sampled_from([0, -1, 12345678901234567890123, 1.0, 1e300, float("inf")])
SCALARS = TEXTS | NUMBERS | st.none() | st.booleans()
VALUES = st.recursive(
    SCALARS | st.lists(TEXTS, max_size=3),
    lambda below: st.lists(below, max_size=2) | st.dictionaries(TEXTS, below, max_size=3),
    max_leaves=6,
)
SPACES = st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", "\n: ")])


def refilled(value: Any, draw: st.DrawFn) -> Any:
    """The same keys with other values."""
    if isinstance(value, dict):
        return {key: refilled(below, draw) for key, below in value.items()}
    if draw(st.integers(0, 9)) == 0:
        return draw(VALUES)
    kinds = {int: NUMBERS, float: NUMBERS, list: st.lists(TEXTS, max_size=3)}
    return draw(kinds.get(type(value), TEXTS))


@st.composite
def logs(draw: st.DrawFn) -> list[str]:
    """Records of a few forms, some of them damaged."""
    forms = draw(st.lists(st.dictionaries(TEXTS, VALUES, max_size=4), min_size=1, max_size=3))
    found = []
    for _ in range(draw(st.integers(1, 12))):
        record = refilled(draw(st.sampled_from(forms)), draw)
        text = json.dumps(record, ensure_ascii=draw(st.booleans()), separators=draw(SPACES))
        at = draw(st.integers(0, len(text)))
        changed = text[:at] + draw(st.sampled_from(["", "", "", '"', ",", "0", " ", "\\", '"a":1,'])) + text[at:]
        found.append(changed.encode("utf-8", "replace").decode())
    return found


@given(records=logs(), volatile=st.lists(TEXTS, max_size=2), seen=st.integers(1, 3))
def test_the_hash_of_a_record_is_the_same_whatever_forms_are_known(
    records: list[str], volatile: list[str], seen: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(canonical, "_SEEN", seen)
        hasher = Hasher(volatile)
        for record in [*records, *records]:
            assert hasher.hash(record) == content_hash(record, volatile)


@pytest.mark.parametrize(
    "again",
    [
        '{"b": "Tomás € 100%", "n%s": -12.50e3, "o": {"z": null, "a": ["x"]}, "when": "now"}',
        '{"b": null, "n%s": 0, "o": {"z": "", "a": []}, "when": true}',
    ],
)
def test_a_form_that_was_learnt_is_used(monkeypatch: pytest.MonkeyPatch, again: str) -> None:
    monkeypatch.setattr(canonical, "_SEEN", 1)
    hasher = Hasher(["when"])
    hasher.hash('{"b": "c", "n%s": 1, "o": {"z": true, "a": []}, "when": "then"}')
    expected = content_hash(again, ["when"])
    monkeypatch.setattr(canonical, "content_hash", None)
    assert hasher.hash(again) == expected


def test_few_forms_are_known_and_the_common_one_is_tried_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canonical, "_SEEN", 1)
    hasher = Hasher()
    for number in range(200):
        hasher.hash(f'{{"a":"b","c{number}":1}}')
    assert len(hasher._forms) == canonical._FORMS
    last = hasher._forms[-1]
    common = next(text for number in range(200) if last.pattern.fullmatch(text := f'{{"a":"b","c{number}":1}}'))
    for _ in range(canonical._FORMS):
        hasher.hash(common)
    assert hasher._forms[0] is last


def test_other_records_than_before_have_their_form_learnt_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canonical, "_SEEN", 5)
    hasher = Hasher()
    for number in range(canonical._FORMS + 1):
        for value in range(100):
            hasher.hash(f'{{"a":"b","c{number}":{value}}}')
    monkeypatch.setattr(canonical, "content_hash", None)
    assert hasher.hash(f'{{"a":"b","c{canonical._FORMS}":7}}')


def test_where_no_form_is_of_use_few_are_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    learnt = []
    of = canonical._form
    monkeypatch.setattr(canonical, "_SEEN", 2)
    monkeypatch.setattr(canonical, "_form", lambda *given: learnt.append(given) or of(*given))
    hasher = Hasher()
    for number in range(5000):
        hasher.hash(f'{{"a":"b","c{number}":1}}')
    assert len(learnt) <= 12


@pytest.mark.parametrize(
    ("learnt", "other"),
    [
        ('{"a":1,"b":2}', '{"a":01,"b":2}'),
        ('{"a":1,"b":2}', '{"a":1.,"b":2}'),
        ('{"a":1,"b":2}', '{"a":1,"b":\uff11}'),
        ('{"a":"x","b":1}', '{"a":"x\ty","b":1}'),
        ('{"a":"x","b":1}', '{"a":"x\x7fy","b":1}'),
        ('{"a":"x","b":1}', '{"a":"x\\ty","b":1}'),
        ('{"a":"x","b":1}', '{"a":"😀\xe9","b":1}'),
        ('{"a":{"when":1,"z":1},"b":2,"when":3}', '{"a":{"when":2,"z":1},"b":2,"when":4}'),
        ('{"a":1,"a":2,"b":3,"c":4}', '{"a":1,"a":2,"b":3,"c":4}'),
        ('{"a":["x"],"b":1}', '{"a":["x",],"b":1}'),
        ('{"%s":"x","é%":1}', '{"%s":"%d","é%":2}'),
    ],
)
def test_a_record_nearly_of_a_form_keeps_its_hash(monkeypatch: pytest.MonkeyPatch, learnt: str, other: str) -> None:
    monkeypatch.setattr(canonical, "_SEEN", 1)
    hasher = Hasher(["when"])
    assert hasher.hash(learnt) == content_hash(learnt, ["when"])
    assert hasher.hash(other) == content_hash(other, ["when"])


@pytest.mark.parametrize(
    "record",
    [
        '{"a":1,"a":2,"b":3,"c":4}',
        '{"a":[1,2],"b":1,"c":2}',
        '{"a\\n":1,"b":2,"c":3}',
        "[1,2]",
        '{"a":1}',
        '{"a":' * 2000 + '{"x":1,"y":2}' + "}" * 2000,
        "{" + ",".join(f'"a{number}":1' for number in range(canonical._VALUES + 1)) + "}",
    ],
)
def test_of_what_has_no_form_none_is_learnt(record: str) -> None:
    assert canonical._form(record, []) is None


def test_a_record_too_long_for_its_form_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canonical, "_SEEN", 1)
    hasher = Hasher()
    hasher.hash('{"a":"b","c":"d"}')
    monkeypatch.setattr(canonical, "content_hash", lambda *_: "read")
    assert hasher.hash('{"a":"b","c":"' + "x" * canonical._LONGEST + '"}') == "read"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a":12345678901234567890123}', '{"a":12345678901234567890124}'),
        ('{"a":1}', '{"a":"1"}'),
        ('{"a":1.0}', '{"a":1}'),
        ('{"a":"\\ud800"}', '{"a":"\\ud801"}'),
        ('{"a":null}', "{}"),
        ("[" * 50_000, "[" * 50_001),
    ],
)
def test_different_records_have_different_hashes(one: str, other: str) -> None:
    assert content_hash(one) != content_hash(other)
    assert content_hash(one).startswith("sha256:")


def test_what_changes_from_call_to_call_does_not_count_for_the_hash() -> None:
    assert content_hash('{"a":1,"when":"now"}', ["when"]) == content_hash('{"when":"then","a":1}', ["when"])
