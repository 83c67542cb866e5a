"""How a file of records is laid out: one a line, values one after another, lists under a key, or kept pages.

Decided on the beginning of a file, always of the same length, so that it does not depend on how the file is read.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from investigate.errors import ContainerError
from investigate.normalise.scan import BLANK, BOM, Scan, members
from investigate.normalise.survey import survey

if TYPE_CHECKING:
    from investigate.normalise.profile import Profile

HEAD: Final = 2**20
"""How much of a file is looked at."""

_LOOK: Final = 64 * 1024
_HTML: Final = re.compile(rb"\s*<(?:!doctype|html|head|body|\?xml|!--|[a-z]+[ >])", re.IGNORECASE)
_WIDE: Final = re.compile(rb"\s*\x00{0,3}[\[{]\x00")
_PAGE: Final = re.compile(rb'\s*\{"(?:body|body_base64|date|page|request|status|url)":')
_WHAT_AN_EVENT_HAS: Final = {"actor", "action", "activity", "resources", "src_ip"}


def refuse_what_is_no_log(head: bytes) -> None:
    """Say at once what a file is that holds no records.

    Raises:
        ContainerError: UTF-16, HTML, or no JSON at all.
    """
    text = head.removeprefix(BOM)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or _WIDE.match(text):
        raise ContainerError("The file is UTF-16 or UTF-32, not UTF-8.", "Convert it: iconv -f UTF-16 -t UTF-8.")
    if _HTML.match(text):
        raise ContainerError("The file is HTML or XML, not a log.", "Sign in and download it again.")
    if b"{" not in text and b"[" not in text and text.strip():
        raise ContainerError("The file holds no JSON.", "Logs are read as JSON: lines, a list, or a list under a key.")


def is_pages(head: bytes, at: int, profile: Profile) -> bool:
    """Whether the file holds the response bodies that a pull kept, one page a line."""
    return "pages" in profile.records and _PAGE.match(head, at) is not None


def is_lines(head: bytes, at: int) -> bool:
    """Whether the first line is a whole value of its own, or none of a value laid out over several lines."""
    end = head.find(b"\n", at)
    if end < 0:
        return False
    line = head[at:end].strip(BLANK)
    if line[:1] != b"{":
        return line[:1] != b"["
    scan = Scan(0)
    if scan.step(line):
        return scan.at == len(line)
    return not (line == b"{" or line.endswith((b"{", b"[", b",", b":")))


class Wrappers:
    """Tells lists of records from lists inside records.

    A profile names the keys under which records lie; `*[]` stands for any key whose list's elements look more like
    events than what stands around the list.

    Args:
        profile: its `records`, and for `*[]` its columns.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._named = {text[:-2].encode() for text in profile.records if text.endswith("[]") and text != "[]"}
        self._known: dict[bytes, bool] = {}

    def around(self, data: bytes, at: int, end: int) -> bool:
        """Whether the object at `at` is an object around records, as far as it can be seen before `end`."""
        if data[at : at + 1] != b"{" or not self._named:
            return False
        found, outside = [], {}
        for key, start, stop in members(data, at, end):
            if data[start : start + 1] == b"[":
                if key in self._named or self._known.get(key):
                    return True
                found.append((key, self._columns(_first_element(data, start, stop))))
            else:
                outside[key] = data[start:stop]
        if b"*" not in self._named:
            return False
        around = len(self._columns(_object(outside)))
        self._known |= {key: _is_event(columns) and len(columns) > around for key, columns in found}
        return any(self._known[key] for key, _ in found)

    def holds(self, key: bytes, data: bytes, start: int, end: int) -> bool:
        """Whether the value at `start`, a member of an object around records, is a list of records."""
        if data[start : start + 1] != b"[":
            return False
        if key not in self._known and "*[]" in self._profile.records:
            self._known[key] = _is_event(self._columns(_first_element(data, start, end)))
        return key in self._named or self._known.get(key, False)

    def _columns(self, record: bytes) -> set[str]:
        return {decision.column for decision in survey(self._profile, [record])[1]} if record else set()


def _is_event(columns: set[str]) -> bool:
    return "time" in columns and not columns.isdisjoint(_WHAT_AN_EVENT_HAS)


def _first_element(data: bytes, start: int, end: int) -> bytes:
    """The first element of the list at `start`, where it is an object that can be seen whole."""
    text = data[start + 1 : min(end, start + _LOOK)].lstrip(BLANK)
    scan = Scan(0)
    return text[: scan.at] if text.startswith(b"{") and scan.step(text) else b""


def _object(members_seen: dict[bytes, bytes]) -> bytes:
    """What stands around lists, as an object of its own; a member that is damaged or cut off does not count."""
    whole = {}
    for key, text in members_seen.items():
        try:
            whole[key.decode()] = json.loads(text)
        except (ValueError, RecursionError):
            continue
    return json.dumps(whole).encode()
