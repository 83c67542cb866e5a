"""The periodic notebook without a person: on a case with something to find, and on one that is empty."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import papermill
import pytest
from papermill.exceptions import PapermillExecutionError

import investigate

from .test_case import NOW, entry, take, timedelta

if TYPE_CHECKING:
    from nbformat import NotebookNode

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "3_periodic_audit.ipynb"


@pytest.fixture(autouse=True)
def path(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel finds what this process does."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))


def run(folder: Path, case: Path, **parameters: Any) -> NotebookNode:
    out = folder / "out.ipynb"
    given = {"CASE": str(case), "START": "", **parameters}
    papermill.execute_notebook(str(NOTEBOOK), str(out), given, progress_bar=False, cwd=str(folder))
    return nbformat.read(out, as_version=4)


def test_it_lies_in_the_repository_without_results() -> None:
    book = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(book)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert not [cell for cell in code if cell.outputs or cell.execution_count]
    assert code[0].metadata["tags"] == ["parameters"]


def test_what_is_grave_fails_it_after_the_report_is_written_and_once(tmp_path: Path) -> None:
    case = investigate.open(tmp_path / "case")
    deletions = (entry(at, timedelta(minutes=90 - at)) for at in range(30))
    take(case, tmp_path, *deletions, entry(99, timedelta(days=2), action="webhooks.create", operation_type="create"))
    with pytest.raises(PapermillExecutionError, match="high or above"):
        run(tmp_path, tmp_path / "case", NEW_ONLY=True, FAIL_ON="high")
    (report,) = (tmp_path / "case" / "reports").glob("audit-*.html")
    assert "A burst of deletions" in report.read_text(encoding="utf-8")
    book = run(tmp_path, tmp_path / "case", NEW_ONLY=True, FAIL_ON="high", REPORT=str(tmp_path / "second.html"))
    assert "0 findings" in book.cells[-1].outputs[0]["data"]["text/plain"]
    assert f"{NOW:%Y-%m-%d}" in (tmp_path / "second.html").read_text(encoding="utf-8")


def test_an_empty_case_is_told_gently(tmp_path: Path) -> None:
    book = run(tmp_path, tmp_path / "case")
    told = json.dumps([cell.outputs for cell in book.cells if cell.cell_type == "code"])
    assert "Nothing was collected into this case yet" in told
    assert list((tmp_path / "case" / "reports").glob("audit-*.html"))
