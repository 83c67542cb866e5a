"""Whose data was accessed, by whom, on what ground, and is that all: what a person may ask of who keeps their data.

GDPR, article 15, and HIPAA's accounting of disclosures (45 CFR 164.528) ask this question; the answer here is what the
logs say, with what they cannot say.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from investigate.case import touching
from investigate.case.answer import Answer
from investigate.case.reading import Reading, coverage, listed, partition
from investigate.errors import UsageError
from investigate.report.selection import Selection
from investigate.trace.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb
    import polars as pl

    from investigate.case.case import Case
    from investigate.case.coverage import Coverage
    from investigate.events import TimeLike, Window
    from investigate.trace.people import Directory

ROLES: Final = (
    *("$.actor.role", "$.actor.roles[0]", "$.actor.subtitle", "$.user.role", "$.role", "$.actor_role"),
    *("$.userIdentity.sessionContext.sessionIssuer.arn", "$.userIdentity.type", "$.actor.callerType"),
)
"""Where records name the role somebody acted in, tried in order: no vendor's log has it in one place."""
COLUMNS: Final = (
    *("kind", "time", "until", "person", "actor", "actor_name", "actor_email", "actor_type", "role", "credential"),
    *("activity", "action", "resources", "resource_name", "outcome", "src_ip", "user_agent", "source", "tenant"),
    *("event_uid", "evidence", "evidence_record", "note"),
)
_ACCESSES: Final = """
    SELECT 'access' AS kind, time, NULL::TIMESTAMPTZ AS until, actor, actor_name, actor_email, actor_type,
           list_filter(json_extract_string(raw, $roles), lambda role: role IS NOT NULL)[1] AS role, credential,
           activity, action, resources, resource_name, outcome, src_ip, user_agent, source, tenant,
           event_uid, evidence, evidence_record, NULL::VARCHAR AS note
    FROM ({chosen}) ORDER BY time, source, tenant, event_uid"""
_OF_MAIL: Final = """
    SELECT DISTINCT object FROM (
        SELECT unnest(resources) AS object FROM events
        UNION ALL SELECT resource FROM events WHERE {name}
        UNION ALL SELECT actor FROM events WHERE lower(actor_email) = $mail)
    WHERE object IS NOT NULL AND ({object} OR object IN (
        SELECT resource FROM events WHERE {name}
        UNION ALL SELECT actor FROM events WHERE lower(actor_email) = $mail))
    ORDER BY object"""
_BEARS: Final = "(contains(lower({column}), $mail) AND regexp_matches(lower({column}), $whole))"
# An address may hold nearly any sign, but ids and names put some of them around one: `user/ann@x.com`, `?u=ann@x.com`,
# `'ann@x.com'`, `user%2Fann@x.com`. Whatever else stands before, or goes on with the domain, makes it another's.
_BEFORE: Final = r"(?:^|[^\p{L}\p{M}\p{N}_.+%'~!$*^-]|(?:^|[^\p{L}\p{M}\p{N}])'|%(?:2[0267cf]|3[a-f]|5b|7[bc]))"
_AFTER: Final = r"(?:$|[^\p{L}\p{M}\p{N}_.-]|\.(?:$|[^\p{L}\p{M}\p{N}]))"


def subject_access(
    case: Case,
    *subjects: str | Sequence[str],
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    tag: str | Sequence[str] = (),
    version: int | None = None,
) -> Answer:
    """All accesses to the data of somebody between two times: by whom, on what ground, and whether that is all.

    Args:
        case: where to look.
        subjects: what the data is known by: ids of resources, patterns with `*`, or an e-mail address, which stands for
            every resource whose id or name holds it, and for the account it belongs to.
        start: see `Window.of`; None is where the case's coverage begins.
        end: not included; None is where it ends.
        tag: resources with one of these tags in `classification.csv`.
        version: of the lake, the newest where None.

    Returns:
        First a row a source, which says whether all of it was collected; then, in order of time, one row an access and
        one a gap of coverage: `kind` (coverage, access or gap), `time`, `until` (timestamp[us, UTC], `until` of a gap
        and of coverage), `person` (string, who `identities.csv` says it is), `actor`,
        `actor_name`, `actor_email`, `actor_type`, `role`, `credential` (string: the ground, as far as the log has it;
        a role is what the record names as such, see `ROLES`), `activity`, `action`, `resources` (list),
        `resource_name`, `outcome`, `src_ip`, `user_agent`, `source`, `tenant`, `event_uid`, `evidence` (string),
        `evidence_record` (int), `note` (string, of a gap and of coverage).

        `tables["identities"]`: `who`, `type`, `roles` (list), `source`, `accesses` (int), `activities` (list), `first`,
        `last` (timestamp[us, UTC]). `tables["resources"]`: `resource`, what counted as the subject's.

    Raises:
        UsageError: no subject was named, or no such tag or version.
        BadTime: a window that cannot be meant.
    """
    names = listed(subjects)
    if not names and not tag:
        raise UsageError("No subject was named.", "Name resources, a pattern, an e-mail address, or a tag.")
    window = case.window(start, end)
    with Reading(case, "duckdb", version) as reading:
        directory, at = reading.directory(), reading.version
    with case.lake.borrow(at) as connection:
        named = [*names, *tagged(case, listed([tag]))]
        resources = list(dict.fromkeys([*named, *(borne := _bearing(connection, names))]))
        scope = scope_of(window, named)
        # What the log has is an id, whatever it looks like: only who asks means a pattern by a `*`.
        scope = replace(scope, resources=(*scope.resources, *borne))
        query = _ACCESSES.format(chosen=Selection.of(connection, scope, directory).query)
        found = connection.sql(query, params={"roles": list(ROLES)}).pl()
    known = coverage(case, window)
    accesses = _with_persons(found, directory)
    tables = {"identities": _identities(accesses), "resources": _frame(resources)}
    notes = (*_unmet(names, resources), _said(known))
    return Answer(_with_gaps(accesses, known), known, window, "duckdb", query, at, notes=notes, tables=tables)


def tagged(case: Case, tags: Sequence[str]) -> list[str]:
    """The resources, or patterns of some, that `classification.csv` gives one of these tags.

    Raises:
        UsageError: it has no such tag.
    """
    return touching.tagged(case, list(tags))


def scope_of(window: Window, resources: Sequence[str]) -> Scope:
    """The events that name any of these resources; of none, no event."""
    globs, ids = partition(resources)
    # Without a resource a scope would be everything; a resource with an empty name is none.
    return Scope(window, resources=ids if ids or globs else ("",), patterns=globs)


def _bearing(connection: duckdb.DuckDBPyConnection, names: Sequence[str]) -> list[str]:
    """What counts as the subjects' beside what is named: what bears one of the e-mail addresses among the names."""
    found: dict[str, None] = {}
    for name in names:
        if "@" in name and "*" not in name:
            query = _OF_MAIL.format(object=_BEARS.format(column="object"), name=_BEARS.format(column="resource_name"))
            mail = name.lower()
            whole = f"{_BEFORE}{re.escape(mail)}{_AFTER}"
            rows = connection.execute(query, {"mail": mail, "whole": whole}).fetchall()
            found |= dict.fromkeys(str(row[0]) for row in rows)
    return list(found)


def _unmet(names: Sequence[str], resources: Sequence[str]) -> list[str]:
    mails = [name for name in names if "@" in name]
    if not mails:
        return []
    return [
        f"{', '.join(mails)}: {len(resources) - len(names):,} further resources bear it in their id, name or account"
    ]


def _said(known: Coverage) -> str:
    if not known.sources:
        return "nothing was ever collected, so this says nothing about who had access"
    if known.complete:
        return "complete: every source was collected over the whole window, so these are all accesses that they log"
    return "not complete: accesses in the gaps of coverage are not known"


def _with_persons(found: pl.DataFrame, directory: Directory) -> pl.DataFrame:
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    persons = [directory.person(source, actor) for source, actor in found.select("source", "actor").iter_rows()]
    return found.with_columns(pl.Series("person", persons, dtype=pl.String)).select(COLUMNS)


def _identities(accesses: pl.DataFrame) -> pl.DataFrame:
    import polars as pl  # noqa: PLC0415 - see `_with_persons`

    who = pl.coalesce("person", "actor_name", "actor_email", "actor").alias("who")
    return (
        accesses.with_columns(who)
        .group_by("who", "actor", "actor_type", "source")
        .agg(
            pl.col("role").drop_nulls().unique().sort().alias("roles"),
            pl.len().cast(pl.Int64).alias("accesses"),
            pl.col("activity").drop_nulls().unique().sort().alias("activities"),
            pl.col("credential").drop_nulls().unique().sort().alias("credentials"),
            pl.col("time").min().alias("first"),
            pl.col("time").max().alias("last"),
        )
        .sort("accesses", "who", "actor", descending=[True, False, False])
        .rename({"actor_type": "type"})
    )


def _with_gaps(accesses: pl.DataFrame, known: Coverage) -> pl.DataFrame:
    import polars as pl  # noqa: PLC0415 - see `_with_persons`

    with_gaps = {(gap.source, gap.tenant) for gap in known.gaps}
    spans: list[tuple[Any, ...]] = [
        ("coverage", known.window, *one, "not complete: see the gaps" if one in with_gaps else "complete")
        for one in known.sources
    ]
    spans += [
        ("gap", gap.window, gap.source, gap.tenant, "; ".join(filter(None, (gap.state, gap.note))))
        for gap in known.gaps
    ]
    names = ("kind", "time", "until", "source", "tenant", "note")
    rows = [(kind, window.start, window.end, *rest) for kind, window, *rest in spans]
    gaps = pl.DataFrame(rows, schema={name: accesses.schema[name] for name in names}, orient="row")
    order = (pl.col("kind") != "coverage", "time", pl.col("kind") == "access", "source", "tenant", "event_uid")
    return pl.concat([accesses, gaps], how="diagonal").sort(*order, maintain_order=True)


def _frame(resources: Sequence[str]) -> pl.DataFrame:
    import polars as pl  # noqa: PLC0415 - see `_with_persons`

    return pl.DataFrame({"resource": list(dict.fromkeys(resources))}, schema={"resource": pl.String})
