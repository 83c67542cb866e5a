"""The command line: arguments, output and exit codes, a module a command group."""

from __future__ import annotations

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
    from investigate.cli.program import run  # noqa: PLC0415 - typer is not needed by who only imports the package

    return run(arguments)
