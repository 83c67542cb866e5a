"""A new journal."""

from pathlib import Path

import pytest

from investigate.journal import (
    Journal,
)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.db")
