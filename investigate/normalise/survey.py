"""For a vendor whose field names are not published: which field of this file holds which canonical column.

Names decide first, equal over snake and camel case, flat, nested or under one wrapping key; then values do.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from investigate.events import ACTIVITIES
from investigate.normalise.paths import Path, Step
from investigate.normalise.profile import MAPPABLE, Column, Profile
from investigate.normalise.times import read_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SAMPLE: Final = 1000
_MAX_RECORD, _MAX_DEPTH, _MAX_ELEMENTS = 256 * 1024, 8, 20
_ENOUGH = 0.5
"""The share of a field's values that must look right for the field to be taken."""

_IDENTITY = re.compile(r"don:identity:[^\s]*:(devu|revu|svcacc|sysu|bot|user)/[^/\s]+", re.IGNORECASE)
_CREDENTIAL = re.compile(r"don:[^\s]*:(token|pat|session|credential|keyring|auth[a-z_]*)/[^/\s]+", re.IGNORECASE)
_ORGANISATION = re.compile(r"don:identity:[^:\s]*:devo/[^:/\s]+")
_DON = re.compile(r"don:[a-z_]+:[^\s]*/[^\s]+")


@dataclass(frozen=True)
class Decision:
    """What the survey decided for one column, for people to check.

    Attributes:
        column: canonical column.
        path: the field it is read from.
        how: `name`, `value`, or `case` where `case.toml` says so.
        share: the part of the surveyed records that have the field, 0 to 1.
    """

    column: str
    path: str
    how: str
    share: float

    def __str__(self) -> str:
        return f"{self.column} = {self.path} (by {self.how}, in {self.share:.0%} of the records looked at)"


@dataclass
class _Field:
    path: Path
    records: set[int]
    values: list[str]

    def share_of(self, test: Callable[[str], bool]) -> float:
        return sum(map(test, self.values)) / len(self.values) if self.values else 0.0


def survey(profile: Profile, records: Sequence[bytes]) -> tuple[Profile, list[Decision]]:
    """A flexible profile with the fields of these records for paths, and why.

    Args:
        profile: a flexible profile: the names of its paths are candidates.
        records: raw records, at most `SAMPLE` of them are looked at, evenly spread.
    """
    step = max(1, len(records) // SAMPLE)
    fields = _fields(records[::step])
    total = max(1, len(records[::step]))
    names = _by_name(profile, fields)
    taken = {item.path for found in names.values() for item in found}
    values = _by_value(profile, names, [item for item in fields if item.path not in taken])
    columns: dict[str, Column] = {}
    decisions: list[Decision] = []
    for name in MAPPABLE:
        column = profile.columns.get(name, Column())
        how = "case" if name in profile.pinned else "name" if names.get(name) else "value"
        found = names.get(name) or values.get(name) or []
        if how != "case":
            columns[name] = replace(column, paths=tuple(item.path for item in found))
        shares = {str(item.path): len(item.records) / total for item in found}
        paths = [str(path) for path in column.paths] if how == "case" else list(shares)
        decisions += [Decision(name, path, how, shares.get(path, _share(fields, path, total))) for path in paths]
    return profile.with_columns(columns), decisions


def _share(fields: Sequence[_Field], path: str, total: int) -> float:
    return next((len(item.records) / total for item in fields if str(item.path) == path), 0.0)


def _fields(records: Sequence[bytes]) -> list[_Field]:
    """Every field of the records with its values, in the order in which they are met."""
    values: dict[Path, list[str]] = defaultdict(list)
    seen: dict[Path, set[int]] = defaultdict(set)
    for number, raw in enumerate(records):
        if len(raw) > _MAX_RECORD:
            continue
        try:
            record = json.loads(raw)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            _flatten(record, (), number, values, seen)
    return [_Field(path, seen[path], found) for path, found in values.items()]


def _flatten(
    value: object, at: tuple[Step, ...], number: int, values: dict[Path, list[str]], seen: dict[Path, set[int]]
) -> None:
    if len(at) > _MAX_DEPTH or value is None or value == "":
        return
    if isinstance(value, dict):
        for key, member in value.items():
            if key:
                _flatten(member, (*at, Step(name=key)), number, values, seen)
    elif isinstance(value, list):
        for element in value[:_MAX_ELEMENTS]:
            _flatten(element, (*at, Step()), number, values, seen)
    else:
        text = value if isinstance(value, str) else json.dumps(value)
        values[Path(at)].append(text)
        seen[Path(at)].add(number)


def words(path: Path) -> str:
    """A field's name as words: `actor.displayName`, `actor_display_name` and `ActorDisplayName` are one."""
    parts = [step.name for step in path.steps if step.name is not None]
    split = re.sub(r"([a-z0-9])([A-Z])|([A-Z]+)(?=[A-Z][a-z])", r"\1\3 \2", " ".join(parts))
    return " ".join(re.split(r"[^a-z0-9@]+", split.lower())).strip()


def _by_name(profile: Profile, fields: Sequence[_Field]) -> dict[str, list[_Field]]:
    """The fields whose names a profile knows, under the wrapping key that makes most of them known."""
    best: dict[str, list[_Field]] = {}
    for wrapper in ((), *_wrappers(fields)):
        seen = {
            words(Path(item.path.steps[len(wrapper) :])): item
            for item in reversed(fields)
            if _keys(item.path)[: len(wrapper)] == wrapper and len(item.path.steps) > len(wrapper)
        }
        found = {name: _named(name, profile.columns.get(name, Column()), seen) for name in MAPPABLE}
        found = {name: items for name, items in found.items() if items and name not in profile.pinned}
        if ("time" in found, len(found)) > ("time" in best, len(best)):
            # What stands beside the wrapping key still counts where nothing inside it fits.
            best = {**best, **found} if wrapper else found
    return best


def _keys(path: Path) -> tuple[str | None, ...]:
    return tuple(step.name for step in path.steps)


def _wrappers(fields: Sequence[_Field]) -> list[tuple[str, ...]]:
    tops = dict.fromkeys(item.path.scalar[0] for item in fields if len(item.path.scalar) > 1)
    return [(top,) for top in tops]


def _named(name: str, column: Column, seen: Mapping[str, _Field]) -> list[_Field]:
    candidates = [seen[key] for path in column.paths if (key := words(path)) in seen]
    test = _LOOKS.get(name)
    if name in {"activity", "outcome", "actor_type"}:
        return [item for item in candidates if item.share_of(lambda word: column.translate(word) is not None) > 0]
    return [item for item in candidates if test is None or item.share_of(test) >= _ENOUGH]


def _by_value(profile: Profile, names: Mapping[str, list[_Field]], rest: Sequence[_Field]) -> dict[str, list[_Field]]:
    """For columns that no name fits: the fields whose values tell what they are."""
    found: dict[str, list[_Field]] = {}
    left = list(rest)
    for column, test in _VALUES:
        if names.get(column) or column in profile.pinned:
            continue
        fitting = [(item.share_of(test), item) for item in left]
        fitting = [entry for entry in fitting if entry[0] >= _ENOUGH]
        fitting.sort(key=lambda entry: (-len(entry[1].records), -entry[0]))
        ranked = [item for _, item in fitting]
        found[column] = ranked if column == "resources" else _covering(ranked)
        left = [item for item in left if item not in found[column]]
    return found


def _covering(ranked: Sequence[_Field]) -> list[_Field]:
    """The first field, and each further one that speaks for records which those before it leave out."""
    chosen: list[_Field] = []
    covered: set[int] = set()
    for item in ranked:
        if item.records - covered:
            chosen.append(item)
            covered |= item.records
    return chosen


def _is_time(text: str) -> bool:
    return isinstance(read_time(text), datetime)


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text.partition(",")[0].strip())
    except ValueError:
        return False
    return True


def _is_object(text: str) -> bool:
    return bool(_DON.fullmatch(text)) and not _ORGANISATION.fullmatch(text) and not _CREDENTIAL.fullmatch(text)


_LOOKS: Final[Mapping[str, Callable[[str], bool]]] = {"time": _is_time, "src_ip": _is_ip}

_VALUES: Final[tuple[tuple[str, Callable[[str], bool]], ...]] = (
    ("actor", lambda text: bool(_IDENTITY.fullmatch(text))),
    ("tenant", lambda text: bool(_ORGANISATION.fullmatch(text))),
    ("credential", lambda text: bool(_CREDENTIAL.fullmatch(text))),
    ("resources", _is_object),
    ("src_ip", _is_ip),
    ("activity", lambda text: text.lower() in ACTIVITIES),
    ("time", lambda text: bool(re.match(r"\d{4}-\d\d-\d\d[T ]|\d{10}", text)) and _is_time(text)),
)
"""(column, what its values look like), in the order in which fields are given away."""
