"""Records come out as the exact bytes they are, whatever lies around them and however the stream is read."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from investigate.errors import ContainerError
from investigate.normalise import profile as profiles
from investigate.normalise.containers import Limits
from investigate.normalise.records import RecordReader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CLOUDTRAIL, DEVREV, CODERABBIT = (profiles.load(name) for name in ("cloudtrail", "devrev", "coderabbit"))
DON = "don:identity:dvrv-us-1:devo/ACME"
EVENT = {
    "timestamp": "2026-11-03T10:00:00Z",
    "actor": {"id": f"{DON}:devu/1"},
    "operation_type": "read",
    "objects": [{"id": "don:core:dvrv-us-1:devo/ACME:ticket/1", "created_at": "2026-01-01T00:00:00Z"}],
}


class Dripping:
    """A stream that gives as little or as much as it likes, and may break at its end."""

    def __init__(self, data: bytes, sizes: Sequence[int] = (2**30,), damage: str = "") -> None:
        self._data, self._at, self._sizes, self._reads, self._damage = data, 0, sizes, 0, damage

    def read(self, size: int, /) -> bytes:
        step = min(size, self._sizes[self._reads % len(self._sizes)])
        self._reads += 1
        part = self._data[self._at : self._at + step]
        self._at += len(part)
        if not part and self._damage:
            raise ContainerError(self._damage, "")
        return part


def cut(
    data: bytes,
    profile: profiles.Profile = CLOUDTRAIL,
    *,
    sizes: Sequence[int] = (2**30,),
    block: int = 2**20,
    limit: int = 2**20,
    damage: str = "",
) -> list[tuple[int, str, str]]:
    """(place, "record" or reason, text) of all that comes out, in order."""
    reader = RecordReader(Dripping(data, sizes, damage), profile, Limits(max_record=limit), block=block)
    found: list[tuple[int, str, str]] = []
    for chunk in reader:
        found += zip(chunk.places.to_pylist(), ["record"] * len(chunk.records), chunk.records.to_pylist(), strict=True)
        found += [(fault.place, fault.reason, fault.excerpt.decode("latin-1")) for fault in chunk.faults]
    return sorted(found)


def texts(data: bytes, profile: profiles.Profile = CLOUDTRAIL) -> list[str]:
    found = cut(data, profile)
    assert [kind for _, kind, _ in found] == ["record"] * len(found)
    return [text for _, _, text in found]


A, B, C = '{"a": 1}', '{"b":[{"x":"}{"}, 2]}', '{"c":"\\"]["}'


@pytest.mark.parametrize(
    "form",
    [
        "{}\n{}\n{}\n",
        "{}\n{}\n{}",
        "{}\r\n{}\r\n{}\r\n",
        "{}\r{}\r{}",
        "\ufeff{}\n{}\n{}\n",
        "{}\n\ufeff{}\n{}\n",
        "\n\n{}\n \n{}\n\n\n{}\n",
        "{}{}{}",
        "{} {} {}\n",
        "{}\n{}{}\n",
        "{},\n{},\n{}\n",
        "\x1e{}\n\x1e{}\n\x1e{}\n",
        "[{},{},{}]",
        "[\n  {},\n  {},\n  {}\n]\n",
        "[{},{},{},]",
        "[{}]\n[{}]\n[{}]\n",
        "{}\n[{},{}]\n",
        "[{},{}]{}",
        '{{"Records":[{},{},{}]}}',
        '{{"Records":[{},{}]}}\n{{"Records":[{}]}}\n',
        '{{"Records":[{}],"Records":[{},{}]}}',
        '{{\n "meta": {{"n": [1, {{}}]}},\n "Records": [\n{},\n{},\n{}\n ],\n "next": null\n}}\n',
        '{{"Records":[{},{}]}}{}',
    ],
)
def test_every_container_gives_the_same_records(form: str) -> None:
    assert texts(form.format(A, B, C).encode()) == [A, B, C]


def test_pretty_printed_records_keep_their_layout() -> None:
    pretty = [json.dumps(json.loads(text), indent=2) for text in (A, B, C)]
    assert texts("\n".join(pretty).encode()) == pretty
    assert texts(f"[{','.join(pretty)}]".encode()) == pretty


def test_a_wrapper_of_any_name_is_known_by_its_events() -> None:
    events = [json.dumps(EVENT | {"n": number}) for number in range(3)]
    around = '{"meta":{"created_at":"2026-11-04T00:00:00Z","created_by":"%s:devu/9"},"audit_logs":[%s],"cursor":"x"}'
    assert texts((around % (DON, ", ".join(events))).encode(), DEVREV) == events
    two = '{"workspace":"%s","entries":[%s],"late_entries":[%s]}'
    assert texts((two % (DON, events[0], ",".join(events[1:]))).encode(), DEVREV) == events


def test_concatenated_wrappers_are_all_opened() -> None:
    events = [json.dumps(EVENT | {"n": number}) for number in range(3)]
    data = "".join(f'{{"cursor":"c","logs":[{event}]}}\n' for event in events)
    assert texts(data.encode(), DEVREV) == events


@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize(
    "inner",
    [
        {"objects": [{"id": "don:core:dvrv-us-1:devo/ACME:ticket/1", "created_at": "2026-01-01T00:00:00Z"}]},
        {"comments": [{"created_at": "2026-01-01T00:00:00Z", "created_by": {"id": f"{DON}:devu/2"}}]},
    ],
)
def test_a_single_record_that_holds_a_list_of_objects_is_no_wrapper(inner: dict[str, Any], end: str) -> None:
    record = json.dumps(EVENT | inner)
    assert texts((record + end).encode(), DEVREV) == [record]
    assert texts(json.dumps(EVENT | inner, indent=1).encode(), DEVREV) == [json.dumps(EVENT | inner, indent=1)]


def test_kept_pages_give_the_records_of_their_bodies() -> None:
    bodies = [f'{{"data":[{A},{B}],"pagination":{{}}}}', '{"data":[]}', "<html>busy</html>", f'{{"data":[{C}]}}']
    pages = [json.dumps({"body": body, "page": number}) for number, body in enumerate(bodies)]
    pages += ['{"page": 5}', '{"body": 7}', '{"body": "']
    found = cut("\n".join(pages).encode(), CODERABBIT)
    assert [text for _, kind, text in found if kind == "record"] == [A, B, C]
    assert [kind for _, kind, _ in found if kind != "record"] == [
        "The file is HTML or XML, not a log.",
        "a kept page that cannot be read",
        "a page without a body",
        "cut short: the file ends inside this record",
    ]


def test_kept_pages_that_are_no_utf_8_give_the_records_that_are() -> None:
    body = b'{"data":[%s,{"c":"\xff"},%s]}' % (A.encode(), B.encode())
    pages = [
        json.dumps({"body_base64": base64.b64encode(body).decode()}),
        '{"body_base64": "e30"}',
        '{"body_base64": 7}',
    ]
    found = cut("".join(page + "\n" for page in pages).encode(), CODERABBIT)
    assert [(kind, text) for _, kind, text in found] == [
        ("record", A),
        ("not UTF-8 at byte 6 of the record", '{"c":"\xff"}'),
        ("record", B),
        ("a kept page that cannot be read", pages[1]),
        ("a kept page that cannot be read", pages[2]),
    ]


def test_an_early_end_keeps_what_was_whole_and_is_one_fault() -> None:
    for data in (f"{A}\n{B}\n{C[:5]}", f"[{A},{B},{C[:5]}", f'{{"Records":[{A},{B},{C[:5]}', f'{{"Records":[{A},{B}'):
        found = cut(data.encode(), damage="The gzip stream ends too early.")
        assert [text for _, kind, text in found if kind == "record"] == [A, B]
        assert [kind for _, kind, _ in found][2:] == ["The gzip stream ends too early."]


SHORT = "cut short: the file ends inside this record"


@pytest.mark.parametrize(
    ("last", "kind"),
    [
        *((B[:10], SHORT), ('{"x":"y', SHORT), ("[1, 2", SHORT), ("[1, {", SHORT), (f"{A}{B[:10]}", SHORT)),
        *((f"\ufeff {B[:10]}", SHORT), (f"{B[:10]}\r", SHORT), ('{"x":' * 100_000, SHORT)),
        *((A, "record"), (f" {A} ", "record"), ("[7]", "record"), (f"{A}, ", "record"), ("\ufeff{}", "record")),
        *(('{"a" 1}', "record"), ("garbage {", "record"), ('"half', "record"), ("nul", "record"), (f"{A}}}", "record")),
    ],
)
def test_a_last_line_that_breaks_off_is_a_fault_of_the_file(last: str, kind: str) -> None:
    chunks = list(RecordReader(Dripping(f"{A}\n{B}\n{last}".encode()), CLOUDTRAIL, Limits()))
    faults = [(fault.reason, fault.cut) for chunk in chunks for fault in chunk.faults]
    assert faults == ([(SHORT, True)] if kind == SHORT else [])
    assert sum(len(chunk.records) for chunk in chunks) == 2 + (kind == "record")


def test_a_last_line_of_several_records_gives_them_all() -> None:
    assert texts(f"{A}\n{B} {C}".encode()) == [A, B, C]


@pytest.mark.parametrize("data", [B[:10], f"\n{B[:10]}", f"[{B[:10]}", '{"Records":[{"a"'])
def test_a_file_of_one_record_that_breaks_off_is_one_fault(data: str) -> None:
    (chunk,) = RecordReader(Dripping(data.encode()), CLOUDTRAIL, Limits())
    assert (chunk.records.to_pylist(), [fault.cut for fault in chunk.faults]) == ([], [True])


def test_a_list_that_does_not_end_is_said() -> None:
    assert [kind for _, kind, _ in cut(f"[{A},".encode())] == ["record", "cut short: the list of records does not end"]


def test_stray_brackets_are_one_fault_a_run() -> None:
    found = cut(f"[{A}]]]}}\n{B}".encode())
    assert [kind for _, kind, _ in found] == ["record", "a stray ] between records", "record"]


def test_scalars_in_a_list_are_records_to_be_rejected() -> None:
    assert texts(b'[1, "two", null, [3], {"a": 1}]') == ["1", '"two"', "null", "[3]", '{"a": 1}']


@pytest.mark.parametrize("block", [64, 4096, 2**20])
def test_a_record_past_the_limit_is_named_with_its_size(block: int) -> None:
    long = '{"x":"' + "y" * 200 + '"}'
    for form in (f"{A}\n{long}\n{C}\n", f"[{A},{long},{C}]"):
        found = cut(form.encode(), block=block, limit=100)
        assert found[1][1] == "a record of 208 bytes is longer than max_record = 100 under [ingest]"
        assert [text for _, kind, text in found if kind == "record"] == [A, C]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["\\", '"', "}{", "][", "\x1e,"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)
records = st.lists(st.dictionaries(st.text(max_size=4), json_values, min_size=1, max_size=4), min_size=1, max_size=8)
dumped = st.builds(json.dumps, json_values, indent=st.sampled_from([None, 1]), ensure_ascii=st.booleans())
forms = st.sampled_from(["lines", "crlf", "list", "wrapped", "concatenated", "pretty"])
drips = st.lists(st.integers(1, 40), min_size=1, max_size=5)


def laid_out(form: str, values: list[dict[str, Any]]) -> tuple[bytes, list[str]]:
    parts = [json.dumps(value, ensure_ascii=False, indent=1 if form == "pretty" else None) for value in values]
    joined = {
        "lines": "\n".join(parts),
        "crlf": "\r\n".join(parts) + "\r\n",
        "list": f"[{','.join(parts)}]",
        "wrapped": f'{{"x":1,"Records":[{", ".join(parts)}],"y":{{}}}}',
        "concatenated": "".join(parts),
        "pretty": "\n".join(parts),
    }
    return joined[form].encode(), parts


@given(values=records, form=forms, sizes=drips, block=st.integers(1, 300))
@settings(deadline=None, max_examples=60)
def test_what_was_written_comes_out_in_every_form_and_at_every_block_size(
    values: list[dict[str, Any]], form: str, sizes: list[int], block: int
) -> None:
    data, parts = laid_out(form, values)
    found = cut(data, sizes=sizes, block=block)
    assert [(place, text) for place, _, text in found] == list(enumerate(parts))


FRAGMENTS = [b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"\n", b"\r", b" ", b"\x00", b"\xff", b"\xef\xbb\xbf"]
FRAGMENTS += [
    b'{"Records":[',
    b'{"a":1}',
    b'"Records":',
    b"1",
    b"nul",
    b"\x0b",
    b"\x1e",
    b"{{{{{{{",
    b"}}}}}}}",
    b"<a>",
]


@given(parts=st.lists(st.sampled_from(FRAGMENTS), max_size=40), sizes=drips, block=st.integers(1, 60))
@example(parts=[b'"', b"\\", b"\\", b'"'], sizes=[1], block=1)
@settings(deadline=None, max_examples=150)
@pytest.mark.parametrize("profile", [CLOUDTRAIL, DEVREV, CODERABBIT], ids=lambda profile: profile.name)
def test_the_way_a_stream_is_read_changes_nothing(
    profile: profiles.Profile, parts: list[bytes], sizes: list[int], block: int
) -> None:
    data = b"".join(parts)
    whole = cut(data, profile, limit=50)
    assert cut(data, profile, sizes=sizes, block=block, limit=50) == whole
    assert [place for place, _, _ in whole] == list(range(len(whole)))


@given(parts=st.lists(st.sampled_from(FRAGMENTS), max_size=40))
@settings(deadline=None, max_examples=60)
def test_records_and_faults_leave_out_nothing_but_what_stands_between(parts: list[bytes]) -> None:
    data = b"[" + b"".join(parts).replace(b"Records", b"Other")
    kept = "".join(text for _, _, text in cut(data))
    between = bytes.maketrans(b"", b"")
    left = data.translate(between, b" \t\r\n\x1e,[]").replace(b"\xef\xbb\xbf", b"").decode("latin-1")
    for mark in " \t\r\n\x1e,[]":
        kept = kept.replace(mark, "")
    kept = kept.encode("latin-1", "ignore").replace(b"\xef\xbb\xbf", b"").decode("latin-1")
    assert sorted(kept) == sorted(left)


def test_memory_does_not_grow_with_the_stream(read_in_child: Callable[[str], int]) -> None:
    script = """
class Endless:
    def __init__(self, size): self.left, self.line = size, b'{"eventID":"%d","eventTime":"2026-11-03T10:00:00Z"}\\n' % 1
    def read(self, size):
        size = max(1, min(size, self.left) // len(self.line)) * len(self.line) if self.left > 0 else 0
        self.left -= size
        return self.line * (size // len(self.line))
rows = sum(len(c.records) for c in RecordReader(Endless(SIZE), load("cloudtrail"), Limits()))
assert rows > SIZE // 60, rows
"""
    assert read_in_child(script) < 150 * 2**20
