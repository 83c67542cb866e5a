"""An export of a busy month into the lake, with all that it takes, against the same work done plainly by others.

Run as `python tests/benchmarks/ingest.py [--events 2e6] [--file EXPORT.jsonl.gz] [--rounds 3] [--only NAME …]
[--large 6] [--pieces 1000]`. Makes DevRev-shaped events (or takes a file of them) and prints, in one run, for each
contender the median wall time, processor time and peak memory of its process, and the part of its wall time that ours
takes; then what it costs to take the same file once more, ten small files, the first tenth of the file alone, and a
file `--large` times as large, some of whose events are duplicates, for the memory; then a day in `--pieces` pieces, see
`pieces.py`. Ours hashes, keeps the evidence, finds duplicates, sums up and commits; the others only keep the raw line
and write Parquet by date.
"""

# ruff: noqa: PLC0415 - a contender loads its own engine and no other's
from __future__ import annotations

import argparse
import gzip
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from isal import igzip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

LINES: Final = 5_000
ONCE: Final = 100_000
FIELDS: Final = {
    "event_uid": "id",
    "time": "timestamp",
    "actor": "actor.id",
    "actor_name": "actor.display_name",
    "actor_email": "actor.email",
    "actor_type": "actor.type",
    "credential": "credential.id",
    "action": "action.method",
    "category": "category",
    "activity": "operation_type",
    "src_ip": "context.ip_address",
    "user_agent": "context.user_agent",
    "request_uid": "context.request_id",
    "outcome": "outcome.status",
    "tenant": "dev_org.id",
}
"""Canonical column to where it lies in an entry; besides these `objects`, a list."""


def structure() -> dict[str, Any]:
    """An entry as far as it is read, with `VARCHAR` for each text."""
    found: dict[str, Any] = {"objects": [dict.fromkeys(("id", "type", "title"), "VARCHAR")]}
    for path in FIELDS.values():
        head, _, tail = path.partition(".")
        if tail:
            found.setdefault(head, {})[tail] = "VARCHAR"
        else:
            found[head] = "VARCHAR"
    return found


def export(path: Path, count: int) -> None:
    """Write so many entries of the sandbox's main workspace over thirty days, as the vendor would export them."""
    from investigate.sandbox import clock, shapes, stream, world
    from investigate.sandbox.prepare import MAIN
    from investigate.sandbox.settings import ShapeName

    end = clock.parse("2026-11-01T00:00:00Z")
    people, shape = world.build(MAIN, 7), shapes.shape(ShapeName("nested"), MAIN)
    events = stream.events(people, 7, (end - 30 * clock.DAY, end - 1), count)
    with igzip.open(path, "wb", compresslevel=3) as out:  # type: ignore[no-untyped-call]
        while lines := [shape.line(event) for event in islice(events, LINES)]:
            out.write(("\n".join(lines) + "\n").encode())


def larger(source: Path, path: Path, times: int) -> None:
    """Write the lines of an export so many times, each time with other ids, but for one line in a hundred thousand."""
    with igzip.open(path, "wb", compresslevel=1) as out:  # type: ignore[no-untyped-call]
        for number in range(times):
            with igzip.open(source) as lines:  # type: ignore[no-untyped-call]
                while some := list(islice(lines, ONCE)):
                    kept, *others = some
                    out.write(kept + b"".join(others).replace(b'{"id":"', b'{"id":"%d-' % number))


def ours(source: Path, out: Path) -> None:
    """The whole import, as a user runs it."""
    import investigate

    counts = investigate.open(out).import_files(source, profile="devrev").counts
    assert counts.received == counts.stored + counts.duplicate + counts.rejected


def duckdb(source: Path, out: Path, memory: str = "80%") -> None:
    """One parse an entry by `json_transform`."""
    import duckdb

    columns = ", ".join(f"e.{path} AS {name}" for name, path in FIELDS.items() if name != "time")
    connection = duckdb.connect(config={"memory_limit": memory})
    connection.execute("SET preserve_insertion_order = false")
    connection.execute(f"""
        COPY (SELECT {columns}, e.timestamp::TIMESTAMPTZ AS time, (e.timestamp[:10])::DATE AS date, raw,
                e.objects[1].id AS resource, e.objects[1].type AS resource_type, e.objects[1].title AS resource_name,
                list_transform(e.objects, lambda one: one.id) AS resources
            FROM (SELECT json::VARCHAR AS raw, json_transform(json, '{json.dumps(structure())}') AS e
                FROM read_json_objects('{source}', format = 'newline_delimited')))
        TO '{out}' (FORMAT parquet, PARTITION_BY (date), COMPRESSION zstd, COMPRESSION_LEVEL 1)""")


def duckdb_512mb(source: Path, out: Path) -> None:
    """The same, held to our memory."""
    duckdb(source, out, "512MiB")


def polars(source: Path, out: Path) -> None:
    """Lines, then one decoding of each."""
    import polars as pl

    def typed(value: Any) -> Any:
        if isinstance(value, dict):
            return pl.Struct({name: typed(below) for name, below in value.items()})
        return pl.List(typed(value[0])) if isinstance(value, list) else pl.String

    def field(path: str) -> pl.Expr:
        head, _, tail = path.partition(".")
        found = pl.col("e").struct.field(head)
        return found.struct.field(tail) if tail else found

    first = pl.col("e").struct.field("objects").list.get(0, null_on_oob=True)
    lines = pl.scan_csv(source, has_header=False, separator="\x01", quote_char=None, new_columns=["raw"])
    frame = lines.with_columns(pl.col("raw").str.json_decode(typed(structure())).alias("e")).select(
        *(field(path).alias(name) for name, path in FIELDS.items() if name != "time"),
        field("timestamp").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us", time_zone="UTC").alias("time"),
        field("timestamp").str.slice(0, 10).alias("date"),
        *(
            first.struct.field(old).alias(new)
            for old, new in (("id", "resource"), ("type", "resource_type"), ("title", "resource_name"))
        ),
        pl.col("e").struct.field("objects").list.eval(pl.element().struct.field("id")).alias("resources"),
        "raw",
    )
    frame.sink_parquet(pl.PartitionBy(str(out), key="date"), compression="zstd", compression_level=1, mkdir=True)


def pyarrow(source: Path, out: Path) -> None:
    """Blocks of lines through its JSON reader, written as a dataset."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as ds
    import pyarrow.json as reader

    columns = {name: path.split(".") for name, path in FIELDS.items()}

    def batches() -> Iterator[pa.RecordBatch]:
        rest = b""
        with igzip.open(source) as stream:  # type: ignore[no-untyped-call]
            while block := stream.read(2**24):
                head, _, tail = (rest + block).rpartition(b"\n")
                rest = tail
                entries = reader.read_json(io.BytesIO(head), reader.ReadOptions(block_size=2**25))
                raw = pc.split_pattern(pa.array([head.decode()]), "\n").flatten()
                made = {}
                for name, (key, *below) in columns.items():
                    column = entries[key].combine_chunks()
                    made[name] = pc.struct_field(column, below[0]) if below else column
                objects = entries["objects"].combine_chunks()
                made["resources"] = pa.ListArray.from_arrays(objects.offsets, pc.struct_field(objects.values, "id"))
                made["time"] = made["time"].cast(pa.timestamp("us", "UTC"))
                made["date"] = made["time"].cast(pa.date32())
                yield from pa.table({**made, "raw": raw}).to_batches()

    made = batches()
    first = next(made)
    ds.write_dataset(
        chain([first], made),
        out,
        schema=first.schema,
        format="parquet",
        partitioning=ds.partitioning(pa.schema([("date", pa.date32())]), flavor="hive"),
        file_options=ds.ParquetFileFormat().make_write_options(compression="zstd", compression_level=1),
    )


def chdb(source: Path, out: Path) -> None:
    """ClickHouse in the process."""
    import chdb

    def found(path: str) -> str:
        return f"JSONExtractString(line, {', '.join(repr(key) for key in path.split('.'))})"

    out.mkdir()
    columns = ", ".join(f"{found(path)} AS {name}" for name, path in FIELDS.items() if name != "time")
    objects = "JSONExtract(line, 'objects', 'Array(Tuple(id String, type String, title String))')"
    chdb.query(  # type: ignore[no-untyped-call]
        f"""
        INSERT INTO FUNCTION file('{out}/{{_partition_id}}.parquet', 'Parquet') PARTITION BY date
        SELECT {columns}, parseDateTime64BestEffort({found("timestamp")}, 6) AS time,
            substring({found("timestamp")}, 1, 10) AS date, {objects} AS objects, objects[1].1 AS resource,
            arrayMap(one -> one.1, objects) AS resources, line AS raw
        FROM file('{source}', 'LineAsString')
        SETTINGS output_format_parquet_compression_method = 'zstd'"""
    )


CONTENDERS: Final[dict[str, Callable[[Path, Path], None]]] = {
    "ours": ours,
    "duckdb": duckdb,
    "duckdb in 512 MB": duckdb_512mb,
    "polars": polars,
    "pyarrow": pyarrow,
    "chdb": chdb,
}


def measured(name: str, source: Path, out: Path) -> tuple[float, float, float]:
    """Wall seconds, processor seconds and peak megabytes of one contender in a process of its own."""
    begun = time.perf_counter()
    child = subprocess.Popen([sys.executable, __file__, "--child", name, str(source), str(out)])
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
    arguments.add_argument("--file", type=Path)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--only", nargs="*", default=list(CONTENDERS))
    arguments.add_argument("--large", type=int, default=6)
    arguments.add_argument("--pieces", type=int, default=1000)
    arguments.add_argument("--child", nargs=3)
    given = arguments.parse_args()
    if given.child:
        name, source, out = given.child
        CONTENDERS[name](Path(source), Path(out))
        return
    with tempfile.TemporaryDirectory() as folder:
        source = given.file or Path(folder) / "export.jsonl.gz"
        if given.file is None:
            export(source, int(given.events))
        base = compare(Path(folder), source, given.rounds, given.only)
        if base is not None:
            ourselves(Path(folder), source, int(given.events), given.large)
    if given.pieces:
        import pieces

        pieces.main(given.pieces, 200)


def compare(folder: Path, source: Path, rounds: int, names: Sequence[str]) -> float | None:
    """All contenders in turn, round after round; what ours took, in seconds, where it was among them."""
    packages = ("duckdb", "polars", "pyarrow", "chdb", "deltalake", "isal")
    print(", ".join(f"{name} {version(name)}" for name in packages), f"; {os.cpu_count()} processors")
    print(f"{source.stat().st_size / 1e6:.0f} MB packed; median of {rounds} rounds")
    figures: dict[str, list[tuple[float, float, float]]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names:
            figures[name].append(measured(name, source, folder / f"{number}-{names.index(name)}"))
    base = told("ours", figures.pop("ours")) if "ours" in figures else None
    for name, rows in figures.items():
        told(name, rows, base)
    return base


def ourselves(folder: Path, source: Path, events: int, large: int) -> None:
    """Ours in other circumstances."""
    told("ours, the same again", [measured("ours", source, folder / "0-0")])
    parts = folder / "parts"
    parts.mkdir()
    with gzip.open(source) as lines:
        for number in range(10):
            (parts / f"{number}.jsonl").write_bytes(b"".join(islice(lines, LINES)))
        tenth = folder / "tenth.jsonl.gz"
        with igzip.open(tenth, "wb", compresslevel=3) as out:  # type: ignore[no-untyped-call]
            out.writelines(islice(lines, events // 10))
    told(f"ours, ten of {LINES:,} events", [measured("ours", parts, folder / "small")])
    told("ours, a tenth", [measured("ours", tenth, folder / "tenth")])
    if large:
        many = folder / "many.jsonl.gz"
        larger(source, many, large)
        told(f"ours, {large} times as large", [measured("ours", many, folder / "many")])


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    main()
