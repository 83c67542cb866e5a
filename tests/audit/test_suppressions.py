"""Suppressions: a reason and an end are not optional, and what has ended is named."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from investigate.audit import suppressions
from investigate.audit.findings import Finding
from investigate.errors import UsageError

from .made import START, event, rule, scan, written

if TYPE_CHECKING:
    from pathlib import Path

TODAY = date(2026, 11, 22)


def finding(**given: object) -> Finding:
    base: dict[str, object] = {
        "rule_id": "r1",
        "title": "T [x]",
        "severity": "high",
        "source": "devrev",
        "tenant": "acme",
    }
    base |= {"actor": "ann", "events": 1, "event_uids": ("e1",), "first": START, "last": START + timedelta(hours=1)}
    return Finding(**(base | given))  # type: ignore[arg-type]


def entries(folder: Path, text: str, name: str = "s.toml") -> list[suppressions.Suppression]:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return suppressions.read(path)


def test_an_entry_holds_to_its_last_day_and_is_named_afterwards(tmp_path: Path) -> None:
    (entry,) = entries(tmp_path, '[[suppress]]\nrule = "r1"\nactor = "an*"\nreason = "known"\nuntil = 2026-11-22\n')
    held = suppressions.apply([finding(), finding(actor="ben")], [entry], TODAY)
    assert [one.actor for one in held.findings] == ["ben"]
    assert held.suppressed == [(finding(), entry)]
    after = suppressions.apply([finding()], [entry], TODAY + timedelta(days=1))
    assert (after.findings, after.expired) == ([finding()], [entry])


@pytest.mark.parametrize(
    ("what", "fits"),
    [
        ('rule = "T [x]"', True),
        ('rule = "T *"', True),
        ('rule = "T ?x]"', False),
        ('rule = "r1"\nsource = "coderabbit"', False),
        ('rule = "r1"\nsrc_ip = "10.*"', False),
        ('rule = "r1"\nsrc_ip = "1*.*"', True),
        ('actor = "ANN"', False),
    ],
)
def test_all_that_an_entry_says_has_to_fit(tmp_path: Path, what: str, fits: bool) -> None:
    (entry,) = entries(tmp_path, f'[[suppress]]\n{what}\nreason = "known"\nuntil = 2027-01-01\n')
    assert entry.fits(finding(src_ips=("10.0.0.1", "192.0.2.1"))) is fits


@pytest.mark.parametrize(
    ("given", "field", "pattern", "fits"),
    [
        ([f"10.0.0.{at}" for at in range(60)], "src_ip", "10.*", True),
        ([*(f"10.0.0.{at}" for at in range(60)), "203.0.113.66"], "src_ip", "10.*", False),
        (["10.0.0.1", None], "src_ip", "10.*", False),
        (["10.0.0.1", None], "src_ip", "*", False),
        ([None], "src_ip", "*", False),
        ([*(f"a{at:02}" for at in range(60)), "b"], "credential", "a*", False),
        (["a", None], "credential", "a", False),
    ],
)
def test_an_entry_covers_every_event_of_a_finding(
    tmp_path: Path, given: list[str | None], field: str, pattern: str, fits: bool
) -> None:
    events = [event(timedelta(minutes=at), action="get", **{field: one}) for at, one in enumerate(given)]
    rules = written(tmp_path, rule({"s": {"action": "get"}, "condition": "s"}))
    (found,) = scan(events, rules).findings
    (entry,) = entries(tmp_path, f'[[suppress]]\nrule = "t"\n{field} = "{pattern}"\nreason = "x"\nuntil = 2027-01-01\n')
    assert found.events == len(given)
    assert entry.fits(found) is fits


@pytest.mark.parametrize(
    ("tenants", "pattern", "fits"),
    [
        (("prod", "zzz-other"), "prod*", False),
        (("prod", "prod-eu"), "prod*", True),
        (tuple(f"prod{at:02}" for at in range(60)), "prod*", True),
        ((*(f"prod{at:02}" for at in range(60)), "zzz"), "prod*", False),
    ],
)
def test_an_entry_about_a_tenant_covers_no_other(
    tmp_path: Path, tenants: tuple[str, ...], pattern: str, fits: bool
) -> None:
    base = {**rule({"s": {"action": "get"}, "condition": "s"}), "name": "base"}
    several = {"type": "event_count", "rules": ["base"], "group-by": ["action"], "timespan": "1h"}
    both = {"title": "both", "correlation": {**several, "condition": {"gte": 2}}}
    events = [event(timedelta(seconds=at), action="get", tenant=one) for at, one in enumerate(tenants)]
    (found,) = scan(events, written(tmp_path, base, both)).findings
    (entry,) = entries(
        tmp_path, f'[[suppress]]\nrule = "both"\ntenant = "{pattern}"\nreason = "x"\nuntil = 2027-01-01\n'
    )
    assert sorted(found.places) == sorted(("devrev", tenant) for tenant in tenants)
    assert entry.fits(found) is fits
    joined = finding(rule_id="both", tenant=", ".join(tenants))
    assert entry.fits(joined) is fits


@pytest.mark.parametrize(
    ("until", "day"),
    [
        ("2026-11-22T22:00:00-05:00", date(2026, 11, 23)),
        ("2026-11-22T01:00:00+09:00", date(2026, 11, 21)),
        ("2026-11-22T23:59:00Z", date(2026, 11, 22)),
        ("2026-11-22T23:59:00", date(2026, 11, 22)),
    ],
)
def test_an_end_with_a_time_is_that_of_its_zone(tmp_path: Path, until: str, day: date) -> None:
    (toml,) = entries(tmp_path, f'[[suppress]]\nrule = "r1"\nreason = "known"\nuntil = {until}\n')
    (yaml,) = entries(tmp_path, f"suppress:\n- {{rule: r1, reason: known, until: {until}}}\n", "s.YAML")
    assert (toml.until, yaml.until) == (day, day)


def test_yaml_says_the_same(tmp_path: Path) -> None:
    (entry,) = entries(tmp_path, "suppress:\n- {rule: r1, reason: known, until: 2027-01-01}\n", "s.yml")
    assert entry.until == date(2027, 1, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[suppress]]\nrule = "r"\nuntil = 2027-01-01\n', "a reason"),
        ('[[suppress]]\nrule = "r"\nreason = "x"\n', "no end"),
        ('[[suppress]]\nrule = "r"\nreason = "x"\nuntil = "soon"\n', "no day"),
        ('[[suppress]]\nreason = "x"\nuntil = 2027-01-01\n', "a rule and an actor"),
        ('[[suppress]]\nrule = "r"\nwho = "x"\nreason = "x"\nuntil = 2027-01-01\n', "who"),
        ('[[suppress]]\nrule = ["*", "a"]\nreason = "x"\nuntil = 2027-01-01\n', "rule is no text"),
        ('[[suppress]]\nrule = "a"\nactor = []\nreason = "x"\nuntil = 2027-01-01\n', "actor is no text"),
        ("suppress = 1\n", "no list"),
        ("[[suppress\n", "cannot be read"),
    ],
)
def test_an_entry_that_does_not_say_enough_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        entries(tmp_path, text)
