"""The tracing notebook without a person: from top to bottom, with other parameters, and as a page without a kernel."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import papermill
import polars as pl
import pytest

import investigate
from investigate.widgets.watched import WIDGET

from .lab import NOTEBOOKS

if TYPE_CHECKING:
    from nbformat import NotebookNode

NOTEBOOK = NOTEBOOKS / "2_trace.ipynb"
MOST_BYTES = 200_000


@pytest.fixture
def demo(demonstrated: Path, tmp_path: Path) -> Path:
    """A case of the test's own: what one looks at, the case remembers."""
    return Path(shutil.copytree(demonstrated, tmp_path / "demo"))


@pytest.fixture(autouse=True)
def path(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel finds what this process does."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))


def run(tmp_path: Path, **parameters: Any) -> NotebookNode:
    out = tmp_path / "out.ipynb"
    papermill.execute_notebook(str(NOTEBOOK), str(out), parameters, progress_bar=False, cwd=str(tmp_path))
    return nbformat.read(out, as_version=4)


def shown(book: NotebookNode, cell: str, kind: str = "text/html") -> str:
    """What a cell shows, by the id it has in the repository."""
    ids = [one["id"] for one in json.loads(NOTEBOOK.read_text())["cells"]]
    code = [one for one in book.cells if "injected-parameters" not in one.metadata.get("tags", [])]
    outputs = code[ids.index(cell)].outputs
    return str(outputs[-1]["data"][kind])


def test_it_lies_in_the_repository_without_results() -> None:
    book = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(book)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert not [cell for cell in code if cell.outputs or cell.execution_count]
    assert code[0].metadata["tags"] == ["parameters"]
    assert len(book.cells) > len(code) + 8  # every step has its text


def test_run_as_it_is_it_traces_the_incident_and_stays_small(demo: Path, tmp_path: Path) -> None:
    book = run(tmp_path, CASE=str(demo))
    identities = json.loads((demo / "reports" / "demo.json").read_text())["identities"]
    text = shown(book, "identities")
    assert [one for one in identities if one not in text] == []
    assert "complete" in text
    assert (tmp_path / "out.ipynb").stat().st_size < MOST_BYTES
    outputs = [out for cell in book.cells for out in cell.get("outputs", [])]
    assert {out.output_type for out in outputs} <= {"display_data", "execute_result"}
    # A reader without a kernel takes a widget before the table, and has none to show.
    assert not [out for out in outputs if WIDGET in out.data or not "".join(out.data["text/plain"])]


def test_other_parameters_are_another_question(demo: Path, tmp_path: Path) -> None:
    case = investigate.open(demo)
    one = case.sql("SELECT resource, actor FROM events WHERE resource IS NOT NULL ORDER BY time LIMIT 1").row(0)
    named = case.sql("SELECT count(*) FROM events WHERE actor = $a", {"a": one[1]}).item()
    book = run(tmp_path, CASE=str(demo), OBJECTS=[one[0]], IDENTITIES=[one[1]])
    assert one[1] in shown(book, "identities")
    assert f"{named:,} events" in shown(book, "events", "text/plain")


def test_its_last_table_is_that_of_the_ranking(demo: Path, tmp_path: Path) -> None:
    case = investigate.open(demo)
    case.widgets.look()
    narrow = case.who_touched(*case.widgets.scope.now.objects, activity="update").frame
    wide = case.who_touched(*case.widgets.scope.now.objects).frame
    assert 0 < narrow.height < wide.height
    book = run(tmp_path, CASE=str(demo), ACTIVITIES=["update"])
    last = shown(book, "after")
    assert f" {narrow.height} rows, duckdb" in last
    for row in narrow.iter_rows(named=True):
        assert f">{row['events']}</td>" in last.split(row["actor"], 1)[1][:200]


def test_of_an_empty_case_it_says_so_and_goes_on(tmp_path: Path) -> None:
    book = run(tmp_path, CASE=str(tmp_path / "empty"))
    assert "No affected objects are named yet" in shown(book, "identities")
    assert "nothing was ever collected" in shown(book, "events")
    assert "investigate-still" in shown(book, "after")


def test_nbval_runs_every_cell_of_this_and_of_the_periodic_audit(demo: Path, tmp_path: Path) -> None:
    books = [NOTEBOOK, NOTEBOOKS / "3_periodic_audit.ipynb"]
    cells = sum(cell.cell_type == "code" for book in books for cell in nbformat.read(book, as_version=4).cells)
    copies = [Path(shutil.copy(book, tmp_path)).name for book in books]
    flags = ("-q", "--disable-plugin-autoload", "-p", "nbval.plugin", "-p", "no:cacheprovider", "--nbval-lax")
    command = [sys.executable, "-m", "pytest", *flags, *copies]
    environment = {**os.environ, "INVESTIGATE_CASE": str(demo)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert f"{cells} passed" in done.stdout, done.stdout[-3000:]
    assert list((demo / "reports").glob("audit-*.html"))


def test_the_audit_says_how_many_had_new_access_and_not_how_many_it_read(demo: Path) -> None:
    source = NOTEBOOKS / "3_periodic_audit.ipynb"
    book = nbformat.read(source, as_version=4)
    case = investigate.open(demo)
    cells = {cell["id"]: cell["source"] for cell in book.cells}
    many = pl.DataFrame({"n": range(2_252)})

    class Case:
        widgets = case.widgets

        def sql(self, query: str, _values: object) -> pl.DataFrame:
            rows = many.select(pl.len()) if "count(*)" in query else many
            return rows.head(int(query.split("LIMIT")[1])) if "LIMIT" in query else rows

    *before, last = cells["access"].splitlines()
    variables: dict[str, Any] = {"case": Case(), "window": case.window("2026-11-01", "2026-11-02")}
    exec("\n".join(before), variables)  # noqa: S102 - the cell of this repository
    assert "the first 20 of 2,252 rows" in repr(eval(last, variables))  # noqa: S307
    assert all("`BASELINE`" in cells[name] for name in ("hours-text", "addresses-text"))
