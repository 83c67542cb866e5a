"""The Vega that draws charts, as Altair's offline renderer brings it: one script, made once for a machine and kept.

Making it takes vl-convert seconds, so it happens in a process of its own and its result lies in the user's cache;
`investigate lab` sees to it while JupyterLab starts.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from contextlib import suppress
from importlib import util
from importlib.metadata import version
from threading import Lock, Thread
from typing import TYPE_CHECKING, Final

from platformdirs import user_cache_path

from investigate.errors import UsageError
from investigate.report.sink import at_once

if TYPE_CHECKING:
    from pathlib import Path

_SNIPPET: Final = "export { vegaEmbed as embed };"
_MAKE: Final = "import sys, vl_convert; sys.stdout.buffer.write(vl_convert.javascript_bundle(sys.argv[1]).encode())"
_PATIENCE: Final = 180
"""Seconds; a small machine takes twenty."""
_lock: Final = Lock()


def script() -> bytes:
    """An ES module that exports vega-embed's `embed`, with Vega and Vega-Lite in it; it loads nothing.

    Raises:
        UsageError: vl-convert is not installed, or could not make it.
    """
    if util.find_spec("vl_convert") is None:
        raise UsageError("Charts need Altair's offline renderer.", "Install it: pip install 'investigate[lab]'")
    name = hashlib.sha256(f"{version('vl-convert-python')} {_SNIPPET}".encode()).hexdigest()[:16]
    kept = user_cache_path("investigate", appauthor=False) / f"vega-{name}.js"
    with _lock:
        if not kept.exists():
            _keep(kept, _made())
        return kept.read_bytes()


def prepare() -> None:
    """Make it in a thread where it is not there yet, so that the first chart need not wait for it."""
    Thread(target=_prepared, name="investigate: vega", daemon=True).start()


def _prepared() -> None:
    with suppress(UsageError, OSError):  # the first chart says it
        script()


def _made() -> bytes:
    command = [sys.executable, "-c", _MAKE, _SNIPPET]
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=_PATIENCE)  # noqa: S603 - all our own
    except (OSError, subprocess.SubprocessError) as error:
        raise UsageError("Altair's offline renderer could not be prepared.", "Try again, or see the table.") from error
    return done.stdout


def _keep(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with at_once(path) as file:
        file.write(data)
