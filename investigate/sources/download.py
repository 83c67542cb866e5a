"""A presigned link's file into evidence, byte for byte: resumed where it broke off, and never two files in one.

Where S3 states the file's MD5, bytes that changed on the way are fetched anew.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final, NoReturn
from urllib.parse import urlsplit

from investigate.errors import LinkExpired, LinkRefused, NotFound, SourceError, TransferError
from investigate.sources.answers import Answer, Vendor, error_for, summary
from investigate.sources.arriving import Arriving
from investigate.sources.etag import is_strong, stated_md5
from investigate.sources.http import Client
from investigate.sources.phrases import devrev_request, moment
from investigate.sources.received import Received, extension, kept_headers, silent
from investigate.sources.retry import Again, retried, retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

    from investigate.config import HttpConfig
    from investigate.events import Window
    from investigate.evidence.store import EvidenceStore, Incoming
    from investigate.sources.link import Link
    from investigate.sources.received import Progress

_MAX_RESTARTS: Final = 3
"""How often the file may change under the download before it is given up."""
_STRIDE: Final = 2**20
"""Bytes after which a broken download has earned a fresh set of attempts."""
_ERROR_BODY: Final = 64 * 2**10
_WHOLE, _PART, _CHANGED, _BEYOND, _TOO_MANY, _SERVER_ERROR = 200, 206, 412, 416, 429, 500
_ALTERED: Final = "Run the command again by another way into the network: around its proxy, without its virus scanner."
_CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
_LENGTH: Final = re.compile(r"[0-9]{1,18}")
_S3: Final = Vendor("The file's server", {404: "The file may have been removed: ask for a new export."})
_REFUSALS: Final = {
    "SignatureDoesNotMatch": "the signature does not belong to this link: a part of it was changed or is missing",
    "AuthorizationQueryParametersError": "a part of the signature is missing or malformed",
    "InvalidAccessKeyId": "it does not know the key the link was signed with",
    "AccessDenied": "the link gives no access to this file",
    "RequestTimeTooSkewed": "this machine's clock or the link's is wrong",
}
"""S3's error codes (API reference, "Error responses") in words."""


def download(
    link: Link,
    store: EvidenceStore,
    config: HttpConfig,
    *,
    progress: Progress = silent,
    transport: httpx.BaseTransport | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    window: Window | None = None,
    arriving: Arriving | None = None,
) -> Received:
    """Fetch what `link` points to and keep it.

    What an earlier try left is continued if the file still has the same ETag, else fetched anew. The length is
    verified against what the server states, and so is the MD5 of what this call fetched from the first byte on.

    Args:
        link: alive, or it is refused before any request.
        store: where the evidence goes.
        config: timeouts and retries.
        progress: told of the bytes there are and, where known, of those there will be.
        transport: in place of the network.
        now: reads the clock.
        window: what the export was asked for, to be named in the command that asks again.
        arriving: told how far the file is, for who reads it meanwhile.

    Raises:
        LinkExpired: before the request by the link's own words, after it by the server's.
        LinkRefused: the server does not accept the signature.
        NotFound: no such file.
        TransferError: cut short or altered after all retries, changed again and again, or redirected to another origin.
        VendorError: any other answer that is an error.
    """
    base = urlsplit(link.address)._replace(path="", query="").geturl()
    with (
        Client(base, {"Accept": "*/*"}, config, vendor=_S3, hidden=link.secrets, transport=transport) as client,
        store.resume(link.key, link.name, extension(link.name)) as incoming,
    ):
        transfer = _Transfer(link, client, incoming, progress, now, window, arriving or Arriving(wanted=False))
        transfer.run()
        return Received(
            files=(incoming.commit(),),
            request={"method": "GET", "url": link.address},
            response=transfer.response,
            warnings=tuple(transfer.warnings),
        )


@dataclass
class _Transfer:
    """One download with all its attempts."""

    link: Link
    client: Client
    incoming: Incoming
    progress: Progress
    now: Callable[[], datetime]
    window: Window | None
    arriving: Arriving
    restarts: int = 0
    done: bool = False
    response: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    md5: hashlib._Hash | None = None
    doubted: str = ""

    def run(self) -> None:
        """Attempts until the file is whole; each stride forward earns a fresh set of them."""
        while not self.done:
            retried(partial(self._attempt, self.incoming.size), self.client.config)

    def _attempt(self, before: int) -> None:
        self.link.require_alive(self.now(), self.window)
        try:
            self._fetch()
        except Again:
            if self.incoming.size < before + _STRIDE:
                raise
        else:
            self.done = True

    def _fetch(self) -> None:
        with self.client.stream(self.link.url, self._headers()) as response:
            total = self._begin(response)
            self.arriving.begin(self.incoming.reader, self.incoming.size, total)
            self.progress("download", self.incoming.size, total, "bytes")
            for chunk in self.client.chunks(response, raw=True):
                if total is not None and self.incoming.size + len(chunk) > total:
                    self._restart("sends more bytes than it stated")
                self.incoming.write(chunk)
                if self.md5:
                    self.md5.update(chunk)
                self.arriving.grew(self.incoming.size)
                self.progress("download", self.incoming.size, total, "bytes")
        if total is not None and self.incoming.size < total:
            raise Again(_cut(self.client.host, self.incoming.size, total))
        self._compare(stated_md5(response.headers))
        self.response = kept_headers(response.headers)
        if total is None:
            self.warnings.append(f"{self.client.host} stated no length: that the file is whole is not proven.")

    def _headers(self) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity"}
        etag = self.incoming.notes().get("etag", "")
        if self.incoming.size and not is_strong(etag):
            self._clear()
        if self._in_part:
            headers |= {"Range": f"bytes={self.incoming.size}-", "If-Match": etag}
        return headers

    @property
    def _in_part(self) -> bool:
        # What is in doubt is asked for as a part, since the answer to that states the length of the whole once more.
        return bool(self.incoming.size or self.doubted)

    def _begin(self, response: httpx.Response) -> int | None:
        """Make the temporary file ready for this body; the length the file will have, None if unknown."""
        # Some S3 servers (gofakes3, thus rclone's) send the part that was asked for under 200; its header tells.
        ranged = response.status_code == _WHOLE and self._in_part and "content-range" in response.headers
        if response.status_code == _PART or ranged:
            return self._continue(response.headers)
        if response.status_code in {_CHANGED, _BEYOND} and self.incoming.size:
            self._restart("has changed the file")
        if response.status_code != _WHOLE:
            raise self._refusal(response)
        if "etag" not in response.headers and (self.incoming.size or _is_page(response.headers)):
            # A sign-in page, or a proxy's: what there is of the file is not given up for it.
            raise Again(_no_file(self.client.host))
        self._clear()
        self.incoming.note(etag=response.headers.get("etag", ""))
        length = response.headers.get("content-length", "")
        return int(length) if _LENGTH.fullmatch(length) else None

    def _continue(self, headers: Mapping[str, str]) -> int:
        found = _CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
        same = headers.get("etag", "") == self.incoming.notes().get("etag")
        if not self._in_part or not same or not found or int(found[1]) != self.incoming.size:
            self._restart("has changed the file")
        return int(found[3])

    def _clear(self) -> None:
        self.arriving.restart()
        self.incoming.truncate()
        self.md5 = hashlib.md5(usedforsecurity=False)

    def _compare(self, stated: str | None) -> None:
        """Fetch the file anew where its MD5 is not the one stated; the same bytes twice are what the server has."""
        found = self.md5.hexdigest() if self.md5 else stated  # of bytes from an earlier call nothing is known
        if stated is None or found == stated:
            return
        if found != self.doubted:
            self.doubted = found or ""
            self._restart("sends other bytes than its ETag names: something on the way may be altering them", _ALTERED)
        self.warnings.append(f"{self.client.host} twice sent the same bytes, of which its ETag is not the MD5.")

    def _restart(self, why: str, hint: str = "Ask for a new export.") -> NoReturn:
        """Start over; an error once that has happened too often."""
        self._clear()
        self.restarts += 1
        error = TransferError(f"{self.client.host} {why}, again and again.", hint)
        if self.restarts > _MAX_RESTARTS:
            raise error
        raise Again(error, wait=0.0)

    def _refusal(self, response: httpx.Response) -> Exception:
        body = b""
        for chunk in self.client.chunks(response, raw=False):
            body += chunk
            if len(body) >= _ERROR_BODY:
                break
        answer = Answer(response.status_code, response.headers, body, f"GET {self.link.address}")
        error = s3_error(answer, self.link, self.window) or error_for(answer, _S3, self.client.clean)
        if answer.status == _TOO_MANY or answer.status >= _SERVER_ERROR:
            return Again(error, wait=retry_after(answer.headers, body, self.client.config))
        return error


def s3_error(answer: Answer, link: Link, window: Window | None) -> SourceError | None:
    """The error for an answer of S3's own form, or None if it is of another.

    Args:
        answer: an error.
        link: what was asked for.
        window: what the export was asked for.
    """
    code, _ = summary(answer.body)
    again = f"ask for a new export: {devrev_request(window)}"
    if code == "ExpiredToken" or (code == "AccessDenied" and b"expired" in answer.body.lower()):
        # S3 says AccessDenied, "Request has expired"; or the signer's session ended before the link's own time.
        return LinkExpired(
            f"The server says that the link has expired, although the link names {moment(link.expires_at)}.",
            _sentence(again),
        )
    if code in _REFUSALS:
        return LinkRefused(
            f"The server refuses the link: {_REFUSALS[code]}.", f"Copy the whole link once more; if that fails: {again}"
        )
    if code in {"NoSuchKey", "NoSuchBucket"}:
        return NotFound(
            f"There is no file at {link.address} any more.",
            _sentence(again),
            status=answer.status,
            request=answer.request,
        )
    return None


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _is_page(headers: Mapping[str, str]) -> bool:
    return headers.get("content-type", "").lower().startswith("text/html")


def _no_file(host: str) -> TransferError:
    return TransferError(
        f"{host} answered with something else than the file.",
        "A proxy or a sign-in page may be in the way; then run the command again: the download goes on.",
    )


def _cut(host: str, size: int, total: int) -> TransferError:
    return TransferError(
        f"{host} sent {size} of {total} bytes.", "Run the command again: the download goes on where it broke off."
    )
