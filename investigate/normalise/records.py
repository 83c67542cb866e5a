"""Bytes to records: JSON lines, concatenated JSON, a list, a list under a key, and the kept pages of a pull.

Records come out as the exact text they are in the file, many at a time: whole runs of lines are cut in one piece.
"""

from __future__ import annotations

import base64
import json
import re
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from investigate.errors import ContainerError
from investigate.normalise.chunk import EXCERPT, ROWS, SIZE, Chunk, Fault, Gathered, Piece
from investigate.normalise.layout import HEAD, Wrappers, is_lines, is_pages, refuse_what_is_no_log
from investigate.normalise.scan import BLANK, BLOCK, BOM, SHALLOW, Scan, Window, member

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from investigate.normalise.containers import Limits, Reader
    from investigate.normalise.profile import Profile

__all__ = ["Chunk", "RecordReader"]

_LINE_BLANK: Final = BLANK.replace(b"\n", b"")
_LOOK: Final = 64 * 1024
_TWO_VALUES: Final = r"[}\]][ \t\r]*[{\[]"
_NEXT_TO: Final = tuple(end + after for end in "}]" for after in "{[ \t\r")
"""What every line has that holds more than one value; in a line of one value it stands inside a string, if at all."""
_SEVERAL: Final = re.compile(rb"\[|.*[}\]][ \t\r]*[{\[]", re.DOTALL)
"""A list, or more than one value: between two brackets of one value stands a comma or a colon."""


class RecordReader:
    """Cuts one stream of plain content into chunks of records.

    Args:
        reader: the expanded bytes.
        profile: its `records` say how a file may be laid out.
        limits: `max_record` is the longest record taken.
        first: the place of the first record.
        block: how much is read at a time; what comes out does not depend on it.
        size: bytes of a chunk, about.
        sure: whether each line is looked at, whether it holds several values. To look at all of them takes as long as
            to cut them; who tries to read them finds those that no one value is, and has them cut `exactly`.
    """

    def __init__(
        self,
        reader: Reader,
        profile: Profile,
        limits: Limits,
        first: int = 0,
        *,
        block: int = BLOCK,
        size: int = SIZE,
        sure: bool = True,
    ) -> None:
        self._window = Window(reader, block)
        self._profile, self._limits, self._sure = profile, limits, sure
        self._size = size
        self._wrappers = Wrappers(profile)
        self._wrapped_file = self._ends_short = False
        self.place = first

    def __iter__(self) -> Iterator[Chunk]:
        """Chunks of about as many bytes as were asked for, at most `ROWS` records.

        A file that is damaged or ends too early gives what it holds up to there, then a fault.
        """
        gathered = Gathered(self.place, sure=self._sure)
        for piece in self.pieces():
            gathered.add(piece)
            self.place = gathered.place
            if gathered.size >= self._size or gathered.rows >= ROWS:
                yield gathered.chunk()
                gathered = Gathered(self.place, sure=self._sure)
        if gathered.rows:
            yield gathered.chunk()

    def pieces(self) -> Iterator[Piece]:
        """All records and faults in order; raises nothing."""
        window = self._window
        window.fill(HEAD)
        try:
            refuse_what_is_no_log(window.data[:HEAD])
        except ContainerError as error:
            yield Fault(error.message, window.data[:EXCERPT], whole=True)
            return
        if not window.skip_blank():
            reason = window.damage.message if window.damage else "The file is empty."
            yield Fault(reason, b"", whole=True)
            return
        yield from self._laid_out()
        if window.damage:
            yield from self._cut_short(b"")

    def _laid_out(self) -> Iterator[Piece]:
        window = self._window
        window.fill(HEAD)
        head, at = window.data[: window.at + HEAD], window.at
        if is_pages(head, at, self._profile):
            return self._pages()
        self._wrapped_file = self._wrappers.around(head, at, len(head))
        return self._lines() if not self._wrapped_file and is_lines(head, at) else self.values()

    def _lines(self) -> Iterator[Piece]:
        window, limit = self._window, self._limits.max_record
        while True:
            end = window.data.rfind(b"\n")
            if end >= window.at:
                start, window.at = window.at, end + 1
                yield from self._cut(window.data, start, end)
            elif len(window.data) - window.at > limit:
                yield self._too_long_line()
            elif not window.more():
                yield from self._last_line(window.rest())
                return

    def _cut(self, data: bytes, start: int, end: int) -> Iterator[Piece]:
        """The lines of a part: in one piece where all of them are what lines of JSON should be, else one by one."""
        # One value that points into the data, for to copy it takes longer than to cut it.
        offsets = pa.py_buffer(struct.pack("=qq", start, end))
        block = pa.Array.from_buffers(pa.large_binary(), 1, [None, offsets, pa.py_buffer(data)])
        try:
            text = block.cast(pa.string())
        except pa.ArrowInvalid:
            yield from self._one_by_one(data[start:end])
            return
        lines = pc.split_pattern(text, "\n").flatten()
        odd = False
        if not pc.all(pc.and_(pc.starts_with(lines, "{"), pc.ends_with(lines, "}"))).as_py():
            lines = pc.ascii_trim(lines, _LINE_BLANK.decode())
            lines = lines.filter(pc.not_equal(lines, ""))
            odd = pc.any(pc.or_(pc.starts_with(lines, "["), pc.starts_with(lines, BOM.decode()))).as_py()
        if not len(lines):
            return
        too_long = pc.max(pc.binary_length(lines)).as_py() > self._limits.max_record
        if odd or too_long or (self._sure and _may_be_several(lines)):
            yield from self._one_by_one(data[start:end])
            return
        for first in range(0, len(lines), ROWS):
            yield lines.slice(first, ROWS)

    def _one_by_one(self, block: bytes) -> Iterator[Piece]:
        for text in block.split(b"\n"):
            line = _trimmed(text)
            if len(line) > self._limits.max_record:
                yield _too_long(line, len(line), self._limits.max_record)
            elif line:
                yield from self.of_line(line)

    def of_line(self, line: bytes) -> Sequence[Piece]:
        """The values of a trimmed line, of which it may hold more than one; a line that is damaged stays whole."""
        if not may_be_several(line):
            return (line,)
        found = list(RecordReader(_Bytes(line + b"\n"), self._profile, self._limits).values())
        return (line,) if any(isinstance(piece, Fault) for piece in found) else found

    def _last_line(self, rest: bytes) -> Iterator[Piece]:
        """What follows the last line end: perhaps no whole record, and then what should follow it is not there."""
        line = _trimmed(rest)
        if line and (_breaks_off(line) or (self._window.damage and not _is_whole(line))):
            yield from self._cut_short(line)
        else:
            yield from self._one_by_one(rest)

    def _too_long_line(self) -> Fault:
        window = self._window
        start, size = window.data[window.at : window.at + EXCERPT], 0
        while (end := window.data.find(b"\n", window.at)) < 0:
            size += len(window.rest())
            if not window.more():
                return _too_long(start, size, self._limits.max_record)
        size += end - window.at
        window.at = end + 1
        return _too_long(start, size, self._limits.max_record)

    def values(self) -> Iterator[Piece]:
        """Values that follow one another; the elements of lists, and of lists inside an object around records."""
        window = self._window
        while window.skip_blank():
            start = window.peek()
            if start == b"[":
                window.at += 1
                yield from self._elements()
            elif start in (b"]", b"}"):
                yield self._stray(b"]}")
            elif start == b"{" and self._is_around():
                yield from self._wrapped()
            else:
                yield from self._value()

    def _is_around(self) -> bool:
        window = self._window
        if not self._wrapped_file:
            return False
        window.fill(HEAD)
        return self._wrappers.around(window.data, window.at, min(len(window.data), window.at + HEAD))

    def _wrapped(self) -> Iterator[Piece]:
        """The elements of all lists of records in the object at hand; what else it holds is no record."""
        window = self._window
        window.at += 1
        while window.skip_blank():
            if window.peek() == b"}":
                window.at += 1
                return
            window.fill(2 * _LOOK)
            found = member(window.data, window.at, min(len(window.data), window.at + _LOOK))
            if found is None:
                yield from self._value()
                continue
            key, window.at = found
            if self._wrappers.holds(key, window.data, window.at, min(len(window.data), window.at + _LOOK)):
                window.at += 1
                yield from self._elements()
            else:
                yield from (piece for piece in self._value() if isinstance(piece, Fault))
        yield from self._cut_short(b"", "the object around the records does not end")

    def _elements(self) -> Iterator[Piece]:
        window = self._window
        while window.skip_blank():
            start = window.peek()
            if start == b"]":
                window.at += 1
                return
            if start == b"}":
                yield self._stray(b"}")
            else:
                yield from self._value()
        yield from self._cut_short(b"", "the list of records does not end")

    def _stray(self, marks: bytes) -> Fault:
        """Closing brackets that close nothing, as many as follow one another."""
        window = self._window
        found = bytearray()
        while window.skip_blank() and window.peek() in [bytes([mark]) for mark in marks]:
            found += window.peek()
            window.at += 1
        return Fault(f"a stray {chr(found[0])} between records", bytes(found[:EXCERPT]))

    def _value(self) -> tuple[Piece, ...]:
        """The value at hand, whole, and moves behind it."""
        window, limit = self._window, self._limits.max_record
        if found := SHALLOW.match(window.data, window.at):
            end = found.end()
        else:
            scan = Scan(window.at)
            while not scan.step(window.data):
                kept = window.at
                if scan.at - kept > limit:
                    return self._too_long_value(scan)
                if not window.more():
                    return self._cut_short(window.rest())
                scan.at -= kept - window.at
            end = scan.at
        value, window.at = window.data[window.at : end], end
        return (value if len(value) <= limit else _too_long(value, len(value), limit),)

    def _too_long_value(self, scan: Scan) -> tuple[Piece, ...]:
        """Reads past a value without keeping it."""
        window = self._window
        start, size = window.data[window.at : window.at + EXCERPT], 0
        whole = False
        while not whole:
            size += scan.at - window.at
            window.at = scan.at
            if not window.more():
                return self._cut_short(start)
            scan.at = window.at
            whole = scan.step(window.data)
        size += scan.at - window.at
        window.at = scan.at
        return (_too_long(start, size, self._limits.max_record),)

    def _cut_short(self, rest: bytes, what: str = "the file ends inside this record") -> tuple[Piece, ...]:
        """A fault for the early end of the stream, which counts once however much it leaves open."""
        if self._ends_short:
            return ()
        self._ends_short = True
        damage = self._window.damage
        return (Fault(damage.message if damage else f"cut short: {what}", rest[:EXCERPT], cut=True),)

    def _pages(self) -> Iterator[Piece]:
        """The records of response bodies that a pull kept as text, one page a line."""
        self._sure = True
        for lines in self._lines():
            for line in lines.to_pylist() if isinstance(lines, pa.Array) else [lines]:
                body = line if isinstance(line, Fault) else _body(line)
                if isinstance(body, Fault):
                    yield body
                else:
                    inner = RecordReader(_Bytes(body), self._profile, self._limits)
                    yield from (replace(p, whole=False) if isinstance(p, Fault) else p for p in inner.pieces())


def may_be_several(line: bytes) -> bool:
    """Whether a trimmed line may hold more than one value, or be a list of them."""
    return _SEVERAL.match(line) is not None


def exactly(chunk: Chunk, first: int, profile: Profile, limits: Limits) -> Chunk:
    """The records of a chunk with each of its lines cut into as many as it holds.

    Args:
        chunk: of a reader that was not `sure`.
        first: the place of the first record.
        profile: of that reader.
        limits: of that reader.
    """
    reader, gathered = RecordReader(_Bytes(b""), profile, limits), Gathered(first)
    for _, piece, sure in chunk.pieces():
        if sure or isinstance(piece, Fault):
            gathered.add(piece)
            continue
        for text in piece.to_pylist():
            for found in reader.of_line(text.encode()):
                gathered.add(found)
    return gathered.chunk()


def _may_be_several(lines: pa.Array) -> bool:
    """Whether any of some trimmed lines, none of them a list, may hold more than one value."""
    import polars as pl  # noqa: PLC0415 - its search for several words is many times as fast as a regular expression

    suspects = lines.filter(pl.Series(lines).str.contains_any(list(_NEXT_TO)).to_arrow())
    return bool(pc.any(pc.match_substring_regex(suspects, _TWO_VALUES)).as_py())


class _Bytes:
    """Bytes in hand as a `Reader`."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, size: int) -> bytes:
        data, self._data = self._data[:size], self._data[size:]
        return data


def _trimmed(text: bytes) -> bytes:
    return text.lstrip(_LINE_BLANK).removeprefix(BOM).strip(_LINE_BLANK)


def _breaks_off(line: bytes) -> bool:
    """Whether a trimmed line ends inside an object or a list, the first in it or one that follows whole ones."""
    at = 0
    while line[at : at + 1] in (b"{", b"["):
        scan = Scan(at)
        if not scan.step(line):
            return True
        at = scan.at
        while at < len(line) and line[at] in BLANK:
            at += 1
    return False


def _is_whole(line: bytes) -> bool:
    scan = Scan(0)
    return scan.step(line) and scan.at == len(line)


def _too_long(start: bytes, size: int, limit: int) -> Fault:
    reason = f"a record of {size:,} bytes is longer than max_record = {limit:,} under [ingest]"
    return Fault(reason, start[:EXCERPT])


def _body(line: str | bytes) -> bytes | Fault:
    excerpt = (line.encode() if isinstance(line, str) else line)[:EXCERPT]
    try:
        page = json.loads(line)
        if "body_base64" in page:  # what came was no UTF-8; of its records most may be
            return base64.b64decode(page["body_base64"], validate=True)
        body = page["body"]
        return body.encode() if isinstance(body, str) else Fault("a page without a body", excerpt)
    except (ValueError, RecursionError, KeyError, TypeError):
        return Fault("a kept page that cannot be read", excerpt)
