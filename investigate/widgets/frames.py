"""`frame.investigate`: from a frame of whatever was found back to the events it speaks of, and to the widgets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from investigate.errors import UsageError
from investigate.widgets import asking
from investigate.widgets.whom import Whom, whom

if TYPE_CHECKING:
    from collections.abc import Sequence

    from investigate.case.case import Case
    from investigate.widgets.scope import Scope
    from investigate.widgets.whom import Meant

_OBJECTS: Final = ("resource", "resources")
_EVENT: Final = ("source", "tenant", "event_uid")


@pl.api.register_dataframe_namespace("investigate")
class Frames:
    """What a frame of events, or of something about events, can be asked.

    Args:
        frame: with any of the columns `event_uid`, `actor`, `resource` or `resources`.
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def events(self, case: Case) -> pl.DataFrame:
        """The whole events a frame names by `event_uid`, and by `source` and `tenant` where it has them.

        Args:
            case: whose lake.

        Returns:
            The columns of `investigate.events.COLUMNS`, in order of time.

        Raises:
            UsageError: the frame has no `event_uid`.
        """
        self._insist("event_uid")
        uids = self._frame["event_uid"].drop_nulls().unique().to_list()
        found = case.sql("SELECT * FROM events WHERE list_contains($uids, event_uid) ORDER BY time", {"uids": uids})
        on = [name for name in _EVENT if name in self._frame.columns]
        return found.join(self._frame.select(on).unique(), on=on, how="semi", maintain_order="left")

    def objects(self) -> list[str]:
        """The objects a frame names in `resource` and `resources`, each once, sorted.

        Raises:
            UsageError: it has neither.
        """
        names = [name for name in _OBJECTS if name in self._frame.columns]
        if not names:
            self._insist("resource")
        found: set[str] = set()
        for name in names:
            column = self._frame[name]
            found |= set((column.explode() if column.dtype == pl.List else column).drop_nulls().to_list())
        return sorted(found)

    def look(self, case: Case) -> Scope:
        """Have the widgets of a case look at what a frame names: its objects, its identities, or both.

        Args:
            case: whose widgets.

        Raises:
            UsageError: it names neither.
        """
        columns = self._frame.columns
        given: dict[str, Sequence[Meant]] = {}
        if any(name in columns for name in _OBJECTS):
            given["objects"] = self.objects()
        if "actor" in columns:
            given["identities"] = self._identities(case)
        if not given:
            self._insist("actor")
        case.widgets.scope.change(**given)
        return case.widgets.scope

    def _identities(self, case: Case) -> list[Meant]:
        """Each by its source and tenant, where the frame has them; a person by name."""
        rows = self._frame.filter(pl.col("actor").is_not_null())
        if not {"source", "tenant"} <= set(rows.columns):
            return rows["actor"].unique(maintain_order=True).to_list()
        persons = set(asking.directory(case).persons.values())
        found = rows.select("source", "tenant", "actor").unique(maintain_order=True).iter_rows(named=True)
        return [Whom("", "", row["actor"]) if row["actor"] in persons else whom(row) for row in found]

    def _insist(self, name: str) -> None:
        if name not in self._frame.columns:
            raise UsageError(
                f"The frame has no column {name}; it has {', '.join(self._frame.columns)}.", "Select that column too."
            )
