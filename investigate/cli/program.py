"""The program: its commands put together, and the one place where what goes wrong becomes a sentence and a code."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from investigate.cli.faults import USAGE, report, say
from investigate.cli.options import (
    CaseOption,
    DebugOption,
    FormatOption,
    OutOption,
    ReaderGone,
    Session,
    StrictOption,
    remember,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

INTERRUPTED: Final = 128 + signal.SIGINT
_NAME: Final = "investigate"
_SEEK_HELP: Final = "See: investigate --help"
MODULES: Final = {
    "demo": ("demo",),
    "sandbox": ("sandbox",),
    "lab": ("lab",),
    "devrev": ("devrev",),
    "collecting": ("coderabbit", "import"),
    "asking": ("who-touched", "coverage", "sql"),
    "questions": ("activity", "pivot", "search", "blast-radius", "timeline", "identities", "compare"),
    "audit": ("audit",),
    "report": ("report", "bundle"),
    "evidence": ("evidence",),
    "lake": ("lake",),
    "doctor": ("doctor",),
}
"""Module to the commands it adds, in the order in which `--help` shows them."""
_TAKE_A_VALUE: Final = frozenset({"--case", "--format", "--out"})


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - only where it is asked for

        try:
            number = version(_NAME)
        except PackageNotFoundError:
            number = "(not installed)"
        sys.stdout.write(f"{_NAME} {number}\n")
        raise typer.Exit


def application(command: str | None = None) -> typer.Typer:
    """The program with all its commands, or with those of one module: typer takes its time for each.

    Args:
        command: that is asked for; None, or one that is none, is all of them.
    """
    app = typer.Typer(
        name=_NAME, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, rich_markup_mode="rich"
    )

    @app.callback()
    def root(
        context: typer.Context,
        case: CaseOption = None,
        format: FormatOption = None,  # noqa: A002 - the option's name
        out: OutOption = None,
        debug: DebugOption = False,
        strict: StrictOption = False,
        version: Annotated[  # noqa: ARG001 - its callback does the work
            bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
        ] = False,
    ) -> None:
        """Who touched this data, when, from where, and how sure are we.

        Pulls SaaS audit logs into a local lake, keeps the bytes as evidence, and answers with what it covers.

        Try it without any account:  investigate demo
        """
        remember(context, Session(case=case, format=format, out=out, debug=debug, strict=strict))

    wanted = [module for module, commands in MODULES.items() if command in commands]
    for module in wanted or MODULES:
        import_module(f"investigate.cli.{module}").register(app)
    return app


def asked(arguments: Sequence[str]) -> str | None:
    """The command that some arguments ask for: the first that is no option nor an option's value; None for `--help`."""
    rest = iter(arguments)
    for one in rest:
        if not one.startswith("-"):
            return one
        if one == "--help":
            return None
        if one in _TAKE_A_VALUE:
            next(rest, None)
    return None


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the program; its exit code. Nothing but a code leaves here, whatever happens."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    _open_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    stopped = _Signals()
    try:
        with stopped.watched():
            result = application(asked(given))(given, prog_name=_NAME, standalone_mode=False)
            sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort, _Terminated):
        return _interrupted(stopped.number)
    except (ReaderGone, BrokenPipeError):
        return _silenced()
    except Exception as error:  # noqa: BLE001 - the top: a person gets a sentence, never a traceback unasked
        if stopped.number:  # DuckDB makes an error of its own of a signal that comes during a query
            return _interrupted(stopped.number)
        return _usage(error) if _is_usage(error) else report(error, debug=debug)
    if result == INTERRUPTED:  # what typer makes of a KeyboardInterrupt
        return _interrupted(stopped.number)
    return result if isinstance(result, int) else 0


def _open_what_is_closed() -> None:
    """Stand in for standard streams that whoever started the program closed: empty input, output to nowhere.

    In this order, in which each gets the number it should have, so that no other file is taken for it; children of
    this process find it open too.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: PTH123, SIM115 - for as long as the process runs
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


def _interrupted(number: int) -> int:
    how = "Stopped" if number == signal.SIGTERM else "Interrupted"
    say(f"{how}. What was kept so far is safe; run the same command again to go on.")
    return 128 + (number or signal.SIGINT)


class _Terminated(BaseException):
    """SIGTERM, so that what is under way is ended in order: child processes, temporary files."""


class _Signals:
    """Which signal asked this process to end, 0 while none did."""

    def __init__(self) -> None:
        self.number = 0

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Take note of SIGINT and SIGTERM, and raise; what ignores SIGINT, a job in the background, goes on to."""
        before = {}
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) is not signal.SIG_IGN:
                    before[number] = signal.signal(number, self._take)
        except ValueError:  # not the main thread of the process, which alone may say what a signal does
            before = {}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        if self.number:  # once more: at once, as if it were killed; the next run clears up
            with contextlib.suppress(RuntimeError, OSError):  # it may come while something is being said
                _interrupted(number)
            os._exit(128 + number)
        self.number = number
        raise KeyboardInterrupt if number == signal.SIGINT else _Terminated


def _is_usage(error: Exception) -> bool:
    """Whether typer found fault with the arguments; its exceptions are click's or its own, as the version has it."""
    return hasattr(error, "format_message") and hasattr(error, "exit_code")


def _usage(error: Any) -> int:
    from investigate.case.display import visible  # noqa: PLC0415 - only where there is something to say

    context = getattr(error, "ctx", None)
    message = str(error.format_message()).strip().replace("Value error, ", "")
    if type(error).__name__ == "NoArgsIsHelpError":
        if message:
            sys.stdout.write(message + "\n")
        return 0 if context is not None and context.parent is None else USAGE
    say(f"Error: {visible(message.rstrip('.'))}.")
    say(f"See: {context.command_path} --help" if context is not None else _SEEK_HELP)
    return USAGE


def _silenced() -> int:
    """Nobody reads any more: say nothing, not even when the interpreter flushes at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + signal.SIGPIPE if hasattr(signal, "SIGPIPE") else 1
