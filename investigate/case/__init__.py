"""A case: one investigation's evidence, lake, journal and settings, and the questions asked of them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from investigate.case.acquisition import Acquisition
    from investigate.case.answer import Answer
    from investigate.case.case import Case
    from investigate.case.coverage import Coverage

__all__ = ["Acquisition", "Answer", "Case", "Coverage"]

_HOMES = {"Acquisition": "acquisition", "Answer": "answer", "Case": "case", "Coverage": "coverage"}
"""Imported on first use: a command that only says what is wrong with its arguments needs no engine."""


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"investigate.case.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
