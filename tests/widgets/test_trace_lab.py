"""The tracing notebook in a real JupyterLab in a real browser: by mouse, by keyboard, after a restart, under attack."""

from __future__ import annotations

import json
import re
import shutil
from functools import partial
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

import investigate
from tests.needs import chromium

from .lab import NOTEBOOKS, Lab, Notebook, jupyterlab
from .traced import hostile_case

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Locator

    from investigate.case import Case

expect.set_options(timeout=20_000)  # a machine that others use takes its time
VIEWS = "section.investigate-view"
IDENTITIES = "Who touched the affected objects"


@pytest.fixture(scope="module")
def case(demonstrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Case:
    return investigate.open(shutil.copytree(demonstrated, tmp_path_factory.mktemp("traced") / "case"))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder, state = tmp_path_factory.mktemp("notebooks"), tmp_path_factory.mktemp("state")
    with jupyterlab(folder, state, {}) as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[BrowserContext]:
    """A browser that has its scripts of JupyterLab after the first page, as a person's has."""
    with chromium() as started:
        context = started.new_context(viewport={"width": 1440, "height": 1000})
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        yield context
        context.close()


def opened(lab: Lab, browser: BrowserContext, case: Case, name: str) -> Notebook:
    """The notebook on a case, with all cells run."""
    book = json.loads((NOTEBOOKS / "2_trace.ipynb").read_text(encoding="utf-8"))
    for cell in book["cells"]:
        if "parameters" in cell["metadata"].get("tags", []):
            cell["source"] = [*cell["source"], f"\nCASE = {case.path!r}"]
    (lab.folder / name).write_text(json.dumps(book), encoding="utf-8")
    notebook = Notebook(browser.new_page())
    notebook.open(lab, name)
    notebook.run()
    rows(notebook).first.wait_for()
    return notebook


@pytest.fixture(scope="module")
def running(lab: Lab, browser: BrowserContext, case: Case) -> Iterator[Notebook]:
    notebook = opened(lab, browser, case, "trace.ipynb")
    yield notebook
    notebook.page.close()


@pytest.fixture
def book(running: Notebook) -> Notebook:
    """The notebook, with nothing pointed at, nothing filtered and no event open: its star would be another's."""
    grid(running).get_by_role("button", name="Clear filters").click()
    if (close := grid(running).locator(".detail").get_by_role("button", name="Close")).is_visible():
        close.click()
    running.page.get_by_role("button", name="Let selections go").click()
    settled(running)
    return running


def grid(notebook: Notebook) -> Locator:
    return notebook.view("Events")


def rows(notebook: Notebook) -> Locator:
    return grid(notebook).locator(".sheet .row:not(.loading)")


def settled(notebook: Notebook) -> None:
    """Every view has its answer."""
    notebook.page.wait_for_timeout(500)  # what was typed is asked for a moment later
    expect(notebook.page.locator(f"{VIEWS}[aria-busy=true]")).to_have_count(0)


def total(notebook: Notebook, *, before: int | None = None) -> int:
    """How many events the grid has, once these are no longer as many as before."""
    if before is not None:
        expect(grid(notebook).locator(".count")).not_to_have_text(re.compile(rf"^{before:,} event"))
    settled(notebook)
    found = re.match(r"([\d,]+) event", grid(notebook).locator(".count").text_content() or "")
    assert found
    return int(found[1].replace(",", ""))


def has(notebook: Notebook, events: int) -> None:
    """The grid comes to have so many events."""
    expect(grid(notebook).locator(".count")).to_have_text(re.compile(rf"^{events:,} event"))
    settled(notebook)


def count(case: Case, where: str, **values: object) -> int:
    return int(case.sql(f"SELECT count(*) FROM events WHERE {where}", values).item())


def test_by_clicks_from_an_object_to_the_raw_record(book: Notebook, case: Case) -> None:
    named = case.widgets.scope.now.objects
    has(book, count(case, "list_has_any(resources, $named)", named=list(named)))
    first = book.view(IDENTITIES).locator("tbody tr").first
    actor = first.get_by_role("button").text_content() or ""
    first.get_by_role("button").click()
    of_one = count(case, "actor = $actor", actor=actor)
    has(book, of_one)
    expect(book.view(IDENTITIES).locator("tbody tr.chosen")).to_have_count(1)

    chart = book.view("When").locator("svg")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box
    book.page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 60)
    book.page.mouse.down()
    book.page.mouse.move(box["x"] + box["width"] * 0.95, box["y"] + 60, steps=6)
    book.page.mouse.up()
    assert 0 < total(book, before=of_one) < of_one

    rows(book).first.locator(".cell").nth(1).click()
    detail = grid(book).locator(".detail")
    detail.locator("pre").wait_for()
    uid = detail.locator("dd").first.text_content() or ""
    raw, evidence = case.sql("SELECT raw, evidence FROM events WHERE event_uid = $uid", {"uid": uid}).row(0)
    assert detail.locator("pre").text_content() == raw
    assert evidence in (detail.locator(".evidence").text_content() or "")


def test_a_cell_of_the_matrix_and_a_heading_and_a_filter(book: Notebook) -> None:
    cells = book.view("Identity by object").locator("svg .mark-rect path")
    cells.first.wait_for()
    everything = total(book)
    cells.nth(2).click()
    pointed = total(book, before=everything)
    assert 0 < pointed < everything
    expect(book.view(IDENTITIES).locator("tbody tr.chosen")).to_have_count(1)
    book.page.get_by_role("button", name="Let selections go").click()
    before = total(book, before=pointed)

    grid(book).get_by_role("button", name="actor_name", exact=True).click()
    grid(book).get_by_label("Filter activity").or_(grid(book).get_by_label("Filter action")).first.fill("update")
    narrowed = total(book, before=before)
    assert 0 < narrowed < before
    rows(book).first.wait_for()
    names = [row.locator(".cell").nth(2).text_content() or "" for row in rows(book).all()]
    assert names == sorted(names)
    grid(book).get_by_label("Filter time").fill("yesterday")
    expect(grid(book).locator(".state")).to_contain_text("Not a time: 'yesterday'. Write a date")
    assert total(book) == narrowed


def test_a_star_and_a_comment_outlive_the_kernel(book: Notebook, case: Case) -> None:
    time = rows(book).nth(1).locator(".cell").nth(1)
    moment = time.text_content()
    time.click()
    detail = grid(book).locator(".detail")
    detail.get_by_role("button", name="Star").click()
    expect(detail.get_by_role("button", name="Starred")).to_be_visible()
    detail.get_by_label("Comment").fill("<b>why</b> here?")
    detail.get_by_role("button", name="Add comment").click()
    expect(detail.locator(".comments")).to_contain_text("<b>why</b> here?")
    book.restart()
    book.page.wait_for_function("() => !document.querySelector('.investigate-view .detail:not([hidden])')")
    rows(book).first.wait_for()
    settled(book)
    grid(book).get_by_label("Filter time").fill(f"={moment}")
    has(book, 1)
    expect(rows(book).first.locator(".cell").first).to_have_text("★✎")
    expect(book.view("What was noted").locator("tbody tr")).to_contain_text("<b>why</b> here?")
    assert case.annotations()["kind"].to_list() == ["star", "comment"]


def test_with_the_keyboard_alone(book: Notebook) -> None:
    page = book.page
    book.view(IDENTITIES).locator("summary").focus()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("() => Boolean(document.activeElement.closest('tbody tr'))"):
            break
    page.keyboard.press("ArrowDown")
    chosen = page.evaluate("() => document.activeElement.textContent")
    page.keyboard.press("Enter")
    expect(book.view(IDENTITIES).locator("tbody tr.chosen").get_by_role("button")).to_have_text(chosen)
    settled(book)

    grid(book).locator("summary").first.focus()
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.getAttribute('role') === 'grid'"):
            break
    cells = page.locator(".jp-Notebook .jp-Cell").count()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", "PageDown", "Home", "ArrowUp"):
        page.keyboard.press(key)
    here = grid(book).locator(".sheet .row.here:not(.loading)")  # painted a frame later, filled when its page has come
    expect(here).to_have_attribute("data-number", re.compile(r"^([3-9]|\d\d+)$"))
    page.keyboard.press("Enter")
    grid(book).locator(".detail pre").wait_for()
    assert page.evaluate("() => Boolean(document.activeElement.closest('.detail'))")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.tagName === 'INPUT'"):
            break
    page.keyboard.type("seen")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(grid(book).locator(".tags")).to_contain_text("#seen")
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells  # no key did anything to the notebook


def test_a_view_is_inserted_as_a_cell(book: Notebook) -> None:
    page = book.page
    cells = page.locator(".jp-Notebook .jp-CodeCell").count()
    book.view("When").get_by_role("button", name="Insert as cell").click()
    expect(page.locator(".jp-Notebook .jp-CodeCell")).to_have_count(cells + 1)
    code = page.locator(".cm-content").filter(has_text="make_timestamptz")
    inserted = page.locator(".jp-Notebook .jp-CodeCell").filter(has=code)
    expect(inserted).to_have_count(1)
    page.keyboard.press("Control+Enter")
    expect(inserted.locator(".jp-OutputArea-output")).to_contain_text("shape:")
    page.keyboard.press("Escape")
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:delete-cell')")


def test_the_page_holds_only_the_rows_in_sight(book: Notebook) -> None:
    page = book.page
    size = "() => document.querySelectorAll('.investigate-view .grid *').length"
    before = page.evaluate(size)
    grid(book).locator(".grid").focus()
    for _ in range(12):
        page.keyboard.press("PageDown")
    settled(book)
    assert page.evaluate(size) <= before + 40


def test_axe_finds_nothing_serious_in_either_theme(book: Notebook) -> None:
    rows(book).first.locator(".cell").nth(1).click()
    grid(book).locator(".detail pre").wait_for()
    book.view("How far it reaches").locator("svg").wait_for()
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        book.theme(theme)
        book.page.wait_for_timeout(500)
        assert book.serious(VIEWS) == []
    assert rows(book).count() > 5  # a theme that is changed takes the page's styles away for a moment
    book.shots("trace", VIEWS)


def test_nothing_leaves_the_machine(book: Notebook, lab: Lab) -> None:
    book.view("How far it reaches").locator("svg").wait_for()
    assert len(book.requests) > 10
    assert book.strangers(lab) == []
    assert book.faults == []


def test_what_a_log_says_is_shown_and_does_nothing(lab: Lab, browser: BrowserContext, tmp_path: Path) -> None:
    case = hostile_case(tmp_path)
    case.widgets.scope.change(objects=["*"])
    notebook = opened(lab, browser, case, "hostile.ipynb")
    notebook.view("Identity by object").locator("svg .mark-rect path").first.wait_for()
    rows(notebook).first.locator(".cell").nth(1).click()
    grid(notebook).locator(".detail pre").wait_for()
    notebook.view("Identity by object").locator("svg .mark-rect path").first.hover()
    notebook.page.locator("#vg-tooltip-element.visible").wait_for()
    assert "<img src=x onerror" in (notebook.page.locator("#vg-tooltip-element").text_content() or "")
    assert "\\u202e" in (grid(notebook).text_content() or "")
    assert notebook.page.locator(f"{VIEWS} img, #vg-tooltip-element img").count() == 0
    assert notebook.page.evaluate("() => window.hacked === undefined")
    assert notebook.strangers(lab) == []

    formula = rows(notebook).filter(has=notebook.page.get_by_text("=1+1", exact=True)).first
    formula.locator(".cell").nth(1).click()
    cells = formula.locator(".cell").all_text_contents()[1:]
    assert "=1+1" in cells
    by_button = grid(notebook).get_by_role("button", name="Copy row").click
    by_key = partial(grid(notebook).get_by_role("grid").press, "Control+c")
    for copy in (by_button, by_key):
        notebook.page.evaluate("() => navigator.clipboard.writeText('')")
        copy()
        notebook.page.wait_for_function("async () => await navigator.clipboard.readText()")
        copied = notebook.page.evaluate("() => navigator.clipboard.readText()")
        assert copied.split("\t") == ["'" + cell if cell.startswith("=") else cell for cell in cells]
    notebook.page.close()


def test_voila_serves_it(case: Case, browser: BrowserContext, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    shutil.copy(NOTEBOOKS / "2_trace.ipynb", tmp_path)
    command = ("voila", "2_trace.ipynb", "--no-browser", "--port={port}", "--Voila.ip=127.0.0.1")
    with jupyterlab(tmp_path, tmp_path / "state", {"INVESTIGATE_CASE": case.path}, *command) as served:
        notebook = Notebook(browser.new_page())
        notebook.page.on("request", lambda request: notebook.requests.append(request.url))
        notebook.page.goto(served.url, timeout=60_000)
        rows(notebook).first.wait_for(timeout=60_000)
        notebook.view(IDENTITIES).locator("tbody tr").first.get_by_role("button").click()
        expect(notebook.view(IDENTITIES).locator("tbody tr.chosen")).to_have_count(1)
        assert len(notebook.requests) > 5
        assert notebook.strangers(served) == []
        notebook.page.close()
