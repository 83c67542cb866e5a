"""A zip whose bytes depend on nothing but its contents: fixed times and modes, hashes of all members beside them."""

from __future__ import annotations

import hashlib
import zipfile
from typing import IO, TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

SUMS: Final = "SHA256SUMS"
_BLOCK: Final = 2**20
_MOMENT: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest a zip can state; the manifest says when it was made."""
_MODE: Final = 0o100644
_UNIX: Final = 3


class Archive:
    """A zip being written; a context manager that ends it with `SHA256SUMS`.

    Args:
        stream: where to, seekable.

    Attributes:
        sums: member to SHA-256, in order.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self.sums: dict[str, str] = {}
        self._zip = zipfile.ZipFile(stream, "w", allowZip64=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            # As GNU coreutils writes and `sha256sum --check` reads it: digest, blank, `*` for binary, name.
            text = "".join(f"{digest} *{name}\n" for name, digest in self.sums.items())
            self.add(SUMS, text.encode())
        self._zip.close()

    def add(self, name: str, data: bytes) -> None:
        """A member of these bytes, compressed."""
        with self._zip.open(_member(name, packed=True), "w") as out:
            out.write(data)
        self.sums[name] = hashlib.sha256(data).hexdigest()

    def copy(self, name: str, stream: IO[bytes]) -> str:
        """A member of what a stream holds, as it is: what goes here is compressed already; its SHA-256."""
        digest = hashlib.sha256()
        with self._zip.open(_member(name, packed=False), "w", force_zip64=True) as out:
            while block := stream.read(_BLOCK):
                digest.update(block)
                out.write(block)
        self.sums[name] = digest.hexdigest()
        return self.sums[name]


def _member(name: str, *, packed: bool) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _MOMENT)
    info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    info.create_system, info.external_attr = _UNIX, _MODE << 16
    return info
