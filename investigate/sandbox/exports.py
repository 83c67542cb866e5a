"""DevRev's export job: runs aside, cuts at the ingestion delay, puts the file into S3, tells the administrator.

Nothing tells the caller of the API how it went; that is how the vendor has it.
"""

import logging
import shutil
import tempfile
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Final

from investigate.sandbox import clock, containers
from investigate.sandbox.credentials import DevRevUser
from investigate.sandbox.logstore import LogStore, Selection
from investigate.sandbox.s3 import Bucket
from investigate.sandbox.settings import Container, Switches
from investigate.sandbox.updates import TABS, Notification, Updates

_log: Final = logging.getLogger(__name__)
_AT_ONCE: Final = 2


class Exporter:
    """Takes export requests and works them off in threads."""

    def __init__(
        self,
        stores: dict[str, LogStore],
        bucket: Bucket,
        updates: Updates,
        switches: Switches,
        container: Container,
        spool: Path,
    ) -> None:
        self._stores = stores
        self._bucket = bucket
        self._updates = updates
        self._switches = switches
        self._container = container
        self._spool = spool
        self._stopping = threading.Event()
        self._numbers = count(1)
        self._workers = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="export")

    def submit(self, user: DevRevUser, selection: Selection) -> None:
        """Take a request; returns at once."""
        self._workers.submit(self._run, next(self._numbers), user, selection).add_done_callback(_report)

    def stop(self) -> None:
        """Give up what has not begun and wait for what has."""
        self._stopping.set()
        self._workers.shutdown(cancel_futures=True)

    def _run(self, number: int, user: DevRevUser, selection: Selection) -> None:
        if self._stopping.wait(self._switches.export_delay):
            return
        folder = Path(tempfile.mkdtemp(prefix=f"export-{number}-", dir=self._spool))
        try:
            store = self._stores[user.workspace]
            path = folder / containers.name(self._container)
            entries = containers.pack(self._container, store.read(self._ready(store, selection)), path)
            key = f"exports/devo={user.workspace}/{number:06d}/{path.name}"
            heard = not (self._switches.muted or self._switches.computer_sku)  # before anybody can see the file
            self._bucket.upload(path, key, containers.CONTENT_TYPES[self._container])
        finally:
            shutil.rmtree(folder)
        _log.info("export %d of %s: %d entries in %s", number, user.workspace, entries, key)
        if heard:
            self._notify(number, user, selection, key)

    def _ready(self, store: LogStore, selection: Selection) -> Selection:
        """The selection without what the vendor has not taken in yet."""
        horizon = clock.now() - int(self._switches.ingestion_delay * clock.SECOND)
        start, end = store.bounds(selection.start, min(selection.end, horizon))
        return replace(selection, start=start, end=end)

    def _notify(self, number: int, user: DevRevUser, selection: Selection, key: str) -> None:
        lifetime = self._switches.link_lifetime
        link, expires = self._bucket.link(key, lifetime)
        start, end = clock.iso(selection.start), clock.iso(selection.end)
        self._updates.add(
            Notification(
                workspace=user.workspace,
                recipient=user.don,
                tab=TABS[(number - 1) % len(TABS)],  # the vendor says: under Important or Others
                kind="audit_log_export",
                title="Your audit log export is ready",
                text=f"The audit logs from {start} to {end} can be downloaded. The link expires after "
                f"{_duration(lifetime)}.",
                created=clock.now(),
                link=link,
                expires=expires,
                export={
                    "from": start,
                    "to": end,
                    "categories": sorted(selection.categories),
                    "operation_types": sorted(selection.operation_types),
                    "users": sorted(selection.users),
                },
            )
        )


def _duration(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    return f"{hours} hours" if hours and not rest else f"{seconds} seconds"


def _report(future: "Future[None]") -> None:
    if not future.cancelled() and (error := future.exception()) is not None:
        _log.error("an export failed", exc_info=error)
