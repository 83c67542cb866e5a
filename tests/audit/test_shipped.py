"""Each rule that is shipped, on a log in which it fires and on one, much like it, in which it stays silent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from investigate.audit.ruleset import RuleSet, load

from .made import event, scan

if TYPE_CHECKING:
    from .made import Event

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
HOME, AWAY = "198.51.100.10", "203.0.113.77"
SHIPPED = load()


def devrev(after: timedelta = timedelta(0), **given: Any) -> Event:
    return event(after, **{"action": "works.get", "resource": "ticket/1", "credential": "tok", "src_ip": HOME} | given)


def rabbit(after: timedelta = timedelta(0), metadata: Any = None, **given: Any) -> Event:
    base = {"source": "coderabbit", "action": "seat_assign", "activity": "update", "src_ip": HOME}
    return event(after, raw={"metadata": metadata or {}}, **base | given)


def many(number: int, every: timedelta, make: Any = devrev, **given: Any) -> list[Event]:
    """Events about different objects, one after the other."""
    return [make(at * every, resource=f"ticket/{at}", **given) for at in range(number)]


def past(make: Any = devrev, days: int = 40, **given: Any) -> list[Event]:
    """What an identity did before: every other day, from the same place."""
    return [make(-timedelta(days=day), **given) for day in range(1, days, 2)]


def key(after: timedelta, action: str, name: str = "ci", **given: Any) -> Event:
    return rabbit(after, {"key_name": name}, action=f"api_key_{action}", **given)


def role(after: timedelta, before: str, to: str, **given: Any) -> Event:
    change = {"user": "ben", "change": {"from": before, "to": to}}
    return rabbit(after, change, action="user_role_update", **given)


@dataclass(frozen=True)
class Log:
    """Events in which a rule fires, and events in which it does not."""

    fires: list[Event]
    silent: list[Event]


EXPORT: dict[str, Any] = {"action": "works.export"}
SVC: dict[str, Any] = {"actor": "svc", "actor_type": "service"}
LOGS = {
    "devrev/export_by_person.yml": Log(
        [devrev(**EXPORT)],
        [devrev(**EXPORT, **SVC), devrev(action="reports.export"), devrev(**EXPORT, outcome="failure")],
    ),
    "devrev/export_from_new_address.yml": Log(
        [*past(), devrev(src_ip=AWAY), devrev(HOUR, src_ip=AWAY, **EXPORT)],
        [
            *past(src_ip=AWAY),
            devrev(src_ip=AWAY, **EXPORT),
            *past(days=4, tenant="new"),
            devrev(tenant="new", **EXPORT),
        ],
    ),
    "devrev/credential_from_new_address.yml": Log(
        [*past(), devrev(src_ip=AWAY)], [*past(), *past(actor="ben", src_ip=AWAY), devrev(src_ip=AWAY)]
    ),
    "devrev/credential_new_to_address.yml": Log(
        [*past(), *past(credential="other", src_ip=AWAY), devrev(src_ip=AWAY)],
        [*past(), devrev(credential="fresh", src_ip=AWAY), devrev(HOUR, credential="fresh")],
    ),
    "devrev/script_with_personal_token.yml": Log(
        [*past(), devrev(user_agent="Python-Requests/2.32")],
        [*past(user_agent="curl/8"), devrev(user_agent="curl/8"), devrev(user_agent="Mozilla/5.0 curl/8")],
    ),
    "devrev/service_account_new_network.yml": Log(
        [*past(**SVC), devrev(src_ip=AWAY, **SVC)],
        [*past(**SVC), devrev(src_ip="198.51.100.99", **SVC), *past(), devrev(src_ip=AWAY)],
    ),
    "devrev/service_account_new_agent.yml": Log(
        [*past(user_agent="sync/1", **SVC), devrev(user_agent="sync/2", **SVC)],
        [*past(user_agent="sync/1", **SVC), devrev(user_agent="sync/1", **SVC)],
    ),
    "devrev/dormant_identity.yml": Log(
        [devrev(-timedelta(days=80)), *past(actor="ben"), devrev(-timedelta(days=33)), devrev()],
        [*(devrev(-timedelta(days=days)) for days in (60, 31, 2, 0)), devrev(actor="new")],
    ),
    "devrev/unusual_hour.yml": Log([*past(), devrev(9 * HOUR)], [*past(), devrev(30 * MINUTE)]),
    "devrev/night_deletion.yml": Log(
        [devrev(14 * HOUR, activity="delete")], [devrev(7 * HOUR, activity="delete"), devrev(14 * HOUR)]
    ),
    "devrev/token_created.yml": Log(
        [*past(), devrev(action="service-accounts.create")], [*past(action="service-accounts.create"), devrev()]
    ),
    "devrev/audit_log_exported.yml": Log(
        [*past(), devrev(action="audit-logs.fetch")],
        [*past(action="audit-logs.fetch"), devrev(action="audit-logs.fetch")],
    ),
    "devrev/webhook_changed.yml": Log(
        [devrev(action="webhooks.create")],
        [devrev(action="webhooks.list"), devrev(action="webhooks.create", outcome="failure")],
    ),
    "devrev/personal_data_erased.yml": Log(
        [devrev(action="rev-users.delete-personal-data")], [devrev(action="rev-users.get")]
    ),
    "devrev/membership_changed.yml": Log([devrev(action="groups.members.add")], [devrev(action="groups.members.list")]),
    "devrev/mass_read.yml": Log(
        many(201, 10 * timedelta(seconds=1)), [*many(200, 10 * timedelta(seconds=1)), *many(300, MINUTE, actor="ben")]
    ),
    "devrev/mass_read_from_new_address.yml": Log(
        [*past(), *many(13, 10 * MINUTE, src_ip=AWAY)],
        [
            *past(),
            *many(13, 20 * MINUTE, src_ip=AWAY),
            *past(actor="ben", src_ip="192.0.2.1"),
            *many(60, MINUTE, src_ip="192.0.2.1"),
        ],
    ),
    "devrev/attachments.yml": Log(
        many(51, MINUTE, action="artifacts.locate"),
        [*many(50, MINUTE, action="artifacts.locate"), *many(80, MINUTE, action="artifacts.get")],
    ),
    "devrev/deletion_burst.yml": Log(
        many(26, 2 * MINUTE, activity="delete"),
        [*many(26, 3 * MINUTE, activity="delete"), *many(40, MINUTE, activity="delete", outcome="failure")],
    ),
    "devrev/refused_calls.yml": Log(
        many(41, timedelta(seconds=10), outcome="failure"),
        [*many(41, MINUTE, outcome="failure"), *many(60, timedelta(seconds=5), outcome="failure", actor="unknown")],
    ),
    "devrev/failed_sign_ins.yml": Log(
        many(21, timedelta(seconds=20), action="auth-tokens.create", outcome="failure", actor="unknown"),
        many(21, MINUTE, action="auth-tokens.create", outcome="failure", actor="unknown"),
    ),
    "devrev/disabled_identity.yml": Log(
        [devrev(action="dev-users.deactivate", actor="root", resource="ann"), devrev(DAY)],
        [
            devrev(),
            devrev(HOUR, action="dev-users.deactivate", actor="root", resource="ann"),
            devrev(DAY, actor="root"),
        ],
    ),
    "coderabbit/api_key_short_lived.yml": Log(
        [key(0 * HOUR, "create"), key(HOUR, "delete")],
        [
            *(
                key(0 * HOUR, "create"),
                key(HOUR + MINUTE, "delete"),
                key(9 * HOUR, "delete"),
                key(9.5 * HOUR, "create"),
            ),
            *(key(20 * HOUR, "create"), key(20.5 * HOUR, "delete", "other"), key(20.6 * HOUR, "delete", actor="ben")),
        ],
    ),
    "coderabbit/api_key_from_new_address.yml": Log(
        [*past(rabbit), key(HOUR, "create", src_ip=AWAY)], [*past(rabbit), key(HOUR, "create"), rabbit(src_ip=AWAY)]
    ),
    "coderabbit/api_key_by_machine.yml": Log(
        [key(HOUR, "create", actor_type="bot")], [key(HOUR, "create"), key(HOUR, "delete", actor_type="bot")]
    ),
    "coderabbit/bot_new_network.yml": Log(
        [*past(rabbit, actor_type="bot"), rabbit(actor_type="bot", src_ip="2001:db8:1::1")],
        [*past(rabbit, actor_type="bot", src_ip="2001:db8:1::1"), rabbit(actor_type="bot", src_ip="2001:DB8:1:0:9::2")],
    ),
    "coderabbit/admin_granted.yml": Log([role(HOUR, "Member", "Admin")], [role(HOUR, "Admin", "Member")]),
    "coderabbit/role_raised_and_lowered.yml": Log(
        [role(HOUR, "Member", "Admin"), role(25 * HOUR, "Admin", "Member", actor="cleo")],
        [role(HOUR, "Admin", "Member"), role(2 * HOUR, "Member", "Admin"), role(27 * HOUR, "Admin", "Member")],
    ),
    "coderabbit/repository_deletion_burst.yml": Log(
        many(6, 10 * MINUTE, rabbit, action="repository_delete"),
        many(6, 15 * MINUTE, rabbit, action="repository_delete"),
    ),
    "coderabbit/seats_removed.yml": Log(
        many(21, MINUTE, rabbit, action="seat_unassign"), many(40, MINUTE, rabbit, action="seat_assign")
    ),
    "coderabbit/review_weakened.yml": Log(
        [rabbit(metadata={"path": "reviews.profile", "after": "Chill"}, action="configuration_update")],
        [rabbit(metadata={"path": "reviews.profile", "after": "assertive"}, action="configuration_update")],
    ),
    "coderabbit/first_sensitive_action.yml": Log(
        [*past(rabbit), rabbit(action="repository_delete")],
        [
            *past(rabbit, action="repository_delete"),
            rabbit(action="repository_delete"),
            rabbit(action="api_key_create", actor_type="bot"),
        ],
    ),
    "coderabbit/dormant_identity.yml": Log(
        [rabbit(-timedelta(days=130)), rabbit(-timedelta(days=62)), rabbit()],
        [*(rabbit(-timedelta(days=days)) for days in (170, 111, 59, 0))],
    ),
    "across/new_address_in_both.yml": Log(
        [*past(), *past(rabbit), devrev(src_ip=AWAY), key(3 * HOUR, "create", src_ip=AWAY)],
        [*past(), *past(rabbit), devrev(src_ip=AWAY), rabbit(HOUR, src_ip=AWAY), key(20 * HOUR, "create", src_ip=AWAY)],
    ),
}


@pytest.mark.parametrize("file", LOGS)
def test_a_shipped_rule_fires_where_it_should_and_only_there(file: str) -> None:
    rules = RuleSet(tuple(rule for rule in SHIPPED.rules if rule.rule_file == file), ())
    (reporting,) = (rule.id for rule in rules.rules if rule.reports)
    assert {one.rule_id for one in scan(LOGS[file].fires, rules).findings} == {reporting}
    assert scan(LOGS[file].silent, rules).findings == []


def test_every_shipped_rule_is_tried_and_says_what_it_is() -> None:
    assert SHIPPED.untranslated == ()
    reporting = [rule for rule in SHIPPED.rules if rule.reports]
    assert sorted(LOGS) == sorted(rule.rule_file for rule in reporting)
    assert len(reporting) >= 20
    for rule in SHIPPED.rules:
        assert rule.sigma.id is not None
        assert rule.sigma.description
        assert rule.sigma.author
        assert rule.sigma.level is not None
    assert all(rule.sigma.falsepositives or rule.severity in {"informational", "low", "medium"} for rule in reporting)
