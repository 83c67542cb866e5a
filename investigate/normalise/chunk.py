"""Records on their way to the engine: runs of text in Arrow with their places, and faults for what is no record."""

from __future__ import annotations

from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Final, TypeAlias

import pyarrow as pa

EXCERPT: Final = 2000
"""The most that is kept of what cannot be read."""

SIZE: Final = 8 * 2**20
"""How much text makes a chunk where nobody says: each has a fixed cost, and is in memory some times over."""

ROWS: Final = 50_000
"""The most records of a chunk: a block of tiny ones would need too much memory as rows."""


@dataclass(frozen=True)
class Fault:
    """What should be a record and is none.

    Attributes:
        reason: why.
        excerpt: its beginning.
        whole: it stands for a file, or a member of an archive, that holds no log at all.
        cut: it stands for the rest of a file, or of a member, which is missing or damaged.
        place: where it stands among the records of its evidence file.
    """

    reason: str
    excerpt: bytes
    whole: bool = False
    cut: bool = False
    place: int = 0


@dataclass(frozen=True)
class Chunk:
    """Records that follow one another, and the faults between them; each place is held once.

    Attributes:
        records: their text.
        places: int64, of each record.
        faults: with their places.
        size: bytes of all records.
        sure: of each run of `records`, whether every one is a record for sure; else each is a line that may be several.
    """

    records: pa.ChunkedArray
    places: pa.ChunkedArray
    faults: tuple[Fault, ...]
    size: int
    sure: tuple[bool, ...] = ()

    @property
    def place(self) -> int:
        """The first of all places."""
        return self.pieces()[0][0]

    @property
    def rows(self) -> int:
        """How many records and faults there are."""
        return len(self.records) + len(self.faults)

    def pieces(self) -> list[tuple[int, Fault | pa.Array, bool]]:
        """Runs of records and the faults between them, in order: the first place of each, it itself, if it is sure."""
        runs = zip(self.places.chunks, self.records.chunks, self.sure, strict=True)
        found: list[tuple[int, Fault | pa.Array, bool]] = [(at[0].as_py(), run, sure) for at, run, sure in runs]
        return sorted([*found, *((fault.place, fault, True) for fault in self.faults)], key=itemgetter(0))


def of_fault(fault: Fault) -> Chunk:
    """A chunk of one fault and no records."""
    return Chunk(pa.chunked_array([], pa.string()), pa.chunked_array([], pa.int64()), (fault,), len(fault.excerpt))


Piece: TypeAlias = bytes | Fault | pa.Array
"""One record, one fault, or a run of records as UTF-8 strings."""


class Gathered:
    """Pieces on their way to becoming a chunk.

    Args:
        first: the place of the first of them.
        sure: whether each record of a run is one for sure, see `Chunk`.
    """

    def __init__(self, first: int, *, sure: bool = True) -> None:
        self._lines_are_sure = sure
        self._sure: list[bool] = []
        self._records: list[pa.Array] = []
        self._places: list[pa.Array] = []
        self._faults: list[Fault] = []
        self._loose: list[bytes] = []
        self._first = self.place = first
        self.size = 0

    @property
    def rows(self) -> int:
        """How many records and faults there are."""
        return self.place - self._first

    def add(self, piece: Piece) -> None:
        """Take the next record, fault, or run of records."""
        if isinstance(piece, bytes):
            self._loose.append(piece)
            self.size += len(piece)
            self.place += 1
            return
        self._pack()
        if isinstance(piece, Fault):
            self._faults.append(replace(piece, place=self.place))
            self.size += EXCERPT
            self.place += 1
        else:
            self._run(piece, self.place, sure=self._lines_are_sure)
            self.size += piece.nbytes
            self.place += len(piece)

    def _run(self, records: pa.Array, first: int, *, sure: bool = True) -> None:
        self._records.append(records)
        self._sure.append(sure)
        self._places.append(pa.arange(first, first + len(records)))

    def _pack(self) -> None:
        """Make a run of single records; those that are no UTF-8 become faults."""
        loose, first = self._loose, self.place - len(self._loose)
        if not loose:
            return
        self._loose = []
        packed = pa.array(loose, pa.binary())
        try:
            self._run(packed.cast(pa.string()), first)
        except pa.ArrowInvalid:
            for place, record in enumerate(loose, first):
                if fault := _undecodable(record):
                    self._faults.append(replace(fault, place=place))
                else:
                    self._run(pa.array([record], pa.binary()).cast(pa.string()), place)

    def chunk(self) -> Chunk:
        """All that was added."""
        self._pack()
        return Chunk(
            pa.chunked_array(self._records, pa.string()),
            pa.chunked_array(self._places, pa.int64()),
            tuple(self._faults),
            self.size,
            tuple(self._sure),
        )


def _undecodable(record: bytes) -> Fault | None:
    try:
        record.decode()
    except UnicodeDecodeError as error:
        return Fault(f"not UTF-8 at byte {error.start} of the record", record[:EXCERPT])
    return None
