"""Runs a command on a disk that is full, or becomes so on the way, then gives it room and runs it again."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.faults.contents import faults
from tests.faults.disks import fill, free, used
from tests.faults.zygote import Ended, Job, Zygote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.kinds import Kind


@dataclass(frozen=True)
class Filled:
    """What too little room led to.

    Attributes:
        room: bytes there were.
        failed: whether it was too little.
        wrong: all that was wrong then, or is wrong since there was room again.
    """

    room: int
    failed: bool
    wrong: tuple[str, ...]


class Filling:
    """One kind, on a disk of little room.

    Args:
        kind: what is run.
        zygote: runs it.
        disk: a small one, all of which is ours; where it is none of its own, no file can grow beyond the room given.
        limited: whether it is none of its own.
    """

    def __init__(self, kind: Kind, zygote: Zygote, disk: Path, *, limited: bool) -> None:
        self._kind, self._zygote, self._disk, self._limited = kind, zygote, disk, limited
        self._case = disk / "case"
        self._copy()
        before = kind.holds(self._case)
        self._before, size = before.events, used(self._case)
        if (ended := self._run()).code:
            raise RuntimeError(ended.err)
        self._expected = kind.holds(self._case)
        files = [path.stat().st_size for path in self._case.rglob("*") if path.is_file()]
        self.needed = max(files) if limited else used(self._case) - size

    def at(self, room: int) -> Filled:
        """Run it with so many bytes of room, then with enough."""
        self._copy()
        if not self._limited:
            fill(self._disk, room)
        first = self._run(room if self._limited else None)
        wrong = [*self._clear(first)]
        free(self._disk)
        again = self._run()
        if again.code:
            wrong.append(f"run again it failed with {again.code}: {again.err}")
        wrong += [*self._kind.holds(self._case).differs(self._expected), *faults(self._case)]
        return Filled(room, bool(first.code), tuple(wrong))

    def _run(self, largest: int | None = None) -> Ended:
        arguments = ("--case", str(self._case), "--format", "json", *self._kind.arguments)
        job = Job(arguments, str(self._case), self._kind.environment, self._kind.input, largest=largest)
        return self._zygote.run(job)

    def _clear(self, ended: Ended) -> Iterator[str]:
        """What is wrong with how it failed: one error in two sentences, and a lake as before."""
        if not ended.code:
            return
        said = ended.err.splitlines()
        errors = [line for line in said if line.startswith("Error: ")]
        if ended.code != 1 or len(errors) != 1 or said[-2:-1] != errors or "fault of investigate" in ended.err:
            yield f"it failed with {ended.code} and said {ended.err!r}"
        if "space" not in ended.err and not self._limited:
            yield f"it did not say that space is what is missing: {ended.err!r}"
        free(self._disk)
        # What comes after the commit, the journal for one, may fail when the events are there; then all of them are.
        if not any(self._kind.holds(self._case).events.equals(one) for one in (self._before, self._expected.events)):
            yield "the lake is neither as before nor as it is to be"

    def _copy(self) -> None:
        free(self._disk)
        shutil.rmtree(self._case, ignore_errors=True)
        shutil.copytree(self._kind.before, self._case)
