"""The folder of a case: what lies where, and how a new one is made."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from investigate.errors import CaseError

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

DEFAULT: Final = Path("data/case")
VARIABLE: Final = "INVESTIGATE_CASE"
VERSION: Final = 1
_PATTERN: Final = frozenset("*?[]%")
_COMMENTS: Final = """\
Settings of this case; secrets never stand here: DEVREV_TOKEN and CODERABBIT_API_KEY are read from the environment
or the keyring. Every setting can also be given as INVESTIGATE_SECTION_NAME.

[devrev]
base_url = "https://api.devrev.ai"
link_hosts = []                # hosts besides *.amazonaws.com that a link may point to

[coderabbit]
region = "us"                  # or "eu"
org_id = "…"                   # for a workspace key; leave out for the whole workspace
tenant = "default"             # what this organisation is called in the lake

[ingest]
memory = 536870912             # bytes
jobs = 2                       # threads; one for each processor, four at most, where it is left out

[lake]
uri = "s3://bucket/prefix"     # where the lake lies, if not in the case; login as boto3 has it
keep_days = 7                  # how long `lake compact --vacuum` leaves old versions readable

[profiles.devrev]              # any column of a profile can be laid over
actor = ["principal.id"]"""


class Layout:
    """Paths below a case's folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.toml = root / "case.toml"
        self.evidence = root / "evidence"
        self.ledger = self.evidence / "ledger.jsonl"
        self.lake = root / "lake"
        self.journal = root / "journal.db"
        self.reports = root / "reports"
        self.identities = root / "identities.csv"
        self.classification = root / "classification.csv"
        self.lock = root / ".lock"

    @property
    def made(self) -> tuple[Path, ...]:
        """Folders in which the case keeps what it makes: no log to be imported lies there."""
        return (self.evidence, self.lake, self.reports)

    def make(self) -> None:
        """Make the folder a case where it is none.

        Raises:
            CaseError: it holds something else, or cannot be written.
        """
        if odd := _PATTERN.intersection(str(self.root.absolute())):
            raise CaseError(
                f"The path {self.root} holds {' '.join(sorted(odd))}, which the lake's engines read as a pattern.",
                "Name a folder without it with --case.",
            )
        try:
            if self.toml.exists():
                return
            if self.root.is_dir() and any(self.root.iterdir()):
                raise CaseError(f"{self.root} is no case, and it is not empty.", "Name another folder with --case.")
            for folder in (self.root, self.evidence, self.lake, self.reports):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(self.toml, _template().as_string())
        except OSError as error:
            raise CaseError(
                f"{self.root} cannot be made a case: {error.strerror}.", "Name another folder with --case."
            ) from error


def resolve(path: str | os.PathLike[str] | None) -> Path:
    """The case's folder: as given, else `$INVESTIGATE_CASE`, else `data/case`."""
    return Path(path or os.environ.get(VARIABLE) or DEFAULT)


def write_private(path: Path, text: str) -> None:
    """Write a small file whole or not at all, readable by its owner alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _template() -> TOMLDocument:
    import tomlkit  # noqa: PLC0415 - only where a case is made

    document = tomlkit.document()
    document.add("version", tomlkit.item(VERSION))
    document.add(tomlkit.nl())
    for line in _COMMENTS.splitlines():
        document.add(tomlkit.comment(line) if line else tomlkit.nl())
    return document
