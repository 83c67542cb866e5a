"""From answers, findings and a scope to the report's claims: each with the events that show it, in one lake version."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from investigate.case.subject import COLUMNS as ACCESSES
from investigate.case.subject import scope_of, tagged
from investigate.report.model import Claim, Sheet, Stack, sheet
from investigate.report.selection import Extent, Key, Selection
from investigate.trace.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import duckdb
    import polars as pl

    from investigate.audit.findings import Finding
    from investigate.case.answer import Answer
    from investigate.case.case import Case
    from investigate.case.coverage import Coverage
    from investigate.events import Window
    from investigate.trace.people import Directory

IDENTITIES: Final = 50
EXCERPT: Final = 15
ROWS: Final = 50
FINDINGS: Final = 50
"""So many findings are shown with their events; the rest in a table."""
MOST_NAMED: Final = 500
"""So many objects, identities and the like of a scope are named: a reader has to know what was asked about."""
_ANSWER_COLUMNS: Final = 12
_ACCESS: Final = (
    *("kind", "time", "until", "who", "role, credential", "activity, outcome", "object", "from", "source, tenant"),
    *("event, record", "note"),
)
"""What is shown of accesses to somebody's data."""
_ENDS: Final = ("from", "to")
_NAMELESS: Final = re.compile(r'(?<=")(unnamed_relation|row_index|nw)_[0-9a-f]{8,16}(?=")')
_WHO_TOUCHED: Final = frozenset({"actor", "source", "tenant", "events", "resources", "activities"})


@dataclass(frozen=True)
class Asked:
    """What a report is about; each part may be empty.

    Attributes:
        window: half-open, UTC.
        resources: ids, or patterns with `*`.
        actors: keys, e-mail addresses or persons.
        credentials: ids.
        src_ips: addresses.
        tags: of `classification.csv`.
        answers: claim, which may be empty, and answer of each.
        findings: of an audit.
        subjects: whose data it is about.
        audited: whether there was an audit, whatever it found.
    """

    window: Window
    resources: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()
    credentials: tuple[str, ...] = ()
    src_ips: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    answers: tuple[tuple[str, Answer], ...] = ()
    findings: tuple[Finding, ...] = ()
    subjects: tuple[str, ...] = ()
    audited: bool = False

    @property
    def narrowed(self) -> bool:
        """Whether it names any events."""
        return bool(self.resources or self.actors or self.credentials or self.src_ips or self.tags or self.subjects)

    def facts(self) -> tuple[tuple[str, str], ...]:
        """The scope for people."""
        named = {
            "Objects": self.resources,
            "Identities": self.actors,
            "Credentials": self.credentials,
            "Addresses": self.src_ips,
            "Tags": self.tags,
            "Data of": self.subjects,
        }
        found = [("Window", f"{self.window}, the end not included")]
        found += [(name, _some(values)) for name, values in named.items() if values]
        audited = self.audited or bool(self.findings)
        if audited:
            found.append(("Audit", _count(len(self.findings), "finding")))
        if not self.narrowed and not self.answers and not audited:
            found.append(("Events", "all of the window"))
        return tuple(found)


@dataclass
class Composer:
    """Makes claims of what was asked; each also leaves the events it rests on.

    Attributes:
        connection: to one version of the lake.
        version: which.
        directory: which actors are one person.
        coverage: what of the window was collected.
        illustrated: whether claims have pictures and tables, which a form for programs does not show.
        selections: the events of the claims made so far.
    """

    case: Case
    connection: duckdb.DuckDBPyConnection
    version: int
    directory: Directory
    coverage: Coverage
    illustrated: bool = True
    selections: list[Selection] = field(default_factory=list)

    def claims(self, asked: Asked) -> list[Claim]:
        """All claims, those about the scope first."""
        found = [self._scope(asked)] if asked.narrowed and not asked.subjects else []
        found += [self._answer(text, answer) for text, answer in asked.answers]
        found += self._findings(asked.findings) if asked.findings else self._silent(asked) if asked.audited else []
        if not self.selections:
            found.append(self._scope(asked))
        return found

    def _scope(self, asked: Asked) -> Claim:
        """What the events in scope say."""
        resources = [*asked.resources, *tagged(self.case, asked.tags)] if asked.tags else list(asked.resources)
        scope = scope_of(asked.window, resources) if resources else Scope(asked.window)
        selection = Selection.of(self.connection, self._by(scope, asked), self.directory)
        extent = selection.extent()
        about = f" the {_count(len(resources), 'object')} asked about" if resources else ""
        acts = f"touched{about}" if resources else "acted"
        if not extent.events:
            named = "names what was asked about" if asked.narrowed else "lies in the window"
            text = f"No event {named}."
        else:
            text = f"{_count(extent.identities, 'identity')} {acts}, in {_count(extent.events, 'event')}."
        return self._shown(text, selection, extent, asked.window, query=_settled(selection.query))

    def _by(self, scope: Scope, asked: Asked) -> Scope:
        names = asked.actors
        return replace(
            scope,
            keys=self.directory.expand(names) if names else (),
            emails=tuple(name for name in names if "@" in name),
            credentials=asked.credentials,
            src_ips=asked.src_ips,
        )

    def _answer(self, text: str, answer: Answer) -> Claim:
        """What an answer says; with its events, where they can be told from it."""
        own = tuple(_frame(name.replace("_", " "), frame) for name, frame in answer.tables.items())
        more: dict[str, Any] = {
            "query": _settled(answer.sql or ""),
            "notes": answer.notes,
            "complete": answer.coverage.complete,
        }
        selection = self._behind(answer)
        if selection is None:
            said = text or f"{_count(answer.frame.height, 'row')} answer the question."
            return Claim(said, window=answer.window, tables=(_rows(answer.frame), *own), **more)
        extent = selection.extent()
        said = text or f"{_count(extent.identities, 'identity')}, {_count(extent.events, 'event')}."
        rows = () if _WHO_TOUCHED.issubset(answer.frame.columns) else (_rows(answer.frame),)
        return self._shown(said, selection, extent, answer.window, tables=(*own, *rows), **more)

    def _behind(self, answer: Answer) -> Selection | None:
        """The events an answer's rows are made of; None where the rows do not say."""
        frame = answer.frame
        if "event_uid" in frame.columns:
            return Selection.named(self.connection, _told(frame.drop_nulls("event_uid")), self.directory)
        if "event_uids" in frame.columns:
            proofs = frame.explode("event_uids").drop_nulls("event_uids").rename({"event_uids": "event_uid"})
            return Selection.named(self.connection, _told(proofs), self.directory)
        if _WHO_TOUCHED.issubset(frame.columns):
            scope = Scope(
                answer.window,
                resources=_distinct(frame, "resources") or ("",),
                keys=self.directory.expand(frame["actor"]) or (("", ""),),
                activities=_distinct(frame, "activities"),
            )
            return Selection.of(self.connection, scope, self.directory).by(self._acted(frame))
        return None

    def _acted(self, frame: pl.DataFrame) -> list[tuple[str, str, str]]:
        """Whom rows by identity are about: an actor in its tenant, or all aliases of a person, in whatever tenant."""
        found = []
        for row in frame.iter_rows(named=True):
            if row.get("aliases"):
                found += [(source, "", actor) for source, actor in self.directory.expand([row["actor"]])]
            else:
                found.append((row["source"] or "", row["tenant"] or "", row["actor"]))
        return found

    def _findings(self, findings: Sequence[Finding]) -> list[Claim]:
        """What an audit found, the gravest with their events."""
        keys = [key for one in findings[:FINDINGS] for key in _keys(one)]
        named = Selection.named(self.connection, keys, self.directory)
        self.selections.append(named)
        kept = named.kept()
        claims = [self._finding(one, kept) for one in findings[:FINDINGS]]
        rest = findings[FINDINGS:]
        if rest:
            rows = [(one.severity, one.title, one.identity, one.events, one.first, one.last) for one in rest]
            table = sheet(("severity", "rule", "identity", "events", "first", "last"), rows, caption="Further findings")
            claims.append(Claim(f"{_count(len(rest), 'further finding')}, named and not shown.", tables=(table,)))
        return claims

    def _silent(self, asked: Asked) -> list[Claim]:
        """That an audit found nothing, which rests on no event, is a claim like any other."""
        self.selections.append(Selection.named(self.connection, [], self.directory))
        known: dict[str, Any] = {"window": asked.window, "complete": self.coverage.complete}
        return [Claim("The audit's rules found nothing.", events=0, identities=0, **known)]

    def _finding(self, finding: Finding, kept: Selection) -> Claim:
        selection = kept.only(_keys(finding))
        extent = selection.extent()
        who = finding.actor_name or finding.identity
        notes = [finding.description, *(f"May also be: {one}" for one in finding.falsepositives)]
        if finding.events > len(finding.event_uids):
            notes.append(f"The earliest {len(finding.event_uids):,} of {finding.events:,} events are shown.")
        rule = f"Sigma rule {finding.rule_id} ({finding.rule_file or 'no file'})"
        claim = self._shown(
            f"{finding.title}{f': {who}' if who else ''}",
            selection,
            extent,
            self.coverage.window,
            remember=False,
            sources=frozenset(finding.source.split(", ")),
            severity=finding.severity,
            notes=tuple(filter(None, notes)),
            query=rule + "".join(f"\n{one}" for one in (*finding.tags, *finding.references)),
        )
        return replace(claim, events=finding.events, first=finding.first, last=finding.last)

    def _shown(
        self,
        text: str,
        selection: Selection,
        extent: Extent,
        window: Window,
        *,
        tables: tuple[Sheet, ...] = (),
        remember: bool = True,
        sources: frozenset[str] | None = None,
        **more: Any,
    ) -> Claim:
        """A claim with the pictures and tables of its events; `sources` are those it is about, None is all."""
        if remember:
            self.selections.append(selection)
        # A gap of no source is one of all: nothing was ever collected.
        missing = [gap for gap in self.coverage.gaps if sources is None or gap.source in {*sources, None}]
        claim = Claim(
            text,
            events=extent.events,
            identities=extent.identities,
            first=extent.first,
            last=extent.last,
            window=window,
            tables=tables,
            **{"complete": not missing, **more},
        )
        if not extent.events or not self.illustrated:
            return claim
        gaps = sorted({gap.window for gap in missing})
        shown = (selection.identities(IDENTITIES), *tables, selection.excerpt(EXCERPT, extent.events))
        return replace(claim, picture=selection.picture(window, gaps, extent), tables=shown)


def named(answers: Mapping[str, Answer] | Iterable[Answer]) -> tuple[tuple[str, Answer], ...]:
    """Answers with their claims, where they have any."""
    return tuple(answers.items()) if isinstance(answers, Mapping) else tuple(("", one) for one in answers)


def _settled(query: str) -> str:
    """A query whose random names, of what has none, are numbered: the same question reads the same."""
    numbers: dict[str, str] = {}
    for match in _NAMELESS.finditer(query):
        numbers.setdefault(match[0], f"{match[1]}_{len(numbers) + 1}")
    return _NAMELESS.sub(lambda match: numbers[match[0]], query)


def _rows(frame: pl.DataFrame) -> Sheet:
    """An answer's rows; of accesses to somebody's data, what answers who asks: by whom, to what, on what ground."""
    if frame.columns != list(ACCESSES):
        return _frame("Rows", frame)
    rows = [
        (
            *(one[name] for name in ("kind", "time", "until")),
            Stack(one["person"] or one["actor_name"] or one["actor_email"] or one["actor"], one["actor"]),
            Stack(one["role"], one["credential"]),
            Stack(one["activity"], one["outcome"]),
            Stack(one["resources"], one["resource_name"]),
            one["src_ip"],
            Stack(one["source"], one["tenant"]),
            Stack(one["event_uid"], one["evidence"] and f"record {one['evidence_record']} of {one['evidence'][:12]}…"),
            one["note"],
        )
        for one in frame.head(ROWS).iter_rows(named=True)
    ]
    return sheet(
        _ACCESS, rows, frame.height, "Rows, without the type of who acted, the vendor's action and user agents"
    )


def _frame(caption: str, frame: pl.DataFrame) -> Sheet:
    columns = frame.columns[:_ANSWER_COLUMNS]
    left = len(frame.columns) - len(columns)
    more = f", without {_count(left, 'further column')}" if left else ""
    rows = frame.select(columns).head(ROWS).rows()
    return sheet(columns, rows, frame.height, f"{caption[:1].upper()}{caption[1:]}{more}")


def _distinct(frame: pl.DataFrame, column: str) -> tuple[str, ...]:
    return tuple(frame[column].explode().drop_nulls().unique().sort())


def _told(frame: pl.DataFrame) -> list[Key]:
    """The events a frame names, each as closely as it does: at its time, or between the first and the last of a row.

    Of a row that says from what to what it leads, both ends are known of its events, too.
    """
    wanted = ("source", "tenant", "event_uid", "time", "first", "last", *_ENDS, *(f"{end}_kind" for end in _ENDS))
    rows = frame.select(name for name in wanted if name in frame.columns).unique(maintain_order=True)
    found = []
    for row in rows.iter_rows(named=True):
        times = row.get("time") or row.get("first"), row.get("time") or row.get("last")
        ends = {row.get(f"{end}_kind"): row.get(end) or "" for end in _ENDS}
        more = (ends.get(kind, "") for kind in ("actor", "credential", "src_ip"))
        found.append(Key(row.get("source") or "", row.get("tenant") or "", row["event_uid"], *times, *more))
    return found


def _keys(finding: Finding) -> list[Key]:
    """The events of a finding; of one that does not say where each happened, in any of its places, at any time."""
    if finding.places:
        told = zip(finding.places, finding.event_uids, strict=True)
        return [Key(*place, uid, finding.first, finding.last) for place, uid in told]
    places = itertools.product(finding.source.split(", "), finding.tenant.split(", "))
    return [Key(*place, uid) for place in places for uid in finding.event_uids]


def _some(values: Sequence[str]) -> str:
    rest = len(values) - MOST_NAMED
    return "\n".join(values[:MOST_NAMED]) + (f"\nand {rest:,} more" if rest > 0 else "")


def _count(number: int, what: str) -> str:
    plural = what[:-1] + "ies" if what.endswith("y") else what + "s"
    return f"{number:,} {what if number == 1 else plural}"
