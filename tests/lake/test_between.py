"""What is read in several steps is of one version, though another thread brings the table up to date between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from investigate.lake.lake import Lake
from investigate.lake.touches import BY_RESOURCE

from .made import commit, events

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest


class Overtaken:
    """A table of Delta's that is brought up to date, in place, as soon as its files were told.

    Args:
        live: the table.
    """

    def __init__(self, live: Any) -> None:
        self._live = live

    def version(self) -> int:
        return int(self._live.version())

    def get_add_actions(self) -> Any:
        found = self._live.get_add_actions()
        self._live.update_incremental()
        return found


def test_a_snapshot_has_the_files_of_its_version(folder_lake: Lake) -> None:
    commit(folder_lake, "a1", events("x"))
    reader = Lake(folder_lake.root)
    live: Any = Overtaken(reader.events.open())
    commit(folder_lake, "a2", events("y"))
    assert reader.events._snapshot(live) == folder_lake.events.snapshot()


def test_runs_are_those_of_the_version_of_the_events_they_sum_up(
    folder_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(folder_lake, "a1", events("x"))
    reader = Lake(folder_lake.root)
    own = reader.orders[BY_RESOURCE.name]
    really, met = own.table.noted, list[int]()

    def noted(version: int) -> tuple[str, Mapping[str, Any]] | None:
        found = really(version)
        if not met:
            commit(folder_lake, "a2", events("y"))
        met.append(version)
        return found

    monkeypatch.setattr(own.table, "noted", noted)
    assert own._look() == Lake(folder_lake.root).orders[BY_RESOURCE.name]._look()
    assert own.events_version == folder_lake.events.version()
    assert met == sorted(set(met))
