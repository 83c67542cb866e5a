"""A profile says, for one vendor, where the records of a file lie and where each canonical column lies in a record.

Profiles are TOML: the shipped ones stand beside this module, a case may lay columns of its own over them.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from investigate.errors import ProfileError
from investigate.events import ACTIVITIES, ACTOR_TYPES, COLUMNS, OUTCOMES
from investigate.normalise.paths import Path

if TYPE_CHECKING:
    from collections.abc import Mapping

DERIVED: Final = ("date", "source", "raw", "evidence", "evidence_record", "resource")
MAPPABLE: Final = tuple(name for name in COLUMNS if name not in DERIVED)
CLOSED: Final = {"activity": ACTIVITIES, "actor_type": ACTOR_TYPES, "outcome": OUTCOMES}
"""Columns whose values come from a closed list; a value that maps to none of it becomes the list's last."""

_TABLES: Final = ("map", "prefix", "suffix", "actor")
_TEXTS: Final = ("zone", "extract", "search", "present", "default")


@dataclass(frozen=True)
class Column:
    """Where one canonical column comes from.

    Attributes:
        paths: tried in order; `resources` takes what all of them find.
        join: instead of `paths`: all of these, joined by `:`; nothing where one is missing.
        zone: the zone of times written without one.
        values: the vendor's word in lower case, whole, to ours.
        prefix: the beginning of the vendor's word, as written, to ours; the longest that fits wins.
        suffix: the end of the vendor's word, in lower case, to ours; the longest that fits wins.
        extract: a regular expression whose one group is taken where it matches; elsewhere the value stays whole.
        search: a regular expression whose one group is looked for in the whole record where no path finds anything.
        actor: a part of the actor's key to ours, where no path finds anything that can be translated.
        present: the value where a path finds something that cannot be translated.
        default: the value where nothing is found.
    """

    paths: tuple[Path, ...] = ()
    join: tuple[Path, ...] = ()
    zone: str = "UTC"
    values: Mapping[str, str] = field(default_factory=dict)
    prefix: Mapping[str, str] = field(default_factory=dict)
    suffix: Mapping[str, str] = field(default_factory=dict)
    extract: str | None = None
    search: str | None = None
    actor: Mapping[str, str] = field(default_factory=dict)
    present: str | None = None
    default: str | None = None

    @property
    def maps(self) -> bool:
        """Whether the vendor's words are translated."""
        return bool(self.values or self.prefix or self.suffix)

    def translate(self, word: str) -> str | None:
        """Our word for the vendor's, None where there is none; the compiled SQL does the same."""
        if ours := self.values.get(word.lower()):
            return ours
        for test, table in ((word.startswith, self.prefix), (word.lower().endswith, self.suffix)):
            for part in longest_first(table):
                if test(part):
                    return table[part]
        return None


def longest_first(table: Mapping[str, str]) -> list[str]:
    """The keys of a prefix or suffix table in the order in which they are tried."""
    return sorted(table, key=lambda part: (-len(part), part))


@dataclass(frozen=True)
class Profile:
    """How one vendor's log is read.

    Attributes:
        name: the `source` of its events.
        records: where records lie: `"Records[]"` in that list, `"[]"` in a list at the top, `"lines"` one a line,
            `"*[]"` in a list under any key, where the object itself is no event, `"pages"` in response bodies kept
            by a pull.
        columns: canonical column to where it comes from.
        explode: a list in a record of which every element is an event of its own.
        flexible: names count as equal over snake and camel case, nesting and one wrapping key, and where no name
            fits, the value decides.
        volatile: members that differ each time a record is handed out, and so do not count for its hash.
    """

    name: str
    records: tuple[str, ...] = ("[]", "lines")
    columns: Mapping[str, Column] = field(default_factory=dict)
    explode: Path | None = None
    flexible: bool = False
    volatile: tuple[str, ...] = ()
    pinned: frozenset[str] = frozenset()
    """Columns set by the case: taken literally even where the profile is flexible."""

    def with_columns(self, columns: Mapping[str, Column]) -> Profile:
        """The same profile with some columns exchanged."""
        return replace(self, columns={**self.columns, **columns})


def names() -> list[str]:
    """The shipped profiles."""
    files = resources.files(__package__).joinpath("profiles").iterdir()
    return sorted(item.name.removesuffix(".toml") for item in files if item.name.endswith(".toml"))


def load(name: str, overrides: Mapping[str, Mapping[str, Any]] | None = None) -> Profile:
    """A profile by name.

    Args:
        name: a shipped profile, or one that `overrides` defines whole.
        overrides: profile name to its settings, from `case.toml`'s `[profiles.*]`, laid over the shipped ones.

    Raises:
        ProfileError: unknown, or malformed.
    """
    settings, laid_over = _settings(name, overrides)
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name):
        raise ProfileError(f"{name!r} cannot be a profile's name.", "Use lower case letters, digits and underscores.")
    profile = parse(name, {**settings, **laid_over})
    return replace(profile, pinned=frozenset(laid_over) & frozenset(MAPPABLE))


def digest(name: str, overrides: Mapping[str, Mapping[str, Any]] | None = None) -> str:
    """SHA-256 of what a profile says: a log read by the same release with the same digest is read alike.

    Args:
        name: see `load`.
        overrides: likewise.

    Raises:
        ProfileError: unknown.
    """
    return hashlib.sha256(json.dumps(_settings(name, overrides), sort_keys=True, default=str).encode()).hexdigest()


def _settings(name: str, overrides: Mapping[str, Mapping[str, Any]] | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is shipped, and what is laid over it."""
    laid_over = dict((overrides or {}).get(name, {}))
    if name in names():
        text = resources.files(__package__).joinpath("profiles", f"{name}.toml").read_text(encoding="utf-8")
        return tomllib.loads(text), laid_over
    if laid_over:
        return {}, laid_over
    known = ", ".join(sorted({*names(), *(overrides or {})}))
    raise ProfileError(f"No profile is called {name!r}.", f"Use one of {known}, or write [profiles.{name}].")


def parse(name: str, settings: Mapping[str, Any]) -> Profile:
    """A profile from its settings.

    Raises:
        ProfileError: an unknown key, or a value that is no path, map or zone.
    """
    known = {"records", "explode", "flexible", "volatile", *MAPPABLE}
    if unknown := sorted(set(settings) - known):
        raise ProfileError(
            f"Profile {name}: unknown key {unknown[0]!r}.", f"A profile has the keys {', '.join(sorted(known))}."
        )
    return Profile(
        name=name,
        records=_strings(name, "records", settings.get("records", ["[]", "lines"])),
        columns={column: _column(name, column, settings[column]) for column in MAPPABLE if column in settings},
        explode=Path.parse(_text(f"Profile {name}", "explode", settings["explode"])) if "explode" in settings else None,
        flexible=bool(settings.get("flexible", False)),
        volatile=_strings(name, "volatile", settings.get("volatile", [])),
    )


def _column(profile: str, column: str, value: object) -> Column:
    where = f"Profile {profile}: {column}"
    if isinstance(value, list):
        return Column(paths=_paths(where, value))
    if not isinstance(value, dict):
        raise ProfileError(f"{where} is neither a list of paths nor a table.", f'Write {column} = ["path"].')
    options = {"paths", "join", *_TABLES, *_TEXTS}
    if unknown := sorted(set(value) - options):
        raise ProfileError(f"{where}: unknown option {unknown[0]!r}.", f"Options are {', '.join(sorted(options))}.")
    tables = {option: _table(where, option, value.get(option, {})) for option in _TABLES}
    texts = {option: _text(where, option, value[option]) for option in _TEXTS if option in value}
    made = Column(
        paths=_paths(where, value.get("paths", [])),
        join=_paths(where, value.get("join", [])),
        values={key.lower(): ours for key, ours in tables["map"].items()},
        prefix=tables["prefix"],
        suffix={key.lower(): ours for key, ours in tables["suffix"].items()},
        actor=tables["actor"],
        **texts,
    )
    _check(where, column, made)
    return made


def _check(where: str, column: str, made: Column) -> None:
    for pattern in filter(None, (made.extract, made.search)):
        try:
            groups = re.compile(pattern).groups
        except re.error as error:
            raise ProfileError(f"{where}: {pattern!r} is no regular expression: {error}.", "Correct it.") from error
        if groups != 1:
            raise ProfileError(f"{where}: {pattern!r} has {groups} groups.", "Mark the wanted part with one ( ).")
    try:
        ZoneInfo(made.zone)
    except (KeyError, ValueError, OSError) as error:
        raise ProfileError(f"{where}: unknown zone {made.zone!r}.", "Use an IANA name: Europe/Berlin.") from error
    tables = (made.values, made.prefix, made.suffix, made.actor)
    ours = {*(word for table in tables for word in table.values()), made.present, made.default} - {None}
    if column in CLOSED and (strange := sorted(str(word) for word in ours if word not in CLOSED[column])):
        raise ProfileError(f"{where}: {strange[0]!r} is no {column}.", f"It is one of {', '.join(CLOSED[column])}.")


def _paths(where: str, value: object) -> tuple[Path, ...]:
    return tuple(Path.parse(text) for text in _strings(where, "paths", value))


def _table(where: str, option: str, value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(ours, str) for ours in value.values()):
        raise ProfileError(f"{where}: {option} is no table of strings.", f'Write {option} = {{ word = "…" }}.')
    return value


def _text(where: str, option: str, value: object) -> str:
    if not isinstance(value, str):
        raise ProfileError(f"{where}: {option} is no string.", f'Write {option} = "…".')
    return value


def _strings(where: str, key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ProfileError(f"{where}: {key} is no list of strings.", f'Write {key} = ["…"].')
    return tuple(value)
