"""From a scope to conditions on events: what the question is about, and what was pointed at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from investigate.case.reading import Reading
from investigate.case.reading import coverage as covered
from investigate.events import iso
from investigate.widgets import rows
from investigate.widgets.where import Where, by, naming, within
from investigate.widgets.whom import actors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from investigate.case.case import Case
    from investigate.case.coverage import Coverage
    from investigate.events import Window
    from investigate.trace.people import Directory
    from investigate.widgets.scope import Chosen
    from investigate.widgets.where import Actor
    from investigate.widgets.whom import Meant


def window(case: Case, chosen: Chosen) -> Window:
    """The window that is looked at: of the case's coverage, what start and end leave."""
    return case.window(chosen.start, chosen.end)


def question(case: Case, chosen: Chosen, *, objects: bool = True) -> Where:
    """Window, sources, activities and, unless it is not `objects`, the affected objects."""
    where = Where()
    within(where, window(case, chosen))
    where.among("source", chosen.sources)
    where.among("activity", chosen.activities)
    if objects:
        naming(where, chosen.objects)
    return where


def selection(case: Case, chosen: Chosen) -> Where:
    """What was pointed at in the answer; its names for values are others than those of `question`."""
    where = Where(prefix="s")
    if chosen.brush:
        within(where, chosen.brush)
    if chosen.only:
        # Not `naming`: what was pointed at is one object, whose name may well have a `*` in it.
        where.add(f"list_contains(resources, {where.bind(chosen.only)})")
    if chosen.identities:
        by(where, *people(case, chosen.identities))
    where.among("credential", chosen.credentials)
    where.among("src_ip", chosen.src_ips)
    return where


def people(case: Case, chosen: Sequence[Meant]) -> tuple[list[Actor], list[str]]:
    """Identities as actors, and names that were typed as e-mail addresses too; of a person, all aliases."""
    names = [one for one in chosen if isinstance(one, str)]
    with Reading(case, "duckdb") as reading:
        known = reading.directory()
        persons = reading.meant(names, known)
    return actors(known, [*chosen, *persons]), [name for name in names if "@" in name]


def directory(case: Case, version: int | None = None) -> Directory:
    """Who is who in a version of the lake, the newest where None."""
    with Reading(case, "duckdb", version) as reading:
        return reading.directory()


def coverage(case: Case, chosen: Chosen) -> Coverage:
    """How much of the window was collected, by every source the case knows, or by those that are looked at."""
    return covered(case, window(case, chosen), sources=chosen.sources)


def ends(chosen: Chosen) -> dict[str, str | None]:
    """`start` and `end` of a choice, as a call names them."""
    return {"start": iso(chosen.start) if chosen.start else None, "end": iso(chosen.end) if chosen.end else None}


def in_sql(query: str, where: Where) -> str:
    """Python that runs a query with the values its conditions are bound to."""
    bound = "".join(f"\n    {name!r}: {rows.literal(value)!r}," for name, value in where.values.items())
    # Nothing of a log stands in the query: columns are the schema's, values are bound.
    return f'case.sql(\n    """\n{query}\n""",\n    {{{bound}\n    }},\n)'


def of_sources(answer: str, frame: str, sources: Sequence[str]) -> str:
    """Python that narrows a frame of an answer to sources; a person's row names several, with commas.

    Args:
        answer: Python that gives the answer.
        frame: of `answer`, such as `answer.frame`.
        sources: at least one.
    """
    both = f'pl.col("source").str.split(", ").list.set_intersection({list(sources)!r})'
    # An edge of a graph may be nobody's: it has no source, and stays.
    return f"import polars as pl\n\nanswer = {answer}\n{frame}.filter(({both}.list.len() > 0).fill_null(True))"


def call(function: str, *arguments: Any, **named: Any) -> str:
    """Python that calls a method of `case`; what is empty is left out."""
    given = [repr(one) for one in arguments]
    given += [f"{name}={value!r}" for name, value in named.items() if value not in (None, "", (), [], {})]
    return f"case.{function}({', '.join(given)})"
