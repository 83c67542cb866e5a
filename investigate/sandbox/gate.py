"""A gate before rclone's S3, for what clients rely on in Amazon's and rclone does otherwise; all else passes as it is.

A put with `If-None-Match: *` makes an object and never replaces one. Such puts of one name take turns; one whose object
is there goes to a second rclone, the *verifier*: it has the same keys and holds nothing, so it refuses a bad signature
as the store would, and else finds no bucket. Only then is the answer 412: who may not write learns nothing, and no
signature is computed here. Multipart uploads pass untouched, and a put without the condition takes no turn.

A part of an object comes as 206, where rclone says 200, and without the checksum of the whole, which does not fit it.
"""

import contextlib
import http.client
import logging
import posixpath
import socketserver
import tempfile
import threading
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import parse_qs, unquote, urlsplit

Address = tuple[str, int]

_log: Final = logging.getLogger(__name__)
_BLOCK: Final = 256 << 10
_IN_MEMORY: Final = 1 << 20
_LINE: Final = 64 << 10
_TURNS: Final = 64
_POLL: Final = 0.1
_LEFT: Final = "the client left in the middle of a body"
_CHECKSUM: Final = "x-amz-checksum-"
_REFUSAL: Final = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>PreconditionFailed</Code><Message>At least one of the '
    b"pre-conditions you specified did not hold</Message><Condition>If-None-Match</Condition></Error>"
)


class Gate(socketserver.ThreadingTCPServer):
    """Listens where S3 is said to be; a thread a connection."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: Address, root: Path, store: Address, verifier: Address) -> None:
        """Listen and serve until `stop`.

        Args:
            address: Where; port 0 takes a free one.
            root: The folder that the store serves.
            store: Where the rclone is that serves it.
            verifier: Where the rclone is that has the same keys and no bucket.

        Raises:
            OSError: The address is taken.
        """
        super().__init__(address, _Passage)
        self.root, self.store, self.verifier = root, store, verifier
        self._turns = tuple(threading.Lock() for _ in range(_TURNS))
        self._thread = threading.Thread(target=self.serve_forever, args=(_POLL,), name="S3 gate", daemon=True)
        self._thread.start()

    def turn(self, name: str) -> threading.Lock:
        """What to hold while an object of that name is looked for and made."""
        return self._turns[hash(name) % _TURNS]

    def stop(self) -> None:
        """Take no more connections."""
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing but a line for the curious: a client that goes away in the middle is no error of ours."""
        del request
        _log.debug("a connection of %s broke", client_address, exc_info=True)


class _Passage(BaseHTTPRequestHandler):
    """One connection of a client; what it asks for goes over one connection to rclone."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self._gate = cast("Gate", self.server)
        self._store = http.client.HTTPConnection(*self._gate.store)
        self._verifier = http.client.HTTPConnection(*self._gate.verifier)

    def finish(self) -> None:
        self._store.close()
        self._verifier.close()
        super().finish()

    def log_message(self, *_: Any) -> None:
        """Nothing: the line of a request may be a link, which opens what it names."""

    def do_PUT(self) -> None:
        target = urlsplit(self.path)
        if self.headers.get("If-None-Match", "") == "*" and "uploadId" not in parse_qs(target.query):
            # The form rclone gives a key: two that name one file take turns, and none leads out of the folder.
            self._put_if_absent(posixpath.normpath("/" + unquote(target.path).lstrip("/")).lstrip("/"))
        else:
            self._pass()

    def _pass(self) -> None:
        self._relay(self._ask(self._store, self._body()))

    do_GET = do_HEAD = do_POST = do_DELETE = do_OPTIONS = _pass  # noqa: N815 - the base class looks for these names

    def _put_if_absent(self, name: str) -> None:
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as body:
            for block in self._body():  # before its turn, which a slow client would make long for the others
                body.write(block)
            body.seek(0)
            with self._gate.turn(name):
                there = (self._gate.root / name).is_file()
                answer = self._ask(self._verifier if there else self._store, iter(lambda: body.read(_BLOCK), b""))
        if there and answer.status == HTTPStatus.NOT_FOUND:
            answer.read()
            self.send_response_only(HTTPStatus.PRECONDITION_FAILED)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(_REFUSAL)))
            self.end_headers()
            self.wfile.write(_REFUSAL)
        else:
            self._relay(answer)

    def _ask(self, server: http.client.HTTPConnection, body: Iterable[bytes]) -> http.client.HTTPResponse:
        """Put the client's request to a server."""
        server.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            server.putheader(name, value)
        server.endheaders()
        for block in body:
            with contextlib.suppress(OSError):  # refused before its end: the client gets to say it all, then the answer
                server.send(block)
        return server.getresponse()

    def _relay(self, answer: http.client.HTTPResponse) -> None:
        """Give the client a server's answer."""
        part = answer.status == HTTPStatus.OK and answer.getheader("Content-Range") is not None
        self.send_response_only(HTTPStatus.PARTIAL_CONTENT if part else answer.status)
        for name, value in answer.getheaders():
            if not (part and name.lower().startswith(_CHECKSUM)):
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            while block := answer.read1(_BLOCK):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block) if answer.chunked else block)
            if answer.chunked:
                self.wfile.write(b"0\r\n\r\n")
            # It ends with the connection: one without a length, and one that stopped short of it.
            self.close_connection |= answer.will_close or bool(answer.length)
        answer.close()

    def _body(self) -> Iterator[bytes]:
        """The request's body as it is on the wire, block by block."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._chunks()
        return self._exactly(int(self.headers.get("Content-Length", 0)))

    def _chunks(self) -> Iterator[bytes]:
        while size := int((line := self.rfile.readline(_LINE)).partition(b";")[0], 16):
            yield line
            yield from self._exactly(size + len(b"\r\n"))
        yield line
        while line.strip():  # what trails, to the empty line
            if not (line := self.rfile.readline(_LINE)):
                raise ConnectionError(_LEFT)
            yield line

    def _exactly(self, size: int) -> Iterator[bytes]:
        while size > 0:
            block = self.rfile.read1(min(size, _BLOCK))
            if not block:
                raise ConnectionError(_LEFT)
            size -= len(block)
            yield block
