"""Who is who: `identities` and the acceptance of what is suggested, methods of `Case`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from investigate.case.directory import accept
from investigate.case.reading import Reading
from investigate.errors import UsageError
from investigate.trace.identities import apart, identity_rows
from investigate.trace.people import known_actors, suggest
from investigate.trace.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from investigate.case.answer import Answer
    from investigate.case.case import Case
    from investigate.events import TimeLike
    from investigate.trace.people import Key, Suggestion


def identities(
    case: Case,
    *,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    engine: str = "duckdb",
    version: int | None = None,
) -> Answer:
    """Everybody who acted, each with all aliases over the sources, and who may be the same.

    Aliases are what `identities.csv` in the case says (columns `person`, `source`, `actor`; an empty source is any; a
    later row outweighs an earlier one), and people whose e-mail address is the same in several sources or tenants.
    Every question groups by them.

    Args:
        case: where to look.
        start: see `Window.of`; None is where the case's coverage begins.
        end: not included; None is where it ends.
        engine: `duckdb`, `polars`, `spark` or `spark=sc://host:port`; all give the same.
        version: of the lake, the newest where None.

    Returns:
        One row a person, most events first: `actor`, `actor_type`, `source`, `tenant` (string), `names`, `emails`
        (lists), `events` (int), `first`, `last` (timestamp[us, UTC]), `basis` (`identities.csv`, `e-mail` or empty),
        and `aliases` (list of `source/actor`) where there are any.

        `tables["machines"]`: the same of bots, services and systems. `tables["suggestions"]`: `person`, `source`,
        `actor`, `other_source`, `other_actor` (string), `evidence` (list): they count for nothing until
        `accept_identity`.

    Raises:
        UsageError: no such engine or version.
        ConfigError: `identities.csv` cannot be read.
        BadTime: a window that cannot be meant.
    """
    scope = Scope(case.window(start, end))
    assert scope.window is not None  # noqa: S101 - `window()` always gives one
    with Reading(case, engine, version) as reading:
        (found,) = reading.collect(known_actors(reading.events, scope))
        directory = reading.directory()
        people, machines = apart(identity_rows(found, directory))
        tables = {"machines": machines, "suggestions": _frame(suggest(found.iter_rows(named=True), directory))}
        return reading.answer(people, reading.coverage(scope.window), scope.window, tables=tables)


def accept_identity(case: Case, person: str, *actors: Key, author: str, evidence: str = "") -> None:
    """Say that some actors are one person, from now on, in every question; kept in `identities.csv`.

    Args:
        case: whose.
        person: what the person is called; empty takes back what was said of the actors.
        actors: source and actor of each; an empty source stands for any.
        author: who says so; kept with the time.
        evidence: why, for whoever reads it later.

    Raises:
        UsageError: no actor or no author was named.
        CaseError: the file cannot be written.
    """
    if not actors or not all(actor for _, actor in actors):
        raise UsageError("No actor was named.", 'Name each as a pair of source and actor, such as ("devrev", "…").')
    if not author.strip():
        raise UsageError("Nobody says so.", "Name the author: whoever reads it later will want to ask.")
    accept(case, person.strip(), actors, author=author, evidence=evidence)


def _frame(found: Sequence[Suggestion]) -> pl.DataFrame:
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    names = ("person", "source", "actor", "other_source", "other_actor")
    schema: dict[str, pl.DataType] = {**dict.fromkeys(names, pl.String()), "evidence": pl.List(pl.String)}
    rows = [(one.person, *one.left, *one.right, list(one.evidence)) for one in found]
    return pl.DataFrame(rows, schema=schema, orient="row")
