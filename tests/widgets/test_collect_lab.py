"""The collecting notebook in a real JupyterLab in a real browser, against the real sandbox."""

from __future__ import annotations

import json
import os
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe

import investigate
from investigate.events import Window, parse_time
from tests.needs import chromium

from .lab import NOTEBOOKS, Lab, Notebook, jupyterlab
from .sandboxed import EVENTS, Box, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import BrowserContext, Locator, Page

HOSTILE = "<img src=x onerror=window.hacked=1> \x1b[31mred \u202egnp.exe =cmd()|'/C calc'!A0 "
PIECES = ".investigate-piece"


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    yield from running()


@pytest.fixture(scope="module")
def lab(box: Box, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder, state = tmp_path_factory.mktemp("notebooks"), tmp_path_factory.mktemp("state")
    with jupyterlab(folder, state, box.environment) as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[BrowserContext]:
    """A browser that has its scripts of JupyterLab after the first page, as a person's has."""
    with chromium() as started:
        context = started.new_context(viewport={"width": 1440, "height": 1000})
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        yield context
        context.close()


@pytest.fixture
def opened(lab: Lab, browser: BrowserContext, tmp_path: Path) -> Iterator[Callable[..., Notebook]]:
    """Opens the notebook on a case of the test's own, with parameters, and runs it."""
    pages = []

    def open_one(**parameters: str) -> Notebook:
        book = json.loads((NOTEBOOKS / "1_collect.ipynb").read_text(encoding="utf-8"))
        for cell in book["cells"]:
            if "parameters" in cell["metadata"].get("tags", []):
                given = {"CASE": str(tmp_path / "case"), **parameters}
                cell["source"] = ["".join(cell["source"]), *(f"\n{name} = {value!r}" for name, value in given.items())]
        name = f"{tmp_path.name}.ipynb"
        (lab.folder / name).write_text(json.dumps(book), encoding="utf-8")
        pages.append(browser.new_page())
        notebook = Notebook(pages[-1])
        notebook.open(lab, name)
        notebook.run()
        notebook.page.wait_for_function("() => document.querySelector('.investigate-coverage table')")
        notebook.page.set_default_timeout(15_000)
        return notebook

    yield open_one
    for page in pages:
        page.close()


def piece(page: Page, text: str) -> Locator:
    """The piece with a button of that name."""
    return page.locator(PIECES).filter(has=page.get_by_role("button", name=text, exact=True)).last


def paste(page: Page, field: Locator, text: str) -> None:
    page.evaluate("text => navigator.clipboard.writeText(text)", text)
    field.focus()
    page.keyboard.press("Control+V")


def newest_link(page: Page, box: Box) -> str:
    """The link on the sandbox's Updates page, in a tab of its own, as a person would copy it."""
    tab = page.context.new_page()
    tab.goto(box.at["updates_url"])
    newest = box.links()[0]
    link = tab.locator(f'a.link[href="{newest}"]').get_attribute("href")
    tab.close()
    assert link
    return link


def until_dead(page: Page, box: Box, link: str) -> None:
    """Until the Updates page no longer offers a link."""
    tab = page.context.new_page()
    deadline = time.monotonic() + 30
    while True:
        tab.goto(box.at["updates_url"])
        if not tab.locator(f'a.link[href="{link}"]').count():
            break
        assert time.monotonic() < deadline, "the link did not die"
    tab.close()


def asked(page: Page, box: Box) -> str:
    """Click the request through, and take its link."""
    return box.link_after(lambda: page.get_by_role("button", name="Request export").click())


def serious(notebook: Notebook) -> list[str]:
    """What axe-core finds in the widgets, in either theme, that is serious or critical."""
    page, found = notebook.page, []
    page.set_viewport_size({"width": 1440, "height": 7000})  # what is out of sight is not laid out, and not looked at
    for theme in ("Dark", "Light"):
        notebook.theme(f"JupyterLab {theme}")
        found += Axe().run(page, context={"include": [[PIECES]]}).response["violations"]
    page.set_viewport_size({"width": 1440, "height": 1000})
    return [
        f"{one['id']}: {node['html'][:200]}"
        for one in found
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]


def shots(notebook: Notebook, name: str) -> None:
    """Pictures of every piece in both themes and two widths, for people to look at, where `$INVESTIGATE_SHOTS` says."""
    folder = os.environ.get("INVESTIGATE_SHOTS")
    if not folder:
        return
    page = notebook.page
    for theme in ("Light", "Dark"):
        notebook.theme(f"JupyterLab {theme}")
        for width in (1440, 1024):
            page.set_viewport_size({"width": width, "height": 1000})
            for number, one in enumerate(page.locator(f".jp-OutputArea-output > {PIECES}").all()):
                one.scroll_into_view_if_needed()
                one.screenshot(path=str(Path(folder) / f"{name}-{theme}-{width}-{number}.png"))
    page.set_viewport_size({"width": 1440, "height": 1000})
    notebook.theme("JupyterLab Light")


def test_from_the_form_to_the_counts(opened: Callable[..., Notebook], lab: Lab, box: Box, tmp_path: Path) -> None:
    notebook = opened(START=box.window[0], END=box.window[1], ZONE="Europe/Berlin")
    page = notebook.page
    form = piece(page, "Request export")
    form.get_by_text("Europe/Berlin").first.wait_for()
    assert asked(page, box)
    board = page.locator(".investigate-board")
    board.get_by_text("Wait for the notification").wait_for()

    field = page.get_by_role("textbox", name="Link from the notification")
    paste(page, field, newest_link(page, box))
    page.get_by_text("Valid for another 7 h 59 min").wait_for()
    assert field.input_value() == ""
    timer = board.get_by_role("timer")
    before = timer.text_content()
    assert re.fullmatch(r"7:59:\d\d", before)
    page.wait_for_function("before => document.querySelector('[role=timer]').textContent !== before", arg=before)

    page.get_by_role("button", name="Download", exact=True).click()
    page.get_by_text(f"received {EVENTS:,} = stored {EVENTS:,} + duplicate 0 + rejected 0").wait_for()
    board.get_by_text("Nothing: it is collected.").wait_for()
    page.locator(".investigate-coverage td.events").first.wait_for()
    shots(notebook, "collected")
    assert serious(notebook) == []

    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    saved = lab.folder / f"{tmp_path.name}.ipynb"
    page.wait_for_function("() => !document.querySelector('.jp-NotebookPanel .jp-mod-dirty')")
    text = saved.read_text(encoding="utf-8")
    states = page.evaluate("() => JSON.stringify(Object.keys(localStorage).map((key) => localStorage[key]))")
    assert "X-Amz-" not in (text + states).replace("X-Amz-…", "")
    assert len(text) < 200_000
    assert (notebook.strangers(lab), notebook.faults) == ([], [])


def test_a_dead_link_is_refused_and_its_export_asked_for_again(opened: Callable[..., Notebook], box: Box) -> None:
    notebook = opened(START=box.window[0], END=box.window[1])
    page = notebook.page
    box.switch(link_lifetime=1)
    try:
        link = asked(page, box)
    finally:
        box.switch(link_lifetime=28_800)
    until_dead(page, box, link)
    paste(page, page.get_by_role("textbox", name="Link from the notification"), link)
    page.get_by_text("✗ The link expired at").wait_for()
    again = page.get_by_role("button", name="Request again")
    again.focus()
    fresh = box.link_after(lambda: page.keyboard.press("Enter"))
    rows = page.locator(".investigate-board tbody tr")
    page.wait_for_function("() => document.querySelectorAll('.investigate-board tbody tr').length === 2")
    assert [rows.nth(n).get_attribute("data-state") for n in range(2)] == ["requested", "expired"]
    assert fresh != link


def test_with_the_keyboard_alone_from_a_gap_to_a_request(opened: Callable[..., Notebook], box: Box) -> None:
    start = parse_time(box.window[0])
    day = f"{start + timedelta(days=3):%Y-%m-%d}"
    notebook = opened(START=day, END=f"{start + timedelta(days=4):%Y-%m-%d}")
    page = notebook.page
    page.locator(".investigate-coverage table").nth(1).locator("td[tabindex='0']").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
    assert page.evaluate("() => document.activeElement.getAttribute('aria-label')").startswith(
        f"{day} 01:00 UTC: never"
    )
    page.keyboard.press("Enter")
    page.get_by_text("Its window stands in the DevRev form now").wait_for()
    form = piece(page, "Request export")
    first = form.get_by_label("From")
    first.focus()
    assert first.input_value() == f"{day} 00:00:00 UTC"
    reached = []
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("() => document.activeElement.textContent.trim()"))
        if reached[-1] == "Request export":
            break
    assert reached[-1] == "Request export"
    assert box.link_after(lambda: page.keyboard.press("Enter"))
    page.locator(".investigate-board tbody tr").wait_for()
    assert page.locator(".jp-Notebook.jp-mod-editMode").count() == 0


def test_hostile_words_are_shown_and_not_obeyed(opened: Callable[..., Notebook], tmp_path: Path) -> None:
    case = investigate.open(tmp_path / "case")
    window = Window.of("2026-11-01", "2026-11-02")
    ago = datetime.now(UTC) - timedelta(minutes=20)
    request = case.journal.add_request(window, {"users": [HOSTILE, "x" * 2**20]}, operator=HOSTILE, now=ago)
    case.journal.update_request(request.id, state="failed", note=HOSTILE)  # type: ignore[typeddict-item]
    notebook = opened()
    page = notebook.page
    paste(page, page.get_by_role("textbox", name="Link from the notification"), HOSTILE)
    page.get_by_text("✗ There is a space inside the link").wait_for()
    form = piece(page, "Request export")
    form.get_by_label("From").fill(HOSTILE)
    form.get_by_text("✗ Not a time").wait_for()
    text = page.locator(".investigate-board").text_content()
    assert "<img src=x onerror=window.hacked=1>" in text
    assert "\\u202e" in text
    assert len(text) < 5_000
    assert page.evaluate("() => [window.hacked ?? null, document.querySelectorAll('img[src=x]').length]") == [None, 0]


def test_what_is_long_can_be_cancelled_while_the_kernel_answers(opened: Callable[..., Notebook], box: Box) -> None:
    notebook = opened(START=box.window[0], END=box.window[1])
    page = notebook.page
    pull = piece(page, "Pull")
    box.switch(latency=0.4)
    try:
        pull.get_by_role("button", name="Pull", exact=True).click()
        pull.get_by_text(re.compile(r"Pulling \d+")).wait_for()
        pull.get_by_label("Actor's name has").fill("answers")  # the kernel takes it while it pulls
        pull.get_by_role("button", name=re.compile("^Cancel")).click()
        pull.get_by_text("◦ Cancelled.").wait_for()
    finally:
        box.switch(latency=0)
    answer: dict[str, Any] = page.evaluate("() => ({busy: document.querySelector('[data-status=busy]') !== null})")
    assert answer == {"busy": False}
    page.locator(".investigate-coverage td.failed").first.wait_for()
