from __future__ import annotations

import io
import os
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from investigate.errors import SourceError, UsageError
from investigate.sources.files import expand, keep

if TYPE_CHECKING:
    from investigate.evidence.store import EvidenceStore


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "logs"
    for name in ("b.json", "a.jsonl.gz", "deep/c.log", "deep/er/d.json", ".hidden", ".git/config"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    monkeypatch.chdir(tmp_path)
    return folder


def names(*paths: str) -> list[str]:
    return [one.name for one in expand(paths)]


ALL = ["logs/a.jsonl.gz", "logs/b.json", "logs/deep/c.log", "logs/deep/er/d.json"]


@pytest.mark.usefixtures("logs")
@pytest.mark.parametrize(
    ("paths", "found"),
    [
        (["logs"], ALL),
        (["logs/"], ALL),
        (["logs/b.json"], ["b.json"]),
        (["logs/.hidden"], [".hidden"]),
        (["logs/*.json"], ["b.json"]),
        (["logs/**/*.json"], ["b.json", "deep/er/d.json"]),
        (["logs/dee?"], ["deep/c.log", "deep/er/d.json"]),
        (
            ["logs/b.json", "logs", "./logs/../logs/b.json"],
            ["b.json", *(name for name in ALL if name != "logs/b.json")],
        ),
    ],
)
def test_files_folders_and_patterns(paths: list[str], found: list[str]) -> None:
    assert names(*paths) == found


def test_in_a_folder_only_logs_and_archives_are_taken_and_the_rest_is_named(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for name in ("a.json", "b.jsonl.gz", "c.LOG", "d.log.1", "e.zip", "LICENSE", "NOTE.txt", "README.md"):
        (tmp_path / "logs" / name).write_text("{}")
    others: list[str] = []
    found = [one.name for one in expand([str(tmp_path / "logs")], passed_over=others)]
    assert found == ["logs/a.json", "logs/b.jsonl.gz", "logs/c.LOG", "logs/d.log.1", "logs/e.zip"]
    assert others == ["logs/LICENSE", "logs/NOTE.txt", "logs/README.md"]
    assert [one.name for one in expand([str(tmp_path / "logs" / "LICENSE")])] == ["LICENSE"]


def test_a_name_that_begins_like_another_ones_home_is_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="the name '~nosuchuser/x"):
        names("~nosuchuser/x.json")
    (tmp_path / "~nosuchuser").mkdir()
    (tmp_path / "~nosuchuser/x.json").write_text("{}")
    assert names("~nosuchuser/x.json", "~nosuchuser/*.json") == ["x.json"]


@pytest.mark.parametrize("path", [".", "..", "**/*", "*", "deep", "d*", "**/*.*", "./deep/../."])
def test_folders_that_are_not_looked_into_are_neither_read_nor_named(
    logs: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    (logs / "deep/er/README").write_text("")
    (logs / "deep/link.json").symlink_to(logs / "deep/er/d.json")
    monkeypatch.chdir(logs)
    others: list[str] = []
    found = [one.identity for one in expand([path], passed_over=others, without=[Path("deep/../deep/er")])]
    assert found
    assert not [identity for identity in found if "/er/" in identity]
    assert not [name for name in others if "er/" in name]
    assert str(logs / "deep/er/d.json") in [one.identity for one in expand(["."])]


def test_a_file_in_a_folder_that_is_not_looked_into_is_read_where_it_is_named(logs: Path) -> None:
    (found,) = expand(["logs/deep/er/d.json"], without=[logs / "deep"])
    assert found.name == "d.json"
    for folder in ("logs/deep", "logs/deep/er"):
        with pytest.raises(UsageError, match="a folder of this program's own"):
            list(expand([folder], without=[logs / "deep"]))


def test_what_lies_elsewhere_or_is_hidden_or_no_file_is_named_not_taken(tmp_path: Path) -> None:
    inside, outside = tmp_path / "logs", tmp_path / "outside"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "a.json").write_text("{}")
    (inside / "current.json").symlink_to(outside / "a.json")
    (inside / "gone.json").symlink_to(outside / "gone.json")
    (inside / "sub").symlink_to(outside)
    (inside / ".hidden.json").write_text("{}")
    (inside / ".DS_Store").write_text("")
    os.mkfifo(inside / "pipe.json")
    others: list[str] = []
    assert [one.name for one in expand([str(inside)], passed_over=others)] == ["logs/a.json"]
    assert sorted(others) == [
        *("logs/.hidden.json", "logs/current.json", "logs/gone.json", "logs/pipe.json", "logs/sub/"),
    ]


@pytest.mark.usefixtures("logs")
@pytest.mark.parametrize("path", ["nothing.json", "logs/*.csv", "", "logs/deep/\0", "empty"])
def test_what_names_nothing_is_an_error(path: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="Nothing is there by the name"):
        names(path)


def test_a_name_that_looks_like_a_pattern_is_a_name(logs: Path) -> None:
    (logs / "x[1].json").write_text("{}")
    assert names("logs/x[1].json") == ["x[1].json"]


def test_symbolic_links_do_not_lead_out_of_a_folder(logs: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text("{}")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/e.json").write_text("{}")
    (logs / "link.json").symlink_to(tmp_path / "secret.json")
    (logs / "linked").symlink_to(tmp_path / "outside")
    (logs / "again.json").symlink_to(logs / "b.json")
    (logs / "loop").symlink_to(logs)
    (logs / "itself").symlink_to("itself")
    assert sorted(names("logs")) == sorted([*ALL[:1], "logs/again.json", *ALL[2:]])
    assert "secret.json" not in " ".join(names("logs/**/*.json"))
    assert names("logs/link.json") == ["link.json"]  # named by a person


def test_pipes_and_sockets_are_refused(logs: Path) -> None:
    os.mkfifo(logs / "pipe")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("s")
        for path in ("logs/pipe", "s", "/dev/null"):
            with pytest.raises(UsageError, match="no file but a pipe"):
                names(path)
    assert names("logs") == ALL


def test_a_pipe_put_in_the_place_of_a_file_holds_nothing_up(logs: Path, store: EvidenceStore) -> None:
    inputs = list(expand(["logs/b.json"]))
    (logs / "b.json").unlink()
    os.mkfifo(logs / "b.json")
    with pytest.raises(SourceError, match="no file any more"):
        keep(inputs, store)


def test_files_are_kept_byte_for_byte(logs: Path, store: EvidenceStore) -> None:
    steps: list[tuple[str, int, int | None, str]] = []
    received = keep(expand(["logs"]), store, lambda *step: steps.append(step))
    assert [store.find(file.sha256).read_bytes().decode() for file in received.files] == [
        name.removeprefix("logs/") for name in ALL
    ]
    assert [file.ext for file in received.files] == [".jsonl.gz", ".json", ".log", ".json"]
    assert received.request == {"method": "import", "inputs": ALL}
    size = sum(file.size for file in received.files)
    assert (steps[-2], steps[-1]) == (("import", size, size, "bytes"), ("import", 4, 4, "files"))
    assert logs.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_says_so(logs: Path, store: EvidenceStore) -> None:
    (logs / "b.json").chmod(0)
    with pytest.raises(SourceError, match=r"b\.json cannot be read: Permission denied"):
        keep(expand(["logs"]), store)


def test_a_file_that_vanished_says_so(logs: Path, store: EvidenceStore) -> None:
    inputs = list(expand(["logs/b.json"]))
    (logs / "b.json").unlink()
    with pytest.raises(SourceError, match=r"b\.json cannot be read: No such file"):
        keep(inputs, store)
    assert list(store) == []


def test_a_file_that_grows_while_it_is_read_is_warned_of(logs: Path) -> None:
    (one,) = expand(["logs/b.json"])
    size = 0

    class Grow:
        def write(self, data: bytes) -> None:
            nonlocal size
            size += len(data)
            if size < 20:
                with (logs / "b.json").open("ab") as file:
                    file.write(b"more")

    assert one.pour(Grow()) == "b.json was written to while it was read: import it again once it is closed."


def test_hostile_names_are_labels(logs: Path, store: EvidenceStore) -> None:
    name = b"\x1b[31mred\n\xff.json"
    (logs / os.fsdecode(name)).write_bytes(b"{}")
    received = keep(expand(["logs"]), store)
    label = received.request["inputs"][0]
    assert label == "logs/\ufffd[31mred\ufffd\ufffd.json"
    assert label.isprintable()
    assert store.find(received.files[0].sha256).name == f"{received.files[0].sha256}.json"


def test_standard_input_is_welcome(store: EvidenceStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b'{"a": 1}\n')))
    received = keep(expand(["-"]), store)
    assert store.find(received.files[0].sha256).read_bytes() == b'{"a": 1}\n'
