"""One state of the lake on one engine: where questions are asked, and what they have in common."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Self

from investigate.case.answer import Answer
from investigate.case.coverage import Coverage
from investigate.case.directory import directory_of
from investigate.case.engines import lasting, opened, parse
from investigate.case.versions import chosen, newest
from investigate.events import Window
from investigate.journal.coverage import gaps
from investigate.trace import near, people, pivot, rows
from investigate.trace.scope import Scope
from investigate.trace.shape import tidy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType

    import narwhals as nw
    import polars as pl

    from investigate.case.case import Case
    from investigate.journal import Interval
    from investigate.trace.people import Directory

BY: Final = {"resource": "touches", "actor": "touches_by_actor", "src_ip": "touches_by_src_ip"}
"""What is looked up to the order of `touches` that leads with it."""
_READ, _SPREAD = 4, 64
"""So many rows of `touches` are read in the time of an event, and of one that is made a row for each of its objects."""
_MOST_ASKED: Final = 5
"""So many names that were not found get suggestions."""


class Reading:
    """The events of one version of the lake, as frames of one engine; a context manager.

    Args:
        case: whose lake.
        engine: `duckdb`, `polars`, `spark` or `spark=sc://host:port`; see `engines.parse`.
        version: Delta version of the events; None is the newest.

    Attributes:
        engine: its name alone: an address may hold a secret.
        intervals: what was acquired or tried, as the journal had it before the version was fixed: so none of it is
            newer than the events.
        version: the version they are of.

    Raises:
        UsageError: no such engine, or no such version.
        LakeError: the lake, or what was written to it last, is gone.
    """

    def __init__(self, case: Case, engine: str, version: int | None = None) -> None:
        self.engine, _ = parse(engine)
        self.case, self._asked = case, engine
        self.intervals = case.journal.intervals()
        self.version = chosen(case, version)
        self._sql: str | None = None

    def __enter__(self) -> Self:
        self._engine = opened(self._asked, self.case.lake, self.version, self.case.config.ingest.memory)
        self._opened = self._engine.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engine.__exit__(kind, error, trace)

    @property
    def events(self) -> nw.LazyFrame[Any]:
        """The canonical events."""
        return self._opened.events

    def touches(self, scope: Scope, *, singly: bool = False, sharing: bool = True) -> nw.LazyFrame[Any]:
        """What a question groups: of the lake's `touches` where these tell it, else of the events.

        Args:
            scope: what counts.
            singly: whether every event must have touches of its own.
            sharing: whether `share` is asked for.

        Returns:
            See `investigate.trace.rows`.
        """
        import narwhals as nw  # noqa: PLC0415 - heavy, like the engines themselves

        if scope.emails:
            scope = self._by_keys(scope)
        if not singly and scope.window and not scope.emails:
            looked_up = self._looked_up(scope, sharing=sharing)
            if looked_up is not None:
                return nw.from_native(looked_up.lazy())
            summed = self._summed(scope, scope.window, sharing=sharing)
            if summed is not None:
                return summed
        return rows.of_events(self.events, scope, sharing=sharing)

    def _by_keys(self, scope: Scope) -> Scope:
        """The scope by keys, where e-mail addresses mean the same; who has which is looked for once a version."""
        if self.version not in self.case.mailed and scope.window and not self._long(scope.window, _READ):
            return scope
        return people.by_keys(scope, self._mailed())

    def _mailed(self) -> pl.DataFrame:
        """Under which e-mail addresses actors acted; read from the events, once a version."""
        known, kept = self.case.mailed, self._sql
        found = known.get(self.version)  # widgets ask on several threads: what is there may be gone a moment later
        if found is None:
            (found,) = self.collect(people.mailed(self.events))
            known.clear()
            known[self.version], self._sql = found, kept
        return found

    def keys_of(self, name: str) -> set[tuple[str, str]]:
        """Source and actor of those who acted under an e-mail address; none for what is no such address."""
        if "@" not in name:
            return set()
        import narwhals as nw  # noqa: PLC0415 - heavy, like the engines themselves

        fits = Scope(emails=(name,)).having(nw.from_native(self._mailed())).to_native()
        return set(fits.select("source", "actor").iter_rows())

    def meant(self, names: Iterable[str], directory: Directory) -> tuple[str, ...]:
        """Names of somebody, and the persons whose aliases acted under an e-mail address that is named.

        Without them an address would give what was done under it alone, and as all that the person did.
        """
        asked = tuple(names)
        if not directory:
            return asked
        keys = {key for name in asked for key in self.keys_of(name)}
        return listed([asked, sorted({person for key in keys if (person := directory.person(*key))})])

    def unmet(self, names: Iterable[str], directory: Directory, found: pl.DataFrame) -> list[str]:
        """Those of some names of somebody that none of the actors found has.

        Args:
            names: keys, e-mail addresses or persons.
            directory: who is who.
            found: with `source` and `actor`; what was found of them all.
        """
        asked = list(names)
        if found.is_empty() or len(asked) == 1:
            return asked if found.is_empty() else []
        actors = set(found.select("source", "actor").unique().iter_rows())
        met = actors | {("", actor) for _, actor in actors}
        return [name for name in asked if met.isdisjoint({*directory.expand([name]), *self.keys_of(name)})]

    def few(self, scope: Scope, columns: Sequence[str], many: int) -> tuple[nw.LazyFrame[Any], Scope]:
        """Some columns of the events in scope, for several questions: read once, where memory holds them.

        Args:
            scope: not by resources.
            columns: that are asked for.
            many: events there are.

        Returns:
            Events, and the scope in which these are to be asked about.
        """
        import narwhals as nw  # noqa: PLC0415 - heavy, like the engines themselves

        if many > self.case.lake.look_up.most:
            return self.events, scope
        kept = self._sql
        (found,) = self.collect(scope.narrow(self.events).select(*columns))
        self._sql = kept
        return nw.from_native(found.lazy()), Scope()

    def actions(self, scope: Scope) -> nw.LazyFrame[Any]:
        """As `touches`, for what counts events alone: each one's `share` is in one row, whatever it names.

        Args:
            scope: the window, and sources.
        """
        assert scope.window is not None  # noqa: S101 - a question has one
        sums = self._sums(scope.window, _READ)
        if sums is None:
            return rows.of_actions(self.events, scope)
        return self._with_ends(sums, scope, scope.window, lambda part: rows.of_actions(self.events, part))

    def _looked_up(self, scope: Scope, *, sharing: bool) -> pl.DataFrame | None:
        """The touches in scope by way of a look-up; None where it takes a search, or only the events can tell."""
        key = scope.key()
        if key is None or scope.window is None:
            return None
        column, values = key
        met = self.case.lake.look_up.rows(BY[column], values, scope.window, self.version)
        counted = None if met is None else rows.counted(met, scope, sharing=sharing)
        if counted is None:
            return None
        if self._sql is None and self.engine == "duckdb":
            self._sql = self.case.lake.look_up.query(BY[column])
        found, cut = counted
        return self._with_days(found, scope, cut) if cut else found

    def _with_days(self, found: pl.DataFrame, scope: Scope, cut: Sequence[Window]) -> pl.DataFrame:
        """Touches that were looked up, and those of the days that the window cuts, of their events."""
        import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

        asked = self._sql
        days = self.collect(*(rows.of_events(self.events, replace(scope, window=part)) for part in cut))
        self._sql = asked
        return pl.concat([found, *(tidy(day).select(found.columns) for day in days)], how="vertical_relaxed")

    def _summed(self, scope: Scope, window: Window, *, sharing: bool) -> nw.LazyFrame[Any] | None:
        """The touches in scope, searched for in the lake's `touches`; None where only the events can tell."""
        sums = self._sums(window, _READ if scope.by_columns else _SPREAD)
        days, _ = rows.cut(window)
        if sums is None or days is None:
            return None
        if sharing and not scope.everything and not scope.one_resource and self._several(sums, scope, days):
            return None
        return self._with_ends(sums, scope, window, lambda part: rows.of_events(self.events, part, sharing=sharing))

    def _sums(self, window: Window, cost: int) -> nw.LazyFrame[Any] | None:
        """All of `touches`, where reading it costs less than reading the window's events; None where it does not.

        Args:
            window: what is asked about.
            cost: of an event, in rows of `touches`. There are never more of those than events, mostly far fewer.
        """
        return self._opened.touches(BY["resource"]) if self._long(window, cost) else None

    def _long(self, window: Window, cost: int) -> bool:
        """Whether a window's events, at so many rows each, cost more than a row of all that happened."""
        return (window.end - window.start) / timedelta(days=1) * cost >= self.case.lake.look_up.days()

    def _several(self, sums: nw.LazyFrame[Any], scope: Scope, days: Window) -> bool:
        """Whether an event in scope may be in two rows of `touches`."""
        import narwhals as nw  # noqa: PLC0415 - heavy, like the engines themselves

        kept = self._sql
        (most,) = self.collect(rows.of_sums(sums, scope, days).select(nw.col("several").max()))
        self._sql = kept
        return bool(most.item())

    def _with_ends(
        self, sums: nw.LazyFrame[Any], scope: Scope, window: Window, of: Callable[[Scope], nw.LazyFrame[Any]]
    ) -> nw.LazyFrame[Any]:
        """The touches of a window's whole days, and those of the days it cuts, of their events."""
        import narwhals as nw  # noqa: PLC0415 - heavy, like the engines themselves

        days, ends = rows.cut(window)
        whole = [rows.of_sums(sums, scope, days).select(*rows.COLUMNS)] if days else []
        parts = [of(replace(scope, window=end)).select(*rows.COLUMNS) for end in ends]
        return nw.concat([*whole, *parts], how="vertical") if len(whole + parts) > 1 else (whole + parts)[0]

    def addresses(self) -> pivot.Addresses:
        """The addresses in this version of the lake; looked for once."""
        known = self.case.addresses
        if self.version not in known:
            values = self.case.lake.look_up.addresses(self.version)
            if values is None:
                (met,) = self.collect(pivot.addresses(self.events, Scope()))
                values = met["src_ip"].to_list()
            known.clear()
            known[self.version] = pivot.Addresses(values)
        return known[self.version]

    def collect(self, *frames: nw.LazyFrame[Any]) -> list[pl.DataFrame]:
        """The rows of some questions, all of touches or all of events; the first SQL that ran is kept."""
        if frames and all(frame.implementation.is_polars() for frame in frames):
            import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

            return pl.collect_all([frame.to_native() for frame in frames])
        if frames and self._sql is None:
            self._sql = self._opened.sql(frames[0])
        return self._opened.collect(frames)

    def directory(self) -> Directory:
        """Who is who in this state of the lake; what is asked for it is no part of the answer's `sql`."""
        kept = self._sql
        found = directory_of(self.case, self)
        self._sql = kept
        return found

    def near(self, names: Iterable[str], columns: Sequence[str], scope: Scope, *, who: bool = False) -> tuple[str, ...]:
        """Identifiers like names that were not found, best first.

        Args:
            names: what was asked for.
            columns: where to look.
            scope: the window.
            who: whether to look among what actors are called, too: they are asked about by their keys.
        """
        kept, found = self._sql, dict[str, None]()
        for name in list(names)[:_MOST_ASKED]:
            if who:
                (called,) = self.collect(near.called(self.by_actor(), name))
                found |= dict.fromkeys(near.keys(name, called.iter_rows()))
            lazy = [self._candidates(column, name, scope) for column in columns]
            values = [value for frame in lazy for (one,) in [self.collect(frame)] for value in one["value"]]
            found |= dict.fromkeys(near.closest(name, values))
        self._sql = kept
        return tuple(found)

    def _candidates(self, column: str, name: str, scope: Scope) -> nw.LazyFrame[Any]:
        touches = self._opened.touches(BY.get(column.removesuffix("s"), BY["actor"]))
        if touches is not None:
            return near.candidates(touches, Scope(), "resource" if column == "resources" else column, name)
        return near.candidates(self.events, Scope(scope.window), column, name)

    def by_actor(self) -> nw.LazyFrame[Any]:
        """What tells who acted: the lake's `touches`, where they are at hand, else the events."""
        touches = self._opened.touches(BY["actor"])
        return self.events if touches is None else touches

    def elsewhere(self, resources: Sequence[str]) -> dict[str, Window]:
        """Those of some resources that were touched at all, in any window, and from when to when."""
        if not resources:
            return {}
        always = Window(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
        found = self.case.lake.look_up.rows(BY["resource"], resources, always, self.version)
        touched = {} if found is None else found.rows_by_key("resource", named=True)
        return {
            name: Window(min(row["first"] for row in rows), max(row["last"] for row in rows))
            for name, rows in touched.items()
        }

    def coverage(
        self, *windows: Window, question: dict[str, list[str]] | None = None, sources: Sequence[str] = ()
    ) -> Coverage:
        """What is known of the windows a question looked at, by some sources, all where none; see `coverage`."""
        return _coverage(self.intervals, windows, question, sources)

    def answer(self, frame: pl.DataFrame, coverage: Coverage, window: Window, **more: Any) -> Answer:
        """An answer from this reading; its `sql` is the first query that gave it."""
        return Answer(frame, coverage, window, self.engine, self._sql, self.version, **more)


def listed(given: Iterable[str | Sequence[str]]) -> tuple[str, ...]:
    """Names given singly or in lists, each once, in order."""
    names = (name for one in given for name in ([one] if isinstance(one, str) else one))
    return tuple(dict.fromkeys(names))


def partition(names: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Patterns, which hold a `*`, and ids, which do not."""
    given = tuple(names)
    return tuple(name for name in given if "*" in name), tuple(name for name in given if "*" not in name)


def coverage(
    case: Case, *windows: Window, question: dict[str, list[str]] | None = None, sources: Sequence[str] = ()
) -> Coverage:
    """What is known of the windows a question looked at, by some sources, all where none.

    Args:
        case: whose coverage.
        windows: the first is the one the question is about.
        question: what it is narrowed to, in the words of the vendors' filters.
        sources: profile names. Where none of them was ever collected, all of a window is a gap.

    Raises:
        LakeError: the lake, or what was written to it last, is gone, so that its events tell nothing of any window.
    """
    newest(case)
    return _coverage(case.journal.intervals(), windows, question, sources)


def _coverage(
    intervals: Sequence[Interval],
    windows: Sequence[Window],
    question: dict[str, list[str]] | None,
    sources: Sequence[str],
) -> Coverage:
    own = [one for one in intervals if one.source in sources] if sources else intervals
    due = {(one.source, one.tenant) for one in own if one.window.start < one.window.end}
    found = [gap for window in windows for gap in gaps(window, own, due, question or {})]
    return Coverage(windows[0], tuple(dict.fromkeys(found)), tuple(sorted(due)))


def frame(case: Case, engine: str = "duckdb", version: int | None = None) -> nw.LazyFrame[Any]:
    """The canonical events for code of one's own, which then runs on any engine: narwhals' part of Polars' expressions.

    Args:
        case: whose events.
        engine: `duckdb`, `polars`, `spark`, or `spark=sc://host:port` for a cluster through Spark Connect.
        version: of the lake, the newest where None.

    Returns:
        A narwhals LazyFrame, columns as in `investigate.events.COLUMNS`, times in UTC; `.collect("polars")` gives the
        rows, `.to_native()` the engine's own frame. It reads this one version for as long as it lives, whatever is
        committed meanwhile. A DuckDB frame has a connection of its own, locked as that of `Case.sql` is, which lives
        as long as the frame or any made of it and serves one query at a time: another thread asks for another frame.
        A Polars frame holds nothing open. A Spark frame belongs to a session that all of the process's questions on
        that Spark share; its time zone is UTC, and it ends with the process.

    Raises:
        UsageError: no such engine or version, or Spark or Java is not installed.
        LakeError: the engine cannot read the lake, or what was written to it last is gone.
    """
    return lasting(engine, case.lake, chosen(case, version), case.config.ingest.memory)
