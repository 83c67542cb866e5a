"""The bundle: a zip of report, events, evidence and ledger that a stranger can check on another machine."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Final

from investigate.errors import EvidenceError
from investigate.events import COLUMNS, event_schema, iso
from investigate.report.archive import Archive
from investigate.report.text import to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

    import pyarrow as pa

    from investigate.events import Window
    from investigate.evidence import EvidenceStore

README: Final = "README.txt"
MANIFEST: Final = "manifest.json"
EVENTS: Final = "lake/events.parquet"
LEDGER: Final = "evidence/ledger.jsonl"
PAGE: Final = "report.html"
FORM: Final = "investigate-bundle/1"
_README: Final = """\
What this is: a report, the events it is about, and the evidence they were made from.
Begin with report.html; it opens in any browser and loads nothing from anywhere.

To check that nothing was changed, with no program of ours:

    unzip BUNDLE.zip -d bundle && cd bundle && sha256sum --check SHA256SUMS

To check also that the ledger's chain holds and that every event is found again, byte for byte, in the evidence:

    pip install investigate
    investigate evidence verify --bundle BUNDLE.zip

Both say only that the bundle is whole in itself. That it is the one you were meant to get, its own SHA-256 says:
compare it with the one you were told by another way.

    sha256sum BUNDLE.zip
{note}"""
_REDACTED: Final = """
This bundle is redacted: {how}. The evidence, the ledger and the raw records hold what was taken out, so they are left
out; manifest.json has the SHA-256 of every evidence file, with which the originals can be told.
"""


@dataclass(frozen=True)
class Contents:
    """What goes into a bundle.

    Attributes:
        page: the report, HTML.
        batches: the events, columns as in `investigate.events.event_schema`, in the order they are to have.
        evidence: SHA-256 of the files to put in, with how many of the events each has.
        store: where they lie.
        ledger: the ledger's file; None leaves it out.
        head: how many lines the ledger has, and the SHA-256 of the last.
        made: the time it states, UTC.
        window: what it is about.
        facts: what else the manifest says.
        redaction: what was taken out, in words; empty: nothing.
    """

    page: str
    batches: Iterable[pa.RecordBatch]
    evidence: Mapping[str, int]
    store: EvidenceStore
    ledger: Path | None
    head: tuple[int, str]
    made: datetime
    window: Window
    facts: Mapping[str, Any] = field(default_factory=dict)
    redaction: str = ""


def write(contents: Contents, stream: IO[bytes], scratch: Path) -> dict[str, Any]:
    """Write the bundle.

    Args:
        contents: what goes in.
        stream: where to, seekable.
        scratch: a folder for a temporary file as large as the events.

    Returns:
        The manifest.

    Raises:
        EvidenceError: a file of evidence is missing, or is not what its name says.
    """
    with tempfile.TemporaryFile(dir=scratch) as parquet, Archive(stream) as archive:
        events = _write_events(contents.batches, parquet)
        parquet.seek(0)
        note = _REDACTED.format(how=contents.redaction) if contents.redaction else ""
        archive.add(README, _README.format(note=note).encode())
        archive.add(PAGE, contents.page.encode("utf-8", "backslashreplace"))
        archive.copy(EVENTS, parquet)
        listed = list(_evidence(contents, archive))
        if contents.ledger is not None and contents.ledger.exists():
            archive.add(LEDGER, contents.ledger.read_bytes())
        lines, head = contents.head
        manifest = {
            "form": FORM,
            "made": iso(contents.made),
            "window": contents.window.as_json(),
            "events": events,
            "redacted": contents.redaction or None,
            "ledger": {"lines": lines, "sha256": head, "included": LEDGER in archive.sums},
            "evidence": listed,
            **contents.facts,
        }
        archive.add(MANIFEST, (to_json(manifest, indent=1) + "\n").encode())
    return manifest


def _evidence(contents: Contents, archive: Archive) -> Iterable[dict[str, Any]]:
    for sha256, events in sorted(contents.evidence.items()):
        if contents.redaction:
            yield {"sha256": sha256, "events": events, "included": False}
            continue
        path = contents.store.find(sha256)
        with contents.store.open(sha256) as stream:
            found = archive.copy(f"evidence/sha256/{sha256[:2]}/{path.name}", stream)
        if found != sha256:
            raise EvidenceError(
                f"The evidence file {sha256} was changed: its SHA-256 is {found} now. No bundle was made.",
                "See what else is wrong: investigate evidence verify",
            )
        yield {"sha256": sha256, "events": events, "included": True}


def _write_events(batches: Iterable[pa.RecordBatch], stream: IO[bytes]) -> int:
    """All events as one Parquet file; how many."""
    import pyarrow as pa  # noqa: PLC0415 - half a second that `import investigate` must not cost
    import pyarrow.parquet as pq  # noqa: PLC0415

    schema, count = event_schema().remove_metadata(), 0
    with pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        for batch in batches:
            table = pa.Table.from_batches([batch]).select(list(COLUMNS)).cast(schema)
            writer.write_table(table)
            count += batch.num_rows
    return count
