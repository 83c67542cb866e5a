"""Every format, options on either side of a command's name, and nothing in a log that a screen or a sheet obeys."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from rich.cells import cell_len

from investigate.cli.output import write_csv
from investigate.report.text import to_json

from .conftest import run

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Filled

ROW = [
    *("actor", "actor_name", "actor_email", "actor_type", "source", "tenant", "events", "first", "last"),
    *("activities", "actions", "resources", "src_ips", "credentials"),
]
HOSTILE = "=HYPERLINK(1)\x1b[31m\u202e[bold]<b>"
LOG = {
    "eventID": "e1",
    "eventTime": "2026-11-01T10:00:00Z",
    "recipientAccountId": "1",
    "userIdentity": {"arn": HOSTILE, "userName": HOSTILE},
    "eventName": "GetObject",
    "resources": [{"ARN": "thing"}],
    "sourceIPAddress": "\x9b31m",
}


def some_object(filled: Filled) -> str:
    query = "select resources[1] as object from events where len(resources) > 0 order by object limit 1"
    return str(filled.run("sql", query, "--format", "json").data["rows"][0]["object"])


def test_who_touched_as_json_has_the_documented_keys(filled: Filled) -> None:
    found = filled.run("who-touched", some_object(filled), "--format", "json").data
    assert list(found) == ["rows", "coverage", "window", "lake_version"]
    assert list(found["rows"][0]) == ROW
    assert found["coverage"] == {"complete": True, "gaps": []}
    assert found["window"] == {"from": filled.box.at["window"]["start"], "to": filled.box.at["window"]["end"]}
    assert found["lake_version"] == 2


def test_times_are_utc_with_microseconds(filled: Filled) -> None:
    query = "select timestamptz '2026-11-01 10:00:00.000001+00' as t, timestamptz '2026-11-01 10:00:00+00' as s"
    assert filled.run("--format", "json", "sql", query).data["rows"] == [
        {"t": "2026-11-01T10:00:00.000001Z", "s": "2026-11-01T10:00:00Z"}
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--format", "json", "--case", "{case}", "lake", "info"),
        ("--case", "{case}", "lake", "--format", "json", "info"),
        ("lake", "info", "--format", "json", "--case", "{case}"),
        ("--format", "csv", "lake", "info", "--format", "json", "--case", "{case}"),
    ],
)
def test_options_stand_before_or_after_and_the_last_one_counts(filled: Filled, arguments: tuple[str, ...]) -> None:
    found = run(*(argument.format(case=filled.path) for argument in arguments)).data
    assert found["rows"][0]["events"] == 10_500


def test_both_engines_answer_alike(filled: Filled) -> None:
    answers = [
        filled.run("who-touched", some_object(filled), "--engine", engine, "--format", "json").data
        for engine in ("duckdb", "polars")
    ]
    assert answers[0] == answers[1]


def test_csv_and_parquet_and_out(filled: Filled, tmp_path: Path) -> None:
    query = "select actor, resources, time from events order by time, event_uid limit 3"
    text, binary = tmp_path / "rows.csv", tmp_path / "rows.parquet"
    in_csv = filled.run("sql", query, "--format", "csv", "--out", str(text))
    assert (in_csv.code, in_csv.out) == (0, "")
    assert "coverage  devrev/" in in_csv.err
    filled.run("sql", query, "--format", "parquet", "--out", str(binary))
    assert text.stat().st_mode & 0o777 == 0o600
    frame = pl.read_parquet(binary)
    assert [row["actor"] for row in csv.DictReader(text.read_text().splitlines())] == frame["actor"].to_list()
    assert frame.schema["time"] == pl.Datetime("us", "UTC")


def test_parquet_to_a_pipe_is_parquet(filled: Filled) -> None:
    import io as memory  # noqa: PLC0415 - beside its only use
    import sys  # noqa: PLC0415
    from contextlib import redirect_stdout  # noqa: PLC0415

    from investigate.cli import main  # noqa: PLC0415

    binary = memory.BytesIO()
    with redirect_stdout(memory.TextIOWrapper(binary, encoding="utf-8")) as wrapper:
        code = main(["--case", str(filled.path), "sql", "select 1 as one", "--format", "parquet"])
        sys.stdout.flush()
    assert (code, pl.read_parquet(memory.BytesIO(binary.getvalue()))["one"].to_list()) == (0, [1])
    wrapper.close()


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-x", "'-x"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\tx", "'\tx"),
        (-5, "-5"),
        (-1.5, "-1.5"),
        (["=a", "b"], "'=a; b"),
        (None, ""),
        (True, "true"),
    ],
)
def test_csv_starts_no_formula(value: Any, written: str) -> None:
    stream = io.StringIO()
    write_csv(["v"], [[value]], stream)
    assert next(iter(list(csv.reader(io.StringIO(stream.getvalue())))[1:]), [""]) in (
        [written],
        [""] if written else [],
    )


def test_json_is_plain_ascii_whatever_a_log_says() -> None:
    text = to_json({"v": HOSTILE + "\x7f\x9b", "n": float("nan")})
    assert text.isascii()
    assert not any(ord(character) < 0x20 or ord(character) == 0x7F for character in text)
    assert json.loads(text) == {"v": HOSTILE + "\x7f\x9b", "n": None}


@pytest.mark.parametrize(
    "arguments",
    [
        ("who-touched", "thing"),
        ("sql", "select * from events"),
        ("sql", "select actor, src_ip from events"),
        ("evidence", "list"),
    ],
)
def test_a_hostile_log_has_no_say_over_the_terminal(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    log = tmp_path / "\x1b[2Jlog.json"
    log.write_text(json.dumps(LOG) + "\n")
    case = str(tmp_path / "case")
    taken = run("import", str(log), "--profile", "cloudtrail", "--case", case)
    assert taken.line("received") == "received 1 = stored 1 + duplicate 0 + rejected 0"
    shown = run(*arguments, "--case", case)
    for text in (taken.out, taken.err, shown.out, shown.err):
        assert not set(text) & {"\x1b", "\u202e", "\x9b"}
    assert "[bold]" in shown.out or arguments[0] == "evidence"


def test_a_narrow_terminal_still_reads(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = filled.run("who-touched", some_object(filled))
    table, coverage = shown.out.split("coverage  coderabbit/default", 1)
    assert max(map(cell_len, table.splitlines())) <= 80
    assert "complete" in coverage
