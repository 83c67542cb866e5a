"""One state of the lake on one engine: where questions are asked, and what they have in common."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, Self

from investigate.case.answer import Answer
from investigate.case.coverage import Coverage
from investigate.case.directory import directory_of
from investigate.errors import UsageError
from investigate.trace import near
from investigate.trace.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType

    import narwhals as nw
    import polars as pl

    from investigate.case.case import Case
    from investigate.events import TimeLike, Window
    from investigate.trace.people import Directory

ENGINES: Final = ("duckdb", "polars")
_MOST_ASKED: Final = 5
"""So many names that were not found get suggestions."""


class Reading:
    """The events of one version of the lake, as frames of one engine; a context manager.

    Args:
        case: whose lake.
        engine: `duckdb` or `polars`.
        version: Delta version of the events; None is the newest.

    Attributes:
        events: the canonical events.
        version: the version they are of.

    Raises:
        UsageError: no such engine, or no such version.
    """

    def __init__(self, case: Case, engine: str, version: int | None = None) -> None:
        if engine not in ENGINES:
            raise UsageError(f"{engine!r} is no engine.", f"Engines are {' and '.join(ENGINES)}.")
        self.case, self.engine = case, engine
        self.version = _version(case, version)
        self._sql: list[str] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        import narwhals as nw  # noqa: PLC0415 - heavy, like the engines themselves

        self.events: nw.LazyFrame[Any]
        if self.engine == "duckdb":
            connection = self._stack.enter_context(self.case.lake.connect(self.version))
            self.events = nw.from_native(connection.query("FROM events"))
        else:
            self.events = nw.from_native(self.case.lake.scan(self.version))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def collect(self, *frames: nw.LazyFrame[Any]) -> list[pl.DataFrame]:
        """The rows of some questions; what DuckDB ran for them is kept."""
        natives = [frame.to_native() for frame in frames]
        if self.engine == "duckdb":
            self._sql += [native.sql_query() for native in natives]
            return [native.pl() for native in natives]
        import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

        return pl.collect_all(natives)

    def directory(self) -> Directory:
        """Who is who in this state of the lake."""
        return directory_of(self.case, self)

    def near(self, names: Iterable[str], columns: Sequence[str], scope: Scope) -> tuple[str, ...]:
        """Identifiers like names that were not found, best first."""
        found: dict[str, None] = {}
        for name in list(names)[:_MOST_ASKED]:
            lazy = [near.candidates(self.events, Scope(scope.window), column, name) for column in columns]
            values = [value for frame in self.collect(*lazy) for value in frame["value"]]
            found |= dict.fromkeys(near.closest(name, values))
        return tuple(found)

    def answer(self, frame: pl.DataFrame, coverage: Coverage, window: Window, **more: Any) -> Answer:
        """An answer from this reading; its `sql` is the first query that gave it."""
        first = self._sql[0] if self._sql else None
        return Answer(frame, coverage, window, self.engine, first, self.version, **more)


def listed(given: Iterable[str | Sequence[str]]) -> tuple[str, ...]:
    """Names given singly or in lists, each once, in order."""
    names = (name for one in given for name in ([one] if isinstance(one, str) else one))
    return tuple(dict.fromkeys(names))


def partition(names: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Patterns, which hold a `*`, and ids, which do not."""
    given = tuple(names)
    return tuple(name for name in given if "*" in name), tuple(name for name in given if "*" not in name)


def coverage(case: Case, *windows: Window, question: dict[str, list[str]] | None = None) -> Coverage:
    """What is known of the windows a question looked at; the first is the one it is about."""
    known = sorted(dict.fromkeys((one.source, one.tenant) for one in case.journal.intervals()))
    gaps = [gap for window in windows for gap in case.journal.gaps(window, question_filter=question or {})]
    return Coverage(windows[0], tuple(dict.fromkeys(gaps)), tuple(known))


def span(case: Case, start: TimeLike | None, end: TimeLike | None) -> Window:
    """The window of a question that needs one with something in it.

    Raises:
        UsageError: it is empty.
        BadTime: it cannot be meant.
    """
    window = case.window(start, end)
    if window.start == window.end:
        raise UsageError("The window is empty.", "Let it end after it starts.")
    return window


def _version(case: Case, version: int | None) -> int:
    """The version that is read: fixed before anything is, so that a commit meanwhile changes nothing."""
    newest = case.lake.events.snapshot().version
    if version is None:
        return newest
    if not -1 <= version <= newest:
        raise UsageError(
            f"The lake has no version {version}; its newest is {newest}.", "See its versions: investigate lake info"
        )
    return version
