"""The Updates panel (the bell): notifications of a workspace, as data and as a page under Important and Others.

Every text on the page is escaped: titles and names in the world are hostile on purpose.
"""

import threading
from dataclasses import dataclass
from html import escape
from itertools import count
from string import Template
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from investigate.sandbox import clock
from investigate.sandbox.page import CARD, EMPTY, PAGE

TABS: Final = ("important", "others")
_Workspace = Annotated[str, Query(description="The last part of the workspace's DON")]
_Recipient = Annotated[str | None, Query(description="DON of the person notified")]


@dataclass(frozen=True, slots=True)
class Notification:
    """One line of the panel. Instants in microseconds since 1970 UTC; `link` is a presigned S3 URL."""

    workspace: str
    recipient: str
    tab: str
    kind: str
    title: str
    text: str
    created: int
    link: str | None = None
    expires: int | None = None
    export: dict[str, Any] | None = None


class Updates:
    """All notifications, in the order they came."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._all: list[tuple[int, Notification]] = []

    def add(self, notification: Notification) -> None:
        """Show it, first of its tab."""
        with self._lock:
            self._all.append((next(self._numbers), notification))

    def of(self, workspace: str, recipient: str | None = None) -> list[tuple[int, Notification]]:
        """Number and notification, newest first, of a workspace and perhaps one person in it."""
        with self._lock:
            return [
                (number, one)
                for number, one in reversed(self._all)
                if one.workspace == workspace and recipient in {None, one.recipient}
            ]


def as_json(number: int, one: Notification) -> dict[str, Any]:
    """The notification for scripts."""
    return {
        "id": f"notification-{number}",
        "kind": one.kind,
        "tab": one.tab,
        "recipient": one.recipient,
        "title": one.title,
        "text": one.text,
        "created_at": clock.iso(one.created),
        "link": one.link,
        "expires_at": None if one.expires is None else clock.iso(one.expires, "seconds"),
        "export": one.export,
    }


def router(updates: Updates, workspaces: dict[str, str]) -> APIRouter:
    """Routes of the panel.

    Args:
        updates: What to show.
        workspaces: Key to name of each workspace, the main one first.
    """
    routes = APIRouter(tags=["sandbox"])
    main = next(iter(workspaces))

    @routes.get("/updates.json", summary="Notifications of a workspace, newest first")
    def updates_json(workspace: _Workspace = main, recipient: _Recipient = None) -> dict[str, list[dict[str, Any]]]:
        return {"updates": [as_json(number, one) for number, one in updates.of(workspace, recipient)]}

    @routes.get("/updates", response_class=HTMLResponse, summary="The Updates panel")
    def updates_page(workspace: _Workspace = main) -> HTMLResponse:
        return HTMLResponse(
            _page(workspaces.get(workspace, "Unknown workspace"), updates.of(workspace)),
            headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"},
        )

    return routes


def _page(name: str, notifications: list[tuple[int, Notification]]) -> str:
    now = clock.now()
    tabs = {tab: "".join(_card(one, now) for _, one in notifications if one.tab == tab) or EMPTY for tab in TABS}
    counts = {f"{tab}_count": sum(one.tab == tab for _, one in notifications) for tab in TABS}
    return Template(PAGE).substitute(workspace=escape(name), **tabs, **counts)


def _card(one: Notification, now: int) -> str:
    action = ""
    if one.link is not None and one.expires is not None:
        if now < one.expires:
            until = clock.iso(one.expires, "seconds")
            action = f'<a class="link" href="{escape(one.link)}">Download link</a><small>valid until {until}</small>'
        else:
            action = "<small>The link has expired: start a new export.</small>"
    return Template(CARD).substitute(
        title=escape(one.title),
        text=escape(one.text),
        when=clock.iso(one.created, "seconds"),
        action=action,
        kind=escape(one.kind),
    )
