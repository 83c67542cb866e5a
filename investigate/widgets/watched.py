"""Whether a page runs a cell, or a program that saves a document: only the first has a use for a widget.

A saved widget is shown by nothing but a page that fetches the widget's libraries from elsewhere, and hides the table
beside it: nbconvert, nbviewer and VS Code take a widget before HTML. So what a program runs is saved without.
"""

from __future__ import annotations

import os
from typing import Any, Final

WIDGET: Final = "application/vnd.jupyter.widget-view+json"


def watched() -> bool:
    """Whether somebody may work with what the current cell shows.

    A page names the cell in its request (JupyterLab, Notebook, VS Code: `metadata.cellId`). `jupyter_client`, over
    which papermill, nbconvert and nbval run cells, says nothing; Voila runs them likewise, and then shows them.
    """
    from IPython.core.getipython import get_ipython  # noqa: PLC0415 - who shows a widget has it

    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is None or os.environ.get("SERVER_SOFTWARE", "").startswith("voila"):
        return True
    request: dict[str, Any] = kernel.get_parent() or {}
    return bool(request.get("metadata"))


def shown_by(bundle: dict[str, Any], *, page: bool) -> dict[str, Any]:
    """What is shown of a widget, by a page or in a document."""
    return bundle if page else {kind: what for kind, what in bundle.items() if kind != WIDGET}
