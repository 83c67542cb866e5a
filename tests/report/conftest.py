"""A case whose log is hostile in every field, with a gap, annotations and a person of two names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import investigate

if TYPE_CHECKING:
    from pathlib import Path

    from investigate.case import Case

START, END = "2026-11-01", "2026-11-04"
WINDOW: dict[str, Any] = {"start": START, "end": END}
NAMES = ("Ann Ash", "Bea O'Brien", "Çağla Öz", "Zed")
MAILS = ("ann.ash@acme.example", "bea@acme.example", "cagla.oz@acme.example", "zed+x@acme.example")
ADDRESSES = ("192.0.2.7", "2001:db8::77", "198.51.100.9", "203.0.113.1")
CREDENTIALS = ("tok-aaaa1111", "tok-bbbb2222", "tok-cccc3333", "tok-dddd4444")
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></title></details><svg/onload=alert(1)>",
    "javascript:alert(1)",
    '=HYPERLINK("http://evil.example","x")',
    "+1+cmd|' /C calc'!A0",
    "@SUM(1)",
    "-2+3",
    "\t=1+1",
    "  =1+1",
    "\x1b[31mred\x07\x08",
    "\u202egnp.exe\u2066",
    "line\u2028break\r\nSet-Cookie: x",
    "[x](javascript:alert(1)) ![y](http://evil.example/p.png) `` ``` | a | <b>",
    "{{7*7}} ${7*7} %s {0}",
    "&lt;b&gt; &#x3c;",
    "\U0001f600 Öß naïve",
)
PROFILE = """
[profiles.house]
records = ["lines"]
event_uid = ["id"]
time = { paths = ["time"], zone = "UTC" }
tenant = ["tenant"]
actor = ["user"]
actor_name = ["name"]
actor_email = ["mail"]
actor_type = ["kind"]
credential = ["token"]
action = ["action"]
category = ["group"]
activity = { paths = ["action"], prefix = { get = "read", put = "update" } }
resources = ["objects[]"]
resource_type = ["type"]
resource_name = ["title"]
src_ip = ["ip"]
user_agent = ["agent"]
request_uid = ["request"]
outcome = { paths = ["status"], map = { ok = "success", no = "failure" } }
"""


def record(number: int, **given: Any) -> dict[str, Any]:
    """One record of the log; who acts goes round, and every text may be overridden."""
    who = number % 4
    base = {
        "id": f"ev{number}",
        "time": f"2026-11-0{1 + number % 2}T10:{number % 60:02d}:00.{number:06d}Z",
        "tenant": "acme",
        "user": f"user/{who}",
        "name": NAMES[who],
        "mail": MAILS[who],
        "kind": "user",
        "role": ("Admin", "Member")[who % 2],
        "token": CREDENTIALS[who],
        "action": ("get", "put")[number % 2],
        "objects": [f"ticket/{number % 5}"],
        "title": f"Ticket {number % 5} of {NAMES[(who + 1) % 4]}",
        "ip": ADDRESSES[who],
        "agent": f"curl for {MAILS[who].upper()} via {ADDRESSES[who]}",
        "status": ("ok", "no")[number % 3 == 0],
    }
    return base | given


def hostile(number: int, text: str) -> dict[str, Any]:
    """A record that has a hostile text wherever a text may stand."""
    fields = ("tenant", "user", "name", "token", "action", "title", "type", "ip", "agent", "request", "group")
    return record(number, **dict.fromkeys(fields, text), objects=["ticket/1", text], mail=None, id=f"{text}{number}")


RECORDS = [
    *(record(number) for number in range(40)),
    *(hostile(100 + number, text) for number, text in enumerate(HOSTILE)),
    record(200, title="M" * 2**20, agent="<b>" * 2**18, objects=["ticket/1", "é" * 2**20]),
    record(201, ip=None, token=None, mail="not an address", user=None, name=None, objects=[], kind=None),
]


def taken(folder: Path, *logs: list[dict[str, Any]]) -> Case:
    """A case of its own, with some logs taken in one after the other."""
    (folder / "case").mkdir()
    with investigate.open(folder / "case").layout.toml.open("a") as out:
        out.write(PROFILE)
    made = investigate.open(folder / "case")
    for at, records in enumerate(logs):
        log = folder / f"log{at}.jsonl"
        log.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
        assert made.import_files(log, profile="house").counts.stored == len(records)
    return made


@pytest.fixture(scope="session")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The case; nobody changes it."""
    folder = tmp_path_factory.mktemp("report")
    log = folder / "log <b>.jsonl"
    log.write_text("".join(json.dumps(one) + "\n" for one in RECORDS), encoding="utf-8")
    (folder / "case").mkdir()
    made = investigate.open(folder / "case")
    with made.layout.toml.open("a") as out:
        out.write(PROFILE)
    made = investigate.open(folder / "case")
    taken = made.import_files(log, profile="house", covers=("2026-11-01", "2026-11-03"))
    assert taken.counts.rejected == 0
    for uid, said in (("ev1", "looks wrong <script>alert(2)</script>"), ("ev2", "=1+1")):
        made.journal.annotations.add("house", "acme", uid, "comment", said, "Inez <i>")
    return made


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where a test writes."""
    return tmp_path
