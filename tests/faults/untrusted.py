"""What strangers give this program, as functions of bytes: each makes an event, a reject or an error of ours of any.

Hypothesis and atheris call them alike; whatever else comes out of one is a fault.
"""

from __future__ import annotations

import io
import json
import tomllib
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from investigate.errors import InvestigateError
from investigate.events import parse_time
from investigate.normalise import canonical
from investigate.normalise import profile as profiles
from investigate.normalise.canonical import Hasher
from investigate.normalise.containers import Limits
from investigate.normalise.normaliser import Input, Normaliser
from investigate.normalise.times import read_time
from investigate.sources.link import Link

if TYPE_CHECKING:
    from collections.abc import Callable

_NOW: Final = datetime(2026, 11, 3, 12, tzinfo=UTC)
_LIMITS: Final = Limits(max_expanded=2**22, max_ratio=200, max_record=2**16)
_RECORDS: Final = 8
_ZONES: Final = ("UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia")


def link(data: bytes) -> None:
    """A link as pasted: accepted, or refused without being repeated."""
    text = data.decode(errors="surrogateescape")
    try:
        found = Link.parse(text, now=_NOW, allowed_hosts=("*.example.com",))
    except InvestigateError:
        return
    assert found.expires_at > _NOW
    assert "?" not in found.address
    assert found.name.isprintable()


def time(data: bytes) -> None:
    """A time as a log has it, in every kind of zone: an aware instant, or the reason why it is none."""
    text = data.decode(errors="replace")
    for zone in _ZONES:
        found = read_time(text, zone)
        assert isinstance(found, str) or found.utcoffset() is not None
    try:
        parsed = parse_time(text, now=_NOW)
    except InvestigateError:
        return
    assert parsed.utcoffset() is not None


def log(data: bytes) -> None:
    """A file that is said to be a log: every record is events or rejects, whatever contains it."""
    normaliser = _normaliser("cloudtrail")
    received = records = 0
    for batch in normaliser.read([Input(io.BytesIO(data), len(data), "0" * 64)]):
        records += batch.records
        received += batch.events.num_rows + batch.rejects.num_rows
        assert not batch.events["time"].null_count
        assert not batch.events["actor"].null_count
        assert not batch.rejects["reason"].null_count
    assert received >= records > 0 or not received


def profile(data: bytes) -> None:
    """A profile as a case may write it, and a record of any kind read by it: refused, or read."""
    settings, _, record = data.partition(b"\0")
    try:
        parsed = tomllib.loads(settings.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        return
    try:
        made = profiles.load("devrev", {"devrev": parsed})
        with Normaliser(made, _LIMITS) as normaliser:
            for batch in normaliser.read([Input(io.BytesIO(record), len(record), "0" * 64)]):
                assert batch.events.num_rows + batch.rejects.num_rows >= batch.records
    except InvestigateError:
        return


def form(data: bytes) -> None:
    """Records, a line each: whichever of them is learnt first, all keep the hash they have by themselves."""
    records = data.decode(errors="replace").split("\n")[:_RECORDS]
    hashes = [canonical.content_hash(record, ("when",)) for record in records]
    with patch.object(canonical, "_SEEN", 1):
        for learnt in records:
            hasher = Hasher(("when",))
            hasher.hash(learnt)
            assert [hasher.hash(record) for record in records] == hashes


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "link": link,
    "time": time,
    "log": log,
    "profile": profile,
    "form": form,
}
"""All of them, by the names of their folders in the corpus."""


@cache
def _normaliser(name: str) -> Any:
    """One that is used again and again: its engine takes longer to make than most inputs to read."""
    return Normaliser(profiles.load(name), _LIMITS)


def as_json(value: object) -> bytes:
    """A record as a log has it."""
    return json.dumps(value).encode()
