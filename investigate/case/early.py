"""A file's records made events while the file still arrives: set aside until its hash is known, then handed over."""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from investigate.case.acquisition import normaliser
from investigate.normalise.normaliser import Batch, Input
from investigate.sources.arriving import Arriving, GivenUp

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO

    import pyarrow as pa

    from investigate.case.case import Case
    from investigate.evidence import EvidenceFile
    from investigate.normalise.normaliser import Normaliser

_UNKNOWN: Final = ""
"""In place of the hash of a file that is not whole yet."""


class Early:
    """Reads a file ahead of its end; where anything comes between, it is read again from the evidence.

    Args:
        case: the file is for.
        source: the profile.
        tenant: of events whose record names none.

    Attributes:
        arriving: to be told by whoever writes the file.
        normaliser: of the batches, once they are asked for.
        aside: set once something was set aside, or will never be.
    """

    def __init__(self, case: Case, source: str, tenant: str | None) -> None:
        self._case, self._source, self._tenant = case, source, tenant
        self.arriving = Arriving()
        self.aside = threading.Event()
        self._aside: list[tuple[Batch, Path | None, Path | None]] = []
        self._wanted = threading.Event()
        self._failed = False
        self.normaliser: Normaliser
        self._batches: Generator[Batch, None, None]
        self._stream: BinaryIO | None = None

    @contextmanager
    def running(self, acquisition: str) -> Iterator[None]:
        """Read along while this is entered; what was set aside goes when it is left."""
        with self._case.lake.aside(f"early-{acquisition}") as folder, ExitStack() as opened:
            thread = threading.Thread(target=self._run, args=(folder, opened), name="early", daemon=True)
            thread.start()
            self._join = thread.join
            try:
                yield
            finally:
                self.arriving.give_up()
                self._wanted.set()
                thread.join()

    def holds(self, files: Sequence[EvidenceFile]) -> bool:
        """Whether what is being read is the one file of some evidence; from here on nothing is set aside any more."""
        if not self.arriving.sound or [file.size for file in files] != [self.arriving.total]:
            self.arriving.give_up()
        self._wanted.set()
        self._join()
        return self.arriving.sound and not self._failed

    def batches(self, files: Sequence[EvidenceFile]) -> Iterator[Batch]:
        """All batches of the file, which is these files."""
        sha256 = files[0].sha256
        for batch, events, rejects in self._aside:
            whole = replace(
                batch,
                events=_read(events) if events else batch.events,
                rejects=_read(rejects) if rejects else batch.rejects,
            )
            yield _named(whole, sha256)
        yield from (_named(batch, sha256) for batch in self._batches)

    @property
    def done(self) -> int:
        """How many bytes of the file were read."""
        return self._stream.tell() if self._stream else 0

    def _run(self, folder: Path, opened: ExitStack) -> None:
        try:
            stream, size = self.arriving.stream()
            self._stream = opened.enter_context(stream)
            self.normaliser = opened.enter_context(normaliser(self._case, self._source, self._tenant))
            self._batches = self.normaliser.read([Input(stream, size, _UNKNOWN)])
            opened.callback(self._batches.close)
            while not self._wanted.is_set() and (batch := next(self._batches, None)) is not None:
                self._aside.append(_set_aside(batch, folder, len(self._aside)))
                self.aside.set()
        except GivenUp:
            self._failed = True
        except Exception:  # noqa: BLE001 - whatever it is, it comes up again where the evidence is read
            self._failed = True
        self.aside.set()
        if self._failed:
            for _, *paths in self._aside:
                for path in filter(None, paths):
                    with suppress(OSError):
                        path.unlink()
            self._aside.clear()


def _named(batch: Batch, sha256: str) -> Batch:
    """The batch, its rows naming the evidence they are of."""
    return replace(batch, events=_with(batch.events, sha256), rejects=_with(batch.rejects, sha256))


def _with(rows: pa.Table, sha256: str) -> pa.Table:
    import pyarrow as pa  # noqa: PLC0415 - heavy, and a look at a case needs it not

    at = rows.schema.get_field_index("evidence")
    field = rows.schema.field(at)
    return rows.set_column(at, field, pa.repeat(sha256, rows.num_rows).cast(field.type))


def _set_aside(batch: Batch, folder: Path, number: int) -> tuple[Batch, Path | None, Path | None]:
    """The batch without its rows, and the files that hold them."""
    events = _write(batch.events, folder / f"{number:06}-events.arrow")
    rejects = _write(batch.rejects, folder / f"{number:06}-rejects.arrow")
    return replace(batch, events=batch.events.slice(0, 0), rejects=batch.rejects.slice(0, 0)), events, rejects


def _write(rows: pa.Table, path: Path) -> Path | None:
    import pyarrow as pa  # noqa: PLC0415 - see `_with`

    from investigate.lake.private import opener  # noqa: PLC0415

    if not rows.num_rows:
        return None
    options = pa.ipc.IpcWriteOptions(compression="lz4", unify_dictionaries=True)
    with open(path, "wb", opener=opener) as out, pa.ipc.new_file(out, rows.schema, options=options) as writer:
        writer.write_table(rows)
    return path


def _read(path: Path) -> pa.Table:
    import pyarrow as pa  # noqa: PLC0415 - see `_with`

    with path.open("rb") as file, pa.ipc.open_file(file) as reader:
        rows = reader.read_all()
    path.unlink()
    return rows
