"""The program itself: help, version, wrong usage, faults, and what it does not import."""

from __future__ import annotations

import gc
import shlex
import subprocess
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import pytest
import typer

import investigate
from investigate.cli import main
from investigate.cli.program import MODULES, asked
from investigate.errors import LakeError

from .conftest import own_path, process, python, run

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = ("polars", "duckdb", "pyarrow", "deltalake", "boto3")
COMMANDS = [
    *(["demo"], ["sandbox"], ["devrev", "request"], ["devrev", "exports"], ["devrev", "collect"]),
    *(["coderabbit", "pull"], ["import"], ["coverage"], ["who-touched"], ["sql"]),
    *(["evidence", "verify"], ["evidence", "list"], ["evidence", "show"], ["lake", "info"], ["doctor"]),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_with_an_example(command: list[str]) -> None:
    shown = run(*command, "--help")
    assert shown.code == 0
    assert f"Example: investigate {' '.join(command)}" in " ".join(shown.out.split())
    assert "--case" in shown.out


def test_alone_it_gives_an_overview() -> None:
    shown = run()
    assert shown.code == 0
    assert all(command[0] in shown.out for command in COMMANDS)


@pytest.mark.parametrize(("module", "commands"), MODULES.items())
def test_a_module_adds_the_commands_it_is_imported_for(module: str, commands: tuple[str, ...]) -> None:
    app = typer.Typer()
    import_module(f"investigate.cli.{module}").register(app)
    added = [*(one.name for one in app.registered_commands), *(one.name for one in app.registered_groups)]
    assert sorted(map(str, added)) == sorted(commands)


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["--case", "demo", "--strict", "sql", "select 1"], "sql"),
        (["--case=demo", "lake", "info"], "lake"),
        (["--help", "sql"], None),
        (["--out"], None),
        ([], None),
    ],
)
def test_the_command_that_is_asked_for_is_told_from_what_stands_before_it(
    arguments: list[str], command: str | None
) -> None:
    assert asked(arguments) == command


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["evidence", "list"], ["devrev", "exports"], ["nope"]]
)
def test_light_commands_import_no_engine(arguments: list[str], tmp_path: Path) -> None:
    code = f"import sys; from investigate.cli import main; main({arguments!r}); "
    code += f"print([name for name in {HEAVY!r} if name in sys.modules])"
    done = python(code, cwd=tmp_path)
    assert done.out.splitlines()[-1] == "[]"


def test_only_a_process_of_its_own_has_its_garbage_left_alone(tmp_path: Path) -> None:
    before = gc.get_threshold()
    assert main(["--version"]) == 0
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)
    code = "import gc, sys; sys.argv[1:] = ['--version']; from investigate.cli import main; main(); "
    assert python(code + "print(gc.get_freeze_count() > 0)", cwd=tmp_path).out.endswith("\nTrue\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nope"], "No such command 'nope'."),
        (["coverage", "--nope"], "No such option"),
        (["who-touched"], "Missing argument"),
        (["coverage", "--format", "xml"], "'xml' is not one of"),
        (["coverage", "--from", "2026-11-01T00:00:00"], "has no zone"),
        (["coverage", "--from", "2026-11-03", "--to", "2026-11-01"], "before it starts"),
        (["import", "x"], "No profile says"),
        (["import", "x", "--profile", "nope"], "No profile is called 'nope'"),
        (["import", "x", "--profile", "devrev", "--covers-from", "7d"], "belong together"),
        (["import", "/no/such/file", "--profile", "devrev"], "Nothing is there"),
        (["evidence", "show", "nobody"], "No event in this case has the id 'nobody'"),
        (["devrev", "request", "--from", "1d", "--to", "now", "--split", "soon"], "Not a span"),
        (["devrev", "request", "--from", "1d", "--to", "now", "--operation-type", "look"], "Not an operation type"),
        (["devrev", "collect", "-"], "There is no link"),
        (["sandbox", "--nope"], "unrecognized arguments: --nope"),
    ],
)
def test_wrong_usage_is_a_sentence_and_a_hint(arguments: list[str], said: str, tmp_path: Path) -> None:
    ran = run("--case", str(tmp_path / "case"), *arguments)
    lines = [line for line in ran.err.splitlines() if not line.startswith("note")]
    assert ran.code == 2
    assert ran.out == ""
    assert said in lines[0]
    assert len(lines) == 2


def test_a_folder_that_is_no_case_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    ran = run("coverage", "--case", str(tmp_path))
    assert (ran.code, len(ran.err.splitlines())) == (1, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_fault_is_a_sentence_and_debug_shows_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        secret = "tok-4711-secret"
        raise RuntimeError(f"no good: {secret} https://s3/x?X-Amz-Signature=abcdef") from LakeError("behind it")

    monkeypatch.setenv("DEVREV_TOKEN", "tok-4711-secret")
    monkeypatch.setattr("investigate.case.case.Case.coverage", broken)
    plain = run("coverage", "--case", str(tmp_path / "case"))
    assert plain.code == 1
    assert "This is a fault of investigate: RuntimeError" in plain.err
    assert "--debug" in plain.err
    assert "Traceback" not in plain.err
    shown = run("coverage", "--case", str(tmp_path / "case"), "--debug")
    assert "Traceback" in shown.err
    assert "behind it" in shown.err
    for text in (plain.err, shown.err):
        assert "tok-4711-secret" not in text
        assert "abcdef" not in text


def test_the_case_comes_from_the_environment(tmp_path: Path) -> None:
    ran = process("coverage", cwd=tmp_path, INVESTIGATE_CASE="elsewhere")
    assert ran.code == 0
    assert (tmp_path / "elsewhere" / "case.toml").exists()


@pytest.mark.parametrize(
    ("arguments", "closed", "code", "said"),
    [
        ("import - --profile cloudtrail", "<&-", 1, "The file is empty"),
        ("devrev collect", "<&-", 2, "There is no link"),
        ("devrev collect -", "<&- >&-", 2, "There is no link"),
        ("sql -", "<&-", 2, "Error: "),
        ("coverage", ">&-", 0, ""),
        ("nope", ">&-", 2, "No such command"),
        ("coverage --format json", "2>&-", 0, ""),
        ("nope", "2>&-", 2, ""),
        ("nope", "<&- >&- 2>&-", 2, ""),
        ("--version", "<&- >&- 2>&-", 0, ""),
    ],
)
def test_a_closed_stream_is_an_empty_one(arguments: str, closed: str, code: int, said: str, tmp_path: Path) -> None:
    command = f"exec {shlex.quote(sys.executable)} -m investigate {arguments} {closed}"
    ran = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env=own_path(), capture_output=True, text=True, timeout=120, check=False
    )
    assert (ran.returncode, "fault of investigate" in ran.stderr) == (code, False), ran.stderr
    assert said in ran.stderr
    assert not [path.name for path in tmp_path.iterdir() if path.name != "data"]


def test_version_is_said() -> None:
    assert run("--version").out.startswith("investigate ")
    assert investigate.__name__ == "investigate"
