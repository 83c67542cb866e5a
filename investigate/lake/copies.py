"""Some columns of new rows as Arrow, beside their file: who sums them up at once need not read them from Parquet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow import ipc

from investigate.lake.private import opener

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


class Copy:
    """One file of them: streams of one batch each; neither compressed nor durable, for it goes with the acquisition.

    Args:
        path: of the file; its folder exists.
        schema: of the rows.
        columns: that are kept, text as dictionaries.
    """

    def __init__(self, path: Path, schema: pa.Schema, columns: Sequence[str]) -> None:
        self.path = path
        self._schema = pa.schema(pa.field(name, _kept(schema.field(name).type)) for name in columns)
        self._out = open(path, "wb", opener=opener)  # noqa: SIM115 - open until `close`

    def write(self, rows: pa.Table) -> None:
        """Append rows, with other columns or without; all that is in their dictionaries is kept."""
        # A chunk after the other would each be cast to a dictionary of its own.
        whole = rows.select(self._schema.names).combine_chunks()
        columns = [
            column if column.type == kind else column.cast(kind)
            for column, kind in zip(whole.columns, self._schema.types, strict=True)
        ]
        with ipc.new_stream(self._out, self._schema) as stream:  # one for all would hold on to its dictionaries
            stream.write_table(pa.table(columns, schema=self._schema))

    def close(self) -> None:
        """Finish the file."""
        self._out.close()


def read(path: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Some columns of a copy, text as dictionaries, as many rows at a time as were written at once.

    Raises:
        OSError, pa.ArrowException: it cannot be read.
    """
    with pa.memory_map(str(path)) as file:
        while (start := file.tell()) < file.size():
            names = ipc.open_stream(file).schema.names
            file.seek(start)
            options = ipc.IpcReadOptions(included_fields=[names.index(name) for name in columns], use_threads=False)
            for batch in ipc.open_stream(file, options=options):
                yield pa.Table.from_batches([batch]).select(columns)  # of no fields at all it includes every one


def _kept(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_list(kind):
        return pa.list_(_kept(kind.value_type))
    return pa.dictionary(pa.int32(), pa.string()) if pa.types.is_string(kind) else kind
