"""Each vendor's transfer through a proxy that does one thing at a time: the same bytes, or a clear error, then they.

What is altered within JSON and stays JSON, only TLS can tell.
"""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from investigate.config import CodeRabbitConfig, DevRevConfig, HttpConfig
from investigate.errors import InvestigateError, TransferError, VendorError
from investigate.events import Window
from investigate.evidence.store import EvidenceStore
from investigate.sources import coderabbit, devrev
from investigate.sources.download import download
from investigate.sources.link import Link

from .proxy import Fault, Proxy, always, first, sometimes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from investigate.sources.received import Received
    from tests.case.conftest import Box

HTTP = HttpConfig(read_timeout=5)
ONCE_OVER = [fault for fault in Fault if fault is not Fault.PAGE]
"""A page with 200 is no hiccup: it is told of at once."""


@pytest.fixture(scope="module")
def link(box: Box) -> str:
    def ask() -> None:
        request(box, box.at["devrev_url"])

    return box.link_after(ask)


@pytest.fixture(scope="module")
def whole(box: Box, link: str, tmp_path_factory: pytest.TempPathFactory) -> Received:
    del box
    return fetch(link, EvidenceStore(tmp_path_factory.mktemp("whole")))


@pytest.fixture(scope="module")
def entries(box: Box, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    store = EvidenceStore(tmp_path_factory.mktemp("entries"))
    return read(store, pull(box, box.at["coderabbit_url"], store))


def request(box: Box, base: str) -> devrev.Requested:
    with devrev.client(DevRevConfig(base_url=base), SecretStr(box.at["devrev_token"]), HTTP) as client:
        return devrev.request_export(client, Window.of(*box.window), devrev.ExportFilter())


def now() -> datetime:
    return Window.of("1d").end


def fetch(link: str, store: EvidenceStore) -> Received:
    return download(Link.parse(link, now=now()), store, HTTP)


def pull(box: Box, base: str, store: EvidenceStore) -> coderabbit.PullReceived:
    config = CodeRabbitConfig(base_url=base)
    with coderabbit.client(config, SecretStr(box.at["coderabbit_key"]), HTTP) as client:
        return coderabbit.pull(client, Window.of(*box.window), store=store, settle=0)


def read(store: EvidenceStore, received: coderabbit.PullReceived) -> dict[str, Any]:
    """The entries by id, without what changes from call to call."""
    assert received.unproven == ()
    found = {}
    with store.open(received.files[0].sha256) as file, gzip.open(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            for entry in json.loads(json.loads(line)["body"])["data"]:
                found[entry["id"]] = {name: value for name, value in entry.items() if name != "relativeTime"}
    assert len(found) == received.total
    return found


@pytest.fixture
def clean(box: Box, link: str, caplog: pytest.LogCaptureFixture, store: EvidenceStore) -> Iterator[list[BaseException]]:
    """Errors to look through for secrets, besides all that was logged and left on the disk."""
    errors: list[BaseException] = []
    caplog.set_level("DEBUG")
    yield errors
    signature = link.rpartition("X-Amz-Signature=")[2]
    secrets = [signature, box.at["devrev_token"], box.at["coderabbit_key"]]
    said = "\n".join([caplog.text, *(f"{error!r} {error} {vars(error)}" for error in errors)])
    left = b"".join(path.read_bytes() for path in (store.root / ".incoming").glob("*") if path.suffix == ".json")
    assert [secret for secret in secrets if secret in said or secret.encode() in left] == []
    assert all(isinstance(error, InvestigateError) and error.hint for error in errors)


@pytest.mark.parametrize("fault", ONCE_OVER)
def test_a_download_outlasts_what_happens_twice(
    fault: Fault, box: Box, link: str, whole: Received, store: EvidenceStore, clean: list[BaseException]
) -> None:
    del clean
    with Proxy(box.at["s3_url"], first(fault, fault), seed=3) as proxy:
        received = fetch(proxy.through(link), store)
    assert [file.sha256 for file in received.files] == [file.sha256 for file in whole.files]
    assert received.warnings == ()
    assert proxy.met


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault not in {Fault.LATE, Fault.CROSSED, Fault.IDLE}])
def test_a_download_that_meets_it_every_time_ends_in_words_and_goes_on_later(
    fault: Fault, box: Box, link: str, whole: Received, store: EvidenceStore, clean: list[BaseException]
) -> None:
    with Proxy(box.at["s3_url"], always(fault), seed=4) as proxy:
        try:
            fetch(proxy.through(link), store)
        except (TransferError, VendorError) as error:
            clean.append(error)
            assert list(store) == []
        proxy.plan = first()
        received = fetch(proxy.through(link), store)
    assert [file.sha256 for file in received.files] == [file.sha256 for file in whole.files]
    assert clean or fault in {Fault.DRIP, Fault.CUT, Fault.RESET, Fault.SWAPPED}


@pytest.mark.parametrize(
    "fault", [fault for fault in ONCE_OVER if fault is not Fault.SWAPPED]
)  # in JSON, that only TLS can tell
def test_a_pull_outlasts_what_happens_now_and_then(
    fault: Fault, box: Box, entries: dict[str, Any], store: EvidenceStore, clean: list[BaseException]
) -> None:
    del clean
    with Proxy(box.at["coderabbit_url"], sometimes(5, (fault,), 0.2), seed=5) as proxy:
        assert read(store, pull(box, proxy.url, store)) == entries
    assert proxy.met


@pytest.mark.parametrize(
    ("fault", "seed"),
    [
        *((fault, 6) for fault in (Fault.GONE, Fault.RESET, Fault.SILENT, Fault.ERROR, Fault.PAGE)),
        *((Fault.CORRUPT, seed) for seed in range(6, 14)),  # with each other bytes are altered
    ],
)
def test_a_pull_that_meets_it_every_time_ends_in_words_and_is_whole_the_next_time(
    fault: Fault, seed: int, box: Box, entries: dict[str, Any], store: EvidenceStore, clean: list[BaseException]
) -> None:
    with Proxy(box.at["coderabbit_url"], seed=seed) as proxy:
        counted = iter(range(10**6))
        proxy.plan = lambda: fault if next(counted) > 3 else None
        with pytest.raises((TransferError, VendorError)) as caught:
            pull(box, proxy.url, store)
        clean.append(caught.value)
        assert list(store) == []
        proxy.plan = first()
        assert read(store, pull(box, proxy.url, store)) == entries


@pytest.mark.parametrize("fault", Fault)
def test_an_export_is_never_asked_for_twice_in_silence(fault: Fault, box: Box, clean: list[BaseException]) -> None:
    with Proxy(box.at["devrev_url"], first(fault), seed=8) as proxy:
        try:
            accepted = request(box, proxy.url)
        except VendorError as error:
            clean.append(error)
            accepted = None
        if accepted:
            assert len(proxy.passed) == 1
        else:
            assert len(proxy.passed) <= 1
            assert fault is Fault.PAGE or "wait 15 minutes" in clean[0].hint
            assert request(box, proxy.url).window == Window.of(*box.window)


def test_an_answer_that_never_ends_is_given_up(box: Box, store: EvidenceStore) -> None:
    times = iter(range(0, 10**6, 10))
    with Proxy(box.at["coderabbit_url"], always(Fault.DRIP)) as proxy:
        config = HttpConfig(read_timeout=1, retry_attempts=1)
        secret = {"x-coderabbitai-api-key": SecretStr(box.at["coderabbit_key"])}
        with (
            coderabbit.Client(proxy.url, secret, config, clock=lambda: float(next(times))) as client,
            pytest.raises(TransferError, match="does not come to an end"),
        ):
            coderabbit.pull(client, Window.of(*box.window), store=store, settle=0)
