"""The tracing widgets at five million events: first paint, in a browser too, a page, an order, bytes saved; and peers.

    python tests/benchmarks/widgets.py [FOLDER] [--events N] [--peers]

The lake is made once in FOLDER (by default a temporary one) and used again. Peers: `pip install quak itables`.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import sys
import tempfile
import time
from contextlib import closing, contextmanager, redirect_stdout
from datetime import date, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

import investigate
from investigate.lake.parquet import ROW_GROUP
from investigate.lake.scratch import Scratch
from investigate.lake.table import Change
from investigate.widgets.events import PAGE, Events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from investigate.case import Case
    from tests.widgets.lab import Notebook

DAYS = 30
FIRST = date(2026, 10, 1)
OBJECT = "don:core:dvrv-us-1:devo/1:ticket/4711"
NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "2_trace.ipynb"
EVENTS = """
WITH numbers AS (SELECT i, hash(i) AS h, hash(i + 7919) AS g, hash(i * 31 + 1) AS k FROM range($low, $high) AS r (i)),
made AS (
  SELECT *, TIMESTAMPTZ '2026-10-01 00:00:00+00' + to_microseconds((i::DOUBLE / $all * 2592000e6)::BIGINT) AS time,
    floor(pow((h % 1000000) / 1e6, 2) * 400)::BIGINT AS a, floor(pow((g % 1000000) / 1e6, 3) * 200000)::BIGINT AS r
  FROM numbers)
SELECT 'evt-' || i AS event_uid, time,
  CASE WHEN k % 4 = 0 THEN 'coderabbit' ELSE 'devrev' END AS source,
  CASE WHEN k % 4 = 0 THEN 'acme-code' ELSE 'acme' END AS tenant,
  'don:identity:dvrv-us-1:devo/1:devu/' || a AS actor, 'User ' || a AS actor_name,
  'user' || a || '@acme.example' AS actor_email, CASE WHEN a % 17 = 0 THEN 'service' ELSE 'user' END AS actor_type,
  'tok-' || (a * 3 + h % 3) AS credential,
  ['works.get', 'works.list', 'works.update', 'works.create', 'works.delete', 'users.get'][1 + (g % 6)::BIGINT]
    AS action,
  'works' AS category, ['read', 'read', 'update', 'create', 'delete', 'read'][1 + (g % 6)::BIGINT] AS activity,
  'don:core:dvrv-us-1:devo/1:ticket/' || r AS resource, 'ticket' AS resource_type, 'Ticket ' || r AS resource_name,
  CASE WHEN k % 10 = 0 THEN [resource, 'don:core:dvrv-us-1:devo/1:account/' || (r % 5000)] ELSE [resource] END
    AS resources,
  '203.0.' || (a % 200) || '.' || (h % 250) AS src_ip, 'Mozilla/5.0 (X11; Linux x86_64)' AS user_agent,
  'req-' || h AS request_uid, CASE WHEN k % 50 = 0 THEN 'failure' ELSE 'success' END AS outcome,
  '{"id":"evt-' || i || '","op":' || g || ',"note":"' || repeat('x', (h % 150)::BIGINT) || '"}' AS raw,
  repeat('ab', 32) AS evidence, i AS evidence_record
FROM made ORDER BY time"""


def main() -> None:
    """Make the lake where it is not there, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path(tempfile.gettempdir()) / "investigate-widgets")
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--peers", action="store_true")
    given = parser.parse_args()
    case = investigate.open(given.folder)
    if case.lake.events.snapshot().version < 0:
        with measured("making the lake"):
            make(case, given.events)
    print(f"{case.lake.info()['events']:,} events, {case.lake.info()['bytes'] / 1e6:,.0f} MB of Parquet")
    views(case)
    grid(case)
    saved(given.folder)
    seen(case, peers=given.peers)


def make(case: Case, events: int) -> None:
    """Write the days as DuckDB makes them, by the lake's own writer, in one commit, and sum them up."""
    lake, added = case.lake, []
    with Scratch(lake.root / ".staging" / "benchmark", 4 * 2**30, lake._tables()) as scratch:
        with closing(scratch.engine()) as engine:
            for number in range(DAYS):
                ends = {"low": number * events // DAYS, "high": (number + 1) * events // DAYS, "all": events}
                rows = engine.sql(EVENTS, params=ends).select(*lake.events.file_schema.names)
                batches = rows.to_arrow_reader(ROW_GROUP)
                day = str(FIRST + timedelta(days=number))
                added.append(scratch.put(lake.events, f"date={day}/{number:02}.parquet", batches, {"date": day}))
        lake.events.transact("benchmark", lambda _: Change(added, (), {"stored": events}))
    lake.touches.catch_up()


def views(case: Case) -> None:
    """From the call a cell makes to the first paint, and to the answer, of each view; with an object, and with none."""
    for objects in ([], [OBJECT]):
        desk = investigate.open(case.path).widgets
        desk.scope.point()
        desk.scope.change(objects=objects, start=str(FIRST), end=str(FIRST + timedelta(days=DAYS)))
        print(f"\n{'every event' if not objects else 'one object'}")
        for name in ("identities", "matrix", "timeline", "pivot", "graph", "events"):
            began = time.perf_counter()
            made = getattr(desk, name)()
            with redirect_stdout(io.StringIO()):
                made._ipython_display_()  # what a cell does
            painted = time.perf_counter() - began
            made.settle()
            print(f"  {name:12} painted after {painted:6.3f} s, answered after {time.perf_counter() - began:6.3f} s")


def grid(case: Case) -> None:
    """A page from the beginning, the middle and the end of each order, and the order itself; then after a filter."""
    desk = investigate.open(case.path).widgets
    desk.scope.change(objects=[])
    events = desk.events()
    events.settle()
    print("\nthe grid, every event, its first page and then others")
    for column in ("time", "actor", "resource", "action", "event_uid", "request_uid"):
        order(events, column)
    with measured("filter: outcome is failure, first page"):
        filters = [{"column": "outcome", "operator": "is", "value": "failure"}]
        events._from_page(events, {"do": "filter", "filters": filters}, [])
        events.settle()
    with measured(f"  the {events.total:,} made a table, in a thread"):
        events._subset.pick(wait=True)
    for column in ("time", "resource", "request_uid"):
        order(events, column)


def order(events: Events, column: str) -> None:
    """Another order, the end of it, and pages of it."""
    with measured(f"order by {column}, first page"):
        events._from_page(events, {"do": "order", "column": column, "descending": False}, [])
        events.settle()
    with measured("  sorted to its end, in a thread"):
        read(events, events.total // PAGE - 1)
    for share in (0.0001, 0.5, 0.5001, 0.9999):
        page = int(events.total * share) // PAGE
        with measured(f"  page {page:,}"):
            read(events, page)


def read(events: Events, page: int) -> None:
    """One page, as the browser asks for it."""
    events._read(page, events._turn)


def saved(folder: Path) -> None:
    """Bytes of the notebook as it is saved after a run."""
    import papermill  # noqa: PLC0415 - heavy

    with tempfile.TemporaryDirectory() as empty:
        out = Path(empty) / "out.ipynb"
        print()
        with measured("the notebook, from top to bottom"):
            papermill.execute_notebook(
                str(NOTEBOOK), str(out), {"CASE": str(folder.absolute())}, progress_bar=False, log_output=False
            )
        print(f"bytes of the saved notebook: {out.stat().st_size:,}")


def seen(case: Case, *, peers: bool) -> None:
    """What a browser shows, and when: each view of the notebook; the grid and, where asked for, its peers."""
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from tests.needs import chromium  # noqa: PLC0415
    from tests.widgets.lab import Notebook, jupyterlab  # noqa: PLC0415

    cells = GRIDS if peers else {"investigate": GRIDS["investigate"]}
    with tempfile.TemporaryDirectory() as room, chromium() as browser:
        folder, state = Path(room) / "notebooks", Path(room) / "state"
        folder.mkdir()
        state.mkdir()
        with jupyterlab(folder, state, {"INVESTIGATE_CASE": str(Path(case.path).absolute())}) as lab:
            shutil.copy(NOTEBOOK, folder)
            notebook = Notebook(browser.new_page(viewport={"width": 1440, "height": 1000}))
            notebook.open(lab, NOTEBOOK.name)
            paints(notebook)
            notebook.page.close()
            print(f"\n{'':20} first rows   saved bytes   DOM nodes after 40 screens")
            for name, code in cells.items():
                book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
                book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
                nbformat.write(book, folder / f"{name}.ipynb")
                notebook = Notebook(browser.new_page(viewport={"width": 1440, "height": 1000}))
                notebook.open(lab, f"{name}.ipynb")
                print(
                    f"{name} {version(name):{19 - len(name)}} {shown(notebook, folder / f'{name}.ipynb')}", flush=True
                )
                notebook.page.close()


def paints(notebook: Notebook) -> None:
    """Each view of the notebook: from the moment its cell is run to its frame in the page, and to its answer there."""
    notebook.page.set_default_timeout(300_000)
    notebook.run()
    notebook.page.wait_for_function("() => !document.querySelector('.investigate-view[aria-busy=true]')")
    ids = [cell["id"] for cell in json.loads(NOTEBOOK.read_text())["cells"]]
    print("\nin the browser, every cell once more")
    for name in ("identities", "matrix", "timeline", "pivot", "graph", "events", "remarks"):
        painted, answered = notebook.page.evaluate(PAINTED, ids.index(name))
        print(f"  {name:12} painted after {painted / 1e3:6.3f} s, answered after {answered / 1e3:6.3f} s", flush=True)


PAINTED = """async (index) => {
  const app = window.jupyterapp, book = app.shell.currentWidget.content, cell = book.widgets[index];
  book.activeCellIndex = index;
  await book.scrollToItem(index);
  cell.outputArea.model.clear();
  const begun = performance.now();
  const when = (selector) => new Promise((done) => {
    const look = () => {
      if (!cell.node.querySelector(selector)) return;
      eyes.disconnect();
      requestAnimationFrame(() => done(performance.now() - begun));
    };
    const eyes = new MutationObserver(look);
    eyes.observe(cell.node, { childList: true, subtree: true, attributes: true });
  });
  const seen = Promise.all([when("section.investigate-view"), when("section.investigate-view[aria-busy=false]")]);
  app.commands.execute("notebook:run-cell");
  return await seen;
}"""
GRIDS = {
    "investigate": "import investigate\ninvestigate.open().widgets.events()",
    "quak": "import investigate, quak\ncase = investigate.open()\nrelation = case.events()\nquak.Widget(relation)",
    "itables": "import investigate, itables\nitables.init_notebook_mode(connected=False)\n"
    "itables.show(investigate.open().scan().collect())",
}
ROWS = ".jp-OutputArea-output :is(.sheet .row:not(.loading), tbody tr td, .table-container tbody tr)"
SCREENS = """async () => {
  const boxes = [...document.querySelectorAll('.jp-OutputArea-output *')];
  const open = (node) => [node, ...(node.shadowRoot ? [...node.shadowRoot.querySelectorAll('*')].flatMap(open) : [])];
  const all = boxes.flatMap(open);
  const box = all.filter((one) => one.scrollHeight > one.clientHeight + 50 && one.clientHeight > 100)
    .sort((a, b) => b.scrollHeight - a.scrollHeight)[0];
  for (let screen = 0; box && screen < 40; screen++) {
    box.scrollTop += box.clientHeight;
    await new Promise((done) => setTimeout(done, 250));
  }
  return [...document.querySelectorAll('.jp-OutputArea-output *')].flatMap(open).length;
}"""


def shown(notebook: Notebook, path: Path) -> str:
    """What one of them does in a browser; what it cannot do, it says."""
    page = notebook.page
    page.set_default_timeout(300_000)
    began = time.perf_counter()
    notebook.run()
    try:
        page.locator(ROWS).first.wait_for()
    except Exception as error:  # noqa: BLE001 - a peer that fails is a result
        return f"no rows: {str(error).splitlines()[0][:90]}"
    first = time.perf_counter() - began
    nodes = page.evaluate(SCREENS)
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_timeout(3_000)
    size = len(json.dumps(json.loads(path.read_text())))
    return f"{first:8.2f} s   {size:11,}   {nodes:,}"


@contextmanager
def measured(name: str) -> Iterator[None]:
    """Print how long the context took, and how long processors worked: a busy machine has them wait."""
    began, worked = time.perf_counter(), time.process_time()
    yield
    spent, work = time.perf_counter() - began, time.process_time() - worked
    print(f"{name:44} {spent:8.3f} s, {work:7.3f} s of the processors", flush=True)


if __name__ == "__main__":
    main()
