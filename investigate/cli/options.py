"""The options that every command has, before or after its name, and the decorator that gives them to it."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from investigate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from investigate.case import Case

STRICT: Final = 3
"""The exit code of a command that is done but whose coverage is incomplete, with `--strict`."""
_PANEL: Final = "Everywhere, before or after the command's name"


class ReaderGone(BaseException):
    """Whoever read standard output has left; typer would make a failure of a broken pipe."""


class Format(StrEnum):
    """How a result is written."""

    table = "table"
    json = "json"
    csv = "csv"
    parquet = "parquet"


CaseOption = Annotated[
    Path | None,
    typer.Option(
        "--case", metavar="DIR", help="The case; else $INVESTIGATE_CASE, else data/case.", rich_help_panel=_PANEL
    ),
]
FormatOption = Annotated[
    Format | None,
    typer.Option("--format", help="How the result is written; table when not given.", rich_help_panel=_PANEL),
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="FILE", help="Write the result there, not to standard output.", rich_help_panel=_PANEL
    ),
]
DebugOption = Annotated[
    bool, typer.Option("--debug", help="Show the traceback of an error, without secrets.", rich_help_panel=_PANEL)
]
StrictOption = Annotated[
    bool, typer.Option("--strict", help="Exit with 3 when the coverage is incomplete.", rich_help_panel=_PANEL)
]

From = Annotated[
    str | None,
    typer.Option("--from", metavar="TIME", help="A date, a time with its zone, or a span back from now such as 7d."),
]
To = Annotated[str | None, typer.Option("--to", metavar="TIME", help="The same; itself not included.")]
Memory = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="What reading logs may use of memory, such as 512MiB; else as in case.toml."),
]
Jobs = Annotated[
    int | None,
    typer.Option(min=1, max=64, help="Threads that read records; else one a processor, four at most."),
]

_SIZE: Final = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[kmgt]?)i?b?")
_COMMON: Final[dict[str, tuple[Any, Any]]] = {
    "case": (CaseOption, None),
    "format": (FormatOption, None),
    "out": (OutOption, None),
    "debug": (DebugOption, False),
    "strict": (StrictOption, False),
}


@dataclass(frozen=True)
class Session:
    """What the options say that every command has.

    Attributes:
        case: the folder of the case; None is `$INVESTIGATE_CASE`, else `data/case`.
        format: how the result is written; None is a table.
        out: the file it goes to; None is standard output.
        debug: whether an error shows its traceback.
        strict: whether incomplete coverage is an exit code of its own.
    """

    case: Path | None = None
    format: Format | None = None
    out: Path | None = None
    debug: bool = False
    strict: bool = False

    @property
    def shape(self) -> Format:
        """The format, a table where none was asked for."""
        return self.format or Format.table

    def under(self, outer: Session) -> Session:
        """These options over those that stood further left: what was said last counts, a flag stays set."""
        return Session(
            case=self.case or outer.case,
            format=self.format or outer.format,
            out=self.out or outer.out,
            debug=self.debug or outer.debug,
            strict=self.strict or outer.strict,
        )

    def open(self, memory: str | None = None, jobs: int | None = None) -> Case:
        """The case, opened, or made where there is none.

        Args:
            memory: what reading logs may use, with its unit; None is as in `case.toml`.
            jobs: how many threads read records; None likewise.

        Raises:
            UsageError: the memory is no size, or too small.
            CaseError: the folder holds something else, or cannot be written.
            ConfigError: its `case.toml` holds something unusable.
        """
        from investigate.case import Case  # noqa: PLC0415 - a second of libraries that --help must not cost
        from investigate.case.inspection import is_case  # noqa: PLC0415

        size = None if memory is None else _bytes(memory)
        existed = is_case(self.case)
        opened = Case(self.case)
        opened.bound(size, jobs)
        if not existed:
            from investigate.cli.output import note  # noqa: PLC0415

            note(f"{opened.path} was no case before; a new one was made there.")
        return opened

    def code(self, *, complete: bool) -> int:
        """The exit code of a command that is done."""
        return STRICT if self.strict and not complete else 0


def _bytes(text: str) -> int:
    found = _SIZE.fullmatch(text.strip().lower())
    if found is None:
        raise UsageError(f"--memory {text!r} is no size.", "Write a number and its unit: 512MiB, or 2GiB.")
    return int(float(found["number"]) * 1024 ** " kmgt".index(found["unit"] or " "))


def command(app: typer.Typer, name: str | None = None, **settings: Any) -> Callable[[Callable[..., int]], Any]:
    """Register a function as a command that also takes the options every command has.

    Args:
        app: where.
        name: of the command; its function's when not given.
        settings: for `typer.Typer.command`.

    Returns:
        A decorator. The function's first parameter is the `Session`; it returns its exit code.
    """

    def register(function: Callable[..., int]) -> Callable[..., int]:
        app.command(name, **settings)(_with_common(function))
        return function

    return register


def group(app: typer.Typer) -> None:
    """Let the options every command has stand before the name of a command of this group too."""

    def callback(context: typer.Context, **given: Any) -> None:
        remember(context, Session(**given))

    callback.__signature__ = inspect.Signature([_context(), *_parameters()])  # type: ignore[attr-defined]
    callback.__annotations__ = {}
    app.callback()(callback)


def remember(context: typer.Context, session: Session) -> None:
    """Keep what was said so far for the command further right."""
    outer = context.obj if isinstance(context.obj, Session) else Session()
    context.obj = session.under(outer)


def _with_common(function: Callable[..., int]) -> Callable[..., None]:
    signature = inspect.signature(function, eval_str=True)
    own = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in list(signature.parameters.values())[1:]]

    def run(*, context: typer.Context, **given: Any) -> None:
        said = {name: given.pop(name) for name in _COMMON}
        remember(context, Session(**said))
        try:
            code = function(context.obj, **given)
        except BrokenPipeError:
            raise ReaderGone from None
        if code:
            raise typer.Exit(code)

    run.__name__, run.__doc__, run.__module__ = function.__name__, function.__doc__, function.__module__
    run.__annotations__ = {}
    run.__signature__ = inspect.Signature([*own, _context(), *_parameters()])  # type: ignore[attr-defined]
    return run


def _context() -> inspect.Parameter:
    return inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)


def _parameters() -> list[inspect.Parameter]:
    return [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)
        for name, (kind, default) in _COMMON.items()
    ]


def text_lines(values: list[str], column: str) -> list[str]:
    """Arguments where `-` stands for the lines of standard input and `@file` for those of a file.

    Args:
        values: as they were given.
        column: what is taken of a file named `*.csv`; where its first line does not name that, the first of each line.

    Raises:
        UsageError: the file cannot be read, or is no text.
    """
    import sys  # noqa: PLC0415 - looked up at the call: tests and shells replace standard input

    found: list[str] = []
    for value in values:
        if value == "-":
            found += sys.stdin.read().splitlines()
        elif value.startswith("@") and len(value) > 1:
            found += _lines_of(Path(value[1:]), column)
        else:
            found.append(value)
    return [line.strip() for line in found if line.strip()]


def _lines_of(path: Path, column: str) -> list[str]:
    import csv  # noqa: PLC0415 - few commands are given a file

    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() != ".csv":
            return text.splitlines()
        rows = [row for row in csv.reader(text.splitlines(keepends=True), strict=True) if row]
        names = [name.strip() for name in rows[0]] if rows else []
        at = names.index(column) if column in names else 0
        return [row[at] for row in (rows[1:] if column in names else rows) if len(row) > at]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or (
            "it is no CSV" if isinstance(error, csv.Error) else "it is no UTF-8 text"
        )
        raise UsageError(f"{path} cannot be read: {reason}.", "Name a text file with one id a line.") from error
