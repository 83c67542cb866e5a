"""Who is who: actors of several sources that are one person, by what was said, by e-mail, and by what only looks so."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw

from investigate.events import UNKNOWN
from investigate.trace.scope import Scope, folded
from investigate.trace.shape import IDENTITY, distinct

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import polars as pl

Key = tuple[str, str]
"""Source and actor."""

MOST_ALIKE: Final = 20
"""A name that more actors than this share says nothing about who they are."""
PEOPLE: Final = frozenset({"user", UNKNOWN})
"""The types of actors that can be a person; bots, services and systems stand apart."""
_SPLIT: Final = re.compile(r"[\s._\-+,]+")


def known_actors(events: nw.LazyFrame[Any], scope: Scope) -> nw.LazyFrame[Any]:
    """Every actor as the events describe it.

    Returns:
        One row for each distinct `source`, `tenant`, `actor`, `actor_name`, `actor_email`, `actor_type` (string), with
        `events` (int), `first` and `last` (timestamp[us, UTC]).
    """
    return (
        scope.narrow(events)
        .group_by(*IDENTITY, "actor_name", "actor_email", "actor_type")
        .agg(
            nw.len().alias("events"),
            nw.col("time").min().alias("first"),
            nw.col("time").max().alias("last"),
        )
    )


def mailed(events: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Under which e-mail addresses actors acted: distinct `source`, `actor` and `actor_email` (string, or null)."""
    return distinct(events, "source", "actor", "actor_email")


def by_keys(scope: Scope, known: pl.DataFrame) -> Scope:
    """A scope by e-mail addresses as one by keys, where that is the same: nobody it fits acted under another address.

    Args:
        scope: who counts.
        known: collected from `mailed`.
    """
    fits: pl.DataFrame = Scope(emails=scope.emails).having(nw.from_native(known)).to_native()
    others = known.join(fits, on=known.columns, how="anti", nulls_equal=True)
    keys = set(fits.select("source", "actor").iter_rows())
    if not keys or keys & set(others.select("source", "actor").iter_rows()):
        return scope
    return replace(scope, emails=(), keys=(*scope.keys, *sorted(keys)))


@dataclass(frozen=True)
class Directory:
    """Actors that are persons.

    Attributes:
        persons: source and actor to the person; an empty source stands for any.
        basis: the same keys to how that is known: `identities.csv` or `e-mail`.
    """

    persons: Mapping[Key, str] = field(default_factory=dict)
    basis: Mapping[Key, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.persons)

    def person(self, source: str, actor: str) -> str | None:
        """The person an actor is, None where nothing says so."""
        return self.persons.get((source, actor)) or self.persons.get(("", actor))

    def said(self, source: str, actor: str) -> str:
        """How it is known who an actor is, empty where it is not."""
        return self.basis.get((source, actor)) or self.basis.get(("", actor)) or ""

    def expand(self, names: Iterable[str]) -> tuple[Key, ...]:
        """The actors meant by names of persons or of actors: all of a person where one of them is named."""
        asked = set(names)
        meant = {person for (_, actor), person in self.persons.items() if actor in asked or person in asked}
        keys = {key for key, person in self.persons.items() if person in meant}
        return tuple(sorted(keys | {("", name) for name in asked}))

    def with_mail(self, mails: Iterable[tuple[str, str, str, str]]) -> Directory:
        """This directory, and with it the people whose e-mail address is the same in several sources.

        Only the case of ASCII letters does not count: another sign that looks like one makes it another's address.

        Args:
            mails: source, tenant, actor and e-mail of actors that can be people.
        """
        groups: dict[str, set[tuple[str, str, str]]] = {}
        for source, tenant, actor, mail in mails:
            if "@" in mail and actor != UNKNOWN:
                groups.setdefault(folded(mail.strip()), set()).add((source, tenant, actor))
        persons, basis = dict(self.persons), dict(self.basis)
        for mail, members in sorted(groups.items()):
            keys = sorted({(source, actor) for source, _, actor in members})
            if len({member[:2] for member in members}) == 1 or len(keys) == 1:
                continue
            names = {persons.get(key) or persons.get(("", key[1])) for key in keys} - {None}
            if len(names) > 1:
                continue  # they are different people by what was said, whatever the address
            for key in keys:
                if key not in persons and ("", key[1]) not in persons:
                    persons[key], basis[key] = str(next(iter(names), mail)), "e-mail"
        return Directory(persons, basis)


@dataclass(frozen=True)
class Suggestion:
    """Two actors that may be one person; it counts for nothing until somebody accepts it.

    Attributes:
        person: what the person would be called.
        left: source and actor of one.
        right: source and actor of the other.
        evidence: what they have in common, in words.
    """

    person: str
    left: Key
    right: Key
    evidence: tuple[str, ...]


def suggest(rows: Iterable[Mapping[str, Any]], directory: Directory) -> list[Suggestion]:
    """Actors of different sources that share a name or the local part of an e-mail address.

    Args:
        rows: of `known_actors`.
        directory: who is known to be who already.

    Returns:
        Suggestions by how much speaks for them, then by actor. A name shared by more than `MOST_ALIKE` gives none.
    """
    traits: dict[str, dict[Key, str]] = {}
    names: dict[Key, str] = {}
    for row in rows:
        key = (row["source"], row["actor"])
        if row["actor_type"] not in PEOPLE or row["actor"] == UNKNOWN:
            continue
        if best := row["actor_email"] or row["actor_name"]:
            names[key] = max(names.get(key, ""), str(best), key=lambda text: ("@" in text, text))
        for words, how in _traits(row):
            if words:
                traits.setdefault(words, {}).setdefault(key, how)
    found: dict[tuple[Key, Key], list[str]] = {}
    for words, members in traits.items():
        if len(members) > MOST_ALIKE:
            continue
        for left, right in combinations(sorted(members), 2):
            if left[0] != right[0] and _apart(directory, left, right):
                found.setdefault((left, right), []).append(f"{members[left]} and {members[right]}: {words}")
    made = [Suggestion(_called(names, directory, *pair), *pair, tuple(sorted(why))) for pair, why in found.items()]
    return sorted(made, key=lambda one: (-len(one.evidence), one.left, one.right))


def _traits(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What of a row can be compared, as words in alphabetical order, and where it stands."""
    local = str(row["actor_email"] or "").partition("@")[0]
    return [(_words(str(row["actor_name"] or "")), "name"), (_words(local), "e-mail local part")]


def _words(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text.partition("@")[0]).casefold()
    return " ".join(sorted(filter(None, _SPLIT.split(folded))))


def _apart(directory: Directory, left: Key, right: Key) -> bool:
    one, other = directory.person(*left), directory.person(*right)
    return one is None or other is None


def _called(names: Mapping[Key, str], directory: Directory, left: Key, right: Key) -> str:
    if known := directory.person(*left) or directory.person(*right):
        return known
    both = (names.get(left, left[1]), names.get(right, right[1]))
    return next((name for name in both if "@" in name), both[0])
