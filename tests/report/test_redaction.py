"""Redaction: no original survives in any byte of any form, equal stays equal, and the key is nowhere."""

from __future__ import annotations

import html
import io
import json
import zipfile
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from investigate.case.checking import verify_bundle
from investigate.case.drafting import KEY_VARIABLE
from investigate.errors import ConfigError, UsageError
from investigate.report import markdown
from investigate.report.redaction import Redactor, profile, read_profile

from .conftest import ADDRESSES, CREDENTIALS, MAILS, NAMES, WINDOW

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from investigate.case import Case

KEY = b"a key of the tests, 32 bytes or so"
ORIGINALS = (*NAMES, *MAILS, *ADDRESSES, *CREDENTIALS)
EVERYTHING = "names,emails,ips,credentials,actors"


def forms(value: str) -> Iterator[bytes]:
    """How a value may stand in a file."""
    for text in (value, value.upper(), value.lower()):
        yield from (one.encode() for one in (text, json.dumps(text)[1:-1], html.escape(text), markdown.escape(text)))


def survivors(data: bytes) -> list[str]:
    return [value for value in ORIGINALS if any(form in data for form in forms(value))]


@pytest.mark.parametrize(
    ("name", "form"),
    [
        *(("a.html", None), ("a.md", None), ("a.csv", None), ("a.jsonl", None)),
        *(("t.csv", "timesketch"), ("t.jsonl", "timesketch"), ("o.jsonl", "ocsf")),
    ],
)
def test_no_original_survives_in_any_form(case: Case, out: Path, name: str, form: str | None) -> None:
    open_, closed = out / f"open-{name}", out / name
    question = f"Did {NAMES[1]} of {ADDRESSES[0]} see it?"
    case.report(open_, form=form, question=question, resources=["ticket/*"], **WINDOW)
    assert len(survivors(open_.read_bytes())) > len(ORIGINALS) // 2
    answers = {f"{NAMES[2]} did": case.pivot(ADDRESSES[2], **WINDOW)}
    more = {"answers": answers, "redact": EVERYTHING, "redaction_key": KEY, "title": f"On {MAILS[0]}"}
    case.report(closed, form=form, question=question, resources=["ticket/*"], **more, **WINDOW)
    assert survivors(closed.read_bytes()) == []
    assert KEY not in closed.read_bytes()


def test_a_redacted_bundle_holds_hashes_in_place_of_evidence(case: Case, out: Path) -> None:
    path = out / "b.zip"
    case.bundle(path, resources=["ticket/*"], redact=EVERYTHING, redaction_key=KEY, **WINDOW)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    assert set(members) == {"README.txt", "report.html", "lake/events.parquet", "manifest.json", "SHA256SUMS"}
    events = pl.read_parquet(io.BytesIO(members["lake/events.parquet"]))
    assert survivors(b"".join(members.values()) + events.write_json().encode()) == []
    assert events["raw"].null_count() == events.height > 0
    (entry,) = case.ledger.entries()
    manifest = json.loads(members["manifest.json"])
    assert manifest["evidence"] == [{"sha256": entry.files[0].sha256, "events": events.height, "included": False}]
    assert b"This bundle is redacted" in members["README.txt"]
    checked = verify_bundle(path)
    assert checked.ok
    assert (checked.events, checked.records, checked.redacted) == (events.height, 0, manifest["redacted"])


SPELLED = r"[aA][nN][nN]", r"\x{61}\x{6e}\x{6e}", "x{61}"


@pytest.mark.parametrize("about", [{"actors": [MAILS[0]]}, {"resources": [f"*{MAILS[0]}*"]}, {"subjects": [MAILS[0]]}])
def test_no_query_spells_what_is_redacted(case: Case, out: Path, about: dict[str, list[str]]) -> None:
    case.report(out / "open.html", **about, **WINDOW)
    assert "SELECT" in (out / "open.html").read_text(encoding="utf-8")
    asked = {**about, **WINDOW, "redact": EVERYTHING, "redaction_key": KEY}
    for name in ("a.html", "a.md", "a.jsonl", "a.csv"):
        case.report(out / name, **asked)
    case.bundle(out / "b.zip", **asked)
    with zipfile.ZipFile(out / "b.zip") as archive:
        pages = {name: archive.read(name).decode("utf-8", "replace") for name in archive.namelist()}
    pages |= {path.name: path.read_text(encoding="utf-8") for path in out.glob("a.*")}
    for page in pages.values():
        assert not [form for form in (*SPELLED, "ann.ash", r"ann\.ash", "SELECT") if form in page]
    for name in ("a.html", "a.md", "report.html"):
        assert "The query is left out: it would spell what is redacted" in pages[name].replace("\\", "")


def test_equal_stays_equal_and_another_key_gives_another_digest(case: Case, out: Path) -> None:
    frames = []
    for key in (KEY, KEY, KEY[::-1]):
        case.report(out / "a.jsonl", actors=["user/1", "user/2"], redact="names,ips", redaction_key=key, **WINDOW)
        frames.append(pl.read_ndjson(out / "a.jsonl"))
    assert frames[0].equals(frames[1])
    assert frames[0]["actor_name"].n_unique() == 2
    assert set(frames[0]["actor_name"]) & set(frames[2]["actor_name"]) == set()
    # The name inside a resource's name is the one in the actor's column; e-mail addresses were not asked about.
    others = {name for name in frames[0]["resource_name"] if any(who in name for who in frames[0]["actor_name"])}
    assert others
    assert set(frames[0]["actor_email"]) == {MAILS[1], MAILS[2]}


def test_dropped_is_gone_without_a_key(case: Case, out: Path) -> None:
    case.report(out / "a.jsonl", actors=["user/1"], redact="names=drop,emails=drop,ips=drop", **WINDOW)
    found = pl.read_ndjson(out / "a.jsonl")
    assert set(found["actor_name"]) == {"[name removed]"}
    assert set(found["src_ip"]) == {"[ip removed]"}
    assert set(found["user_agent"]) == {"curl for [email removed] via [ip removed]"}


def test_a_profile_and_the_key_from_the_environment(case: Case, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = out / "redact.toml"
    path.write_text('[redact]\nnames = "hash"\nips = "drop"\nwords = ["Ticket 2"]\n')
    monkeypatch.setenv(KEY_VARIABLE, KEY.decode())
    case.report(out / "a.jsonl", actors=["user/1"], redact=path, **WINDOW)
    text = (out / "a.jsonl").read_text()
    assert "Ticket 2" not in text
    assert "word-" in text
    assert read_profile(path).modes == {"names": "hash", "ips": "drop"}


def test_without_a_key_nothing_is_hashed(case: Case, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    with pytest.raises(ConfigError, match="no redaction key"):
        case.report(out / "a.html", redact="names", **WINDOW)
    with pytest.raises(UsageError, match="too few"):
        case.report(out / "a.html", redact="names", redaction_key=b"short", **WINDOW)
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("asked", ["", "people", "names=blur", ","])
def test_what_cannot_be_redacted_is_refused(asked: str) -> None:
    with pytest.raises(UsageError):
        profile(asked)


words = st.text(st.characters(codec="utf-8"), min_size=3, max_size=12).filter(lambda text: text.strip() == text)


@given(st.lists(words, min_size=1, max_size=4), st.text(max_size=10), st.text(max_size=10))
def test_any_name_goes_from_any_text(names: list[str], before: str, after: str) -> None:
    redactor = Redactor(profile("names=drop"), b"", {"actor_name": names})
    for name in names:
        if name.casefold() not in {"unknown", "system"} and name.lower() not in "[name removed]":
            assert name not in redactor.text(f"{before}{name}{after}").replace("[name removed]", "\0")


@given(st.ip_addresses(), st.emails(domains=st.just("acme.example")))
def test_addresses_nobody_listed_go_too(address: object, mail: str) -> None:
    redactor = Redactor(profile("emails,ips"), KEY, {})
    clean = redactor.text(f"from {address} by {mail}.")
    assert str(address) not in clean or str(address) in {"::", "0.0.0.0"}  # noqa: S104 - nobody's
    assert mail not in clean


VOCABULARY = {
    "actor": ["alice@corp.example", "zoë+x@corp.example"],
    "actor_name": ["Alice Smith", "Çağla Öz"],
    "src_ip": ["192.0.2.9", "2001:db8::77"],
}


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("alice%40corp.example", "alice@corp.example"),
        ("zo%C3%AB%2Bx%40corp.example", "zoë+x@corp.example"),
        ("zo%c3%ab+x%40corp.example", "zoë+x@corp.example"),
        ("zoë+x%40corp.example", "zoë+x@corp.example"),
        ("Alice%20Smith", "Alice Smith"),
        ("alice+smith", "Alice Smith"),
        ("%C3%87a%C4%9Fla+%C3%96z", "Çağla Öz"),
        ("2001%3Adb8%3A%3A77", "2001:db8::77"),
        ("2001%3adb8%3a0%3a0%3a0%3a0%3a0%3a77", "2001:db8::77"),
        ("alice%40corp%2Eexample", "alice@corp.example"),
        ("alice\N{FULLWIDTH COMMERCIAL AT}corp.example", "alice@corp.example"),
        ("::ffff:192.0.2.9", "192.0.2.9"),
        ("::FFFF:c000:0209", "192.0.2.9"),
    ],
)
def test_a_value_written_for_the_address_of_a_page_is_the_same_value(written: str, known: str) -> None:
    redactor = Redactor(profile("names,emails,ips"), KEY, VOCABULARY)
    token = redactor.text(known)
    assert token != known
    assert redactor.text(f"https://x/users/{written}?a=1") == f"https://x/users/{token}?a=1"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        *(("db:10.20.30.40", "10.20.30.40"), ("443:10.20.30.41", "10.20.30.41"), ("a:b:10.20.30.42/x", "10.20.30.42")),
        *(("db:10.20.30.40:8080", "10.20.30.40"), ("1:2:3:4:5:6:7:8:10.1.2.3", "10.1.2.3")),
        *(("from 2001:db8::5: no", "2001:db8::5"), ("port:2001:db8::5", "2001:db8::5")),
        *(("[2001:db8::5]:443", "2001:db8::5"), ("::ffff:10.20.30.40", "::ffff:10.20.30.40")),
    ],
)
def test_a_port_or_a_name_before_an_address_hides_none(text: str, address: str) -> None:
    redactor = Redactor(profile("ips"), KEY, {})
    before, _, after = text.partition(address)
    assert redactor.text(text) == f"{before}{redactor.text(address)}{after}"
    assert address not in redactor.text(text)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *(
            ("bob%40corp%2Eexample", "bob@corp.example"),
            ("bob\N{FULLWIDTH COMMERCIAL AT}corp.example", "bob@corp.example"),
        ),
        *(("2001%3Adb8%3A%3A99", "2001:db8::99"), ("2001%3adb8%3a%3a99", "2001:db8::99")),
    ],
)
def test_an_address_nobody_listed_goes_however_it_is_quoted(written: str, meant: str) -> None:
    redactor = Redactor(profile("emails,ips"), KEY, {})
    assert redactor.text(f"a=%2F{written}/x") == f"a=%2F{redactor.text(meant)}/x"


@pytest.mark.parametrize(
    "text", ["10%3A20%3A30", "std%3A%3Afee", "a%3Ab", "v%3A1.2", "50%40of%2E", "a\N{FULLWIDTH COMMERCIAL AT}b"]
)
def test_what_only_looks_quoted_stays(text: str) -> None:
    assert Redactor(profile("emails,ips"), KEY, {}).text(text) == text


def test_an_address_nobody_listed_goes_also_where_it_is_quoted() -> None:
    redactor = Redactor(profile("emails"), KEY, {})
    token = redactor.text("bob+a@corp.example")
    for quoted in ("bob+a%40corp.example", "bob%2Ba%40corp.example"):
        assert redactor.text(f"https://x/users%2F{quoted}/y") == f"https://x/users%2F{token}/y"
