"""What a choice asks of a case: the same that the case's own questions ask."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import investigate
from investigate.errors import UsageError
from investigate.events import Window
from investigate.widgets import asking
from investigate.widgets.scope import Chosen

from .traced import OBJECTS, WINDOW, small_case

if TYPE_CHECKING:
    from pathlib import Path

    from investigate.case import Case

ENDS = Window.of(*WINDOW)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return small_case(tmp_path_factory.mktemp("asking"), events=20)


def chosen(sources: tuple[str, ...] = (), **given: object) -> Chosen:
    return Chosen(start=ENDS.start, end=ENDS.end, sources=sources, **given)  # type: ignore[arg-type]


def test_coverage_is_that_of_the_sources_looked_at(case: Case) -> None:
    whole = asking.coverage(case, chosen())
    assert whole == asking.coverage(case, chosen(("cloudtrail", "github"))) == case.who_touched(*OBJECTS).coverage
    assert whole.complete


def test_a_source_that_was_never_collected_leaves_a_gap(case: Case) -> None:
    known = asking.coverage(case, chosen(("github",)))
    assert known == case.blast_radius("x", start=ENDS.start, end=ENDS.end, sources="github").coverage
    assert [(gap.window, gap.state) for gap in known.gaps] == [(ENDS, "never collected")]
    assert not known.complete


def test_a_window_of_no_time_is_refused(case: Case) -> None:
    with pytest.raises(UsageError, match="The window is empty"):
        asking.question(case, Chosen(start=ENDS.start, end=ENDS.start))


def grid(case: Case, *identities: str) -> list[str]:
    """The actors of the events that are shown where somebody is pointed at, by name."""
    where = asking.selection(case, Chosen(identities=identities))
    return case.sql(f"SELECT DISTINCT actor FROM events WHERE {where.sql} ORDER BY 1", where.values)["actor"].to_list()


def test_an_address_points_at_those_whom_activity_finds(tmp_path: Path) -> None:
    case = investigate.open(tmp_path / "case")
    mails = {
        "u1": "ann@x.example",
        "u2": None,
        "u3": "JÖRG@x.example",
        "u4": "\u212aate@x.example",
        "u5": "kate@x.example",
    }
    entries = [
        {"id": f"e{who}", "timestamp": "2026-11-03T10:00:00Z", "actor": {"id": who, "email": mail, "type": "user"}}
        for who, mail in mails.items()
    ]
    (tmp_path / "log.jsonl").write_text("\n".join(json.dumps(entry | {"object_id": "o"}) for entry in entries))
    case.import_files(tmp_path / "log.jsonl", "devrev")
    wanted = {"JÖRG@x.example": ["u3"], "jörg@x.example": [], "Kate@X.example": ["u5"], "ANN@x.example": ["u1"]}
    for mail, actors in wanted.items():
        assert grid(case, mail) == sorted(case.activity(mail).frame["actor"]) == actors
    case.accept_identity("Ann", ("devrev", "u1"), ("devrev", "u2"), author="inv")
    assert grid(case, "ann@x.example") == grid(case, "Ann") == ["u1", "u2"]
    assert case.activity("ann@x.example").frame["events"].sum() == 2
