"""Watches over rclone and the temporary folder of a sandbox: when the sandbox goes, in whatever way, so do they.

Run as a script of its own, with the standard library only. The sandbox holds the other end of standard input; it
closes even when the sandbox is killed without warning.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PATIENCE = 3.0


def main(folder: str, command: list[str]) -> int:
    """Run the command until it ends or standard input closes; then remove the folder, unless it is empty text."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a Ctrl-C reaches the whole group; the sandbox decides when to stop
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_die_with_parent)  # noqa: S603, PLW1509 - one thread so far; the command is the sandbox's own
    threading.Thread(target=_stop_at_end_of_input, args=(child,), daemon=True).start()
    code = child.wait()
    if folder:
        shutil.rmtree(Path(folder), ignore_errors=True)
    return code


def _stop_at_end_of_input(child: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    child.terminate()
    try:
        child.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()


def _die_with_parent() -> None:
    # Linux only; elsewhere rclone outlives a keeper that is itself killed without warning.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
