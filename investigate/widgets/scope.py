"""`Scope`: what all widgets of a case look at, in one object that tells of every change and outlives the kernel."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from threading import RLock
from typing import TYPE_CHECKING, Any, Final

from investigate.errors import CaseError, UsageError
from investigate.events import ACTIVITIES, Window, iso, parse_time
from investigate.report.text import visible
from investigate.widgets.whom import Whom

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from investigate.events import TimeLike
    from investigate.journal import Journal
    from investigate.widgets.whom import Meant

_KEPT_AS: Final = "widgets.scope"
_LISTS: Final = ("objects", "sources", "activities", "identities", "credentials", "src_ips")
_TIMES: Final = ("start", "end")
_SHOWN: Final = 120
"""Characters of a name that are shown where what is looked at is said in words."""

QUESTION: Final = frozenset({"start", "end", "objects", "sources", "activities"})
"""What the ranking, the matrix and the timeline are about."""
SELECTION: Final = frozenset({"identities", "credentials", "src_ips", "brush", "only"})
"""What was pointed at in them, which the grid of events follows."""


@dataclass(frozen=True)
class Chosen:
    """What is looked at, at one moment.

    Attributes:
        start: UTC; None is where the case's coverage begins.
        end: UTC, not included; None is where it ends.
        objects: the affected ones, by id or, with `*`, by pattern; empty: every event counts.
        sources: profile names; empty: all.
        activities: of create, read, update, delete, other; empty: all.
        identities: pointed at: each an identity, or a name of a person or, whatever the source, of an actor, as
            `Case.who_touched` has them; empty: nobody in particular.
        credentials: pointed at.
        src_ips: pointed at.
        brush: the part of the window pointed at, None for all of it.
        only: one object pointed at, empty for all of `objects`.
    """

    start: datetime | None = None
    end: datetime | None = None
    objects: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    activities: tuple[str, ...] = ()
    identities: tuple[Meant, ...] = ()
    credentials: tuple[str, ...] = ()
    src_ips: tuple[str, ...] = ()
    brush: Window | None = None
    only: str = ""

    @property
    def following(self) -> bool:
        """Whether something was pointed at whose every event counts, not only those that name an affected object."""
        return bool(self.identities or self.credentials or self.src_ips) and not self.only

    @property
    def question(self) -> Chosen:
        """The same, with nothing pointed at."""
        empty = Chosen()
        return replace(self, **{name: getattr(empty, name) for name in SELECTION})

    def as_json(self) -> str:
        """What `from_json` reads."""
        values: dict[str, Any] = asdict(replace(self, brush=None))
        values |= {name: iso(values[name]) if values[name] else None for name in _TIMES}
        return json.dumps(values | {"brush": self.brush.as_json() if self.brush else None}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Chosen:
        """What `as_json` gave; of what this version does not know, nothing."""
        given = json.loads(text)
        known = {field.name: given[field.name] for field in fields(cls) if field.name in given}
        return cls(**_typed(known))


class Scope:
    """What all widgets look at, shared by them, kept in the case's journal.

    Args:
        journal: where it is kept; None keeps it in memory alone.
    """

    def __init__(self, journal: Journal | None = None) -> None:
        self._journal = journal
        self._watchers: list[Callable[[Chosen, Chosen], None]] = []
        self._lock = RLock()
        self._now = Chosen()
        kept = journal.get(_KEPT_AS) if journal else None
        if kept:
            with suppress(ValueError, TypeError, KeyError, UsageError):  # of a version that kept it otherwise
                self._now = Chosen.from_json(kept)

    @property
    def now(self) -> Chosen:
        """What is looked at."""
        return self._now

    def change(self, **given: Any) -> Chosen:
        """Look at something else: all that is named changes at once, the rest stays.

        Args:
            given: fields of `Chosen`; times as people write them, lists as lists or single names.

        Returns:
            What is looked at now.

        Raises:
            UsageError: an unknown field or activity.
            BadTime: no time, or a window that ends before it starts.
        """
        with self._lock:
            before = self._now
            now = replace(before, **_typed(given))
            if now.start and now.end:
                Window(now.start, now.end)
            if now == before:
                return now
            self._now = now
            if self._journal:
                with suppress(CaseError):  # a read-only case is looked at all the same
                    self._journal.put(_KEPT_AS, now.as_json())
            watchers = list(self._watchers)
        for watcher in watchers:
            watcher(before, now)
        return now

    def point(self, **given: Any) -> Chosen:
        """Point at something, and at nothing else: what was pointed at before and is not named is let go."""
        empty = Chosen()
        return self.change(**{name: getattr(empty, name) for name in SELECTION} | given)

    def watch(self, watcher: Callable[[Chosen, Chosen], None]) -> None:
        """Have `watcher` called after every change with what was looked at before, and what is now."""
        with self._lock:
            self._watchers.append(watcher)

    def lines(self) -> list[str]:
        """What is looked at, in words, a line each; nothing in them acts on whoever reads them."""
        now = self._now
        ends = f"{iso(now.start) if now.start else 'the beginning'} .. {iso(now.end) if now.end else 'the end'}"
        lines = [f"window  {ends}"]
        lines += [f"{name}  {listed(getattr(now, name))}" for name in _LISTS if getattr(now, name)]
        lines += [f"brush  {now.brush}"] if now.brush else []
        return lines + ([f"only  {visible(now.only, _SHOWN)}"] if now.only else [])

    def __repr__(self) -> str:
        return "\n".join(self.lines())


def changed(before: Chosen, now: Chosen) -> frozenset[str]:
    """The fields in which two differ."""
    return frozenset(one.name for one in fields(Chosen) if getattr(before, one.name) != getattr(now, one.name))


def listed(values: Iterable[Meant], most: int = 3) -> str:
    """The first of some names, visible and not too long, and how many more there are."""
    names = list(values)
    return ", ".join(visible(str(one), _SHOWN) for one in names[:most]) + (
        f", and {len(names) - most:,} more" if len(names) > most else ""
    )


def _typed(given: dict[str, Any]) -> dict[str, Any]:
    known = {field.name for field in fields(Chosen)}
    if unknown := given.keys() - known:
        raise UsageError(f"A scope has no {min(unknown)!r}.", f"It has {', '.join(sorted(known))}.")
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name in _TIMES:
            found[name] = _time(value)
        elif name == "identities":
            found[name] = _identities(value)
        elif name in _LISTS:
            names = [value] if isinstance(value, str) else list(value or ())
            found[name] = tuple(dict.fromkeys(str(one).strip() for one in names if str(one).strip()))
        elif name == "brush":
            found[name] = value if isinstance(value, Window) or value is None else Window.from_json(value)
        else:
            found[name] = str(value or "")
    if strange := [word for word in found.get("activities", ()) if word not in ACTIVITIES]:
        raise UsageError(f"{strange[0]!r} is no activity.", f"Activities are {', '.join(ACTIVITIES)}.")
    return found


def _identities(value: Any) -> tuple[Meant, ...]:
    """Names as they are typed, and identities, which JSON and notebooks have as lists of source, tenant and actor."""
    given = [value] if isinstance(value, str | Whom) else list(value or ())
    found: dict[Meant, None] = {}
    for one in given:
        if isinstance(one, list | tuple):
            if len(one) != len(Whom._fields) or not all(isinstance(part, str) for part in one):
                raise UsageError("This is no identity.", "Give a name, or source, tenant and actor.")
            found[Whom(*one)] = None
        elif name := str(one).strip():
            found[name] = None
    return tuple(found)


def _time(value: TimeLike | None) -> datetime | None:
    return None if value is None or value == "" else parse_time(value)
