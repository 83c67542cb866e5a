"""CodeRabbit's log in SQLite: newest first, by organisation, with the filters of the API.

On disk beside the rest of the sandbox's state, so its size does not matter to memory.
"""

import json
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from investigate.sandbox.coderabbit_world import LABELS, RESOURCE_LABELS, Entry

_LARGEST = 2**62  # SQLite's integers end a little later


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request selects. Both ends inclusive, microseconds since 1970 UTC; empty filters let all through."""

    orgs: tuple[str, ...]
    search: str = ""
    actions: tuple[str, ...] = ()
    resource_types: tuple[str, ...] = ()
    start: int | None = None
    end: int | None = None

    def where(self) -> tuple[str, list[str | int]]:
        """The condition, and the values bound to it."""
        terms, values = [_among("org", self.orgs)], list[str | int](self.orgs)
        for column, allowed in (("action", self.actions), ("resource", self.resource_types)):
            if allowed:
                terms.append(_among(column, allowed))
                values += allowed
        if self.start is not None:
            terms.append("micros >= ?")
            values.append(self.start)
        if self.end is not None:
            terms.append("micros <= ?")
            values.append(self.end)
        if self.search:
            terms.append("instr(actor, ?) > 0")
            values.append(self.search.casefold())
        return " AND ".join(terms), values


class CodeRabbitLog:
    """The entries of every organisation, shared by all requests."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._totals: dict[Asked, int] = {}
        self._database = sqlite3.connect(path, check_same_thread=False)
        self._database.executescript(
            """
            PRAGMA journal_mode = off;
            PRAGMA synchronous = off;
            CREATE TABLE entries (
                org TEXT, micros INTEGER, uid TEXT, action TEXT, resource TEXT, actor TEXT, body TEXT
            );
            CREATE TABLE options (org TEXT, field TEXT, value TEXT, count INTEGER, PRIMARY KEY (org, field, value));
            CREATE INDEX newest ON entries (org, micros DESC, uid DESC);
            """
        )

    def add(self, org: str, entries: Iterable[Entry]) -> int:
        """Add entries of an organisation; the number of them."""
        counts: dict[tuple[str, str], int] = {}

        def rows() -> Iterable[tuple[str, int, str, str, str, str, str]]:
            for entry in entries:
                for key in (("action", entry.action), ("resource", entry.resource)):
                    counts[key] = counts.get(key, 0) + 1
                body = json.dumps(entry.body, ensure_ascii=False, separators=(",", ":"))
                yield org, entry.micros, entry.uid, entry.action, entry.resource, entry.actor.casefold(), body

        with self._lock, self._database:
            self._totals.clear()
            self._database.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)", rows())
            self._database.executemany(
                "INSERT INTO options VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
                [(org, field, value, count) for (field, value), count in counts.items()],
            )
        return sum(count for (field, _), count in counts.items() if field == "action")

    def page(self, asked: Asked, number: int, size: int) -> tuple[int, list[dict[str, Any]]]:
        """How many entries match, and those of one page (from 1), newest first."""
        where, values = asked.where()
        offset = min((number - 1) * size, _LARGEST)
        with self._lock:
            if asked not in self._totals:
                count = self._database.execute(f"SELECT count(*) FROM entries WHERE {where}", values)
                (self._totals[asked],) = count.fetchone()
            total = self._totals[asked]
            # The rows before the page are passed over in the index, without looking at one of them.
            rows = self._database.execute(
                f"""
                SELECT body FROM entries WHERE rowid IN (
                    SELECT rowid FROM entries WHERE {where} ORDER BY micros DESC, uid DESC LIMIT ? OFFSET ?
                ) ORDER BY micros DESC, uid DESC
                """,
                [*values, size, offset],
            ).fetchall()
        return total, [json.loads(body) for (body,) in rows]

    def options(self, orgs: tuple[str, ...]) -> dict[str, list[dict[str, Any]]]:
        """The actions and resource types present in the organisations' log, with their counts."""
        with self._lock:
            rows = self._database.execute(
                f"SELECT field, value, sum(count) FROM options WHERE {_among('org', orgs)} "
                "GROUP BY field, value ORDER BY field, value",
                orgs,
            ).fetchall()
        labels = LABELS | RESOURCE_LABELS
        found = [(field, {"value": value, "label": labels[value], "count": count}) for field, value, count in rows]
        return {
            "actions": [option for field, option in found if field == "action"],
            "resource_types": [option for field, option in found if field == "resource"],
        }

    def newest(self, orgs: tuple[str, ...]) -> int:
        """When the newest entry was made, microseconds since 1970 UTC; 0 when there is none."""
        with self._lock:
            (micros,) = self._database.execute(
                f"SELECT max(micros) FROM entries WHERE {_among('org', orgs)}", orgs
            ).fetchone()
        return int(micros or 0)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._database.close()


def _among(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join('?' * len(values))})"
