"""Sessions of Spark: one in this process, or one on a cluster through Spark Connect; and the lake's files in them."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any, Final

from investigate.errors import LakeError, UsageError, first_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import polars as pl

SCHEME: Final = "sc://"
_LEAST_MEMORY: Final = 2**30
"""A JVM of Spark's with less than half of this refuses to start."""
_RETRIES: Final = 5
"""About 17 seconds; Spark's own policy waits for ten minutes."""
_MOST_CORES: Final = 4
_PATIENCE: Final = 5
"""Seconds that the JVM has to end in."""
_LISTEN: Final = 0.1
"""Seconds."""
_MEANING: Final = {"spark.sql.session.timeZone": "UTC", "spark.sql.ansi.enabled": "true"}
"""What a query means depends on these; they hold for our session alone."""
_TYPES: Final = {
    "string": "STRING",
    "timestamp": "TIMESTAMP",
    "date": "DATE",
    "list": "ARRAY<STRING>",
    "int": "BIGINT",
}
_GLOB: Final = frozenset("{}[]*?\\^")
"""What has a meaning in a path that Hadoop is given; it may stand in the name of a folder."""

_INSTALL: Final = "Install it: pip install 'investigate[spark]'"
_JAVA: Final = "Install Java 17 or newer, or set JAVA_HOME to it."
_FILES: Final = "Every machine of the cluster must find the lake's files where this one does: share them, or use S3."
_S3: Final = (
    "Ask a cluster that reads S3 (--engine spark=sc://host:port), or start a Spark session with hadoop-aws in this "
    "process first: it is used."
)

_lock = threading.Lock()
_sessions: dict[str | None, Any] = {}


def session(remote: str | None, memory: int) -> Any:
    """The session for questions, made when first asked for.

    Args:
        remote: `sc://host:port` of a Spark Connect server, which may carry `/;token=…;use_ssl=true`. None is
            `$SPARK_REMOTE` where that is set; else a session beside the one this process has already, which it leaves
            as it is; else a Spark of our own on this machine: at most four cores, no web page, nothing to be reached
            from other machines, gone with this process.
        memory: for a Spark of our own, in bytes; it has one GiB at least.

    Raises:
        UsageError: pyspark or Java is missing, or the address is none.
        LakeError: Spark did not start, or the server cannot be reached.
    """
    where = remote or os.environ.get("SPARK_REMOTE") or None
    if remote and not (remote.startswith(SCHEME) and remote.removeprefix(SCHEME).strip("/;")):
        raise UsageError("That is no address of a Spark Connect server.", "Write spark=sc://host:port.")
    with _lock, _quiet():
        try:
            known = _sessions.get(where)
            if known is None or _stopped(known):
                remotely = where is not None and where.startswith(SCHEME)
                _sessions[where] = _connect(str(where)) if remotely else _beside(memory)
            return _sessions[where]
        except ImportError as error:
            missing = error.name or "pyspark"
            raise UsageError(f"Spark cannot be used: {missing} is not installed.", _INSTALL) from error


def read(spark: Any, files: Sequence[str], kinds: Mapping[str, str]) -> Any:
    """The rows of some files, as a frame of the session.

    Args:
        spark: from `session`.
        files: of one table of the lake: absolute paths or `s3://` addresses, all in folders of the table's own.
        kinds: column to what it holds: a string, timestamp, date, list or int. A partition's column is read from the
            names of folders.

    Raises:
        LakeError: they cannot be read.
    """
    with _quiet(), _told():
        if not files:
            none = ", ".join(f"CAST(NULL AS {_TYPES[kind]}) AS `{name}`" for name, kind in kinds.items())
            return spark.sql(f"SELECT {none} WHERE false")  # of Python's own rows a worker on PATH would be asked
        # Hadoop's own name for S3 is s3a; the older ones are gone from it.
        names = [f"s3a://{name.removeprefix('s3://')}" if name.startswith("s3://") else name for name in files]
        schema = ", ".join(f"`{name}` {_TYPES[kind]}" for name, kind in kinds.items())
        reader = spark.read.schema(schema).option("basePath", names[0].rsplit("/", 2)[0])
        # Other writers than old Sparks never counted days by the Julian calendar.
        exact = reader.option("datetimeRebaseMode", "CORRECTED")
        return exact.parquet(*(_plain(name) for name in names)).select(*kinds)


def fetch(spark: Any, frames: Sequence[Any]) -> list[pl.DataFrame]:
    """The rows of some frames, by way of Arrow; Ctrl-C ends the work on the cluster too.

    Args:
        spark: from `session`.
        frames: Spark's.

    Raises:
        LakeError: the engine failed.
    """
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    def work() -> list[pl.DataFrame]:
        return [pl.DataFrame(pl.from_arrow(frame.toArrow())) for frame in frames]

    # Aside, while this thread waits where signals are heard: Spark's client waits for the job's end even then.
    with _quiet(), _told(), ThreadPoolExecutor(1, thread_name_prefix="spark") as aside:
        future = aside.submit(work)
        try:
            while not wait([future], _LISTEN).done:
                pass
            return future.result()
        except BaseException:
            while not wait([future], _LISTEN).done:
                spark.interruptAll()
            raise


def _connect(url: str) -> Any:
    from pyspark.errors import PySparkException  # noqa: PLC0415 - an extra
    from pyspark.sql.connect.client.retries import DefaultPolicy  # noqa: PLC0415
    from pyspark.sql.connect.session import SparkSession  # noqa: PLC0415

    host = url.removeprefix(SCHEME).partition("/")[0]  # what follows it may hold a token
    try:
        made = SparkSession.builder.remote(url).create()
        made.client.set_retry_policies([DefaultPolicy(max_retries=_RETRIES)])
        for name, value in _MEANING.items():
            made.conf.set(name, value)
    except (PySparkException, OSError, ValueError) as error:
        raise LakeError(
            f"The Spark Connect server at {host} cannot be used: {first_line(error)}",
            "Check its address and that it runs: sbin/start-connect-server.sh in Spark's folder starts one.",
        ) from None
    return made


def _beside(memory: int) -> Any:
    """A session of the Spark that runs in this process, started where none does, with settings of its own."""
    from pyspark import SparkContext  # noqa: PLC0415 - an extra
    from pyspark.sql import SparkSession, is_remote  # noqa: PLC0415

    if SparkContext._active_spark_context is None and not is_remote():  # noqa: SLF001 - it tells without starting one
        _start(memory)
    with _told():
        made = SparkSession.builder.getOrCreate().newSession()
        for name, value in _MEANING.items():
            made.conf.set(name, value)
    return made


def _start(memory: int) -> None:
    from pyspark import SparkConf, SparkContext  # noqa: PLC0415 - an extra
    from pyspark.errors import PySparkRuntimeError  # noqa: PLC0415
    from pyspark.java_gateway import launch_gateway  # noqa: PLC0415

    folder = tempfile.mkdtemp(prefix="investigate-spark-")
    settings = SparkConf(loadDefaults=False).setAll(list(_settings(memory, folder).items()))
    with tempfile.TemporaryFile() as said:  # in place of this process's own output, where results go
        try:
            with _readable_names():
                gateway = launch_gateway(settings, {"stdout": said, "stderr": said})  # type: ignore[no-untyped-call]
        except (PySparkRuntimeError, OSError) as error:
            shutil.rmtree(folder, ignore_errors=True)
            reason = _last_line(said) or first_line(error)
            raise UsageError(f"Spark did not start: {reason.rstrip('.')}.", _JAVA) from error
    atexit.register(_end, gateway, folder)
    with _own_signals(), _told():
        SparkContext(conf=settings, gateway=gateway)


def _settings(memory: int, folder: str) -> dict[str, str]:
    cores = max(2, min(_MOST_CORES, os.cpu_count() or 2))
    return {
        "spark.master": f"local[{cores}]",
        "spark.app.name": "investigate",
        "spark.driver.memory": f"{max(memory, _LEAST_MEMORY) // 2**20}m",
        # Nobody but this process: only this machine reaches its ports, and who does must know a secret made for it.
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.authenticate": "true",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        "spark.local.dir": folder,
        "spark.sql.warehouse.dir": os.path.join(folder, "warehouse"),  # noqa: PTH118 - else below the current folder
        "spark.sql.shuffle.partitions": str(cores),
        "spark.driver.extraJavaOptions": "-Duser.timezone=UTC",
    }


def _end(gateway: Any, folder: str) -> None:
    """Let the JVM end, and take with it what it left."""
    gateway.shutdown()
    gateway.proc.stdin.close()  # it ends when nobody holds the other side
    try:
        gateway.proc.wait(_PATIENCE)
    except subprocess.TimeoutExpired:  # in the middle of a query
        gateway.proc.kill()
        gateway.proc.wait()
    shutil.rmtree(folder, ignore_errors=True)


def _stopped(known: Any) -> bool:
    if hasattr(known, "is_stopped"):
        return bool(known.is_stopped)
    return known.sparkContext._jsc is None  # noqa: SLF001 - nothing else tells


def _plain(path: str) -> str:
    return "".join(f"\\{sign}" if sign in _GLOB else sign for sign in path)


@contextmanager
def _readable_names() -> Iterator[None]:
    """Java reads the names of files as the locale says; cron gives it none, and then it finds no `é`."""
    before = os.environ.get("LC_ALL")
    os.environ["LC_ALL"] = "C.UTF-8"
    try:
        yield
    finally:
        if before is None:
            del os.environ["LC_ALL"]
        else:
            os.environ["LC_ALL"] = before


@contextmanager
def _own_signals() -> Iterator[None]:
    """Spark makes Ctrl-C its own business; it stays that of whoever uses this package."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without two warnings that say nothing about an answer.

    One is of pandas 3, through which no row passes here; the other repeats an error that is raised all the same.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
        warnings.filterwarnings("ignore", r"\[RETRIES_EXCEEDED\]", UserWarning)
        yield


@contextmanager
def _told() -> Iterator[None]:
    """Ours for Spark's errors."""
    from pyspark.errors import PySparkException  # noqa: PLC0415 - an extra

    failures: list[type[Exception]] = [PySparkException, ConnectionError]
    with suppress(ImportError):  # the client of Spark Connect alone comes without it
        from py4j.protocol import Py4JError  # type: ignore[import-untyped]  # noqa: PLC0415

        failures.append(Py4JError)
    try:
        yield
    except tuple(failures) as error:
        reason = first_line(error)
        text = str(error)
        hint = _S3 if "FileSystem" in text else _FILES if "PATH_NOT_FOUND" in text or "FILE_NOT_EXIST" in text else ""
        raise LakeError(f"Spark failed: {reason}", hint or "See: investigate lake info") from error


def _last_line(said: IO[bytes]) -> str:
    said.seek(0)
    lines = said.read().decode(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else ""
