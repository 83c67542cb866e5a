"""Who touched this data, when, from where, and how sure are we.

import investigate
case = investigate.open("data/case")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from investigate.errors import InvestigateError

if TYPE_CHECKING:
    import os

    from investigate.case import Acquisition, Answer, Case, Coverage
    from investigate.events import Window
    from investigate.journal import Counts, ExportRequest

__all__ = [
    "Acquisition",
    "Answer",
    "Case",
    "Counts",
    "Coverage",
    "ExportRequest",
    "InvestigateError",
    "Window",
    "open",
]

_HOMES = {
    "Acquisition": "investigate.case",
    "Answer": "investigate.case",
    "Case": "investigate.case",
    "Counts": "investigate.journal",
    "Coverage": "investigate.case",
    "ExportRequest": "investigate.journal",
    "Window": "investigate.events",
}
"""Where the public names live: they are imported on first use, so that importing the package costs nothing."""


def open(path: str | os.PathLike[str] | None = None) -> Case:  # noqa: A001 - `investigate.open` reads as it should
    """Open a case, or make one.

    Args:
        path: its folder; None is `$INVESTIGATE_CASE`, else `data/case`.

    Raises:
        CaseError: the folder holds something else, or cannot be written.
        ConfigError: its `case.toml` holds something unusable.
    """
    from investigate.case import Case  # noqa: PLC0415 - see `_HOMES`

    return Case(path)


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext investigate`; see `investigate.widgets.magic`."""
    import_module("investigate.widgets.magic").load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext investigate`."""
    import_module("investigate.widgets.magic").unload(shell)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
