"""An export of a busy month into the lake, with all that it takes, against the same work done plainly by others.

Run as `python tests/benchmarks/ingest.py [--events 2e6] [--shape nested|flat|opaque] [--file EXPORT.jsonl.gz]
[--rounds 3] [--only NAME …] [--large 6] [--pieces 1000]`. Makes DevRev-shaped events (or takes a file of them) and
prints, in one run, for each contender the median wall time, processor time and peak memory of its process, and the part
of its wall time that ours takes; then what it costs to take the same file once more, ten small files, the first tenth
of the file alone, the same events in files that each go over all of the days, and a file `--large` times as large, some
of whose events are duplicates, for the memory; then a day in `--pieces` pieces, see `pieces.py`. Ours hashes, keeps the
evidence, finds duplicates, sums up and commits; the others only keep the raw line and write Parquet by date. Of these
shapes `opaque` alone has no id that is known.
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
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from itertools import chain, cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from isal import igzip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pyarrow as pa

LINES: Final = 5_000
ONCE: Final = 100_000
ACCOUNTS: Final = 16


@dataclass(frozen=True)
class Form:
    """How entries of one of the sandbox's shapes are read.

    Attributes:
        fields: canonical column to where it lies in an entry, one or two keys.
        objects: the key of the list of what was touched.
        parts: canonical column to the member of an element that holds it; an element is an id where there are none.
    """

    fields: Mapping[str, str]
    objects: str
    parts: Mapping[str, str]

    def structure(self) -> dict[str, Any]:
        """An entry as far as it is read, with `VARCHAR` for each text."""
        each = dict.fromkeys(self.parts.values(), "VARCHAR") or "VARCHAR"
        found: dict[str, Any] = {self.objects: [each]}
        for path in self.fields.values():
            head, _, tail = path.partition(".")
            if tail:
                found.setdefault(head, {})[tail] = "VARCHAR"
            else:
                found[head] = "VARCHAR"
        return found


NESTED: Final = {
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
FLAT: Final = {
    "event_uid": "id",
    "time": "timestamp",
    "actor": "user_id",
    "actor_name": "user_name",
    "actor_email": "user_email",
    "actor_type": "user_type",
    "credential": "token_id",
    "action": "method",
    "category": "category",
    "activity": "operation_type",
    "resource_name": "object_title",
    "src_ip": "ip_address",
    "user_agent": "user_agent",
    "request_uid": "request_id",
    "outcome": "status",
    "tenant": "dev_org_id",
}
OPAQUE: Final = {
    "event_uid": "k",
    "time": "at",
    "actor": "principal_ref",
    "actor_name": "principal_label",
    "actor_email": "principal_contact",
    "credential": "grant_ref",
    "action": "op",
    "category": "area",
    "activity": "op_kind",
    "src_ip": "peer",
    "user_agent": "client",
    "request_uid": "trace",
    "tenant": "realm",
}
FORMS: Final = {
    "nested": Form(NESTED, "objects", {"resource": "id", "resource_type": "type", "resource_name": "title"}),
    "flat": Form(FLAT, "object_ids", {}),
    "opaque": Form(OPAQUE, "object_ref", {}),
}


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


def ours(source: Path, out: Path, _: Form) -> None:
    """The whole import, as a user runs it."""
    import investigate

    counts = investigate.open(out).import_files(source, profile="devrev").counts
    assert counts.received == counts.stored + counts.duplicate + counts.rejected


def duckdb(source: Path, out: Path, form: Form, memory: str = "80%") -> None:
    """One parse an entry by `json_transform`."""
    import duckdb

    columns = [f"e.{path} AS {name}" for name, path in form.fields.items() if name != "time"]
    columns += [f"e.{form.objects}[1].{part} AS {name}" for name, part in form.parts.items()]
    each = f"list_transform(e.{form.objects}, lambda one: one.{form.parts['resource']})" if form.parts else ""
    columns += [f"{each or f'e.{form.objects}'} AS resources"]
    columns += [] if form.parts else [f"e.{form.objects}[1] AS resource"]
    time = f"e.{form.fields['time']}"
    connection = duckdb.connect(config={"memory_limit": memory})
    connection.execute("SET preserve_insertion_order = false")
    connection.execute(f"""
        COPY (SELECT {", ".join(columns)}, {time}::TIMESTAMPTZ AS time, ({time}[:10])::DATE AS date, raw
            FROM (SELECT json::VARCHAR AS raw, json_transform(json, '{json.dumps(form.structure())}') AS e
                FROM read_json_objects('{source}', format = 'newline_delimited')))
        TO '{out}' (FORMAT parquet, PARTITION_BY (date), COMPRESSION zstd, COMPRESSION_LEVEL 1)""")


def duckdb_512mb(source: Path, out: Path, form: Form) -> None:
    """The same, held to our memory."""
    duckdb(source, out, form, "512MiB")


def polars(source: Path, out: Path, form: Form) -> None:
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

    time, objects = field(form.fields["time"]), field(form.objects)
    first = objects.list.get(0, null_on_oob=True)
    touched = [first.struct.field(part).alias(name) for name, part in form.parts.items()] or [first.alias("resource")]
    ids = objects.list.eval(pl.element().struct.field(form.parts["resource"])) if form.parts else objects
    lines = pl.scan_csv(source, has_header=False, separator="\x01", quote_char=None, new_columns=["raw"])
    frame = lines.with_columns(pl.col("raw").str.json_decode(typed(form.structure())).alias("e")).select(
        *(field(path).alias(name) for name, path in form.fields.items() if name != "time"),
        time.str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us", time_zone="UTC").alias("time"),
        time.str.slice(0, 10).alias("date"),
        *touched,
        ids.alias("resources"),
        "raw",
    )
    frame.sink_parquet(pl.PartitionBy(str(out), key="date"), compression="zstd", compression_level=1, mkdir=True)


def pyarrow(source: Path, out: Path, form: Form) -> None:
    """Blocks of lines through its JSON reader, written as a dataset."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as ds
    import pyarrow.json as reader

    columns = {name: path.split(".") for name, path in form.fields.items()}

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
                objects = entries[form.objects].combine_chunks()
                ids = pc.struct_field(objects.values, form.parts["resource"]) if form.parts else objects.values
                made["resources"] = pa.ListArray.from_arrays(objects.offsets, ids)
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


def chdb(source: Path, out: Path, form: Form) -> None:
    """ClickHouse in the process."""
    import chdb

    def found(path: str) -> str:
        return f"JSONExtractString(line, {', '.join(repr(key) for key in path.split('.'))})"

    out.mkdir()
    columns = [f"{found(path)} AS {name}" for name, path in form.fields.items() if name != "time"]
    parts = list(form.parts.values())
    kind = f"Tuple({', '.join(f'{part} String' for part in parts)})" if parts else "String"
    columns += [f"JSONExtract(line, '{form.objects}', 'Array({kind})') AS touched"]
    if parts:
        columns += ["touched[1].1 AS resource", "arrayMap(one -> one.1, touched) AS resources"]
    else:
        columns += ["touched[1] AS resource"]
    time = found(form.fields["time"])
    chdb.query(  # type: ignore[no-untyped-call]
        f"""
        INSERT INTO FUNCTION file('{out}/{{_partition_id}}.parquet', 'Parquet') PARTITION BY date
        SELECT {", ".join(columns)}, parseDateTime64BestEffort({time}, 6) AS time, substring({time}, 1, 10) AS date,
            line AS raw
        FROM file('{source}', 'LineAsString')
        SETTINGS output_format_parquet_compression_method = 'zstd'"""
    )


CONTENDERS: Final[dict[str, Callable[[Path, Path, Form], None]]] = {
    "ours": ours,
    "duckdb": duckdb,
    "duckdb in 512 MB": duckdb_512mb,
    "polars": polars,
    "pyarrow": pyarrow,
    "chdb": chdb,
}


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
