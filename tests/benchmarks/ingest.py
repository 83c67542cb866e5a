"""An export of a busy month into the lake, with all that it takes, against the same work done plainly by others.

Run as `python tests/benchmarks/ingest.py [--events 2e6] [--shape nested|flat|opaque] [--file EXPORT.jsonl.gz]
[--rounds 3] [--only NAME …] [--large 6] [--pieces 1000]`. Makes DevRev-shaped events (or takes a file of them) and
prints, in one run, for each contender the median wall time, processor time and peak memory of its process, and the part
of its wall time that ours takes; then what it costs to take the same file once more, ten small files, the first tenth
of the file alone, the same events in files that each go over all of the days, and a file `--large` times as large, some
of whose events are duplicates, for the memory; then a day in `--pieces` pieces, see `pieces.py`. Ours hashes, keeps the
evidence, finds duplicates, sums up and commits; the others, in `contenders.py`, only keep the raw line and write
Parquet by date; `floor` does so with what ours is made of. Of these shapes `opaque` alone has no id that is known.
"""

# ruff: noqa: PLC0415 - what makes the events is not loaded where a contender is measured
from __future__ import annotations

import argparse
import gzip
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from importlib.metadata import version
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from contenders import CONTENDERS, FORMS, Form
from isal import igzip

if TYPE_CHECKING:
    from collections.abc import Sequence

LINES: Final = 5_000
ONCE: Final = 100_000
ACCOUNTS: Final = 16


def export(path: Path, count: int, shape: str) -> None:
    """Write so many entries of the sandbox's main workspace over thirty days, as the vendor would export them."""
    from investigate.sandbox import clock, shapes, stream, world
    from investigate.sandbox.prepare import MAIN
    from investigate.sandbox.settings import ShapeName

    end = clock.parse("2026-11-01T00:00:00Z")
    people, form = world.build(MAIN, 7), shapes.shape(ShapeName(shape), MAIN)
    events = stream.events(people, 7, (end - 30 * clock.DAY, end - 1), count)
    with igzip.open(path, "wb", compresslevel=3) as out:  # type: ignore[no-untyped-call]
        while lines := [form.line(event) for event in islice(events, LINES)]:
            out.write(("\n".join(lines) + "\n").encode())


def larger(source: Path, path: Path, times: int, form: Form) -> None:
    """Write the lines of an export so many times, each time with other ids, but for one line in a hundred thousand."""
    begin = b'{"%s":"' % form.fields["event_uid"].encode()
    with igzip.open(path, "wb", compresslevel=1) as out:  # type: ignore[no-untyped-call]
        for number in range(times):
            with igzip.open(source) as lines:  # type: ignore[no-untyped-call]
                while some := list(islice(lines, ONCE)):
                    kept, *others = some
                    out.write(kept + b"".join(others).replace(begin, begin + b"%d-" % number))


def dealt(source: Path, folder: Path, files: int) -> None:
    """The same events in files each of which goes over all of the time, as of as many accounts."""
    folder.mkdir()
    with ExitStack() as stack:
        outs = [
            stack.enter_context(igzip.open(folder / f"{number:02}.jsonl.gz", "wb", compresslevel=3))  # type: ignore[no-untyped-call]
            for number in range(files)
        ]
        for line, out in zip(stack.enter_context(gzip.open(source)), cycle(outs), strict=False):
            out.write(line)


def measured(name: str, source: Path, out: Path, shape: str) -> tuple[float, float, float]:
    """Wall seconds, processor seconds and peak megabytes of one contender in a process of its own."""
    begun = time.perf_counter()
    child = subprocess.Popen([sys.executable, __file__, "--child", name, str(source), str(out), shape])
    _, status, used = os.wait4(child.pid, 0)
    wall = time.perf_counter() - begun
    if status:
        raise SystemExit(f"{name} failed")
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def told(name: str, figures: Sequence[tuple[float, float, float]], base: float | None = None) -> float:
    """Print the medians of some rounds; the median wall time."""
    wall, processor, memory = (float(statistics.median(one)) for one in zip(*figures, strict=True))
    share = f"  ours takes {base / wall:5.2f} of it" if base else ""
    print(f"{name:24} {wall:8.1f} s wall  {processor:8.1f} s processor  {memory:7.0f} MB{share}", flush=True)
    return wall


def main() -> None:
    """Run it all."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=float, default=2e6)
    arguments.add_argument("--shape", choices=list(FORMS), default="nested")
    arguments.add_argument("--file", type=Path)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--only", nargs="*", default=list(CONTENDERS))
    arguments.add_argument("--large", type=int, default=6)
    arguments.add_argument("--pieces", type=int, default=1000)
    arguments.add_argument("--child", nargs=4)
    given = arguments.parse_args()
    if given.child:
        name, source, out, shape = given.child
        CONTENDERS[name](Path(source), Path(out), FORMS[shape])
        return
    with tempfile.TemporaryDirectory() as folder:
        source = given.file or Path(folder) / "export.jsonl.gz"
        if given.file is None:
            export(source, int(given.events), given.shape)
        base = compare(Path(folder), source, given.shape, given.rounds, given.only)
        if base is not None:
            ourselves(Path(folder), source, given.shape, int(given.events), given.large)
    if given.pieces:
        import pieces

        pieces.main(given.pieces, 200)


def compare(folder: Path, source: Path, shape: str, rounds: int, names: Sequence[str]) -> float | None:
    """All contenders in turn, round after round; what ours took, in seconds, where it was among them."""
    packages = ("duckdb", "polars", "pyarrow", "chdb", "deltalake", "isal")
    print(", ".join(f"{name} {version(name)}" for name in packages), f"; {os.cpu_count()} processors")
    print(f"{source.stat().st_size / 1e6:.0f} MB packed, {shape}; median of {rounds} rounds")
    figures: dict[str, list[tuple[float, float, float]]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names:
            figures[name].append(measured(name, source, folder / f"{number}-{names.index(name)}", shape))
    base = told("ours", figures.pop("ours")) if "ours" in figures else None
    for name, rows in figures.items():
        told(name, rows, base)
    return base


def ourselves(folder: Path, source: Path, shape: str, events: int, large: int) -> None:
    """Ours in other circumstances."""
    told("ours, the same again", [measured("ours", source, folder / "0-0", shape)])
    parts = folder / "parts"
    parts.mkdir()
    with gzip.open(source) as lines:
        for number in range(10):
            (parts / f"{number}.jsonl").write_bytes(b"".join(islice(lines, LINES)))
        tenth = folder / "tenth.jsonl.gz"
        with igzip.open(tenth, "wb", compresslevel=3) as out:  # type: ignore[no-untyped-call]
            out.writelines(islice(lines, events // 10))
    told(f"ours, ten of {LINES:,} events", [measured("ours", parts, folder / "small", shape)])
    told("ours, a tenth", [measured("ours", tenth, folder / "tenth", shape)])
    dealt(source, folder / "accounts", ACCOUNTS)
    told(f"ours, {ACCOUNTS} files of all days", [measured("ours", folder / "accounts", folder / "dealt", shape)])
    if large:
        many = folder / "many.jsonl.gz"
        larger(source, many, large, FORMS[shape])
        told(f"ours, {large} times as large", [measured("ours", many, folder / "many", shape)])


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    main()
