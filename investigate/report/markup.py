"""HTML that is escaped by construction: a text becomes markup nowhere but here, and always escaped.

An element's name and its attributes' names come from this program; children and values may come from a log.
"""

from __future__ import annotations

import html
from typing import Final

from investigate.report.text import visible

_VOID: Final = frozenset({"br", "meta", "link", "hr", "col"})


class Markup(str):
    """Text that is HTML already. Made by `tag` and `raw` alone; whatever else is a text, and is escaped."""

    __slots__ = ()


def tag(name: str, /, *children: str | None, **attributes: str | float | None) -> Markup:
    """An element.

    Args:
        name: of the element.
        children: markup as it stands, text escaped; None is left out.
        attributes: values, escaped; None leaves one out. `class_` is `class`, and `_` in a name is a hyphen.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(visible(str(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{join(*children)}</{name}>")


def join(*children: str | None) -> Markup:
    """Markup and texts one after the other, texts escaped."""
    return Markup("".join(one if isinstance(one, Markup) else text(one) for one in children if one is not None))


def text(value: str) -> Markup:
    """A text, escaped; what a reader would obey instead of show is written out."""
    return Markup(html.escape(visible(value)))


def _value(value: str) -> str:
    """A text inside the double quotes of an attribute."""
    return html.escape(value, quote=False).replace('"', "&quot;")


def lines(value: str) -> Markup:
    """A text of several lines, for `pre`: its line ends stay."""
    return Markup("\n".join(text(line) for line in value.replace("\r\n", "\n").split("\n")))


def raw(value: str) -> Markup:
    """A constant of this program as it stands: a style sheet, never anything a log says."""
    return Markup(value)
