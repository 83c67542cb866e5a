"""The life of the process: one line on standard output, and nothing left behind, however it ends."""

import ast
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import investigate.sandbox
from investigate.sandbox import server
from investigate.sandbox.__main__ import parse


def descendants(pid: int) -> list[int]:
    """Processes below one, by /proc."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        except OSError:  # it ended while we looked
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL, "standard input"])
def test_nothing_is_left_behind(
    ending: signal.Signals | str,
    start: Callable[..., Any],
    wait_for: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    sandbox = start()
    children = descendants(sandbox.process.pid)
    assert len(children) == 4  # two rclones and their keepers
    assert [path.name.startswith("investigate-sandbox-") for path in tmp_path.iterdir()] == [True]
    if isinstance(ending, signal.Signals):
        os.kill(sandbox.process.pid, ending)
    else:
        sandbox.process.stdin.close()
    code = sandbox.process.wait(15)
    assert code == (-signal.SIGKILL if ending is signal.SIGKILL else 0)
    wait_for(lambda: None if any(map(alive, children)) else True)
    wait_for(lambda: None if list(tmp_path.iterdir()) else True)


def test_a_folder_of_ones_own_is_kept_and_used_again_but_not_taken_from_others(tmp_path: Path) -> None:
    own, theirs = tmp_path / "own", tmp_path / "theirs"
    for _ in range(2):
        with server.state(parse(["--dir", str(own)])) as folder:
            assert [path.name for path in folder.iterdir()] == [".investigate-sandbox"]
            (folder / "s3").mkdir()
    theirs.mkdir()
    (theirs / "thesis.txt").touch()
    with pytest.raises(server.DirectoryInUse, match="is not empty"), server.state(parse(["--dir", str(theirs)])):
        pass
    assert (theirs / "thesis.txt").exists()


def test_what_keeps_it_from_starting_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    command = [sys.executable, "-m", "investigate.sandbox", "--dir", str(tmp_path)]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("The sandbox did not start: ")
    assert refused.stderr.count("\n") == 1


def test_the_sandbox_shares_no_code_with_the_client() -> None:
    imported = set()
    for path in Path(investigate.sandbox.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                imported.add(node.module or "")
    ours = {name for name in imported if name.split(".")[0] == "investigate"}
    assert ours
    assert all(name.startswith("investigate.sandbox") for name in ours)


def test_another_shape_and_container_are_served_from_a_folder_of_ones_own(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    how = ("--shape", "opaque", "--container", "wrapped", "--dir", str(tmp_path))
    sandbox = start("--export-delay", "0", "--ingestion-delay", "0", *how)
    answer = sandbox.http.get(sandbox.export()["link"])
    entries = answer.json()["audit_logs"]
    assert len(entries) == sandbox.at["events"]
    assert {"principal_ref", "object_ref", "at", "peer"} <= entries[0].keys()
    assert sandbox.close() == ("", "")
    assert list(tmp_path.glob("s3/*/log/*/date=*/hour=*.jsonl.gz"))
