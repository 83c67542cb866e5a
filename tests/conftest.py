"""What all tests share: the real audit logs, where they are."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from tests.needs import missing
from tests.shared import Demonstration, demonstrate, once

# What a process that runs tests beside others is given, and a person's is not: a width, and deafness to Ctrl-C.
os.environ.pop("COLUMNS", None)
os.environ.pop("VIRTUAL_ENV", None)  # of a shell that is in another one
signal.signal(signal.SIGINT, signal.default_int_handler)

# Spark's machine lives for a few small queries: most of its time would go into making fast, and verifying, code that
# runs once.
_ONCE = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote"
os.environ.setdefault("SPARK_SUBMIT_OPTS", _ONCE)

settings.register_profile("shared", deadline=None)  # a machine that others use takes its time, and is right
settings.load_profile("shared")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spark first: neighbours are run by one process as a rule, so that few have to start a machine for it."""
    items.sort(key=lambda item: "spark" not in item.nodeid)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real audit logs: `$INVESTIGATE_CORPUS`, else `../shared/corpus`; in CI it must be there."""
    folder = Path(os.environ.get("INVESTIGATE_CORPUS") or Path(__file__).parents[2] / "shared" / "corpus")
    if not folder.is_dir():
        missing(f"no real audit logs at {folder}")
    return folder


@pytest.fixture(scope="session")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Demonstration:
    """The demonstration, run once for all workers: both vendors of the sandbox, with an incident in their logs."""
    return Demonstration(once(tmp_path_factory, "demonstration", demonstrate))
