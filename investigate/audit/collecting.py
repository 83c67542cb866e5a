"""From matches to findings: one for each rule and identity, or for what a correlation's events share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from investigate.audit import correlation
from investigate.audit.findings import MOST_UIDS, Finding, ordered

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from investigate.audit.ruleset import Rule

_MOST: Final = 50
_FIELDS: Final = ("source", "tenant", "actor", "actor_name", "src_ip", "credential", "action", "resource")
_WHOLE: Final = ("source", "tenant", "src_ip", "credential")
"""Of these a suppression has to fit all there are, and events that have none."""
_PROOF: Final = ("event_uid", "source", "tenant")
_GROUP: Final = ", ".join(["rule, shared", *(f"if(shared IS NULL, {name}, NULL)" for name in _FIELDS[:3])])


def findings(connection: duckdb.DuckDBPyConnection, rules: Sequence[Rule]) -> list[Finding]:
    """What the table `proofs` amounts to, gravest first.

    Args:
        connection: with that table: the columns of `hits`, and `shared`, null but of correlations.
        rules: by their number.
    """
    listed = ", ".join(f"list_sort(list(DISTINCT {name}))[:{_MOST}] AS {name}s" for name in _FIELDS)
    spread = ", ".join(f"list_sort(list(DISTINCT coalesce({name}, ''))) AS {name}" for name in _WHOLE)
    rows = connection.sql(f"""
WITH single AS (SELECT DISTINCT ON (rule, shared, source, tenant, event_uid, time) * FROM proofs),
placed AS (SELECT *, dense_rank() OVER (ORDER BY {_GROUP}) AS finding FROM single),
ranked AS (SELECT *, row_number() OVER (PARTITION BY finding ORDER BY time, source, tenant, event_uid) AS place
  FROM placed)
SELECT rule, any_value(shared) AS shared, count(*) AS events, min(time) AS first, max(time) AS last, {listed}, {spread},
  {", ".join(f"list({name} ORDER BY place) FILTER (WHERE place <= {MOST_UIDS}) AS {name}_of" for name in _PROOF)}
FROM ranked GROUP BY rule, finding""")
    return ordered(_finding(rules[row["rule"]], row) for row in rows.pl().iter_rows(named=True))


def _finding(rule: Rule, row: dict[str, Any]) -> Finding:
    sigma = rule.sigma
    actors = [actor for actor in row["actors"] or () if actor]
    shared = row["shared"] or ()
    names = correlation.group_names(rule) if rule.refers else []
    return Finding(
        rule_id=rule.id,
        title=rule.title,
        severity=rule.severity,
        source=", ".join(row["sources"]),
        tenant=", ".join(row["tenants"]),
        actor=actors[0] if len(actors) == 1 else "",
        events=row["events"],
        event_uids=tuple(row["event_uid_of"]),
        first=row["first"],
        last=row["last"],
        actor_name=(row["actor_names"] or [""])[0] or "" if len(actors) == 1 else "",
        group=tuple(zip(names, shared, strict=True)),
        src_ips=_texts(row["src_ips"]),
        credentials=_texts(row["credentials"]),
        actions=_texts(row["actions"]),
        resources=_texts(row["resources"]),
        description=str(sigma.description or "").strip(),
        references=tuple(map(str, sigma.references or ())),
        tags=tuple(map(str, sigma.tags or ())),
        falsepositives=tuple(map(str, sigma.falsepositives or ())),
        author=str(sigma.author or ""),
        rule_file=rule.rule_file,
        places=tuple(zip(row["source_of"], row["tenant_of"], strict=True)),
        spread={name: tuple(row[name]) for name in _WHOLE},
    )


def _texts(values: Sequence[str | None] | None) -> tuple[str, ...]:
    return tuple(value for value in values or () if value)
