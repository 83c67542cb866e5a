"""What is killed: five commands that bring events in or put them in order, each with the case it starts from."""

from __future__ import annotations

import gzip
import json
import os
import random
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import investigate
from investigate.events import iso, parse_time
from tests.case.conftest import Box
from tests.faults.contents import Contents, contents
from tests.faults.zygote import Job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.faults.zygote import Zygote

_DAYS: Final = 3
_FLAGS: Final = ("--events", "2000", "--coderabbit-events", "500", "--rate-limit", "1000000")


@dataclass(frozen=True)
class Kind:
    """One of them.

    Attributes:
        name: of it.
        before: the case it starts from.
        arguments: of `investigate`.
        input: what it finds on standard input.
        environment: of its process.
        but: columns of the events that differ from run to run, whatever happens.
        passing: what differs inside the records, as a regular expression.
    """

    name: str
    before: Path
    arguments: tuple[str, ...]
    input: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    but: tuple[str, ...] = ()
    passing: str = ""

    def holds(self, case: Path) -> Contents:
        """What a case holds, but for what differs from run to run."""
        return contents(case, but=self.but, passing=self.passing)

    @property
    def acquires(self) -> bool:
        """Whether it brings events in."""
        return self.arguments[0] != "lake"


class Kinds:
    """Makes them, and the sandbox for those that need one; a context manager's value.

    Args:
        folder: where cases and logs are made.
        zygote: imports what a case holds before.
        box: starts the sandbox.
    """

    def __init__(self, folder: Path, zygote: Zygote, box: Callable[[], Box]) -> None:
        self._folder, self._zygote, self._box = folder, zygote, box
        self._made: dict[str, Kind] = {}

    def make(self, name: str) -> Kind:
        """The kind of that name, of `NAMES`; made once."""
        if name not in self._made:
            self._made[name] = NAMES[name](self, self._folder / f"before-{name}")
        return self._made[name]

    def _import(self, before: Path) -> Kind:
        self._take(before, log(self._folder / "earlier.jsonl.gz", 0, 60))
        late = log(self._folder / "late.jsonl.gz", 40, 400, broken=7)
        return Kind("import", before, ("import", str(late), "--profile", "cloudtrail"))

    def _export(self, before: Path) -> Kind:
        box = self._box()
        with environment(box.environment):
            case = investigate.open(before)
            start = parse_time(box.window[0])
            link = box.link_after(lambda: case.devrev.request_export(start, start + timedelta(days=_DAYS)))
        return Kind("export", before, ("devrev", "collect", "-"), link, box.environment)

    def _pull(self, before: Path) -> Kind:
        box = self._box()
        investigate.open(before)
        end = parse_time(box.window[1]) - timedelta(days=1)
        window = ("--from", iso(end - timedelta(days=10)), "--to", iso(end))
        # A page says when it was asked for, so that its bytes, and their hash, are others each time.
        passing = r'"relativeTime":"[^"]*"'
        return Kind("coderabbit", before, ("coderabbit", "pull", *window), "", box.environment, ("evidence",), passing)

    def _compaction(self, before: Path) -> Kind:
        self._pieces(before)
        return Kind("compaction", before, ("lake", "compact"))

    def _touches(self, before: Path) -> Kind:
        self._pieces(before)
        return Kind("touches", before, ("lake", "rebuild-touches"))

    def _pieces(self, before: Path) -> None:
        """A case that took its days in pieces, each with rejects."""
        for number in range(4):
            first = 100 * number
            self._take(before, log(self._folder / f"piece{number}.jsonl.gz", first, first + 120, broken=2))

    def _take(self, case: Path, log: Path) -> None:
        ended = self._zygote.run(Job(("--case", str(case), "import", str(log), "--profile", "cloudtrail"), str(case)))
        if ended.code:
            raise RuntimeError(ended.err)


NAMES: Final[dict[str, Callable[[Kinds, Path], Kind]]] = {
    "import": Kinds._import,
    "export": Kinds._export,
    "coderabbit": Kinds._pull,
    "compaction": Kinds._compaction,
    "touches": Kinds._touches,
}
"""All kinds there are."""


@contextmanager
def kinds(folder: Path, zygote: Zygote) -> Iterator[Kinds]:
    """All kinds, made in a folder by a zygote; the sandbox, where one was needed, ends with it."""
    boxes: list[Box] = []

    def box() -> Box:
        if not boxes:
            (folder / "sandbox").mkdir()
            boxes.append(Box(folder / "sandbox", *_FLAGS))
        return boxes[0]

    try:
        yield Kinds(folder, zygote, box)
    finally:
        for one in boxes:
            one.process.communicate(timeout=30)


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """This process's environment with some values more, for a while."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def log(path: Path, first: int, end: int, *, broken: int = 0, days: int = _DAYS, tenant: str = "") -> Path:
    """Write a CloudTrail log of the events numbered `first` to `end`, the same each time, over some days.

    Args:
        path: of the file, compressed.
        first: number of the first event.
        end: of the last, itself not included.
        broken: so many of its lines are no events.
        days: from 2026-11-01 on.
        tenant: whose account it is of; empty: it does not say.
    """
    lines = [json.dumps(_record(number, days) | _account(tenant)) for number in range(first, end)]
    chance = random.Random(first)  # noqa: S311 - where the broken lines stand
    for number in range(broken):
        lines.insert(chance.randrange(len(lines)), f"no JSON {number}" if number % 2 else f'{{"eventID": "t{number}"}}')
    path.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    return path


def _account(tenant: str) -> dict[str, str]:
    return {"recipientAccountId": tenant} if tenant else {}


def _record(number: int, days: int) -> dict[str, Any]:
    return {
        "eventID": f"e{number}",
        "eventTime": f"2026-11-{number % days + 1:02}T{number % 24:02}:{number % 60:02}:00Z",
        "eventName": ("GetObject", "PutObject", "DeleteObject")[number % 3],
        "userIdentity": {"arn": f"arn:aws:iam::1:user/u{number % 7}"},
        "sourceIPAddress": f"203.0.113.{number % 5}",
        "resources": [{"ARN": f"arn:aws:s3:::bucket/{number % 11}"}, {"ARN": f"arn:aws:s3:::bucket/{number % 4}"}],
        "requestParameters": {"key": "ключ " * (number % 6)},
    }
