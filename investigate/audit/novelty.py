"""What Sigma cannot say: that something was not seen before, or not for long. A rule has an attribute for it.

In the rule's YAML, beside `detection`, which still has to fit the event::

    investigate:
      first_seen: [credential, src_ip]   # this combination was not met in the baseline …
      given: [credential]                # … though this was, at least `settled` earlier; optional
      baseline: 30d                      # how far back "before" reaches; 30d
      settled: 1d                        # 1d
      learn: 7d                          # a source younger than this is not judged; 7d
      lasts: 1d                          # events so long after the first count as well; 0s: those of that instant

    investigate:
      dormant: [actor]                   # met before, but not for …
      silence: 30d
      lasts: 1d

Keys are canonical columns; `time|hour` is the hour of the day in UTC, `src_ip|network` the /24 or /48 of an address.
Nothing is compared over sources or tenants.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from investigate.audit.matching import Untranslatable, address
from investigate.events import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping

_SPAN: Final = re.compile(r"(\d{1,5})([smhdw])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DAY: Final = timedelta(days=1)
_YEAR: Final = timedelta(days=366)
_KNOWN: Final = frozenset({"first_seen", "given", "baseline", "settled", "learn", "lasts", "dormant", "silence"})
_HOUR_KEY, _NETWORK_KEY = "time|hour", "src_ip|network"


@dataclass(frozen=True)
class Novelty:
    """What a rule's `investigate` attribute says.

    Attributes:
        keys: what is looked at together.
        given: what has to be known already.
        dormant: whether it has to have been met before the silence.
        baseline: how far back "before" reaches, or how long the silence is.
        settled: how long what is given has to be known.
        learn: how old a source's log has to be.
        lasts: for how long what is new stays new.
    """

    keys: tuple[str, ...]
    given: tuple[str, ...] = ()
    dormant: bool = False
    baseline: timedelta = timedelta(days=30)
    settled: timedelta = _DAY
    learn: timedelta = timedelta(days=7)
    lasts: timedelta = timedelta(0)

    @property
    def reach(self) -> timedelta:
        """How far before an event its history is needed."""
        return _YEAR if self.dormant else self.baseline + self.lasts

    def table(self, since: str, until: str, events: str = "events") -> str:
        """A query for what was new: `source`, `tenant`, `k0` … as events have them, and `new_at`, each time it was.

        Each day's first and last time of a combination is enough, as no baseline is shorter than a day; where all its
        days are closer together than that, the first of them is.

        Args:
            since: expression of the time the history begins.
            until: likewise, where it ends.
            events: what it is looked up in.
        """
        keys = [f"k{at}" for at, _ in enumerate(self.keys)]
        names = ", ".join(["source", "tenant", *keys])
        taken = ", ".join(f"{_taken(key)} AS {name}" for key, name in zip(self.keys, keys, strict=True))
        some = " AND ".join(f"{name} IS NOT NULL" for name in keys)
        gap = f"new_at - seen > {_interval(self.baseline)}"
        condition = f"seen IS NOT NULL AND {gap}" if self.dormant else f"(seen IS NULL OR {gap})"
        short = f"SELECT {names}, new_at, NULL::TIMESTAMPTZ AS seen FROM ends WHERE NOT apart UNION ALL "
        return f"""
WITH met AS (
  SELECT {names}, date, min(time) AS first_at, max(time) AS last_at
  FROM (SELECT source, tenant, date, time, {taken} FROM {events} WHERE time >= {since} AND time < {until})
  GROUP BY {names}, date),
named AS ({self._named(keys)}),
days AS (SELECT {names}, date, first_at AS new_at, last_at FROM named WHERE {some}),
ends AS (
  SELECT {names}, min(new_at) AS new_at, max(last_at) - min(new_at) > {_interval(self.baseline)} AS apart
  FROM days GROUP BY {names}),
gaps AS ({"" if self.dormant else short}
  SELECT {names}, new_at, lag(last_at) OVER (PARTITION BY {names} ORDER BY date) AS seen
  FROM days SEMI JOIN (FROM ends WHERE apart) AS far USING ({names})),
begun AS (SELECT source, tenant, min(time) AS begun FROM {events} GROUP BY source, tenant){self._known()},
new AS (
  SELECT {", ".join(f"gaps.{name}" for name in ["source", "tenant", *keys])}, new_at
  FROM gaps JOIN begun ON begun.source = gaps.source AND begun.tenant = gaps.tenant{self._joined()}
  WHERE {condition} AND new_at >= begun + {_interval(self.learn)})
{self._as_met(keys) if _NETWORK_KEY in self.keys else "FROM new"}"""

    def _named(self, keys: list[str]) -> str:
        """What was met on each day, by what makes two the same."""
        if _NETWORK_KEY not in self.keys:
            return "FROM met"
        alike = [f"{_alike(key, name)} AS {name}" for key, name in zip(self.keys, keys, strict=True)]
        columns = ", ".join(["source", "tenant", *alike, "date", "first_at", "last_at"])
        names = ", ".join(["source", "tenant", *keys, "date"])
        return (
            f"SELECT {names}, min(first_at) AS first_at, max(last_at) AS last_at"
            f" FROM (SELECT {columns} FROM met) GROUP BY {names}"
        )

    def changed(self, table: str, before: str) -> str:
        """A query for the days of events that join a row of `table`, of which `before` has none."""
        names = ", ".join(["source", "tenant", *(f"k{at}" for at, _ in enumerate(self.keys)), "new_at"])
        days = f"generate_series(date_trunc('day', new_at), new_at + {_interval(self.lasts)}, INTERVAL 1 DAY)"
        return f"SELECT DISTINCT CAST(unnest({days}) AS DATE) FROM {table} ANTI JOIN {before} USING ({names})"

    def fits(self, table: str) -> str:
        """The condition under which an event joins a row of `table`."""
        keys = [f"{table}.k{at} = {_taken(key)}" for at, key in enumerate(self.keys)]
        same = [f"{table}.{name} = events.{name}" for name in ("source", "tenant")]
        span = f"time >= {table}.new_at AND time <= {table}.new_at + {_interval(self.lasts)}"
        return " AND ".join([*same, *keys, span])

    def _known(self) -> str:
        if not self.given:
            return ""
        names = ", ".join(["source", "tenant", *(f"k{self.keys.index(key)}" for key in self.given)])
        return f",\nknown AS (SELECT {names}, min(first_at) AS known_at FROM named GROUP BY {names})"

    def _joined(self) -> str:
        if not self.given:
            return ""
        names = ["source", "tenant", *(f"k{self.keys.index(key)}" for key in self.given)]
        same = " AND ".join(f"known.{name} = gaps.{name}" for name in names)
        return f"\n  JOIN known ON {same} AND known_at <= new_at - {_interval(self.settled)}"

    def _as_met(self, keys: list[str]) -> str:
        """What was new, as events have it: a network by each of its addresses."""
        names = ["source", "tenant", *keys]
        same = [f"met.{name} = new.{name}" for name in names[:2]]
        same += [f"{_alike(key, f'met.{name}')} = new.{name}" for key, name in zip(self.keys, keys, strict=True)]
        listed = ", ".join(f"met.{name}" for name in names)
        return (
            f"SELECT DISTINCT {listed}, new_at FROM new JOIN met ON {' AND '.join(same)}"
            f" AND met.last_at >= new_at AND met.first_at <= new_at + {_interval(self.lasts)}"
        )


def parse(attribute: Any) -> Novelty | None:
    """What a rule's `investigate` attribute says; None where it has none.

    Raises:
        Untranslatable: it says something that is not known.
    """
    if attribute is None:
        return None
    if not isinstance(attribute, dict) or (odd := sorted(set(map(str, attribute)) - _KNOWN)):
        what = ", ".join(odd) if isinstance(attribute, dict) else "no mapping"
        raise Untranslatable(f"its attribute investigate has {what}; known are {', '.join(sorted(_KNOWN))}")
    dormant = "dormant" in attribute
    if dormant == ("first_seen" in attribute):
        raise Untranslatable("its attribute investigate needs either first_seen or dormant")
    keys = _keys(attribute["dormant" if dormant else "first_seen"])
    given = _keys(attribute["given"]) if "given" in attribute else ()
    if not set(given) <= set(keys):
        raise Untranslatable("what is given has to be part of what is first seen")
    spans = {name: _span(attribute, name) for name in ("settled", "learn", "lasts") if name in attribute}
    long = "silence" if dormant else "baseline"
    if long in attribute:
        spans["baseline"] = _span(attribute, long)
    if spans.get("baseline", _DAY) < _DAY:
        raise Untranslatable(f"its {long} is shorter than a day")
    return Novelty(keys, given, dormant=dormant, **spans)


def _taken(key: str) -> str:
    """What of an event a key is about."""
    return {_HOUR_KEY: "hour(time)", _NETWORK_KEY: "src_ip"}.get(key, key)


def _alike(key: str, value: str) -> str:
    """What makes two of these the same."""
    if key != _NETWORK_KEY:
        return value
    return f"left({address(value)}, CASE WHEN contains({value}, ':') THEN 12 ELSE 6 END)"


def _keys(given: Any) -> tuple[str, ...]:
    names = tuple(given) if isinstance(given, list) else (given,)
    for name in names:
        column = COLUMNS.get(str(name))
        if name not in {_HOUR_KEY, _NETWORK_KEY} and (column is None or column[0] != "string"):
            raise Untranslatable(f"{name!r} is no column of text, nor time|hour or src_ip|network")
    return names


def _span(attribute: Mapping[str, Any], name: str) -> timedelta:
    found = _SPAN.fullmatch(str(attribute[name]))
    if found is None:
        raise Untranslatable(f"its {name} is no span such as 7d or 12h")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _interval(span: timedelta) -> str:
    return f"to_microseconds({span // timedelta(microseconds=1)})"
