"""The report as Markdown: a parser finds our headings and tables in it, and nothing a log wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from investigate.report.markdown import escape
from investigate.report.text import visible

from .conftest import HOSTILE, WINDOW

if TYPE_CHECKING:
    from pathlib import Path

    from investigate.case import Case

PARSER = MarkdownIt("commonmark", {"html": True}).enable("table")
ACTIVE = {"html_block", "html_inline", "link_open", "image"}


def tokens(text: str) -> list[str]:
    return [one.type for token in PARSER.parse(text) for one in (token, *(token.children or ()))]


def test_nothing_in_it_acts(case: Case, out: Path) -> None:
    path = out / "a.md"
    case.report(path, title=HOSTILE[1], question="\n".join(HOSTILE), resources=["ticket/1"], **WINDOW)
    text = path.read_text(encoding="utf-8")
    assert not ACTIVE & set(tokens(text))
    assert tokens(text).count("table_open") >= 4
    assert not [c for c in text if ord(c) < 32 and c != "\n"]
    for heading in ("Scope", "Coverage", "Findings", "Annotations", "Evidence", "Method"):
        assert f"\n## {heading}\n" in text


@given(st.text(min_size=1))
def test_any_text_is_only_text(text: str) -> None:
    found = PARSER.parse(f"a {escape(text)}")
    assert [token.type for token in found] == ["paragraph_open", "inline", "paragraph_close"]
    assert {child.type for child in found[1].children or ()} <= {"text", "text_special"}
    said = "".join(child.content for child in found[1].children or ())
    assert said.rstrip() == f"a {visible(text)}".rstrip()  # blanks at the end are none in Markdown
