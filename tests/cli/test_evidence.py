"""The way back to the bytes: each event's record out of its evidence file, and a flipped bit found and named."""

from __future__ import annotations

import gzip
import json
import shutil
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Filled

RECORDS: list[dict[str, Any]] = [
    {"eventID": f"e{number}", "eventTime": f"2026-11-01T10:00:{number:02d}Z", "recipientAccountId": "1", "n": number}
    for number in range(20)
]


def lines(path: Path) -> None:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in RECORDS))


def listed(path: Path) -> None:
    path.write_text(json.dumps(RECORDS, indent=1))


def wrapped(path: Path) -> None:
    path.write_text(json.dumps({"Records": RECORDS}))


def packed(path: Path) -> None:
    path.write_bytes(gzip.compress(json.dumps({"Records": RECORDS}).encode()))


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in (("a.json", RECORDS[:7]), ("b.json", RECORDS[7:])):
            archive.writestr(name, json.dumps({"Records": part}))


@pytest.mark.parametrize("write", [lines, listed, wrapped, packed, zipped])
def test_show_cuts_the_record_out_of_any_container(write: Callable[[Path], None], tmp_path: Path) -> None:
    log = tmp_path / "log"
    write(log)
    case = ("--case", str(tmp_path / "case"))
    assert run("import", str(log), "--profile", "cloudtrail", *case).code == 0
    for uid in ("e0", "e6", "e7", "e19"):
        shown = run("evidence", "show", uid, *case)
        assert shown.code == 0, shown.err
        assert json.loads(shown.out) == RECORDS[int(uid[1:])]
        assert "verified         True" in shown.err
        assert "equal            True" in shown.err


@pytest.mark.parametrize("source", ["devrev", "coderabbit"])
def test_show_of_each_vendor_has_the_documented_keys(filled: Filled, source: str) -> None:
    columns = "event_uid, raw, evidence, evidence_record"
    query = f"select {columns} from events where source = '{source}' order by hash(event_uid)"
    for row in filled.run("sql", f"{query} limit 5", "--format", "json").data["rows"]:
        shown = filled.run("evidence", "show", row["event_uid"], "--source", source, "--format", "json").data
        assert (shown["raw"], shown["evidence"], shown["evidence_record"]) == tuple(list(row.values())[1:])
        assert (shown["verified"], shown["equal"]) == (True, True)
        assert shown["ledger"] in {1, 2}


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("profile", "pattern", "records"),
    [("cloudtrail", "cloudtrail_stratus/CloudTrail", 2900), ("google_workspace", "google_workspace/*.json", 325)],
)
def test_show_of_real_logs(corpus: Path, tmp_path: Path, profile: str, pattern: str, records: int) -> None:
    case = ("--case", str(tmp_path / "case"), "--format", "json")
    taken = run("import", str(corpus / pattern), "--profile", profile, *case).data
    assert (taken["records"], taken["rejected"]) == (records, 0)
    assert run("import", str(corpus / pattern), "--profile", profile, *case).data["stored"] == 0
    rows = run("sql", "select event_uid, raw from events order by hash(event_uid) limit 8", *case).data["rows"]
    for row in rows:
        shown = run("evidence", "show", row["event_uid"], *case).data
        assert (shown["raw"], shown["equal"]) == (row["raw"], True)


@pytest.fixture
def copied(filled: Filled, tmp_path: Path) -> Path:
    """A copy of the filled case, to be spoilt."""
    return shutil.copytree(filled.path, tmp_path / "copy")


def spoil(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(0o444)


def test_verify_says_all_is_as_recorded(filled: Filled) -> None:
    ran = filled.run("evidence", "verify")
    assert ran.code == 0
    assert ran.out.startswith("2 files, ")
    assert ran.out.endswith("2 lines of the ledger verified: all as recorded\n")
    assert filled.run("evidence", "verify", "--format", "json").data["ok"] is True


def test_a_flipped_bit_is_named_and_nothing_is_shown_from_it(copied: Path) -> None:
    case = ("--case", str(copied))
    query = "select evidence, min(event_uid) as uid from events where source = 'coderabbit' group by evidence"
    (row,) = run("sql", query, *case, "--format", "json").data["rows"]
    spoil(next(copied.glob(f"evidence/sha256/*/{row['evidence']}*")))
    ran = run("evidence", "verify", *case)
    assert ran.code == 1
    assert row["evidence"] in ran.out
    assert "NOT as recorded" in ran.out
    (finding,) = run("evidence", "verify", *case, "--format", "json").data["rows"]
    assert (finding["severity"], finding["kind"]) == ("error", "changed")
    shown = run("evidence", "show", row["uid"], *case)
    assert (shown.code, shown.out) == (1, "")
    assert "was changed" in shown.err


def test_a_lost_line_of_the_ledger_is_found(copied: Path) -> None:
    ledger = copied / "evidence" / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes().splitlines(keepends=True)[0])
    ran = run("evidence", "verify", "--case", str(copied), "--format", "json")
    assert ran.code == 1
    assert {row["kind"] for row in ran.data["rows"]} >= {"ledger_removed"}
    assert run("doctor", "--case", str(copied)).code == 1


def test_list_is_the_ledger(filled: Filled) -> None:
    rows = filled.run("evidence", "list", "--format", "json").data["rows"]
    assert [(row["seq"], row["kind"], row["files"]) for row in rows] == [(1, "devrev", 1), (2, "coderabbit", 1)]
    assert rows[0]["request"].startswith("GET http://127.0.0.1:")
    assert "?" not in rows[0]["request"]
    assert len(filled.run("evidence", "list", "--format", "csv").out.splitlines()) == 3
    assert "coderabbit coderabbit" in filled.run("evidence", "list").out


def test_an_empty_case_says_that_nothing_was_collected(tmp_path: Path) -> None:
    case = ("--case", str(tmp_path / "case"))
    assert "nothing was ever collected" in run("evidence", "verify", *case).out
    assert "nothing was ever collected" in run("evidence", "list", *case).out
