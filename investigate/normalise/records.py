"""Bytes to records: JSON lines, concatenated JSON, a list, a list under a key, and the kept pages of a pull.

Records come out as the exact bytes they are in the file. The scanner only finds where a value ends, without
recursion and without building it, so that depth, size and damage inside one record cost only that record.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from investigate.errors import ContainerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from investigate.normalise.containers import Limits, Reader

BLOCK: Final = 4 * 2**20
EXCERPT: Final = 2000
_LOOK: Final = 64 * 1024
_BOM: Final = b"\xef\xbb\xbf"
_QUOTE: Final = 0x22
_BLANK: Final = b" \t\r\n\x1e,"
_STRUCTURE = re.compile(rb'"(?:[^"\\]++|\\.)*+("?)|[\[\]{}]', re.DOTALL)
_SCALAR = re.compile(rb'[^\s,\[\]{}"]+')
_STRING_REST = re.compile(rb'(?:[^"\\]++|\\.)*+"', re.DOTALL)
_MEMBER = re.compile(rb'[\s,]*"((?:[^"\\]++|\\.)*+)"\s*:\s*(?=\S)', re.DOTALL)
_TIME_LIKE = re.compile(rb'"[^"]*(?:time|date|created|_at|At|ts|at)"\s*:')
_EVENT_LIKE = re.compile(rb'"[^"]*(?:user|actor|principal|action|operation|ip)[^"]*"\s*:|"don:', re.IGNORECASE)
_PAGE = re.compile(rb'\s*\{"(?:body|body_base64|date|page|request|status|url)":')
_HTML = re.compile(rb"\s*<(?:!doctype|html|head|body|\?xml|!--|[a-z]+[ >])", re.IGNORECASE)


@dataclass(frozen=True)
class Fault:
    """A record, or a rest of a file, that is none, with its place and the reason."""

    place: int
    reason: str
    excerpt: bytes


@dataclass
class Chunk:
    """Records that follow one another, and the faults between them."""

    places: list[int] = field(default_factory=list)
    records: list[bytes] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    size: int = 0


class RecordReader:
    """Cuts one stream of plain content into chunks of records.

    Args:
        reader: the expanded bytes.
        layouts: a profile's `records`.
        limits: `max_record` is the longest record taken.
        first: the place of the first record.
    """

    def __init__(self, reader: Reader, layouts: Sequence[str], limits: Limits, first: int = 0) -> None:
        self._window = _Window(reader)
        self._layouts = layouts
        self._limits = limits
        self.place = first

    def __iter__(self) -> Iterator[Chunk]:
        """Chunks of about `BLOCK` bytes.

        A file that is damaged or ends too early gives what it holds up to there, then a fault.
        """
        chunk = Chunk()
        pieces = self._pieces()
        while True:
            try:
                piece = next(pieces, None)
            except ContainerError as error:
                chunk.faults.append(Fault(self.place, error.message, self._window.rest()[:EXCERPT]))
                self.place += 1
                piece = None
            if piece is None:
                break
            if isinstance(piece, bytes):
                chunk.records.append(piece)
                chunk.places.append(self.place)
                chunk.size += len(piece)
            else:
                chunk.faults.append(Fault(self.place, piece.reason, piece.excerpt))
            self.place += 1
            if chunk.size >= BLOCK or len(chunk.faults) > BLOCK // EXCERPT:
                yield chunk
                chunk = Chunk()
        if chunk.records or chunk.faults:
            yield chunk

    def _pieces(self) -> Iterator[bytes | Fault]:
        window = self._window
        window.fill(_LOOK)
        _refuse_what_is_no_log(window.data)
        if window.data.startswith(_BOM):
            window.at = len(_BOM)
        if "pages" in self._layouts and _PAGE.match(window.data, window.at):
            yield from self._pages()
            return
        wrapper = self._wrapper()
        if wrapper is None and self._is_lines():
            yield from self._lines()
        else:
            yield from self._values(wrapper)

    def _is_lines(self) -> bool:
        """Whether the first line is a whole value of its own, or none of a value laid out over several lines."""
        window = self._window
        while (end := window.data.find(b"\n", window.at)) < 0 and len(window.data) <= self._limits.max_record:
            if not window.fill(len(window.data) - window.at + BLOCK):
                break
        line = window.data[window.at : end if end >= 0 else None].strip(_BLANK)
        if line[:1] != b"{":
            return line[:1] != b"["
        scan = _Scan(0)
        if scan.step(line):
            return scan.at == len(line)
        return not (line == b"{" or line.endswith((b"{", b"[", b",", b":")))

    def _wrapper(self) -> bytes | None:
        """The key under which the records lie, where the file is an object around a list."""
        window = self._window
        if not window.skip_blank() or window.data[window.at : window.at + 1] != b"{":
            return None
        named = {layout[:-2].encode() for layout in self._layouts if layout.endswith("[]") and layout != "[]"}
        candidate, outside = None, b""
        for key, start, end in window.members():
            value = window.data[start:end]
            if value.startswith(b"["):
                if key in named:
                    return key
                first = value[1:].lstrip(_BLANK)[:_LOOK]
                if candidate is None and first.startswith(b"{") and _TIME_LIKE.search(first):
                    candidate = key
                    continue
            outside += b'"' + key + b'":' + value[:EXCERPT]
        return candidate if b"*" in named and not _EVENT_LIKE.search(outside) else None

    def _lines(self) -> Iterator[bytes | Fault]:
        window, limit = self._window, self._limits.max_record
        while True:
            end = window.data.rfind(b"\n")
            if end < window.at:
                if len(window.data) - window.at > limit:
                    yield self._too_long_line()
                elif not window.fill(len(window.data) - window.at + BLOCK):
                    yield from self._cut([window.rest()])
                    return
                continue
            lines = window.data[window.at : end].split(b"\n")
            window.at = end + 1
            yield from self._cut(lines)

    def _cut(self, lines: list[bytes]) -> Iterator[bytes | Fault]:
        for text in lines:
            line = text.strip(b" \t\r\x1e")
            if len(line) > self._limits.max_record:
                yield _too_long(line, len(line), self._limits.max_record)
            elif line:
                yield line

    def _too_long_line(self) -> Fault:
        window = self._window
        start, size = window.data[window.at : window.at + EXCERPT], 0
        while (end := window.data.find(b"\n", window.at)) < 0:
            size += len(window.rest())
            if not window.fill(BLOCK):
                return _too_long(start, size, self._limits.max_record)
        size += end - window.at
        window.at = end + 1
        return _too_long(start, size, self._limits.max_record)

    def _values(self, wrapper: bytes | None) -> Iterator[bytes | Fault]:
        """Values that follow one another; the elements of lists, and of the list under the wrapping key."""
        window = self._window
        while window.skip_blank():
            start = window.data[window.at : window.at + 1]
            if start == b"[":
                window.at += 1
                yield from self._elements()
            elif start == b"{" and wrapper is not None:
                yield from self._wrapped(wrapper)
            elif start in (b"]", b"}"):
                window.at += 1
                yield Fault(0, f"a stray {start.decode()} between records", start)
            else:
                yield self._value()

    def _wrapped(self, wrapper: bytes) -> Iterator[bytes | Fault]:
        window = self._window
        start, found = window.at, False
        for key, value_at, _ in window.members():
            if key == wrapper and window.data[value_at : value_at + 1] == b"[":
                window.at, found = value_at + 1, True
                break
        if not found:
            window.at = start
            yield self._value()
            return
        yield from self._elements()
        while window.skip_blank(b" \t\r\n,:"):
            if window.data[window.at : window.at + 1] == b"}":
                window.at += 1
                return
            self._value()
        yield Fault(0, "cut short: the object around the records does not end", b"")

    def _elements(self) -> Iterator[bytes | Fault]:
        window = self._window
        while window.skip_blank():
            if window.data[window.at : window.at + 1] == b"]":
                window.at += 1
                return
            if window.data[window.at : window.at + 1] == b"}":
                window.at += 1
                yield Fault(0, "a stray } between records", b"}")
                continue
            yield self._value()
        yield Fault(0, "cut short: the list of records does not end", b"")

    def _value(self) -> bytes | Fault:
        """The value at the window's place, whole, and moves behind it."""
        window, limit = self._window, self._limits.max_record
        scan = _Scan(window.at)
        while not scan.step(window.data):
            if len(window.data) - window.at > limit:
                return self._too_long_value(scan)
            kept = window.at
            if not window.fill(len(window.data) - window.at + BLOCK):
                rest = window.rest()
                return Fault(0, "cut short: the file ends inside this record", rest[:EXCERPT])
            scan.shift(kept - window.at)
        value = window.data[window.at : scan.at]
        window.at = scan.at
        return value

    def _too_long_value(self, scan: _Scan) -> Fault:
        window = self._window
        start, size = window.data[window.at : window.at + EXCERPT], 0
        while not scan.step(window.data):
            size += scan.at - window.at
            window.at = scan.at
            if not window.fill(len(window.data) - window.at + BLOCK):
                return Fault(0, "cut short: the file ends inside this record", start)
            scan.at = window.at
        size += scan.at - window.at
        window.at = scan.at
        return _too_long(start, size, self._limits.max_record)

    def _pages(self) -> Iterator[bytes | Fault]:
        """The records of response bodies that a pull kept as text, one page a line."""
        named = [layout for layout in self._layouts if layout != "pages"]
        for line in self._lines():
            body = _body(line) if isinstance(line, bytes) else line
            if isinstance(body, Fault):
                yield body
                continue
            for chunk in RecordReader(_Bytes(body), named, self._limits):
                yield from chunk.records
                yield from chunk.faults


class _Bytes:
    """Bytes in hand as a `Reader`."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, size: int) -> bytes:
        data, self._data = self._data[:size], self._data[size:]
        return data


class _Window:
    """The part of a stream that is looked at: grows at the end, forgets what lies before `at`."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._ended = False
        self.data = b""
        self.at = 0

    def fill(self, size: int) -> bool:
        """Have at least `size` bytes from `at` on where the stream has them; whether any came."""
        if self._ended:
            return False
        parts, have = [self.data[self.at :]], len(self.data) - self.at
        grown = 0
        try:
            while have < size or not grown:
                part = self._reader.read(max(size - have, BLOCK))
                if not part:
                    self._ended = True
                    break
                parts.append(part)
                have += len(part)
                grown += len(part)
        finally:
            self.data, self.at = b"".join(parts), 0
        return grown > 0

    def skip_blank(self, blank: bytes = _BLANK) -> bool:
        """Move behind white space and commas; false at the end."""
        while True:
            rest = self.data[self.at : self.at + 64].lstrip(blank)
            if rest:
                self.at += min(64, len(self.data) - self.at) - len(rest)
                return True
            self.at = min(len(self.data), self.at + 64)
            if self.at == len(self.data) and not self.fill(1):
                return False

    def members(self) -> Iterator[tuple[bytes, int, int]]:
        """The members of the object at `at`, as far as a block reaches: key, and where its value starts and ends."""
        at = self.at + 1
        while found := _MEMBER.match(self.data, at):
            key, start = found[1], found.end()
            scan = _Scan(start)
            whole = scan.step(self.data)
            while not whole and len(self.data) - self.at <= BLOCK:
                moved = self.at
                if not self.fill(len(self.data) - moved + BLOCK):
                    break
                start -= moved
                scan.shift(moved)
                whole = scan.step(self.data)
            yield key, start, scan.at
            if not whole:
                return
            at = scan.at

    def rest(self) -> bytes:
        """What is in hand and not yet read; it counts as read."""
        data, self.at = self.data[self.at :], len(self.data)
        return data


class _Scan:
    """Looks for the end of one value; can be continued when more bytes are there."""

    def __init__(self, at: int) -> None:
        self.at = at
        self._depth = 0
        self._in_string = False

    def shift(self, by: int) -> None:
        """The bytes moved by so many towards the beginning."""
        self.at -= by

    def step(self, data: bytes) -> bool:
        """Scan on; whether the value's end was found, which `at` then is behind."""
        if self._in_string:
            rest = _STRING_REST.match(data, self.at)
            if rest is None:
                return self._stop_in_string(data)
            self.at, self._in_string = rest.end(), False
            if self._depth == 0:
                return True
        elif self._depth == 0 and data[self.at : self.at + 1] not in (b"{", b"[", b'"'):
            found = _SCALAR.match(data, self.at)
            if found is None or found.end() == len(data):
                return False
            self.at = found.end()
            return True
        return self._balance(data)

    def _balance(self, data: bytes) -> bool:
        for token in _STRUCTURE.finditer(data, self.at):
            mark = data[token.start()]
            if mark == _QUOTE:
                if not token[1]:
                    return self._stop_in_string(data)
            elif mark in b"{[":
                self._depth += 1
            else:
                self._depth -= 1
            if self._depth <= 0:
                self.at = token.end()
                return True
        self.at = len(data)
        return False

    def _stop_in_string(self, data: bytes) -> bool:
        """Go on inside the string later, but never between a backslash and what it escapes."""
        self._in_string = True
        backslashes = len(data) - len(data.rstrip(b"\\"))
        self.at = len(data) - backslashes % 2
        return False


def _refuse_what_is_no_log(data: bytes) -> None:
    if not data.removeprefix(_BOM):
        raise ContainerError("The file is empty.", "Get it again, or ask for a new export.")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ContainerError("The file is UTF-16, not UTF-8.", "Convert it: iconv -f UTF-16 -t UTF-8.")
    if _HTML.match(data):
        raise ContainerError("The file is HTML or XML, not a log.", "Sign in and download it again.")
    if b"{" not in data and b"[" not in data and data.strip():
        raise ContainerError("The file holds no JSON.", "Logs are read as JSON: lines, a list, or a list under a key.")


def _too_long(start: bytes, size: int, limit: int) -> Fault:
    reason = f"a record of {size:,} bytes is longer than max_record = {limit:,} under [ingest]"
    return Fault(0, reason, start[:EXCERPT])


def _body(line: bytes) -> bytes | Fault:
    try:
        page = json.loads(line)
        body = page["body"]
        return body.encode() if isinstance(body, str) else Fault(0, "a page without a body", line[:EXCERPT])
    except (ValueError, RecursionError, KeyError, TypeError):
        return Fault(0, "a kept page that cannot be read", line[:EXCERPT])
