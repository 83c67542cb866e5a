"""One pass over the lake for many rules: an event is read once, its raw record parsed once, whatever is asked of it.

What fits goes into a table of matches in the engine's memory, which spills to disk; correlations are asked of that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
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
_UNKNOWN: Final = -1
_HITS: Final = (
    "rule INTEGER, source VARCHAR, tenant VARCHAR, event_uid VARCHAR, time TIMESTAMPTZ, actor VARCHAR,"
    " actor_name VARCHAR, credential VARCHAR, src_ip VARCHAR, action VARCHAR, resource VARCHAR, arrived BIGINT"
)
_TAKEN: Final = (
    *("source", "tenant", "event_uid", "time", "actor", "actor_name", "credential", "src_ip", "action", "resource"),
    "arrived",
)
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
        arrivals: of each source and evidence file, the lake's version with which it arrived, or `PENDING`; None is an
            audit of all there is, new or not.
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
    """

    findings: list[Finding]
    idle: list[str]
    events: int
    span: tuple[datetime, datetime] | None


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
        where, first, last = self._where(span)
        self._learn(answered, first, last)
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
        return Scanned(collecting.findings(self._run, self._rules), idle, looked, span)

    # What is asked of whom

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

    def _table(self) -> str:
        if self._extent.arrivals is None:
            return "(SELECT *, 0 AS arrived FROM events) AS events"
        return (
            f"(SELECT events.*, coalesce(version, {_UNKNOWN}) AS arrived FROM events LEFT JOIN arrivals USING"
            f" (source, evidence) WHERE coalesce(version, {_UNKNOWN}) <> {PENDING}) AS events"
        )

    def _live(self, rule: Rule) -> str:
        """The condition that an event is one that findings are about."""
        new = f"arrived > {self._since(rule)} AND " if self._extent.arrivals is not None else ""
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

    def _where(self, span: tuple[datetime, datetime]) -> tuple[str, datetime, datetime]:
        """The events to look at: those findings are about, and as many before and after as a correlation reaches."""
        around = timedelta(microseconds=max(map(correlation.reach, self._rules), default=0))
        after = around if self._extent.arrivals is not None else timedelta(0)
        first, last = _shift(span[0], -around), _shift(span[1], after)
        where = f"date BETWEEN {_day(first)} AND {_day(last)} AND time >= {_moment(first)} AND time <= {_moment(last)}"
        if self._extent.arrivals is not None:
            rows = self._run.execute(f"SELECT DISTINCT date FROM {self._table()} WHERE {self._fresh()}").fetchall()
            days = _around([day for (day,) in rows], around)
            if len(days) <= _MOST_DAYS:
                where += f" AND date IN ({', '.join(_date(day) for day in days)})"
        return where, first, last

    # Asking

    def _learn(self, answered: set[str], first: datetime, last: datetime) -> None:
        """A table for each thing that is to be new, of when it was."""
        for rule in self._rules:
            if rule.novelty is None or rule.novelty in self._novel or rule.id not in answered:
                continue
            at = self._novel.setdefault(rule.novelty, len(self._novel))
            spans = (_moment(_shift(first, -rule.novelty.reach)), _moment(_shift(last, timedelta(microseconds=1))))
            self._run.execute(f"CREATE TEMP TABLE novel{at} AS {rule.novelty.table(*spans)}")

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
        used = sorted({self._novel[rule.novelty] for rule in rules if rule.novelty is not None})
        by_number = {at: spec for spec, at in self._novel.items()}
        joins = "".join(f" LEFT JOIN novel{at} ON {by_number[at].fits(f'novel{at}')}" for at in used)
        columns = ", ".join(["events.*", *(f"novel{at}.new_at IS NOT NULL AS n{at}" for at in used)])
        rows = sheet.query(columns, self._table() + joins, f"events.source = {constant(source)} AND {where}")
        found = f"unnest(list_filter([{asked}]::INTEGER[], lambda r: r IS NOT NULL)) AS rule"
        return f"INSERT INTO hits SELECT {', '.join([found, *_TAKEN, *keys])} FROM ({rows})"

    def _condition(self, rule: Rule, sheet: Sheet) -> str:
        assert isinstance(rule.sigma, SigmaRule)  # noqa: S101 - `_asked` gives no others
        parts = [] if rule.id in self._served else [self._live(rule)]
        parts += [f"n{self._novel[rule.novelty]}"] if rule.novelty is not None else []
        parts.append(translate(rule.sigma, sheet))
        return f"CASE WHEN {' AND '.join(parts)} THEN {self._numbers[rule.id]} END"

    def _correlate(self, rule: Rule) -> None:
        """Add what proves a correlation to `proofs`; where others are about it, its last events to `hits`."""
        number, run = self._numbers[rule.id], self._run.execute
        taken = ", ".join(f"hits.{name}" for name in [*_TAKEN, *(f"k{at}" for at in self._slots.values())])
        run(f"CREATE OR REPLACE TEMP TABLE base AS {correlation.base(rule, self._numbers, self._slots)}")
        run(f"CREATE OR REPLACE TEMP TABLE triggers AS {correlation.triggers(rule, self._numbers, 'base')}")
        if rule.id in self._served:
            run(f"INSERT INTO hits SELECT {number}, {taken} FROM hits JOIN triggers ON hits.rowid = hit")
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
