"""The public surface is a decision, and importing it costs next to nothing."""

from __future__ import annotations

import subprocess
import sys

import investigate

HEAVY = ("polars", "duckdb", "pyarrow", "deltalake", "boto3", "httpx", "narwhals", "pydantic", "rich")


def test_every_public_name_is_there_and_nothing_else_is_offered() -> None:
    assert all(getattr(investigate, name) is not None for name in investigate.__all__)
    assert dir(investigate) == sorted(investigate.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(investigate, "nothing")


def test_importing_the_package_loads_no_heavy_library() -> None:
    code = f"import investigate, sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
