"""A file that is there whole or not at all, for its owner alone: a report names people and addresses."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from investigate.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """A stream, seekable, whose content is the file once the context ends without an exception.

    Raises:
        CaseError: it cannot be written.
    """
    try:
        with at_once(path) as stream:
            yield stream
    except OSError as error:
        raise CaseError(f"{path} cannot be written: {error.strerror or error}.", "Name another file.") from error


@contextmanager
def at_once(path: Path) -> Iterator[IO[bytes]]:
    """As `whole`, with the system's own errors."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "w+b") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
