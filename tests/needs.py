"""What some tests need that Python's packages do not bring: they skip without it, and in CI they fail."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import pytest
from playwright.sync_api import Error, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


def missing(what: str) -> NoReturn:
    """Skip the test; in CI, which sees to all that is needed, fail it."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window: the system's, else Playwright's own."""
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(args=list(FLAGS), executable_path=shutil.which("chromium"))
        except Error as error:
            missing(f"no browser: {str(error).partition(chr(10))[0]}")
        yield browser
        browser.close()


def java() -> None:
    """What Spark runs on."""
    if not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        missing("no Java, which Spark runs on")
