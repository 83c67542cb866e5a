"""What the tests of the notebooks share: the case of the demonstration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.shared import Demonstration


@pytest.fixture(scope="session")
def demonstrated(demonstration: Demonstration) -> Path:
    """The folder of the case, to be copied: what one looks at and notes, a case remembers."""
    return demonstration.case
