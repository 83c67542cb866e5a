"""How far audits have come: for each rule, the lake's version up to which it has seen everything.

An event is new to a rule by when it arrived in the lake, not by when it happened: late ones of days long audited are
seen. When it arrived is told by its evidence file, whose acquisition the journal knows; compacting changes nothing.
Of a file that another machine brought into a lake they share, the audit that first saw it is remembered.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from investigate.audit.scan import EVER, PENDING
from investigate.events import iso, parse_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from investigate.audit.ruleset import Rule
    from investigate.journal import AcquisitionRow

KEY: Final = "audit.frontier"
"""Where the journal keeps it."""
_FORMAT: Final = 1


@dataclass(frozen=True)
class Mark:
    """One audit's end.

    Attributes:
        version: of the lake, which it has seen whole …
        unfinished: … but for what these acquisitions may have put there: they were not done then.
        until: where the window it answered for ends, UTC.
    """

    version: int
    unfinished: tuple[str, ...]
    until: datetime


@dataclass(frozen=True)
class Frontier:
    """What each rule has seen.

    Attributes:
        rules: by id, its digest, which changes with what it looks for, and the mark it reached.
        foreign: of sources and evidence files that the journal does not know of, the version of the audit that first
            saw them.
    """

    rules: Mapping[str, tuple[str, Mark]] = field(default_factory=dict)
    foreign: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def since(self, rules: Iterable[Rule], version: int) -> dict[str, int]:
        """The version up to which each rule has seen everything; one that is new or was changed has seen nothing.

        Args:
            rules: of this audit.
            version: of the lake now; one below a mark is another lake, of which nothing was seen.
        """
        found = {}
        for rule in rules:
            digest, mark = self.rules.get(rule.id, ("", None))
            seen = mark is not None and digest == rule.digest and mark.version <= version
            found[rule.id] = mark.version if mark is not None and seen else EVER
        return found

    def until(self, rules: Iterable[Rule]) -> datetime | None:
        """Where the latest audit's window ended, of those that these rules took part in; None where there was none."""
        ends = [mark.until for rule in rules if rule.id in self.rules for _, mark in [self.rules[rule.id]]]
        return max(ends, default=None)

    def moved(self, rules: Iterable[Rule], mark: Mark, unseen: Iterable[tuple[str, str]] = ()) -> Frontier:
        """The frontier after an audit; that of rules which took no part stays where it is.

        Args:
            rules: of the audit.
            mark: its end.
            unseen: source and evidence file of what it saw first, without the journal knowing of it.
        """
        foreign = {**self._foreign(mark.version), **dict.fromkeys(unseen, mark.version)}
        return replace(self, rules={**self.rules, **{rule.id: (rule.digest, mark) for rule in rules}}, foreign=foreign)

    def _foreign(self, version: int) -> dict[tuple[str, str], int]:
        """What is known of this lake: an audit of a later version was one of another lake."""
        return {key: at for key, at in self.foreign.items() if at <= version}

    def arrivals(self, acquisitions: Iterable[AcquisitionRow], version: int) -> dict[tuple[str, str], int]:
        """With which version each evidence file's events arrived, by source and SHA-256.

        Args:
            acquisitions: all the journal knows.
            version: of the lake now.

        Returns:
            The latest version where several acquisitions brought new events of one file; one above `version` for those
            an earlier audit found unfinished; `PENDING` for those unfinished now. Those of other machines that were
            seen before are among them, those that were not are missing.
        """
        left = {one for _, mark in self.rules.values() for one in mark.unfinished}
        found = self._foreign(version)
        for row in acquisitions:
            if row.state == "failed" or (row.state == "done" and (row.counts is None or not row.counts.stored)):
                continue  # what the lake has of its files, somebody else has brought
            at = _arrived(row, version, left)
            for file in row.files:
                key = (row.source, str(file["sha256"]))
                found[key] = max(found.get(key, PENDING), at)
        return found

    def as_json(self) -> str:
        """As the journal keeps it; marks that several rules share stand there once."""
        marks = list(dict.fromkeys(mark for _, mark in self.rules.values()))
        listed = [{"version": m.version, "unfinished": list(m.unfinished), "until": iso(m.until)} for m in marks]
        rules = {name: [digest, marks.index(mark)] for name, (digest, mark) in self.rules.items()}
        foreign = [[at, *key] for key, at in sorted(self.foreign.items())]
        return json.dumps({"format": _FORMAT, "marks": listed, "rules": rules, "foreign": foreign}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | None) -> Frontier:
        """What `as_json` gave; of None, or of another format, that of a case never audited."""
        kept: dict[str, Any] = json.loads(text) if text else {}
        if kept.get("format") != _FORMAT:
            return cls()
        marks = [Mark(m["version"], tuple(m["unfinished"]), parse_time(m["until"])) for m in kept["marks"]]
        foreign = {(source, evidence): at for at, source, evidence in kept.get("foreign", ())}
        return cls({name: (digest, marks[at]) for name, (digest, at) in kept["rules"].items()}, foreign)


def unfinished(acquisitions: Iterable[AcquisitionRow]) -> tuple[str, ...]:
    """The ids of acquisitions whose events may be in the lake without the journal knowing since when."""
    return tuple(sorted(row.id for row in acquisitions if row.state not in {"done", "failed"} and row.files))


def _arrived(row: AcquisitionRow, version: int, left: set[str]) -> int:
    if row.state != "done" or row.lake_version is None:
        return PENDING
    if row.lake_version > version:
        return row.lake_version
    return version + 1 if row.id in left else row.lake_version
