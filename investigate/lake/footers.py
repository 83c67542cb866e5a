"""The footers of a table's files: what they say, and whether each file is there and goes on to its end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from investigate.errors import LakeError, first_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow.parquet as pq

    from investigate.lake.table import Table

RESTORE: Final = "Restore it from a copy of the case. Its evidence is still there, to be imported into a new case."
"""What to do where a file is gone that was made of evidence."""
_AT_ONCE: Final = 8
"""So many files are asked what they hold at once."""


def footers(table: Table, remedy: str) -> Iterator[pq.FileMetaData]:
    """What each file of the newest version says of itself.

    Args:
        table: whose files.
        remedy: what to do where one is gone.

    Raises:
        LakeError: a file is missing or damaged.
    """

    def footer(name: str) -> pq.FileMetaData:
        try:
            return table.storage.footer(name)
        except FileNotFoundError as error:
            raise LakeError(f"A file of the lake is missing: {table.storage.locate(name)}.", remedy) from error
        except (pa.ArrowException, OSError) as error:
            reason = f"A file of the lake is damaged: {table.storage.locate(name)}: {first_line(error)}"
            raise LakeError(reason, remedy) from error

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="footer") as pool:
        yield from pool.map(footer, [row["path"] for row in table.details()])
