"""gzip, read so that a stream that is cut off or fails its checksum still gives all that it holds up to there.

The readers of the standard library and of isal drop what they have in hand when they meet the damage.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, Final, Protocol

from isal import igzip_lib, isal_zlib

if TYPE_CHECKING:

    class Source(Protocol):
        """What compressed bytes come from."""

        def read(self, size: int, /) -> bytes:
            """At most `size` bytes, none at the end."""
            ...


_IN: Final = 32 * 1024
_OUT: Final = 64 * 1024
_MAGIC: Final = b"\x1f\x8b\x08"
_HEADER_CRC, _EXTRA, _NAME, _COMMENT = 2, 4, 8, 16
_LONGEST_NAME: Final = 64 * 1024


class Gunzip:
    """A gzip stream of any number of members.

    Args:
        source: the compressed bytes.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._data = b""
        self._inflate: Any = None
        self._crc = self._size = self._members = 0

    def read(self, size: int) -> bytes:
        """Some expanded bytes, at most `size`, none at the end.

        Raises:
            EOFError: the stream ends too early.
            zlib.error: it is damaged, or something else follows it.
        """
        while self._inflate is not None or self._begins():
            if self._inflate.eof:
                self._check()
            elif out := self._expanded(size):
                return out
        return b""

    def _expanded(self, size: int) -> bytes:
        if not self._data:
            self._data = self._source.read(_IN)
        starved = not self._data
        try:
            out: bytes = self._inflate.decompress(self._data, min(size, _OUT))
        except igzip_lib.IsalError as error:  # type: ignore[misc] # its stub has it as an instance
            raise zlib.error(str(error)) from error
        self._crc, self._size = isal_zlib.crc32(out, self._crc), self._size + len(out)
        self._data = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
        if starved and not out and not self._inflate.eof:
            raise EOFError
        return out

    def _begins(self) -> bool:
        """Read a member's header; false where nothing but padding follows."""
        if not self._more():
            return False
        head = self._take(10)
        if not head.startswith(_MAGIC):
            raise zlib.error("what follows is no gzip")
        flags = head[3]
        if flags & _EXTRA:
            self._take(int.from_bytes(self._take(2), "little"))
        for flag in (_NAME, _COMMENT):
            if flags & flag:
                self._pass_name()
        if flags & _HEADER_CRC:
            self._take(2)
        self._inflate = isal_zlib.decompressobj(wbits=-zlib.MAX_WBITS)
        self._crc = self._size = 0
        self._members += 1
        return True

    def _more(self) -> bool:
        """Have a first byte that is no padding."""
        while True:
            if self._members:
                self._data = self._data.lstrip(b"\0")
            if self._data:
                return True
            self._data = self._source.read(_IN)
            if not self._data:
                return False

    def _check(self) -> None:
        """Compare what came out with the trailer."""
        trailer = self._take(8)
        self._inflate = None
        expected = self._crc.to_bytes(4, "little") + (self._size % 2**32).to_bytes(4, "little")
        if trailer != expected:
            raise zlib.error("the checksum is wrong")

    def _take(self, size: int) -> bytes:
        while len(self._data) < size:
            part = self._source.read(_IN)
            if not part:
                raise EOFError
            self._data += part
        taken, self._data = self._data[:size], self._data[size:]
        return taken

    def _pass_name(self) -> None:
        for _ in range(_LONGEST_NAME):
            if self._take(1) == b"\0":
                return
        raise zlib.error("a name without an end")
