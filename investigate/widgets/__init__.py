"""Widgets for notebooks: collecting and tracing by clicking. They ask the case, and hold no logic of their own."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from investigate.widgets.desk import Widgets
    from investigate.widgets.jobs import Job
    from investigate.widgets.scope import Chosen, Scope

__all__ = ["Chosen", "Job", "Scope", "Widgets"]

_HOMES = {"Chosen": "scope", "Job": "jobs", "Scope": "scope", "Widgets": "desk"}
"""Imported on first use: a case that shows no widget loads none."""


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"investigate.widgets.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
