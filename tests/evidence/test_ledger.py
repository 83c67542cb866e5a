"""The ledger: what stands in a line, how lines hang together, and what a crash may leave."""

import errno
import hashlib
import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from investigate.errors import EvidenceError
from investigate.evidence import Entry, EvidenceFile, Head, Ledger

FILE = EvidenceFile("a" * 64, 7, "audit.jsonl", ".jsonl")
NOW = datetime(2026, 11, 3, 14, 0, 0, 5, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "evidence" / "ledger.jsonl")


def add(ledger: Ledger, acquisition: str = "a1", **changes: Any) -> Entry:
    fields = {
        "kind": "devrev",
        "source": "devrev",
        "request": {"method": "GET", "url": "https://h/log.gz"},
        "response": {"status": 200, "etag": '"x"'},
        "files": [FILE],
        "window": {"from": "2026-11-01T00:00:00Z", "to": "2026-11-02T00:00:00Z"},
        "filter": {"operation_types": ["read"]},
        "time": NOW,
    }
    return ledger.append(acquisition=acquisition, **(fields | changes))


def test_a_line_says_who_got_what_when_how_and_what_was_before(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVESTIGATE_OPERATOR", "Ada (IR)")
    entry = add(ledger, note="größer", extra={"pages": 3})
    line = ledger.path.read_bytes()
    assert line.endswith(b"\n")
    fields = json.loads(line)
    assert fields | {"tool": ""} == {
        "seq": 1,
        "prev": "0" * 64,
        "time": "2026-11-03T14:00:00.000005Z",
        "tool": "",
        "operator": "Ada (IR)",
        "acquisition": "a1",
        "kind": "devrev",
        "source": "devrev",
        "request": {"method": "GET", "url": "https://h/log.gz"},
        "response": {"status": 200, "etag": '"x"'},
        "files": [{"sha256": "a" * 64, "size": 7, "name": "audit.jsonl", "ext": ".jsonl"}],
        "size": 7,
        "window": {"from": "2026-11-01T00:00:00Z", "to": "2026-11-02T00:00:00Z"},
        "filter": {"operation_types": ["read"]},
        "note": "größer",
        "extra": {"pages": 3},
    }
    assert fields["tool"].startswith("investigate ")
    assert list(fields) == sorted(fields)
    assert entry.sha256 == hashlib.sha256(line[:-1]).hexdigest()
    assert (entry.time, entry.files, entry.note) == (NOW, (FILE,), "größer")


def test_the_operator_is_user_and_host_unless_named(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INVESTIGATE_OPERATOR", raising=False)
    monkeypatch.setenv("LOGNAME", "grace")
    assert add(ledger).operator == f"grace@{os.uname().nodename}"


def test_each_line_holds_the_hash_of_the_line_before(ledger: Ledger) -> None:
    assert ledger.head() == Head(0, "0" * 64)
    written = [add(ledger, f"a{number}") for number in range(5)]
    assert [entry.prev for entry in written] == ["0" * 64, *(entry.sha256 for entry in written[:-1])]
    assert list(ledger.entries()) == written
    assert list(ledger.entries(after=3)) == written[3:]
    assert ledger.head() == Head(5, written[-1].sha256)
    assert stat.S_IMODE(ledger.path.stat().st_mode) == 0o600


def test_long_lines_are_found_from_the_end(ledger: Ledger) -> None:
    for size in (1, 65_535, 200_000, 65_536, 10):
        entry = add(ledger, extra={"x": "é" * size})
        assert ledger.head().sha256 == entry.sha256
    assert ledger.head().lines == 5


def test_no_secret_reaches_a_line(ledger: Ledger) -> None:
    add(
        ledger,
        request={
            "headers": {"Authorization": "Bearer SSSS", "x-coderabbitai-api-key": "SSSS"},
            "url": "https://b.s3.amazonaws.com/k?X-Amz-Credential=SSSS&X-Amz-Signature=SSSS",
        },
        response={"location": "/k?X-Amz-Security-Token=SSSS"},
        note="with bearer SSSS",
        extra={"token": "SSSS"},
        source="https://u:SSSS@h/",
    )
    assert b"SSSS" not in ledger.path.read_bytes()


def test_what_no_utf8_holds_is_replaced(ledger: Ledger) -> None:
    entry = add(ledger, response={"bad \ud800": float("nan")}, source="\udfff")
    assert entry.response == {"bad \ufffd": "nan"}
    assert list(ledger.entries()) == [entry]


# Crashes


@pytest.mark.parametrize("cut", [1, 2, 10, 100, 500])
def test_a_torn_last_line_is_cut_off_before_the_next(ledger: Ledger, cut: int) -> None:
    first, second = add(ledger, "a1"), add(ledger, "a2")
    whole = ledger.path.read_bytes()
    ledger.path.write_bytes(whole[:-cut])
    if cut == 1:  # only the line end is missing: the line was written whole
        assert ledger.head() == Head(2, second.sha256)
        third = add(ledger, "a3")
        assert [entry.acquisition for entry in ledger.entries()] == ["a1", "a2", "a3"]
        assert third.prev == second.sha256
    else:
        assert ledger.head() == Head(1, first.sha256)
        assert list(ledger.entries()) == [first]
        again = add(ledger, "a2")
        assert again == second
        assert ledger.path.read_bytes() == whole


def test_a_torn_first_line_is_cut_off_too(ledger: Ledger) -> None:
    add(ledger)
    whole = ledger.path.read_bytes()
    ledger.path.write_bytes(whole[:20])
    add(ledger)
    assert ledger.path.read_bytes() == whole


def test_a_full_disk_leaves_the_ledger_as_it_was(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    add(ledger)
    before = ledger.path.read_bytes()
    write = os.write

    def half(handle: int, data: memoryview) -> int:
        if len(data) < 300:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(handle, data[:300])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(EvidenceError, match="No space is left"):
        add(ledger)
    assert ledger.path.read_bytes() == before


# Refusals


@pytest.mark.parametrize("damage", [b"\n", b"no json\n", b"{}\n", b"\xff\n", b"[1]\n", b"null\n"])
def test_nothing_is_added_behind_a_line_that_is_none(ledger: Ledger, damage: bytes) -> None:
    add(ledger)
    with ledger.path.open("ab") as file:
        file.write(damage)
    before = ledger.path.read_bytes()
    with pytest.raises(EvidenceError, match="last line of the ledger is no entry"):
        add(ledger)
    with pytest.raises(EvidenceError, match="Line 2 of the ledger is no entry"):
        list(ledger.entries())
    assert ledger.path.read_bytes() == before


def test_nothing_is_added_to_a_ledger_the_journal_does_not_know(ledger: Ledger) -> None:
    heads = [add(ledger, f"a{number}") and ledger.head() for number in range(3)]
    whole = ledger.path.read_bytes()
    ledger.path.write_bytes(b"".join(whole.splitlines(keepends=True)[:2]))
    with pytest.raises(EvidenceError, match="no line 3 as the journal knows it"):
        add(ledger, known=heads[2])
    with pytest.raises(EvidenceError, match="no line 2 as the journal knows it"):
        add(ledger, known=(2, "b" * 64))
    assert add(ledger, known=heads[1]).seq == 3


def test_a_ledger_one_line_ahead_of_the_journal_is_added_to(ledger: Ledger) -> None:
    add(ledger)
    known = ledger.head()
    add(ledger)
    assert add(ledger, known=known).seq == 3
    assert add(ledger, known=(0, "0" * 64)).seq == 4


def test_no_line_is_written_through_a_link(ledger: Ledger, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"")
    ledger.path.parent.mkdir()
    ledger.path.symlink_to(victim)
    with pytest.raises(EvidenceError):
        add(ledger)
    assert victim.read_bytes() == b""


FIELDS = {"seq": True, "time": "2026-11-03T14:00:00", "size": 8, "files": [{}], "window": [], "prev": "x", "more": 1}


@pytest.mark.parametrize(("name", "value"), FIELDS.items())
def test_a_line_of_another_form_is_no_entry(ledger: Ledger, name: str, value: object) -> None:
    add(ledger)
    fields = json.loads(ledger.path.read_bytes()) | {name: value}
    line = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    ledger.path.write_bytes(line + b"\n")
    with pytest.raises(EvidenceError, match="Line 1 of the ledger is no entry"):
        list(ledger.entries())
