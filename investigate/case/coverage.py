"""How much of a window was collected, in words, as JSON and as a frame: it goes with every answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from typing import TYPE_CHECKING, Any

from investigate.report.text import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from investigate.events import Window
    from investigate.journal import Gap, Interval


@dataclass(frozen=True)
class Coverage:
    """What of a window is known.

    Attributes:
        window: the window asked about, UTC.
        gaps: spans never collected, collected only provisionally, or failed, by source and tenant.
        sources: the sources and tenants that were ever collected.
    """

    window: Window
    gaps: tuple[Gap, ...]
    sources: tuple[tuple[str, str], ...]

    @property
    def complete(self) -> bool:
        """Whether every known source was collected over the whole window."""
        return not self.gaps

    def as_json(self) -> dict[str, Any]:
        """`{"complete": bool, "gaps": [{"source", "tenant", "from", "to", "state", "note"}]}`."""
        gaps = [
            {"source": gap.source, "tenant": gap.tenant, **gap.window.as_json(), "state": gap.state, "note": gap.note}
            for gap in self.gaps
        ]
        return {"complete": self.complete, "gaps": gaps}

    def lines(self) -> list[str]:
        """One line a source: `coverage  devrev/acme  2026-11-01 .. 2026-11-03  complete except …`.

        A tenant is what a log says: one with a line end in it makes no line of its own.
        """
        if not self.sources:
            return [f"coverage  nothing was ever collected ({span(self.window)})"]
        return [visible(f"coverage  {_name(one)}  {span(self.window)}  {self._of(*one)}") for one in self.sources]

    def _of(self, source: str, tenant: str) -> str:
        gaps = [gap for gap in self.gaps if (gap.source, gap.tenant) == (source, tenant)]
        if not gaps:
            return "complete"
        listed = ", ".join(f"{span(gap.window)} ({gap.state}{'; ' + gap.note if gap.note else ''})" for gap in gaps[:5])
        more = f", and {len(gaps) - 5} more gaps" if len(gaps) > 5 else ""  # noqa: PLR2004 - as many as were listed
        if len(gaps) == 1 and gaps[0].window == self.window:
            return f"{gaps[0].state}{'; ' + gaps[0].note if gaps[0].note else ''}"
        return f"complete except {listed}{more}"

    def __str__(self) -> str:
        return "\n".join(self.lines())


def _name(source: tuple[str, str]) -> str:
    return "/".join(source)


def span(window: Window) -> str:
    """A window for people, UTC, in dates, minutes or seconds: as coarse as both ends allow."""
    ends = (window.start, window.end)
    if all(end.time() == time(0) for end in ends):
        form = "%Y-%m-%d"
    elif all(not end.second and not end.microsecond for end in ends):
        form = "%Y-%m-%d %H:%M"
    else:
        form = "%Y-%m-%d %H:%M:%S"
    return " .. ".join(end.strftime(form) for end in ends)


def frame(intervals: Sequence[Interval], gaps: Sequence[Gap]) -> pl.DataFrame:
    """Intervals and gaps as one frame, in order of source, tenant and time.

    Returns:
        `source`, `tenant`, `from`, `to` (timestamp[us, UTC]), `state` (complete, provisional, failed or never
        collected), `filter` (as `name=value,value`, empty where everything was asked for), `basis` and `acquisition`.
    """
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    rows: list[tuple[Any, ...]] = [
        (i.source, i.tenant, i.window.start, i.window.end, str(i.state), filter_text(i.filter), i.basis, i.acquisition)
        for i in intervals
    ]
    rows += [
        (gap.source, gap.tenant, gap.window.start, gap.window.end, gap.state, gap.note, None, None)
        for gap in gaps
        if gap.state == "never collected"
    ]
    moment, text = pl.Datetime("us", "UTC"), pl.String()
    schema: dict[str, pl.DataType] = {"source": text, "tenant": text, "from": moment, "to": moment, "state": text}
    schema |= {"filter": text, "basis": text, "acquisition": text}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("source", "tenant", "from", "to")


def filter_text(chosen: dict[str, list[str]]) -> str:
    """A filter for people: `operation_types=read,delete users=…`."""
    return " ".join(f"{name}={','.join(values)}" for name, values in sorted(chosen.items()))
