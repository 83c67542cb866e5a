"""What people say of events through a case."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

import investigate

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_annotations_are_a_frame_in_the_order_they_were_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVESTIGATE_OPERATOR", "ada@acme")
    case = investigate.open(tmp_path / "case")
    empty = case.annotations()
    case.annotate("devrev", "acme", "e2", "star")
    case.annotate("devrev", "acme", "e1", "tag", "exfiltration", author="bob")
    found = investigate.open(tmp_path / "case").annotations()
    assert (empty.height, empty.schema) == (0, found.schema)
    assert found.schema["time"] == pl.Datetime("us", "UTC")
    assert found.drop("time").rows() == [
        (1, "ada@acme", "devrev", "acme", "e2", "star", ""),
        (2, "bob", "devrev", "acme", "e1", "tag", "exfiltration"),
    ]
