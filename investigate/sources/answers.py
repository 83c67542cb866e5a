"""What a vendor answered, and the error it is: both JSON shapes and HTML pages, as one short line without secrets."""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from investigate.errors import (
    BadRequest,
    Forbidden,
    NotFound,
    RateLimited,
    Unauthenticated,
    VendorError,
    VendorUnavailable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SUMMARY_LENGTH: Final = 200
_LOOKED_AT: Final = 64 * 2**10
_TITLE: Final = re.compile(r"<(title|h1)[^>]*>(.*?)</\1", re.IGNORECASE | re.DOTALL)
_XML_CODE: Final = re.compile(r"<Code>\s*([A-Za-z.]{1,64})\s*</Code>")
_TAG: Final = re.compile(r"<[^>]*>")
_KINDS: Final[dict[int, type[VendorError]]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    429: RateLimited,
}
_SERVER_ERROR: Final = 500
_CLIENT_ERROR: Final = 400
_HINTS: Final[dict[type[VendorError], str]] = {
    RateLimited: "Wait a few minutes, then run the command again.",
    VendorUnavailable: "Run the command again later; if it lasts, look at the vendor's status page.",
    NotFound: "Check the address in case.toml: investigate doctor",
    BadRequest: "Check the arguments; the vendor does not accept them.",
    VendorError: "See whether the address in case.toml is right: investigate doctor",
}


@dataclass(frozen=True)
class Vendor:
    """How to speak of a vendor, and what helps against its errors.

    Attributes:
        name: as people write it.
        hints: what to do, by HTTP status, by the vendor's own error code, or `"sent"`: when a request that
            must not be made twice may have been carried out.
    """

    name: str
    hints: Mapping[int | str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """One HTTP answer, read to its end.

    Attributes:
        status: HTTP status.
        headers: by lower-case name.
        body: decoded from its transfer and content encodings, otherwise as sent.
        request: method and address without query.
        data: the body as JSON, None where it is empty or none.
        earlier: the status of each answer that was followed by another attempt.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    request: str
    data: object = field(default=None, repr=False)
    earlier: tuple[int, ...] = ()


def error_for(answer: Answer, vendor: Vendor, clean: Callable[[str], str]) -> VendorError:
    """The exception for an answer that is an error, with the vendor's words and what to do.

    Args:
        answer: status 3xx, 4xx or 5xx.
        vendor: who answered.
        clean: takes secrets out of text.
    """
    kind = _kind(answer.status)
    code, words = summary(answer.body)
    said = f"{vendor.name} answered {answer.status} {_phrase(answer.status)}".rstrip()
    message = shown(clean(f"{said}: {words}" if words else said))
    hint = vendor.hints.get(code) or vendor.hints.get(answer.status) or _HINTS.get(kind, "")
    return kind(f"{message.rstrip('.')}.", hint, status=answer.status, request=answer.request)


def _kind(status: int) -> type[VendorError]:
    if status in _KINDS:
        return _KINDS[status]
    if status >= _SERVER_ERROR:
        return VendorUnavailable
    return BadRequest if status >= _CLIENT_ERROR else VendorError


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""


def summary(body: bytes) -> tuple[str, str]:
    """The vendor's error code, and its words in one line; either may be empty.

    Reads CodeRabbit's `{"errors": [{"code", "message"}]}` and `{"error": {…}}`, DevRev's `{"type", "message",
    "detail", "reference_id"}` (vendors.md), any mixture of them, the title of an HTML page, and of XML the code alone:
    S3 repeats the signature further down.
    """
    text = body[:_LOOKED_AT].decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    if is_html(body):
        title = _TITLE.search(text)
        return "", f"an HTML page, {_one_line(html.unescape(_TAG.sub(' ', title[2])))!r}" if title else "an HTML page"
    if text.startswith("<"):
        code = _XML_CODE.search(text)
        return (code[1], code[1]) if code else ("", "")
    data = parsed(body)
    if isinstance(data, dict):
        return _from_object(data)
    return "", _one_line(text if data is None else "")


def _from_object(data: dict[str, object]) -> tuple[str, str]:
    inner: object = data.get("error", data.get("errors", data))
    if isinstance(inner, list):
        inner = inner[0] if inner else data
    if isinstance(inner, str):
        return "", _one_line(inner)
    if not isinstance(inner, dict):
        return "", ""
    code = next((value for name in ("code", "type") if isinstance(value := inner.get(name), str)), "")
    words = [value for name in ("message", "detail") if isinstance(value := inner.get(name), str) and value]
    reference = inner.get("reference_id")
    if isinstance(reference, str):
        words.append(f"(reference {reference})")
    return code, _one_line(" ".join(dict.fromkeys(words)) or code)


def parsed(body: bytes) -> object:
    """The body as JSON, or None if it is none."""
    try:
        data: object = json.loads(body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return None
    return data


def is_html(body: bytes) -> bool:
    """Whether the body is a web page, as proxies and sign-in portals send in place of an answer."""
    start = body[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<title"))


def _one_line(text: str) -> str:
    line = shown(" ".join(text.split()))
    return line if len(line) <= _SUMMARY_LENGTH else line[: _SUMMARY_LENGTH - 1] + "…"


def shown(text: str) -> str:
    """`text` without characters that could steer a terminal."""
    return "".join(character if character.isprintable() else " " for character in text)
