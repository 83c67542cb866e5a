from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from investigate.errors import LinkError, LinkExpired, LinkRefused
from investigate.events import Window
from investigate.sources.link import MAX_LENGTH, Link

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)
SIGNATURE = "0123456789abcdef" * 4
V4 = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAEXAMPLE%2F20261103%2Fus-east-1%2Fs3%2Faws4_request"
    f"&X-Amz-Date=20261103T100000Z&X-Amz-Expires=28800&X-Amz-SignedHeaders=host&X-Amz-Signature={SIGNATURE}"
)
GOOD = f"https://exports.s3.us-east-1.amazonaws.com/org/audit%20log.jsonl.gz?{V4}"


def parse(text: str, **kwargs: object) -> Link:
    return Link.parse(text, now=NOW, **kwargs)


def test_a_link_says_where_it_points_and_until_when() -> None:
    link = parse(GOOD)
    assert (link.host, link.path) == ("exports.s3.us-east-1.amazonaws.com", "/org/audit%20log.jsonl.gz")
    assert (link.signed_at, link.expires_at) == (NOW - timedelta(hours=2), NOW + timedelta(hours=6))
    assert link.remaining(NOW) == timedelta(hours=6)
    assert link.name == "audit log.jsonl.gz"
    assert link.url.get_secret_value() == GOOD


def test_no_form_of_the_link_shows_its_query() -> None:
    link = parse(GOOD)
    for text in (repr(link), str(link), link.address, link.name, link.key):
        assert SIGNATURE not in text
        assert "AKIA" not in text


@pytest.mark.parametrize(
    "pasted",
    [
        f"  {GOOD}\n",
        f'"{GOOD}"',
        f"'{GOOD}'",
        f"<{GOOD}>",
        f"`{GOOD}`",
        f"\u201c{GOOD}\u201d",
        f"[Download the export]({GOOD})",
        f"[Download](<{GOOD}>)",
        f'[Download]({GOOD} "audit log")',
        f'<a class="x" href="{GOOD.replace("&", "&amp;")}">Download</a>',
        GOOD.replace("&", "&amp;"),
        GOOD.replace("&", "\\u0026"),
        GOOD[:70] + "\n" + GOOD[70:140] + "\r\n    " + GOOD[140:],
        f"\ufeff({GOOD})",
        GOOD.replace("https://", "HTTPS://").replace("amazonaws", "AmazonAWS"),
    ],
)
def test_what_people_paste_is_read(pasted: str) -> None:
    assert parse(pasted).url == parse(GOOD).url


def test_signature_version_2_is_read() -> None:
    expires = int((NOW + timedelta(hours=1)).timestamp())
    link = parse(f"https://b.s3.amazonaws.com/k?AWSAccessKeyId=AKIA&Signature=a%2Bb%3D&Expires={expires}")
    assert (link.expires_at, link.signed_at) == (NOW + timedelta(hours=1), None)


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("b.s3.amazonaws.com", ()),
        ("minio.example.com", ("minio.example.com",)),
        ("a.b.example.com", ("*.example.com",)),
        ("xn--bcher-kva.example", ("b\u00fccher.example",)),
        ("b\u00fccher.example", ("xn--bcher-kva.example",)),
    ],
)
def test_hosts_that_are_allowed(host: str, allowed: tuple[str, ...]) -> None:
    assert parse(f"https://{host}/k?{V4}", allowed_hosts=allowed).path == "/k"


@pytest.mark.parametrize("host", ["127.0.0.1:9000", "localhost:9000", "[::1]:9000", "127.1.2.3"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_this_machine_is_allowed_over_any_scheme(scheme: str, host: str) -> None:
    assert parse(f"{scheme}://{host}/k?{V4}").address == f"{scheme}://{host}/k"


@pytest.mark.parametrize(
    "address",
    [
        "https://evilamazonaws.com/k",
        "https://amazonaws.com/k",
        "https://amazonaws.com.evil.com/k",
        "https://b.s3.amazonaws.com.evil.com/k",
        "https://b.s3.amazonaws.com@evil.com/k",
        "https://evil.com@b.s3.amazonaws.com/k",
        "https://evil.com/b.s3.amazonaws.com/k",
        "https://evil.com\\.s3.amazonaws.com/k",
        "https://.amazonaws.com/k",
        "https://b.s3.amazonaws.c\u043em/k",
        "https://127.0.0.1.evil.com/k",
        "https://localhost.evil.com/k",
        "https://2130706433/k",
        "https://0.0.0.0/k",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:169.254.169.254]/k",
        "http://b.s3.amazonaws.com/k",
        "ftp://b.s3.amazonaws.com/k",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "//b.s3.amazonaws.com/k",
        "/k",
        "https:///k",
        "https://",
    ],
)
def test_hosts_and_schemes_that_are_not_allowed(address: str) -> None:
    with pytest.raises(LinkRefused):
        parse(f"{address}?{V4}", allowed_hosts=("*", "*.", "", "*.com.", "."))


def test_another_host_over_plain_http_is_refused_even_if_allowed() -> None:
    with pytest.raises(LinkRefused, match="plain http"):
        parse(f"http://minio.example.com/k?{V4}", allowed_hosts=("minio.example.com",))


@pytest.mark.parametrize(
    "change",
    [
        ("20261103T100000Z", "00000000T000000Z"),
        ("20261103T100000Z", "20261332T250000Z"),
        ("20261103T100000Z", "99991231T235959Z"),
        ("20261103T100000Z", "2026-11-03T10:00:00Z"),
        ("20261103T100000Z", ""),
        ("=28800", "=-1"),
        ("=28800", "=" + "1" * 31),
        ("=28800", "=604801"),
        ("=28800", "=8h"),
        ("=28800", "=\u0668"),
        ("=28800", "="),
        ("&X-Amz-Expires=28800", ""),
        ("X-Amz-Date=20261103T100000Z", ""),
        (f"&X-Amz-Signature={SIGNATURE}", ""),
        (SIGNATURE, ""),
        ("&X-Amz-Expires=28800", "&X-Amz-Expires=28800&x-amz-expires=604800"),
        ("?X", "?" + "a=1&" * 200 + "X"),
        ("?", "#"),
        ("?", "#?"),
        ("org/", "org\x00/"),
        ("org/", "org /"),
        (V4, ""),
        (V4, "AWSAccessKeyId=a&Signature=b&Expires=999999999999"),
        (V4, "AWSAccessKeyId=a&Signature=b&Expires=-5"),
        (V4, "AWSAccessKeyId=a&Signature=b"),
        ("org/", "o" * MAX_LENGTH),
    ],
)
def test_links_that_are_damaged_or_absurd_are_refused(change: tuple[str, str]) -> None:
    with pytest.raises(LinkRefused):
        parse(GOOD.replace(*change))


def test_an_expired_link_says_when_it_died_and_what_to_do() -> None:
    late = datetime(2026, 11, 3, 20, 11, 30, tzinfo=UTC)
    window = Window.of("2026-11-01", "2026-11-03")
    with pytest.raises(LinkExpired) as caught:
        Link.parse(GOOD, now=late, window=window)
    assert str(caught.value) == (
        "The link expired at 2026-11-03 18:00 UTC, 2 h 11 min ago.\n"
        "Ask for a new export: investigate devrev request --from 2026-11-01 --to 2026-11-03"
    )


def test_a_link_is_dead_in_the_second_it_dies() -> None:
    with pytest.raises(LinkExpired, match="0 s ago"):
        Link.parse(GOOD, now=NOW + timedelta(hours=6))


def test_the_same_file_has_the_same_key_under_another_signature() -> None:
    other = parse(GOOD.replace("28800", "20000").replace(SIGNATURE, "f" * 64))
    assert other.key == parse(GOOD).key != parse(GOOD.replace("/org/", "/other/")).key


def test_a_hostile_file_name_is_a_label() -> None:
    link = parse(GOOD.replace("audit%20log.jsonl.gz", "..%2F..%2Fetc%2Fpass%1B%0Awd"))
    assert link.name == "pass  wd"


PIECES = ["https://", "http://", "b.s3.amazonaws.com", "127.0.0.1", "/", "?", "&", "#", "@", ":", "[", "]", "%", "\\"]
VALUES = ["X-Amz-Date=", "X-Amz-Expires=", "Expires=", "Signature=x", "10", "\n", " ", "\x00", "\u0660", "xn--", "."]
FRAGMENTS = st.lists(st.sampled_from([*PIECES, *V4.split("&"), *VALUES]), max_size=25).map("".join)
SPLICED = st.builds(lambda at, text: GOOD[:at] + text + GOOD[at:], st.integers(0, 300), st.text(max_size=5))


@given(st.text() | FRAGMENTS | SPLICED)
@example(f"https://xn--.amazonaws.com/?{V4}")
@example(f"https://\ud800.amazonaws.com/?{V4}")
def test_any_text_is_a_link_or_a_link_error(text: str) -> None:
    link, message = None, ""
    try:
        link = parse(text)
    except LinkError as error:
        message = str(error)
    assert SIGNATURE not in message
    assert link is None or link.host.endswith(".amazonaws.com") or link.host in {"127.0.0.1", "::1", "localhost"}
    assert link is None or link.expires_at > NOW
