"""Every event of a result as a file of the case: whole or not at all, a day of the lake at a time."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, Final

from investigate.errors import CaseError
from investigate.events import COLUMNS, event_schema
from investigate.report.rows import write_csv, write_jsonl
from investigate.widgets.picked import LAKE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pyarrow as pa

    from investigate.case.case import Case
    from investigate.widgets.picked import Seat
    from investigate.widgets.where import Where

FORMS: Final = ("csv", "parquet", "jsonl")
_BATCH: Final = 10_000


def export(case: Case, seat: Seat, where: Where, form: str, told: Callable[[int], None]) -> tuple[Path, int]:
    """Write the events that meet some conditions into the case's reports, in order of time.

    Args:
        case: whose reports.
        seat: used by nothing else meanwhile.
        where: the conditions.
        form: one of `FORMS`; CSV is without `raw`, and what a spreadsheet would take for a formula is defused in it.
        told: called with the number of events written so far; what it raises ends the export.

    Returns:
        The file, and how many events are in it.

    Raises:
        CaseError: the folder cannot be written.
        LakeError: the query failed.
    """
    folder = case.layout.reports
    path = folder / f"events-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.{form}"
    beside = path.with_name(f".{path.name}")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            count = _write(out, form, _told(_batches(seat, where), told))
            out.flush()
            os.fsync(out.fileno())
        beside.replace(path)
    except OSError as error:
        raise CaseError(f"{path.name} cannot be written: {error.strerror}.", f"Check {folder} and its disk.") from error
    finally:
        beside.unlink(missing_ok=True)
    return path, count


def _batches(seat: Seat, where: Where) -> Iterator[pa.RecordBatch]:
    """The events a day at a time: sorted within it, so that no more than a day is ever held."""
    days = seat.rows(f"SELECT DISTINCT date FROM {LAKE} WHERE {where.sql} ORDER BY date", where.values)
    for day in days:
        narrowed = where.also()
        narrowed.among("date", [day["date"]])
        query = f"SELECT {', '.join(COLUMNS)} FROM {LAKE} WHERE {narrowed.sql} ORDER BY time, event_uid"
        yield from seat.batches(query, narrowed.values, _BATCH)


def _told(batches: Iterator[pa.RecordBatch], told: Callable[[int], None]) -> Iterator[pa.RecordBatch]:
    count = 0
    for batch in batches:
        yield batch
        count += batch.num_rows
        told(count)


def _write(out: IO[bytes], form: str, batches: Iterator[pa.RecordBatch]) -> int:
    import io  # noqa: PLC0415 - only what writes text needs it

    if form == "parquet":
        return _write_parquet(out, batches)
    text = io.TextIOWrapper(out, encoding="utf-8", newline="")
    records: Iterator[dict[str, Any]] = (row for batch in batches for row in batch.to_pylist())
    count = write_csv(records, text) if form == "csv" else write_jsonl(records, text)
    text.flush()
    text.detach()
    return count


def _write_parquet(out: IO[bytes], batches: Iterator[pa.RecordBatch]) -> int:
    import pyarrow.parquet as pq  # noqa: PLC0415 - only one form needs it

    count, schema = 0, event_schema()
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch.cast(schema))
            count += batch.num_rows
    return count
