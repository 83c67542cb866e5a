"""The command line: arguments, output and exit codes, a module a command group."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `investigate`.

    Args:
        arguments: those after the program's name; None takes them from `sys.argv`.

    Returns:
        The exit code: 0 done; 1 failed; 2 wrong usage; 3 done but incomplete, with `--strict`; 4 audit findings at or
        above `--fail-on`; 130 interrupted.
    """
    if arguments is not None:
        return _run(arguments)
    # The process is this command's alone. What it imports stays until it ends: to look through all of that for garbage
    # now and then, and once more at the end, takes a fifth of the time of a short command.
    gc.set_threshold(20_000)
    code = _run(None)
    if "duckdb" not in sys.modules:  # whose binding complains of every object that is left of it at the end
        gc.freeze()
    return code


def _run(arguments: Sequence[str] | None) -> int:
    from investigate.cli.program import run  # noqa: PLC0415 - typer is not needed by who only imports the package

    return run(arguments)
