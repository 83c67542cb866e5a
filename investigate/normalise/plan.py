"""How a profile is read: compiled once, or, where it is flexible, grown with the records that are met."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import duckdb
import pyarrow as pa

from investigate.errors import ProfileError
from investigate.normalise.profile import Column
from investigate.normalise.sql import Compiled
from investigate.normalise.survey import Decision, survey

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from investigate.normalise.engine import Engine
    from investigate.normalise.paths import Path
    from investigate.normalise.profile import Profile

_SURVEYS: Final = 20
"""How often a file whose records change their form is looked at again."""


class Plan:
    """How the records of a profile are read: compiled once, or, for a flexible profile, as its records are met.

    Args:
        profile: how to read them.
        tenant: the tenant of events whose record names none.
        engine: to try it on.

    Attributes:
        compiled: what stands now; None for a flexible profile of which no record was met.

    Raises:
        ProfileError: the engine does not take it.
    """

    def __init__(self, profile: Profile, tenant: str | None, engine: Engine) -> None:
        self._given, self._tenant = profile, tenant
        self.decisions: dict[tuple[str, str], Decision] = {}
        self._left = self._pause = self._passed = 0
        self._profile = profile
        self._met: set[Path] = set()
        self.compiled: Compiled | None = Compiled(_one_path_each(profile) if profile.flexible else profile, tenant)
        try:
            engine.run(self.compiled, pa.table({"row": pa.array([0], pa.int64()), "raw": ["{}"]}))
        except duckdb.Error as error:
            raise ProfileError(f"Profile {profile.name}: {error}.", "Correct its patterns.") from error
        self.forget()

    def forget(self) -> None:
        """Start on new files, whose fields may have other names."""
        if self._given.flexible:
            self.compiled, self._met = None, set()
        self.next_file()

    def next_file(self) -> None:
        """A new file begins, whose fields may have other names: what does not fit will be looked at again."""
        self._pause = self._passed = 0
        self._left = _SURVEYS if self._given.flexible else 0

    def begin(self, sample: Callable[[pa.Table], Sequence[bytes]], batch: pa.Table) -> Compiled:
        """How some records are read, the first of which say how by a sample of themselves."""
        if self.compiled is None:
            self._adopt(*survey(self._given, sample(batch)))
        assert self.compiled is not None  # noqa: S101 - adopted
        return self.compiled

    def stands(self, compiled: Compiled, lost: Callable[[], Sequence[bytes]]) -> bool:
        """Whether records that were read as `compiled` need not be read again; asked of one batch after the other.

        Args:
            compiled: what stood when they were read.
            lost: gives a sample of those that lack a time, a who or a what.
        """
        if compiled is not self.compiled:
            return False
        if self._left <= 0 or self._passed < self._pause:
            self._passed += 1
            return True
        sample = lost()
        if not sample:
            return True
        self._left -= 1
        if self._extend(sample):
            return False
        # Looking costs as much as reading: where it brought nothing, the next look is further off each time.
        self._pause, self._passed = 2 * self._pause + 1, 0
        return True

    def _extend(self, lost: Sequence[bytes]) -> bool:
        """Also read the fields in which these records keep what was not found; false where they have none."""
        profile, decisions, met = survey(self._given, lost, met=self._met)
        columns = {
            name: replace(column, paths=tuple(dict.fromkeys((*column.paths, *_column(profile, name).paths))))
            for name, column in self._profile.columns.items()
        }
        if all(columns[name].paths == column.paths for name, column in self._profile.columns.items()):
            return False
        self._adopt(self._profile.with_columns(columns), decisions, met)
        return True

    def _adopt(self, profile: Profile, decisions: Sequence[Decision], met: set[Path]) -> None:
        self._profile, self.compiled = profile, Compiled(profile, self._tenant)
        self._met |= met
        for item in decisions:
            self.decisions.setdefault((item.column, item.path), item)


def _one_path_each(profile: Profile) -> Profile:
    """A flexible profile without most of the names it only tries: enough to see whether the engine takes it."""
    return profile.with_columns(
        {name: replace(column, paths=column.paths[:1]) for name, column in profile.columns.items()}
        | {name: profile.columns[name] for name in profile.pinned}
    )


def _column(profile: Profile, name: str) -> Column:
    return profile.columns.get(name, Column())
