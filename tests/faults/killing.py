"""Kills a command at many moments, runs it again as its user would, and compares with a run that nobody disturbed.

    python -m tests.faults.killing --moments 200 [--seed N] [--folder DIR] [export|coderabbit|import|compaction|touches]

Half of the moments are steps: just before the process makes, renames or removes a file, opens a database, and so on,
spread over all of them. The others are instants drawn at random, one from each part of its measured life, wherever the
process, Delta's library or the engine happens to be.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.faults.contents import Contents, faults
from tests.faults.kinds import NAMES, Kind, kinds
from tests.faults.zygote import Ended, Job, Zygote

if TYPE_CHECKING:
    from collections.abc import Iterator

_COUNTS: Final = ("received", "stored", "duplicate", "rejected")


@dataclass(frozen=True)
class Moment:
    """When to kill: before a step, or so many seconds into the life of the process."""

    step: int | None = None
    after: float | None = None

    def __str__(self) -> str:
        return f"before step {self.step}" if self.after is None else f"after {self.after:.4f} s"


@dataclass(frozen=True)
class Outcome:
    """What a moment led to: whether the process was killed before it was done, and all that is wrong since."""

    moment: Moment
    killed: bool
    wrong: tuple[str, ...]


class Killing:
    """Kills one kind again and again.

    Args:
        kind: what.
        zygote: runs it.
        folder: for its cases; each goes when it is found to be right.
    """

    def __init__(self, kind: Kind, zygote: Zygote, folder: Path) -> None:
        self.kind, self._zygote, self._folder = kind, zygote, folder
        case = self._copy("undisturbed")
        self.undisturbed = self.run(case)
        if self.undisturbed.code:
            raise RuntimeError(self.undisturbed.err)
        self.expected = kind.holds(case)
        if wrong := faults(case):
            raise RuntimeError("\n".join(wrong))

    def run(self, case: Path, moment: Moment | None = None) -> Ended:
        """Run the command on a case; kill it where a moment says so."""
        at = moment or Moment()
        arguments = ("--case", str(case), "--format", "json", *self.kind.arguments)
        return self._zygote.run(Job(arguments, str(case), self.kind.environment, self.kind.input, at.after, at.step))

    def moments(self, count: int, seed: int) -> Iterator[Moment]:
        """Steps and instants, half and half, spread over the command's life."""
        chance = random.Random(seed)  # noqa: S311 - moments to kill at
        steps, life = self.undisturbed.steps, self.undisturbed.seconds
        for number in range(half := count // 2):
            yield Moment(step=min(steps - 1, int((number + chance.random()) * steps / half)))
        for number in range(rest := count - half):
            yield Moment(after=(number + chance.random()) * life / rest)

    def kill(self, moment: Moment) -> Outcome:
        """Kill the command once, run it again, compare."""
        case = self._copy("killed")
        first = self.run(case, moment)
        again = self.run(case)
        wrong = [*self._told(first, again), *self.kind.holds(case).differs(self._expected(first, again))]
        wrong += faults(case)
        if wrong:
            kept = case.rename(case.with_name(f"wrong-{time.monotonic_ns()}"))
            wrong.append(f"kept as {kept}")
        else:
            shutil.rmtree(case)
        return Outcome(moment, first.killed, tuple(wrong))

    def _told(self, first: Ended, again: Ended) -> Iterator[str]:
        """What is wrong with what the two runs said: one of them must have told what was done, and truly."""
        if not first.killed and first.code:
            yield f"it failed by itself with {first.code}: {first.err}"
        if again.code:
            yield f"run again it failed with {again.code}: {again.err}"
        elif self.kind.acquires:
            wanted = _counts(self.undisturbed)
            told = [_counts(ended) for ended in (first, again) if ended.told]
            if told not in ([wanted], [wanted, wanted]) and told != [wanted, self.twice[0]]:
                yield f"they told of {told}, not of {wanted}"

    def _expected(self, first: Ended, again: Ended) -> Contents:
        """What the case must hold: where the first run had told what it did, the second may have done it once more."""
        if self.kind.acquires and first.told and again.told and _counts(again) != _counts(first):
            return self.twice[1]
        return self.expected

    @cached_property
    def twice(self) -> tuple[tuple[int, ...], Contents]:
        """What the second of two undisturbed runs tells, and what the case holds then."""
        case = self._copy("twice")
        self.run(case)
        return _counts(self.run(case)), self.kind.holds(case)

    def _copy(self, name: str) -> Path:
        case = self._folder / f"{self.kind.name}-{name}"
        shutil.rmtree(case, ignore_errors=True)
        return Path(shutil.copytree(self.kind.before, case))


def _counts(ended: Ended) -> tuple[int, ...]:
    result: dict[str, Any] = ended.result
    return tuple(result[name] for name in _COUNTS)


def main() -> int:
    """Kill each kind that is asked for at so many moments, and say what came of it; 1 where anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.killing", description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(NAMES))
    parser.add_argument("--moments", type=int, default=200, help="of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where cases are made; what is wrong stays there")
    given = parser.parse_args()
    if unknown := set(given.kinds) - set(NAMES):
        parser.error(f"no such kind: {', '.join(sorted(unknown))}")
    folder = Path(tempfile.mkdtemp(prefix="killing-", dir=given.folder))
    wrong = 0
    with Zygote(folder) as zygote, kinds(folder, zygote) as made:
        for name in given.kinds or NAMES:
            killing = Killing(made.make(name), zygote, folder)
            wrong += _report(killing, given.moments, given.seed)
    if not wrong:
        shutil.rmtree(folder)
    return 1 if wrong else 0


def _report(killing: Killing, moments: int, seed: int) -> int:
    begun, killed, wrong = time.monotonic(), 0, 0
    for moment in killing.moments(moments, seed):
        outcome = killing.kill(moment)
        killed += outcome.killed
        wrong += bool(outcome.wrong)
        if outcome.wrong:
            _say(f"{killing.kind.name} {moment}: " + "; ".join(outcome.wrong))
    life = f"{killing.undisturbed.seconds:.2f} s, {killing.undisturbed.steps} steps"
    _say(
        f"{killing.kind.name}: a life of {life}; {moments} moments, {killed} killed before it was done, {wrong} wrong; "
        f"{time.monotonic() - begun:.0f} s"
    )
    return wrong


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
