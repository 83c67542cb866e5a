"""For a vendor whose field names are not published: which field of this file holds which canonical column.

Names decide first, equal over snake and camel case, flat, nested or under one wrapping key; then values do.
"""

from __future__ import annotations

import functools
import ipaddress
import json
import re
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeAlias

from investigate.events import ACTIVITIES
from investigate.normalise.paths import Path, Step
from investigate.normalise.profile import MAPPABLE, Column, Profile
from investigate.normalise.scan import members
from investigate.normalise.times import read_time

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

SAMPLE: Final = 500
_MAX_RECORD, _MAX_MEMBER, _MAX_DEPTH, _MAX_ELEMENTS, _MAX_FIELDS, _MAX_KEY = 256 * 1024, 64 * 1024, 8, 20, 2000, 200
_MOST: Final = 20
"""The most fields that values may decide for one column: a log in which every key is new must stay a small query."""

_WRAPS: Final = 0.6
"""The share of a record's fields that must lie under a key for it to be a wrapping key."""

_UNIQUE: Final = 0.98
"""The share of an event id's values that must be distinct: else it is some other thing's id."""

_EPOCHS: Final = (1_420_070_400, 2_051_222_400)
"""2015 to 2035: a number that is to be a time by its value alone lies between, in s, ms, µs or ns."""
_ENOUGH = 0.5
"""The share of a field's values that must look right for the field to be taken."""

_IDENTITY = re.compile(r"don:identity:[^\s]*:(devu|revu|svcacc|sysu|bot|user)/[^/\s]+", re.IGNORECASE)
_CREDENTIAL = re.compile(r"don:[^\s]*:(token|pat|session|credential|keyring|auth[a-z_]*)/[^/\s]+", re.IGNORECASE)
_ORGANISATION = re.compile(r"don:identity:[^:\s]*:devo/[^:/\s]+")
_DON = re.compile(r"don:[a-z_]+:[^\s]*/[^\s]+")


_ID_LIKE = re.compile(r"\b(id|ids|uid|number|num|no|seq|sequence|count|version|size|length|offset)$")

_SOMEBODY_ELSE = re.compile(
    r"\b(owner|owned|assignee|assigned|target|object|resource|member|reviewer|reporter|reported|approver|recipient|"
    r"affected|subject|previous|old|new|for|to|of)\b"
)
"""Words of a field that names a person, but the one to whom something is done."""


_Place: TypeAlias = tuple[str | None, ...]
"""Where a field lies: keys, None for an element of a list. Thousands are compared, for which a `Path` takes long."""


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
    """A field as the surveyed records have it.

    Attributes:
        path: where it lies.
        records: the numbers of the records that have it.
        values: as text.
        empty: the numbers of the records that have it, or what it lies under, but without a value.
    """

    path: Path
    records: set[int]
    values: list[str]
    empty: set[int]

    def share_of(self, test: Callable[[str], bool]) -> float:
        return sum(map(test, self.values)) / len(self.values)

    def distinct(self) -> float:
        return len(set(self.values)) / len(self.values)


def survey(
    profile: Profile, records: Sequence[bytes], met: Collection[Path] = ()
) -> tuple[Profile, list[Decision], set[Path]]:
    """A flexible profile with the fields of these records for paths, and why.

    Args:
        profile: a flexible profile: the names of its paths are candidates.
        records: raw records, at most `SAMPLE` of them are looked at, evenly spread.
        met: fields that an earlier survey of the same file saw with more around them: their values decide nothing
            here, where only records are looked at that lack something.

    Returns:
        The profile, the decisions, and all fields that were seen.
    """
    fields = _fields(list(dict.fromkeys(records[:: max(1, -(-len(records) // SAMPLE))])))
    total = max(1, len({number for item in fields for number in item.records}))
    names = _by_name(profile, fields, met)
    taken = {item.path for found in names.values() for item in found} | set(met)
    values = _by_value(profile, names, [item for item in fields if item.path not in taken])
    columns: dict[str, Column] = {}
    decisions: list[Decision] = []
    for name in MAPPABLE:
        column = profile.columns.get(name, Column())
        if name in profile.pinned:
            decisions += [Decision(name, str(path), "case", _share(fields, path, total)) for path in column.paths]
            continue
        for how, found in (("name", names[name]), ("value", values.get(name, []))):
            decisions += [Decision(name, str(item.path), how, len(item.records) / total) for item in found]
        columns[name] = replace(column, paths=tuple(item.path for item in (*names[name], *values.get(name, ()))))
    return profile.with_columns(columns), decisions, {item.path for item in fields}


def _share(fields: Sequence[_Field], path: Path, total: int) -> float:
    return next((len(item.records) / total for item in fields if item.path == path), 0.0)


def _fields(records: Sequence[bytes]) -> list[_Field]:
    """Every field of the records with its values, in the order in which they are met."""
    values: dict[_Place, list[str]] = defaultdict(list)
    seen: dict[_Place, set[int]] = defaultdict(set)
    empty: dict[_Place, set[int]] = defaultdict(set)
    for number, raw in enumerate(records):
        record = _loaded(raw)
        for place, value in _flatten(record, (), []) if isinstance(record, dict) else ():
            if value is None:
                empty[place].add(number)
            elif place in values or len(values) < _MAX_FIELDS:
                values[place].append(value)
                seen[place].add(number)
    return [_Field(_path(place), seen[place], found, _empty(place, empty)) for place, found in values.items()]


def _loaded(raw: bytes) -> object:
    """The record, of a long or deep one those members that are neither; None where it is no JSON."""
    if len(raw) <= _MAX_RECORD:
        try:
            return json.loads(raw)
        except ValueError:
            return None
        except RecursionError:
            pass
    found = {}
    for key, start, end in members(raw, 0, len(raw)) if raw.startswith(b"{") else ():
        if end - start > _MAX_MEMBER:
            continue
        try:
            found[key.decode()] = json.loads(raw[start:end])
        except (ValueError, RecursionError):
            continue
    return found


def _empty(place: _Place, empty: Mapping[_Place, set[int]]) -> set[int]:
    above = [place[:size] for size in range(1, len(place) + 1)]
    return set().union(*(empty[one] for one in above if one in empty))


def _path(place: _Place) -> Path:
    return Path(tuple(Step(name=key) for key in place))


def _flatten(value: object, at: _Place, found: list[tuple[_Place, str | None]]) -> list[tuple[_Place, str | None]]:
    """Adds the members of a record that hold no other, each with its text, None where it is empty."""
    if len(at) > _MAX_DEPTH:
        return found
    if value is None or (not value and isinstance(value, str | list | dict)):
        found.append((at, None))
    elif isinstance(value, str):
        found.append((at, value))
    elif isinstance(value, dict):
        for key, member in value.items():
            if _is_usable(key):
                _flatten(member, (*at, key), found)
    elif isinstance(value, list):
        for element in value[:_MAX_ELEMENTS]:
            _flatten(element, (*at, None), found)
    else:
        found.append((at, json.dumps(value)))
    return found


def _is_usable(key: str) -> bool:
    """Whether a key can stand in a query: half a surrogate pair cannot."""
    return 0 < len(key) <= _MAX_KEY and (key.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in key))


@functools.lru_cache(maxsize=10_000)
def words(path: Path) -> str:
    """A field's name as words: `actor.displayName`, `actor_display_name` and `ActorDisplayName` are one."""
    parts = [step.name for step in path.steps if step.name is not None]
    split = re.sub(r"([a-z0-9])([A-Z])|([A-Z]+)(?=[A-Z][a-z])", r"\1\3 \2", " ".join(parts))
    return " ".join(re.split(r"[^a-z0-9@]+", split.lower())).strip()


def _by_name(profile: Profile, fields: Sequence[_Field], met: Collection[Path]) -> dict[str, list[_Field]]:
    """The fields whose names a profile knows, at the top and under wrapping keys."""
    named: dict[str, list[_Field]] = {name: [] for name in MAPPABLE}
    for wrapper in ((), *_wrappers(fields)):
        seen: dict[str, list[_Field]] = defaultdict(list)
        for item in fields:
            if _keys(item.path)[: len(wrapper)] == wrapper and len(item.path.steps) > len(wrapper):
                seen[words(Path(item.path.steps[len(wrapper) :]))].append(item)
        for name in MAPPABLE:
            if name not in profile.pinned:
                named[name] += _named(name, profile.columns.get(name, Column()), seen, met)
    return {name: list({item.path: item for item in found}.values()) for name, found in named.items()}


def _keys(path: Path) -> tuple[str | None, ...]:
    return tuple(step.name for step in path.steps)


def _wrappers(fields: Sequence[_Field]) -> list[tuple[str, ...]]:
    """The keys under which most of what their records hold lies; the key of an object among others is none."""
    found: list[tuple[str, ...]] = []
    tops = dict.fromkeys(item.path.scalar[0] for item in fields if len(item.path.scalar) > 1)
    for top in tops:
        inside = [item for item in fields if item.path.scalar[:1] == (top,)]
        records = set().union(*(item.records for item in inside))
        around = sum(1 for item in fields if not item.records.isdisjoint(records))
        if len(inside) >= _WRAPS * around:
            found.append((top,))
    return found


def _named(name: str, column: Column, seen: Mapping[str, list[_Field]], met: Collection[Path]) -> list[_Field]:
    candidates = [item for path in column.paths for item in seen.get(words(path), ())]
    test = _LOOKS.get(name)
    if name == "event_uid":
        return [item for item in candidates if item.path not in met and item.distinct() >= _UNIQUE]
    if name in {"activity", "outcome", "actor_type"}:
        return [item for item in candidates if item.share_of(lambda word: column.translate(word) is not None) > 0]
    return [item for item in candidates if test is None or item.share_of(test) >= _ENOUGH]


def _by_value(profile: Profile, names: Mapping[str, list[_Field]], rest: Sequence[_Field]) -> dict[str, list[_Field]]:
    """For columns that no name fits: the fields whose values tell what they are."""
    found: dict[str, list[_Field]] = {}
    left = list(rest)
    for column, test in _VALUES:
        if column in profile.pinned:
            continue
        fitting = [(item.share_of(test), item) for item in left if _may_be(column, item)]
        fitting = [entry for entry in fitting if entry[0] >= _ENOUGH]
        fitting.sort(key=lambda entry: (*_doubts(column, entry[1]), -entry[0]))
        ranked = [item for _, item in fitting]
        named = names.get(column, [])
        found[column] = (ranked if column == "resources" and not named else _alternatives(named, ranked))[:_MOST]
        left = [item for item in left if item not in found[column]]
    return found


def _may_be(column: str, item: _Field) -> bool:
    """Whether something about a field speaks against what most of its values look like."""
    if column == "actor":
        return not any(_is_object(text) and not _IDENTITY.fullmatch(text) for text in item.values)
    return column != "time" or not _ID_LIKE.search(words(item.path))


def _doubts(column: str, item: _Field) -> tuple[bool, bool, int]:
    """What makes a field less likely, the heaviest first; one that is there and empty counts as there."""
    other = column == "actor" and _SOMEBODY_ELSE.search(words(item.path)) is not None
    return other, bool(item.path.rest), -len(item.records | item.empty)


def _alternatives(named: Sequence[_Field], ranked: Sequence[_Field]) -> list[_Field]:
    """Each field that stands where those before it do not, not even empty: one beside them means something else."""
    chosen: list[_Field] = []
    covered = set().union(*(item.records | item.empty for item in named))
    for item in ranked:
        if item.records.isdisjoint(covered):
            chosen.append(item)
            covered |= item.records | item.empty
    return chosen


def _is_time(text: str) -> bool:
    return isinstance(read_time(text), datetime)


def _is_epoch(text: str) -> bool:
    if not re.fullmatch(r"\d{10}(\d{3}){0,3}(\.\d+)?", text):
        return False
    start, end = _EPOCHS
    return start <= int(text[:10]) < end


def _is_dated(text: str) -> bool:
    written = re.match(r"\d{4}-\d\d-\d\d[T ]", text) is not None
    return _is_time(text) if written else _is_epoch(text)


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
    ("time", _is_dated),
)
"""(column, what its values look like), in the order in which fields are given away."""
