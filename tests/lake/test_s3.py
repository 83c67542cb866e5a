"""A lake in a bucket: which stores and addresses it takes, what it says when it fails, what SQL can reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from investigate.errors import ConfigError, LakeError, QueryRefused
from investigate.lake import sql
from investigate.lake.lake import Lake

from .made import NOON, commit, events, uids

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "uri", ["s3://", "s3://b", "https://x.example/y", "s3://bucket/a b", "s3://bucket/a%20b", "s3://bucket/a/../b", "x"]
)
def test_an_address_that_some_engine_would_not_find_is_refused(tmp_path: Path, uri: str) -> None:
    with pytest.raises(ConfigError, match="address"):
        Lake(tmp_path, uri=uri)


@pytest.mark.usefixtures("environment")
def test_a_store_that_would_lose_commits_is_refused(
    tmp_path: Path, careless_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", careless_store)
    lake = Lake(tmp_path, uri="s3://lakes/careless")
    with pytest.raises(LakeError, match="ignores If-None-Match"):
        commit(lake, "a1", events("x"))
    assert list(lake.events.storage.listed()) == []


@pytest.mark.usefixtures("environment")
def test_a_login_that_is_refused_is_no_secret_told(
    tmp_path: Path, careless_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", careless_store)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret-altogether")
    lake = Lake(tmp_path, uri="s3://lakes/refused")
    with pytest.raises(LakeError) as told:
        lake.events.storage.prepare()
    assert "SignatureDoesNotMatch" in told.value.message
    with pytest.raises(LakeError) as read:
        lake.events.snapshot()
    assert "another-secret" not in f"{told.value}{read.value}"


@pytest.mark.usefixtures("environment")
def test_a_lake_without_credentials_says_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(LakeError, match="no credentials"):
        Lake(tmp_path, uri="s3://lakes/none").connect()


def test_sql_reaches_the_lake_and_nothing_else(tmp_path: Path, bucket: Any) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    bucket.put_object(Bucket="lakes", Key="secret.csv", Body=b"a\n1\n")
    lake = Lake(tmp_path, uri=f"s3://lakes/{tmp_path.name}")
    commit(lake, "a1", events("x"), events("y", days=1))
    asked = "SELECT event_uid FROM events WHERE date = DATE '2026-11-04' AND time > $since AND 'r' = ANY(resources)"
    (found,) = lake.events.snapshot().files[:1]
    with lake.connect() as connection:
        assert sql.run(connection, asked, {"since": NOON})["event_uid"].to_pylist() == ["y"]
        for query in (
            f"SELECT * FROM '{tmp_path}/secret.csv'",
            "SELECT * FROM read_text('s3://lakes/secret.csv')",
            f"SELECT * FROM read_parquet('{found}')",
            "SELECT * FROM glob('s3://lakes/*')",
            "COPY events TO 's3://lakes/out.csv'",
        ):
            with pytest.raises(QueryRefused):
                sql.run(connection, query)


def test_a_day_that_is_not_asked_for_is_not_fetched(tmp_path: Path, bucket: Any) -> None:
    lake = Lake(tmp_path, uri=f"s3://lakes/{tmp_path.name}")
    commit(lake, "a1", events("x"), events("y", days=1))
    gone = next(name for name in lake.events.snapshot().files if "2026-11-03" in name)
    bucket.delete_object(Bucket="lakes", Key=gone.removeprefix("s3://lakes/"))
    by_day = "SELECT event_uid FROM events WHERE date = DATE '2026-11-04'"
    by_time = "SELECT event_uid FROM events WHERE time >= TIMESTAMPTZ '2026-11-04 00:00:00+00'"
    assert [lake.connect().sql(query).to_arrow_table().to_pylist() for query in (by_day, by_time)] == [
        [{"event_uid": "y"}]
    ] * 2


def test_two_cases_share_one_lake(tmp_path: Path, bucket: Any) -> None:
    del bucket
    one, other = (Lake(tmp_path / name, uri=f"s3://lakes/{tmp_path.name}") for name in ("one", "other"))
    commit(one, "a1", events("x"))
    assert commit(other, "b1", events("x", "y")).duplicate == 1
    assert uids(one) == uids(other) == ["x", "y"]
