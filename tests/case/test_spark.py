"""Spark as an engine: the lake's files wherever they lie, a server through Spark Connect, and what is missing."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import narwhals as nw
import polars as pl
import pytest

import investigate
from investigate.case import engines, spark
from investigate.errors import LakeError, UsageError
from tests.cli.conftest import run
from tests.needs import java

from .test_questions import DAY, QUESTIONS, cloud, filled  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from investigate.case import Case

SMALL = {"codegen.wholeStage": "false", "codegen.factoryMode": "NO_CODEGEN", "adaptive.enabled": "false"}
"""Without what makes Spark fast on large lakes and slow on small ones: a machine compiles little that runs once.

Who asks in a process of its own gets what a user gets.
"""
SERVER = """
import json, socket, sys
from pyspark.sql import SparkSession
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
settings = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.ui.enabled": "false",
            "spark.sql.shuffle.partitions": "1", "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
            "spark.connect.grpc.binding.address": "127.0.0.1", "spark.connect.grpc.binding.port": str(port)}
settings |= {f"spark.sql.{name}": value for name, value in json.loads(sys.argv[1]).items()}
session = SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()
print(port, flush=True)
sys.stdin.read()
session.stop()
"""


@pytest.fixture(scope="module", autouse=True)
def _spark_can_run() -> None:
    java()
    session = spark.session(None, 2**30)
    for name, value in SMALL.items():
        session.conf.set(f"spark.sql.{name}", value)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A real Spark Connect server in a process of its own, which ends with the tests."""
    environment = {name: value for name, value in os.environ.items() if name != "SPARK_REMOTE"}
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", SERVER, json.dumps(SMALL)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    assert process.stdout is not None
    try:
        yield f"sc://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.communicate(timeout=60)


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_question_is_answered_as_by_duckdb(filled: Case, name: str) -> None:  # noqa: F811
    duckdb, found = (QUESTIONS[name](filled, engine=engine) for engine in ("duckdb", "spark"))
    assert not found.frame.is_empty()
    assert found.frame.equals(duckdb.frame)
    assert found.frame.schema == duckdb.frame.schema
    assert {table: frame.to_dicts() for table, frame in found.tables.items()} == {
        table: frame.to_dicts() for table, frame in duckdb.tables.items()
    }
    assert (found.engine, found.sql, found.lake_version) == ("spark", None, duckdb.lake_version)


def test_what_the_roll_up_tells_is_read_from_it(filled: Case, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    wanted = filled.who_touched("ticket/*", **DAY).frame
    monkeypatch.setattr(engines._Spark, "events", property(lambda _self: pytest.fail("the events were read")))
    assert filled.who_touched("ticket/*", engine="spark", **DAY).frame.equals(wanted)


def test_a_cluster_answers_through_spark_connect(filled: Case, server: str, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    found = filled.who_touched("ticket/*", engine=f"spark={server}/;user_id=inv", **DAY)
    assert found.frame.equals(filled.who_touched("ticket/*", **DAY).frame)
    assert found.engine == "spark"
    monkeypatch.setenv("SPARK_REMOTE", server)
    assert type(filled.frame("spark").to_native()).__module__ == "pyspark.sql.connect.dataframe"
    assert filled.who_touched("nothing", engine="spark", **DAY).frame.is_empty()


def test_a_server_that_is_not_there_is_said_within_seconds_and_without_its_token(
    filled: Case,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spark, "_RETRIES", 0)
    with pytest.raises(LakeError, match=r"server at 127.0.0.1:1 cannot be used") as raised:
        filled.who_touched("x", engine="spark=sc://127.0.0.1:1/;token=hush", **DAY)
    assert "hush" not in str(raised.value)


ODD = ("a b=c", "date=2020-01-01", "ünï ✓ 漢", "cu{r,l}y^", "'quo\"te", "_x/.y")


def test_a_case_lies_in_any_folder(tmp_path: Path) -> None:
    case = investigate.open(tmp_path.joinpath(*ODD, "case"))
    moment = dt.datetime(2026, 11, 3, 23, 59, 59, 999999, tzinfo=dt.UTC)
    rows = [json.loads(cloud(number, number % 24, "ann", "ticket/1")) for number in range(3)]
    rows[0]["eventTime"] = moment.isoformat()
    rows[1]["eventTime"] = "0001-01-01T00:00:00.000001Z"
    log = tmp_path / "log.jsonl"
    log.write_text("\n".join(map(json.dumps, rows)))
    case.import_files(log, "cloudtrail")
    frames = {engine: case.frame(engine) for engine in engines.ENGINES}
    found = {engine: pl.DataFrame(frame.sort("time").collect("polars").to_native()) for engine, frame in frames.items()}
    assert found["spark"]["time"].to_list()[::2] == [dt.datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=dt.UTC), moment]
    assert found["spark"].equals(found["duckdb"])
    assert found["polars"].equals(found["duckdb"])


def test_files_added_and_compacted_away_do_not_change_what_a_frame_reads(tmp_path: Path) -> None:
    case = investigate.open(tmp_path / "case")
    empty = {engine: case.frame(engine) for engine in engines.ENGINES}
    for day in range(40):
        log = tmp_path / f"{day}.jsonl"
        log.write_text(
            cloud(day, 1, "ann", "ticket/1").replace("2026-11-03", f"{dt.date(2026, 9, 1) + dt.timedelta(day)}")
        )
    case.import_files(sorted(tmp_path.glob("*.jsonl")), "cloudtrail")
    (tmp_path / "case/lake/events/date=2026-09-01/uncommitted.parquet").write_bytes(b"not a file of the table")
    for engine, frame in empty.items():
        counted = nw.len().alias("n")
        assert frame.select(counted).collect("polars")["n"][0] == 0
        by_day = case.frame(engine).group_by("date").agg(counted).collect("polars")
        assert (by_day.shape[0], by_day["n"].sum()) == (40, 40)
        assert case.frame(engine, -1).select(counted).collect("polars")["n"][0] == 0


def test_a_session_that_is_there_is_used_and_left_as_it_is(filled: Case) -> None:  # noqa: F811
    from pyspark.sql import SparkSession  # noqa: PLC0415 - half a second that other tests need not wait

    filled.frame("spark")
    theirs = SparkSession.builder.getOrCreate()
    theirs.conf.set("spark.sql.session.timeZone", "Asia/Kolkata")
    spark._sessions.clear()
    ours = filled.frame("spark").to_native().sparkSession
    assert ours.sparkContext is theirs.sparkContext
    assert theirs.conf.get("spark.sql.session.timeZone") == "Asia/Kolkata"
    assert filled.activity("ann", engine="spark", **DAY).frame.equals(filled.activity("ann", **DAY).frame)


def test_threads_share_a_session(filled: Case) -> None:  # noqa: F811
    found: list[int] = []
    ask = threading.Thread(target=lambda: found.append(filled.pivot("ann", engine="spark", **DAY).frame.height))
    ask.start()
    ask.join()
    assert found == [filled.pivot("ann", **DAY).frame.height]


@pytest.mark.parametrize("engine", ["Spark", "spark=", "spark=host:1", "spark=sc://", "spark=http://h", "duckdb=x", ""])
def test_what_is_no_engine(filled: Case, engine: str) -> None:  # noqa: F811
    with pytest.raises(UsageError):
        filled.who_touched("x", engine=engine, **DAY)


COMMAND = "import sys; from investigate.cli import main; sys.exit(main())"


def child(case: Case, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line, asked on Spark in a process of its own."""
    asked = ("--case", str(case.path), "who-touched", "ticket/1", "--engine", "spark", "--format", "json")
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", COMMAND, *asked],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
        timeout=240,
    )


def test_nothing_of_spark_is_heard_or_left_when_the_process_ends(filled: Case, tmp_path: Path) -> None:  # noqa: F811
    done = child(filled, TMPDIR=str(tmp_path))
    told = run("--case", str(filled.path), "who-touched", "ticket/1", "--format", "json")
    assert (done.returncode, done.stderr) == (0, told.err)
    assert "park" not in done.stderr
    assert json.loads(done.stdout)["rows"] == told.data["rows"]
    assert [path.name for path in tmp_path.iterdir()] == []


def test_without_java_or_pyspark_the_hint_says_what_to_install(filled: Case, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    done = child(filled, JAVA_HOME="/nowhere")
    assert done.returncode == 2
    assert "Install Java 17 or newer, or set JAVA_HOME to it." in done.stderr
    monkeypatch.setattr(spark, "_sessions", {})
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(UsageError, match=r"pyspark is not installed") as raised:
        filled.who_touched("x", engine="spark", **DAY)
    assert raised.value.hint == "Install it: pip install 'investigate[spark]'"


def interrupt(work: Callable[[], object]) -> None:
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(1.0, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            work()
    finally:
        timer.cancel()


def test_ctrl_c_ends_a_query_on_spark(filled: Case) -> None:  # noqa: F811
    session = spark.session(None, 2**30)
    endless = session.range(0, 2**40, 1, 4).selectExpr("sum(hash(id, id))")
    interrupt(lambda: spark.fetch(session, [endless]))
    assert filled.pivot("ann", engine="spark", **DAY).frame.height
