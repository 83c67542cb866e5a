"""What the pieces of the collecting notebook have in common: how they show themselves, and what they say."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Final

import ipywidgets
import traitlets

from investigate.case.display import visible
from investigate.evidence.redact import redact
from investigate.widgets.part import Part, layout
from investigate.widgets.watched import shown_by, watched

if TYPE_CHECKING:
    from collections.abc import Iterable

    from investigate.case import Acquisition

WIDE: Final = {"description_width": "9rem"}
_LONGEST: Final = 2000
_LISTED: Final = 5


class Notice(Part):
    """Lines of plain text that are read out when they change.

    Traits sent to the page: `lines`, each `[kind, text]`, where kind is `plain`, `good`, `warn` or `bad`: it is shown
    by a sign and a word as well as by its colour.
    """

    script = "notice.js"
    style = "collect.css"

    lines: traitlets.List[Any] = traitlets.List().tag(sync=True)

    def say(self, *lines: str | tuple[str, str]) -> None:
        """Show some lines in place of those before.

        Args:
            lines: text, or kind and text.
        """
        pairs = [("plain", line) if isinstance(line, str) else line for line in lines]
        self.lines = [[kind, visible(redact(text[:_LONGEST]), _LONGEST)] for kind, text in pairs if text]
        self.still = "\n".join(self.texts())

    def texts(self) -> list[str]:
        """What it shows, a string a line."""
        return [text for _, text in self.lines]


class Piece(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """One piece of a notebook: a widget while there is a kernel, escaped HTML and text where there is none."""

    def __init__(self, *children: ipywidgets.Widget) -> None:
        super().__init__(children=children, layout=layout())
        self.add_class("investigate-piece")

    def texts(self) -> list[str]:
        """What the piece shows, as lines of plain text, for documents and terminals."""
        return []

    def __repr__(self) -> str:
        return "\n".join(visible(redact(line), _LONGEST) for line in self.texts())

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        lines = repr(self).splitlines()
        bundle["text/plain"] = "\n".join(lines)
        bundle["text/html"] = "".join(f"<div>{html.escape(line)}</div>" for line in lines)
        return shown_by(bundle, page=watched())


def row(*fields: ipywidgets.Widget) -> ipywidgets.HBox:
    """Fields beside each other, and below where there is no room."""
    return ipywidgets.HBox(fields, layout=layout(flex_flow="row wrap"))


def words(text: str) -> list[str]:
    """The values of a field that takes several, separated by commas or lines."""
    return [part.strip() for part in text.replace("\n", ",").split(",") if part.strip()]


def account(acquisition: Acquisition) -> str:
    """What an acquisition brought and what became of it, as lines of text."""
    counts = acquisition.counts
    lines = [str(counts)]
    if counts.records != counts.received:
        lines.append(f"{counts.records:,} records, some with several events")
    lines += _few("evidence", [f"{file.sha256[:12]}…  {file.name}" for file in acquisition.evidence])
    lines += [f"warning  {warning}" for warning in acquisition.warnings]
    if acquisition.resumed:
        lines.append("An earlier run of the same was cut off; this one brought it to its end.")
    lines += acquisition.coverage.lines()
    if acquisition.decisions:  # the vendor publishes no field names: what was taken for what is for people to check
        read = "; ".join(f"{one.column} = {one.path} (by {one.how}, {one.share:.0%})" for one in acquisition.decisions)
        lines.append(f"read as  {read}")
    return "\n".join(lines)


def _few(name: str, values: Iterable[str]) -> list[str]:
    found = list(values)
    more = [f"{name}  and {len(found) - _LISTED} more"] if len(found) > _LISTED else []
    return [f"{name}  {value}" for value in found[:_LISTED]] + more
