"""One pass over the lake for many rules: an event is read once, its raw record parsed once, whatever is asked of it.

What fits goes into a table of matches in the engine's memory, which spills to disk; correlations are asked of that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final

import duckdb
from sigma.correlations import SigmaCorrelationRule
from sigma.rule import SigmaRule

from investigate.audit import collecting, correlation
from investigate.audit.logsources import sources_of
from investigate.audit.matching import constant
from investigate.audit.ruleset import translate
from investigate.audit.sheet import Sheet

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from investigate.audit.findings import Finding
    from investigate.audit.ruleset import Rule, RuleSet
    from investigate.events import Window

EVER: Final = -2
"""Older than any version: a rule that was never run."""
PENDING: Final = -9
"""The version of what is in the lake, but whose acquisition is not done: the next audit looks at it."""
_UNSEEN: Final = 2**62
"""The version of evidence that nobody told of: another machine brought it into the lake, and no audit has seen it."""
_HITS: Final = (
    "rule INTEGER, source VARCHAR, tenant VARCHAR, event_uid VARCHAR, time TIMESTAMPTZ, actor VARCHAR,"
    " actor_name VARCHAR, credential VARCHAR, src_ip VARCHAR, action VARCHAR, resource VARCHAR, arrived BIGINT"
)
_TAKEN: Final = (
    *("source", "tenant", "event_uid", "time", "actor", "actor_name", "credential", "src_ip", "action", "resource"),
    "arrived",
)
_DAY: Final = timedelta(days=1)
_FIRST: Final = datetime(1, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(9999, 12, 31, tzinfo=UTC)
_MOST_RULES: Final = 80
"""So many rules are asked in one pass: the engine's memory holds a vector for each part of each rule's condition."""
_MOST_DAYS: Final = 2_000
"""So many days are listed in a query; of more, the span from the first to the last is read."""


@dataclass(frozen=True)
class Extent:
    """Which events an audit is about.

    Attributes:
        window: those in it, UTC.
        arrivals: of each source and evidence file, the lake's version with which it arrived, or `PENDING`; what is
            missing is new to every rule. None is an audit of all there is, new or not.
        since: for each rule's id, the version up to which it has seen everything; missing is `EVER`.
    """

    window: Window | None = None
    arrivals: Mapping[tuple[str, str], int] | None = None
    since: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Scanned:
    """What a pass found.

    Attributes:
        findings: gravest first.
        idle: ids of rules whose log is not in the lake.
        events: how many were looked at.
        span: first and last time of the events that findings could be about; None where there were none.
        unseen: source and evidence file of events whose arrival nobody told of.
    """

    findings: list[Finding]
    idle: list[str]
    events: int
    span: tuple[datetime, datetime] | None
    unseen: tuple[tuple[str, str], ...] = ()


class Scan:
    """A pass over one version of the lake.

    Args:
        connection: from `Lake.connect`, used by nobody else meanwhile.
        rules: what is asked.
        extent: of which events.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, rules: RuleSet, extent: Extent) -> None:
        self._run, self._extent = connection, extent
        self._rules = rules.rules
        self._numbers = {rule.id: at for at, rule in enumerate(self._rules)}
        self._served = {ref.id for rule in self._rules for ref in rule.refers}
        self._slots: dict[str, int] = {}
        self._wanted: dict[str, set[str]] = {}
        for rule in self._correlations:
            self._want(rule)
        self._novel: dict[Any, int] = {}
        self._before: dict[tuple[Any, int], int] = {}
        self._marks = self._marked()

    @property
    def _correlations(self) -> list[Rule]:
        return [rule for rule in self._rules if isinstance(rule.sigma, SigmaCorrelationRule)]

    def find(self) -> Scanned:
        """Ask everything; what was found."""
        known = [name for (name,) in self._run.execute("SELECT DISTINCT source FROM events ORDER BY 1").fetchall()]
        asked = {source: self._asked(source, known) for source in known}
        answered = {rule.id for rules in asked.values() for rule in rules}
        idle = [rule.id for rule in self._rules if isinstance(rule.sigma, SigmaRule) and rule.id not in answered]
        self._arrive()
        span = self._span()
        if span is None:
            return Scanned([], idle, 0, None)
        self._run.execute(
            f"CREATE TEMP TABLE hits ({_HITS}{''.join(f', k{at} VARCHAR' for at in self._slots.values())})"
        )
        where = self._where(span, self._learn(answered, span))
        for source, rules in asked.items():
            for at in range(0, len(rules), _MOST_RULES):
                self._ask(source, rules[at : at + _MOST_RULES], where)
        (looked,) = self._run.execute(f"SELECT count(*) FROM {self._table()} WHERE {where}").fetchall()[0]
        self._run.execute("CREATE TEMP TABLE proofs AS SELECT *, NULL::VARCHAR[] AS shared FROM hits WHERE false")
        for rule in self._correlations:
            self._correlate(rule)
        for rule in self._rules:
            if rule.reports and isinstance(rule.sigma, SigmaRule):
                self._run.execute(
                    f"INSERT INTO proofs SELECT *, NULL FROM hits WHERE rule = {self._numbers[rule.id]}"
                    f" AND {self._live(rule)}"
                )
        return Scanned(collecting.findings(self._run, self._rules), idle, looked, span, self._unseen())

    # What is asked of whom

    def _marked(self) -> dict[str, list[int]]:
        """The versions for which it matters whether a rule matched then: its own, and of the correlations about it."""
        if self._extent.arrivals is None:
            return {}
        found = {rule.id: {self._since(rule)} for rule in self._rules}
        for rule in reversed(self._rules):  # those a correlation is about stand before it
            for ref in rule.refers:
                found[ref.id] |= found[rule.id]
        return {name: sorted(versions - {EVER}) for name, versions in found.items()}

    def _want(self, rule: Rule) -> None:
        for ref, names in correlation.fields(rule).items():
            for name in names:
                self._slots.setdefault(name, len(self._slots))
            self._inherit(next(one for one in rule.refers if one.id == ref), names)

    def _inherit(self, rule: Rule, names: Sequence[str]) -> None:
        """A correlation's match is its last event: it has the fields of the rules below."""
        self._wanted.setdefault(rule.id, set()).update(names)
        for ref in rule.refers:
            self._inherit(ref, names)

    def _asked(self, source: str, known: Sequence[str]) -> list[Rule]:
        found = []
        for rule in self._rules:
            if isinstance(rule.sigma, SigmaRule):
                log = rule.sigma.logsource
                sources = sources_of(log.product, log.service, known)
                if sources is None or source in sources:
                    found.append(rule)
        return found

    # Which events

    def _arrive(self) -> None:
        if self._extent.arrivals is None:
            return
        self._run.execute("CREATE TEMP TABLE arrivals (source VARCHAR, evidence VARCHAR, version BIGINT)")
        rows = [(source, evidence, version) for (source, evidence), version in self._extent.arrivals.items()]
        if rows:
            self._run.executemany("INSERT INTO arrivals VALUES (?, ?, ?)", rows)

    def _unseen(self) -> tuple[tuple[str, str], ...]:
        if self._extent.arrivals is None:
            return ()
        asked = f"SELECT DISTINCT source, evidence FROM {self._table()} WHERE arrived = {_UNSEEN} ORDER BY ALL"
        return tuple(self._run.execute(asked).fetchall())

    def _table(self) -> str:
        if self._extent.arrivals is None:
            return "(SELECT *, 0 AS arrived FROM events) AS events"
        return (
            f"(SELECT events.*, coalesce(version, {_UNSEEN}) AS arrived FROM events LEFT JOIN arrivals USING"
            f" (source, evidence) WHERE coalesce(version, {_UNSEEN}) <> {PENDING}) AS events"
        )

    def _old(self, version: int) -> str:
        """The events that were there at a version."""
        return (
            "(SELECT events.* FROM events LEFT JOIN arrivals USING (source, evidence)"
            f" WHERE coalesce(version, {_UNSEEN}) <= {version}) AS events"
        )

    def _live(self, rule: Rule, or_else: str = "") -> str:
        """The condition that an event is one that findings are about; or that it is one for another reason."""
        new = f"(arrived > {self._since(rule)}{or_else}) AND " if self._extent.arrivals is not None else ""
        return new + self._inside()

    def _inside(self) -> str:
        window = self._extent.window
        return f"time >= {_moment(window.start)} AND time < {_moment(window.end)}" if window else "true"

    def _since(self, rule: Rule) -> int:
        return self._extent.since.get(rule.id, EVER)

    def _fresh(self) -> str:
        oldest = min(map(self._since, self._rules), default=EVER)
        parts = [f"arrived > {oldest}"] if self._extent.arrivals is not None else []
        if window := self._extent.window:
            parts.append(f"date BETWEEN {_day(window.start)} AND {_day(window.end)}")
        return " AND ".join([*parts, self._inside()])

    def _span(self) -> tuple[datetime, datetime] | None:
        found = self._run.sql(f"SELECT min(time), max(time) FROM {self._table()} WHERE {self._fresh()}").pl().row(0)
        return None if found[0] is None else (found[0].astimezone(UTC), found[1].astimezone(UTC))

    def _around(self, span: tuple[datetime, datetime]) -> tuple[datetime, datetime]:
        """As much before and after as a correlation reaches."""
        after = self._reach if self._extent.arrivals is not None else timedelta(0)
        return _shift(span[0], -self._reach), _shift(span[1], after)

    @property
    def _reach(self) -> timedelta:
        return timedelta(microseconds=max(map(correlation.reach, self._rules), default=0))

    def _where(self, span: tuple[datetime, datetime], changed: set[date]) -> str:
        """The events to look at: those findings are about, those of changed days, and what is around them."""
        ends = [_shift(datetime.combine(day, time.min, UTC), _DAY) for day in changed]
        first, last = self._around((span[0], max([span[1], *ends])))
        where = f"date BETWEEN {_day(first)} AND {_day(last)} AND time >= {_moment(first)} AND time <= {_moment(last)}"
        if self._extent.arrivals is not None:
            rows = self._run.execute(f"SELECT DISTINCT date FROM {self._table()} WHERE {self._fresh()}").fetchall()
            days = _around(sorted(changed.union(day for (day,) in rows)), self._reach)
            if len(days) <= _MOST_DAYS:
                where += f" AND date IN ({', '.join(_date(day) for day in days)})"
        return where

    # Asking

    def _learn(self, answered: set[str], span: tuple[datetime, datetime]) -> set[date]:
        """A table for each thing that is to be new, of when it was; the days on which late history changed that."""
        asked = [(rule, rule.novelty) for rule in self._rules if rule.novelty is not None and rule.id in answered]
        first, last = self._around(span)
        disturbed = {mark for rule, _ in asked for mark in self._marks.get(rule.id, ()) if self._disturbed(mark, first)}
        if disturbed:
            (last,) = self._run.sql("SELECT max(time) FROM events").pl().row(0)
        changed: set[date] = set()
        for rule, novelty in asked:
            spans = (_moment(_shift(first, -novelty.reach)), _moment(_shift(last, timedelta(microseconds=1))))
            if novelty not in self._novel:
                at = self._novel.setdefault(novelty, len(self._novel))
                self._run.execute(f"CREATE TEMP TABLE novel{at} AS {novelty.table(*spans)}")
            for mark in self._marks.get(rule.id, ()):
                if mark in disturbed and (novelty, mark) not in self._before:
                    at = self._before.setdefault((novelty, mark), len(self._before))
                    self._run.execute(
                        f"CREATE TEMP TABLE before{at} AS {novelty.table(*spans, events=self._old(mark))}"
                    )
                    days = novelty.changed(f"novel{self._novel[novelty]}", f"before{at}")
                    changed.update(day for (day,) in self._run.execute(days).fetchall())
        return changed

    def _disturbed(self, version: int, first: datetime) -> bool:
        """Whether anything arrived after a version that is older than what was there then: it is history of that."""
        ends = f"min(time) FILTER (arrived > {version}) AS came, max(time) FILTER (arrived <= {version}) AS was"
        logs = f"SELECT {ends} FROM {self._table()} WHERE time >= {_moment(first)} GROUP BY source, tenant"
        return bool(self._run.execute(f"SELECT 1 FROM ({logs}) WHERE was >= came LIMIT 1").fetchall())

    def _ask(self, source: str, rules: Sequence[Rule], where: str) -> None:
        """Ask rules in one pass; in two, where the engine's memory does not hold their conditions."""
        try:
            self._run.execute(self._query(source, rules, where))
        except duckdb.OutOfMemoryException:
            if len(rules) == 1:
                raise
            half = len(rules) // 2
            self._ask(source, rules[:half], where)
            self._ask(source, rules[half:], where)

    def _query(self, source: str, rules: Sequence[Rule], where: str) -> str:
        sheet = Sheet(source)
        asked = ", ".join(self._condition(rule, sheet) for rule in rules)
        needed = {name for rule in rules for name in self._wanted.get(rule.id, ())}
        keys = [sheet.operand(name).key if name in needed else "NULL" for name in self._slots]
        joined = {f"novel{at}": spec for spec, at in self._novel.items() if any(one.novelty == spec for one in rules)}
        before = {at for rule in rules for _, at in self._past(rule)}
        joined |= {f"before{at}": spec for (spec, _), at in self._before.items() if at in before}
        joins = "".join(f" LEFT JOIN {name} ON {spec.fits(name)}" for name, spec in joined.items())
        columns = ", ".join(["events.*", *(f"{name}.new_at IS NOT NULL AS in_{name}" for name in joined)])
        rows = sheet.query(columns, self._table() + joins, f"events.source = {constant(source)} AND {where}")
        found = f"unnest(list_filter([{asked}]::INTEGER[], lambda r: r IS NOT NULL)) AS rule"
        if not before:
            return f"INSERT INTO hits SELECT {', '.join([found, *_TAKEN, *keys])} FROM ({rows})"
        slots = [f"k{at}" for at in self._slots.values()]
        named = [f"{key} AS {slot}" for key, slot in zip(keys, slots, strict=True)]
        inner = ", ".join([found, *_TAKEN, *named, *(f"in_before{at}" for at in before)])
        began = {rule.id: [(mark, f"in_before{at}") for mark, at in self._past(rule)] for rule in rules}
        cases = [f"WHEN {self._numbers[name]} THEN {_began('arrived', then)}" for name, then in began.items() if then]
        taken = ", ".join(["rule", *_TAKEN[:-1], f"CASE rule {' '.join(cases)} ELSE arrived END", *slots])
        return f"INSERT INTO hits SELECT {taken} FROM (SELECT {inner} FROM ({rows}))"

    def _past(self, rule: Rule) -> list[tuple[int, int]]:
        """Versions that matter to a rule, each with the number of the table of what was new then."""
        marks = self._marks.get(rule.id, ())
        return [(mark, self._before[rule.novelty, mark]) for mark in marks if (rule.novelty, mark) in self._before]

    def _condition(self, rule: Rule, sheet: Sheet) -> str:
        assert isinstance(rule.sigma, SigmaRule)  # noqa: S101 - `_asked` gives no others
        then = "".join(f" OR NOT in_before{at}" for mark, at in self._past(rule) if mark == self._since(rule))
        parts = [] if rule.id in self._served else [self._live(rule, then)]
        parts += [f"in_novel{self._novel[rule.novelty]}"] if rule.novelty is not None else []
        parts.append(translate(rule.sigma, sheet))
        return f"CASE WHEN {' AND '.join(parts)} THEN {self._numbers[rule.id]} END"

    def _correlate(self, rule: Rule) -> None:
        """Add what proves a correlation to `proofs`; where others are about it, its last events to `hits`."""
        number, run = self._numbers[rule.id], self._run.execute
        taken = ", ".join(f"hits.{name}" for name in [*_TAKEN, *(f"k{at}" for at in self._slots.values())])
        run(f"CREATE OR REPLACE TEMP TABLE base AS {correlation.base(rule, self._numbers, self._slots)}")
        run(f"CREATE OR REPLACE TEMP TABLE triggers AS {correlation.triggers(rule, self._numbers, 'base')}")
        if rule.id in self._served:
            began = _began("hits.arrived", [(mark, self._fired(rule, mark)) for mark in self._marks.get(rule.id, ())])
            last = taken.replace("hits.arrived", began)
            run(f"INSERT INTO hits SELECT {number}, {last} FROM hits JOIN triggers ON hits.rowid = hit")
        if not rule.reports:
            return
        ended = f"(SELECT * FROM triggers WHERE {self._inside()})"
        run(f"CREATE OR REPLACE TEMP TABLE episodes AS {correlation.episodes(rule, ended)}")
        fresh = f" QUALIFY max(arrived) OVER (PARTITION BY base.shared, begins) > {self._since(rule)}"
        proven = (
            "SELECT hit, base.shared FROM base JOIN episodes ON base.shared = episodes.shared"
            f" AND time BETWEEN begins AND ends{fresh if self._extent.arrivals is not None else ''}"
        )
        run(f"INSERT INTO proofs SELECT {number}, {taken}, shared FROM hits JOIN ({proven}) ON hits.rowid = hit")

    def _fired(self, rule: Rule, version: int) -> str:
        """Whether a trigger was one at a version, by what was there then."""
        then = correlation.triggers(rule, self._numbers, f"(SELECT * FROM base WHERE arrived <= {version})")
        return f"hit IN (SELECT hit FROM ({then}))"


def _began(arrived: str, then: Sequence[tuple[int, str]]) -> str:
    """When a match began: with its event, or later, where it was none at some version.

    Args:
        arrived: expression of the event's version.
        then: versions, each with the condition that it was a match.
    """
    later = [f"CASE WHEN {was} THEN {arrived} ELSE {version + 1} END" for version, was in then]
    return f"greatest({', '.join([arrived, *later])})"


def _around(days: Sequence[date], span: timedelta) -> list[date]:
    reach = range(-span.days - 1, span.days + 2) if span else range(1)
    return sorted({day + timedelta(days=by) for day in days for by in reach if date.min < day < date.max})


def _shift(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError:
        return _FIRST if by < timedelta(0) else _LAST


def _moment(value: datetime) -> str:
    return f"TIMESTAMPTZ '{value.astimezone(UTC).isoformat(sep=' ')}'"


def _day(value: datetime) -> str:
    return _date(value.astimezone(UTC).date())


def _date(value: date) -> str:
    return f"DATE '{value.isoformat()}'"
