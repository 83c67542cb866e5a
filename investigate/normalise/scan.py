"""Where a JSON value ends: a window over a stream, and a scanner without recursion that can be continued.

Nothing is built and nothing is judged here, so that depth, size and damage inside one record cost only that record.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from investigate.errors import ContainerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from investigate.normalise.containers import Reader

BLOCK: Final = 2 * 2**20
"""How much is read at a time, and is in hand several times while it is cut."""

BLANK: Final = b" \t\r\n\x1e,"
"""What may stand between records: white space, commas, and the record separator of RFC 7464."""

BOM: Final = b"\xef\xbb\xbf"
_QUOTE: Final = 0x22
_STRUCTURE: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+("?)|[\[\]{}]', re.DOTALL)
_SCALAR: Final = re.compile(rb'[^ \t\r\n\x1e,\[\]{}"]++')
_STRING_REST: Final = re.compile(rb'(?:[^"\\]++|\\.)*+"', re.DOTALL)
_MEMBER: Final = re.compile(rb'[\s,]*+"((?:[^"\\]++|\\.)*+)"\s*+:\s*+(?=\S)', re.DOTALL)


def _shallow(depth: int) -> bytes:
    """A pattern of one object or list that is at most so deep; brackets of both kinds count alike, as for `Scan`."""
    text = rb'"(?:[^"\\]++|\\.)*+"'
    inside = rb'(?:[^"{}\[\]]++|' + text + rb")*+"
    for _ in range(depth - 1):
        inside = rb'(?:[^"{}\[\]]++|' + text + rb"|[{\[]" + inside + rb"[}\]])*+"
    return rb"[{\[]" + inside + rb"[}\]]"


SHALLOW: Final = re.compile(_shallow(5), re.DOTALL)
"""Matches what `Scan` would find, several times as fast, where a value is whole and not deep."""


class Scan:
    """Looks for the end of one value; can be continued when more bytes are there.

    Args:
        at: where the value starts.
    """

    def __init__(self, at: int) -> None:
        self.at = at
        self._depth = 0
        self._in_string = False

    def step(self, data: bytes, end: int | None = None) -> bool:
        """Scan on; whether the value's end was found, which `at` then is behind."""
        end = len(data) if end is None else end
        if self._in_string:
            rest = _STRING_REST.match(data, self.at, end)
            if rest is None:
                return self._stop_in_string(data, end)
            self.at, self._in_string = rest.end(), False
            if self._depth == 0:
                return True
        elif self._depth == 0 and data[self.at : self.at + 1] not in (b"{", b"[", b'"'):
            found = _SCALAR.match(data, self.at, end)
            if found is None or found.end() == end:
                return False
            self.at = found.end()
            return True
        return self._balance(data, end)

    def _balance(self, data: bytes, end: int) -> bool:
        for token in _STRUCTURE.finditer(data, self.at, end):
            mark = data[token.start()]
            if mark == _QUOTE:
                if not token[1]:
                    return self._stop_in_string(data, end)
            elif mark in b"{[":
                self._depth += 1
            else:
                self._depth -= 1
            if self._depth <= 0:
                self.at = token.end()
                return True
        self.at = end
        return False

    def _stop_in_string(self, data: bytes, end: int) -> bool:
        """Go on inside the string later, but never between a backslash and what it escapes."""
        self._in_string = True
        seen = data[self.at : end]
        self.at = end - (len(seen) - len(seen.rstrip(b"\\"))) % 2
        return False


class Window:
    """The part of a stream that is looked at: grows at the end, forgets what lies before `at`.

    A stream that is damaged ends where the damage is; `damage` then says what it is.

    Args:
        reader: the stream.
        block: how much is read at a time.
    """

    def __init__(self, reader: Reader, block: int = BLOCK) -> None:
        self._reader, self._block = reader, block
        self._ended = False
        self.damage: ContainerError | None = None
        self.data = b""
        self.at = 0

    def fill(self, size: int) -> bool:
        """Have at least `size` bytes from `at` on where the stream has them; whether any came."""
        have = len(self.data) - self.at
        if self._ended or have >= size:
            return False
        parts = [self.data[self.at :]]
        known = have
        while have < size:
            part = self._read(max(size - have, self._block))
            if not part:
                self._ended = True
                break
            parts.append(part)
            have += len(part)
        self.data, self.at = b"".join(parts), 0
        return have > known

    def more(self) -> bool:
        """Have another block; whether any came."""
        return self.fill(len(self.data) - self.at + self._block)

    def _read(self, size: int) -> bytes:
        try:
            return self._reader.read(size)
        except ContainerError as error:
            self.damage = error
            return b""

    def peek(self) -> bytes:
        """The byte at `at`."""
        return self.data[self.at : self.at + 1]

    def skip_blank(self, blank: bytes = BLANK) -> bool:
        """Move behind white space, commas and byte order marks; false at the end."""
        while True:
            rest = self.data[self.at : self.at + 64]
            kept = rest.lstrip(blank)
            self.at += len(rest) - len(kept)
            if kept[:1] == BOM[:1]:
                self.fill(len(BOM))
                if not self.data.startswith(BOM, self.at):
                    return True
                self.at += len(BOM)
            elif kept:
                return True
            elif self.at == len(self.data) and not self.more():
                return False

    def rest(self) -> bytes:
        """What is in hand and not yet read; it counts as read."""
        data, self.at = self.data[self.at :], len(self.data)
        return data


def member(data: bytes, at: int, end: int) -> tuple[bytes, int] | None:
    """The key at `at` inside an object, and where its value starts; None where there is no key before `end`."""
    found = _MEMBER.match(data, at, end)
    return (found[1], found.end()) if found else None


def members(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The members of the object at `at`, as far as they start before `end`: key, value's start and value's end."""
    at += 1
    while found := member(data, at, end):
        key, start = found
        scan = Scan(start)
        whole = scan.step(data, end)
        yield key, start, scan.at
        if not whole:
            return
        at = scan.at
