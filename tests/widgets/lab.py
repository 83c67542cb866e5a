"""A real JupyterLab and a real browser: a server of its own, a page that says what it asked whom for."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe

from tests.shared import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator, Page

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
_QUIET = Path("@jupyterlab/apputils-extension/notification.jupyterlab-settings")
PATIENCE = 60_000
"""Milliseconds; a kernel starts slowly on a busy machine."""
_READY = """async () => {
  const context = window.jupyterapp.shell.currentWidget.sessionContext;
  await context.ready;
  await context.session.kernel.info;
}"""
_RUN = "() => window.jupyterapp.commands.execute('notebook:run-all-cells')"


@dataclass(frozen=True)
class Lab:
    """A JupyterLab that runs.

    Attributes:
        url: of the server.
        token: that opens it.
        folder: where its notebooks lie.
    """

    url: str
    token: str
    folder: Path


@contextmanager
def jupyterlab(folder: Path, state: Path, environment: dict[str, str], *command: str) -> Iterator[Lab]:
    """JupyterLab on a folder of notebooks, with settings of its own, until the context ends.

    Args:
        folder: of the notebooks.
        state: an empty folder for settings and the like.
        environment: added to this process's.
        command: instead of JupyterLab, for example `voila` and a notebook.
    """
    port, token = free_port(), secrets.token_hex(16)
    (state / "settings" / _QUIET.parent).mkdir(parents=True)
    (state / "settings" / _QUIET).write_text('{"fetchNews": "false"}')
    kept = {"CONFIG": "JUPYTER_CONFIG_DIR", "RUNTIME": "JUPYTER_RUNTIME_DIR"}
    kept |= {"settings": "JUPYTERLAB_SETTINGS_DIR", "workspaces": "JUPYTERLAB_WORKSPACES_DIR"}
    own = {name: str(state / below) for below, name in kept.items()}
    lab = [
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        f"--ServerApp.root_dir={folder}",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={token}",
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
    ]
    arguments = [one.format(port=port) for one in command] or lab
    log = (state / "server.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        stdout=log,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **own, **environment},
    )
    try:
        yield Lab(_answering(port, process, state / "server.log"), token, folder)
    finally:
        process.terminate()
        process.wait(timeout=30)
        log.close()


def _answering(port: int, process: subprocess.Popen[Any], log: Path) -> str:
    """The address of a server, once it listens; a request to Voila's would run the whole notebook."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return f"http://127.0.0.1:{port}"
    raise AssertionError(log.read_text())


@dataclass
class Notebook:
    """A notebook in a browser.

    Attributes:
        page: the browser's page.
        requests: every address that was asked for.
        faults: what the page complained of.
    """

    page: Page
    requests: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def open(self, lab: Lab, name: str) -> None:
        """Open a notebook, until its kernel is there."""
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.set_default_timeout(PATIENCE)
        self.page.goto(f"{lab.url}/lab/tree/{name}?token={lab.token}&reset")
        self.page.wait_for_selector(".jp-Notebook .jp-Cell")
        self.page.wait_for_function("() => window.jupyterapp")
        self.page.evaluate(_READY)

    def run(self) -> None:
        """Run all cells, until the last has run."""
        self.page.evaluate(_RUN)

    def restart(self) -> None:
        """Another kernel, which knows nothing of the first, and all cells again."""
        self.page.evaluate("() => void window.jupyterapp.commands.execute('kernelmenu:restart')")
        self.page.locator(".jp-Dialog .jp-mod-accept").click()
        self.page.evaluate(_READY)
        self.run()

    def view(self, title: str) -> Locator:
        """A view by its heading."""
        named = self.page.get_by_role("heading", name=title, exact=True)
        return self.page.locator("section.investigate-view").filter(has=named)

    def serious(self, within: str) -> list[str]:
        """What axe-core finds inside a selector that is serious or critical."""
        found = Axe().run(self.page, context={"include": [[within]]}).response["violations"]
        return [
            f"{one['id']}: {node['html'][:200]}"
            for one in found
            if one["impact"] in {"serious", "critical"}
            for node in one["nodes"]
        ]

    def shots(self, name: str, within: str) -> None:
        """Pictures of all that fits a selector, in both themes and two widths, where `$INVESTIGATE_SHOTS` says."""
        folder = os.environ.get("INVESTIGATE_SHOTS")
        if not folder:
            return
        for theme in ("Light", "Dark"):
            self.theme(f"JupyterLab {theme}")
            for width in (1440, 1024):
                self.page.set_viewport_size({"width": width, "height": 1000})
                for number, one in enumerate(self.page.locator(within).all()):
                    one.scroll_into_view_if_needed()
                    one.screenshot(path=str(Path(folder) / f"{name}-{theme}-{width}-{number}.png"))
        self.page.set_viewport_size({"width": 1440, "height": 1000})
        self.theme("JupyterLab Light")

    def strangers(self, lab: Lab) -> list[str]:
        """Requests to any other host; a page's own data and blobs leave no machine."""
        own = urlsplit(lab.url).netloc
        schemes = ("data", "blob")
        return [url for url in self.requests if urlsplit(url).scheme not in schemes and urlsplit(url).netloc != own]

    def theme(self, name: str) -> None:
        """`JupyterLab Light` or `JupyterLab Dark`."""
        self.page.evaluate("name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})", name)
        self.page.wait_for_function("name => document.body.dataset.jpThemeName === name", arg=name)
