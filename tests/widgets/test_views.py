"""What each view says: to its page, to a saved notebook and to a terminal; safely, whatever a log holds."""

from __future__ import annotations

import ast
import csv
import io
import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow.parquet as pq
import pytest

import investigate
from investigate.errors import LakeError
from investigate.widgets import frames, picked
from investigate.widgets.graph import MOST as MOST_NODES
from investigate.widgets.matrix import MOST as MOST_CELLS
from investigate.widgets.rows import LONGEST, LONGEST_RAW

from .traced import HOSTILE, OBJECTS, WINDOW, Told, ask, case_of, hostile_case, record, small_case

if TYPE_CHECKING:
    from pathlib import Path

    from investigate.case import Case
    from investigate.widgets.view import View

VIEWS = ("identities", "matrix", "timeline", "pivot", "graph", "events", "remarks")
TRACING = ("identities", "matrix", "timeline", "pivot", "graph", "events")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A case nobody changes but by looking at it."""
    return small_case(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def attack(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return hostile_case(tmp_path_factory.mktemp("hostile"))


@pytest.fixture
def hostile(attack: Case) -> Case:
    case = investigate.open(attack.path)
    case.widgets.scope.point()
    case.widgets.scope.change(objects=[])
    return case


@pytest.fixture
def case(whole: Case) -> Case:
    """The same case, opened anew and looked at as if for the first time."""
    case = investigate.open(whole.path)
    case.widgets.scope.point()
    case.widgets.scope.change(start="", end="", objects=OBJECTS[:2], sources=[], activities=[])
    return case


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    return Told(monkeypatch.setattr)


def view(case: Case, name: str) -> Any:
    made: View = getattr(case.widgets, name)()
    assert made.settle(20)
    assert made.problem is None
    return made


def bundle(made: View) -> dict[str, Any]:
    shown = made._repr_mimebundle_()
    assert shown is not None
    return shown[0]


def count(case: Case, where: str) -> int:
    return int(case.sql(f"SELECT count(*) FROM events WHERE {where}").item())


NAMED = f"list_has_any(resources, {OBJECTS[:2]!r})"


# For those who have no page


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_shows_itself_as_widget_html_and_text(case: Case, name: str) -> None:
    shown = bundle(view(case, name))
    assert set(shown) == {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}
    assert "Working" not in shown["text/html"]
    if name in TRACING:
        assert "coverage  cloudtrail/1  2026-11-03 .. 2026-11-05  complete" in shown["text/plain"]
        assert "cloudtrail/1" in shown["text/html"]


def test_the_form_shows_what_is_looked_at(case: Case) -> None:
    shown = case.widgets.form()._repr_mimebundle_()
    assert OBJECTS[0] in shown["text/html"]
    assert OBJECTS[0] in shown["text/plain"]


@pytest.mark.parametrize("name", VIEWS)
def test_what_a_saved_notebook_keeps_of_a_view_is_small(case: Case, name: str) -> None:
    made = view(case, name)
    assert len(json.dumps(made.get_state(drop_defaults=False), default=str)) < 8_000
    assert len(json.dumps(bundle(made))) < 20_000


@pytest.mark.parametrize("name", TRACING)
def test_the_code_of_a_view_asks_what_it_shows(case: Case, name: str) -> None:
    made = view(case, name)
    found = ran(made.code(), case)
    frame = getattr(found, "frame", found)
    assert frame.height > 0
    if name == "events":
        assert frame.height == made.total == count(case, NAMED)


def ran(code: str, case: Case) -> Any:
    """What the cell shows that the button inserts."""
    *before, last = ast.parse(code).body
    variables: dict[str, Any] = {"case": case}
    exec("\n".join(map(ast.unparse, before)), variables)  # noqa: S102 - it is what the button inserts
    return eval(ast.unparse(last), variables)  # noqa: S307


def test_an_empty_case_says_so_gently(tmp_path: Path) -> None:
    case = investigate.open(tmp_path / "case")
    for name in VIEWS:
        assert view(case, name)._text()
    assert "No affected objects are named yet" in bundle(view(case, "identities"))["text/plain"]
    assert "nothing was ever collected" in bundle(view(case, "events"))["text/plain"]


# Answers


def test_the_ranking_is_that_of_who_touched(case: Case) -> None:
    made = view(case, "identities")
    expected = case.who_touched(*OBJECTS[:2]).frame
    rows = made.content()["rows"]
    assert [row["key"][2] for row in rows] == expected["actor"].to_list()
    assert [row["cells"][2] for row in rows] == [str(number) for number in expected["events"]]


def test_sources_narrow_every_view(case: Case) -> None:
    case.widgets.scope.change(sources=["devrev"])
    assert view(case, "identities").content()["rows"] == []
    assert view(case, "events").total == 0


def test_choosing_an_identity_shows_all_it_did(case: Case) -> None:
    identities, events, timeline = (view(case, name) for name in ("identities", "events", "timeline"))
    first = identities.content()["rows"][0]["key"]
    ask(identities, do="choose", key=first)
    assert events.settle(20)
    assert timeline.settle(20)
    assert events.total == count(case, f"actor = '{first[2]}'")
    assert identities.content()["chosen"] == [first]
    assert sum(int(row["cells"][2]) for row in timeline.rows) == events.total
    ask(identities, do="choose", key=first)
    assert events.settle(20)
    assert events.total == count(case, NAMED)


def test_a_cell_of_the_matrix_shows_its_events(case: Case) -> None:
    matrix, events = view(case, "matrix"), view(case, "events")
    one = matrix.cells[3]
    ask(matrix, do="point", value={"n": [3], "vlPoint": {}})
    assert events.settle(20)
    assert events.total == one["events"]
    assert case.widgets.scope.now.only == one["resource"]


def test_a_brush_narrows_the_events_and_not_the_timeline(case: Case) -> None:
    timeline, events = view(case, "timeline"), view(case, "events")
    bars = sum(int(row["cells"][2]) for row in timeline.rows)
    start = 1_793_664_000_000  # 2026-11-03T00:00:00Z
    ask(timeline, do="point", value={"time": [start, start + 12 * 3_600_000]})
    assert events.settle(20)
    assert events.total == count(case, f"{NAMED} AND time < TIMESTAMPTZ '2026-11-03 12:00:00Z'")
    assert sum(int(row["cells"][2]) for row in timeline.rows) == bars
    ask(timeline, do="clear")
    assert events.settle(20)
    assert events.total == bars


@pytest.mark.parametrize(("kind", "column"), [("address", "src_ip"), ("credential", "credential")])
def test_a_pivot_leads_on(case: Case, kind: str, column: str) -> None:
    pivot, events = view(case, "pivot"), view(case, "events")
    key = next(row["key"] for row in pivot.content()["rows"] if row["key"][0] == kind)
    ask(pivot, do="choose", key=key)
    assert events.settle(20)
    assert events.total == count(case, f"{column} = '{key[1]}'")


def test_the_graph_begins_at_who_was_chosen(case: Case) -> None:
    graph = view(case, "graph")
    case.widgets.scope.point(identities=["arn:aws:iam::1:user/u3"])
    assert graph.settle(20)
    assert graph.nodes[0][:2] == ("actor", "arn:aws:iam::1:user/u3")
    assert len(graph.nodes) <= MOST_NODES
    assert graph.rows


def test_the_graph_begins_at_an_address_that_was_typed(tmp_path: Path) -> None:
    case = case_of(tmp_path, record(0))
    take_rabbit(case, tmp_path, "Ann", email="Ann@Example.com")
    actor = case.sql("SELECT actor FROM events WHERE actor_email = 'Ann@Example.com'").item()
    assert actor != "Ann@Example.com"
    case.widgets.look(identities="ann@example.com")
    assert view(case, "graph").nodes[0][:3] == ("actor", actor, "coderabbit")


def take_rabbit(case: Case, folder: Path, name: str, **more: str) -> None:
    """Bring one event of CodeRabbit into a case: somebody made a key."""
    actor = {"name": name, "subtitle": "Member", "isBot": False, **more}
    one = {"id": "r1", "action": "api_key_create", "createdAt": "2026-11-03T09:30:00.000Z", "actor": actor}
    (folder / "rabbit.jsonl").write_text(json.dumps({**one, "ipAddress": "192.0.2.1", "resourceSummary": "key"}))
    case.import_files(folder / "rabbit.jsonl", "coderabbit", covers=WINDOW)


def test_what_is_too_much_to_draw_is_capped_and_said_to_be(tmp_path: Path) -> None:
    many = [
        record(n, userIdentity={"arn": f"arn:aws:iam::1:user/{n}", "accessKeyId": "one"}, sourceIPAddress="192.0.2.1")
        for n in range(200)
    ]
    case = case_of(tmp_path, *many)
    case.widgets.scope.change(objects=["*"])
    assert f"Capped: the first {MOST_CELLS} identities" in view(case, "matrix").note
    case.widgets.scope.point(credentials=["one"])
    assert f"Capped: {MOST_NODES} of " in view(case, "graph").note


def test_an_unknown_object_is_named_with_what_is_like_it(case: Case) -> None:
    case.widgets.scope.change(objects=["arn:aws:s3:::vault/o1", OBJECTS[0]])
    text = bundle(view(case, "identities"))["text/plain"]
    assert "not touched in what was collected: arn:aws:s3:::vault/o1" in text
    assert "did you mean" in text


# Who is whom


@pytest.fixture
def alike(tmp_path: Path) -> Case:
    """Two accounts, and in each a user of the same name, and one who is there in one alone."""
    arns = ("user/ann", "user/ann", "user/bob", "user/ann", "user/bea")
    accounts = ("1", "2", "1", "1", "1")
    lines = [
        record(n, recipientAccountId=account, userIdentity={"arn": arn}, resources=[{"ARN": OBJECTS[0]}])
        for n, (arn, account) in enumerate(zip(arns, accounts, strict=True))
    ]
    case = case_of(tmp_path, *lines)
    case.widgets.scope.change(objects=OBJECTS[:1])
    return case


def test_of_two_of_the_same_name_only_the_one_that_is_chosen_is_shown(alike: Case) -> None:
    identities, events, graph = view(alike, "identities"), view(alike, "events"), view(alike, "graph")
    rows = identities.content()["rows"]
    assert [row["cells"][0] for row in rows] == [
        *("user/ann (cloudtrail/1)", "user/ann (cloudtrail/2)", "user/bea", "user/bob")
    ]
    for row, events_of_it in zip(rows[:2], (2, 1), strict=True):
        ask(identities, do="choose", key=row["key"])
        assert events.settle(20)
        assert events.total == events_of_it
        assert identities.content()["chosen"] == [row["key"]]
        assert graph.settle(20)
        assert graph.nodes[0] == ("actor", "user/ann", "cloudtrail", row["key"][1])
    assert "user/ann (cloudtrail/2)" in repr(alike.widgets.scope)
    again = investigate.open(alike.path)
    assert view(again, "events").total == 1
    again.widgets.look(identities="user/ann")
    assert view(again, "events").total == 3
    assert len(view(again, "identities").content()["chosen"]) == 2


def test_the_matrix_keeps_rows_of_the_same_name_apart(alike: Case) -> None:
    matrix, events = view(alike, "matrix"), view(alike, "events")
    found = {row["cells"][0]: row["cells"][2] for row in matrix.rows}
    assert found == {"user/ann (cloudtrail/1)": "2", "user/ann (cloudtrail/2)": "1", "user/bea": "1", "user/bob": "1"}
    drawn = [values for values in _values(matrix.spec) if "who" in values]
    assert len({one["identity"] for one in drawn}) == 4
    number = [row["cells"][0] for row in matrix.rows].index("user/ann (cloudtrail/2)")
    ask(matrix, do="point", value={"n": [number]})
    assert events.settle(20)
    assert events.total == 1


def _values(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return list(spec["data"].get("values") or next(iter(spec["datasets"].values())))


def test_the_pivot_keeps_identities_apart_and_puts_a_persons_aliases_together(alike: Case) -> None:
    pivot, events = view(alike, "pivot"), view(alike, "events")
    assert _people(pivot)["user/ann (cloudtrail/2)"] == "1"
    bea, bob = ("cloudtrail", "user/bea"), ("cloudtrail", "user/bob")
    alike.accept_identity("Bobbie", bea, bob, author="inv")
    pivot = view(alike, "pivot")
    assert _people(pivot) == {"user/ann (cloudtrail/1)": "2", "user/ann (cloudtrail/2)": "1", "Bobbie": "2"}
    rows = pivot.content()["rows"]
    assert [row["cells"][3] for row in rows if row["cells"][0] == OBJECTS[0]] == ["3"]
    assert alike.sql(*_asked(pivot)).height == len(rows)
    key = next(row["key"] for row in rows if row["cells"][0] == "Bobbie")
    ask(pivot, do="choose", key=key)
    assert events.settle(20)
    assert events.total == 2
    assert pivot.content()["chosen"] == [key]


def _people(pivot: Any) -> dict[str, str]:
    return {row["cells"][0]: row["cells"][2] for row in pivot.content()["rows"] if row["cells"][1] == "identity"}


def _asked(made: Any) -> tuple[str, dict[str, Any]]:
    """Query and values that a view's code runs."""
    asked: list[Any] = []
    fake = type("Fake", (), {"sql": lambda _self, *given: asked.extend(given)})()
    exec(made.code(), {"case": fake})  # noqa: S102 - it is what the button inserts
    return asked[0], asked[1]


def test_what_is_accepted_while_it_is_looked_at_counts_at_once(alike: Case) -> None:
    identities, matrix = view(alike, "identities"), view(alike, "matrix")
    bea = next(row["key"] for row in identities.content()["rows"] if row["cells"][0] == "user/bea")
    ask(identities, do="choose", key=bea)
    events = view(alike, "events")
    assert events.total == 1
    alike.accept_identity("Bobbie", ("cloudtrail", "user/bea"), ("", "user/bob"), author="inv")
    identities, matrix, events = (view(alike, name) for name in ("identities", "matrix", "events"))
    assert {"Bobbie": "2"}.items() <= {row["cells"][0]: row["cells"][2] for row in identities.content()["rows"]}.items()
    assert ["Bobbie", OBJECTS[0], "2"] in [row["cells"][:3] for row in matrix.rows]
    assert events.total == 2
    assert identities.content()["chosen"] == [["", "", "Bobbie"]]
    alike.accept_identity("", ("", "user/bob"), author="inv")
    assert view(alike, "events").total == 1


def test_a_graph_and_the_code_of_a_view_keep_to_the_sources(tmp_path: Path) -> None:
    case = case_of(tmp_path, record(0, userIdentity={"arn": "ann"}, sourceIPAddress="192.0.2.1"))
    take_rabbit(case, tmp_path, "Eve")
    case.widgets.scope.change(objects=["*"])
    case.widgets.scope.point(src_ips=["192.0.2.1"])
    assert "Eve" in {node[1] for node in view(case, "graph").nodes}
    matrix = view(case, "matrix")
    assert {row["cells"][0] for row in matrix.rows} == {"ann", "Eve"}
    case.widgets.scope.change(sources=["cloudtrail"])
    graph, matrix, identities = (view(case, name) for name in ("graph", "matrix", "identities"))
    assert {node[1] for node in graph.nodes if node[0] == "actor"} == {"ann"}
    assert "key" not in {node[1] for node in graph.nodes}
    assert "coderabbit" not in "".join(graph.coverage_lines())
    case.accept_identity("Ann", ("cloudtrail", "ann"), ("coderabbit", "nobody"), author="inv")
    assert set(ran(graph.code(), case).frame["source"].drop_nulls()) == {"cloudtrail"}
    for made in (identities, matrix):
        assert ran(made.code(), case)["actor"].to_list() == ["Ann"]


# The grid


def test_the_page_gets_rows_as_it_asks_for_them(case: Case, told: Told) -> None:
    events = view(case, "events")
    ask(events, do="order", column="actor", descending=False)
    ask(events, do="filter", filters=[{"column": "action", "operator": "is", "value": "GetObject"}])
    shown = told.last("show")["content"]
    told.messages.clear()
    ask(events, do="page", page=0, turn=shown["turn"])
    rows = told.last("rows")["rows"]
    at = [column["name"] for column in shown["columns"]].index("actor")
    actors = [row["cells"][at] for row in rows]
    assert shown["total"] == len(rows) == count(case, f"{NAMED} AND action = 'GetObject'")
    assert actors == sorted(actors)


def test_a_page_of_an_order_that_is_no_more_is_not_sent(case: Case, told: Told) -> None:
    events = view(case, "events")
    told.messages.clear()
    ask(events, do="page", page=0, turn=-5)
    ask(events, do="order", column="actor", descending=True)
    assert {one["turn"] for one in told.messages if one["is"] == "rows"} == {events._turn}


@pytest.mark.parametrize(
    "message",
    [
        {"do": "filter", "filters": [{"column": "1=1", "operator": "is", "value": "x"}]},
        {"do": "order", "column": "raw; DROP TABLE events", "descending": True},
        {"do": "page", "page": "0; --", "turn": 1},
        {"do": "columns", "names": []},
        {"do": "columns", "names": ["*"]},
        {"do": "export", "form": "../../x"},
        {"do": "annotate", "id": [0, "x"], "kind": "star", "text": ""},
    ],
)
def test_what_a_page_cannot_mean_is_refused_in_a_sentence(case: Case, told: Told, message: dict[str, Any]) -> None:
    events = view(case, "events")
    before = events.total
    ask(events, **message)
    problem = told.last("head")["problem"]
    assert all(sentence.endswith((".", '"')) for sentence in filter(None, problem))
    assert "Traceback" not in str(problem)
    events.refresh()
    assert events.settle(20)
    assert events.total == before


@pytest.mark.parametrize("message", [None, 1, {"do": "__class__"}, {"do": "turns"}, {"do": ["page"]}, {}])
def test_what_is_no_request_is_passed_over(case: Case, told: Told, message: Any) -> None:
    events = view(case, "events")
    told.messages.clear()
    events._from_page(events, message, [])
    assert told.messages == []


def test_an_event_is_shown_with_its_record_and_where_it_lies(case: Case, told: Told) -> None:
    events = view(case, "events")
    ask(events, do="page", page=0, turn=events._turn)
    one = told.last("rows")["rows"][0]["id"]
    ask(events, do="detail", id=one)
    shown = told.last("detail")
    uid = dict(shown["fields"])["event_uid"]
    row = case.sql("SELECT raw, evidence, evidence_record FROM events WHERE event_uid = $uid", {"uid": uid}).row(0)
    assert shown["raw"] == row[0]
    assert f"Evidence {row[1]}, record {row[2]}: investigate evidence show {uid}" in shown["evidence"]


def test_a_star_and_a_comment_are_there_after_the_kernel(tmp_path: Path, told: Told) -> None:
    case = small_case(tmp_path, 5)
    events, remarks = view(case, "events"), view(case, "remarks")
    ask(events, do="page", page=0, turn=events._turn)
    one = told.last("rows")["rows"][2]["id"]
    ask(events, do="annotate", id=one, kind="star", text="")
    ask(events, do="annotate", id=one, kind="comment", text="<b>odd</b>\nline\u202e", open=True)
    assert [said["text"] for said in told.last("detail")["said"]] == ["", "<b>odd</b>\nline\\u202e"]
    assert remarks.settle(20)
    assert "★" in remarks.body_text()

    again = view(investigate.open(case.path), "events")
    told.messages.clear()
    ask(again, do="page", page=0, turn=again._turn)
    marked = [row["marks"] for row in told.last("rows")["rows"]]
    assert marked == [None, None, {"starred": True, "tags": [], "comments": 1}, None, None]


def test_an_error_is_one_sentence_and_a_remedy(case: Case, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise LakeError("The lake is gone.", "Bring it back.")

    events = case.widgets.events()
    assert events.settle(20)
    monkeypatch.setattr(picked.Seat, "rows", broken)
    events.refresh()
    assert events.settle(20)
    assert told.last("head")["problem"] == ["The lake is gone.", "Bring it back."]
    assert "The lake is gone. Bring it back." in bundle(events)["text/plain"]


# Hostile


@pytest.mark.parametrize("objects", [[], ["*"]])
@pytest.mark.parametrize("name", TRACING)
def test_what_a_log_says_acts_on_nobody(hostile: Case, told: Told, name: str, objects: list[str]) -> None:
    hostile.widgets.scope.change(objects=objects)
    made = view(hostile, name)
    shown = bundle(made)
    assert "<img" not in shown["text/html"]
    sent = json.dumps(told.messages, ensure_ascii=False, default=str)
    for text in (shown["text/html"], shown["text/plain"], made.still):
        assert not {"\x1b", "\u202e"} & set(text)
    values = json.dumps([one for one in told.messages if one["is"] == "rows"], ensure_ascii=False)
    assert not {"\x1b", "\u202e"} & set(values)
    assert len(sent) < 200_000


def test_what_is_looked_at_is_said_so_that_it_acts_on_nobody(hostile: Case) -> None:
    scope, form = hostile.widgets.scope, hostile.widgets.form()
    scope.change(objects=["a\u202eb\x1b[31m", "x" * 5_000], only="o\u202e", identities=["i\x1b", "y" * 5_000])
    shown = form._repr_mimebundle_()
    for text in (form.said.value, shown["text/html"], shown["text/plain"], repr(scope)):
        assert not {"\x1b", "\u202e"} & set(text)
        assert "a\\u202eb\\x1b[31m" in text
        assert len(text) < 1_000
    form.start.value = "z\u202e" * 2_000
    form._apply()
    assert "\u202e" not in form.said.value
    assert len(form.said.value) < 2_500


def test_a_long_object_and_a_long_identity_lead_on(tmp_path: Path) -> None:
    long = ["o" * 1_500, "o" * 1_500 + "2"]
    lines = [
        record(n, userIdentity={"arn": "a" * 1_500 + str(n)}, resources=[{"ARN": one}]) for n, one in enumerate(long)
    ]
    case = case_of(tmp_path, *lines)
    case.widgets.scope.change(objects=["*"])
    for kind in ("object", "identity"):
        pivot, events = view(case, "pivot"), view(case, "events")
        keys = [row["key"] for row in pivot.content()["rows"] if row["cells"][1] == kind]
        assert len(json.dumps(keys)) < 2_500
        ask(pivot, do="choose", key=keys[1])
        assert events.settle(20)
        assert events.total == 1
        case.widgets.scope.point()


def test_long_values_are_cut_on_their_way_and_marked(hostile: Case, told: Told) -> None:
    events = view(hostile, "events")
    ask(events, do="columns", names=["time", "user_agent"])
    told.messages.clear()
    ask(events, do="page", page=0, turn=events._turn)
    rows = told.last("rows")["rows"]
    cells = [cell for row in rows for cell in row["cells"] if isinstance(cell, str)]
    assert max(map(len, cells)) == LONGEST + 1
    assert any(cell.endswith("…") for cell in cells)
    ask(events, do="detail", id=next(row["id"] for row in rows if row["cells"][-1] or any(row["cells"])))
    raw = told.last("detail")["raw"]
    assert len(raw) < 2 * LONGEST_RAW


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_an_export_holds_every_event_and_no_formula(hostile: Case, told: Told, form: str) -> None:
    events = view(hostile, "events")
    before = set(hostile.layout.reports.iterdir())
    ask(events, do="export", form=form)
    assert events._writing.wait(20)
    (path,) = set(hostile.layout.reports.iterdir()) - before
    assert path.stat().st_mode & 0o777 == 0o600
    assert f"5 events are in {path}" in told.last("head")["status"]
    if form == "csv":
        csv.field_size_limit(10_000_000)
        rows = list(csv.DictReader(io.StringIO(path.read_text(), newline="")))
        assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]
    elif form == "jsonl":
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        assert HOSTILE in {row["actor"] for row in rows}
    else:
        rows = pq.read_table(path).to_pylist()
        assert HOSTILE in {row["actor"] for row in rows}
    assert len(rows) == 5


# Frames


def test_a_frame_names_identities_by_their_place_and_persons_by_name(alike: Case) -> None:
    second = alike.who_touched(OBJECTS[0]).frame.filter(tenant="2")
    second.investigate.look(alike)  # type: ignore[attr-defined]
    assert view(alike, "events").total == 1
    alike.accept_identity("Bobbie", ("cloudtrail", "user/bea"), ("cloudtrail", "user/bob"), author="inv")
    person = alike.who_touched(OBJECTS[0]).frame.filter(actor="Bobbie").select("source", "tenant", "actor")
    person.investigate.look(alike)  # type: ignore[attr-defined]
    assert view(alike, "events").total == 2
    person.select("actor").investigate.look(alike)  # type: ignore[attr-defined]
    assert view(alike, "events").total == 2


def test_a_frame_leads_back_to_its_events_and_to_the_widgets(case: Case) -> None:
    frame = pl.DataFrame({"event_uid": ["e0001", "e0002", "e0001"], "resource": [OBJECTS[1], OBJECTS[2], None]})
    found = frames.Frames(frame).events(case)
    assert found["event_uid"].to_list() == ["e0002", "e0001"]
    assert frames.Frames(frame).objects() == OBJECTS[1:3]
    assert frame.investigate.look(case).now.objects == tuple(OBJECTS[1:3])  # type: ignore[attr-defined]


def test_a_table_for_people_shows_what_a_log_says_as_text(case: Case) -> None:
    frame = pl.DataFrame({"actor": ["<img src=x onerror=alert(1)>\u202e", "b", "c"]})
    shown = case.widgets.table(frame, most=2)._repr_mimebundle_()
    assert "&lt;img src=x" in shown["text/html"]
    assert "<img" not in shown["text/html"]
    assert [kind for kind, text in shown.items() if "\u202e" in text] == []
    assert "the first 2 of 3 rows" in shown["text/plain"]
    assert "nothing" in repr(case.widgets.table(frame.clear()))
    assert "the first 3 of 2,252 rows" in repr(case.widgets.table(frame, total=2_252))
