"""Broken and hostile input: never an exception, always counted, and what is sound around it is kept."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from investigate.normalise.containers import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

    Read = Callable[..., Any]

GOOD = b'{"eventID":"a","eventTime":"2026-11-03T10:00:00Z","eventName":"GetObject"}'
LINES = b"".join(GOOD.replace(b'"a"', b'"%d"' % number) + b"\n" for number in range(50))


def with_time(time: str) -> bytes:
    return b'{"eventID":"t","eventTime":%s}\n' % time.encode()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "The file is empty"),
        (b" \n\t\r\n ", "The file is empty"),
        (b"\xef\xbb\xbf", "The file is empty"),
        (b"\xef\xbb\xbf  \n", "The file is empty"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "The file is HTML"),
        (b"\xef\xbb\xbf\n <html lang=en>{}</html>", "The file is HTML"),
        (b"<Error><Code>AccessDenied</Code></Error>", "The file is HTML or XML"),
        ('{"a": 1}'.encode("utf-16"), "The file is UTF-16"),
        ('[{"a": 1}]'.encode("utf-16-le"), "The file is UTF-16"),
        ('[{"a": 1}]'.encode("utf-16-be"), "The file is UTF-16"),
        ('[{"a": 1}]'.encode("utf-32-be"), "The file is UTF-16 or UTF-32"),
        (b"just a text", "The file holds no JSON"),
        (b"PAR1....", "The file is Parquet"),
        (b"%PDF-1.7", "The file is PDF"),
        (b"\x28\xb5\x2f\xfd....", "The file is Zstandard"),
        (b"PK\x05\x06" + bytes(18), "The archive holds no file"),
        (b"PK\x03\x04 nonsense", "The zip archive is damaged"),
        (b"\x1f\x8b\x08", "The gzip stream ends too early"),
    ],
)
def test_a_file_that_is_no_log_is_one_reject_that_says_what_it_is(read: Read, data: bytes, reason: str) -> None:
    reading = read(data, profile="cloudtrail")
    assert len(reading.reasons) == 1
    assert reading.reasons[0].startswith(reason)
    assert [batch.unread for batch in reading.batches] == [1]


@pytest.mark.parametrize("empty", [b"[]", b" [ ] ", b'{"Records": []}', b'{"Records":[]}\n{"Records":[]}'])
def test_a_log_without_records_is_no_error(read: Read, empty: bytes) -> None:
    assert read(empty, profile="cloudtrail").records == 0


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"eventID": "x", "eventTime": "2026', "not JSON"),
        (b'{"eventID": "\xff\xfe"}', "not UTF-8 at byte 13"),
        (b'{"eventID":"x"}', "no time"),
        (b'"a string"', "no JSON object but a string"),
        (b"12", "no JSON object but a number"),
        (b"true", "no JSON object but true or false"),
        (b"null", "no JSON object but null"),
        (b"garbage \x00 here", "not JSON"),
        (b'{"eventTime":{}}', "unusable time"),
        (b"}", "not JSON"),
        (GOOD + b"}" + GOOD, "not JSON"),
    ],
)
def test_a_broken_line_costs_itself_alone(read: Read, line: bytes, reason: str) -> None:
    reading = read(GOOD + b"\n" + line + b"\n" + GOOD.replace(b'"a"', b'"b"') + b"\n", profile="cloudtrail")
    assert [event["event_uid"] for event in reading.events] == ["a", "b"]
    assert [(reject["evidence_record"], reject["reason"][: len(reason)]) for reject in reading.rejects] == [(1, reason)]


@pytest.mark.parametrize(
    "member",
    [
        r'"x":"\ud800 alone"',
        r'"x":"\\ud800"',
        r'"x":"a \udc00\ud83d\ude00"',
        r'"x":"nul \u0000"',
        '"x":NaN',
        '"x":1e999',
        '"x":123456789012345678901234567890',
        '"x":1,"x":2',
        '"":1,"a.b/c~d\'\\"e":2',
        '"x":' + "[" * 10_000 + "]" * 10_000,
        '"x":' + '{"a":' * 300_000 + "1" + "}" * 300_000,
    ],
    ids=lambda member: member[:16],
)
@pytest.mark.parametrize("profile", ["cloudtrail", "devrev"])
def test_odd_but_sound_json_is_an_event_with_its_text_untouched(read: Read, member: str, profile: str) -> None:
    time = {"cloudtrail": "eventTime", "devrev": "timestamp"}[profile]
    record = f'{{"{time}":"2026-11-03T10:00:00Z",{member}}}'
    reading = read(record.encode() + b"\n", profile=profile)
    assert reading.raws == [record]


def test_a_record_that_is_read_once_more_joins_the_others(read: Read) -> None:
    """The tenant is looked for where the profile's paths do not find it: a column made in more than one way."""
    sound = '{"timestamp":"2026-11-03T10:00:00Z","dev_org_id":"don:identity:dvrv-us-1:devo/acme","n":%d}'
    lines = [sound % number for number in range(20)]
    lines.insert(7, sound.replace("%d", r'20,"user_agent":"x\ud83d"'))
    reading = read("\n".join(lines).encode(), profile="devrev")
    assert reading.raws == lines
    assert {event["tenant"] for event in reading.events} == {"acme"}


def test_nesting_a_million_deep_is_read_past_in_a_list(read: Read) -> None:
    deep = b"[" * 1_000_000 + b"]" * 1_000_000
    reading = read(b"[" + GOOD + b',{"x":' + deep + b"}," + GOOD + b"]", profile="cloudtrail")
    assert (len(reading.events), len(reading.rejects)) == (2, 1)


def test_nesting_that_never_ends_is_one_reject(read: Read) -> None:
    reading = read(GOOD + b"\n" + b'{"x":' * 200_000, profile="cloudtrail")
    assert (len(reading.events), len(reading.rejects)) == (1, 1)


@pytest.mark.parametrize("form", [b"%s\n%s\n%s\n", b"[%s,%s,%s]", b"%s%s%s", b'{"Records":[%s,%s,%s]}'])
def test_a_record_of_50_megabytes_is_one_reject_between_two_events(read: Read, form: bytes) -> None:
    long = b'{"eventTime":"2026-11-03T10:00:00Z","x":"' + b"\\\\" * (25 * 2**20) + b'"}'
    reading = read(form % (GOOD, long, GOOD), profile="cloudtrail")
    assert len(reading.events) == 2
    assert reading.reasons == ["a record of 52,428,843 bytes is longer than max_record = 16,777,216 under [ingest]"]


def test_a_long_string_below_the_limit_is_kept(read: Read) -> None:
    long = b'{"eventTime":"2026-11-03T10:00:00Z","x":"' + b'\\"' * (7 * 2**20) + b'"}'
    reading = read(b"[" + GOOD + b"," + long + b"]", profile="cloudtrail")
    assert reading.raws[1].encode() == long


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ('"9999-12-31T23:59:59.999999Z"', "9999-12-31T23:59:59.999999+00:00"),
        ('"0001-01-01T00:00:00Z"', "0001-01-01T00:00:00+00:00"),
        ('"2016-12-31T23:59:60Z"', "2017-01-01T00:00:00+00:00"),
        ("1700000000123456789", "2023-11-14T22:13:20.123456+00:00"),
    ],
)
def test_times_at_the_edge_are_kept(read: Read, time: str, expected: str) -> None:
    assert read(with_time(time), profile="cloudtrail").events[0]["time"].isoformat() == expected


@pytest.mark.parametrize(
    "time",
    ['"0000-01-01T00:00:00Z"', '"10000-01-01T00:00:00Z"', '"9999-12-31T23:59:59-12:00"', '"0001-01-01T00:00:00+14:00"'],
)
def test_times_outside_the_years_1_to_9999_are_rejects(read: Read, time: str) -> None:
    assert read(with_time(time), profile="cloudtrail").reasons == [
        f"time outside the years 1 to 9999: {json.loads(time)!r}"
    ]


@pytest.mark.parametrize(
    "time", ["1e400", "-1e30", '"infinity"', '"2026-13-45T00:00:00Z"', "5", '"' + "9" * 5000 + '"']
)
def test_what_is_no_time_is_a_reject(read: Read, time: str) -> None:
    assert len(read(with_time(time), profile="cloudtrail").rejects) == 1


def zipped(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def test_names_that_climb_out_of_an_archive_are_only_names(read: Read) -> None:
    data = zipped(("../../etc/passwd", LINES), ("/abs.json", GOOD), ("C:\\x.json", GOOD))
    assert len(read(data, profile="cloudtrail").events) == 52


def test_a_bomb_is_given_up_and_said_to_be_one(read: Read) -> None:
    bomb = gzip.compress(gzip.compress(b"[" + b" " * (100 * 2**20)))
    reading = read(bomb, profile="cloudtrail")
    assert len(reading.reasons) == 1
    assert reading.reasons[0].endswith("a bomb, or a mistake.")


def test_members_that_share_a_bomb_share_one_budget(read: Read) -> None:
    member = LINES + b" " * (12 * 2**20)
    data = zipped(*((f"{number}.json", member) for number in range(8)))
    reading = read(data, profile="cloudtrail", limits=Limits(max_ratio=10))
    assert len(reading.events) < 8 * 50
    assert any("a bomb" in reason for reason in reading.reasons)


def test_many_events_in_one_large_record_do_not_multiply_its_text(read: Read) -> None:
    one = {"id": {"time": "2026-11-03T10:00:00Z"}, "events": [{"name": "view"}] * 3}
    huge = one | {"events": [{"name": "view"}] * 100_000}
    data = b"\n".join(json.dumps(record).encode() for record in (one, huge, one))
    reading = read(data, profile="google_workspace")
    assert (len(reading.events), len(reading.rejects), reading.records) == (6, 1, 3)


def test_a_log_whose_every_key_is_new_is_read(read: Read) -> None:
    records = [
        {f"key {number}-{inner}": f"2026-11-03T10:00:{inner:02}Z" for inner in range(60)} for number in range(100)
    ]
    reading = read("\n".join(map(json.dumps, records)).encode())
    assert reading.records == 100


FRAGMENTS = [b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"\n", b"\r", b" ", b"\x00", b"\xff", b"\xef\xbb\xbf"]
FRAGMENTS += [
    GOOD,
    b'{"Records":[',
    b"]}",
    b'"eventTime":"2026-11-03T10:00:00Z"',
    b"\x1e",
    b"\\u0000",
    b"\\ud800",
    b"1",
]
FRAGMENTS += [b'{"timestamp":1762164000,"x":["don:identity:dvrv-us-1:devo/A:devu/1"]}', b"null", b"<", b"\x0b"]
PROFILES = ["cloudtrail", "devrev", "coderabbit", "google_workspace"]
HARD = settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])


@HARD
@given(data=st.one_of(st.binary(max_size=300), st.lists(st.sampled_from(FRAGMENTS), max_size=25).map(b"".join)))
@pytest.mark.parametrize("profile", PROFILES)
def test_any_bytes_whatsoever_are_accounted_for(read: Read, profile: str, data: bytes) -> None:
    assert read(data, profile=profile).records >= 0


@HARD
@given(data=st.data(), pack=st.sampled_from([gzip.compress, bz2.compress, lzma.compress, "zip", "tar"]))
def test_a_damaged_archive_is_accounted_for(read: Read, data: st.DataObject, pack: Any) -> None:
    packed = bytearray(pack(LINES) if callable(pack) else archived(pack))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(packed) - 1))
        packed[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(packed)))
    reading = read(bytes(packed[: cut or None]), profile="cloudtrail")
    assert reading.records >= 1


@HARD
@given(data=st.data())
def test_a_mutated_log_is_accounted_for(read: Read, data: st.DataObject) -> None:
    text = bytearray(LINES[:600])
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(text)))
        text[at : at + data.draw(st.integers(0, 3))] = data.draw(st.sampled_from(FRAGMENTS))
    assert read(bytes(text), profile="cloudtrail").records >= 1


def archived(kind: str) -> bytes:
    if kind == "zip":
        return zipped(("a.json", LINES), ("b.json.gz", gzip.compress(GOOD)))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in ("a.json", "b.json"):
            info = tarfile.TarInfo(name)
            info.size = len(LINES)
            archive.addfile(info, io.BytesIO(LINES))
    return buffer.getvalue()
