"""The chain of an investigation from the command line, on a case with the logs of both vendors."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from investigate.events import parse_time

from .conftest import run
from .test_output import some_object

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Filled


def busiest(filled: Filled) -> dict[str, Any]:
    query = (
        "select actor, min(credential) as credential, min(activity) as activity from events"
        " where credential is not null group by actor order by count(*) desc, actor limit 1"
    )
    row: dict[str, Any] = filled.run("sql", query, "--format", "json").data["rows"][0]
    return row


def commands(filled: Filled) -> dict[str, tuple[str, ...]]:
    who = busiest(filled)
    start, end = filled.box.window[1], filled.box.window[3]
    last = (parse_time(end) - timedelta(days=1)).isoformat()
    return {
        "activity": ("activity", who["actor"], "--baseline", start, end),
        "pivot": ("pivot", who["actor"]),
        "search": ("search", "DON:CORE", "--most", "5"),
        "blast-radius": ("blast-radius", who["credential"], "--depth", "1"),
        "timeline": ("timeline", "--actor", who["actor"], "--activity", who["activity"], "--most", "20"),
        "identities": ("identities",),
        "compare": ("compare", "--from", last, "--to", end, "--baseline", start, last, "--actor", who["actor"]),
    }


NAMES = ("activity", "pivot", "search", "blast-radius", "timeline", "identities", "compare")


@pytest.mark.parametrize("name", NAMES)
def test_every_question_gives_rows_with_coverage_and_version_alike_on_both_engines(filled: Filled, name: str) -> None:
    asked = commands(filled)[name]
    first = filled.run(*asked, "--format", "json").data
    assert first["rows"]
    assert {"complete", "gaps"} == set(first["coverage"])
    again = filled.run(*asked, "--format", "json", "--engine", "polars", "--lake-version", str(first["lake_version"]))
    assert again.data["rows"] == first["rows"]
    table = filled.run(*asked)
    assert (table.code, "coverage  devrev/" in table.out) == (0, True)
    assert filled.run(*asked, "--lake-version", "999").code == 2


def test_an_engine_that_is_none_is_wrong_usage(filled: Filled) -> None:
    """`tests/case/test_spark.py` asks the command line on Spark."""
    wrong = filled.run("who-touched", some_object(filled), "--engine", "spark=cluster:15002")
    assert (wrong.code, wrong.err.splitlines()[1]) == (2, "Write spark=sc://host:port.")


def test_tables_that_belong_to_an_answer_stand_beside_its_rows(filled: Filled) -> None:
    asked = commands(filled)
    assert filled.run(*asked["activity"], "--format", "json").data["sessions"]
    assert filled.run(*asked["blast-radius"], "--format", "json").data["nodes"]
    people = filled.run(*asked["identities"], "--format", "json").data
    assert {row["actor_type"] for row in people["machines"]} <= {"bot", "service", "system"}
    cut = filled.run(*asked["search"], "--format", "csv")
    assert len(cut.out.splitlines()) == 6
    assert "note  a scan" in cut.err
    assert "note  of machines and suggestions only --format json has the rows" in (
        filled.run("identities", "--format", "csv").err.splitlines()
    )
    shown = filled.run(*asked["activity"]).out.splitlines()
    assert shown[shown.index("sessions") - 1] == ""
    assert shown[-1].startswith("lake  version ")


def test_a_slip_of_the_pen_is_answered_with_what_was_meant(filled: Filled) -> None:
    name = some_object(filled)
    slip = name[:-4] + "x" + name[-4:]
    found = filled.run("who-touched", slip)
    assert "did you mean" in found.out
    assert filled.run("who-touched", slip, "--format", "json").data["suggestions"]


def test_who_touched_by_pattern_rank_and_containment(filled: Filled) -> None:
    name = some_object(filled)
    pattern = name.rpartition("/")[0] + "/*"
    end = filled.box.window[3]
    ranked = filled.run(
        "who-touched", pattern, "--rank", "exposure", "--contained", end, "--matrix", "--format", "json"
    ).data
    objects = [row["objects"] for row in ranked["rows"]]
    assert objects == sorted(objects, reverse=True)
    assert len(ranked["matrix"]) == sum(objects)
    assert {row["after"] for row in ranked["rows"]} == {0}
    assert filled.run("who-touched", pattern, "--literal", "--format", "json").data["rows"] == []
    assert filled.run("who-touched").code == 2
    start = filled.box.window[1]
    during = filled.run("who-touched", pattern, "--contained", start, "--contained-to", end, "--format", "json").data
    assert all((row["before"], row["during"], row["after"]) == (0, row["events"], 0) for row in during["rows"])
    assert filled.run("who-touched", pattern, "--contained-to", end).code == 2


def test_an_accepted_identity_counts_in_every_question(filled: Filled, tmp_path: Path) -> None:
    path = tmp_path / "case"
    shutil.copytree(filled.path, path)
    actor = busiest(filled)["actor"]
    said = run(
        *("--case", str(path), "identities", "--accept", "Ann Ash", "devrev", actor),
        *("--also", "coderabbit/Ann", "--author", "inv"),
    )
    assert said.code == 0
    assert len((path / "identities.csv").read_text().splitlines()) == 3
    rows = run("--case", str(path), "activity", "Ann Ash", "--format", "json").data["rows"]
    assert {row["actor"] for row in rows} == {"Ann Ash"}
    nobody = run("--case", str(path), "identities", "--accept", "Ann", "devrev", actor)
    assert (nobody.code, nobody.err.splitlines()[0]) == (2, "Error: Nobody says so.")


def test_objects_are_taken_from_a_column_of_a_csv_file(filled: Filled, tmp_path: Path) -> None:
    name = some_object(filled)
    quoted = '"' + name.replace('"', '""') + '"'
    (tmp_path / "objects.csv").write_text(f'title,resource\n"a, b",{quoted}\n\n', encoding="utf-8")
    (tmp_path / "plain.CSV").write_text(f"{quoted}\n", encoding="utf-8")
    (tmp_path / "bad.csv").write_text('a"b,"c"d\n', encoding="utf-8")
    rows = filled.run("who-touched", name, "--format", "json").data["rows"]
    for file in ("objects.csv", "plain.CSV"):
        ran = filled.run("who-touched", f"@{tmp_path / file}", "--format", "json")
        assert ran.code == 0, ran.err
        assert ran.data["rows"] == rows
    bad = filled.run("who-touched", f"@{tmp_path / 'bad.csv'}")
    assert (bad.code, "it is no CSV" in bad.err) == (2, True)
