"""What all tests share: the real audit logs, where they are."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from tests.needs import missing

# What a process that runs tests beside others is given, and a person's is not: a width, and deafness to Ctrl-C.
os.environ.pop("COLUMNS", None)
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("shared", deadline=None)  # a machine that others use takes its time, and is right
settings.load_profile("shared")


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real audit logs: `$INVESTIGATE_CORPUS`, else `../shared/corpus`; in CI it must be there."""
    folder = Path(os.environ.get("INVESTIGATE_CORPUS") or Path(__file__).parents[2] / "shared" / "corpus")
    if not folder.is_dir():
        missing(f"no real audit logs at {folder}")
    return folder
