"""A proxy on this machine that does to HTTP what networks do: late, cut, altered, crossed, refused, of a wrong length.

It answers a client's requests one by one from the server behind it, unless its plan names a fault for one of them.
What it does is decided by a seed, so that a test that fails fails again.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


class Fault(StrEnum):
    """What may happen to one request."""

    LATE = "the answer comes after that of a later request"
    CROSSED = "two requests under way get each other's answers"
    DRIP = "the answer's first bytes come one by one"
    GONE = "the connection ends without an answer"
    CUT = "the connection breaks in the middle of the body"
    RESET = "the connection is reset in the middle of the body"
    CORRUPT = "bytes of the body are altered"
    SWAPPED = "two blocks of the body change places"
    LONG = "Content-Length is more than comes"
    SHORT = "Content-Length is less than comes"
    IDLE = "the connection is closed after the answer, unannounced"
    LIMIT = "429 with Retry-After"
    SILENT = "429 without Retry-After"
    ERROR = "500 without a body"
    BUSY = "503 with Retry-After"
    GATEWAY = "502 as an HTML page"
    PAGE = "200 as an HTML page"


HTML = b"<!doctype html><html><head><title>Sign in to the network</title></head><body>Welcome</body></html>"
_STATUSES = {
    Fault.LIMIT: (b"429 Too Many Requests\r\nRetry-After: 1", b'{"message": "slow down"}'),
    Fault.SILENT: (b"429 Too Many Requests", b"slow down"),
    Fault.ERROR: (b"500 Internal Server Error", b""),
    Fault.BUSY: (b"503 Service Unavailable\r\nRetry-After: 1", b"<Error><Code>SlowDown</Code></Error>"),
    Fault.GATEWAY: (b"502 Bad Gateway\r\nContent-Type: text/html", HTML),
    Fault.PAGE: (b"200 OK\r\nContent-Type: text/html; charset=utf-8", HTML),
}
_BLOCK = 16
_PATIENCE = 0.05
"""Seconds an answer is held back for another to pass it."""
_HEAD_START = 0.005


def first(*faults: Fault) -> Callable[[], Fault | None]:
    """A plan: the first requests meet these, the others nothing."""
    coming = iter(faults)
    return lambda: next(coming, None)


def always(fault: Fault) -> Callable[[], Fault | None]:
    """A plan: every request meets this."""
    return lambda: fault


def sometimes(seed: int, faults: tuple[Fault, ...], share: float) -> Callable[[], Fault | None]:
    """A plan: a share of the requests meets one of these."""
    chance = random.Random(seed)  # noqa: S311 - faults that come again with their seed
    return lambda: chance.choice(faults) if chance.random() < share else None


@dataclass
class _Answer:
    head: bytes
    body: bytes


@dataclass
class Proxy:
    """The proxy; a context manager. `plan` may be changed while it runs.

    Attributes:
        behind: `http://host:port` of the server.
        plan: asked for the fault of each request.
        passed: method of each request that reached the server.
        met: the faults there were.
    """

    behind: str
    plan: Callable[[], Fault | None] = lambda: None
    seed: int = 0
    passed: list[str] = field(default_factory=list)
    met: list[Fault] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._chance = random.Random(self.seed)  # noqa: S311 - as above
        self._held: tuple[_Answer, bool, asyncio.Future[_Answer]] | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def through(self, link: str) -> str:
        """The link, by way of this proxy."""
        return link.replace(self.behind, self.url)

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _stop(self) -> None:
        self._server.close()
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:  # what is cancelled may leave another behind
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for writer in list(self._writers):
            with contextlib.suppress(asyncio.CancelledError):  # of whoever waited for the same and was cancelled above
                await self._close(writer)

    async def _close(self, writer: asyncio.StreamWriter) -> None:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        self._writers.discard(writer)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)  # here, for a task that is cancelled before it begins closes nothing
        self._tasks.add(task := self._loop.create_task(self._serve(reader, writer)))
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while await self._exchange(reader, writer):
                pass
        await self._close(writer)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether the connection lives on."""
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(int(_header(head, b"content-length") or 0))
        fault = self.plan()
        if fault:
            self.met.append(fault)
        if fault in _STATUSES:
            return await self._send(writer, _made(*_STATUSES[fault]), None)
        if fault is Fault.GONE and self._chance.random() < 0.5:
            return False
        answer = await self._ask(head, body)
        if fault is Fault.GONE:
            return False
        if fault in {Fault.LATE, Fault.CROSSED} or self._held:
            answer = await self._hold(answer, fault)
        return await self._send(writer, answer, fault)

    async def _ask(self, head: bytes, body: bytes) -> _Answer:
        server = urlsplit(self.behind)
        self.passed.append(head.split(b" ", 1)[0].decode())
        reader, writer = await asyncio.open_connection(server.hostname, server.port)
        self._writers.add(writer)
        kept = [line for line in head.split(b"\r\n") if not line.lower().startswith((b"host:", b"connection:"))]
        kept[1:1] = [f"Host: {server.netloc}".encode(), b"Connection: close"]
        writer.write(b"\r\n".join(kept) + body)
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
        await self._close(writer)
        lines = [
            line for line in head.split(b"\r\n") if not line.lower().startswith((b"content-length", b"connection"))
        ]
        return _made(b"\r\n".join(lines).partition(b" ")[2], body)

    async def _hold(self, answer: _Answer, fault: Fault | None) -> _Answer:
        """Hold the answer back until another one comes: that passes it, or they change places."""
        if self._held:
            (held, crossed, release), self._held = self._held, None
            if crossed:
                release.set_result(answer)
                return held
            self._loop.call_later(_HEAD_START, release.set_result, held)
            return answer
        release = self._loop.create_future()
        self._held = (answer, fault is Fault.CROSSED, release)
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(asyncio.shield(release), _PATIENCE)
        self._held = None
        return answer

    async def _send(self, writer: asyncio.StreamWriter, answer: _Answer, fault: Fault | None) -> bool:
        length, body = len(answer.body), bytearray(answer.body)
        match fault:
            case Fault.CUT | Fault.RESET:
                body = body[: self._chance.randrange(length + 1)]
                length += not length
            case Fault.CORRUPT:
                start = self._chance.randrange(length or 1)
                body[start : start + _BLOCK] = bytes(byte ^ 0x80 for byte in body[start : start + _BLOCK])
            case Fault.SWAPPED if length >= 2 * _BLOCK:
                start = self._chance.randrange(_BLOCK, length - _BLOCK + 1)
                blocks = body[:_BLOCK], body[start : start + _BLOCK]
                body[start : start + _BLOCK], body[:_BLOCK] = blocks
            case Fault.LONG:
                length += 1000
            case Fault.SHORT:
                length //= 2
            case _:
                pass
        writer.write(answer.head + b"\r\nContent-Length: %d\r\n\r\n" % length)
        if fault is Fault.DRIP:
            for byte in body[:20]:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.001)
            del body[:20]
        writer.write(body)
        await writer.drain()
        if fault is Fault.RESET:
            writer.transport.abort()
        return fault not in {Fault.CUT, Fault.RESET, Fault.LONG, Fault.IDLE}


def _made(status: bytes, body: bytes) -> _Answer:
    return _Answer(b"HTTP/1.1 " + status, body)


def _header(head: bytes, name: bytes) -> bytes:
    lines = (line.partition(b":") for line in head.split(b"\r\n"))
    return next((value.strip() for found, _, value in lines if found.strip().lower() == name), b"")
