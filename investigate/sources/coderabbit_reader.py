"""CodeRabbit's pages: asked for as `paging` says, put by until it is known which are kept, and written as evidence."""

from __future__ import annotations

import base64
import json
import tempfile
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from investigate.errors import TransferError
from investigate.sources.coderabbit_page import PAGE_SIZE, Page, read_page
from investigate.sources.coderabbit_steps import Ask, Fetch, Keep, Outcome
from investigate.sources.http import NETWORK
from investigate.sources.pool import Workers
from investigate.sources.received import kept_headers

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from datetime import datetime
    from types import TracebackType

    from investigate.evidence.store import Incoming
    from investigate.sources.answers import Answer
    from investigate.sources.http import Client
    from investigate.sources.received import Progress

PATH: Final = "/v1/audit-logs"
_LOOKS: Final = 8
"""A page that is not UTF-8, as all JSON is, was altered on its way, unless it comes so a second time."""
_PIECE: Final = 2**20
_SPOOL: Final = 8 * 2**20
"""Bytes of pages held in memory until it is known whether they are kept; more go to a nameless temporary file."""


@dataclass
class Reader:
    """Carries out the steps of `paging`; a context manager.

    Attributes:
        client: CodeRabbit's.
        params: query parameters of every page: the filters, `org_id`.
        incoming: where the pages kept are written, as gzipped JSON Lines.
        progress: told of the pages read.
        url: what was asked, without its query; empty before the first answer.
        response: the headers of the first answer that are worth keeping.
    """

    client: Client
    params: dict[str, str]
    incoming: Incoming
    progress: Progress
    url: str = ""
    response: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._spool = tempfile.SpooledTemporaryFile(max_size=_SPOOL)
        # zlib's own gzip header bears no time, so equal pages make equal files.
        self._gzip = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
        self._draft = _Draft(self._gzip)
        self._places: dict[Ask, tuple[int, int]] = {}
        self._answered = self._expected = 0
        self._workers = Workers(self._request, self.client.config.connections).__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._workers.__exit__(kind, error, traceback)
        self._draft.close()
        self._spool.close()

    def run(self, steps: Generator[Fetch | Keep, Sequence[Page], Outcome]) -> Outcome:
        """Answer every step; what it all came to."""
        pages: tuple[Page, ...] = ()
        step = next(steps)
        while True:
            if isinstance(step, Fetch):
                pages = self._fetch(step)
            else:
                self._keep(step.asks)
            try:
                step = steps.send(pages)
            except StopIteration as stop:
                self.incoming.write(self._gzip.flush())
                outcome: Outcome = stop.value
                return outcome

    def _fetch(self, step: Fetch) -> tuple[Page, ...]:
        pages = []
        for ask, answer in zip(step.asks, self._workers.results(step.asks, step.ahead), strict=True):
            page = read_page(answer.data)
            self._put_by(ask, answer)
            pages.append(page)
            self._answered += 1
            self._expected = max(self._expected, page.pages, self._answered)
            self.progress("pull", self._answered, self._expected, "pages")
        return tuple(pages)

    def _request(self, ask: Ask) -> Answer:
        before: Page | None = None
        for _ in range(_LOOKS):
            answer = self.client.request("GET", PATH, params=self._params(ask))
            if _is_utf8(answer.body):
                return answer
            with suppress(TransferError):  # of what was altered, no page may be left
                if before == (page := read_page(answer.data)):
                    return answer
                before = page
        raise TransferError(
            f"CodeRabbit's page {ask.page} came {_LOOKS} times, altered on its way each time.",
            NETWORK,
        )

    def _params(self, ask: Ask) -> dict[str, str | int]:
        times = {"date_from": _micros(ask.span.window.start), "date_to": _micros(ask.span.until)}
        return {**self.params, **times, "page": ask.page, "page_size": PAGE_SIZE}

    def _put_by(self, ask: Ask, answer: Answer) -> None:
        line = {"request": self._params(ask), "status": answer.status, "date": answer.headers.get("date", "")}
        try:
            line["body"] = answer.body.decode("utf-8")
        except UnicodeDecodeError:
            line["body_base64"] = base64.b64encode(answer.body).decode("ascii")
        data = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        self._places[ask] = (self._spool.tell(), len(data))
        self._spool.write(data)
        self._draft.add(ask, data)
        if not self.response:
            self.url, self.response = answer.request.partition(" ")[2], kept_headers(answer.headers)

    def _keep(self, asks: tuple[Ask, ...]) -> None:
        if asks == tuple(self._draft.asks):
            self._gzip = self._draft.gzip
            self._draft.copy(self.incoming)
        else:
            for ask in asks:
                offset, length = self._places[ask]
                self._spool.seek(offset)
                self.incoming.write(self._gzip.compress(self._spool.read(length)))
        self._draft.close()
        self._draft = _Draft(self._gzip)
        self._spool.seek(0)
        self._spool.truncate()
        self._places.clear()


class _Draft:
    """The pages of the first reading, gzipped while others are on their way: as a rule it is what is kept.

    Args:
        gzip: what was kept so far; stays as it is.
    """

    def __init__(self, gzip: zlib._Compress) -> None:
        self.gzip = gzip.copy()
        self.asks: list[Ask] = []
        self._text = tempfile.SpooledTemporaryFile(max_size=_SPOOL)  # noqa: SIM115 - closed with the reader

    def add(self, ask: Ask, line: bytes) -> None:
        """Gzip a page, if it is of that reading."""
        if not self.asks or (ask.span, ask.turn) == (self.asks[0].span, self.asks[0].turn):
            self.asks.append(ask)
            self._text.write(self.gzip.compress(line))

    def copy(self, to: Incoming) -> None:
        """Write what the pages came to."""
        self._text.seek(0)
        while piece := self._text.read(_PIECE):
            to.write(piece)

    def close(self) -> None:
        """Give the memory back."""
        self._text.close()


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _micros(time: datetime) -> str:
    """ISO 8601 with all six digits of the microsecond, so that every vendor reads the same instant."""
    return f"{time:%Y-%m-%dT%H:%M:%S.%f}Z"
