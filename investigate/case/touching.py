"""`Case.who_touched`: objects by id, by pattern, from a list or by tag; identities by activity or by exposure."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from investigate.case.directory import read_csv
from investigate.case.reading import Reading, partition
from investigate.errors import UsageError
from investigate.events import ACTIVITIES, Window, iso
from investigate.trace import touched as trace
from investigate.trace.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import polars as pl

    from investigate.case.answer import Answer
    from investigate.case.case import Case
    from investigate.events import TimeLike

    Named = str | Sequence[str] | os.PathLike[str] | pl.DataFrame

RANKS: Final = ("events", "exposure")
_COLUMN: Final = "resource"


def who_touched(
    case: Case,
    *resources: Named,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    activity: str | Sequence[str] = (),
    engine: str = "duckdb",
    version: int | None = None,
    tag: str | Sequence[str] = (),
    literal: bool = False,
    rank: str = "events",
    with_matrix: bool = False,
    contained: TimeLike | tuple[TimeLike, TimeLike] | None = None,
) -> Answer:
    """Identities that touched any of some resources.

    Args:
        case: where to look.
        resources: ids as the events name them, singly or in lists; with `*` in it, a pattern, in which `*` stands for
            any text and everything else for itself; a path of a CSV file or a frame, for its column `resource`, else
            its first.
        start: see `Window.of`; None is where the case's coverage begins.
        end: not included; None is where it ends.
        activity: of create, read, update, delete, other; empty: all.
        engine: `duckdb`, `polars`, `spark` or `spark=sc://host:port`; all give the same.
        version: of the lake, the newest where None; an answer names its own, and is given again by it.
        tag: resources that `classification.csv` in the case (columns `resource`, which may be a pattern, and `tag`)
            gives one of these tags, beside `resources`.
        literal: whether `*` stands for itself.
        rank: `events`, or `exposure`: distinct objects touched, then events, then whoever was there last.
        with_matrix: whether `tables["matrix"]` has identity by object: `actor`, `source`, `tenant`, `resource`
            (string), `events` (int), `first`, `last` (timestamp[us, UTC]).
        contained: when the incident was contained: an instant, or start and end of the containment, end not included.

    Returns:
        One row an identity, most events first, then by actor: `actor`, `actor_name`, `actor_email`, `actor_type`,
        `source`, `tenant` (string), `events` (int), `first`, `last` (timestamp[us, UTC]), and `activities`,
        `actions`, `resources` (those of the asked that it touched), `src_ips`, `credentials` (sorted lists); with
        `contained`, `before`, `during` and `after` (int, events); with rank `exposure`, `objects` (int). Where the
        case has aliases, a person is one row, whose `actor` is its name, and `aliases` (list) says of whom.

    Raises:
        UsageError: no resource, an unknown activity, rank, engine, tag or version.
        ConfigError: a file that is no CSV.
        BadTime: a window that cannot be meant.
    """
    names = _names(resources) + tagged(case, [tag] if isinstance(tag, str) else list(tag))
    if not names:
        raise UsageError("No resource was named.", "Name one or more ids as the events have them.")
    activities = (activity,) if isinstance(activity, str) else tuple(activity)
    if strange := [word for word in activities if word not in ACTIVITIES]:
        raise UsageError(f"{strange[0]!r} is no activity.", f"Activities are {', '.join(ACTIVITIES)}.")
    if rank not in RANKS:
        raise UsageError(f"{rank!r} is no order.", f"Orders are {' and '.join(RANKS)}.")
    globs, ids = ((), tuple(names)) if literal else partition(names)
    scope = Scope(case.window(start, end), resources=ids, activities=activities, patterns=globs)
    question = {"operation_types": list(activities)} if activities else {}
    return _ask(case, scope, engine, version, question, rank, _containment(contained), with_matrix=with_matrix)


def _ask(
    case: Case,
    scope: Scope,
    engine: str,
    version: int | None,
    question: dict[str, list[str]],
    rank: str,
    containment: Window | None,
    *,
    with_matrix: bool,
) -> Answer:
    assert scope.window is not None  # noqa: S101 - `window()` always gives one
    with Reading(case, engine, version) as reading:
        touches = reading.touches(scope, singly=containment is not None)
        lazy = [trace.who_touched(touches), trace.facets(touches)]
        if with_matrix:
            lazy.append(trace.matrix(touches))
        if containment:
            lazy.append(trace.phases(touches, containment))
        identities, found, *rest = reading.collect(*lazy)
        directory = reading.directory()
        frame = trace.assemble(identities, found, directory, rest[-1] if containment else None)
        tables = {"matrix": trace.matrix_rows(rest[0], directory)} if with_matrix else {}
        met = {name for row in frame["resources"] for name in row}
        unmet = [name for name in scope.resources if name not in met]
        elsewhere = reading.elsewhere(unmet)
        near = reading.near([name for name in unmet if name not in elsewhere], ["resources"], scope)
        ranked = trace.by_exposure(frame) if rank == "exposure" else frame
        notes = tuple(
            f"{name} is in the lake, but not in this question: touched {iso(seen.start)} .. {iso(seen.end)}"
            for name, seen in sorted(elsewhere.items())
        )
        more: dict[str, Any] = {"suggestions": near, "tables": tables, "notes": notes}
        return reading.answer(ranked, reading.coverage(scope.window, question=question), scope.window, **more)


def _names(given: Iterable[Named]) -> list[str]:
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    found: dict[str, None] = {}
    for one in given:
        if isinstance(one, str):
            found[one] = None
        elif isinstance(one, os.PathLike):
            found |= dict.fromkeys(_column(row) for row in read_csv(Path(one)))
        elif isinstance(one, pl.DataFrame):
            column = one.get_column(_COLUMN) if _COLUMN in one.columns else one.to_series()
            found |= dict.fromkeys(column.drop_nulls().cast(pl.String))
        else:
            found |= dict.fromkeys(one)
    return [name for name in found if name]


def _column(row: dict[str, str]) -> str:
    return row[_COLUMN] if _COLUMN in row else next(iter(row.values()), "")


def tagged(case: Case, tags: list[str]) -> list[str]:
    """The resources that `classification.csv` gives one of these tags.

    Raises:
        UsageError: it has no such tag.
        ConfigError: it cannot be read.
    """
    if not tags:
        return []
    rows = read_csv(case.layout.classification, "resource", "tag")
    known = {row["tag"] for row in rows}
    if strange := [tag for tag in tags if tag not in known]:
        said = ", ".join(sorted(known)) or "none"
        raise UsageError(f"classification.csv has no tag {strange[0]!r}.", f"Its tags are: {said}.")
    return list(dict.fromkeys(row["resource"] for row in rows if row["tag"] in tags and row["resource"]))


def _containment(given: TimeLike | tuple[TimeLike, TimeLike] | None) -> Window | None:
    if given is None:
        return None
    return Window.of(*given) if isinstance(given, tuple) else Window.of(given, given)
