"""What an audit found, as it is handed on: findings with what was not run, what was left out, and what it covers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from investigate.audit.findings import COLUMNS, SEVERITIES
from investigate.case.coverage import span
from investigate.case.display import html_table, text_table, visible
from investigate.events import iso

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from investigate.audit.findings import Finding
    from investigate.audit.ruleset import Rule, RuleSet, Untranslated
    from investigate.audit.suppressions import Suppression
    from investigate.case.coverage import Coverage
    from investigate.events import Window

_SHOWN: Final = ("severity", "title", "actor", "actor_name", "source", "events", "first", "last", "src_ips")
_LISTS: Final = frozenset(
    {"event_uids", "src_ips", "credentials", "actions", "resources", "references", "tags", "falsepositives"}
)


@dataclass(frozen=True, repr=False)
class Audit:
    """What an audit found.

    Attributes:
        findings: the gravest first, without those suppressed.
        suppressed: those left out, each with the entry that says so.
        expired: entries that no longer hold.
        untranslated: rules that could not be run, each with the reason.
        idle: rules whose log is not in this lake.
        rules: those that were run.
        coverage: what of the window was collected.
        window: what the audit answers for, UTC, half-open.
        lake_version: Delta version of the events it looked at.
        events: how many it looked at.
        new_only: whether only what is new since the last audit was reported.
        notes: what else to know, one line each.
    """

    findings: list[Finding]
    suppressed: list[tuple[Finding, Suppression]]
    expired: list[Suppression]
    untranslated: tuple[Untranslated, ...]
    idle: tuple[Rule, ...]
    rules: tuple[Rule, ...]
    coverage: Coverage
    window: Window
    lake_version: int
    events: int
    new_only: bool = False
    notes: tuple[str, ...] = ()

    @property
    def frame(self) -> pl.DataFrame:
        """The findings as rows; columns as in `investigate.audit.findings.COLUMNS`, `group` as text."""
        return findings_frame(self.findings)

    def about(self, *patterns: str) -> pl.DataFrame:
        """The findings of some rules, as `frame` has them.

        Args:
            patterns: of rule files, ids or titles; `*` stands for any text.
        """
        wanted = [pattern.replace("[", "[[]") for pattern in patterns]
        found = [
            one
            for one in self.findings
            if any(fnmatchcase(name, want) for name in (one.rule_file, one.rule_id, one.title) for want in wanted)
        ]
        return findings_frame(found).select(_SHOWN)

    def as_json(self) -> dict[str, Any]:
        """What stands beside rows, coverage and window: `untranslated`, `suppressed`, `expired`, `idle`, `audit`."""
        return {
            "untranslated": [vars(one) for one in self.untranslated],
            "suppressed": [{**finding.as_row(), "suppression": entry.as_row()} for finding, entry in self.suppressed],
            "expired": [entry.as_row() for entry in self.expired],
            "idle": [{"rule_id": rule.id, "title": rule.title, "rule_file": rule.rule_file} for rule in self.idle],
            "audit": {
                "rules": len(self.rules),
                "events": self.events,
                "new_only": self.new_only,
                "until": iso(self.window.end),
            },
        }

    def lines(self) -> list[str]:
        """What to know besides the findings, one a line."""
        looked = f"{len(self.rules):,} rules over {self.events:,} events"
        found = [f"note  {looked}{', only what is new' if self.new_only else ''}", *self.notes]
        counted = Counter(one.severity for one in self.findings)
        if counted:
            grades = [f"{name} {counted[name]:,}" for name in reversed(SEVERITIES) if counted[name]]
            found.append(f"note  findings: {', '.join(grades)}")
        found += [f"not run  {one.rule_file}: {one.title or one.rule_id}: {one.reason}" for one in self.untranslated]
        if self.idle:
            found.append(f"note  {len(self.idle):,} rules are about logs that are not in this lake")
        if self.suppressed:
            found.append(f"note  {len(self.suppressed):,} findings are suppressed")
        for entry in self.expired:
            what = ", ".join(f"{name} {pattern}" for name, pattern in entry.matches)
            found.append(f"warning  the suppression of {what} held until {entry.until} ({entry.reason})")
        return [visible(line) for line in found]

    def _below(self) -> list[str]:
        last = f"lake version {self.lake_version}, {len(self.findings):,} findings, {span(self.window)}"
        return [*self.lines(), *self.coverage.lines(), last]

    def __repr__(self) -> str:
        return text_table(self.frame.select(_SHOWN), self._below())

    def _repr_html_(self) -> str:
        return html_table(self.frame.select(_SHOWN), self._below())


def findings_frame(findings: Sequence[Finding]) -> pl.DataFrame:
    """Findings as rows; columns as in `investigate.audit.findings.COLUMNS`, `group` as text."""
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    schema: dict[str, Any] = {name: pl.List(pl.String) if name in _LISTS else pl.String for name in COLUMNS}
    schema |= {"events": pl.Int64, "first": pl.Datetime("us", "UTC"), "last": pl.Datetime("us", "UTC")}
    rows = [{**one.as_row(), "group": ", ".join(f"{name}={value}" for name, value in one.group)} for one in findings]
    return pl.DataFrame(rows, schema=schema)


def rules_frame(loaded: RuleSet) -> pl.DataFrame:
    """Rules as rows, those that cannot be run among them.

    Returns:
        `rule_id`, `title`, `severity`, `log` (product/service, or the correlation's type), `reports` (whether it gives
        findings of its own), `rule_file`, `reason` (why it cannot be run; null of those that can).
    """
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    names = ("rule_id", "title", "severity", "log", "reports", "rule_file", "reason")
    schema: dict[str, Any] = {name: pl.Boolean if name == "reports" else pl.String for name in names}
    rows: list[tuple[Any, ...]] = [
        (one.id, one.title, one.severity, one.log, one.reports, one.rule_file, None) for one in loaded.rules
    ]
    rows += [(one.rule_id, one.title, None, None, False, one.rule_file, one.reason) for one in loaded.untranslated]
    return pl.DataFrame(rows, schema=schema, orient="row")
