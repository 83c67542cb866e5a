"""A report in the making: what it is about, one version of the lake, its claims, and what of them must not be seen."""

from __future__ import annotations

import io
import os
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Self, TypedDict

from investigate.case import composing, sections, subject
from investigate.case.composing import Asked, Composer
from investigate.case.reading import Reading, coverage, listed
from investigate.errors import ConfigError
from investigate.evidence.ledger import operator
from investigate.report import bundle as bundles
from investigate.report import lines, markdown, page, redaction, rows
from investigate.report.model import Claim, Report
from investigate.report.selection import Extent, Key, Selection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

    import polars as pl
    import pyarrow as pa

    from investigate.audit.findings import Finding
    from investigate.case.answer import Answer
    from investigate.case.audited import Audit
    from investigate.case.case import Case
    from investigate.events import TimeLike, Window

PAGES: Final = frozenset({"html", "markdown"})
"""Forms for people."""
KEY_VARIABLE: Final = "INVESTIGATE_REDACTION_KEY"
_TITLE: Final = "Who touched this data"
_AUDIT: Final = "What an audit found"
_NO_QUERY: Final = "The query is left out: it would spell what is redacted."


class About(TypedDict, total=False):
    """What a report or a bundle is about, and what it says on its first page.

    Attributes:
        title: the heading.
        question: what was asked, in words.
        resources: ids, or patterns with `*`: events that name one of them.
        actors: keys, e-mail addresses or persons; of a person, all aliases.
        credentials: ids as the column `credential` has them.
        src_ips: addresses as the events have them.
        tag: resources with one of these tags in `classification.csv`.
        subjects: whose data it is about; see `Case.subject_access`.
        start: see `Window.of`; None is where the case's coverage begins.
        end: not included; None is where it ends.
        answers: of this case's questions; as a mapping, each under its claim.
        audit: its findings become claims; how many rules were run and which could not be stands under the method.
        findings: further findings, of another audit.
        redact: what is taken out: `"names,emails,ips"`, or the path of a profile (TOML); see `report.redaction`.
        redaction_key: of the digests; None reads `INVESTIGATE_REDACTION_KEY`, else the keyring.
        version: of the lake, the newest where None.
        made: the time it states, aware; None reads the clock.
    """

    title: str
    question: str
    resources: Sequence[str]
    actors: Sequence[str]
    credentials: Sequence[str]
    src_ips: Sequence[str]
    tag: str | Sequence[str]
    subjects: Sequence[str]
    start: TimeLike | None
    end: TimeLike | None
    answers: Mapping[str, Answer] | Iterable[Answer]
    audit: Audit | None
    findings: Iterable[Finding]
    redact: str | os.PathLike[str] | redaction.Profile | None
    redaction_key: bytes | None
    version: int | None
    made: datetime | None


class Draft:
    """One report in the making: a connection to one version of the lake, and what was asked.

    Args:
        case: whose.
        about: what it is about.
        illustrated: whether anybody will see its pictures and tables.
    """

    def __init__(self, case: Case, about: About, *, illustrated: bool = True) -> None:
        self.case, self.about, self._illustrated = case, about, illustrated
        self.profile = _profile(about.get("redact"))
        self.made = about.get("made") or datetime.now(UTC)
        # Fixed before anything is read: a commit meanwhile, or the clock, changes nothing.
        window = self._window()
        with Reading(case, "duckdb", about.get("version")) as reading:
            self.directory, self.version = reading.directory(), reading.version
        audit = about.get("audit")
        self.rules = tuple(f"Audit: {line.removeprefix('note  ')}" for line in audit.lines()) if audit else ()
        asked = Asked(
            window,
            resources=listed([about.get("resources", ())]),
            actors=listed([about.get("actors", ())]),
            credentials=listed([about.get("credentials", ())]),
            src_ips=listed([about.get("src_ips", ())]),
            tags=listed([about.get("tag", ())]),
            answers=composing.named(about.get("answers", ())),
            findings=(*(audit.findings if audit else ()), *about.get("findings", ())),
            subjects=listed([about.get("subjects", ())]),
            audited=audit is not None,
        )
        self.asked = self._with_access(asked) if asked.subjects else asked

    def _window(self) -> Window:
        """What it is about; an audit of what is new has an empty window of its own where nothing is."""
        ends, audit = (self.about.get("start"), self.about.get("end")), self.about.get("audit")
        if audit and ends == (audit.window.start, audit.window.end):
            return audit.window
        return self.case.window(*ends)

    def _with_access(self, asked: Asked) -> Asked:
        """What is asked, and as its first answer the accesses to the subjects' data."""
        span = {"start": asked.window.start, "end": asked.window.end}
        access = subject.subject_access(self.case, asked.subjects, tag=asked.tags, version=self.version, **span)
        return replace(asked, answers=((_access_claim(access, asked.subjects), access), *asked.answers))

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._connection = stack.enter_context(self.case.lake.borrow(self.version))
            self.coverage = coverage(self.case, self.asked.window)
            of = (self.case, self._connection, self.version, self.directory, self.coverage)
            composer = Composer(*of, illustrated=self._illustrated)
            self.claims = composer.claims(self.asked)
            self.selection = Selection.union(composer.selections)
            self.extent: Extent = self.selection.extent()
            self.redactor = self._redactor() if self.profile else None
            self._borrowed = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._borrowed.__exit__(kind, error, trace)

    def write(self, form: str, suffix: str, stream: IO[bytes]) -> None:
        """Write it in one form."""
        if form in PAGES:
            document = self.document()
            text = page.render(document) if form == "html" else markdown.render(document)
            stream.write(text.encode("utf-8", "backslashreplace"))
            return
        if form == "csv" and self.asked.subjects:
            with _text(stream) as out:
                self._accesses(out)
            return
        lines.write(form, suffix, self._frames(), stream)

    def document(self) -> Report:
        """The report, redacted where that was asked for."""
        case, used = self.case, self.selection.evidence()
        said = [Key(one.source, one.tenant, one.event_uid) for one in case.journal.annotations.all()]
        inside = self.selection.only(said).keys() if said else set()
        redacted = f"{self.profile}. Equal values have equal digests." if self.profile else ""
        subjects = f" the data of {', '.join(self.asked.subjects[:3])}" if self.asked.subjects else ""
        made = Report(
            title=self.about.get("title") or (f"Access to{subjects}" if subjects else _AUDIT if self.rules else _TITLE),
            question=self.about.get("question", ""),
            made=self.made,
            author=operator(),
            known=sections.known(self.coverage),
            scope=self.asked.facts(),
            claims=tuple(self._shown(one) for one in self.claims),
            annotations=sections.annotation_sheet(case, inside),
            evidence=sections.evidence_sheet(case, used, self.asked.window),
            ledger=(case.ledger.head().lines, case.ledger.head().sha256),
            lake_version=self.version,
            method=(*sections.method(self.version, self.directory), *self.rules),
            versions=sections.versions(),
            redaction=redacted,
            total=self.extent.events,
        )
        return self.redactor.data(made) if self.redactor else made

    def _shown(self, claim: Claim) -> Claim:
        """A claim as the report has it: a query spells what is looked for sign by sign, where no redaction finds it."""
        if not self.redactor or not claim.query or claim.severity:  # a finding has its rule's name in place of one
            return claim
        return replace(claim, query="", notes=(*claim.notes, _NO_QUERY))

    def contents(self, *, all_evidence: bool) -> bundles.Contents:
        """What goes into a bundle."""
        used = self.selection.evidence()
        if all_evidence:
            sheet = sections.evidence_sheet(self.case, used, self.asked.window)
            used |= {sha256: events for sha256, events, *_ in sheet.rows}
        facts: dict[str, Any] = {"lake_version": self.version, "claims": [claim.text for claim in self.claims]}
        facts |= {"tool": dict(sections.versions()), "coverage": self.coverage.as_json()}
        if not self.redactor:  # how the evidence was read: who checks it must read it alike
            facts |= {"profiles": self.case.config.profiles, "max_record": self.case.limits.max_record}
        return bundles.Contents(
            page=page.render(self.document()),
            batches=self._batches(),
            evidence=used,
            store=self.case.evidence,
            ledger=None if self.redactor else self.case.layout.ledger,
            head=self.case.ledger.head(),
            made=self.made,
            window=self.asked.window,
            facts=self.redactor.data(facts) if self.redactor else facts,
            redaction=str(self.profile or ""),
        )

    def _frames(self) -> Iterator[pl.DataFrame]:
        """The events, some at a time, without what must not be seen."""
        import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

        for batch in self.selection.batches():
            frame = pl.DataFrame(pl.from_arrow(batch))
            yield self.redactor.events(frame) if self.redactor else frame

    def _batches(self) -> Iterator[pa.RecordBatch]:
        if not self.redactor:
            yield from self.selection.batches()
            return
        import polars as pl  # noqa: PLC0415 - see `_frames`

        for frame in self._frames():
            yield from frame.to_arrow(compat_level=pl.CompatLevel.oldest()).to_batches()

    def _accesses(self, out: IO[str]) -> None:
        """The accesses to a subject's data, and the gaps between them, as CSV."""
        frame = self.asked.answers[0][1].frame
        found = [dict(zip(frame.columns, row, strict=True)) for row in frame.iter_rows()]
        rows.write_csv(self.redactor.data(found) if self.redactor else found, out, frame.columns)

    def _redactor(self) -> redaction.Redactor:
        assert self.profile is not None  # noqa: S101 - or it is not called
        key = self.about.get("redaction_key")
        if key is None:
            key = _key() if self.profile.keyed else b""
        names = {operator(), *self.directory.persons.values()}
        names |= {one.author for one in self.case.journal.annotations.all()}
        names |= {entry.operator for entry in self.case.ledger.entries()}
        return redaction.Redactor(self.profile, key, self.selection.vocabulary(), sorted(names))


@contextmanager
def _text(stream: IO[bytes]) -> Iterator[IO[str]]:
    """Text over a stream of bytes, which stays open."""
    out = io.TextIOWrapper(stream, encoding="utf-8", errors="backslashreplace", newline="", write_through=False)
    try:
        yield out
        out.flush()
    finally:
        out.detach()


def _profile(given: str | os.PathLike[str] | redaction.Profile | None) -> redaction.Profile | None:
    if given is None or isinstance(given, redaction.Profile):
        return given
    if isinstance(given, os.PathLike) or given.endswith(".toml"):
        return redaction.read_profile(Path(given))
    return redaction.profile(given)


def _key() -> bytes:
    """The redaction key, from the environment, else from the keyring; it is written nowhere.

    Raises:
        ConfigError: neither has it.
    """
    import keyring  # noqa: PLC0415 - slow to import, seldom needed
    from keyring.errors import KeyringError  # noqa: PLC0415

    value = os.environ.get(KEY_VARIABLE, "")
    if not value:
        try:
            value = keyring.get_password("investigate", "redaction") or ""
        except KeyringError:
            value = ""
    if not value:
        raise ConfigError(
            "There is no redaction key: what is hashed without one could be found by trying names.",
            f"Set {KEY_VARIABLE}, store it (keyring set investigate redaction), or name --redaction-key-file.",
        )
    return value.encode()


def _access_claim(access: Answer, subjects: Sequence[str]) -> str:
    accesses = access.tables["identities"]["accesses"].sum()
    whose = ", ".join(subjects[:3]) + (" and others" if len(subjects) > 3 else "")  # noqa: PLR2004 - as many as named
    people = access.tables["identities"].height
    return f"{accesses:,} accesses to the data of {whose}, by {people:,} {'identity' if people == 1 else 'identities'}."
