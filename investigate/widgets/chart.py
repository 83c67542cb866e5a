"""`ChartView`: a view that Altair describes and an offline Vega draws; what it shows is there as a table too."""

from __future__ import annotations

import html
import re
import sys
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING, Any, ClassVar, Final

from investigate.case.display import scrolled
from investigate.errors import InvestigateError
from investigate.report.text import visible
from investigate.widgets import vega
from investigate.widgets.scope import Chosen, changed
from investigate.widgets.view import View

if TYPE_CHECKING:
    from collections.abc import Mapping

    import altair as alt

    from investigate.widgets.desk import Widgets

LABEL: Final = 36
_BEGINNING: Final = re.compile(r".*:(?=[^:]*/[^:]+$)")
"""Of `don:core:dvrv-us-1:devo/1:ticket/47` and `arn:aws:iam::1:user/ann`, all but the last part."""
_STILL_ROWS: Final = 20


class ChartView(View):
    """A chart; see `View`.

    Attributes:
        spec: what Altair made, None where there is nothing to draw.
        rows: the chart as a table: cells, and what a row points at.
    """

    scripts: ClassVar[tuple[str, ...]] = ("chart.js",)
    actions: ClassVar[Mapping[str, str]] = {"vega": "_send_vega", "point": "_point", "clear": "_clear"}
    columns: ClassVar[tuple[str, ...]] = ()
    signals: ClassVar[tuple[str, ...]] = ()
    points_at: ClassVar[tuple[str, ...]] = ()
    label: ClassVar[str] = ""

    def __init__(self, desk: Widgets) -> None:
        self.spec: dict[str, Any] | None = None
        self.rows: list[dict[str, Any]] = []
        self.note = ""
        super().__init__(desk)

    def _scope_changed(self, before: Chosen, now: Chosen) -> None:
        super()._scope_changed(before, now)
        empty = Chosen()
        let_go = [
            name for name in self.points_at if getattr(before, name) != getattr(now, name) == getattr(empty, name)
        ]
        if let_go and not changed(before, now) & self.follows:
            self.show()  # without the mark of what is no longer pointed at

    def content(self) -> dict[str, Any]:
        """As `View` has it."""
        return {
            "spec": self.spec,
            "signals": list(self.signals),
            "note": self.note,
            "label": self.label,
            "pointed": bool(self.points_at and self.spec),
            "table": {"columns": list(self.columns), "rows": self.rows},
        }

    def pointed(self, value: Mapping[str, Any]) -> None:
        """Follow what was pointed at in the chart; `value` is a selection as Vega-Lite has it."""

    def _point(self, message: Mapping[str, Any]) -> None:
        value = message.get("value")
        if isinstance(value, dict) and value:
            self.pointed(value)

    def _clear(self, _message: Mapping[str, Any]) -> None:
        empty = Chosen()
        self.desk.scope.change(**{name: getattr(empty, name) for name in self.points_at})

    def _send_vega(self, _message: Mapping[str, Any]) -> None:
        """In a thread: making it the first time takes seconds."""
        Thread(target=self._bring_vega, name="investigate: vega", daemon=True).start()

    def _bring_vega(self) -> None:
        try:
            found = vega.script()
        except (InvestigateError, OSError) as error:
            self.send({"is": "vega", "problem": str(error)})
        else:
            self.send({"is": "vega"}, [found])

    def body_text(self) -> str:
        """As `View` has it."""
        lines = [" | ".join(row["cells"]) for row in self.rows[:_STILL_ROWS]]
        return "\n".join(filter(None, (self.note, *([" | ".join(self.columns)] if lines else []), *lines)))

    def body_html(self) -> str:
        """As `View` has it."""
        head = "".join(f"<th>{name}</th>" for name in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in row["cells"]) + "</tr>"
            for row in self.rows[:_STILL_ROWS]
        )
        cut = f"<div>the first {_STILL_ROWS} of {len(self.rows):,}</div>" if len(self.rows) > _STILL_ROWS else ""
        table = scrolled(f"<table><tr>{head}</tr>{body}</table>") if body else ""
        return f"<div>{html.escape(self.note)}</div>{table}{cut}"


def inline(values: list[dict[str, Any]]) -> alt.Data:
    """Rows that are part of a chart."""
    import altair as alt  # noqa: PLC0415 - of the extra `lab`

    if "pandas" in sys.modules:  # Altair looks at it, be it that another thread has only begun to import it
        import_module("pandas")
    return alt.Data(values=values)  # type: ignore[no-untyped-call]


def labels(values: list[str]) -> dict[str, str]:
    """Short names for long ids, each for one only: their ends, which differ, with a number where they do not.

    Args:
        values: each once.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for value in values:
        shown = _BEGINNING.sub("", visible(value))
        short = shown if len(shown) <= LABEL else "…" + shown[-LABEL + 1 :]
        name, number = short, 1
        while name in taken:
            number += 1
            name = f"{short} ({number})"
        taken.add(name)
        found[value] = name
    return found
