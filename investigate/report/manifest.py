"""A bundle's manifest as it comes from elsewhere: read, and nothing in it believed to be of the type it should have."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from investigate.errors import EvidenceError
from investigate.report.bundle import FORM, MANIFEST

NO_BUNDLE: Final = "Only what `investigate bundle` made can be checked."
_NEWER: Final = "Check it with the version of investigate that made it."
_SHOWN: Final = 80
_Kind = TypeVar("_Kind")


@dataclass(frozen=True)
class Manifest:
    """What a manifest says.

    Attributes:
        head: how many lines the ledger has, and the SHA-256 of the last.
        ledger: whether it says that the ledger is inside.
        listed: SHA-256 of the evidence, and whether it says that the file is inside.
        redacted: what was taken out, in words; empty: nothing.
        events: how many there are.
        facts: all of it, for what reads the evidence.
    """

    head: tuple[int, str]
    ledger: bool
    listed: dict[str, bool]
    redacted: str
    events: int
    facts: dict[str, Any]

    @property
    def rests(self) -> bool:
        """Whether it says that it rests on anything that a ledger names."""
        return bool(self.head[0] or self.ledger or self.listed)


def read(data: bytes) -> Manifest:
    """A manifest from its bytes.

    Raises:
        EvidenceError: it is none, or one of another form.
    """
    try:
        facts = _of(dict, json.loads(data), "it")
        if facts["form"] != FORM:
            raise EvidenceError(f"The bundle has another form: {str(facts['form'])[:_SHOWN]!r}.", _NEWER)
        _settings(facts)
        head = _of(dict, facts["ledger"], "ledger")
        evidence = [_of(dict, one, "evidence") for one in _of(list, facts["evidence"], "evidence")]
        return Manifest(
            head=(_of(int, head["lines"], "lines"), _of(str, head["sha256"], "sha256")),
            ledger=_of(bool, head.get("included", False), "included"),
            listed={_of(str, one["sha256"], "sha256"): _of(bool, one["included"], "included") for one in evidence},
            redacted=_of(str, facts["redacted"] or "", "redacted"),
            events=_of(int, facts["events"], "events"),
            facts=facts,
        )
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise EvidenceError(f"{MANIFEST} is none of ours: {error!r}.", NO_BUNDLE) from error


def _settings(facts: dict[str, Any]) -> None:
    """Insist on the types of what says how the evidence was read; a redacted bundle does not say it."""
    for name, version in _of(dict, facts.get("tool") or {}, "tool").items():
        _of(str, version, f"tool {name}")
    for name, settings in _of(dict, facts.get("profiles") or {}, "profiles").items():
        _of(dict, settings, f"profile {name}")
    longest = facts.get("max_record")
    if longest is not None and _of(int, longest, "max_record") < 1:
        raise ValueError(f"max_record is {longest}")


def _of(kind: type[_Kind], value: object, what: str) -> _Kind:
    """A value that must be of a type; `true` is no number."""
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError(f"{what[:_SHOWN]} is {repr(value)[:_SHOWN]}, no {kind.__name__}")
    return value
