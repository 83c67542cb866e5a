"""A disk that is full: one clear error, a lake that is whole, and nothing to repair once there is room again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import investigate
from investigate.cli import main
from tests.faults.disks import fill, free, small_disk
from tests.faults.filling import Filling
from tests.faults.kinds import log
from tests.faults.test_places import READING

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


def test_a_disk_without_a_byte_left_can_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = log(tmp_path / "log.json.gz", 0, 30)
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk) as mounted:
        if not mounted:
            pytest.skip("no disk can be mounted here")
        investigate.open(disk / "case").import_files(path, "cloudtrail")
        fill(disk, 0)
        for command in READING:
            assert main(["--case", str(disk / "case"), *command]) == 0, capsys.readouterr().err
        assert main(["--case", str(disk / "case"), "import", str(path), "--profile", "cloudtrail"]) == 1
        assert "space" in capsys.readouterr().err
        free(disk)
        assert main(["--case", str(disk / "case"), "import", str(path), "--profile", "cloudtrail"]) == 0
