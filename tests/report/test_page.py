"""The HTML report: whole in one file, escaped whatever a log says, and nothing it needs lies elsewhere."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from investigate.case.drafting import Draft
from investigate.report.markup import lines, tag
from investigate.report.model import Hole
from investigate.report.page import render
from investigate.report.text import CELL, visible
from tests.needs import chromium

from .conftest import HOSTILE, NAMES, WINDOW

if TYPE_CHECKING:
    from pathlib import Path

    from investigate.case import Case

ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "footer", "nav", "section", "article"),
    *("h1", "h2", "h3", "p", "a", "ol", "ul", "li", "dl", "dt", "dd", "div", "span", "code", "pre", "details"),
    *("summary", "table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("svg", "defs", "pattern", "path", "rect", "line", "text"),
}
ATTRIBUTES = {
    *("lang", "charset", "http-equiv", "content", "name", "class", "id", "href", "scope", "tabindex", "role"),
    *("viewbox", "x", "y", "x1", "x2", "y1", "y2", "d", "width", "height", "fill", "fill-opacity", "text-anchor"),
    *("patternunits", "aria-hidden"),
}
VOID = {"meta"}


class Outline(HTMLParser):
    """The elements of a page with their attributes, its texts, and whether every element is closed."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.texts.append(data)


@pytest.fixture(scope="module")
def page(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    answers = {'<b>claim</b> "quoted"': case.pivot("192.0.2.7", **WINDOW)}
    question = f"Who saw it?\n{HOSTILE[1]}"
    case.report(path, title=HOSTILE[0], question=question, resources=["ticket/1"], answers=answers, **WINDOW)
    return path


@pytest.fixture(scope="module")
def outline(page: Path) -> Outline:
    return Outline(page.read_text(encoding="utf-8"))


def test_every_element_and_attribute_is_one_of_ours(outline: Outline) -> None:
    assert {name for name, _ in outline.elements} <= ELEMENTS
    assert {name for _, attributes in outline.elements for name in attributes} <= ATTRIBUTES
    assert outline.open == []


def test_no_attribute_leads_out_of_the_page(outline: Outline) -> None:
    assert {attributes["href"][0] for name, attributes in outline.elements if (attributes.get("href"))} == {"#"}  # type: ignore[index]
    assert not [attributes for _, attributes in outline.elements if {"src", "style", "action"} & attributes.keys()]


def test_its_policy_allows_its_own_style_and_nothing_else(outline: Outline) -> None:
    (policy,) = [a["content"] for _, a in outline.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[\w+/]{43}='; base-uri 'none'; form-action 'none'", str(policy)
    )


def test_hostile_texts_are_there_to_be_read(outline: Outline) -> None:
    said = "\n".join(outline.texts)
    for text in HOSTILE:
        shown = [visible(line) for line in text.splitlines() if "\u2028" not in text]
        assert all(line in said for line in shown), text
    assert "\u202e" not in said
    assert "\x1b" not in said


def test_what_is_too_long_is_cut_and_says_so(page: Path, outline: Outline) -> None:
    assert "M" * CELL + "… (1,048,576 characters)" in "\n".join(outline.texts)
    assert page.stat().st_size < 500_000


def test_it_says_what_it_rests_on(case: Case, outline: Outline) -> None:
    said = " ".join(outline.texts)
    (entry,) = case.ledger.entries()
    assert entry.files[0].sha256 in said
    assert entry.sha256 in said
    assert f"Not complete: {len(HOSTILE) + 1} spans of the window were not, or not surely, collected." in said
    assert "never collected" in said
    assert "looks wrong <script>alert(2)</script>" in said
    assert {"Scope", "Coverage", "Findings", "Annotations", "Evidence", "Method"} <= set(outline.texts)
    for name in NAMES:
        assert name in said


def test_every_picture_has_words_and_a_table(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    pictures = re.findall(r'<svg [^>]*class="picture"[^>]*><title>([^<]+)</title>', text)
    timelines = [words for words in pictures if " events from " in words]
    assert len(pictures) == len(timelines) + 1  # the strip of coverage, whose table is that of the gaps
    assert text.count("<summary>The numbers behind the picture</summary>") == len(timelines) == 1


def test_what_a_report_says_never_changes_its_elements(case: Case) -> None:
    with Draft(case, {"actors": ["user/1"], **WINDOW}) as draft:
        made = draft.document()
    shapes = set()
    for text in [*HOSTILE, "plain"]:
        claims = tuple(replace(claim, text=text, notes=(text,)) for claim in made.claims)
        known = replace(made.known, sources=(text,), holes=(Hole(text, made.known.window, text),))
        told = replace(made, title=text, author=text, claims=claims, known=known, scope=((text, text),))
        shapes.add(tuple((name, tuple(given)) for name, given in Outline(render(told)).elements))
    assert len(shapes) == 1


@given(st.text())
def test_any_text_survives_as_text(text: str) -> None:
    found = Outline(tag("p", text, title=text) + tag("pre", lines(text)))
    assert [name for name, _ in found.elements] == ["p", "pre"]
    assert found.elements[0][1] == {"title": visible(text)}
    shown = "".join(found.texts)
    assert shown == visible(text) + "\n".join(visible(line) for line in text.replace("\r\n", "\n").split("\n"))


def test_a_browser_asks_for_nothing_and_runs_nothing(page: Path) -> None:
    with chromium() as browser:
        tab = browser.new_page(color_scheme="dark")
        asked: list[str] = []
        said: list[str] = []
        tab.on("request", lambda request: asked.append(request.url))
        tab.on("dialog", lambda dialog: said.append(dialog.message))
        tab.on("console", lambda message: said.append(message.text))
        tab.goto(page.as_uri())
        dark = tab.evaluate("getComputedStyle(document.body).backgroundColor")
        tab.emulate_media(color_scheme="light")
        light = tab.evaluate("getComputedStyle(document.body).backgroundColor")
        tab.emulate_media(media="print")
        printed = tab.evaluate("getComputedStyle(document.querySelector('nav')).display")
        pages = tab.pdf(format="A4").count(b"/Type /Page\n")
    assert (asked, said) == ([page.as_uri()], [])
    assert (dark, light, printed) == ("rgb(20, 23, 27)", "rgb(255, 255, 255)", "none")
    assert pages >= 1
