"""The one httpx layer: timeouts, connection limits, retries, same-origin redirects, and errors that hold no secret.

Every failure of httpx becomes an error of ours outside the handler that caught it: httpx's own exceptions carry the
request, and with it tokens and the queries of presigned links.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Final, Self

import httpx
from pydantic import SecretStr

from investigate.errors import SourceError, TransferError, VendorError, VendorUnavailable
from investigate.evidence.redact import GONE, redact
from investigate.sources.answers import Answer, Vendor, error_for, is_html, parsed, shown
from investigate.sources.logs import quiet
from investigate.sources.origin import base_address, is_loopback, is_untrusted, origin
from investigate.sources.pace import Pace
from investigate.sources.retry import Again, await_turn, retried, retry_after

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType

    from investigate.config import HttpConfig

MAX_REDIRECTS: Final = 5
MAX_ANSWER: Final = 64 * 2**20
"""Bytes of one API answer; a hundred entries with their metadata are a fraction of it."""
_ANSWER_TIMEOUTS: Final = 5
"""An answer that drips is given up after this many read timeouts."""
_UNSENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_LASTING: Final = (httpx.LocalProtocolError, httpx.UnsupportedProtocol, httpx.TooManyRedirects)
"""These, and a certificate nobody vouches for, do not get better by asking again."""
_REDIRECTION: Final = 300
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500
NETWORK: Final = "Check the network and the proxy settings: investigate doctor"


@dataclass(frozen=True)
class _Asked:
    """A request whose repr, in whatever traceback it may appear, shows neither its query nor its headers."""

    request: httpx.Request = field(repr=False)
    shown: str


def _asked(request: httpx.Request) -> _Asked:
    return _Asked(request, f"{request.method} {redact(str(request.url.copy_with(query=None)))}")


class _Secrets(httpx.Auth):
    """Puts the secret headers on a request as it leaves."""

    def __init__(self, headers: Mapping[str, SecretStr]) -> None:
        self._headers = headers

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        for name, value in self._headers.items():
            request.headers[name] = value.get_secret_value()
        yield request


def _end(response: httpx.Response) -> None:
    """Let no other request use this answer's connection: what may still come on it would be taken for that one's.

    The connection may have been handed on already: its socket is shut down, not closed, so that no other connection
    gets its number meanwhile, and below TLS, so that nothing is ever written in the clear.
    """
    stream = response.extensions.get("network_stream")
    if isinstance(under := stream and stream.get_extra_info("socket"), socket.socket):
        with suppress(OSError):
            socket.socket.shutdown(under, socket.SHUT_RDWR)


@cache
def _certificates() -> ssl.SSLContext:
    """Whom to trust, by `SSL_CERT_FILE` or else certifi; once a process, since reading them takes a while."""
    return httpx.create_ssl_context()


class Client:
    """One vendor's HTTP, to be used as a context manager; threads may share it.

    Args:
        base_url: scheme, host, optionally port and path; https unless the host is this machine.
        headers: sent with every request; secret where the value is a SecretStr.
        config: timeouts, connections, retries.
        vendor: how errors speak of it.
        hidden: more secrets to keep out of messages, besides those in the headers.
        transport: in place of the network.
        clock: seconds, monotonic; what retry budgets are measured by.

    Raises:
        ConfigError: an address that is none, or one to which a secret would travel in the clear.
    """

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, SecretStr | str],
        config: HttpConfig,
        *,
        vendor: Vendor | None = None,
        hidden: Sequence[SecretStr] = (),
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        quiet()
        url = base_address(base_url)
        self.config = config
        self.vendor = vendor or Vendor(url.host)
        self.host = url.host
        self._clock = clock
        self._pace = Pace(config.retry_after_floor)
        self._lock = threading.Lock()
        self._busy, self._closing = 0, False
        secrets = {name: value for name, value in headers.items() if isinstance(value, SecretStr)}
        self._auth = _Secrets(secrets)
        self._hidden = [*hidden, *secrets.values()]
        plain = {name: value for name, value in headers.items() if isinstance(value, str)}
        self._http = httpx.Client(
            base_url=url,
            headers={"User-Agent": "investigate", "Accept": "application/json", **plain},
            timeout=httpx.Timeout(config.read_timeout, connect=config.connect_timeout),
            limits=httpx.Limits(max_connections=config.connections, max_keepalive_connections=config.connections),
            verify=_certificates(),
            transport=transport,
            # What is meant for this machine goes through no proxy of the environment.
            mounts={"http://": None, "https://": None, "all://": None} if is_loopback(url.host) else None,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.vendor.name}, {self.host})"

    def close(self) -> None:
        """Take no more requests, and close every connection once no request is under way."""
        with self._lock:
            self._closing, idle = True, not self._busy
        if idle:
            self._http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: object = None,
        repeatable: bool | None = None,
    ) -> Answer:
        """Ask and read the whole answer, trying again after 429, 5xx and broken connections.

        Args:
            method: HTTP method.
            path: below the base address.
            params: query parameters.
            json: the body.
            repeatable: whether asking twice does no harm. Otherwise a request that was sent and not answered is not
                made again; an error answered is, and the answer says so in `earlier`. None means: when it is a GET.

        Raises:
            VendorError: an answer that is an error, or none, after all retries.
            TransferError: an answer that breaks off, is too long, or redirects to another origin.
        """
        again = method == "GET" if repeatable is None else repeatable
        earlier: list[int] = []

        def attempt() -> Answer:
            try:
                return self._exchange(self._asked(method, path, params=params, json=json), whole=again)
            except Again as error:
                status = error.error.status if isinstance(error.error, VendorError) else None
                if not again and error.sent and status is None:
                    failure = self._unknown_outcome(error.error)
                else:
                    earlier.extend([] if status is None else [status])
                    raise
            raise failure

        answer = retried(attempt, self.config, self._clock)
        return replace(answer, earlier=tuple(earlier))

    @contextmanager
    def stream(self, path: str | SecretStr, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """One GET whose body the caller reads, through `chunks`; no retries, and the status is not looked at.

        Args:
            path: below the base address, or a whole address on the same origin.
            headers: of this request.

        Raises:
            Again: no connection; its `error` is what to raise in the end.
            TransferError: a redirect to another origin.
        """
        with self._under_way():
            response = self._open(self._asked("GET", path, headers=headers))
            try:
                yield response
            finally:
                response.close()

    def chunks(self, response: httpx.Response, *, raw: bool) -> Iterator[bytes]:
        """The body of `response` as it comes.

        Args:
            response: unread.
            raw: as sent; otherwise its content encoding is undone.

        Raises:
            Again: it breaks off.
        """
        body = response.iter_raw() if raw else response.iter_bytes()
        while True:
            failure = None
            try:
                chunk = next(body, None)
            except httpx.HTTPError as error:
                failure = TransferError(
                    f"The answer of {self.host} broke off: {self._cause(error)}.", "Run the command again."
                )
            if failure:
                raise Again(failure)
            if chunk is None:
                return
            yield chunk

    def clean(self, text: str) -> str:
        """`text` without this client's secrets or any other that its form gives away."""
        for value in self._hidden:
            # An Authorization header's word before the token is none of the secret.
            text = text.replace(value.get_secret_value().rpartition(" ")[2] or GONE, GONE)
        return redact(text)

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        """One request; the last one of a client that was closed meanwhile, by another thread, closes the connections.

        httpx, closed under a request, would lose the connection that is being made for it.
        """
        with self._lock:
            if self._closing:
                raise RuntimeError("The client is closed.")
            self._busy += 1
        try:
            yield
        finally:
            with self._lock:
                self._busy -= 1
                last = self._closing and not self._busy
            if last:
                self._http.close()

    def _asked(
        self,
        method: str,
        path: str | SecretStr,
        *,
        params: Mapping[str, str | int] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> _Asked:
        address = path.get_secret_value() if isinstance(path, SecretStr) else path
        return _asked(self._http.build_request(method, address, params=params, json=json, headers=headers))

    def _open(self, asked: _Asked) -> httpx.Response:
        for _ in range(MAX_REDIRECTS + 1):
            outcome = self._send(asked)
            if isinstance(outcome, Exception):
                raise outcome
            if outcome.next_request is None:
                return outcome
            outcome.close()
            asked = self._redirected(asked, _asked(outcome.next_request))
        raise TransferError(f"{self.host} redirects without end.", NETWORK)

    def _send(self, asked: _Asked) -> httpx.Response | SourceError | Again:
        """The answer's head, or what went wrong: returned, so that no frame of httpx hangs on to the error."""
        try:
            return self._http.send(asked.request, stream=True, auth=self._auth)
        except httpx.HTTPError as error:
            cause, sent = self._cause(error), not isinstance(error, _UNSENT)
            lasting, untrusted = isinstance(error, _LASTING), is_untrusted(error)
        words = f"No answer from {self.host}: {cause}." if sent else f"No connection to {self.host}: {cause}."
        hint = "Point SSL_CERT_FILE to the certificates your network uses." if untrusted else NETWORK
        failure = VendorUnavailable(words, hint, request=asked.shown)
        return failure if lasting or untrusted else Again(failure, sent=sent)

    def _cause(self, error: httpx.HTTPError) -> str:
        kind = type(error).__name__
        if "location header" in str(error):
            return "it redirects to something that is no address"
        return shown(self.clean(f"{kind}, {error}" if str(error) else kind)).rstrip(".")[:300]

    def _redirected(self, asked: _Asked, target: _Asked) -> _Asked:
        if origin(target.request.url) != origin(asked.request.url):
            raise TransferError(
                self.clean(f"{self.host} redirects to another address, {origin(target.request.url)}: not followed."),
                "A proxy or a sign-in page may be in the way; check the network: investigate doctor",
            )
        if target.request.method != asked.request.method:
            change = f"a {asked.request.method} to a {target.request.method}"
            raise TransferError(f"{self.host} redirects {change}.", NETWORK)
        return target

    def _exchange(self, asked: _Asked, *, whole: bool) -> Answer:
        answer = self._paced(asked)
        if answer.status >= _REDIRECTION:
            error = error_for(answer, self.vendor, self.clean)
            if answer.status == _TOO_MANY or answer.status >= _SERVER_ERROR:
                raise Again(error, wait=retry_after(answer.headers, answer.body, self.config))
            raise error
        if is_html(answer.body):
            raise error_for(answer, self.vendor, self.clean)
        if whole and answer.body and answer.data is None:
            raise Again(TransferError(f"The answer of {self.host} is no whole JSON.", "Run the command again."))
        return answer

    def _paced(self, asked: _Asked) -> Answer:
        """The answer, asked for when it is this request's turn."""
        await_turn(lambda: self._pace.delay(self._clock()))
        sent = self._clock()
        try:
            answer = self._answer(asked)
        except BaseException:
            self._pace.failed()
            raise
        if answer.status == _TOO_MANY:
            self._pace.refused(sent, retry_after(answer.headers, answer.body, self.config), self._clock())
        else:
            self._pace.served(sent)
        return answer

    def _answer(self, asked: _Asked) -> Answer:
        with self._under_way():
            response = self._open(asked)
            try:
                body = self._read(response)
            finally:
                response.close()
        data = parsed(body)
        if body and data is None:
            _end(response)
        return Answer(response.status_code, response.headers, body, asked.shown, data)

    def _read(self, response: httpx.Response) -> bytes:
        body, limit = bytearray(), self._clock() + _ANSWER_TIMEOUTS * self.config.read_timeout
        for chunk in self.chunks(response, raw=False):
            body += chunk
            if len(body) > MAX_ANSWER:
                raise TransferError(f"The answer of {self.host} is longer than {MAX_ANSWER} bytes.", NETWORK)
            if self._clock() > limit:
                raise Again(TransferError(f"The answer of {self.host} does not come to an end.", NETWORK))
        return bytes(body)

    def _unknown_outcome(self, error: SourceError) -> SourceError:
        hint = self.vendor.hints.get("sent", "It may have been carried out: look before asking again.")
        request = error.request if isinstance(error, VendorError) else ""
        return VendorUnavailable(error.message, hint, request=request)
