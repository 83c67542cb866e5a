"""`%load_ext investigate`: `%%trace` asks in SQL and shows what the answer covers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

import investigate
from investigate.case import Answer
from investigate.widgets.magic import asked

from .traced import small_case

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InteractiveShell]:
    """A shell with the extension, and a case of 120 events."""
    made = InteractiveShell()
    made.user_ns["case"] = small_case(tmp_path_factory.mktemp("magic"))
    made.extension_manager.load_extension("investigate")
    yield made
    made.history_manager.end_session()
    InteractiveShell.clear_instance()


def trace(shell: InteractiveShell, line: str, cell: str) -> Any:
    return shell.run_cell_magic("trace", line, cell)


def test_an_answer_is_shown_with_its_coverage(shell: InteractiveShell) -> None:
    found = trace(shell, "", "SELECT count(*) AS n FROM events")
    assert isinstance(found, Answer)
    assert found.frame.rows() == [(120,)]
    assert "cloudtrail/1  2026-11-03 .. 2026-11-05  complete" in repr(found)
    assert "cloudtrail/1" in found._repr_html_()


def test_an_answer_is_kept_under_a_name(shell: InteractiveShell) -> None:
    assert trace(shell, "busiest", "SELECT actor FROM events LIMIT 3") is None
    assert shell.user_ns["busiest"].frame.height == 3


def test_variables_of_the_notebook_are_bound(shell: InteractiveShell) -> None:
    shell.user_ns["who"] = "x' OR true; --"
    query = "SELECT count(*) AS n FROM events WHERE actor = $who -- not $this\n OR actor = '$that'"
    assert trace(shell, "", query).frame.item() == 0


@pytest.mark.parametrize(
    ("line", "cell", "said"),
    [
        ("", "DROP TABLE events", "A DROP statement is refused"),
        ("", "SELECT nothing FROM events", "The columns of events are"),
        ("", "SELECT $missing", "missing"),
        ("a b", "SELECT 1", "is no name"),
    ],
)
def test_an_error_is_a_sentence_and_a_remedy(shell: InteractiveShell, line: str, cell: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        trace(shell, line, cell)


def test_without_a_case_of_that_name_the_default_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = small_case(tmp_path, 3)
    monkeypatch.setenv("INVESTIGATE_CASE", case.path)
    assert asked(investigate.open(), "SELECT count(*) FROM events", {}).frame.item() == 3


def test_the_extension_can_be_unloaded(shell: InteractiveShell) -> None:
    shell.extension_manager.unload_extension("investigate")
    assert "trace" not in shell.magics_manager.magics["cell"]
    shell.extension_manager.load_extension("investigate")
    assert "trace" in shell.magics_manager.magics["cell"]
