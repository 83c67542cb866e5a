"""What the incident amounts to, read from the finished streams; the client never sees it.

An event touches every object it names, whatever its outcome. Written beside the brief, for tests and demonstrations.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from investigate.sandbox import clock, incident
from investigate.sandbox.incident import Incident
from investigate.sandbox.stream import Event
from investigate.sandbox.world import Workspace


class Witness:
    """Watches a stream go by and remembers who touched what in the hours of the brief.

    Knows of the plan only what the brief says (token and hours), and the attacker's address for the event ids.
    """

    def __init__(self, found: Incident) -> None:
        self._incident = found
        self._token = found.token.don
        self._resources: set[str] = set()
        self._touched: dict[str, set[str]] = {}
        self._uids: list[str] = []

    def watch(self, events: Iterable[Event]) -> Iterator[Event]:
        """The same events, seen."""
        begin, end = self._incident.window
        for event in events:
            if begin <= event.micros < end:
                self._see(event)
            yield event

    def _see(self, event: Event) -> None:
        if event.credential is not None and event.credential.don == self._token:
            self._resources.update(thing.don for thing in event.things)
            if event.address == incident.FOREIGN:
                self._uids.append(event.uid)
        actor = event.actor.don if event.actor is not None else "unknown"
        for thing in event.things:
            self._touched.setdefault(thing.don, set()).add(actor)

    def truth(self, suspect: str, coderabbit_uids: Iterable[str]) -> dict[str, Any]:
        """The truth file.

        Args:
            suspect: Name under which CodeRabbit knows the token's owner.
            coderabbit_uids: Ids of the CodeRabbit entries of the incident.
        """
        identities = {actor for don in self._resources for actor in self._touched.get(don, ())}
        return {
            "resources": sorted(self._resources),
            "identities": sorted(identities),
            "suspects": [self._incident.owner.don, suspect],
            "event_uids": sorted([*self._uids, *coderabbit_uids]),
            "window": window(self._incident),
        }


def window(found: Incident) -> dict[str, str]:
    """The hours of the brief: half-open, UTC."""
    begin, end = found.window
    return {"start": clock.iso(begin, "seconds"), "end": clock.iso(end, "seconds")}


def brief(found: Incident, workspace: Workspace) -> dict[str, Any]:
    """The lead an investigator is given: the token's id, roughly when, and the question."""
    return {
        "tenant": workspace.don,
        "token": found.token.don,
        "window": window(found),
        "story": found.story,
    }


def write(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.touch(mode=0o600)
    partial.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)
