"""What passes by while an acquisition is normalised: counts, and the times, tenants and activities met."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from investigate.events import Window, just_after

if TYPE_CHECKING:
    from investigate.normalise.normaliser import Batch

_MOST_ACTORS: Final = 10_000


@dataclass
class Tally:
    """Running totals of one acquisition.

    Attributes:
        records: the vendor's records.
        events: events made of them.
        spans: for each tenant, from its first event to just after its last.
        activities: those met.
        actors: those met, as far as they are few enough to keep.
        unread: rejects that stand for a whole file.
        cut: rejects that stand for the missing or damaged rest of a file.
        rejects: all rejects.
        reason: why the first record was rejected.
    """

    records: int = 0
    events: int = 0
    spans: dict[str, Window] = field(default_factory=dict)
    activities: set[str] = field(default_factory=set)
    actors: set[str] = field(default_factory=set)
    unread: int = 0
    cut: int = 0
    rejects: int = 0
    reason: str = ""

    def add(self, batch: Batch) -> None:
        """Count one batch."""
        import pyarrow.compute as pc  # noqa: PLC0415 - heavy, and a look at a case needs it not

        self.records += batch.records
        self.events += batch.events.num_rows
        if batch.rejects.num_rows and not self.reason:
            self.reason = batch.rejects["reason"][0].as_py()
        self.rejects += batch.rejects.num_rows
        self.unread += batch.unread
        self.cut += batch.cut
        if not batch.events.num_rows:
            return
        self.activities.update(pc.unique(batch.events["activity"]).to_pylist())
        if len(self.actors) < _MOST_ACTORS:
            self.actors.update(pc.unique(batch.events["actor"]).to_pylist())
        spans = batch.events.select(["tenant", "time"]).unify_dictionaries()
        grouped = spans.group_by("tenant").aggregate([("time", "min"), ("time", "max")])
        for row in grouped.to_pylist():
            self._widen(row["tenant"], Window(row["time_min"], just_after(row["time_max"])))

    def _widen(self, tenant: str, seen: Window) -> None:
        known = self.spans.get(tenant, seen)
        self.spans[tenant] = Window(min(known.start, seen.start), max(known.end, seen.end))

    @property
    def whole(self) -> bool:
        """Whether every file was read to its end, and its records could be read: of many, not one made no event."""
        return not self.unread and not self.cut and (self.events > 0 or not self.records)

    @property
    def hull(self) -> Window | None:
        """From the first event of any tenant to just after the last."""
        if not self.spans:
            return None
        return Window(min(s.start for s in self.spans.values()), max(s.end for s in self.spans.values()))

    @property
    def unreadable(self) -> str:
        """Why nothing at all could be read, empty where something could."""
        return self.reason if self.unread and not self.events and self.unread == self.records else ""
