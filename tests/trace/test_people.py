"""Who is who: aliases that count, suggestions that do not yet, on all engines and in plain Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from investigate.trace import Directory, Scope
from investigate.trace.identities import apart, identity_rows
from investigate.trace.near import candidates, closest
from investigate.trace.people import MOST_ALIKE, known_actors, suggest
from investigate.trace.scope import folded

from .lakes import ENGINES, directories, distinct, event, extent, grouped, lakes, on_every_engine, reading, same

if TYPE_CHECKING:
    import polars as pl

    from .lakes import Event


def known(engine: str, events: list[Event]) -> pl.DataFrame:
    with reading(engine, events) as (frame, collect):
        found: pl.DataFrame = collect(known_actors(frame, Scope()))[0]
        return found


@on_every_engine(lake=lakes, directory=directories)
def test_identities_on_every_engine(engine: str, lake: list[Event], directory: Directory) -> None:
    expected: list[dict[str, Any]] = []
    for face, members, _ in grouped(directory, lake):
        said = max(directory.said(one["source"], one["actor"]) for one in members)
        names = {"names": distinct(members, "actor_name"), "emails": distinct(members, "actor_email")}
        kind = max(one["actor_type"] for one in members)
        expected.append(face | names | extent(members) | {"actor_type": kind, "basis": said})
    rows = identity_rows(known(engine, lake), directory)
    assert same(rows, expected)
    people, machines = apart(rows)
    assert set(people["actor_type"]) <= {"user"}
    assert people.height + machines.height == len(expected)


def suggested(events: list[Event], directory: Directory | None = None) -> list[tuple[Any, ...]]:
    rows = known("polars", events).iter_rows(named=True)
    return [(one.person, one.left, one.right, one.evidence) for one in suggest(rows, directory or Directory())]


def test_a_name_in_one_source_and_an_address_in_another_are_suggested_with_their_evidence() -> None:
    events = [
        event(0, actor="devu/1", actor_name="Ann Ash", actor_email="ann.ash@acme.example"),
        event(1, source="coderabbit", actor="ann ASH", actor_name="ann ASH"),
        event(2, source="coderabbit", actor="Ash Bot", actor_name="Ann Ash", actor_type="bot"),
        event(3, source="coderabbit", actor="bob", actor_name="Bob"),
    ]
    (found,) = suggested(events)
    assert found[:3] == ("ann.ash@acme.example", ("coderabbit", "ann ASH"), ("devrev", "devu/1"))
    assert found[3] == ("name and name: ann ash",)
    accepted = Directory({("devrev", "devu/1"): "Ann", ("coderabbit", "ann ASH"): "Ann"})
    assert suggested(events, accepted) == []


def test_a_name_that_many_share_suggests_nothing() -> None:
    events = [event(number, actor=f"u{number}", actor_name="Admin") for number in range(MOST_ALIKE)]
    events.append(event(99, source="coderabbit", actor="Admin", actor_name="Admin"))
    assert suggested(events) == []


def test_equal_addresses_are_one_person_over_sources_and_only_there() -> None:
    mails = [
        ("devrev", "acme", "devu/1", "Ann@Acme.example"),
        ("google", "acme", "123", "ann@acme.example "),
        ("devrev", "acme", "devu/2", "two@acme.example"),
        ("devrev", "acme", "devu/3", "two@acme.example"),
        ("google", "acme", "9", "no address"),
    ]
    found = Directory().with_mail(mails)
    assert found.persons == {("devrev", "devu/1"): "ann@acme.example", ("google", "123"): "ann@acme.example"}
    assert found.said("google", "123") == "e-mail"


ALIKE = [
    "kate@x.example",
    "KATE@X.example",
    "\u212aate@x.example",
    "JÖRG@x.example",
    "jÖrg@x.example",
    "jörg@x.example",
]
"""Addresses that are the same but for the case of ASCII letters, and others that only look so: a Kelvin sign, an Ö."""
SAME = [{0, 1}, {2}, {3, 4}, {5}]


def test_an_address_that_only_looks_the_same_makes_nobody_another() -> None:
    found = Directory().with_mail((f"source {number}", "acme", "1", mail) for number, mail in enumerate(ALIKE))
    persons = [found.person(f"source {number}", "1") for number in range(len(ALIKE))]
    assert persons == [*["kate@x.example"] * 2, None, *["jÖrg@x.example"] * 2, None]


@pytest.mark.parametrize("engine", ENGINES)
def test_addresses_are_equal_to_engines_where_they_are_folded_alike(engine: str) -> None:
    events = [event(number, actor_email=mail) for number, mail in enumerate(ALIKE)]
    for alike in SAME:
        for number in alike:
            with reading(engine, events) as (frame, collect):
                (found,) = collect(Scope(emails=(ALIKE[number],)).narrow(frame).select("event_uid"))
            assert set(found["event_uid"]) == {f"e{one}" for one in alike}
            assert {at for at, mail in enumerate(ALIKE) if folded(mail) == folded(ALIKE[number])} == alike


def test_what_was_said_outweighs_an_address() -> None:
    mails = [("devrev", "acme", "1", "a@b.example"), ("google", "acme", "2", "a@b.example")]
    joined = Directory({("devrev", "1"): "Ann"}).with_mail(mails)
    assert joined.person("google", "2") == "Ann"
    split = Directory({("devrev", "1"): "Ann", ("google", "2"): "Bob"}).with_mail(mails)
    assert (split.person("devrev", "1"), split.person("google", "2")) == ("Ann", "Bob")


def test_an_alias_stands_for_all_of_the_person() -> None:
    directory = Directory({("devrev", "devu/1"): "Ann", ("coderabbit", "ann"): "Ann", ("devrev", "devu/2"): "Bob"})
    both = {("devrev", "devu/1"), ("coderabbit", "ann")}
    assert set(directory.expand(["Ann"])) == both | {("", "Ann")}
    assert set(directory.expand(["devu/1"])) == both | {("", "devu/1")}


@pytest.mark.parametrize("engine", ENGINES)
def test_near_ones_are_found_for_a_slip_of_the_pen(engine: str) -> None:
    names = ["don:core:ticket/4711", "don:core:ticket/9999", "ANN", "ann.ash@acme.example", "x" * 5000]
    events = [event(number, actor=name, resources=[name]) for number, name in enumerate(names)]
    slips = {"don:core:tikcet/4711": names[0], "ann": "ANN", "an.ash@acme.example": names[3], "nothing like it": None}
    with reading(engine, events) as (frame, collect):
        for slip, meant in slips.items():
            for column in ("actor", "resources"):
                (found,) = collect(candidates(frame, Scope(), column, slip))
                assert closest(slip, found["value"])[:1] == ([meant] if meant else [])
