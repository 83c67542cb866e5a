"""Ranking and matrix of a choice, as `Case.who_touched` gives them, asked once for all views that show part of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from investigate.case.reading import Reading, partition
from investigate.widgets import asking
from investigate.widgets.scope import listed

if TYPE_CHECKING:
    from investigate.case.answer import Answer
    from investigate.case.case import Case
    from investigate.widgets.scope import Chosen
    from investigate.widgets.view import View

EMPTY: Final = "No affected objects are named yet: paste or load them above. Every event of the window is in the grid."
MATRIX: Final = "matrix"


def ranked(view: View, chosen: Chosen) -> Answer | None:
    """Who touched the objects of a choice, and in `tables["matrix"]` which; None where it names no object.

    Args:
        view: who asks.
        chosen: the question; what was pointed at does not count.
    """
    if not chosen.objects:
        return None
    question, version = chosen.question, view.seat().version
    return view.desk.once(version, question, lambda: _ranked(view.desk.case, question, version))


def _ranked(case: Case, chosen: Chosen, version: int) -> Answer:
    import narwhals as nw  # noqa: PLC0415 - heavy, and only a cell that shows something needs it

    from investigate.trace import touched as trace  # noqa: PLC0415
    from investigate.trace.scope import Scope  # noqa: PLC0415

    globs, ids = partition(chosen.objects)
    scope = Scope(asking.window(case, chosen), resources=ids, patterns=globs, activities=chosen.activities)
    with Reading(case, "duckdb", version) as reading:
        touches = reading.touches(scope)
        if chosen.sources:
            touches = touches.filter(nw.col("source").is_in(list(chosen.sources)))
        identities, facets, cells = reading.collect(
            trace.who_touched(touches), trace.facets(touches), trace.matrix(touches)
        )
        directory = reading.directory()
        frame = trace.assemble(identities, facets, directory)
        met = {name for row in frame["resources"] for name in row}
        missing = [name for name in ids if name not in met]
        near = reading.near(missing, ["resources"], scope)
        notes = (f"not touched in what was collected: {listed(missing, 5)}",) if missing else ()
        tables = {MATRIX: trace.matrix_rows(cells, directory)}
        known, window = asking.coverage(case, chosen), asking.window(case, chosen)
        return reading.answer(frame, known, window, suggestions=near, notes=notes, tables=tables)
