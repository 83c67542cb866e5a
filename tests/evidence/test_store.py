"""Only whole files ever lie under `sha256/`, whoever dies, whoever else writes, whatever was planted."""

import contextlib
import errno
import hashlib
import os
import random
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from investigate.errors import EvidenceError
from investigate.evidence import EvidenceFile, EvidenceStore
from investigate.evidence.files import clean_ext, clean_name

KEY = "ab" * 32
MIB = 2**20


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def temporary(store: EvidenceStore) -> list[str]:
    return sorted(path.name for path in (store.root / ".incoming").iterdir())


@pytest.fixture
def store(tmp_path: Path) -> EvidenceStore:
    return EvidenceStore(tmp_path / "evidence")


# Keeping


def test_bytes_are_kept_as_they_came_under_their_hash(store: EvidenceStore) -> None:
    data = bytes(range(256)) * 9000
    kept = store.keep_stream([data[:1], b"", data[1:]], "logs/2026/audit.jsonl.gz", ".jsonl.gz")
    assert kept == EvidenceFile(sha(data), len(data), "audit.jsonl.gz", ".jsonl.gz")
    path = store.find(kept.sha256)
    assert path == store.root / "sha256" / kept.sha256[:2] / f"{kept.sha256}.jsonl.gz"
    with store.open(kept.sha256) as file:
        assert file.read() == data
    assert list(store) == [(kept.sha256, path)]


def test_files_are_read_only_and_folders_private(store: EvidenceStore) -> None:
    with store.resume(KEY, "a") as incoming:
        incoming.write(b"x")
        incoming.note(etag="1")
        assert {mode(path) for path in (store.root / ".incoming").iterdir()} == {0o600}
        kept = incoming.commit()
    path = store.find(kept.sha256)
    assert mode(path) == 0o444
    assert {mode(folder) for folder in (store.root, path.parent, path.parent.parent)} == {0o700}
    assert temporary(store) == []


def test_the_same_bytes_are_kept_once_with_the_first_extension(store: EvidenceStore) -> None:
    first = store.keep_bytes(b"same", "a.json", ".json")
    second = store.keep_bytes(b"same", "b.zip", ".zip")
    assert second == EvidenceFile(first.sha256, 4, "b.zip", ".json")
    assert len(list(store)) == 1
    assert temporary(store) == []


def test_bytes_are_not_taken_for_kept_when_the_file_there_was_changed(store: EvidenceStore) -> None:
    path = store.find(store.keep_bytes(b"same", "a").sha256)
    path.chmod(0o600)
    path.write_bytes(b"sane")
    with pytest.raises(EvidenceError, match="does not hold these bytes"):
        store.keep_bytes(b"same", "a")
    assert temporary(store) == []


def test_a_stream_that_breaks_leaves_nothing(store: EvidenceStore) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        store.keep_stream(broken(), "a")
    assert temporary(store) == []
    assert list(store) == []


def test_every_kept_file_is_listed_in_order(store: EvidenceStore) -> None:
    kept = [store.keep_bytes(str(number).encode(), "a").sha256 for number in range(20)]
    assert [sha256 for sha256, _ in store] == sorted(kept)


# Finding


@pytest.mark.parametrize("hostile", ["", "../ledger.jsonl", "ab", "A" * 64, "a" * 63 + "/", "a" * 64 + "\n"])
def test_only_a_hash_is_looked_for(store: EvidenceStore, hostile: str) -> None:
    with pytest.raises(EvidenceError, match="Not a SHA-256"):
        store.find(hostile)


def test_what_is_missing_is_said_to_be(store: EvidenceStore) -> None:
    store.keep_bytes(b"x", "a")
    with pytest.raises(EvidenceError, match="missing") as caught:
        store.find("0" * 64)
    assert "evidence verify" in caught.value.hint


@given(st.text())
def test_a_label_is_printable_short_and_no_path(name: str) -> None:
    clean = clean_name(name)
    assert clean
    assert clean.isprintable()
    assert len(clean) <= 200
    assert not set("/\\") & set(clean)


@given(st.text() | st.text(".abcXYZ09/-", max_size=30))
def test_an_extension_is_dots_letters_and_digits(ext: str) -> None:
    clean = clean_ext(ext)
    assert clean == "" or (clean[0] == "." and len(clean) <= 20 and clean[-1] != ".")
    assert set(clean) <= set(".abcdefghijklmnopqrstuvwxyz0123456789")
    assert ".." not in clean
    assert clean_ext(clean) == clean


def test_a_label_holds_no_presigned_query() -> None:
    assert clean_name("https://h/exports/log.gz?X-Amz-Signature=abc") == "log.gz?[redacted]"


# Resuming


def test_a_download_goes_on_where_it_stopped(store: EvidenceStore) -> None:
    with store.resume(KEY, "a", ".json") as incoming:
        incoming.note(etag='"1"', length="8")
        incoming.write(b"1234")
    with store.resume(KEY, "a", ".json") as incoming:
        assert incoming.size == 4
        assert incoming.notes() == {"etag": '"1"', "length": "8"}
        incoming.write(b"5678")
        kept = incoming.commit()
    assert kept.sha256 == sha(b"12345678")
    with store.resume(KEY, "a", ".json") as incoming:
        assert (incoming.size, incoming.notes()) == (0, {})
        incoming.abandon()
    assert temporary(store) == []


def test_starting_over_forgets_the_bytes(store: EvidenceStore) -> None:
    with store.resume(KEY, "a") as incoming:
        incoming.write(b"wrong beginning")
        incoming.truncate()
        incoming.note(etag="2")
        incoming.write(b"right")
        assert incoming.size == 5
        assert incoming.commit().sha256 == sha(b"right")


def test_one_download_of_a_link_at_a_time(store: EvidenceStore) -> None:
    with store.resume(KEY, "a"), pytest.raises(EvidenceError, match="Another download of this link is under way"):
        store.resume(KEY, "a").__enter__()
    with store.resume(KEY, "a") as incoming:
        assert incoming.size == 0


def test_a_crash_between_chmod_and_rename_can_be_resumed(store: EvidenceStore) -> None:
    with store.resume(KEY, "a") as incoming:
        incoming.write(b"all")
    (store.root / ".incoming" / f"k-{KEY}.part").chmod(0o444)
    with store.resume(KEY, "a") as incoming:
        assert incoming.commit().sha256 == sha(b"all")


def test_damaged_notes_are_none(store: EvidenceStore) -> None:
    with store.resume(KEY, "a") as incoming:
        incoming.write(b"x")
    for damage in (b"", b"{", b"[1]", b"\xff"):
        (store.root / ".incoming" / f"k-{KEY}.json").write_bytes(damage)
        with store.resume(KEY, "a") as incoming:
            assert incoming.notes() == {}


@pytest.mark.parametrize("key", ["", "../../x", "ab", "G" * 64, "a" * 129])
def test_a_key_is_a_digest(store: EvidenceStore, key: str) -> None:
    with pytest.raises(EvidenceError, match="Not a key"):
        store.resume(key, "a")


# Sweeping


def test_a_sweep_takes_what_no_process_holds(store: EvidenceStore) -> None:
    with store.resume(KEY, "a") as incoming:
        incoming.write(b"kept for now")
    folder = store.root / ".incoming"
    (folder / "r-00.part").write_bytes(b"left by a crash")
    (folder / "k-00.lock").touch()
    (folder / "notes of a person.txt").touch()
    with store.receive("b") as alive:
        assert store.sweep(timedelta(days=1)) == 1
        alive.write(b"still here")
        assert alive.commit().size == 10
    assert temporary(store) == [f"k-{KEY}.lock", f"k-{KEY}.part", "notes of a person.txt"]
    os.utime(folder / f"k-{KEY}.part", (0, 0))
    assert store.sweep(timedelta(days=1)) == 1
    assert temporary(store) == ["notes of a person.txt"]


def test_sweeping_a_store_that_is_not_there_does_nothing(store: EvidenceStore) -> None:
    assert store.sweep(timedelta(0)) == 0
    assert not store.root.exists()


# What was planted


@pytest.mark.parametrize("planted", ["", ".incoming", "sha256", "sha256/9f"])
def test_no_folder_is_written_through_a_link(store: EvidenceStore, tmp_path: Path, planted: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = store.root / planted
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(elsewhere)
    with pytest.raises(EvidenceError, match="is not written through"):
        store.keep_bytes(b"test", "a")  # its SHA-256 begins with 9f
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("suffix", [".part", ".json", ".json.tmp", ".lock"])
def test_no_temporary_file_is_written_through_a_link(store: EvidenceStore, tmp_path: Path, suffix: str) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    (store.root / ".incoming").mkdir(parents=True)
    (store.root / ".incoming" / f"k-{KEY}{suffix}").symlink_to(victim)
    with contextlib.suppress(EvidenceError), store.resume(KEY, "a") as incoming:
        incoming.write(b"x")
        incoming.note(etag="1")
    assert victim.read_bytes() == b"untouched"
    assert mode(victim) != 0o600


def test_no_temporary_file_is_written_through_a_hard_link(store: EvidenceStore) -> None:
    path = store.find(store.keep_bytes(b"evidence", "a").sha256)
    os.link(path, store.root / ".incoming" / f"k-{KEY}.part")
    with pytest.raises(EvidenceError, match="no plain file"):
        store.resume(KEY, "a").__enter__()
    assert path.read_bytes() == b"evidence"
    assert mode(path) == 0o444


def test_evidence_replaced_by_a_link_is_not_read(store: EvidenceStore, tmp_path: Path) -> None:
    kept = store.keep_bytes(b"evidence", "a")
    path = store.find(kept.sha256)
    path.unlink()
    (tmp_path / "same").write_bytes(b"evidence")
    path.symlink_to(tmp_path / "same")
    with pytest.raises(EvidenceError, match="replaced"):
        store.open(kept.sha256)
    with pytest.raises(EvidenceError, match="does not hold these bytes"):
        store.keep_bytes(b"evidence", "a")


# What goes wrong


@pytest.mark.parametrize("call", ["write", "fsync"])
@pytest.mark.parametrize("resumable", [False, True])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    store: EvidenceStore, monkeypatch: pytest.MonkeyPatch, call: str, resumable: bool
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with store.resume(KEY, "a") if resumable else store.receive("a") as incoming:
        incoming.write(b"first")
        monkeypatch.setattr(os, call, full)
        attempt = partial(incoming.write, b"x") if call == "write" else incoming.commit
        with pytest.raises(EvidenceError, match="No space is left") as caught:
            attempt()
        monkeypatch.undo()
    assert "Free space" in caught.value.hint
    assert temporary(store) == []
    assert list(store) == []


def test_a_write_that_takes_only_part_goes_on(store: EvidenceStore, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, data[:3]))
    kept = store.keep_bytes(b"more than three bytes", "a")
    assert store.find(kept.sha256).read_bytes() == b"more than three bytes"


# Others at work


def test_many_threads_may_keep_the_same_bytes(store: EvidenceStore) -> None:
    chunks = [b"x" * 1000] * 50
    start = threading.Barrier(8)
    kept: list[EvidenceFile] = []

    def keep() -> None:
        start.wait()
        kept.append(store.keep_stream(chunks, "a", ".json"))

    threads = [threading.Thread(target=keep) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kept == [EvidenceFile(sha(b"".join(chunks)), 50_000, "a", ".json")] * 8
    assert len(list(store)) == 1
    assert temporary(store) == []


WRITER = """
import random, sys
from pathlib import Path
from investigate.evidence import EvidenceStore
store, key = EvidenceStore(Path(sys.argv[1])), sys.argv[2]
print("ready", flush=True)
for number in range(10**9):
    data = random.Random(number).randbytes(200_000)
    store.keep_stream([data[at:at + 8192] for at in range(0, len(data), 8192)], "a", ".bin")
    with store.resume(key, "b", ".bin") as incoming:
        incoming.note(number=str(number))
        for at in range(incoming.size, len(data), 8192):
            incoming.write(data[at:at + 8192])
        if number % 2:
            incoming.commit()
        else:
            incoming.truncate()
"""


def test_a_killed_process_leaves_only_whole_files(store: EvidenceStore) -> None:
    dice = random.Random(7)  # noqa: S311 - moments, not keys
    for _ in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, store.root, KEY],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            # Spin, not sleep: the moment of death differs by how many times the folder could be listed.
            for _ in range(dice.randrange(400)):
                list(store.walk())
            process.send_signal(signal.SIGKILL)
        for sha256, path in store:
            assert sha(path.read_bytes()) == sha256
            assert mode(path) == 0o444
    with store.resume(KEY, "b") as incoming:
        part = store.root / ".incoming" / f"k-{KEY}.part"
        assert incoming.size == part.stat().st_size
        data = part.read_bytes()
        assert incoming.commit().sha256 == sha(data)
    store.sweep(timedelta(0))
    assert temporary(store) == []
    assert list(store)
