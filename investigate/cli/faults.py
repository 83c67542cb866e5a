"""What went wrong, as a person reads it: one sentence of cause, one of what to do; a traceback only when asked for."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Final

from investigate.errors import InvestigateError, UsageError, cause

_SECRETS: Final = ("DEVREV_TOKEN", "CODERABBIT_API_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_LONG_ENOUGH: Final = 6
"""A shorter value is no secret, and may stand anywhere in a text."""
_GONE: Final = "[redacted]"

FAILED: Final = 1
USAGE: Final = 2


_hidden: Final[set[str]] = set()


def hide(*values: str) -> None:
    """Let nothing on standard error show these values from now on."""
    _hidden.update(value.strip() for value in values if len(value.strip()) >= _LONG_ENOUGH)


def clean(text: str) -> str:
    """`text` without any secret: those this process was given, and those their form gives away."""
    from investigate.evidence.redact import redact  # noqa: PLC0415 - only where something is said on standard error

    hide(*(os.environ.get(name, "") for name in _SECRETS))
    for value in _hidden:
        text = text.replace(value, _GONE)
    return redact(text)


def say(text: str) -> None:
    """One line on standard error, safe for a terminal and without secrets."""
    from investigate.case.display import visible  # noqa: PLC0415 - see `clean`

    sys.stderr.write("\n".join(visible(line) for line in clean(text).splitlines()) + "\n")
    sys.stderr.flush()


def report(error: BaseException, *, debug: bool) -> int:
    """Say what went wrong; the exit code that goes with it."""
    if debug:
        # Without the values of variables, which may be secrets: only source lines and messages, redacted.
        say("".join(traceback.format_exception(error)))
    say(f"Error: {cause(error)}")
    if isinstance(error, InvestigateError):
        if error.hint:
            say(error.hint)
        return USAGE if isinstance(error, UsageError) else FAILED
    if isinstance(error, OSError) and error.strerror:
        say("Look at the disk, its space and its permissions: investigate doctor")
        return FAILED
    if not debug:
        say("Run it again with --debug and report what it shows.")
    return FAILED
