"""Presigned S3 links as people paste them: read tolerantly, accepted strictly, shown without their query.

The query of such a link is a key to the file: it is held as a secret, and no error, repr or log has it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote

import httpx
from pydantic import SecretStr

from investigate.errors import LinkExpired, LinkRefused
from investigate.evidence.redact import redact
from investigate.sources.answers import shown
from investigate.sources.origin import is_loopback
from investigate.sources.phrases import devrev_request, moment, span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from investigate.events import Window

DEFAULT_HOSTS: Final = ("*.amazonaws.com",)
MAX_LENGTH: Final = 16 * 2**10
"""Characters; a link with a session token has two or three thousand."""
_MAX_SECONDS: Final = 604_800
"""AWS signs no link for longer than seven days (Signature Version 4, query parameters)."""
_TELLING: Final = 16
"""Characters; a shorter value of the query is no secret, and may well stand elsewhere in a message."""
_COPY: Final = "Copy the whole link from DevRev's notification: Updates (bell), Important or Others."

_MARKDOWN: Final = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)>]+?)>?(?:\s+[\"'(][^)]*)?\s*\)", re.DOTALL)
_ANCHOR: Final = re.compile(r"<a\b[^>]*?\bhref\s*=\s*[\"']([^\"']+)[\"'].*", re.IGNORECASE | re.DOTALL)
_QUOTES: Final = " \t\r\n\v\f\u00a0\u200b\u2060\ufeff\"'`\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb"
_BRACKETS: Final = "<>()[]"
_FOLD: Final = re.compile(r"[ \t\u00a0]*[\r\n]+[ \t\u00a0]*")
_AMPERSAND: Final = re.compile(r"&amp;|&#38;|&#x26;|\\u0026", re.IGNORECASE)
_SIGNED_AT: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_SECONDS: Final = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True)
class Link:
    """A presigned link.

    Attributes:
        host: in ASCII and lower case.
        path: percent-encoded, as it will be asked for.
        expires_at: UTC; when the signature dies.
        signed_at: UTC; None where the signature does not say (Signature Version 2).
        url: the whole link, a secret.
        address: the link without its query, to be shown.
        signed: whether there is a signature at all; a link cut off while it was copied has none.
    """

    host: str
    path: str
    expires_at: datetime
    signed_at: datetime | None
    url: SecretStr = field(repr=False)
    address: str
    signed: bool = True

    @classmethod
    def parse(
        cls, text: str, *, now: datetime | None, allowed_hosts: Sequence[str] = (), window: Window | None = None
    ) -> Link:
        """The link in `text`, which may be quoted, bracketed, a Markdown link, HTML-escaped or wrapped over lines.

        Accepted is a link with an S3 signature (version 4 or 2) that is alive, over https to `*.amazonaws.com` or
        one of `allowed_hosts`, over http to this machine alone.

        Args:
            text: what was pasted.
            now: the present, aware; None takes a dead link, too.
            allowed_hosts: more hosts; `*.example.com` takes every host below it.
            window: what the export was asked for, to be named in the command that asks again.

        Raises:
            LinkRefused: no presigned link, or of a scheme or host that is not allowed.
            LinkExpired: its time is over.
        """
        found = _read(SecretStr(text), tuple(allowed_hosts))
        del text  # a traceback that shows variables shows this frame
        if isinstance(found, str):
            raise LinkRefused(found, _COPY)
        if now is not None:
            found.require_alive(now, window)
        if not found.signed:
            raise LinkRefused("The link's signature is missing: it was cut off.", _COPY)
        return found

    @property
    def name(self) -> str:
        """The file's name: the last part of the path; a label, never a path."""
        return shown(redact(unquote(self.path).rpartition("/")[2]))[:200] or "export"

    @property
    def key(self) -> str:
        """The same for every link to this file, whatever its signature: what a download is resumed by."""
        return hashlib.sha256(f"{self.host}\n{self.path}".encode()).hexdigest()

    @property
    def secrets(self) -> tuple[SecretStr, ...]:
        """What of the query must not be repeated by a server's error: its long values, as written and as meant."""
        query = self.url.get_secret_value().partition("?")[2]
        written = (part.partition("=")[2] for part in query.split("&"))
        both = {form for value in written for form in (value, unquote(value)) if len(value) >= _TELLING}
        return tuple(SecretStr(value) for value in sorted(both, key=len, reverse=True))

    def remaining(self, now: datetime) -> timedelta:
        """How long the link still lives; negative once it is dead."""
        return self.expires_at - now

    def require_alive(self, now: datetime, window: Window | None = None) -> None:
        """Refuse the link once its time is over.

        Args:
            now: the present, aware.
            window: what the export was asked for.

        Raises:
            LinkExpired: with the time it died and the command that asks for a new one.
        """
        if now >= self.expires_at:
            raise LinkExpired(
                f"The link expired at {moment(self.expires_at)}, {span(now - self.expires_at)} ago.",
                f"Ask for a new export: {devrev_request(window)}",
            )


def _read(text: SecretStr, allowed_hosts: tuple[str, ...]) -> Link | str:
    """The link, or why it is refused: said, not raised, so that no frame with the text hangs on to an error."""
    if len(text) > MAX_LENGTH:
        return f"The link is longer than {MAX_LENGTH} characters."
    address = _unwrap(text.get_secret_value())
    if fault := _fault(address):
        return fault
    try:
        url = httpx.URL(address)
        host = url.raw_host.decode("ascii").lower()
        query = url.query.decode("ascii")
    except (httpx.InvalidURL, UnicodeError):
        return "The link is no address."
    return _refused_host(url, host, allowed_hosts) or _signed(url, host, query)


def _fault(address: str) -> str:
    """What is wrong with the characters of the link; empty if nothing is."""
    if not address:
        return "There is no link."
    if re.search(r"\s", address):
        return "There is a space inside the link, or text after it."
    if "\\" in address or "#" in address or not address.isprintable():
        return "The link has characters that no presigned link has."
    return ""


def _unwrap(text: str) -> str:
    text = text.strip(_QUOTES)
    if found := _MARKDOWN.fullmatch(text) or _ANCHOR.fullmatch(text):
        text = found[1]
    return _AMPERSAND.sub("&", _FOLD.sub("", text.strip(_QUOTES + _BRACKETS)))


def _refused_host(url: httpx.URL, host: str, allowed_hosts: tuple[str, ...]) -> str:
    """Why this scheme and host are refused; empty if they are not."""
    if not host or url.scheme not in {"http", "https"}:
        return "The link does not begin with https:// and a host."
    if url.userinfo or "@" in url.netloc.decode("ascii"):
        return "The link has a user name before its host."
    if is_loopback(host):
        return ""
    label = shown(redact(host))[:100]
    if not any(_matches(host, pattern) for pattern in (*DEFAULT_HOSTS, *allowed_hosts)):
        return f"The link points to {label}, which is neither Amazon S3 nor allowed by devrev.link_hosts in case.toml."
    if url.scheme != "https":
        return f"The link to {label} is plain http: anybody on the way could read or change the file."
    return ""


def _matches(host: str, pattern: str) -> bool:
    below, name = pattern.strip().startswith("*."), pattern.strip().removeprefix("*.")
    try:
        wanted = httpx.URL(f"https://{name}").raw_host.decode("ascii").lower()
    except httpx.InvalidURL:
        return False
    if not wanted or "*" in wanted:
        return False
    return host.endswith(f".{wanted}") and not host.startswith(".") if below else host == wanted


def _signed(url: httpx.URL, host: str, query: str) -> Link | str:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=100)
    except ValueError:
        return "The link has too many parameters."
    values = {name.lower(): value for name, value in pairs}
    if len(values) < len(pairs):
        return "The link says the same thing twice."
    times = _times(values)
    if isinstance(times, str):
        return times
    path = url.raw_path.decode("ascii").partition("?")[0]
    address = f"{url.scheme}://{url.netloc.decode('ascii')}{path}"
    signed = bool(values.get("x-amz-signature") or values.get("signature"))
    return Link(host, path, *times, SecretStr(str(url)), redact(address), signed=signed)


def _times(values: dict[str, str]) -> tuple[datetime, datetime | None] | str:
    """When the link dies and when it was signed, or why that cannot be said."""
    try:
        if "x-amz-date" in values or "x-amz-expires" in values:
            signed, seconds = values.get("x-amz-date", ""), values.get("x-amz-expires", "")
            if not _SIGNED_AT.fullmatch(signed) or not _SECONDS.fullmatch(seconds) or int(seconds) > _MAX_SECONDS:
                return "The link's X-Amz-Date and X-Amz-Expires do not say until when it lives."
            signed_at = datetime.strptime(signed, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            return signed_at + timedelta(seconds=int(seconds)), signed_at
        if not _SECONDS.fullmatch(values.get("expires", "")):
            return "The link bears no S3 signature (X-Amz-Date, X-Amz-Expires, X-Amz-Signature)."
        return datetime.fromtimestamp(int(values["expires"]), UTC), None
    except (ValueError, OverflowError, OSError):
        return "The link names a time that does not exist."
