"""`who_touched` on every engine against the question asked of a plain list."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import strategies as st

from investigate.events import Window
from investigate.trace import Directory, Scope, assemble, facets, who_touched
from investigate.trace.rows import of_events
from investigate.trace.touched import COLUMNS, FACETS, PHASES, by_exposure, matrix, matrix_rows, phases

from .lakes import (
    ENGINES,
    START,
    directories,
    distinct,
    event,
    exploded,
    extent,
    few,
    grouped,
    inside,
    lakes,
    on_every_engine,
    reading,
    same,
    windows,
)

if TYPE_CHECKING:
    import polars as pl

    from .lakes import Event

NOBODY = Directory()


def ask(engine: str, events: list[Event], scope: Scope, directory: Directory = NOBODY) -> pl.DataFrame:
    with reading(engine, events) as (frame, collect):
        touches = of_events(frame, scope)
        return assemble(*collect(who_touched(touches), facets(touches)), directory)


def in_scope(events: list[Event], scope: Scope) -> list[Event]:
    """Each event once for every resource it names that is asked for, in plain Python."""
    found = []
    globs = [re.compile(".*".join(map(re.escape, glob.split("*"))), re.DOTALL) for glob in scope.patterns]
    for one in exploded(events):
        name = one["resource"]
        asked = name in scope.resources or any(name is not None and glob.fullmatch(name) for glob in globs)
        if (scope.resources or scope.patterns) and not asked:
            continue
        if (scope.activities and one["activity"] not in scope.activities) or not inside(scope.window, one):
            continue
        pairs = {(one["source"], one["actor"]), ("", one["actor"])}
        by_mail = (one["actor_email"] or "").lower() in scope.emails
        if (scope.actors or scope.keys or scope.emails) and not (
            one["actor"] in scope.actors or pairs & set(scope.keys) or by_mail
        ):
            continue
        found.append(one)
    return found


def model(events: list[Event], scope: Scope, directory: Directory) -> list[dict[str, Any]]:
    """The same question in plain Python."""
    rows = []
    for face, members, _ in grouped(directory, in_scope(events, scope)):
        row = face | extent(members)
        for name in ("actor_name", "actor_email", "actor_type"):
            row[name] = max((one[name] for one in members if one[name] is not None), default=None)
        for name, column in FACETS.items():
            row[name] = distinct(members, column if name != "resources" else "resource")
        rows.append({name: row[name] for name in (*COLUMNS, *(["aliases"] if directory else []))})
    return sorted(
        rows, key=lambda row: (-row["events"], row["actor"], row["source"], row["tenant"], row.get("aliases", []))
    )


scopes = st.builds(
    Scope,
    window=st.one_of(st.none(), windows),
    resources=st.lists(few(["ticket/47", "account/1", "nothing"]), max_size=2, unique=True).map(tuple),
    patterns=few([(), (), ("ticket/*",), ("*", ""), ("*/47",), ("a*b",), (".*",)]),
    actors=few([(), (), ("ann",)]),
    keys=few([(), (), (("devrev", "bob"),), (("", "Ann"), ("coderabbit", "ann"))]),
    emails=few([(), (), ("ann@acme.example",)]),
    activities=few([(), ("read",), ("read", "delete")]),
)


@on_every_engine(examples=25, lake=lakes, scope=scopes, directory=directories)
def test_every_engine_gives_what_a_plain_list_gives(
    engine: str, lake: list[Event], scope: Scope, directory: Directory
) -> None:
    expected = model(lake, scope, directory)
    assert ask(engine, lake, scope, directory).to_dicts() == expected


@on_every_engine(lake=lakes, scope=scopes, directory=directories)
def test_the_matrix_has_every_identity_and_object(
    engine: str, lake: list[Event], scope: Scope, directory: Directory
) -> None:
    rows = [one for one in in_scope(lake, scope) if one["resource"] is not None]
    groups = grouped(directory, rows, "resource")
    expected = [face | {"resource": name} | extent(members) for face, members, (name,) in groups]
    with reading(engine, lake) as (frame, collect):
        assert same(matrix_rows(*collect(matrix(of_events(frame, scope))), directory), expected)


@on_every_engine(lake=lakes, scope=scopes, containment=windows, directory=directories)
def test_before_during_and_after_a_containment(
    engine: str, lake: list[Event], scope: Scope, containment: Window, directory: Directory
) -> None:
    expected = []
    for face, members, _ in grouped(directory, in_scope(lake, scope)):
        times = {(one["source"], one["tenant"], one["event_uid"]): one["time"] for one in members}.values()
        before = sum(time < containment.start for time in times)
        after = sum(time >= containment.end for time in times)
        expected.append(face | dict(zip(PHASES, (before, len(times) - before - after, after), strict=True)))
    with reading(engine, lake) as (frame, collect):
        touches = of_events(frame, scope)
        lazy = who_touched(touches), facets(touches), phases(touches, containment)
        identities, found, split = collect(*lazy)
    rows = assemble(identities, found, directory, split)
    wanted = ["actor", "source", "tenant", *PHASES, *(["aliases"] if directory else [])]
    assert same(rows.select(wanted), expected)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_event_naming_two_asked_resources_counts_once(engine: str) -> None:
    both = event(0, resources=["ticket/1", "ticket/2"])
    answer = ask(engine, [both], Scope(resources=("ticket/1", "ticket/2", "ticket/3")))
    assert answer.select("events", "resources").to_dicts() == [{"events": 1, "resources": ["ticket/1", "ticket/2"]}]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_window_holds_its_start_and_not_its_end(engine: str) -> None:
    end = START + timedelta(hours=1)
    within, last, outside = START, end - timedelta(microseconds=1), end
    events = [event(number, time=time, resources=["r"]) for number, time in enumerate((within, last, outside))]
    answer = ask(engine, events, Scope(Window(START, end), resources=("r",)))
    assert answer.select("events", "first", "last").row(0) == (2, within, last)


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_found_has_all_columns(engine: str) -> None:
    answer = ask(engine, [], Scope(resources=("r",)))
    assert (answer.height, tuple(answer.columns)) == (0, COLUMNS)


@pytest.mark.parametrize("engine", ENGINES)
def test_in_a_pattern_only_the_star_has_a_meaning(engine: str) -> None:
    names = ["a.c", "abc", "a.[c]+(d)$", "a'; drop table events; --", "ä\n*", "x"]
    events = [event(number, actor=f"by {name}", resources=[name]) for number, name in enumerate(names)]
    for pattern, fits in (("a.*", [0, 2]), ("a.[c]+(d)$*", [2]), ("a'; drop*", [3]), ("ä*", [4]), ("*", range(6))):
        answer = ask(engine, events, Scope(patterns=(pattern,)))
        assert sorted(answer["actor"]) == sorted(f"by {names[at]}" for at in fits)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_address_is_equal_in_the_case_of_ascii_letters_alone(engine: str) -> None:
    written = ["IAN@x.example", "\u0130an@x.example", "\u0131an@x.example", "ÄΣ@x.example", "äς@x.example", None]
    events = [event(number, actor=f"by {mail}", actor_email=mail) for number, mail in enumerate(written)]
    answer = ask(engine, events, Scope(emails=("ian@x.example", "ÄΣ@X.example")))
    assert sorted(answer["actor"]) == ["by IAN@x.example", "by ÄΣ@x.example"]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_first_and_the_last_year_are_years_like_others(engine: str) -> None:
    tick = timedelta(microseconds=1)
    first, middle, last = (datetime(*day, tzinfo=UTC) for day in ((1, 1, 1), (1500, 3, 1), (9999, 12, 31)))
    times = [first, first + tick, middle - tick, middle, last, datetime.max.replace(tzinfo=UTC)]
    events = [event(number, time=time, resources=["r"]) for number, time in enumerate(times)]
    asked = ((first, middle, times[:3]), (first + tick, last, times[1:4]), (middle, times[-1], times[3:5]))
    for start, end, found in asked:
        answer = ask(engine, events, Scope(Window(start, end)))
        assert answer.select("events", "first", "last").row(0) == (len(found), found[0], found[-1])


def test_exposure_is_objects_then_events_then_who_was_last() -> None:
    later = START + timedelta(hours=1)
    events = [event(number, actor="busy", resources=["r1"]) for number in range(5)]
    events += [event(5, actor="broad", resources=["r1", "r2"]), event(6, actor="late", time=later, resources=["r2"])]
    events += [event(7, actor="early", resources=["r2"])]
    ranked = by_exposure(ask("polars", events, Scope(patterns=("*",))))
    assert ranked.select("actor", "objects").rows() == [("broad", 2), ("busy", 1), ("late", 1), ("early", 1)]


def test_a_person_of_two_sources_is_one_row() -> None:
    events = [event(0, resources=["r"]), event(0, source="coderabbit", actor="Ann Ash", resources=["r"])]
    directory = Directory({("devrev", "ann"): "ann@acme.example", ("coderabbit", "Ann Ash"): "ann@acme.example"})
    (row,) = ask("duckdb", events, Scope(resources=("r",)), directory).to_dicts()
    assert (row["actor"], row["source"], row["events"]) == ("ann@acme.example", "coderabbit, devrev", 2)
    assert row["aliases"] == ["coderabbit/Ann Ash", "devrev/ann"]


@pytest.mark.parametrize("order", [lambda rows: rows, by_exposure])
def test_a_person_called_what_an_actor_is_has_its_own_place(order: Any) -> None:
    directory = Directory({("", "ann"): "bob"})
    for actors in (["ann", "bob"], ["bob", "ann"]):
        events = [event(at, actor=one, time=START, resources=["r"]) for at, one in enumerate(actors)]
        answer = order(ask("duckdb", events, Scope(resources=("r",)), directory))
        assert answer.select("actor", "aliases").rows() == [("bob", []), ("bob", ["devrev/ann"])]
