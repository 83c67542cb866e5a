"""One tree of errors, drawn in its docstring."""

from __future__ import annotations

import re

import investigate.errors
from investigate.errors import InvestigateError, VendorError


def test_the_drawing_names_every_error_and_only_those() -> None:
    drawn = re.findall(r"([A-Z][A-Za-z]+)\s{2,}", investigate.errors.__doc__ or "")
    defined = [name for name, item in vars(investigate.errors).items() if isinstance(item, type)]
    assert sorted(drawn) == sorted(defined)


def test_an_error_is_a_cause_and_what_to_do() -> None:
    assert str(InvestigateError("It broke.", "Mend it.")) == "It broke.\nMend it."
    assert str(InvestigateError("It broke.")) == "It broke."


def test_a_vendor_error_carries_status_and_request() -> None:
    error = VendorError("no", status=403, request="GET https://host/path")
    assert (error.status, error.request) == (403, "GET https://host/path")
