"""The bundle: checked elsewhere, by `sha256sum` and by a process that has no case; whatever is done to it is named."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from investigate.case.checking import verify_bundle
from investigate.errors import EvidenceError

from .conftest import RECORDS, WINDOW

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from investigate.case import Case

    Members = dict[str, bytes]

MADE = datetime(2026, 11, 22, 12, tzinfo=UTC)
VERIFY = "import sys; from investigate.cli import main; sys.exit(main())"
EVENTS, SUMS, LEDGER, MANIFEST = "lake/events.parquet", "SHA256SUMS", "evidence/ledger.jsonl", "manifest.json"


@pytest.fixture(scope="module")
def bundle(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "b.zip"
    written = case.bundle(path, resources=["ticket/*"], question="Who saw the tickets?", made=MADE, **WINDOW)
    assert written.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert written.events == len(RECORDS) - 1
    return path


@pytest.fixture(scope="module")
def members(bundle: Path) -> Members:
    with zipfile.ZipFile(bundle) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_stranger_checks_it_with_sha256sum(bundle: Path, out: Path) -> None:
    shutil.copy(bundle, out / "got.zip")
    with zipfile.ZipFile(out / "got.zip") as archive:
        archive.extractall(out / "bundle")
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", SUMS], cwd=out / "bundle", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert all(line.endswith(": OK") for line in done.stdout.splitlines())
    listed = {path.relative_to(out / "bundle").as_posix() for path in (out / "bundle").rglob("*") if path.is_file()}
    assert {line.removesuffix(": OK") for line in done.stdout.splitlines()} == listed - {SUMS}


def test_a_stranger_checks_it_in_a_process_without_a_case(bundle: Path, out: Path) -> None:
    shutil.copy(bundle, out / "got.zip")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("INVESTIGATE")}
    done = subprocess.run(
        [sys.executable, "-c", VERIFY, "evidence", "verify", "--bundle", "got.zip", "--format", "json"],
        cwd=out,
        env={**environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["ok"], said["rows"]) == (True, [])
    assert said["events"] == said["records"] == len(RECORDS) - 1
    assert said["sha256"] == hashlib.sha256(bundle.read_bytes()).hexdigest()
    assert [path.name for path in out.iterdir()] == ["got.zip"]


def test_the_same_inputs_give_the_same_bytes(case: Case, bundle: Path, out: Path) -> None:
    question = "Who saw the tickets?"
    case.bundle(out / "again.zip", resources=["ticket/*"], question=question, made=MADE, **WINDOW)
    assert (out / "again.zip").read_bytes() == bundle.read_bytes()


def test_it_says_what_it_is(members: Members, case: Case) -> None:
    manifest = json.loads(members[MANIFEST])
    (entry,) = case.ledger.entries()
    assert manifest["made"] == "2026-11-22T12:00:00Z"
    assert manifest["evidence"] == [{"sha256": entry.files[0].sha256, "events": len(RECORDS) - 1, "included": True}]
    assert manifest["ledger"] == {"lines": 1, "sha256": entry.sha256, "included": True}
    assert manifest["coverage"]["complete"] is False
    assert members[LEDGER] == case.layout.ledger.read_bytes()
    assert pl.read_parquet(io.BytesIO(members[EVENTS])).height == manifest["events"]


def test_evidence_that_shows_there_is_nothing_comes_on_request(case: Case, out: Path) -> None:
    case.bundle(out / "none.zip", resources=["nothing"], **WINDOW)
    case.bundle(out / "all.zip", resources=["nothing"], all_evidence=True, **WINDOW)
    with zipfile.ZipFile(out / "none.zip") as none, zipfile.ZipFile(out / "all.zip") as every:
        (entry,) = case.ledger.entries()
        assert set(every.namelist()) - set(none.namelist()) == {
            f"evidence/sha256/{entry.files[0].sha256[:2]}/{case.evidence.find(entry.files[0].sha256).name}"
        }
    assert verify_bundle(out / "all.zip").ok
    assert [fault.kind for fault in verify_bundle(out / "none.zip").faults] == ["left_out"]


def made_again(members: Members, path: Path, *, sums: bool = True) -> Path:
    """A zip of these members, with sums that hold: what a forger would do."""
    if sums:
        listed = {name: data for name, data in members.items() if name != SUMS}
        lines = [f"{hashlib.sha256(data).hexdigest()} *{name}\n" for name, data in listed.items()]
        members = {**listed, SUMS: "".join(lines).encode()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def events(members: Members, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Members:
    buffer = io.BytesIO()
    change(pl.read_parquet(io.BytesIO(members[EVENTS]))).write_parquet(buffer)
    return {**members, EVENTS: buffer.getvalue()}


def evidence(members: Members) -> str:
    return next(name for name in members if name.startswith("evidence/sha256/"))


def flipped(data: bytes) -> bytes:
    return data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]


FORGERIES: dict[str, tuple[Callable[[Members], Members], set[str]]] = {
    "another raw record": (
        lambda m: events(
            m, lambda e: e.with_columns(raw=pl.when(pl.col("event_uid") == "ev3").then(pl.lit("{}")).otherwise("raw"))
        ),
        {"record_changed"},
    ),
    "another place": (
        lambda m: events(m, lambda e: e.with_columns(pl.col("evidence_record") + (pl.col("event_uid") == "ev3"))),
        {"record_changed"},
    ),
    "a place past the end": (
        lambda m: events(
            m, lambda e: e.with_columns(pl.col("evidence_record") + 1000 * (pl.col("event_uid") == "ev3"))
        ),
        {"record_missing"},
    ),
    "another actor": (
        lambda m: events(
            m,
            lambda e: e.with_columns(
                actor_name=pl.when(pl.col("event_uid") == "ev3").then(pl.lit("X")).otherwise("actor_name")
            ),
        ),
        {"column_changed"},
    ),
    "another time": (
        lambda m: events(m, lambda e: e.with_columns(pl.col("time").dt.offset_by("1us"))),
        {"column_changed"},
    ),
    "an event more": (
        lambda m: events(m, lambda e: pl.concat([e, e.head(1).with_columns(event_uid=pl.lit("x"), raw=pl.lit("{}"))])),
        {"count", "record_changed"},
    ),
    "an event less": (lambda m: events(m, lambda e: e.slice(1)), {"count"}),
    "evidence nobody listed": (
        lambda m: events(m, lambda e: e.with_columns(evidence=pl.lit("0" * 64))),
        {"unrecorded"},
    ),
    "another source": (lambda m: events(m, lambda e: e.with_columns(source=pl.lit("x' OR 1=1"))), {"unreadable"}),
    "evidence changed": (lambda m: {**m, evidence(m): flipped(m[evidence(m)])}, {"wrong_name", "record_changed"}),
    "evidence left out": (lambda m: {n: d for n, d in m.items() if n != evidence(m)}, {"missing"}),
    "ledger left out": (lambda m: {n: d for n, d in m.items() if n != LEDGER}, {"missing"}),
    "ledger emptied": (lambda m: {**m, LEDGER: b""}, {"ledger_removed", "unrecorded"}),
    "ledger edited": (lambda m: {**m, LEDGER: m[LEDGER].replace(b'"import"', b'"devrev"')}, {"ledger_edited"}),
    "no Parquet": (lambda m: {**m, EVENTS: b"PAR1"}, {"unreadable", "count"}),
    "a column less": (lambda m: events(m, lambda e: e.drop("evidence")), {"unreadable", "count"}),
    "a column of numbers": (
        lambda m: events(m, lambda e: e.with_columns(evidence=pl.lit(1, pl.Int64))),
        {"unreadable", "count"},
    ),
}


@pytest.mark.parametrize("what", FORGERIES)
def test_a_forgery_with_sums_that_hold_is_found(members: Members, out: Path, what: str) -> None:
    forge, kinds = FORGERIES[what]
    checked = verify_bundle(made_again(forge(members), out / "forged.zip"))
    assert not checked.ok
    assert {fault.kind for fault in checked.faults} == kinds


def test_a_column_that_another_profile_may_have_given_is_named_and_not_confirmed(members: Members, out: Path) -> None:
    manifest = json.loads(members[MANIFEST])
    manifest["profiles"]["house"]["actor_name"] = ["user"]
    checked = verify_bundle(made_again({**members, MANIFEST: json.dumps(manifest).encode()}, out / "b.zip"))
    named = [fault for fault in checked.faults if fault.kind == "column_changed"]
    assert not checked.ok
    assert "has another actor_name than its record gives. It may have been" in named[0].message
    (verdict,) = [fault.message for fault in checked.faults if fault.kind == "unconfirmed"]
    kept = pl.read_parquet(io.BytesIO(members[EVENTS]))
    others = kept.filter(pl.col("actor_name").ne_missing(pl.col("actor"))).height
    assert f"{others} events differ from what is made of the evidence now" in verdict
    assert "not confirmed" in verdict


def stated(members: Members, **changes: Any) -> Members:
    """The same members, the manifest altered."""
    return {**members, MANIFEST: json.dumps(json.loads(members[MANIFEST]) | changes).encode()}


def other_actor(members: Members) -> Members:
    return events(members, lambda e: e.with_columns(actor=pl.lit("nobody")))


def without(members: Members, *names: str) -> Members:
    return {name: data for name, data in members.items() if name not in names}


def listed(members: Members, *, included: bool) -> list[dict[str, Any]]:
    return [one | {"included": included} for one in json.loads(members[MANIFEST])["evidence"]]


NOBODY: dict[str, Any] = {"redacted": "names", "ledger": {"lines": 0, "sha256": "0" * 64, "included": False}}
LIES: dict[str, tuple[Callable[[Members], Members], set[str]]] = {
    "another release": (
        lambda m: stated(other_actor(m), tool={"investigate": "0.0.9"}),
        {"column_changed", "unconfirmed"},
    ),
    "no release": (lambda m: stated(other_actor(m), tool=None), {"column_changed", "unconfirmed"}),
    "a profile that gives just these columns": (
        lambda m: stated(
            events(m, lambda e: e.with_columns(user_agent=pl.lit(None, pl.String))),
            profiles={
                name: {key: value for key, value in settings.items() if key != "user_agent"}
                for name, settings in json.loads(m[MANIFEST])["profiles"].items()
            },
        ),
        {"profile_changed"},
    ),
    "redacted, with all inside": (lambda m: stated(other_actor(m), redacted="names"), {"not_redacted"}),
    "redacted, with the ledger": (
        lambda m: stated(without(other_actor(m), evidence(m)), redacted="names", evidence=listed(m, included=False)),
        {"not_redacted"},
    ),
    "redacted, with the evidence": (
        lambda m: stated(without(other_actor(m), LEDGER), **NOBODY, evidence=listed(m, included=False)),
        {"not_redacted"},
    ),
    "redacted, and said to be inside": (
        lambda m: stated(without(other_actor(m), LEDGER, evidence(m)), **NOBODY),
        {"not_redacted", "missing"},
    ),
    "a ledger of no lines": (
        lambda m: stated(without(other_actor(m), LEDGER), ledger=NOBODY["ledger"]),
        {"missing"},
    ),
    "an event twice": (
        lambda m: stated(events(m, lambda e: pl.concat([e, e.head(1)])), events=len(RECORDS)),
        {"repeated"},
    ),
    "an event twice, redacted": (
        lambda m: stated(
            without(events(m, lambda e: pl.concat([e, e.head(1)])), LEDGER, evidence(m)),
            **NOBODY,
            evidence=listed(m, included=False),
            events=len(RECORDS),
        ),
        {"repeated"},
    ),
    "read as another source": (
        lambda m: stated(
            events(m, lambda e: e.with_columns(source=pl.lit("mansion"), actor=pl.lit("nobody"))),
            profiles={"mansion": json.loads(m[MANIFEST])["profiles"]["house"]},
        ),
        {"unrecorded"},
    ),
}


@pytest.mark.parametrize("what", LIES)
def test_no_word_of_the_manifest_makes_altered_events_pass(members: Members, out: Path, what: str) -> None:
    lie, kinds = LIES[what]
    checked = verify_bundle(made_again(lie(members), out / "b.zip"))
    assert not checked.ok
    assert {fault.kind for fault in checked.faults if fault.severity == "error"} == kinds


@pytest.mark.parametrize("name", ["README.txt", "report.html", EVENTS, LEDGER])
def test_a_member_that_every_bundle_has_is_missed(members: Members, out: Path, name: str) -> None:
    checked = verify_bundle(made_again(without(members, name), out / "b.zip"))
    assert [(fault.kind, fault.where) for fault in checked.faults if fault.kind == "missing"] == [("missing", name)]
    assert not checked.ok


@pytest.mark.parametrize(
    "changes",
    [
        *({"tool": one} for one in ("x", ["x"], {"investigate": 1})),
        *({"profiles": one} for one in ("x", [1], {"house": "x"})),
        *({"max_record": one} for one in ("x", True, -1, 1.5, [1])),
        *({"events": one} for one in (True, "1", None)),
        *({"redacted": 1}, {"ledger": {"lines": "1", "sha256": ""}}, {"ledger": []}, {"evidence": {}}),
        {"evidence": [{"sha256": "0" * 64, "included": "yes"}]},
    ],
    ids=json.dumps,
)
def test_a_manifest_of_other_types_is_refused(members: Members, out: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(EvidenceError, match="is none of ours"):
        verify_bundle(made_again(stated(members, **changes), out / "b.zip"))


@pytest.mark.parametrize("name", ["README.txt", "report.html", EVENTS, LEDGER, MANIFEST])
def test_any_changed_member_is_named(members: Members, out: Path, name: str) -> None:
    changed = members[name].replace(b"e", b"f", 1) if name == MANIFEST else flipped(members[name])
    try:
        checked = verify_bundle(made_again({**members, name: changed}, out / "b.zip", sums=False))
    except EvidenceError as error:
        assert name == MANIFEST, error  # noqa: PT017 - a manifest may be past reading
    else:
        assert ("changed", name) in {(fault.kind, fault.where) for fault in checked.faults}


def zipped(path: Path, members: Members, *infos: tuple[zipfile.ZipInfo | str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in [*members.items(), *infos]:
            archive.writestr(name, data)
    return path


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return info


HOSTILE: dict[str, Any] = {
    "out of the folder": [("../../evil", b"x")],
    "an absolute path": [("/etc/evil", b"x")],
    "a backslash": [("evidence\\ledger.jsonl", b"x")],
    "another folder": [("evidence/sha256/zz/" + "a" * 64, b"x")],
    "a folder": [("lake/", b"")],
    "a symbolic link": [(link("evidence/sha256/aa/" + "a" * 64), b"/etc/passwd")],
    "a bomb": [("evidence/sha256/aa/" + "a" * 64, bytes(2**27))],
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_zip_is_refused_and_leaves_nothing(
    members: Members, out: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = out / "tmp"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    path = zipped(out / "hostile.zip", members, *HOSTILE[what])
    with pytest.raises(EvidenceError):
        verify_bundle(path)
    assert sorted(one.name for one in out.rglob("*")) == ["hostile.zip", "tmp"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_comes_twice_is_refused(members: Members, out: Path) -> None:
    with pytest.raises(EvidenceError, match="twice"):
        verify_bundle(zipped(out / "b.zip", members, (LEDGER, b"another")))


@pytest.mark.parametrize("data", [b"", b"no zip at all", b"PK\x05\x06" + bytes(18), b"PK\x03\x04" + bytes(100)])
def test_what_is_no_bundle_is_refused(out: Path, data: bytes) -> None:
    path = out / "b.zip"
    path.write_bytes(data)
    with pytest.raises(EvidenceError):
        verify_bundle(path)
    with pytest.raises(EvidenceError, match="cannot be read"):
        verify_bundle(out / "absent.zip")


def test_any_flipped_byte_is_found_or_means_nothing(bundle: Path, out: Path) -> None:
    """Bytes of a zip that say nothing of its members (a time, a flag nobody reads) may change unseen; no other may."""
    whole = bundle.read_bytes()
    with zipfile.ZipFile(bundle) as archive:
        before = {name: archive.read(name) for name in archive.namelist()}
    path = out / "b.zip"
    for at in range(0, len(whole), max(1, len(whole) // 60)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        try:
            found = verify_bundle(path).ok
        except EvidenceError:
            continue
        if found:
            with zipfile.ZipFile(path) as archive:
                assert {name: archive.read(name) for name in archive.namelist()} == before


def test_changed_evidence_makes_no_bundle(case: Case, out: Path) -> None:
    shutil.copytree(case.path, out / "copy")
    copy = type(case)(out / "copy")
    (entry,) = copy.ledger.entries()
    path = copy.evidence.find(entry.files[0].sha256)
    path.chmod(0o600)
    path.write_bytes(flipped(path.read_bytes()))
    with pytest.raises(EvidenceError, match="was changed"):
        copy.bundle(out / "b.zip", **WINDOW)
    assert [one.name for one in out.iterdir()] == ["copy"]
