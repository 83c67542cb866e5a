"""A workspace's log in S3: JSON Lines, gzip, one object an hour, devo=<key>/date=<day>/hour=<hour>.jsonl.gz.

Written straight into the folder that rclone serves, before anyone reads there: 1,400 small uploads would take longer
than the rest of the start-up. Export files go through S3 proper (`exports.py`).
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Final

from investigate.sandbox import clock, gzipped
from investigate.sandbox.shapes import Facts, Shape
from investigate.sandbox.stream import Event
from investigate.sandbox.world import Workspace

_LINES_AT_ONCE: Final = 2_000


@dataclass(frozen=True, slots=True)
class Selection:
    """What an export asks for. Both ends inclusive, microseconds since 1970 UTC; an empty filter lets all through."""

    start: int
    end: int
    categories: frozenset[str] = frozenset()
    operation_types: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()

    @property
    def filtered(self) -> bool:
        """Whether it asks for less than everything in its time."""
        return bool(self.categories or self.operation_types or self.users)

    def may_want(self, line: bytes) -> bool:
        """Whether a line says anywhere what the filters ask for: spares decoding most of those that do not."""
        filters = (self.categories, self.operation_types, self.users)
        return all(not values or any(value.encode() in line for value in values) for values in filters)

    def wants(self, facts: Facts) -> bool:
        """Whether an entry belongs to it."""
        return (
            self.start <= facts.micros <= self.end
            and (not self.categories or facts.category in self.categories)
            and (not self.operation_types or facts.operation_type in self.operation_types)
            and (not self.users or facts.user in self.users)
        )


class LogStore:
    """The log of one workspace."""

    def __init__(self, bucket: Path, workspace: Workspace, shape: Shape) -> None:
        self._folder = bucket / "log" / f"devo={workspace.key}"
        self._shape = shape

    def write(self, events: Iterable[Event]) -> int:
        """Write a stream that is in time order; the number of events."""
        count = 0
        for hour, group in groupby(events, key=lambda event: event.micros // clock.HOUR):
            path = self._path(hour)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file, gzipped.writer(file) as output:
                # Each line encoded by itself: one emoji would make a wide string of all that it is joined with.
                while batch := [self._shape.line(event).encode() for event in islice(group, _LINES_AT_ONCE)]:
                    output.write(b"\n".join(batch) + b"\n")
                    count += len(batch)
        return count

    def read(self, selection: Selection) -> Iterator[Iterator[bytes]]:
        """The wanted lines, each with its line end, one iterator an hour, in time order."""
        for hour in range(selection.start // clock.HOUR, selection.end // clock.HOUR + 1):
            path = self._path(hour)
            if path.exists():
                begin = hour * clock.HOUR
                whole = selection.start <= begin and begin + clock.HOUR - 1 <= selection.end
                yield gzipped.lines(path) if whole and not selection.filtered else self._wanted(path, selection)

    def bounds(self, start: int, end: int) -> tuple[int, int]:
        """The range cut to the hours that can hold something: years of nothing are not worth walking."""
        days = sorted(folder.name.removeprefix("date=") for folder in self._folder.glob("date=*"))
        if not days:
            return start, start - 1
        first, last = (clock.parse(f"{day}T00:00:00Z") for day in (days[0], days[-1]))
        return max(start, first), min(end, last + clock.DAY - 1)

    def _wanted(self, path: Path, selection: Selection) -> Iterator[bytes]:
        for line in gzipped.lines(path):
            if selection.may_want(line) and selection.wants(self._shape.facts(json.loads(line))):
                yield line

    def _path(self, hour: int) -> Path:
        when = clock.as_datetime(hour * clock.HOUR)
        return self._folder / f"date={when:%Y-%m-%d}" / f"hour={when:%H}.jsonl.gz"
