"""The generator: the same for the same seed, exact in number, in time order, whatever the shape and the container."""

import gzip
import hashlib
import io
import itertools
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from investigate.sandbox import clock, containers, incident, prepare, shapes, stream, truth, world
from investigate.sandbox.__main__ import parse
from investigate.sandbox.coderabbit_log import Asked
from investigate.sandbox.settings import Container, ShapeName

END = "2026-11-21T12:00:00Z"
WINDOW = (clock.parse("2026-10-22T12:00:00Z"), clock.parse(END))


def digests(folder: Path) -> dict[str, tuple[str, str]]:
    """Of what every file of the log holds, and of its bytes, by name."""
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.gz")}
    return {
        name: (hashlib.sha256(gzip.decompress(packed)).hexdigest(), hashlib.sha256(packed).hexdigest())
        for name, packed in files.items()
    }


def prepared(folder: Path, *flags: str) -> tuple[dict[str, tuple[str, str]], dict[str, Any], list[Any]]:
    """The files of DevRev's log, the truth, CodeRabbit's entries."""
    made = prepare.prepare(parse(["--events", "1500", "--coderabbit-events", "500", "--end", END, *flags]), folder)
    asked = made.entries.page(Asked((prepare.MAIN_ORG,)), 1, 1_000)[1]
    made.entries.close()
    return digests(folder / "s3"), made.truth, asked


def test_the_same_seed_size_and_end_give_the_same_bytes(tmp_path: Path) -> None:
    files, told, entries = prepared(tmp_path / "one")
    again = prepared(tmp_path / "other")
    assert again[0] == files
    assert again[1] == told
    assert again[2] == entries
    assert prepared(tmp_path / "third", "--seed", "8")[0] != files


@pytest.mark.parametrize("seed", range(12))
def test_every_seed_has_an_incident_well_before_the_ingestion_delay(seed: int) -> None:
    end = WINDOW[1] + seed * 11 * clock.HOUR
    window = (end - 30 * clock.DAY, end)
    main = world.build(prepare.MAIN, seed)
    found = incident.plan(main, seed, window)
    witness = truth.Witness(found)
    events = list(witness.watch(stream.events(main, seed, window, 3_000, found.events, found.things)))
    assert len(events) == 3_000
    assert all(one.micros <= other.micros for one, other in itertools.pairwise(events))
    assert window[0] <= events[0].micros
    assert events[-1].micros == end
    assert 3 * clock.DAY <= end - found.window[1] < end - found.window[0] <= 10 * clock.DAY
    assert 5 <= len(witness.truth("", ())["identities"]) - 1 <= 20


@pytest.mark.parametrize("name", list(ShapeName))
def test_every_shape_tells_the_same_story(name: ShapeName) -> None:
    main = world.build(prepare.MAIN, 7)
    shape = shapes.shape(name, prepare.MAIN)
    for event in stream.events(main, 7, WINDOW, 1_500):
        text = shape.line(event)
        facts = shape.facts(json.loads(text))
        assert (event.micros - facts.micros) in range(1_000)
        assert facts.user == (event.actor.don if event.actor else None)
        assert (facts.category, facts.operation_type) == (event.operation.category, event.operation.operation_type)
        assert event.uid in text
        assert all(thing.don in text for thing in event.things)


LINES = [b'{"n":%d}\n' % number for number in range(5)]
HOURS = [LINES[:2], [], LINES[2:]]


def unpack(container: Container, path: Path) -> list[Any]:
    """The entries of a packed file, by standard tools."""
    raw = path.read_bytes()
    if container is Container.ZIP:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            raw = archive.read(archive.namelist()[0])
    elif container in {Container.JSONL_GZ, Container.JSON_GZ}:
        raw = gzip.decompress(raw)
    if container in {Container.JSON, Container.JSON_GZ}:
        return list(json.loads(raw))
    if container is Container.WRAPPED:
        return list(json.loads(raw)["audit_logs"])
    return [json.loads(line) for line in raw.splitlines()]


@pytest.mark.parametrize("container", list(Container))
@pytest.mark.parametrize("hours", [HOURS, []])
def test_every_container_holds_all_entries_in_order(container: Container, hours: list[Any], tmp_path: Path) -> None:
    path = tmp_path / containers.name(container)
    count = containers.pack(container, map(iter, hours), path)
    assert unpack(container, path) == [json.loads(line) for hour in hours for line in hour]
    assert count == sum(map(len, hours))


def test_memory_does_not_grow_with_the_log() -> None:
    main = world.build(prepare.MAIN, 7)
    endless = stream.events(main, 7, WINDOW, 50_000_000)
    first = list(itertools.islice(endless, 100))
    assert len(first) == 100  # fifty million were asked for, and a hundred were made


@given(st.datetimes(timezones=st.timezones(), allow_imaginary=False))
def test_instants_survive_being_written_down(moment: Any) -> None:
    text = moment.isoformat()
    if moment.utcoffset().total_seconds() % 60:  # a zone from before zones: RFC 3339 cannot say it
        return
    offset = int(moment.utcoffset().total_seconds())
    naive = moment.replace(tzinfo=None) - clock.as_datetime(0).replace(tzinfo=None)
    expected = (naive.days * 86_400 + naive.seconds - offset) * 1_000_000 + naive.microseconds
    assert clock.parse(text) == expected


@pytest.mark.parametrize(
    "text", ["2026-11-01", "2026-11-01T00:00:00", "2026-13-01T00:00:00Z", "2026-11-01 00:00:00Z", ""]
)
def test_what_is_no_rfc_3339_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        clock.parse(text)


def test_what_is_not_given_follows_from_what_is() -> None:
    settings = parse(["--events", "100000", "--arrivals"])
    assert (settings.coderabbit_events, settings.switches.arrivals) == (5_000, 1)
    assert (clock.now() - settings.end) in range(60 * clock.SECOND)


@pytest.mark.parametrize(
    "flags",
    [["--host", "0.0.0.0"], ["--host", "localhost"], ["--events", "10"], ["--end", "today"], ["--shape", "round"]],  # noqa: S104
)
def test_settings_that_make_no_sense_are_wrong_usage(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        parse(flags)
    assert left.value.code == 2
    assert flags[0] in capsys.readouterr().err
