"""What was done by whom and when: `activity`, `timeline` and `compare`, each a method of `Case`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from investigate.case.answer import Tables
from investigate.case.reading import Reading, listed, partition
from investigate.errors import UsageError
from investigate.events import ACTIVITIES, Window, iso, parse_time
from investigate.trace import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import polars as pl

    from investigate.case.answer import Answer
    from investigate.case.case import Case
    from investigate.case.coverage import Coverage
    from investigate.events import TimeLike
    from investigate.trace import Directory

Span = tuple["TimeLike", "TimeLike"]
GAP: Final = "30m"
MOST_EVENTS: Final = 100_000
WHO: Final = ("actor", "actor_email")
"""Where a name of somebody is looked for when it is not found, beside what actors are called."""
_MOST_NAMED: Final = 20


def activity(
    case: Case,
    *actors: str | Sequence[str],
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    baseline: Span | None = None,
    gap: str | timedelta = GAP,
    engine: str = "duckdb",
    version: int | None = None,
) -> Answer:
    """What identities touched, how often, from where and with what.

    Args:
        case: where to look.
        actors: keys, e-mail addresses or persons, singly or in lists; of a person, all aliases.
        start: see `Window.of`; None is where the case's coverage begins.
        end: not included; None is where it ends.
        baseline: start and end of what came before, for `tables["first_seen"]`.
        gap: a session ends where nothing follows for longer: a span such as `"30m"`.
        engine: `duckdb`, `polars`, `spark` or `spark=sc://host:port`; all give the same.
        version: of the lake, the newest where None.

    Returns:
        One row for each identity, object and action, most events first: `actor`, `source`, `tenant`, `resource`,
        `action`, `activity` (string), `events` (int), `first`, `last` (timestamp[us, UTC]), `src_ips`, `credentials`
        (sorted lists), and `aliases` where there are any. An event that names two objects is in two rows, one that
        names none has null.

        Made when they are first asked for: `tables["sessions"]`: `actor`, `source`, `tenant`, `session` (int, from 1),
        `events`, `first`, `last`, the same lists and `user_agents`. `tables["first_seen"]`, with a baseline: `actor`,
        `source`, `tenant`, `kind` (resource, action, src_ip, user_agent, credential), `value`, `events`,
        `first`, `last` of what the identity never met in the baseline.

    Raises:
        UsageError: nobody was named, or no such engine or version.
        BadTime: a window or a gap that cannot be meant.
    """
    from investigate.trace import activity as trace  # noqa: PLC0415 - the module has the method's name

    names = _somebody(actors)
    window, pause = case.window(start, end), _gap(gap)
    before = case.window(*baseline) if baseline else None
    with Reading(case, engine, version) as reading:
        directory = reading.directory()
        scope = _of(window, reading.meant(names, directory), directory)
        touches = reading.touches(scope, sharing=False)
        (found,) = reading.collect(trace.did(touches))
        frame = trace.activity_rows(found, directory)
        again = partial(Reading, case, engine, reading.version)
        tables = {"sessions": partial(_sessions, again, scope, pause, directory)}
        if before:
            tables["first_seen"] = partial(_first_seen, again, scope, (window, before), directory)
        unmet = reading.unmet(names, directory, found)
        near = reading.near(unmet, WHO, scope, who=True)
        known = reading.coverage(*([window, before] if before else [window]), question=_asked(names, scope))
        more: dict[str, Any] = {"suggestions": near, "notes": _nobody(unmet, found), "tables": Tables(tables)}
        return reading.answer(frame, known, window, **more)


def timeline(
    case: Case,
    *,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    actors: str | Sequence[str] = (),
    resources: str | Sequence[str] = (),
    credentials: str | Sequence[str] = (),
    src_ips: str | Sequence[str] = (),
    actions: str | Sequence[str] = (),
    activity: str | Sequence[str] = (),
    most: int = MOST_EVENTS,
    engine: str = "duckdb",
    version: int | None = None,
) -> Answer:
    """Events of a selection in order, over all sources, with the gaps of coverage between them.

    Args:
        case: where to look.
        start: see `Window.of`; None is where the case's coverage begins.
        end: not included; None is where it ends.
        actors: keys, e-mail addresses or persons; of a person, all aliases.
        resources: ids; with `*` in it, a pattern.
        credentials: ids as the column `credential` has them.
        src_ips: addresses as the events have them.
        actions: the vendor's own words.
        activity: of create, read, update, delete, other.
        most: so many events at most, the first; a note says where they end.
        engine: `duckdb`, `polars`, `spark` or `spark=sc://host:port`; all give the same.
        version: of the lake, the newest where None.

    Returns:
        `time`, `until` (timestamp[us, UTC]), `kind` (event or gap), `source`, `tenant`, `actor`, `actor_name`,
        `actor_type`, `action`, `activity`, `resource`, `resources` (list), `src_ip`, `credential`, `user_agent`,
        `request_uid`, `outcome`, `event_uid`, `evidence` (string), `evidence_record` (int), `note` (string), and
        `person` where there are aliases. Events of one instant stand by source, tenant and id. A gap has `time`,
        `until`, `source`, `tenant` and `note`: what happened in it, nobody collected.

    Raises:
        UsageError: an unknown activity, engine or version.
        BadTime: a window that cannot be meant.
    """
    from investigate.trace import timeline as trace  # noqa: PLC0415 - the module has the method's name

    who, what, kinds = listed([actors]), listed([resources]), listed([activity])
    if strange := [word for word in kinds if word not in ACTIVITIES]:
        raise UsageError(f"{strange[0]!r} is no activity.", f"Activities are {', '.join(ACTIVITIES)}.")
    if most < 1:
        raise UsageError("No event was asked for.", "Let most be 1 or more.")
    window = case.window(start, end)
    with Reading(case, engine, version) as reading:
        directory = reading.directory()
        more = {"credentials": listed([credentials]), "src_ips": listed([src_ips]), "actions": listed([actions])}
        scope = _of(window, reading.meant(who, directory), directory, what, activities=kinds, **more)
        (found,) = reading.collect(trace.timeline(reading.events, scope, most))
        shown, notes, until = found.head(most), list[str](), window.end
        if found.height > most:
            until = shown["time"][-1]
            notes.append(f"cut after the first {most:,} events, at {iso(until)}; ask again from there, or for more")
        known = reading.coverage(window, question=_asked(who, scope))
        frame = trace.with_gaps(shown, _holes(known, until), directory)
        unmet = reading.unmet(who, directory, found)
        near = reading.near(unmet, WHO, scope, who=True)
        if found.is_empty():
            chosen = {"resources": what, "credential": scope.credentials, "src_ip": scope.src_ips}
            chosen["action"] = scope.actions
            near += tuple(like for column, names in chosen.items() for like in reading.near(names, [column], scope))
        notes += _nobody(unmet, found)
        return reading.answer(frame, known, window, suggestions=near, notes=tuple(notes))


def compare(
    case: Case,
    window: Span,
    baseline: Span,
    *,
    actors: str | Sequence[str] = (),
    resources: str | Sequence[str] = (),
    factor: float = 2.0,
    engine: str = "duckdb",
    version: int | None = None,
) -> Answer:
    """What identities did to objects in one window and not, or otherwise, in another.

    Args:
        case: where to look.
        window: start and end of what is asked about, end not included.
        baseline: start and end of what it is held against.
        actors: keys, e-mail addresses or persons; empty: everybody.
        resources: ids; with `*` in it, a pattern; empty: everything.
        factor: from how many times as many events a day, or as few, it counts as changed; more than 1.
        engine: `duckdb`, `polars`, `spark` or `spark=sc://host:port`; all give the same.
        version: of the lake, the newest where None.

    Returns:
        `change` (new, gone or changed, in this order), `actor`, `source`, `tenant`, `resource`, `action` (string),
        `events`, `baseline_events` (int), `per_day`, `baseline_per_day` (float), `first`, `last` (timestamp[us, UTC],
        over both windows), and `aliases` where there are any. What did not change is left out. The coverage is that of
        both windows: what is new may only have been collected for the first time.

    Raises:
        UsageError: a factor of 1 or less, or no such engine or version.
        BadTime: a window that cannot be meant.
    """
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    from investigate.trace import compare as trace  # noqa: PLC0415 - the module has the method's name

    if not factor > 1:
        raise UsageError(f"A factor of {factor} changes nothing.", "Let it be more than 1.")
    asked, before = case.window(*window), case.window(*baseline)
    who, what = listed([actors]), listed([resources])
    with Reading(case, engine, version) as reading:
        directory = reading.directory()
        scope = _of(None, reading.meant(who, directory), directory, what)
        spans = (reading.touches(replace(scope, window=one), sharing=False) for one in (asked, before))
        found, held = (frame for span in spans for frame in reading.collect(trace.done(span)))
        frame = trace.changes(found, held, directory, asked, before, factor)
        note = f"held against {before}; changed means {factor:g} times as many events a day, or as few"
        both = pl.concat([found.select("source", "actor"), held.select("source", "actor")])
        unmet = reading.unmet(who, directory, both)
        near = reading.near(unmet, WHO, scope, who=True)
        near += reading.near(what, ["resources"], scope) if both.is_empty() else ()
        known = reading.coverage(asked, before, question=_asked(who, scope))
        notes = (note, *_nobody(unmet, both))
        return reading.answer(frame, known, asked, suggestions=near, notes=notes)


def _asked(names: Sequence[str], scope: Scope) -> dict[str, list[str]]:
    """What a question is narrowed to, in the words of the vendors' filters: one so narrowed may answer it whole."""
    users = [] if any("@" in name for name in names) else [actor for _, actor in scope.keys]
    told = {"users": users, "actions": list(scope.actions), "operation_types": list(scope.activities)}
    return {name: values for name, values in told.items() if values}


def _nobody(unmet: Sequence[str], found: pl.DataFrame) -> tuple[str, ...]:
    """Says of whom nothing was found, where something was found of others."""
    if found.is_empty():
        return ()
    rest = len(unmet) - _MOST_NAMED
    more = [f"nothing was found of {rest:,} more"] if rest > 0 else []
    return (*(f"nothing was found of {name}" for name in unmet[:_MOST_NAMED]), *more)


def _somebody(actors: Iterable[str | Sequence[str]]) -> tuple[str, ...]:
    names = listed(actors)
    if not names:
        raise UsageError("Nobody was named.", "Name one or more actors as the events have them.")
    return names


def _sessions(again: Callable[[], Reading], scope: Scope, gap: timedelta, directory: Directory) -> pl.DataFrame:
    from investigate.trace import activity as trace  # noqa: PLC0415 - see `activity`

    with again() as reading:
        numbered = trace.sessions(reading.events, scope, gap)
        spans, used = reading.collect(trace.session_spans(numbered), trace.session_means(numbered))
        return trace.session_rows(spans, used, directory, gap)


def _first_seen(
    again: Callable[[], Reading], scope: Scope, windows: tuple[Window, Window], directory: Directory
) -> pl.DataFrame:
    from investigate.trace import activity as trace  # noqa: PLC0415 - see `activity`

    with again() as reading:
        (found,) = reading.collect(trace.seen(reading.events, scope, *windows))
        return trace.new_rows(found, directory)


def _of(
    window: Window | None,
    names: Sequence[str],
    directory: Directory,
    resources: Iterable[str] = (),
    **more: tuple[str, ...],
) -> Scope:
    """The scope of somebody, by key, by all aliases or by e-mail address, and of resources, by id or by pattern."""
    globs, ids = partition(resources)
    keys = directory.expand(names) if names else ()
    emails = tuple(name for name in names if "@" in name)
    return Scope(window, keys=keys, emails=emails, resources=ids, patterns=globs, **more)


def _holes(known: Coverage, until: datetime) -> list[tuple[datetime, datetime, str | None, str | None, str]]:
    """The gaps that begin before an instant, as rows of a timeline."""
    return [
        (gap.window.start, gap.window.end, gap.source, gap.tenant, "; ".join(filter(None, (gap.state, gap.note))))
        for gap in known.gaps
        if gap.window.start < until
    ]


def _gap(given: str | timedelta) -> timedelta:
    if isinstance(given, timedelta):
        found = given
    else:
        now = datetime.now(UTC)
        found = now - parse_time(given, now=now)
    if found <= timedelta(0):
        raise UsageError("The gap between sessions is not longer than nothing.", 'Name a span such as "30m".')
    return found
