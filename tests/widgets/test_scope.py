"""One scope for all widgets: it tells of changes, outlives the kernel, and is what a notebook's parameters say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import investigate
from investigate.errors import BadTime, UsageError
from investigate.events import ACTIVITIES, Window
from investigate.widgets.scope import Chosen, Scope, changed
from investigate.widgets.whom import Whom

if TYPE_CHECKING:
    from pathlib import Path

names = st.lists(st.text(min_size=1, max_size=9).map(str.strip).filter(bool), max_size=3, unique=True).map(tuple)
times = st.sampled_from([None, Window.of("2026-11-01", "2026-11-02").start])
choices = st.builds(
    Chosen,
    start=times,
    objects=names,
    sources=names,
    activities=st.lists(st.sampled_from(ACTIVITIES), unique=True).map(tuple),
    identities=st.tuples(st.sampled_from(["ann"]), st.builds(Whom, st.text(), st.text(), st.text())),
    brush=st.sampled_from([None, Window.of("2026-11-01T00:00:00.000001Z", "2026-11-02")]),
    only=st.text(max_size=5),
)


@given(choices)
@settings(max_examples=40, deadline=None)
def test_a_choice_is_kept_exactly(chosen: Chosen) -> None:
    assert Chosen.from_json(chosen.as_json()) == chosen


def test_it_outlives_the_kernel(tmp_path: Path) -> None:
    scope = investigate.open(tmp_path / "case").widgets.scope
    scope.change(start="2026-11-01", objects=["ticket/1", "ticket/1", " "], brush=Window.of("2026-11-01", "2026-11-02"))
    again = investigate.open(tmp_path / "case").widgets.scope
    assert again.now == scope.now
    assert (again.now.objects, again.now.start) == (("ticket/1",), Window.of("2026-11-01", "2026-11-02").start)


def test_everybody_hears_of_a_change_once_and_of_no_change_nothing() -> None:
    scope, heard = Scope(), list[frozenset[str]]()
    scope.watch(lambda before, now: heard.append(changed(before, now)))
    scope.change(objects=["a"], sources="devrev")
    scope.change(objects=["a"])
    assert heard == [{"objects", "sources"}]


def test_pointing_at_something_lets_go_of_the_rest_and_keeps_the_question() -> None:
    scope = Scope()
    scope.change(objects=["a"], identities=["ann"], brush=Window.of("2026-11-01", "2026-11-02"))
    scope.point(src_ips=["192.0.2.1"])
    assert scope.now == Chosen(objects=("a",), src_ips=("192.0.2.1",))
    assert scope.now.question == Chosen(objects=("a",))


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"colour": "red"}, UsageError),
        ({"activities": ["steal"]}, UsageError),
        ({"identities": [["a", "b"]]}, UsageError),
        ({"identities": [["a", "b", 1]]}, UsageError),
        ({"start": "yesterday"}, BadTime),
        ({"start": "2026-11-01T00:00:00"}, BadTime),
        ({"start": "2026-11-02", "end": "2026-11-01"}, BadTime),
    ],
)
def test_what_cannot_be_meant_changes_nothing(given: dict[str, Any], error: type[Exception]) -> None:
    scope = Scope()
    scope.change(objects=["a"])
    with pytest.raises(error):
        scope.change(**given)
    assert scope.now == Chosen(objects=("a",))


def test_what_another_version_kept_otherwise_is_left_out(tmp_path: Path) -> None:
    case = investigate.open(tmp_path / "case")
    case.journal.put("widgets.scope", '{"objects": ["a"], "colour": "red"}')
    assert case.widgets.scope.now == Chosen(objects=("a",))
    case.journal.put("widgets.scope", "[1")
    assert investigate.open(tmp_path / "case").widgets.scope.now == Chosen()


def test_parameters_change_what_they_name_and_leave_the_rest(tmp_path: Path) -> None:
    desk = investigate.open(tmp_path / "case").widgets
    desk.look(objects=["a"], start="2026-11-01")
    desk.look(start="", end="", objects=[], sources=["devrev"])
    assert (desk.scope.now.objects, desk.scope.now.sources) == (("a",), ("devrev",))
    assert desk.scope.now.start is not None


@pytest.mark.parametrize(
    ("name", "text"),
    [("list.txt", "# why\nticket/1\n\n ticket/2 \n"), ("list.csv", "resource,tag\nticket/1,a\nticket/2,b\n")],
)
def test_a_file_of_the_case_stands_for_what_it_lists(tmp_path: Path, name: str, text: str) -> None:
    case = investigate.open(tmp_path / "case")
    (case.layout.reports / name).write_text(text)
    assert case.widgets.look(objects=f"reports/{name}").now.objects == ("ticket/1", "ticket/2")
    assert case.widgets.look(objects=["../list.txt"]).now.objects == ("../list.txt",)
