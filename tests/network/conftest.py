"""One small sandbox for all tests of the network, and what an undisturbed run brings from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import stamina

from investigate.evidence.store import EvidenceStore
from tests.case.conftest import Box

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE = ("--events", "1000", "--coderabbit-events", "600", "--rate-limit", "1000000", "--devrev-rate-limit", "1000000")


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=8, cap=True):
        yield


@pytest.fixture(scope="session")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    started = Box(tmp_path_factory.mktemp("network"), *SIZE)
    yield started
    started.process.communicate(timeout=15)


@pytest.fixture
def store(tmp_path: Path) -> EvidenceStore:
    return EvidenceStore(tmp_path / "evidence")
