"""What the tests of the notebooks share: the case of the demonstration, made once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .traced import demonstration

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def demonstrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the case, to be copied: what one looks at and notes, a case remembers."""
    return demonstration(tmp_path_factory.mktemp("demo"))
