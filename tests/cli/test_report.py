"""`report`, `bundle` and `evidence verify --bundle`, as a person types them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from typing import TYPE_CHECKING

import pytest

from .conftest import SECRETS, process, run

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Filled

QUERY = "select unnest(resources) as id, count(*) as n from events group by id order by n desc, id limit 2"


@pytest.fixture(scope="module")
def objects(filled: Filled) -> list[str]:
    return [row["id"] for row in filled.run("sql", QUERY, "--format", "json").data["rows"]]


def test_a_report_is_a_page_and_says_what_it_claims(filled: Filled, objects: list[str], tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    asked = ("--resource", objects[0], "--resource", "-", "--question", "Who saw <these>?")
    ran = filled.run("report", *asked, "--out", str(path), "--format", "json", stdin=objects[1] + "\n")
    assert ran.code == 0, ran.err
    (row,) = ran.data["rows"]
    assert (row["path"], row["form"]) == (str(path), "html")
    assert row["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert "touched the 2 objects asked about" in row["claims"][0]
    assert ran.data["coverage"]["complete"] is True
    page = path.read_text(encoding="utf-8")
    assert "Who saw &lt;these&gt;?" in page
    assert not [beginning for beginning in SECRETS if beginning in page]


def test_without_a_file_it_goes_to_standard_output(filled: Filled, objects: list[str]) -> None:
    page = filled.run("report", "--resource", objects[0])
    assert page.out.startswith("<!doctype html>")
    events = filled.run("report", "--resource", objects[0], "--as", "jsonl")
    assert all(objects[0] in json.loads(line)["resources"] for line in events.out.splitlines())
    rows = list(csv.DictReader(io.StringIO(filled.run("report", "--resource", objects[0], "--as", "csv").out)))
    assert len(rows) == len(events.out.splitlines())


def test_strict_is_told_by_the_coverage(filled: Filled, tmp_path: Path) -> None:
    path = ("--out", str(tmp_path / "r.md"))
    assert filled.run("report", "--strict", *path).code == 0
    ran = filled.run("report", "--from", "2020-01-01", "--to", "2020-01-02", "--strict", *path)
    assert ran.code == 3
    assert "No event lies in the window." in ran.out
    assert "never collected" in ran.out


def test_a_bundle_is_checked_where_there_is_no_case(filled: Filled, objects: list[str], tmp_path: Path) -> None:
    path = tmp_path / "b.zip"
    made = filled.run("bundle", "--resource", objects[0], "--at", "2026-11-22T12:00:00Z", "--out", str(path))
    assert made.code == 0, made.err
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert made.line("sha256").endswith(digest)
    (tmp_path / "elsewhere").mkdir()
    checked = process("evidence", "verify", "--bundle", "../b.zip", cwd=tmp_path / "elsewhere")
    assert checked.code == 0, checked.err
    assert "all as recorded" in checked.out
    assert digest in checked.out
    assert list((tmp_path / "elsewhere").iterdir()) == []
    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda member: member.compress_size)
    data = bytearray(path.read_bytes())
    data[largest.header_offset + largest.compress_size // 2] ^= 1  # no byte of its header, which holds no content
    path.write_bytes(data)
    again = run("evidence", "verify", "--bundle", str(path), "--format", "json")
    assert again.code == 1
    assert "Error: " in again.err


def test_subject_access_in_both_forms(filled: Filled, objects: list[str], tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    ran = filled.run("report", "--subject-access", objects[0], "--out", str(path))
    assert ran.code == 0, ran.err
    assert "accesses to the data of" in ran.out
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["kind"] for row in rows} == {"coverage", "access"}
    assert {row["note"] for row in rows if row["kind"] == "coverage"} == {"complete"}
    assert filled.run("report", "--subject-access", objects[0], "--out", str(tmp_path / "a.html")).code == 0


def test_redaction_takes_its_key_from_a_file(filled: Filled, objects: list[str], tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("0123456789abcdef0123456789abcdef\n")
    more = ("--redact", "names,emails,ips=drop", "--redaction-key-file", str(key), "--out", str(tmp_path / "r.jsonl"))
    ran = filled.run("report", "--resource", objects[0], *more)
    assert ran.code == 0, ran.err
    rows = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert {row["src_ip"] for row in rows} <= {"[ip removed]", None}
    names = {row["actor_name"] for row in rows} - {None, "System"}  # nobody's name
    assert all(name.startswith("name-") for name in names)
    assert key.read_text().strip() not in ran.out + ran.err + (tmp_path / "r.jsonl").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("bundle",), "A bundle goes to a file."),
        (("report", "--out", "x.docx"), "tells no form of a report"),
        (("report", "--redaction-key-file", "key"), "nothing to redact"),
        (("report", "--redact", "people", "--out", "x.html"), "nothing that can be redacted"),
        (("report", "--at", "yesterday", "--out", "x.html"), "Not a time"),
        (("bundle", "--out", "x.zip", "--upload", "https://x/y"), "no place for a bundle"),
        (("bundle", "--out", "x.zip", "--retain", "forever"), "no time to retain"),
        (("report", "--rules", "x", "--out", "x.html"), "no audit to run them in"),
        (("report", "--tag", "secret", "--out", "x.html"), "classification.csv"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(
    filled: Filled, arguments: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = filled.run(*arguments)
    assert ran.code == 2, ran.err
    assert said in ran.err
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_bundle_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "b.zip").write_bytes(b"PK no")
    ran = run("evidence", "verify", "--bundle", str(tmp_path / "b.zip"))
    assert ran.code == 1
    assert "is no sound zip" in ran.err
