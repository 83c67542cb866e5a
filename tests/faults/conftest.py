"""What the faults' tests share: a zygote and the commands that it runs, made once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.kinds import Kinds, kinds
from tests.faults.zygote import Zygote

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    """A process in which all is imported."""
    with Zygote(tmp_path_factory.mktemp("zygote")) as started:
        yield started


@pytest.fixture(scope="session")
def commands(tmp_path_factory: pytest.TempPathFactory, zygote: Zygote) -> Iterator[Kinds]:
    """The commands that faults befall; see `kinds.NAMES`."""
    with kinds(tmp_path_factory.mktemp("kinds"), zygote) as made:
        yield made
