"""The gate before rclone's S3: an object that may be made once is made once, and nothing else is different."""

import http.client
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from investigate.sandbox.credentials import S3Key
from investigate.sandbox.s3 import S3Server

KEY = S3Key("TESTKEY0123456789AB", "a-secret-of-no-worth")
LARGE = 9 << 20


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("s3")
    (folder / "b").mkdir()
    return folder


@pytest.fixture(scope="module")
def url(root: Path) -> Iterator[str]:
    server = S3Server(root, "127.0.0.1", 0, (KEY,), None)
    yield server.url
    server.stop()


def client(url: str, secret: str = KEY.secret) -> Any:
    how = Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"max_attempts": 1})
    login = {"aws_access_key_id": KEY.access, "aws_secret_access_key": secret, "region_name": "us-east-1"}
    return boto3.client("s3", endpoint_url=url, config=how, **login)


@pytest.fixture
def s3(url: str) -> Iterator[Any]:
    with closing(client(url)) as made:
        yield made


@pytest.fixture
def web() -> Iterator[httpx.Client]:
    with httpx.Client() as made:
        yield made


def link(s3: Any, key: str, method: str = "get_object", lifetime: int = 60) -> str:
    return str(s3.generate_presigned_url(method, Params={"Bucket": "b", "Key": key}, ExpiresIn=lifetime))


def put(s3: Any, key: str, body: bytes, **how: str) -> str:
    """The code of the answer, "made" where there is none."""
    try:
        s3.put_object(Bucket="b", Key=key, Body=body, **how)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "made"


def test_of_many_who_make_one_object_one_does(url: str, root: Path) -> None:
    writers, names, together = 4, [f"race/{number}" for number in range(8)], threading.Barrier(4)

    def race(writer: int) -> list[str]:
        with closing(client(url)) as s3:
            together.wait(30)
            return [put(s3, name, b"%d" % writer * 1000, IfNoneMatch="*") for name in names]

    with ThreadPoolExecutor(writers) as pool:
        told = list(pool.map(race, range(writers)))
    for number, name in enumerate(names):
        codes = [one[number] for one in told]
        assert sorted(codes) == ["PreconditionFailed"] * (writers - 1) + ["made"]
        assert (root / "b" / name).read_bytes() == b"%d" % codes.index("made") * 1000


@pytest.mark.parametrize("key", ["plain", "a b+ü/%41=*", "deep/er/x"])
def test_a_put_with_the_condition_never_replaces_and_one_without_does(s3: Any, key: str) -> None:
    codes = [put(s3, key, b"1", IfNoneMatch="*"), put(s3, key, b"2", IfNoneMatch="*")]
    assert (codes, s3.get_object(Bucket="b", Key=key)["Body"].read()) == (["made", "PreconditionFailed"], b"1")
    assert put(s3, key, b"3") == "made"
    assert s3.get_object(Bucket="b", Key=key)["Body"].read() == b"3"
    s3.delete_object(Bucket="b", Key=key)
    assert put(s3, key, b"4", IfNoneMatch="*") == "made"


def test_another_name_of_a_file_is_no_way_around(s3: Any) -> None:
    assert put(s3, "there", b"1") == "made"
    assert put(s3, "away/../there", b"2", IfNoneMatch="*") == "PreconditionFailed"
    assert s3.get_object(Bucket="b", Key="there")["Body"].read() == b"1"


@pytest.mark.parametrize("how", ["wrong secret", "no signature", "expired link"])
def test_who_may_not_write_does_not_learn_what_is_there(s3: Any, web: httpx.Client, url: str, how: str) -> None:
    put(s3, "known", b"1")
    with closing(client(url, "another-secret")) as stranger:

        def ask(key: str) -> tuple[int, str]:
            at = {"wrong secret": link(stranger, key, "put_object"), "no signature": f"{url}/b/{key}"}
            at["expired link"] = link(s3, key, "put_object", lifetime=-1)
            answer = web.put(at[how], content=b"2", headers={"If-None-Match": "*"})
            return answer.status_code, answer.text.partition("<RequestId>")[0]

        told = ask("known")
        assert told == ask("unknown")
        assert told[0] in {400, 403}
    assert "Contents" not in s3.list_objects_v2(Bucket="b", Prefix="unknown")
    assert s3.get_object(Bucket="b", Key="known")["Body"].read() == b"1"


def test_a_part_of_an_object_is_told_as_amazon_tells_it(s3: Any, web: httpx.Client) -> None:
    put(s3, "part", bytes(range(200)))
    whole, part = web.get(link(s3, "part")), web.get(link(s3, "part"), headers={"Range": "bytes=100-149"})
    assert (part.status_code, part.headers["content-range"]) == (206, "bytes 100-149/200")
    assert part.content == whole.content[100:150]
    assert ("x-amz-checksum-crc32" in whole.headers, "x-amz-checksum-crc32" in part.headers) == (True, False)
    assert (whole.status_code, whole.headers["etag"]) == (200, part.headers["etag"])
    beyond = web.get(link(s3, "part"), headers={"Range": "bytes=500-"})
    assert beyond.status_code == 416


def test_large_bodies_go_both_ways_whole_and_in_parts(s3: Any, tmp_path: Path) -> None:
    body = (bytes(range(256)) * (LARGE >> 8))[:-1]
    (tmp_path / "large").write_bytes(body)
    s3.upload_file(str(tmp_path / "large"), "b", "in-parts")
    assert put(s3, "whole", body, IfNoneMatch="*") == "made"
    assert put(s3, "whole", body[1:], IfNoneMatch="*") == "PreconditionFailed"
    for key in ("in-parts", "whole"):
        assert s3.get_object(Bucket="b", Key=key)["Body"].read() == body


def test_who_sends_much_and_is_refused_hears_why(url: str) -> None:
    with closing(client(url, "another-secret")) as stranger:
        assert put(stranger, "refused", bytes(LARGE)) == "SignatureDoesNotMatch"


def test_one_connection_serves_all_kinds_of_requests_in_turn(s3: Any, url: str) -> None:
    def target(method: str) -> str:
        at = urlsplit(link(s3, "in turn", method))
        return f"{at.path}?{at.query}"

    with closing(http.client.HTTPConnection(urlsplit(url).netloc)) as connection:

        def ask(method: str, operation: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
            connection.request(
                method, target(operation), body, {name.replace("_", "-"): headers[name] for name in headers}
            )
            answer = connection.getresponse()
            return answer.status, answer.read()

        assert ask("PUT", "put_object", b"1", If_None_Match="*") == (200, b"")
        line = connection.sock
        assert ask("HEAD", "head_object") == (200, b"")
        assert ask("PUT", "put_object", b"2", If_None_Match="*")[0] == 412
        assert ask("PUT", "put_object", iter([b"some", b"", b"more"]), If_None_Match="*")[0] == 412
        chunked = ask("PUT", "put_object", iter([b"chunks", b"of it"]))
        assert (chunked[0], b"MissingContentLength" in chunked[1]) == (411, True)
        assert ask("GET", "get_object", If_None_Match="*") == (200, b"1")
        assert ask("DELETE", "delete_object") == (204, b"")
        assert ask("GET", "get_object")[0] == 404
        assert connection.sock is line


def test_a_client_that_leaves_in_the_middle_has_made_nothing(s3: Any) -> None:
    at = urlsplit(link(s3, "half", "put_object"))
    with closing(http.client.HTTPConnection(at.netloc)) as connection:
        connection.request("PUT", f"{at.path}?{at.query}", b"half", {"Content-Length": "1000", "If-None-Match": "*"})
        connection.sock.shutdown(socket.SHUT_WR)
        assert connection.sock.recv(1) == b""
    assert put(s3, "half", b"whole", IfNoneMatch="*") == "made"
