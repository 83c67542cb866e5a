"""What has been looked at and is no news: findings a file says to leave out, each with a reason and until when.

In TOML (or the same in YAML)::

    [[suppress]]
    rule = "d2b6…"                # id, title or file of the rule; a * stands for any text
    actor = "don:…:svcacc/7"      # likewise; so are source, tenant, src_ip and credential
    reason = "The warehouse exports every night, ticket SEC-12."
    until = 2027-01-31            # the last day it holds, UTC
"""

from __future__ import annotations

import fnmatch
import tomllib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from investigate.errors import UsageError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    from investigate.audit.findings import Finding

_MATCHED: Final = ("rule", "actor", "source", "tenant", "src_ip", "credential")
_KNOWN: Final = frozenset({*_MATCHED, "reason", "until"})
_HINT: Final = "Each [[suppress]] has a rule or an actor, a reason, and until = 2027-01-31."


@dataclass(frozen=True)
class Suppression:
    """One entry.

    Attributes:
        matches: name of what is compared, and pattern; all of them have to fit.
        reason: why.
        until: the last day it holds, UTC.
    """

    matches: tuple[tuple[str, str], ...]
    reason: str
    until: date

    def fits(self, finding: Finding) -> bool:
        """Whether it is about this finding; of several tenants, addresses or the like, about all of them."""
        return all(_fits(pattern, _values(finding, name), every=name != "rule") for name, pattern in self.matches)

    def as_row(self) -> dict[str, str]:
        """What it compares, `reason` and `until`."""
        return {**dict(self.matches), "reason": self.reason, "until": self.until.isoformat()}


@dataclass(frozen=True)
class Sorted:
    """Findings, those left out with the entry that says so, and entries that no longer hold."""

    findings: list[Finding]
    suppressed: list[tuple[Finding, Suppression]]
    expired: list[Suppression]


def read(path: str | os.PathLike[str]) -> list[Suppression]:
    """The entries of a file.

    Args:
        path: TOML, or YAML where it ends in `.yml` or `.yaml`.

    Raises:
        UsageError: it cannot be read, or an entry has no reason or no end.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8-sig")
        document = _yaml(text) if file.suffix.lower() in {".yml", ".yaml"} else tomllib.loads(text)
    except (OSError, ValueError) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:200]
        raise UsageError(f"{file} cannot be read: {reason}.", _HINT) from error
    entries = document.get("suppress") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise UsageError(f"{file} has no list of suppressions.", _HINT)
    return [_entry(entry, f"{file}, entry {at}") for at, entry in enumerate(entries, 1)]


def apply(findings: Iterable[Finding], entries: Sequence[Suppression], today: date | None = None) -> Sorted:
    """Leave out what entries that hold say.

    Args:
        findings: in their order, which stays.
        entries: those of the file.
        today: UTC; None reads the clock.
    """
    day = today or datetime.now(UTC).date()
    holding = [entry for entry in entries if entry.until >= day]
    kept: list[Finding] = []
    suppressed: list[tuple[Finding, Suppression]] = []
    for finding in findings:
        entry = next((one for one in holding if one.fits(finding)), None)
        if entry is None:
            kept.append(finding)
        else:
            suppressed.append((finding, entry))
    return Sorted(kept, suppressed, [entry for entry in entries if entry.until < day])


def _yaml(text: str) -> Any:
    import yaml  # noqa: PLC0415 - comes with pySigma, and only needed for YAML

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _entry(given: Any, where: str) -> Suppression:
    if not isinstance(given, dict):
        raise UsageError(f"{where} is no entry.", _HINT)
    if odd := sorted(set(map(str, given)) - _KNOWN):
        raise UsageError(
            f"{where} has {', '.join(odd)}, which is not known.", f"Known are {', '.join(sorted(_KNOWN))}."
        )
    for name in _MATCHED:
        if not isinstance(given.get(name, ""), str):
            raise UsageError(
                f"{where}: its {name} is no text, but {str(given[name])[:40]!r}.",
                "Put it in quotes; of several patterns each has an entry of its own.",
            )
    matches = tuple((name, given[name]) for name in _MATCHED if given.get(name))
    reason = str(given.get("reason") or "").strip()
    if not reason or not any(name in {"rule", "actor"} for name, _ in matches):
        raise UsageError(f"{where} lacks {'a reason' if not reason else 'a rule and an actor'}.", _HINT)
    return Suppression(matches, reason, _day(given, where))


def _day(given: Mapping[str, Any], where: str) -> date:
    value = given.get("until")
    if isinstance(value, datetime):
        return (value if value.tzinfo is None else value.astimezone(UTC)).date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        what = "has no end" if value is None else f"ends on {str(value)[:40]!r}, which is no day"
        raise UsageError(f"{where} {what}.", _HINT) from None


def _values(finding: Finding, name: str) -> Sequence[str]:
    """All a finding has of something; nothing, which no pattern fits, where an event of it has none."""
    match name:
        case "rule":
            return (finding.rule_id, finding.title, finding.rule_file)
        case "src_ip":
            shown = finding.src_ips
        case "credential":
            shown = finding.credentials
        case "source" | "tenant":
            shown = tuple(str(getattr(finding, name)).split(", "))
        case _:
            shown = (str(getattr(finding, name)),)
    spread = finding.spread.get(name, shown)
    return spread if name not in finding.spread or all(spread) else ()


def _fits(pattern: str, values: Sequence[str], *, every: bool) -> bool:
    """Whether values fit a pattern in which `*` stands for any text, and everything else for itself."""
    wanted = pattern.replace("[", "[[]").replace("?", "[?]")
    found = [fnmatch.fnmatchcase(value, wanted) for value in values]
    return bool(found) and (all(found) if every else any(found))
