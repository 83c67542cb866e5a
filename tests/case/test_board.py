"""Where exports stand, and what a pasted link is: whose, until when, which request it answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

import investigate
from investigate.case.board import offer, standings
from investigate.errors import LinkExpired, LinkRefused
from investigate.events import Window
from investigate.journal import RequestState

if TYPE_CHECKING:
    from pathlib import Path

    from investigate.case import Case
    from investigate.journal import ExportRequest

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = Window.of("2026-11-01", "2026-11-02")


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return investigate.open(tmp_path / "case")


def asked(case: Case, ago: timedelta) -> ExportRequest:
    return case.journal.add_request(DAY, {"operation_types": ["read"]}, operator="me", now=NOW - ago)


def presigned(signed: datetime, life: int = 28_800, path: str = "exports/devo=4tQ9mer1d/000001/audit.jsonl.gz") -> str:
    query = f"X-Amz-Date={signed:%Y%m%dT%H%M%SZ}&X-Amz-Expires={life}&X-Amz-Signature={'ab' * 32}"
    return f"https://bucket.s3.amazonaws.com/{path}?X-Amz-Algorithm=AWS4-HMAC-SHA256&{query}"


@pytest.mark.parametrize(
    ("ago", "said", "steps", "again"),
    [
        (timedelta(minutes=14), "Wait for the notification", 0, False),
        (timedelta(minutes=15), "No link after 15 min", 5, False),
        (timedelta(hours=9), "No link for 9 h", 5, True),
    ],
)
def test_a_request_without_a_link_says_what_to_do_as_time_goes_by(
    case: Case, ago: timedelta, said: str, steps: int, again: bool
) -> None:
    asked(case, ago)
    (standing,) = standings(case, now=NOW)
    assert standing.next.startswith(said)
    assert (len(standing.steps), standing.again, standing.age) == (steps, again, ago)


def test_a_link_says_whose_it_is_and_until_when_and_starts_the_countdown(case: Case) -> None:
    request = asked(case, timedelta(minutes=3))
    found = offer(case, presigned(NOW - timedelta(minutes=1)), now=NOW)
    (standing,) = standings(case, now=NOW)
    assert found.lines(NOW) == [
        f"Valid for another 7 h 59 min, until {NOW + timedelta(hours=7, minutes=59):%Y-%m-%d %H:%M} UTC.",
        "File audit.jsonl.gz, of workspace 4tQ9mer1d, at bucket.s3.amazonaws.com, signed SIGNED UTC.".replace(
            "SIGNED", f"{NOW - timedelta(minutes=1):%Y-%m-%d %H:%M}"
        ),
        f"It answers request {request.id}.",
    ]
    assert (standing.request.state, standing.expires_at) == ("linked", NOW + timedelta(hours=7, minutes=59))


def test_a_request_made_after_the_signature_is_no_candidate(case: Case) -> None:
    asked(case, timedelta(minutes=1))
    found = offer(case, presigned(NOW - timedelta(minutes=2)), now=NOW)
    assert (found.request, found.candidates) == (None, ())
    assert "No open request" in found.lines(NOW)[-1]


def test_with_several_open_requests_none_is_named_unless_a_person_does(case: Case) -> None:
    one, two = asked(case, timedelta(minutes=9)), asked(case, timedelta(minutes=5))
    link = presigned(NOW - timedelta(minutes=1))
    assert offer(case, link, now=NOW).request is None
    assert offer(case, link, now=NOW).candidates == (two, one)
    chosen = offer(case, link, request=one.id, now=NOW).request
    assert chosen is not None
    assert (chosen.id, chosen.state) == (one.id, RequestState.linked)


def test_a_dead_link_lets_its_request_be_asked_again(case: Case) -> None:
    asked(case, timedelta(hours=9))
    with pytest.raises(LinkExpired, match="1 min ago"):
        offer(case, presigned(NOW - timedelta(hours=8, minutes=1)), now=NOW)
    (standing,) = standings(case, now=NOW)
    assert (standing.request.state, standing.again) == (RequestState.expired, True)
    assert standing.next.startswith("The link died at ")


@pytest.mark.parametrize(
    "text",
    ["", "https://example.com/x?X-Amz-Signature=secretsecretsecret", "<img src=x onerror=alert(1)>", "x" * 2**20],
)
def test_what_is_no_link_is_refused_without_repeating_it(case: Case, text: str) -> None:
    request = asked(case, timedelta(minutes=3))
    with pytest.raises(LinkRefused) as raised:
        offer(case, text, now=NOW)
    assert "secretsecret" not in str(raised.value)
    assert case.journal.request(request.id).state is RequestState.requested


def test_no_secret_is_in_what_is_shown_or_kept(case: Case) -> None:
    asked(case, timedelta(minutes=3))
    found = offer(case, presigned(NOW - timedelta(minutes=1)), now=NOW)
    kept = b"".join(path.read_bytes() for path in case.layout.root.rglob("*") if path.is_file())
    assert "abababab" not in repr(found) + "".join(found.lines(NOW))
    assert b"abababab" not in kept
