"""Audits of a case: `audit` and `audit_new`, each a method of `Case`.

`audit` looks at a window and remembers nothing; `audit_new` looks at what came into the lake since it last did.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from filelock import FileLock, Timeout

from investigate.case.audited import Audit
from investigate.case.reading import coverage
from investigate.errors import CaseError, LakeError, UsageError, first_line
from investigate.events import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from investigate.audit.ruleset import RuleSet
    from investigate.audit.scan import Extent, Scanned
    from investigate.case.case import Case
    from investigate.events import TimeLike

    Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

STALE: Final = timedelta(days=1)
"""Where nothing was collected for longer, an audit answers for the time up to now, and has a gap to tell of."""
_PATIENCE: Final = 3600
"""Seconds to wait for another audit of the same case: it may read a large lake."""


def audit(
    case: Case,
    rules: Paths = (),
    *,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    shipped: bool = True,
    suppress: str | os.PathLike[str] | None = None,
    placeholders: Mapping[str, Any] | None = None,
    version: int | None = None,
) -> Audit:
    """All that rules find in a window, whether it was reported before or not; nothing is remembered.

    Args:
        case: where to look.
        rules: files or folders of Sigma rules; one with the id of a shipped rule replaces it.
        start: see `Window.of`; None is where the case's coverage begins. What happened before is looked at where a
            rule has to know it, but is not reported.
        end: not included; None is where it ends. From a given start it is now, where that was a day ago or longer.
        shipped: whether the rules that come with this package are run.
        suppress: file of findings to leave out; see `investigate.audit.suppressions`.
        placeholders: values for `%name%` of rules with the modifier `expand`.
        version: of the lake, the newest where None.

    Raises:
        UsageError: no such rules, version or file, or one that cannot be read.
        BadTime: a window that cannot be meant.
    """
    loaded = load(rules, shipped=shipped, placeholders=placeholders)
    from investigate.audit.scan import Extent  # noqa: PLC0415 - pySigma is an extra, which `load` misses in words

    window = case.window(start, end)
    if start is not None and end is None:
        window = _current(window)
    at = case.lake.events.snapshot().version if version is None else version
    return _report(case, loaded, Extent(window), window, at, suppress)[0]


def audit_new(
    case: Case,
    rules: Paths = (),
    *,
    shipped: bool = True,
    suppress: str | os.PathLike[str] | None = None,
    placeholders: Mapping[str, Any] | None = None,
    keep: bool = True,
) -> AbstractContextManager[Audit]:
    """What rules find in what came into the lake since they last looked; a context manager.

    Each rule has its own frontier, kept in the journal: a rule that is new or was changed looks at everything. It moves
    when the context is left without an error, so write the report within. Another audit of the same case waits.

    Args:
        case: where to look.
        rules: see `audit`.
        shipped: likewise.
        suppress: likewise; what is suppressed counts as reported.
        placeholders: likewise.
        keep: whether the frontier moves; otherwise the next audit finds the same again.

    Raises:
        UsageError: no such rules or file, or one that cannot be read.
        CaseError: the case cannot be written and this is to be kept, or another audit of it takes longer than an hour.
    """
    return _newest(case, load(rules, shipped=shipped, placeholders=placeholders), suppress, keep=keep)


@contextmanager
def _newest(case: Case, loaded: RuleSet, suppress: str | os.PathLike[str] | None, *, keep: bool) -> Iterator[Audit]:
    from investigate.audit.frontier import KEY, Frontier, Mark, unfinished  # noqa: PLC0415 - see `audit`
    from investigate.audit.scan import Extent  # noqa: PLC0415

    with _alone(case) if keep or case.writable else nullcontext():
        version = case.lake.events.snapshot().version
        known = case.journal.acquisitions()
        frontier = Frontier.from_json(case.journal.get(KEY))
        since = frontier.since(loaded.rules, version)
        extent = Extent(None, frontier.arrivals(known, version), since)
        window = _answered(case, frontier.until(loaded.rules))
        found, scanned = _report(case, loaded, extent, window, version, suppress, new_only=True)
        yield found
        if keep:
            mark = Mark(version, unfinished(known), window.end)
            case.journal.put(KEY, frontier.moved(loaded.rules, mark, scanned.unseen).as_json())


def load(rules: Paths = (), *, shipped: bool = True, placeholders: Mapping[str, Any] | None = None) -> RuleSet:
    """The rules of an audit.

    Raises:
        UsageError: pySigma is not installed, or a path is not there or has no rules.
    """
    try:
        from investigate.audit import ruleset  # noqa: PLC0415 - pySigma is an extra
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "sigma":
            raise
        raise UsageError(
            "Rules are read by pySigma, which is not installed.", "pip install 'investigate[sigma]'"
        ) from None
    named = [rules] if isinstance(rules, (str, os.PathLike)) else list(rules)
    return ruleset.load([os.fspath(one) for one in named], shipped=shipped, placeholders=placeholders)


def _report(
    case: Case,
    loaded: RuleSet,
    extent: Extent,
    window: Window,
    version: int,
    suppress: str | os.PathLike[str] | None,
    *,
    new_only: bool = False,
) -> tuple[Audit, Scanned]:
    from investigate.audit import suppressions  # noqa: PLC0415 - pySigma is an extra

    entries = suppressions.read(suppress) if suppress is not None else []
    scanned = _scan(case, loaded, extent, version)
    kept = suppressions.apply(scanned.findings, entries)
    idle = set(scanned.idle)
    found = Audit(
        kept.findings,
        kept.suppressed,
        kept.expired,
        loaded.untranslated,
        tuple(rule for rule in loaded.rules if rule.id in idle),
        tuple(rule for rule in loaded.rules if rule.id not in idle),
        coverage(case, window),
        window,
        version,
        scanned.events,
        new_only,
        _late(scanned, window) if new_only else (),
    )
    return found, scanned


def _scan(case: Case, loaded: RuleSet, extent: Extent, version: int) -> Scanned:
    import duckdb  # noqa: PLC0415 - heavy, and a look at a case needs it not

    from investigate.audit.scan import Scan  # noqa: PLC0415
    from investigate.lake.sql import interruptible  # noqa: PLC0415

    try:
        with case.lake.borrow(version) as connection:
            return interruptible([connection], Scan(connection, loaded, extent).find)
    except duckdb.Error as error:
        reason = first_line(error)
        raise LakeError(f"The audit failed: {reason}", "Give it more memory in case.toml, or narrow it.") from error


def _late(scanned: Scanned, window: Window) -> tuple[str, ...]:
    if scanned.span is None:
        return ("note  nothing came into the lake since the last audit",)
    if scanned.span[0] >= window.start:
        return ()
    return (f"note  late arrivals go back to {scanned.span[0]:%Y-%m-%d %H:%M} UTC",)


def _answered(case: Case, until: datetime | None) -> Window:
    """The window an audit of what is new answers for: from where the last one ended to where coverage ends."""
    now = datetime.now(UTC)
    known = case.journal.span()
    start = until or (known.start if known else now)
    end = known.end if known and now - known.end < STALE else now
    return Window(start, max(start, end))


def _current(window: Window) -> Window:
    """The same up to now, where it ends long before: that nothing was collected since is to be said."""
    now = datetime.now(UTC)
    return window if now - window.end < STALE else Window(window.start, now)


@contextmanager
def _alone(case: Case) -> Iterator[None]:
    """One audit of a case at a time: each begins where the one before it ended."""
    if not case.writable:
        raise CaseError(
            "The case cannot be written, so what was audited cannot be remembered.", "Audit a window: --from and --to."
        )
    try:
        with FileLock(case.layout.root / ".audit.lock", timeout=_PATIENCE, mode=0o600):
            yield
    except Timeout as error:
        raise CaseError("Another audit of this case has been running for an hour.", "Try again.") from error
