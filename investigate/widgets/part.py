"""`Part`: a small widget of one script, whose script and style go to the page as a message and not into its state.

A saved notebook keeps the state of every widget in it: this way that is what a widget shows, and no code.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import anywidget
import ipywidgets
import traitlets

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE: Final = Path(__file__).parent
_layouts: Final[dict[tuple[tuple[str, str], ...], ipywidgets.Layout]] = {}


class Part(anywidget.AnyWidget):
    """A widget of one script, which exports `mount({ model, el })`.

    Traits sent to the page: `still`, what a notebook that is opened without its kernel shows.

    Attributes:
        script: its file, beside this one.
        style: its style sheet, likewise.
    """

    _esm = HERE / "loader.js"

    still = traitlets.Unicode("").tag(sync=True)

    script: ClassVar[str]
    style: ClassVar[str]

    def __init__(self, **traits: Any) -> None:
        super().__init__(layout=layout(), **traits)
        self.on_msg(self._serve)

    def _serve(self, _widget: Part, content: Mapping[str, Any], _buffers: object) -> None:
        if content == {"do": "module"}:
            self.send({"is": "module", **_bundle(self.script, self.style)})


def layout(**fields: str) -> ipywidgets.Layout:
    """One layout for all widgets that want the same: each is a kilobyte of a saved notebook. Never change it."""
    key = tuple(sorted(fields.items()))
    if key not in _layouts or _layouts[key].comm is None:  # closed, with all widgets of the kernel
        _layouts[key] = ipywidgets.Layout(**fields)
    return _layouts[key]


@cache
def _bundle(script: str, style: str) -> dict[str, str]:
    """A script and a style, and a key that changes with them."""
    code, sheet = ((HERE / name).read_text(encoding="utf-8") for name in (script, style))
    return {"key": hashlib.sha256((code + sheet).encode()).hexdigest()[:16], "script": code, "style": sheet}
