"""Who reads an export in `ingest.py`: ours, and others that keep the raw line and write Parquet by date, no more."""

# ruff: noqa: PLC0415 - a contender loads its own engine and no other's
from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from isal import igzip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa


CHUNK: Final = 8 * 2**20


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


def floor(source: Path, out: Path, form: Form) -> None:
    """What ours is made of and no more: isal, one query a chunk, Parquet; two threads, nothing derived or compared."""
    import duckdb
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    pointers = {name: path.replace(".", "/") for name, path in form.fields.items()}
    first = f"{form.objects}/0"
    pointers |= {name: f"{first}/{part}" for name, part in form.parts.items()} or {"resource": first}
    pointers["resources"] = form.objects
    columns = ", ".join(f"r[{at}] AS {name}" for at, name in enumerate(pointers, 1))
    paths = [f"/{path}" for path in pointers.values()]
    query = f"SELECT {columns} FROM (SELECT json_extract_string(raw, {paths}) AS r FROM batch)"
    coded = [name for name in pointers if name not in {"event_uid", "request_uid", "time"}]
    out.mkdir()

    def chunks() -> Iterator[pa.Array]:
        rest = b""
        with igzip.open(source) as stream:  # type: ignore[no-untyped-call]
            while block := stream.read(CHUNK):
                head, _, rest = (rest + block).rpartition(b"\n")
                yield pc.split_pattern(pa.array([head], pa.binary()).cast(pa.string()), "\n").flatten()

    def work(number: int) -> None:
        connection = duckdb.connect(config={"threads": 1})
        with ExitStack() as writers:
            written: dict[str, pq.ParquetWriter] = {}
            while (raw := taken()) is not None:
                connection.register("batch", pa.table({"raw": raw}))
                made = connection.sql(query).to_arrow_table().append_column("raw", raw)
                days = pc.utf8_slice_codeunits(made["time"], 0, 10)
                time = made["time"].cast(pa.timestamp("us", "UTC"))
                made = made.set_column(made.schema.get_field_index("time"), "time", time)
                for day in pc.unique(days).to_pylist():
                    if day not in written:
                        path = out / f"{day}-{number}.parquet"
                        writer = pq.ParquetWriter(path, made.schema, compression="zstd", use_dictionary=coded)
                        written[day] = writers.enter_context(writer)
                    written[day].write_table(made.filter(pc.equal(days, day)))

    def taken() -> pa.Array | None:
        with taking:
            return next(waiting, None)

    waiting, taking = chunks(), Lock()
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(work, range(2)))


CONTENDERS: Final[dict[str, Callable[[Path, Path, Form], None]]] = {
    "ours": ours,
    "floor": floor,
    "duckdb": duckdb,
    "duckdb in 512 MB": duckdb_512mb,
    "polars": polars,
    "pyarrow": pyarrow,
    "chdb": chdb,
}
