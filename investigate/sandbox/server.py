"""The life of a sandbox: state, rclone, the HTTP server, one line to say where all is, an end that leaves nothing.

Logs go to standard error and are quiet by default; standard output carries the one line.
"""

import contextlib
import json
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request

from investigate.sandbox import catalogue, clock, coderabbit, credentials, devrev, gateway, truth, updates
from investigate.sandbox.exports import Exporter
from investigate.sandbox.limits import RateLimit
from investigate.sandbox.prepare import MAIN, MAIN_ORG, OTHER, OTHER_ORG, Prepared, prepare
from investigate.sandbox.s3 import BUCKET, Bucket, S3Server
from investigate.sandbox.settings import Settings
from investigate.sandbox.updates import Notification, Updates

_log: Final = logging.getLogger(__name__)
_MARKER: Final = ".investigate-sandbox"
_GRACE: Final = 2


class DirectoryInUse(RuntimeError):
    """The folder given for the state holds something that is not a sandbox's."""


def run(settings: Settings) -> None:
    """Serve until a signal, or until standard input closes when the settings say so.

    Raises:
        DirectoryInUse: The folder of the settings holds something else.
        S3Failed: rclone is missing or did not start.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO if settings.verbose else logging.WARNING)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    if settings.exit_with_parent:
        threading.Thread(target=_leave_at_end_of_input, name="standard input", daemon=True).start()
    with state(settings) as folder:
        for name in ("s3", "spool"):
            (folder / name).mkdir()
        # First of all: its keeper removes the folder should this process be killed while it makes the world.
        keys = tuple(credentials.s3_key(settings.seed, role) for role in ("vendor", "visitor"))
        doomed = folder if settings.directory is None else None
        s3 = S3Server(folder / "s3", settings.host, settings.s3_port, keys, doomed)
        try:
            prepared = prepare(settings, folder)
            for path, content in ((settings.truth, prepared.truth), (settings.brief, prepared.brief)):
                if path is not None:
                    truth.write(path, content)
            _serve(settings, prepared, folder, s3.url)
        finally:
            _ignore_signals()
            s3.stop()


def _serve(settings: Settings, prepared: Prepared, folder: Path, s3_url: str) -> None:
    bucket, panel = Bucket(s3_url, credentials.s3_key(settings.seed, "vendor")), Updates()
    exporter = Exporter(prepared.stores, bucket, panel, settings.switches, settings.container, folder / "spool")
    listener = socket.create_server((settings.host, settings.port))
    url = f"http://{settings.host}:{listener.getsockname()[1]}"
    line = ready_line(settings, prepared, url, s3_url)
    app = build_app(settings, prepared, exporter, panel, lambda: _say(line))
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=_GRACE)
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        _ignore_signals()
        exporter.stop()
        bucket.close()
        prepared.entries.close()


def build_app(
    settings: Settings, prepared: Prepared, exporter: Exporter, panel: Updates, ready: Callable[[], None]
) -> FastAPI:
    """The application: both vendors, the Updates panel and the switches.

    Args:
        settings: Limits and switches.
        prepared: The world.
        exporter: What runs DevRev's export jobs.
        panel: Where notifications are shown.
        ready: Called once it is about to take requests.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        ready()
        yield

    switches = settings.switches
    app = FastAPI(
        title="investigate sandbox",
        version="1",
        description="DevRev's audit log export and CodeRabbit's audit log on this machine, with a planted incident.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    _mention(panel, prepared)
    arrivals = coderabbit.Arrivals(prepared.entries, prepared.maker, switches, settings.seed)
    app.include_router(
        devrev.router(prepared.users.values(), exporter, RateLimit(settings.devrev_rate_window), switches)
    )
    app.include_router(
        coderabbit.router(
            tuple(prepared.keys.values()),
            prepared.entries,
            arrivals,
            prepared.window,
            RateLimit(settings.rate_window),
            switches,
        )
    )
    app.include_router(updates.router(panel, {MAIN.key: MAIN.name, OTHER.key: OTHER.name}))
    app.include_router(gateway.router(switches))
    app.add_middleware(gateway.Gateway, switches=switches)
    app.add_exception_handler(HTTPException, gateway.no_such_route)

    @app.exception_handler(devrev.Refused)
    async def _devrev_refused(_request: Request, refused: devrev.Refused) -> JSONResponse:
        return devrev.response(refused)

    @app.exception_handler(coderabbit.Refused)
    async def _coderabbit_refused(_request: Request, refused: coderabbit.Refused) -> JSONResponse:
        return coderabbit.response(refused)

    gateway.describe(app)
    return app


def ready_line(settings: Settings, prepared: Prepared, url: str, s3_url: str) -> dict[str, Any]:
    """Where everything is and what opens it. `window` is half-open and holds the whole log."""
    users, keys, visitor = prepared.users, prepared.keys, credentials.s3_key(settings.seed, "visitor")
    begin, last = prepared.window
    return {
        "devrev_url": url,
        "coderabbit_url": url,
        "coderabbit_eu_url": url,
        "s3_url": s3_url,
        "s3_bucket": BUCKET,
        "s3_access_key": visitor.access,
        "s3_secret_key": visitor.secret,
        "s3_log_prefix": f"log/devo={MAIN.key}/",
        "updates_url": f"{url}/updates",
        "notifications_url": f"{url}/updates.json",
        "switch_url": f"{url}/sandbox/switch",
        "org": MAIN.slug,
        "tenant": MAIN.don,
        "other_tenant": OTHER.don,
        "other_notifications_url": f"{url}/updates.json?workspace={OTHER.key}",
        "devrev_token": users["admin"].token,
        "devrev_second_token": users["second-admin"].token,
        "devrev_member_token": users["member"].token,
        "devrev_other_token": users["other-admin"].token,
        "coderabbit_org": MAIN_ORG,
        "coderabbit_other_org": OTHER_ORG,
        "coderabbit_key": keys["admin"].key,
        "coderabbit_workspace_key": keys["workspace"].key,
        "coderabbit_other_key": keys["other"].key,
        "coderabbit_member_key": keys["member"].key,
        "coderabbit_legacy_key": keys["legacy"].key,
        "events": settings.events,
        "coderabbit_events": settings.coderabbit_events,
        "window": {"start": clock.iso(begin, "seconds"), "end": clock.iso(last + clock.SECOND, "seconds")},
        "brief": prepared.brief,
    }


def _mention(panel: Updates, prepared: Prepared) -> None:
    """What an administrator's panel holds anyway; one of the titles is hostile."""
    admin = prepared.users["admin"]
    for tab, title in zip(
        updates.TABS, (catalogue.HOSTILE_TITLES[0], "You were added to the group Admins"), strict=True
    ):
        panel.add(Notification(MAIN.key, admin.don, tab, "mention", title, "Sent by DevRev Bot.", prepared.window[1]))


@contextlib.contextmanager
def state(settings: Settings) -> Iterator[Path]:
    """The folder of the state: the one asked for, emptied of an earlier run, or a temporary one that is removed.

    Raises:
        DirectoryInUse: The one asked for holds something else.
    """
    if settings.directory is None:
        folder = Path(tempfile.mkdtemp(prefix="investigate-sandbox-"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return
    folder = settings.directory
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if any(folder.iterdir()) and not (folder / _MARKER).exists():
        raise DirectoryInUse(f"{folder} is not empty and holds no sandbox: give another --dir")
    for name in ("s3", "spool"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "coderabbit.db").unlink(missing_ok=True)
    (folder / _MARKER).touch()
    yield folder


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


def _ignore_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def _leave_at_end_of_input() -> None:
    # Not through sys.stdin: its lock, held here, would stop the interpreter from ending in order.
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    os.kill(os.getpid(), signal.SIGTERM)
