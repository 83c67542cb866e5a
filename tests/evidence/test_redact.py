"""No secret outlives `redact`, whatever it is wrapped in; what is none stays."""

import json
import logging
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from investigate.evidence import RedactingFilter, redact, redact_data

SECRETS = st.text(string.ascii_letters + string.digits + "+/=_-.~%", min_size=16, max_size=80).map("Zq".__add__)
LINK = "https://bucket.s3.eu-central-1.amazonaws.com/exports/audit.jsonl.gz"
WRAPPERS = [
    LINK + "?X-Amz-Date=20261103T100000Z&X-Amz-Signature={}",
    LINK + "?x-amz-security-token={}&X-Amz-Expires=28800",
    LINK + "?X-Amz-Credential={}",
    LINK + "?X-Amz-Algorithm=AWS4-HMAC-SHA256\\u0026X-Amz-Signature={}",
    LINK + "?X-Amz-Expires=1&amp;X-Amz-Signature={}",
    "https://proxy.example/fetch?url=https%3A%2F%2Fb.s3.amazonaws.com%2Fk%3FX-Amz-Signature%3D{}",
    "fetch url%3Dhttps%253A%252F%252Fb%253FX-Amz-Signature%253D{}",
    "GET /exports/audit.jsonl?X-Amz-Signature={} HTTP/1.1",
    "X-Amz-Credential={}",
    "X-Amz-Security-Token: {}",
    "https://bucket.example/key?Signature={}",
    "https://blob.example/key?se=2026&sig={}",
    "https://api.example/v1?access_token={}",
    "https://api.example/v1#access_token={}",
    "https://api.example/v1?api_key={}",
    "Authorization: Bearer {}",
    "authorization: {}",
    "Authorization: Basic {}",
    "bearer {}",
    "the header was 'Bearer  {}'",
    '{{"authorization": "Bearer {}"}}',
    "{{'Authorization': '{}'}}",
    "Headers([('host', 'api.devrev.ai'), ('authorization', 'Bearer {}')])",
    "[(b'x-coderabbitai-api-key', b'{}')]",
    '"{{\\"x-coderabbitai-api-key\\": \\"{}\\"}}"',
    "x-coderabbitai-api-key: {}",
    "x-coderabbitai-api-key={}",
    '{{"token": "{}"}}',
    "curl -H 'x-coderabbitai-api-key:{}' https://api.coderabbit.ai/v1/audit-logs",
    "set-cookie: {}",
    "Cookie: a=1; session={}",
    "{{'cookie': 'a=\"1\"; session={}'}}",
    "[(b'Cookie', b'a=1; session={}')]",
    "curl -H 'Cookie: a=1; session={}' https://api.example/v1",
    "Set-Cookie: session={}; Path=/; HttpOnly",
    "Authorization: Digest realm=x, response={}",
    'Authorization: Digest realm="x", response="{}"',
    '"{{\\"authorization\\": \\"Digest realm=x, response={}\\"}}"',
    '{{"authorization": "Digest realm=\\"x\\", response=\\"{}\\""}}',
    "Proxy-Authorization: Negotiate {}",
    "Config(api_key='{}', password=\"x\")",
    "Config(api_key='x', password=\"{}\")",
    "Config(password='three words {}')",
    '{{"api_key": "{}"}}',
    "{{'api_key': '{}'}}",
    "password: {}",
    "api_key : {}",
]


@settings(max_examples=200)
@given(
    wrapper=st.sampled_from(WRAPPERS),
    secret=SECRETS,
    before=st.text(max_size=9),
    after=st.sampled_from(["", " ", "\n", '"', "'", " and more", "&x=1"]),
)
def test_no_secret_outlives_it(wrapper: str, secret: str, before: str, after: str) -> None:
    clean = redact(f"{before} {wrapper.format(secret)}{after}")
    assert secret not in clean
    assert redact(clean) == clean


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_each_wrapper_loses_its_secret(wrapper: str) -> None:
    assert "Zq3/abc+def=%2F.x-y_z~" not in redact(wrapper.format("Zq3/abc+def=%2F.x-y_z~"))


@pytest.mark.parametrize(
    ("address", "clean"),
    [
        ("ftp://user:pass%2Fword@host/path@x", "ftp://[redacted]@host/path@x"),
        ("https://u:a/b@host/x", "https://[redacted]@host/x"),
        ("https://u:a/b@host/x?page=2", "https://[redacted]@host/x?page=2"),
        ("https://host:8080/@user/x@y", "https://host:8080/@user/x@y"),
        ("http://[::1]/x@y", "http://[::1]/x@y"),
        ("http://host/a:b@c", "http://host/a:b@c"),
    ],
)
def test_user_and_password_before_a_host_go(address: str, clean: str) -> None:
    assert redact(address) == redact(clean) == clean


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Cookie: a=1; b=2\nHost: x", "Cookie: [redacted]\nHost: x"),
        ("{'Cookie': 'a=1; b=2', 'Host': 'x'}", "{'Cookie': '[redacted]', 'Host': 'x'}"),
        ("[(b'Cookie', b'a=1'), (b'Host', b'x')]", "[(b'Cookie', b'[redacted]'), (b'Host', b'x')]"),
        ('{"authorization": "Basic Zm8=", "host": "x"}', '{"authorization": "[redacted]", "host": "x"}'),
        ("curl -H 'Authorization: Basic Zm8=' https://x", "curl -H 'Authorization: [redacted]' https://x"),
        ("Config(api_key='a b', host='x')", "Config(api_key='[redacted]', host='x')"),
    ],
)
def test_what_stands_beside_a_secret_stays(text: str, clean: str) -> None:
    assert redact(text) == clean


def test_a_presigned_link_loses_its_whole_query_and_keeps_its_path() -> None:
    text = f"GET {LINK}?X-Amz-Date=20261103T100000Z&X-Amz-Signature=abc: 403"
    assert redact(text) == f"GET {LINK}?[redacted] 403"


def test_a_web_token_goes_wherever_it_stands() -> None:
    assert redact("pat eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJkb24ifQ.c2ln-_x end") == "pat [redacted] end"


@pytest.mark.parametrize(
    "text",
    [
        "https://api.coderabbit.ai/v1/audit-logs?page=2&actions=api_key_create,repository_delete",
        "don:identity:dvrv-us-1:devo/abc:svcacc/7 created token 17",
        "The design=3, config=4; tokens: none. authorize?",
        "Cookies: 3; password of a user; the token that expired; secrets, api keys: two",
        "password:\nnext line",
        "Bearer",
        "mail admin@example.com about http://host/path?from=2026-01-01T00:00:00Z",
        "",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


@given(st.text())
def test_it_takes_any_text_and_settles_at_once(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
        max_leaves=6,
    )
)
def test_redacted_data_is_always_json(data: object) -> None:
    assert json.dumps(redact_data(data), ensure_ascii=False, allow_nan=False).encode()


def test_values_under_secret_names_go_and_others_stay() -> None:
    data = {
        "Authorization": "abc",
        "X-CodeRabbitAI-API-Key": "def",
        "headers": [{"Cookie": "g"}],
        "access_token": "h",
        "cookie": "",
        "actions": ("api_key_create",),
        "page": 2,
        "users": {"b", "a"},
    }
    assert redact_data(data) == {
        "Authorization": "[redacted]",
        "X-CodeRabbitAI-API-Key": "[redacted]",
        "headers": [{"Cookie": "[redacted]"}],
        "access_token": "[redacted]",
        "cookie": "",
        "actions": ["api_key_create"],
        "page": 2,
        "users": ["a", "b"],
    }


def test_the_logging_filter_cleans_message_and_traceback(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("test_redact")
    redacting = RedactingFilter()
    logger.addFilter(redacting)
    try:
        float(f"{LINK}?X-Amz-Signature=sssss")
    except ValueError:
        logger.exception("failed with %s", "Bearer ttttt")
    finally:
        logger.removeFilter(redacting)
    assert "failed with Bearer [redacted]" in caplog.text
    assert "audit.jsonl.gz?[redacted]" in caplog.text
    assert "sssss" not in caplog.text
    assert "ttttt" not in caplog.text


@pytest.mark.parametrize(
    "unit",
    [
        *("-eyJ", "bearer", "://", "authorization", " ", "cookie: ", "cookie: a=", 'cookie: a="', "cookie: 'b'"),
        *('"', "'", "token=", "token: ", "token:'", "password", "\\", '\\"', "https://u:a/b", "@", "://u:a/@"),
    ],
)
def test_long_text_takes_no_quadratic_time(unit: str) -> None:
    """A quadratic search would take many minutes."""
    for text in (unit * (2**16 // len(unit)), *(unit + after * 2**16 for after in " '\\x")):
        clean = redact(text)
        assert len(clean) <= len(text) * 3
