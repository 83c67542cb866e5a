"""Secrets out of text and data before they are written: presigned queries, bearer tokens, API keys.

The last defence, not the first: callers pass what is already clean. It goes by form: a secret that stands in none of
these forms stays, and what only looks like one goes.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping
from typing import Any, Final

GONE: Final = "[redacted]"

_PARAMETERS: Final = (
    r"x-amz-(?:signature|credential|security-token)"
    r"|x-goog-(?:signature|credential)"
    r"|awsaccesskeyid|signature|sig|token|secret|password|passwd|api[_-]?key"
)
_HEADERS: Final = (
    r"(?:proxy-)?authorization|(?:set-)?cookie|x-coderabbitai-api-key|x-api-key|api-key|apikey"
    r"|x-amz-(?:security-token|signature|credential)"
)
# Quotes as JSON, JSON inside JSON, and Python's repr of str and bytes write them.
_QUOTE: Final = r"\\{0,4}[\"']"
_VALUE: Final = r"[^\s&\"'<>\\]+"

_URL: Final = re.compile(r"://([^\s\"'<>]+)")
# Inside the query of an address: any X-Amz- parameter means a presigned one, and then all of it goes.
_SECRET_QUERY: Final = re.compile(rf"x-amz-|x-goog-|(?:{_PARAMETERS})(?:=|%)", re.IGNORECASE)
_PASSWORD_BEGINS: Final = re.compile(r"[^@\[]*:(?!\d*$)[^@]*")
"""A user and the beginning of a password, where a host and a port should be."""
_PATTERNS: Final = (
    # A parameter outside any address, plain or percent-encoded (once or twice).
    (re.compile(rf"((?:{_PARAMETERS})(?:=|%(?:25)*3D)){_VALUE}", re.IGNORECASE), r"\1" + GONE),
    (re.compile(rf"\b(bearer)(?:\s+|%20|\+){_VALUE}", re.IGNORECASE), r"\1 " + GONE),
    # A header in a dump: `name: value`, `"name": "value"`, `('name', 'value')`, `b'name', b'value'`. The first two have
    # parts, some of them quoted: all that is left of the line, or of the string, goes.
    (
        re.compile(
            rf"\b((?:(?:proxy-)?authorization|(?:set-)?cookie)(?:{_QUOTE}\s*[:,=]\s*b?{_QUOTE}|\s*[:=]\s*))"
            rf"(?:[^\r\n\"'<>\\]++|(?<==){_QUOTE}[^\r\n\"'\\]*+{_QUOTE}(?=[\s,;]|{_QUOTE}|$))+",
            re.IGNORECASE,
        ),
        r"\1" + GONE,
    ),
    (
        re.compile(
            rf"\b((?:{_HEADERS})(?:{_QUOTE}\s*[:,=]\s*b?{_QUOTE}|\s*[:=]\s*))(?:(?:basic|bearer|token)\s+)?"
            rf"(?:\[redacted\]|[^\s\"'<>\\]+)",
            re.IGNORECASE,
        ),
        r"\1" + GONE,
    ),
    # In quotes a value may have several words, without them it ends with the first.
    (
        re.compile(
            rf"((?:{_PARAMETERS})(?:{_QUOTE}\s*[:,]|\s*[:=])\s*b?{_QUOTE})[^\r\n\"'\\]+",
            re.IGNORECASE,
        ),
        r"\1" + GONE,
    ),
    (
        re.compile(rf"((?:token|secret|password|passwd|api[_-]?key)[ \t]*:[ \t]*){_VALUE}", re.IGNORECASE),
        r"\1" + GONE,
    ),
    # A JSON Web Token wherever it stands: DevRev's access tokens are such.
    (re.compile(r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"), GONE),
)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_SECRET_KEY: Final = re.compile(rf"(?:.*[_-])?(?:{_HEADERS}|{_PARAMETERS})", re.IGNORECASE | re.DOTALL)


def redact(text: str) -> str:
    """`text` without the secrets that its form gives away.

    The query of an address that carries `X-Amz-…`, a signature, a token or a key goes as a whole, and so do a
    user and password before its host; elsewhere the value goes and the name stays. Redacting twice changes
    nothing more.
    """
    clean = _URL.sub(_clean_url, text)
    for pattern, replacement in _PATTERNS:
        clean = pattern.sub(replacement, clean)
    return clean


def redact_data(value: Any) -> Any:
    """A copy of JSON-like data, redacted: every string, and every value under a name such as `authorization`.

    Lone surrogates, which no UTF-8 file can hold, become U+FFFD; tuples and sets become lists (a set sorted);
    anything JSON has no form for becomes its redacted `str`.
    """
    if isinstance(value, str):
        return redact(_SURROGATE.sub("\ufffd", value))
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, Mapping):
        return {redact_data(str(key)): _redact_item(str(key), item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(redact_data(str(item)) for item in value)
    if isinstance(value, list | tuple):
        return [redact_data(item) for item in value]
    return redact_data(str(value))


class RedactingFilter(logging.Filter):
    """Redacts what a log record says, its traceback included, before any handler writes it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact `record` in place; every record passes."""
        record.msg, record.args = redact(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        return True


def _redact_item(key: str, item: Any) -> Any:
    # Empty and absent values say that there was no secret, which is worth keeping.
    if item and not isinstance(item, bool) and _SECRET_KEY.fullmatch(key):
        return GONE
    return redact_data(item)


def _clean_url(match: re.Match[str]) -> str:
    rest = match[1]
    address, mark, query = rest.partition("?")
    host, slash, path = address.partition("/")
    if _PASSWORD_BEGINS.fullmatch(host) and "@" in path:  # a slash in the password
        host, slash, path = f"{GONE}@{path.rpartition('@')[2]}", "", ""
    elif "@" in host:
        host = f"{GONE}@{host.rpartition('@')[2]}"
    if mark and _SECRET_QUERY.search(query):
        query = GONE
    return f"://{host}{slash}{path}{mark}{query}"
