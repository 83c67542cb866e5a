"""Writers and readers of one case at once, each a process of its own."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

from tests.faults.contents import contents, faults
from tests.faults.kinds import log

WRITERS, OWN, SHARED, REJECTED = 8, 40, 15, 2


def brought(folder: Path) -> list[str]:
    """Logs of an account each, and of one that all have."""
    shared = log(folder / "shared.gz", 0, SHARED, tenant="shared").read_bytes()
    logs = []
    for at in range(WRITERS):
        path = log(folder / f"{at}.jsonl.gz", 1000 * at, 1000 * at + OWN, broken=REJECTED, tenant=f"w{at}")
        path.write_bytes(path.read_bytes() + gzip.compress(b"\n") + shared)  # members of one gzip file
        logs.append(str(path))
    return logs


def test_eight_writers_and_eight_readers_at_once(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.faults.crowd", str(tmp_path / "case"), *brought(tmp_path)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        check=True,
        timeout=300,
    )
    told = json.loads(run.stdout)
    whole = {f"w{number}": OWN for number in range(WRITERS)} | {"shared": SHARED}
    for reader in told["readers"]:
        assert reader["same"], "a connection saw two versions"
        assert reader["seen"][-1] == whole
        for seen in reader["seen"]:
            assert {name: whole[name] for name in seen} == seen, "part of a commit"
            assert "shared" in seen or not seen
        sizes = [sum(seen.values()) for seen in reader["seen"]]
        assert sizes == sorted(sizes), "an older version after a newer one"
    assert sum(one["stored"] for one in told["writers"]) == WRITERS * OWN + SHARED
    assert {one["received"] for one in told["writers"]} == {OWN + SHARED + REJECTED}
    held = contents(tmp_path / "case")
    received, duplicate = WRITERS * (OWN + SHARED + REJECTED), (WRITERS - 1) * SHARED
    assert held.counts == (received, WRITERS * OWN + SHARED, duplicate, WRITERS * REJECTED)
    assert faults(tmp_path / "case") == []
