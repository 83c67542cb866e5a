"""The grid over a lake in a bucket: the same pages and the same record, read from S3."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

import investigate
from investigate.sandbox.credentials import S3Key
from investigate.sandbox.s3 import S3Server
from investigate.widgets import pages, picked
from investigate.widgets.events import PAGE

from .traced import Told, ask, case_of, record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from investigate.case import Case

KEY = S3Key("TESTKEY0123456789AB", "a-secret-of-no-worth")
NONE = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
EVENTS = 90


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    root, folder = tmp_path_factory.mktemp("s3"), tmp_path_factory.mktemp("bucket")
    (root / "lakes").mkdir()
    server = S3Server(root, "127.0.0.1", 0, (KEY,), None)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"AWS_ENDPOINT_URL": server.url, "AWS_REGION": "us-east-1", **NONE}.items():
            patch.setenv(name, value)
        patch.setenv("AWS_ACCESS_KEY_ID", KEY.access)
        patch.setenv("AWS_SECRET_ACCESS_KEY", KEY.secret)
        made = investigate.open(folder / "case")
        with made.layout.toml.open("a") as settings:
            settings.write('\n[lake]\nuri = "s3://lakes/grid"\n')
        yield case_of(folder, *(record(number) for number in range(EVENTS)))
    server.stop()


@pytest.mark.parametrize("held", [True, False])
def test_the_grid_shows_what_lies_in_a_bucket(case: Case, monkeypatch: pytest.MonkeyPatch, held: bool) -> None:
    monkeypatch.setattr(picked, "MOST", 1_000 if held else 0)
    monkeypatch.setattr(pages, "HEAD", 20)
    told = Told(monkeypatch.setattr)
    events = investigate.open(case.path).widgets.events()
    events.settle(30)
    for column in ("time", "resource", "action", "src_ip"):
        ask(events, do="order", column=column, descending=False)
        shown = []
        for page in range(-(-EVENTS // PAGE)):
            events._read(page, events._turn)
            shown += told.last("rows")["rows"]
        at = [one["name"] for one in events.content()["columns"]].index(column)
        values = case.sql(f"SELECT {column} FROM events ORDER BY 1").get_column(column)
        assert len({tuple(row["id"]) for row in shown}) == EVENTS
        if column != "time":
            assert [row["cells"][at] for row in shown] == values.to_list()
    ask(events, do="filter", filters=[{"column": "event_uid", "operator": "is", "value": "e0007"}])
    assert events.total == 1
    ask(events, do="detail", id=told.last("rows")["rows"][0]["id"])
    events._reader.submit(int).result()
    assert told.last("detail")["raw"] == record(7)
