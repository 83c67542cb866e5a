"""`Case.report` and `Case.bundle`: the document that leaves the room, and with it what lets others check it."""

from __future__ import annotations

import hashlib
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Unpack, cast

from investigate.case.drafting import PAGES, About, Draft
from investigate.errors import UsageError
from investigate.report import bundle as bundles
from investigate.report import vault
from investigate.report.sink import whole

if TYPE_CHECKING:
    from investigate.case.case import Case
    from investigate.case.coverage import Coverage
    from investigate.events import Window

FORMS: Final = ("html", "markdown", "csv", "jsonl", "timesketch", "ocsf")
_SUFFIXES: Final = {
    ".html": "html",
    ".htm": "html",
    ".md": "markdown",
    ".markdown": "markdown",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        path: where; empty for a stream.
        form: one of `FORMS`, or `bundle`.
        sha256: of its bytes.
        size: bytes.
        events: how many events it is about.
        claims: the findings it makes.
        coverage: of its window.
        window: what it is about.
        lake_version: Delta version of the events it was made from.
        redacted: what was taken out, in words; empty: nothing.
        stored: where a bundle was uploaded to; None where it was not.
    """

    path: str
    form: str
    sha256: str
    size: int
    events: int
    claims: tuple[str, ...]
    coverage: Coverage
    window: Window
    lake_version: int
    redacted: str = ""
    stored: vault.Stored | None = None


def report(
    case: Case, out: str | os.PathLike[str] | IO[bytes], *, form: str | None = None, **about: Unpack[About]
) -> Written:
    """Write a report: the document for people, or the events it is about for other programs.

    Args:
        case: whose.
        out: the file, written whole or not at all, for its owner alone; or a stream of bytes.
        form: `html` (one file that needs nothing else), `markdown`; `csv`, `jsonl` (the events, all columns),
            `timesketch` (its import form, CSV or JSON Lines by the file's name), `ocsf` (API Activity, class 6003);
            None goes by the file's name. With `subjects`, CSV has the accesses and the gaps between them.
        about: see `About`.

    Returns:
        What was written.

    Raises:
        UsageError: nothing can be written in this form or to this name, or the scope cannot be meant.
        ConfigError: the redaction's profile or key is missing or unusable.
        CaseError: the file cannot be written.
    """
    path = Path(out) if isinstance(out, (str, os.PathLike)) else None
    name = str(path) if path else ""
    chosen, suffix = _form(name, form)
    with Draft(case, about, illustrated=chosen in PAGES) as draft:
        if path:
            with whole(path) as stream:
                draft.write(chosen, suffix, stream)
            sha256, size = _digest(path)
        else:
            counted = _Counted(cast("IO[bytes]", out))
            draft.write(chosen, suffix, cast("IO[bytes]", counted))
            sha256, size = counted.digest.hexdigest(), counted.size
        return _written(draft, name, chosen, sha256, size)


def bundle(
    case: Case,
    out: str | os.PathLike[str],
    *,
    all_evidence: bool = False,
    upload: str | None = None,
    retain: str = "365d",
    mode: str = "GOVERNANCE",
    **about: Unpack[About],
) -> Written:
    """Write a zip with the report, the events it is about, their evidence, the ledger, and the hashes of all of it.

    Whoever gets it checks it with `sha256sum` and with `investigate evidence verify --bundle`, without this case. The
    same inputs and the same `made` give the same bytes. A redacted bundle holds hashes in place of the evidence.

    Args:
        case: whose.
        out: the file, written whole or not at all, for its owner alone.
        all_evidence: also the evidence that covers the window and holds none of the events: what shows that there is
            nothing to find.
        upload: `s3://bucket/key`, a bucket with Object Lock; boto3's settings say where and as whom.
        retain: how long nobody may change or delete it there: `365d`, `52w`, `7y`.
        mode: `GOVERNANCE` or `COMPLIANCE`, see S3's Object Lock.
        about: see `About`.

    Returns:
        What was written.

    Raises:
        UsageError: the scope, the address or the retention cannot be meant.
        ConfigError: the redaction's profile or key is missing or unusable.
        EvidenceError: a file of evidence is missing or was changed.
        CaseError: the file cannot be written.
        SourceError: the bucket refused the upload, or has something else.
    """
    path = Path(out)
    if upload:
        vault.target(upload)
    keep = vault.retention(retain)
    with Draft(case, about) as draft:
        with whole(path) as stream:
            bundles.write(draft.contents(all_evidence=all_evidence), stream, path.absolute().parent)
        sha256, size = _digest(path)
        stored = vault.upload(path, upload, keep=keep, mode=mode) if upload else None
        return _written(draft, str(path), "bundle", sha256, size, stored)


def _written(draft: Draft, path: str, form: str, sha256: str, size: int, stored: vault.Stored | None = None) -> Written:
    """What to say of it."""
    claims = tuple(claim.text for claim in draft.claims)
    claims = draft.redactor.data(claims) if draft.redactor else claims
    rests = (draft.coverage, draft.asked.window, draft.version)
    return Written(path, form, sha256, size, draft.extent.events, claims, *rests, str(draft.profile or ""), stored)


class _Counted(io.RawIOBase):
    """A stream that passes bytes on, and knows their SHA-256 and how many they were."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.digest, self.size = hashlib.sha256(), 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self.digest.update(data)
        self.size += len(data)
        self._stream.write(data)
        return len(data)


def _form(name: str, given: str | None) -> tuple[str, str]:
    """The form, and the extension that its file has."""
    suffix = Path(name).suffix.lower()
    form = given or _SUFFIXES.get(suffix, "" if suffix else "html")
    if form not in FORMS:
        raise UsageError(
            f"{given or Path(name).name!r} tells no form of a report.", f"Say one of {', '.join(FORMS)} with --as."
        )
    if form == "timesketch":
        return form, ".csv" if suffix == ".csv" else ".jsonl"
    return form, {"csv": ".csv"}.get(form, ".jsonl")


def _digest(path: Path) -> tuple[str, int]:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest(), path.stat().st_size
