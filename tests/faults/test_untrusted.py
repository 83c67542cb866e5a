"""No input makes anything but an event, a reject or an error of ours: a fixed corpus, and what hypothesis thinks of."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.faults.untrusted import TARGETS, as_json

CORPUS = Path(__file__).with_name("corpus")
FILES = sorted(path for path in CORPUS.rglob("*") if path.is_file())
FEW = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
MANY = settings(FEW, max_examples=300)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = ("eventID", "eventTime", "eventName", "userIdentity", "resources", "sourceIPAddress", "recipientAccountId")
RECORD = st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=7)
PATHS = st.lists(st.text(max_size=12) | st.sampled_from(["a.b", "a[].b", "[]", '"a b".c', "lines"]), max_size=4)


def damaged(kind: str) -> st.SearchStrategy[bytes]:
    """A file of the corpus with some bytes of it exchanged, left out or put in."""
    files = [path.read_bytes() for path in FILES if path.parent.name == kind]

    def damage(data: bytes, at: float, gone: int, new: bytes) -> bytes:
        place = int(at * len(data))
        return data[:place] + new + data[place + gone :]

    return st.builds(damage, st.sampled_from(files), st.floats(0, 1), st.integers(0, 9), st.binary(max_size=9))


@pytest.mark.parametrize("kind", TARGETS)
def test_the_corpus(kind: str) -> None:
    held = [path for path in FILES if path.parent.name == kind]
    for path in held:
        TARGETS[kind](path.read_bytes())
    assert len(held) > 10


@MANY
@given(damaged("link") | st.text().map(lambda text: text.encode(errors="replace")) | st.binary(max_size=200))
def test_links(data: bytes) -> None:
    TARGETS["link"](data)


@MANY
@given(damaged("time") | st.text(max_size=40).map(lambda text: text.encode(errors="replace")))
def test_times(data: bytes) -> None:
    TARGETS["time"](data)


@FEW
@given(damaged("log"))
def test_damaged_logs(data: bytes) -> None:
    TARGETS["log"](data)


@FEW
@given(st.lists(RECORD | JSON, max_size=6), st.sampled_from([b"\n", b"", b","]), st.booleans())
def test_records_of_any_shape(records: list[object], between: bytes, packed: bool) -> None:
    data = between.join(map(as_json, records))
    TARGETS["log"](gzip.compress(data) if packed else data)


@settings(FEW, max_examples=12)
@given(damaged("profile") | st.tuples(PATHS, RECORD).map(lambda two: b"actor = %s\0%s" % tuple(map(as_json, two))))
def test_profiles(data: bytes) -> None:
    TARGETS["profile"](data)
