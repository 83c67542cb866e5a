"""A disk that is full: one clear error, a lake that is whole, and nothing to repair once there is room again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.disks import small_disk
from tests.faults.filling import Filling

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.kinds import Kinds
    from tests.faults.zygote import Zygote


@pytest.mark.parametrize(("name", "levels"), [("import", (0.02, 0.5)), ("compaction", (0.4,)), ("touches", (0.8,))])
def test_at_any_level(name: str, levels: tuple[float, ...], commands: Kinds, zygote: Zygote, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk) as mounted:
        filling = Filling(commands.make(name), zygote, disk, limited=not mounted)
        found = [filling.at(int(level * filling.needed)) for level in levels]
    assert [one for one in found if one.wrong] == []
    assert all(one.failed for one in found)
