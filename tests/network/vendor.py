"""A CodeRabbit of our own on this machine, whose pages are wrong in the ways that pages can be wrong."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

START = datetime(2026, 11, 2, tzinfo=UTC)
END = START + timedelta(hours=1)
Page = dict[str, Any]


def entry(uid: str, time: datetime, **more: object) -> Page:
    return {
        "id": uid,
        "action": "repository_create",
        "resourceType": "repository",
        "resourceSummary": f"repository of {uid}",
        "actor": {"name": "Ada", "subtitle": "Admin", "isBot": False},
        "createdAt": time.isoformat(),
        **more,
    }


@dataclass
class Vendor:
    """The server; a context manager.

    Attributes:
        entries: the log, in the order in which it is paged.
        after: called with this server after each page; entries may arrive there.
        alter: has the last word on a page.
        up: whether a request is answered; otherwise the connection just ends.
        pages: the number of each page asked for.
    """

    entries: list[Page]
    after: Callable[[Vendor], None] = lambda _: None
    alter: Callable[[Page], Page] = lambda page: page
    up: Callable[[Vendor], bool] = lambda _: True
    pages: list[int] = field(default_factory=list)

    def __enter__(self) -> Self:
        vendor, self._lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = vendor.answer(self.path)
                if body is None:
                    self.close_connection = True
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                del args

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *args: object) -> None:
                """A client that hangs up is none of ours."""

        self._server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str) -> bytes | None:
        """The page asked for, or None for no answer; one request at a time."""
        with self._lock:
            query = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
            if not self.up(self):
                return None
            self.pages.append(int(query["page"]))
            page = json.dumps(self.alter(self._page(query))).encode()
            self.after(self)
            return page

    def _page(self, query: dict[str, str]) -> Page:
        number, size = int(query["page"]), int(query["page_size"])
        since, until = (datetime.fromisoformat(query[name]) for name in ("date_from", "date_to"))
        found = [one for one in self.entries if since <= datetime.fromisoformat(one["createdAt"]) <= until]
        pagination = {
            "page": number,
            "page_size": size,
            "total_count": len(found),
            "total_pages": -(-len(found) // size),
            "has_next_page": number * size < len(found),
            "has_previous_page": number > 1,
        }
        return {"data": found[(number - 1) * size : number * size], "pagination": pagination, "filter_options": {}}
