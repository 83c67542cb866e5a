"""`lab`: JupyterLab on the notebooks, for this case, until Ctrl-C.

The notebooks are copied into the case, where they can be edited and saved; one that was is never overwritten.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections import deque
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated, Final

import typer

from investigate.cli.faults import say
from investigate.cli.options import Session, command
from investigate.errors import CaseError, ConfigError, InvestigateError
from investigate.report.sink import at_once

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_VARIABLE: Final = "INVESTIGATE_CASE"
_FOLDER: Final = "notebooks"
_COPIED: Final = ".copied.json"
"""Beside the copies: name to the SHA-256 of what was copied, to know an edited one by."""
_FIRST: Final = "1_collect.ipynb"
_PATIENCE: Final = 10
"""Seconds JupyterLab is given to begin to listen, and to end its kernels."""
_TAIL: Final = 20
"""Lines of what JupyterLab said that are kept, to know why it ended."""
_LOOK: Final = 0.05
"""Seconds between two looks whether it listens."""
_STAMP: Final = re.compile(r"^\[[A-Z] [^]]*\]\s*")
_ADDRESS: Final = re.compile(r"https?://(127\.0\.0\.1):(\d+)\S*")
_QUIET: Final = (
    # No request to another host: neither for news, nor for updates, nor for extensions.
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.extension_manager=readonly",
    "--LabApp.expose_app_in_browser=True",  # by which "Insert as cell" reaches the notebook
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    settings = {"allow_extra_args": True, "ignore_unknown_options": True}
    command(app, "lab", rich_help_panel="Start here", context_settings=settings)(run)


def run(
    session: Session,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
    port: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=65_535, help="The next free one from 8888 when not given.")
    ] = None,
    flags: Annotated[list[str] | None, typer.Argument(metavar="[FLAG…]", help="Any other flag of jupyter lab.")] = None,
) -> int:
    """Open JupyterLab on the notebooks, for this case, until Ctrl-C.

    The notebooks are copied to the folder notebooks of the case. One that was edited or saved with its results is
    kept as it is; the others are brought up to date.

    Example: investigate lab --case data/case
    """
    if find_spec("jupyterlab") is None:
        raise ConfigError("JupyterLab is not installed.", "Install it: pip install 'investigate[lab]'")
    from investigate.widgets import vega  # noqa: PLC0415 - it needs what only the extra `lab` brings

    case = session.open()
    folder = case.layout.root.absolute() / _FOLDER
    for line in copy(_shipped(), folder):
        say(line)
    arguments = [f"--ServerApp.root_dir={folder}", f"--LabApp.default_url=/lab/tree/{_FIRST}", *_QUIET]
    arguments += ["--no-browser"] if no_browser else []
    arguments += [f"--ServerApp.port={port}"] if port else []
    said: deque[str] = deque(maxlen=_TAIL)
    vega.prepare()
    try:
        with _running([*arguments, *(flags or [])], case.layout.root.absolute(), said, aloud=session.debug) as process:
            code = process.wait()
    except KeyboardInterrupt:  # the way to end it, and no failure
        code = 0
    if code:
        reason = next((line for line in reversed(said) if line.strip()), f"it ended with {code}")
        raise InvestigateError(
            f"JupyterLab did not run: {reason.strip().rstrip('.')}.", "See all that it says: investigate lab --debug"
        )
    say("JupyterLab is closed; what was collected is in the case.")
    return 0


def copy(shipped: Sequence[Path], folder: Path) -> list[str]:
    """Bring copies of the notebooks into a folder; one that differs from what was copied is somebody's work and stays.

    Args:
        shipped: the notebooks as they come with this version.
        folder: made where it does not exist.

    Returns:
        What there is to say, a line each.

    Raises:
        CaseError: the folder cannot be written.
    """
    said = []
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        copied = _copied(folder)
        for source in shipped:
            data, target = source.read_bytes(), folder / source.name
            new, known = _digest(data), copied.get(source.name)
            present = _digest(target.read_bytes()) if target.exists() else None
            if present in {None, known}:
                if present != new:
                    with at_once(target) as file:
                        file.write(data)
                    said.append(f"{'Copied' if present is None else 'Brought up to date'}: {target}")
                copied[source.name] = new
            elif new not in {present, known}:
                said.append(f"Kept as you left it, though a newer one is there (move yours to get it): {target}")
        with at_once(folder / _COPIED) as file:
            file.write(json.dumps(copied, indent=1, sort_keys=True).encode())
    except OSError as error:
        raise CaseError(
            f"{folder} cannot be written: {error.strerror}.",
            f"Work on a copy of the case: cp -r {folder.parent} NEW-FOLDER",
        ) from error
    return said


def _shipped() -> list[Path]:
    """The notebooks: within the installed package, or beside it in a checkout.

    Raises:
        ConfigError: there are none.
    """
    package = Path(__file__).parents[1]
    for folder in (package / _FOLDER, package.parent / _FOLDER):
        if found := sorted(folder.glob("*.ipynb")):
            return found
    raise ConfigError(
        "This installation came without its notebooks.", "Install it again: pip install 'investigate[lab]'"
    )


def _copied(folder: Path) -> dict[str, str]:
    """What was copied before; nothing where that is not known: then every notebook that is there is somebody's work."""
    try:
        known = json.loads((folder / _COPIED).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return {str(name): str(digest) for name, digest in known.items()} if isinstance(known, dict) else {}


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@contextlib.contextmanager
def _running(arguments: Sequence[str], case: Path, said: deque[str], *, aloud: bool) -> Iterator[subprocess.Popen[str]]:
    """JupyterLab as a child, in a session of its own, so that a Ctrl-C reaches this process alone, which then ends it.

    Args:
        arguments: for it.
        case: what its notebooks open.
        said: takes what it says, without times; its address is passed on.
        aloud: whether all is passed on.
    """
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and a module of it
        [sys.executable, "-m", "jupyterlab", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, _VARIABLE: str(case)},
        start_new_session=True,
    )
    reader = Thread(target=_listen, args=(process, said, aloud), daemon=True)
    reader.start()
    try:
        yield process
        reader.join(_PATIENCE)
    finally:
        for insist in (process.terminate, process.kill):
            if process.poll() is None:
                insist()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_PATIENCE)


def _listen(process: subprocess.Popen[str], said: deque[str], aloud: bool) -> None:
    assert process.stderr is not None  # noqa: S101 - it is a pipe, as asked for
    told = False
    for line in process.stderr:
        said.append(_STAMP.sub("", line))
        if aloud:
            sys.stderr.write(line)
            sys.stderr.flush()
        elif not told and (address := _ADDRESS.search(line)):
            told = True
            _await(process, address[1], int(address[2]))
            sys.stderr.write(f"JupyterLab is at {address[0]} (Ctrl-C ends it)\n")
            sys.stderr.flush()


def _await(process: subprocess.Popen[str], host: str, port: int) -> None:
    """Until JupyterLab listens, which it begins a little after it has told where; or until it, or patience, ends."""
    end = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < end:
        try:
            socket.create_connection((host, port), _PATIENCE).close()
        except OSError:
            time.sleep(_LOOK)
        else:
            return
