"""`%load_ext investigate`: the cell magic `%%trace`, which asks the lake in SQL and shows the answer with its coverage.

    %%trace
    SELECT actor, count(*) AS n FROM events GROUP BY ALL ORDER BY n DESC

`%%trace busiest` keeps the answer as `busiest`; `$name` in the query stands for the notebook's variable `name`, bound.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from IPython.core.error import UsageError as Usage

import investigate
from investigate.case import inspection
from investigate.case.answer import Answer
from investigate.case.case import Case
from investigate.errors import InvestigateError
from investigate.widgets.jobs import sentences

if TYPE_CHECKING:
    from collections.abc import Mapping

    from IPython.core.interactiveshell import InteractiveShell

NAME: Final = "trace"
_PARAMETER: Final = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|\$([A-Za-z_]\w*)", re.DOTALL)
"""A parameter, or what only looks like one: text, a quoted name, a comment."""


def load(shell: InteractiveShell) -> None:
    """Make `%%trace` known, and the namespace `investigate` of Polars frames."""
    from investigate.widgets import frames  # noqa: PLC0415, F401 - importing it registers the namespace

    def trace(line: str, cell: str) -> Answer | None:
        """Ask the lake in SQL; see `investigate.widgets.magic`."""
        return run(shell, line, cell)

    shell.register_magic_function(trace, "cell", NAME)  # type: ignore[arg-type] # it is a method in its stubs


def unload(shell: InteractiveShell) -> None:
    """Forget `%%trace`."""
    shell.magics_manager.magics["cell"].pop(NAME, None)


def run(shell: InteractiveShell, line: str, cell: str) -> Answer | None:
    """What `%%trace` does.

    Args:
        shell: whose variables `case` and those named in the query are taken.
        line: the name to keep the answer under; empty shows it.
        cell: one SELECT.

    Returns:
        The answer, to be shown; None where it was kept under a name, or an error was shown.
    """
    name = line.strip()
    if name and not name.isidentifier():
        raise Usage(f"{name!r} is no name. Write %%{NAME}, or %%{NAME} NAME to keep the answer.")
    case = shell.user_ns.get("case")
    try:
        found = asked(case if isinstance(case, Case) else investigate.open(), cell, shell.user_ns)
    except InvestigateError as error:
        # A sentence and a remedy, as everywhere; the traceback of a typing error helps nobody.
        raise Usage(" ".join(filter(None, sentences(error)))) from None
    if name:
        shell.user_ns[name] = found
        return None
    return found


def asked(case: Case, query: str, variables: Mapping[str, Any]) -> Answer:
    """The answer to a query, with the coverage of all time the case knows.

    Args:
        case: whose lake.
        query: one SELECT over `events`, `rejects` and `touches`.
        variables: where `$name` is found.

    Raises:
        QueryRefused: it does anything but read the lake.
    """
    wanted = {found[1] for found in _PARAMETER.finditer(query) if found[1]}
    bound = {name: variables[name] for name in sorted(wanted) if name in variables}
    frame = case.sql(query, bound)
    known = inspection.known(case)
    return Answer(frame, known, known.window, "duckdb", query.strip(), inspection.lake_version(case))
