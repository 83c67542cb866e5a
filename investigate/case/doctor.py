"""Is all in order: credentials, vendors, the clock, the case's folder, journal and lake; each with its remedy.

Nobody's audit log is asked for, and no credential leaves this machine.
"""

from __future__ import annotations

import platform
import shutil
import stat
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from itertools import chain, islice
from typing import TYPE_CHECKING, Final, Literal

from investigate import config
from investigate.case import versions
from investigate.errors import ConfigError, EvidenceError, InvestigateError, LakeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from investigate.case.case import Case

State = Literal["ok", "warn", "fail"]

_PACKAGES: Final = ("investigate", "duckdb", "polars", "pyarrow", "deltalake", "httpx")
_TIMEOUT: Final = 5.0
_SKEW: Final = timedelta(seconds=60)
_LITTLE, _SCARCE = 5 * 2**30, 2**28
"""Free bytes below which an acquisition may run out of space, and below which it will."""
_LOOKED_AT: Final = 10_000
_VERIFY: Final = "See what happened: investigate evidence verify"


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Attributes:
        check: what.
        state: `ok`, `warn` or `fail`.
        detail: what was seen.
        remedy: what to do; empty where nothing is to be done.
    """

    check: str
    state: State
    detail: str
    remedy: str = ""


def examine(case: Case) -> Iterator[Check]:
    """All checks, one after another.

    Args:
        case: the case looked at.
    """
    yield _versions()
    yield _sandbox()
    for vendor, address in (("devrev", case.config.devrev.base_url), ("coderabbit", case.config.coderabbit.url)):
        credential = _credential(vendor)
        yield credential
        yield from _reach(case, vendor, address, needed=credential.state == "ok")
    yield _writable(case)
    yield _permissions(case)
    yield _space(case)
    yield _ledger(case)
    yield _lake(case)
    yield from _unfinished(case)


def _versions() -> Check:
    found = [f"Python {platform.python_version()}"]
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} (not installed as a package)")
    return Check("versions", "ok", ", ".join(found))


def _sandbox() -> Check:
    if find_spec("fastapi") and find_spec("uvicorn"):
        return Check("sandbox", "ok", "installed")
    return Check("sandbox", "ok", "not installed: only demo and sandbox need it", "pip install 'investigate[sandbox]'")


def _credential(vendor: str) -> Check:
    name = f"{vendor} credential"
    try:
        config.secret(vendor)
    except ConfigError as error:
        return Check(name, "warn", error.message, error.hint)
    return Check(name, "ok", f"there is one, in {config.SECRETS[vendor][0]} or the keyring")


def _reach(case: Case, vendor: str, address: str, *, needed: bool) -> Iterator[Check]:
    """Whether the vendor's address answers at all, and what its clock says; asked without a credential."""
    from investigate.sources.http import Client  # noqa: PLC0415 - a quarter of a second that only this check needs
    from investigate.sources.retry import Again  # noqa: PLC0415

    settings = case.config.http.model_copy(update={"connect_timeout": _TIMEOUT, "read_timeout": _TIMEOUT})
    began = time.monotonic()
    try:
        with Client(address, {}, settings) as client, client.stream("/", {}) as response:
            took, seen = time.monotonic() - began, datetime.now(UTC)
            status, date = response.status_code, response.headers.get("date")
    except Again as again:
        failure: InvestigateError = again.error
    except InvestigateError as error:
        failure = error
    else:
        yield Check(f"{vendor} in reach", "ok", f"{address} answers ({status}) in {took * 1000:.0f} ms")
        yield from _clock(vendor, date, seen - timedelta(seconds=took / 2))
        return
    remedy = "Check the network, HTTPS_PROXY, and base_url in case.toml."
    wrong = isinstance(failure, ConfigError)
    yield Check(
        f"{vendor} in reach", "fail" if needed or wrong else "warn", failure.message, failure.hint if wrong else remedy
    )


def _clock(vendor: str, date: str | None, present: datetime) -> Iterator[Check]:
    """This machine's clock against a server's `Date`, which is in whole seconds."""
    try:
        theirs = parsedate_to_datetime(date or "")
    except ValueError:
        return
    if theirs.tzinfo is None:
        return
    skew = present - theirs
    detail = f"{abs(skew.total_seconds()):.0f} s {'ahead of' if skew > timedelta(0) else 'behind'} {vendor}'s"
    if abs(skew) <= _SKEW:
        yield Check(f"clock, by {vendor}", "ok", detail)
    else:
        remedy = "Set the clock (NTP): by it links expire and requests are signed."
        yield Check(f"clock, by {vendor}", "warn", detail, remedy)


def _writable(case: Case) -> Check:
    if case.writable:
        return Check("case", "ok", case.path)
    remedy = f"To collect into it, copy it: cp -r {case.path} NEW-FOLDER"
    return Check("case", "warn", f"{case.path} can only be read", remedy)


def _permissions(case: Case) -> Check:
    """Whether anyone but the owner can get at the case, and whether evidence can be written."""
    root = case.layout.root
    if _mode(root) & 0o077:
        return Check("permissions", "warn", f"{root} is open to others ({_mode(root):04o})", f"chmod 700 {root}")
    exposed = (case.layout.toml, case.layout.journal, case.layout.ledger)
    loose = [path for path in exposed if path.exists() and _mode(path) & 0o077]
    if loose:
        names = " ".join(str(path) for path in loose)
        return Check("permissions", "warn", f"open to others: {names}", f"chmod 600 {names}")
    written = [path for _, path in islice(case.evidence, _LOOKED_AT) if _mode(path) & 0o222]
    if written:
        return Check(
            "permissions", "warn", f"{len(written)} evidence files can be written", f"chmod a-w {written[0].parent}/*"
        )
    return Check("permissions", "ok", "the case is its owner's alone, and evidence is read-only")


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _space(case: Case) -> Check:
    free = shutil.disk_usage(case.layout.root).free
    detail = f"{free / 2**30:,.1f} GiB free"
    remedy = "Free some space, or move the case to another disk."
    if free < _SCARCE:
        return Check("disk", "fail", detail, remedy)
    return Check("disk", "warn" if free < _LITTLE else "ok", detail, remedy if free < _LITTLE else "")


def _ledger(case: Case) -> Check:
    """Whether ledger and journal end with the same line."""
    try:
        head, known = case.ledger.head(), case.journal.head()
        if tuple(head) == tuple(known):
            return Check("ledger", "ok", f"{head.lines} lines, as the journal has it")
        at = next((entry.sha256 for entry in case.ledger.entries() if entry.seq == known.lines), None)
    except EvidenceError as error:
        return Check("ledger", "fail", error.message, error.hint or _VERIFY)
    if head.lines > known.lines and (at == known.sha256 or not known.lines):
        remedy = "An acquisition was cut off: the next one brings it to its end."
        return Check("ledger", "warn", f"{head.lines} lines, the journal knows {known.lines}", remedy)
    return Check("ledger", "fail", f"line {known.lines} of the journal is not the ledger's: it was changed", _VERIFY)


def _lake(case: Case) -> Check:
    """Whether the lake has all that the journal knows to be written to it."""
    try:
        return Check("lake", "ok", f"version {versions.newest(case)}, with all the journal knows of")
    except LakeError as error:
        return Check("lake", "fail", error.message, error.hint)


def _unfinished(case: Case) -> Iterator[Check]:
    pending = case.journal.pending()
    cut = [row.id for row in pending if not row.alive]
    alive = [row.id for row in pending if row.alive]
    staging = case.layout.lake / ".staging"
    left = list(staging.iterdir()) if staging.is_dir() else []
    if cut:
        yield Check("cut off", "warn", ", ".join(cut), "The next acquisition brings them to their end.")
    elif left and not alive:
        yield Check("left over", "warn", f"{len(left)} staging folders", "The next acquisition removes them.")
    else:
        running = f"; under way: {', '.join(alive)}" if alive else ""
        yield Check("acquisitions", "ok", f"none was cut off{running}")
    open_ones = [one for one, _ in case.devrev.exports() if one.state == "requested"]
    if open_ones:
        ids = ", ".join(one.id for one in open_ones)
        yield Check("exports", "ok", f"{ids} wait for their link", "investigate devrev exports")


def worst(checks: list[Check]) -> State:
    """The worst state of some checks."""
    states = set(chain(["ok"], (check.state for check in checks)))
    return "fail" if "fail" in states else "warn" if "warn" in states else "ok"
