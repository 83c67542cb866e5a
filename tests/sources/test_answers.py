from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from investigate.evidence.redact import redact
from investigate.sources.answers import Answer, Vendor, error_for, summary

VENDOR = Vendor("CodeRabbit", {403: "by status", "NOT_ADMIN": "by code"})


def error_text(status: int, body: bytes) -> str:
    return error_for(Answer(status, {}, body, "GET https://h/p"), VENDOR, redact).message


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ({"errors": [{"code": "INVALID_PARAMETER", "message": "bad page"}]}, "INVALID_PARAMETER", "bad page"),
        ({"errors": [{"message": "no key"}]}, "", "no key"),
        ({"error": {"code": "LEGACY_API_KEY", "message": "old"}}, "LEGACY_API_KEY", "old"),
        ({"type": "forbidden", "message": "no", "detail": "not admin"}, "forbidden", "no not admin"),
        ({"type": "internal_error", "message": "oops", "reference_id": "r1"}, "internal_error", "oops (reference r1)"),
        ({"error": "plain"}, "", "plain"),
        ({"errors": []}, "", ""),
        ({"error": None}, "", ""),
        ([1, 2], "", ""),
    ],
)
def test_every_shape_of_an_error_body_is_understood(body: object, code: str, words: str) -> None:
    assert summary(json.dumps(body).encode()) == (code, words)


def test_the_hint_for_the_vendors_code_wins_over_that_for_the_status() -> None:
    body = json.dumps({"error": {"code": "NOT_ADMIN", "message": "x"}}).encode()
    assert error_for(Answer(403, {}, body, ""), VENDOR, redact).hint == "by code"
    assert error_for(Answer(403, {}, b"{}", ""), VENDOR, redact).hint == "by status"


def test_a_proxys_page_is_named_by_its_title() -> None:
    page = b"<html><head><title>502 Bad\r\n Gateway</title></head></html>"
    assert error_text(502, page) == "CodeRabbit answered 502 Bad Gateway: an HTML page, '502 Bad Gateway'."


def test_control_characters_and_secrets_do_not_reach_the_message() -> None:
    body = json.dumps({"message": "\x1b[31mred\x07 https://b.s3.amazonaws.com/k?X-Amz-Signature=abcdef"}).encode()
    text = error_text(400, body)
    assert text.isprintable()
    assert "abcdef" not in text


def test_nesting_without_end_is_survived() -> None:
    assert error_text(500, b"[" * 100_000).startswith("CodeRabbit answered 500 Internal Server Error")


@given(st.integers(300, 999), st.binary())
def test_any_body_makes_one_short_printable_line(status: int, body: bytes) -> None:
    text = error_text(status, body)
    assert text.isprintable()
    assert len(text) < 400
