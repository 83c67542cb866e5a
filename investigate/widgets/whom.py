"""`Whom`: an identity as the widgets tell it from others: by its key and where that is valid, or a person by name."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from investigate.report.text import visible

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    import polars as pl

    from investigate.trace.people import Directory
    from investigate.widgets.where import Actor

_LONGEST: Final = 300
"""Characters of a value that is part of a key of a row."""


class Whom(NamedTuple):
    """An identity.

    Attributes:
        source: where its key is valid; of a person, who is one row whatever the sources, empty.
        tenant: likewise.
        actor: its key, or the name of the person.
    """

    source: str
    tenant: str
    actor: str

    def __str__(self) -> str:
        return f"{self.actor} ({self.source}/{self.tenant})" if self.source else self.actor


Meant = str | Whom
"""An identity that was chosen, or a name that somebody typed: of a person, or of an actor in any source."""


def whom(row: Mapping[str, Any]) -> Whom:
    """The identity of a row with `source`, `tenant` and `actor`; one with `aliases` is a person."""
    if row.get("aliases"):
        return Whom("", "", row["actor"])
    return Whom(row["source"] or "", row["tenant"] or "", row["actor"])


def everybody(frame: pl.DataFrame) -> list[Whom]:
    """The identities of a frame's rows, in order; see `whom`."""
    names = [name for name in (*Whom._fields, "aliases") if name in frame.columns]
    return [whom(row) for row in frame.select(names).iter_rows(named=True)]


def is_meant(one: Whom, aliases: Collection[str], chosen: Iterable[Meant]) -> bool:
    """Whether an identity is one of those chosen.

    Args:
        one: of a row.
        aliases: of a person, `source/actor` of each.
        chosen: what was pointed at; an alias means its person.
    """
    actors = {alias.partition("/")[2] for alias in aliases}
    return any(
        given == one.actor or given in actors
        if isinstance(given, str)
        else given == one or f"{given.source}/{given.actor}" in aliases
        for given in chosen
    )


def actors(directory: Directory, chosen: Iterable[Meant]) -> list[Actor]:
    """The actors that those chosen are: of a person, all aliases."""
    from investigate.widgets.where import Actor  # noqa: PLC0415 - it loads the trace

    found: dict[Actor, None] = {}
    for one in chosen:
        if isinstance(one, str):
            found |= dict.fromkeys(Actor(actor, source or None) for source, actor in directory.expand([one]))
            continue
        person = directory.person(one.source, one.actor) if one.source else one.actor
        if person is None:
            found[Actor(one.actor, one.source, one.tenant)] = None
            continue
        for (source, actor), name in directory.persons.items():
            if name == person:
                others = () if source else _elsewhere(directory, actor, person)
                found[Actor(actor, source or None, None, others)] = None
    return list(found)


def _elsewhere(directory: Directory, actor: str, person: str) -> tuple[str, ...]:
    """The sources in which an actor of any source is said to be somebody else."""
    return tuple(source for (source, one), name in directory.persons.items() if one == actor and name != person)


def named(ones: Iterable[Whom], limit: int | None = None) -> dict[Whom, str]:
    """Identities as people read them, each for one only: the actor, with its source where the name occurs again.

    Args:
        ones: whatever a log calls them; what is returned is visible.
        limit: the most characters of an actor.
    """
    who = list(dict.fromkeys(ones))
    names, places = Counter(one.actor for one in who), Counter((one.actor, one.source) for one in who)
    found: dict[Whom, str] = {}
    taken: set[str] = set()
    for one in who:
        name = visible(one.actor, limit)
        if one.source and names[one.actor] > 1:
            alone = places[one.actor, one.source] == 1
            name += visible(f" ({one.source})" if alone else f" ({one.source}/{one.tenant})")
        again, number = name, 1
        while again in taken:
            number += 1
            again = f"{name} ({number})"
        taken.add(again)
        found[one] = again
    return found


def key(*values: str) -> list[str]:
    """What a page calls a row by: its values; where one is long, their beginnings and a digest of all."""
    if all(len(value) <= _LONGEST for value in values):
        return list(values)
    digest = hashlib.sha256(json.dumps(values).encode()).hexdigest()
    return [*(visible(value[:_LONGEST]) for value in values), digest]
