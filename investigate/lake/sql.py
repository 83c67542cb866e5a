"""SQL over the lake: an engine that can reach the lake's files, and nothing else, and queries that only read.

DuckDB lets whoever may read a folder write there, too. So a query is looked through before it is run: it is to be a
SELECT in each of its parts, and to run no text as another query, which nobody has looked through.
"""

from __future__ import annotations

import json
import re
import secrets
import tempfile
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import duckdb

from investigate.errors import LakeError, QueryRefused, first_line
from investigate.events import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from investigate.lake.table import Table

_Found = TypeVar("_Found")
_READS: Final = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
_EXPLAIN: Final = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/)*EXPLAIN(?:\s*\([^()]*\)|\s+ANALYZE\b)?", re.IGNORECASE | re.DOTALL
)
_READING: Final = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
_RUNNING: Final = frozenset({"query", "json_execute_serialized_sql"})
_TYPES: Final = {
    "string": "VARCHAR",
    "timestamp[us, tz=UTC]": "TIMESTAMPTZ",
    "date32[day]": "DATE",
    "list<element: string>": "VARCHAR[]",
    "int64": "BIGINT",
}
LISTEN: Final = 0.1
"""Seconds after which who waits for a query looks up: a signal may have reached another thread, the engine's."""
_HINT: Final = "One SELECT over events, rejects and touches is taken; for anything else, export with --format parquet."


def literal(text: str) -> str:
    """A string as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def file_list(files: Sequence[str], *, by_date: bool = True) -> str:
    """The table function that reads exactly these files.

    Args:
        files: of one snapshot.
        by_date: whether the table is partitioned by `date`, which then stands in the files' paths alone.
    """
    names = ", ".join(literal(name) for name in files)
    partition = "hive_partitioning = true, hive_types = {'date': DATE}" if by_date else "hive_partitioning = false"
    return f"read_parquet([{names}], {partition})"


def start(memory: int, folders: Iterable[str], *, keeps: bool) -> duckdb.DuckDBPyConnection:
    """An engine without a view, locked: no file but below some folders, no network, no setting can be reached.

    Args:
        memory: what it may use, in bytes; beyond, it spills to the system's temporary folder.
        folders: the tables'.
        keeps: whether it may keep in that memory, from one query to the next, what it read from files.
    """
    connection = duckdb.connect(
        config={
            "memory_limit": f"{memory // 2**20}MiB",
            # Whatever lies below the folder to spill to can be read, so it is one of the connection's own.
            "temp_directory": str(Path(tempfile.gettempdir()) / f"investigate-{secrets.token_hex(8)}"),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "enable_external_file_cache": str(keeps).lower(),
        }
    )
    connection.execute("SET GLOBAL TimeZone = 'UTC'")  # else cursors have the machine's
    connection.execute("SET enable_progress_bar = false")  # it goes to standard output, among the results
    connection.execute(f"SET allowed_directories = [{', '.join(map(literal, folders))}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def expose(
    connection: duckdb.DuckDBPyConnection, view: str, table: Table, files: Sequence[str], *, passing: bool = False
) -> None:
    """Make files of a table, none at all included, a view with the table's columns.

    Args:
        connection: which may read them.
        view: its name.
        table: whose files.
        files: as a snapshot has them.
        passing: whether the view is the connection's alone and goes with it; else its cursors see that of local files.

    Raises:
        LakeError: one cannot be read.
    """
    if files:
        try:
            table.storage.expose(connection, view, files, table.schema, table.partition_by, passing=passing)
        except (duckdb.Error, OSError) as error:
            raise LakeError(f"The lake could not be read: {first_line(error)}", "See: investigate lake info") from error
        return
    columns = ", ".join(f"NULL::{_TYPES[str(field.type)]} AS {field.name}" for field in table.schema)
    connection.execute(f"CREATE OR REPLACE {'TEMP ' * passing}VIEW {view} AS SELECT {columns} WHERE false")


def check(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    """Insist that a query only reads.

    Raises:
        QueryRefused: it is none, more than one, or does anything else.
    """
    try:
        statements = duckdb.extract_statements(query)
    except duckdb.Error as error:
        raise QueryRefused(f"That is no SQL: {first_line(error)}", _HINT) from error
    if len(statements) != 1:
        raise QueryRefused(f"That is {len(statements)} statements.", _HINT)
    if statements[0].type not in _READS:
        raise QueryRefused(f"A {statements[0].type.name} statement is refused: the lake is only read.", _HINT)
    bare = _EXPLAIN.sub("", query, count=1) if statements[0].type == duckdb.StatementType.EXPLAIN else query
    ((tree,),) = connection.execute("SELECT json_serialize_sql($query)", {"query": bare}).fetchall()
    told = json.loads(tree)
    if told["error"] or not all(map(_reads, _parts(told["statements"]))):
        raise QueryRefused("A statement that writes in one of its parts is refused: the lake is only read.", _HINT)


def _parts(tree: Any) -> Iterator[dict[str, Any]]:
    """All parts of a query's tree."""
    left = [tree]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            yield one
        left += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()


def _reads(part: Mapping[str, Any]) -> bool:
    kind = part.get("type")
    writes = isinstance(kind, str) and kind.endswith("_NODE") and kind not in _READING
    return not writes and str(part.get("function_name")).lower() not in _RUNNING


def run(connection: duckdb.DuckDBPyConnection, query: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
    """The rows of a query that only reads, as Arrow.

    Args:
        connection: one that is locked.
        query: one SELECT; `$name` stands for a parameter.
        parameters: their values, bound.

    Raises:
        QueryRefused: the query does anything but read the lake, or names what is not there.
        LakeError: it failed while it ran.
    """
    check(connection, query)
    try:
        bound = dict(parameters) if parameters else None
        return interruptible([connection], lambda: connection.sql(query, params=bound).to_arrow_table())
    except (duckdb.PermissionException, duckdb.InvalidInputException) as error:
        raise QueryRefused(f"Refused: {first_line(error)}", _HINT) from error
    except (duckdb.CatalogException, duckdb.BinderException, duckdb.ParserException) as error:
        hint = f"The columns of events are {', '.join(COLUMNS)}."
        raise QueryRefused(f"{first_line(error)}", hint) from error
    except duckdb.Error as error:
        raise LakeError(f"The query failed: {first_line(error)}", "Correct it, or give it more --memory.") from error


def interruptible(connections: Sequence[duckdb.DuckDBPyConnection], work: Callable[[], _Found]) -> _Found:
    """Let a Ctrl-C end what the engine does: it works aside, while this thread waits where signals are heard.

    Args:
        connections: that `work` uses, and nobody else meanwhile.
        work: what to do.

    Raises:
        duckdb.InvalidInputException: also where the engine's own message quotes a text up to the middle of a letter.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="query") as aside:
        future = aside.submit(work)
        try:
            while not wait([future], LISTEN).done:
                pass
            return future.result()
        except (UnicodeDecodeError, duckdb.InvalidInputException) as error:
            if isinstance(error, duckdb.Error) and str(error):
                raise
            # With Python 3.11.2 an error whose message cannot be read comes with none.
            raise duckdb.InvalidInputException("it stumbles over a text, as a rule one that is no JSON") from error
        except BaseException:
            for connection in connections:
                connection.interrupt()
            raise
