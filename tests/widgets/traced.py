"""What the tests of the tracing widgets share: small cases, hostile ones too, and what a view tells its page."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import investigate
from investigate.widgets.view import View

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from investigate.case import Case

HOSTILE = "<img src=x onerror=window.hacked=1> \x1b[31mred \u202egnp.exe =cmd()|'/C calc'!A0"
WINDOW = ("2026-11-03", "2026-11-05")
OBJECTS = [f"arn:aws:s3:::vault/{number}" for number in range(5)]


def record(number: int, **more: Any) -> str:
    """One line of a CloudTrail log: `number` says when, who, what and from where."""
    base: dict[str, Any] = {
        "eventID": f"e{number:04}",
        "eventTime": f"2026-11-0{3 + number % 2}T{number % 24:02}:{number % 60:02}:00Z",
        "eventName": ("GetObject", "PutObject", "DeleteObject")[number % 3],
        "recipientAccountId": "1",
        "sourceIPAddress": f"192.0.2.{number % 5}",
        "userIdentity": {
            "arn": f"arn:aws:iam::1:user/u{number % 7}",
            "userName": f"User {number % 7}",
            "accessKeyId": f"AKIA{number % 4}",
        },
        "resources": [{"ARN": OBJECTS[number % len(OBJECTS)]}],
    }
    return json.dumps(base | more)


def case_of(folder: Path, *lines: str) -> Case:
    """A case with these lines of CloudTrail, known to be all of two days."""
    log = folder / "log.jsonl"
    log.write_text("\n".join(lines))
    case = investigate.open(folder / "case")
    case.import_files(log, "cloudtrail", covers=WINDOW)
    return case


def small_case(folder: Path, events: int = 120) -> Case:
    """A case of ordinary events."""
    return case_of(folder, *(record(number) for number in range(events)))


def hostile_case(folder: Path) -> Case:
    """A case in which everything a log can say is an attempt."""
    identity = {"arn": HOSTILE, "userName": HOSTILE, "accessKeyId": HOSTILE}
    more = {"eventName": HOSTILE, "sourceIPAddress": HOSTILE, "userAgent": "u" * 1_000_000, "requestID": HOSTILE}
    objects = [{"ARN": HOSTILE}, {"ARN": "=1+1"}, {"ARN": OBJECTS[0]}]
    lines = [record(n, eventID=f"{HOSTILE}{n}", userIdentity=identity, resources=objects, **more) for n in range(3)]
    return case_of(folder, *lines, record(3), record(4, eventName="=1+1", resources=objects[:2]))


class Told:
    """What views tell their pages, in order.

    Args:
        replace: `monkeypatch.setattr`.
    """

    def __init__(self, replace: Callable[..., None]) -> None:
        self.messages: list[dict[str, Any]] = []
        replace(View, "send", lambda _view, content, _buffers=None: self.messages.append(content))

    def last(self, kind: str) -> dict[str, Any]:
        """The newest message of a kind, which may be under way."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if found := [one for one in self.messages if one["is"] == kind]:
                return found[-1]
            time.sleep(0.01)
        raise AssertionError([one["is"] for one in self.messages])


def ask(view: View, **message: Any) -> None:
    """A message from the page, as the browser sends it, and what it leads to."""
    view._from_page(view, json.loads(json.dumps(message)), [])
    view.settle(20)
