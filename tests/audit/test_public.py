"""Rules in the forms that public ones have, over real logs: the same matches as plain Python, nothing to configure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import investigate
from investigate.audit.ruleset import load
from investigate.audit.scan import Extent, Scan

from . import reference
from .made import event, rule, scan, written

if TYPE_CHECKING:
    from pathlib import Path

    from investigate.case import Case

CLOUDTRAIL = """
root: {a: {userIdentity.type: Root}, b: {eventType: AwsServiceEvent}, condition: a and not b}
keys: {a: {eventSource: iam.amazonaws.com, eventName: CreateAccessKey}, condition: a}
trail: {a: {eventSource: CLOUDTRAIL.amazonaws.com, eventName: [StopLogging, UpdateTrail, DeleteTrail]}, condition: a}
shared: {a: {eventName: ModifyDBSnapshotAttribute, requestParameters.attributeName: restore}, condition: a}
login: {a: {eventName: ConsoleLogin, responseElements.ConsoleLogin: Success}, condition: a}
policy: {a: {"requestParameters.policyDocument|contains|all": ['"Effect": "Allow"', '"Action": "*"']}, condition: a}
writes:
  a: {eventName|startswith: [Create, Delete, Put, Modify]}
  f1: {userAgent|contains: terraform}
  f2: {userIdentity.type: Service}
  condition: a and not 1 of f*
lists:
  a: {resources.ARN|contains: ":s3:::"}
  b: {requestParameters.ipPermissions.items.ipRanges.items.cidrIp: 0.0.0.0/0}
  c: {requestParameters.instancesSet.items.instanceId|startswith: i-}
  condition: 1 of them
objects: {a: {requestParameters|contains|all: ['"Effect"', Allow]}, condition: a}
errors: {a: {errorCode: "*"}, b: {errorCode|contains: [Denied, Unauthorized]}, condition: a and not b}
nulls: {a: {userIdentity.arn|endswith: ":user/christophe"}, b: {errorCode: null}, condition: not a and not b}
networks: {a: {sourceIPAddress|cidr: [10.0.0.0/8, 2.0.0.0/7, "2000::/3"]}, condition: a}
words: {a: [AccessDenied, "stratus*red*team"], condition: a}
values: {a: {readOnly: false, managementEvent: true}, b: {eventVersion|gte: 1.08}, condition: a and b}
fields: {a: {userIdentity.arn|fieldref|contains: userIdentity.accountId}, condition: not a}
exists:
  a: {userIdentity.sessionContext.sessionIssuer|exists: true}
  b: {responseElements|exists: false}
  condition: a or b
pattern: {a: {userIdentity.arn|re|i: ".+:USER/[a-z]+$"}, condition: a}
"""


@pytest.fixture(scope="module")
def real(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Case:
    case = investigate.open(tmp_path_factory.mktemp("real") / "case")
    case.import_files(corpus / "cloudtrail_stratus" / "CloudTrail", "cloudtrail")
    case.import_files([str(path) for path in sorted((corpus / "google_workspace").glob("*.json"))], "google_workspace")
    return case


@pytest.mark.corpus
def test_real_cloudtrail_gives_what_plain_python_finds_in_it(real: Case, tmp_path: Path) -> None:
    detections: dict[str, Any] = yaml.safe_load(CLOUDTRAIL)
    log = {"product": "aws", "service": "cloudtrail"}
    named = {name: {"title": name, "logsource": log, "detection": one} for name, one in detections.items()}
    rules = written(tmp_path, *named.values())
    with real.lake.connect() as connection:
        Scan(connection, rules, Extent()).find()
        hits = connection.execute("SELECT rule, list(event_uid) FROM hits GROUP BY rule").fetchall()
        events = connection.execute("SELECT event_uid, raw FROM events WHERE source = 'cloudtrail'").fetchall()
    found = {rules.rules[number].title: set(uids) for number, uids in hits}
    records = {uid: json.loads(raw) for uid, raw in events}
    wanted = {name: {uid for uid, one in records.items() if reference.matches(doc, one)} for name, doc in named.items()}
    assert {name: len(found.get(name, set()) ^ uids) for name, uids in wanted.items()} == dict.fromkeys(wanted, 0)
    assert sum(map(len, wanted.values())) > len(records)
    assert sum(1 for uids in wanted.values() if uids) > len(wanted) // 2


@pytest.mark.corpus
def test_rules_for_google_workspace_meet_the_reports_api(real: Case, tmp_path: Path) -> None:
    log = {"product": "gcp", "service": "google_workspace.admin"}
    document = {
        "title": "queries",
        "logsource": log,
        "detection": {
            "a": {"eventService": "admin.googleapis.com", "eventName": "SECURITY_INVESTIGATION_QUERY"},
            "b": {"investigation_query|contains": "EMPTY"},
            "condition": "a and b",
        },
    }
    written(tmp_path, document)
    (finding,) = real.audit(tmp_path, shipped=False).findings
    counted = "raw LIKE '%(empty)%' AND action = 'SECURITY_INVESTIGATION_QUERY'"
    assert finding.events == real.sql(f"SELECT count(*) n FROM events WHERE {counted}")["n"][0]


def test_of_an_activity_of_google_workspace_each_event_is_asked_for_itself(tmp_path: Path) -> None:
    parameters = [[{"name": "visibility", "value": "private"}], [{"name": "visibility", "value": "people_with_link"}]]
    names = ("edit", "change_acl_editors")
    inner = [{"name": name, "parameters": given} for name, given in zip(names, parameters, strict=True)]
    raw = {"id": {"applicationName": "drive"}, "events": inner}
    events = [
        event(raw=raw, source="google_workspace", action=name, event_uid=f"drive:{name}#{at}")
        for at, name in enumerate(names)
    ]
    field = "protoPayload.metadata.event.visibility"
    document = rule(
        {"s": {field: ["people_with_link", "public_on_the_web"]}, "condition": "s"},
        logsource={"product": "gcp", "service": "google_workspace.drive"},
    )
    (finding,) = scan(events, written(tmp_path, document)).findings
    assert finding.actions == ("change_acl_editors",)
    said: list[dict[str, Any]] = [
        {"s": ["people_with_link"], "condition": "s"},
        {"s": {"events.parameters.value": "people_with_link"}, "condition": "s"},
        {"s": {"events|contains": "people_with_link"}, "condition": "s"},
    ]
    log = {"product": "google_workspace"}
    rules = written(tmp_path, *(rule(one, title=f"t{at}", logsource=log) for at, one in enumerate(said)))
    found = {(one.title, one.actions) for one in scan(events, rules).findings}
    assert found == {(f"t{at}", ("change_acl_editors",)) for at in range(3)}
    assert scan([one | {"event_uid": "own"} for one in events[:1]], written(tmp_path, document)).findings != []


def test_rules_for_okta_and_github_meet_their_logs(tmp_path: Path) -> None:
    okta = {
        "eventType": "policy.evaluate_sign_on",
        "legacyEventType": "core.user_auth.login_failed",
        "actor": {"alternateId": "hunter2"},
        "target": [{"displayName": "Ann"}, {"displayName": "Okta Admin Console"}],
        "securityContext": {"isProxy": True},
        "debugContext": {"debugData": {"logOnlySecurityData": '{"behaviors": {"New IP": "POSITIVE"}}'}},
    }
    detections: list[dict[str, Any]] = [
        {"s": {"eventtype": "policy.evaluate_sign_on", "target.displayName": "okta admin console"}, "condition": "s"},
        {"s": {"legacyeventtype": "core.*"}, "f": {"actor.alternateid|re": "^.+@.+$"}, "condition": "s and not f"},
        {"s": {"securityContext.isProxy": "true"}, "condition": "s"},
        {"s": {"securitycontext.isproxy": "true", "target.displayname": "ann"}, "condition": "s"},
        {"s": {"debugcontext.debugdata.logonlysecuritydata|contains": "positive"}, "condition": "s"},
        {"s": {"okta.event_type": "policy.*", "target.user.display.name|contains": "ann"}, "condition": "s"},
        {"s": {"alternateId": "hunter2"}, "condition": "s"},
    ]
    log = {"product": "okta", "service": "okta"}
    documents = [rule(one, title=f"t{at}", logsource=log) for at, one in enumerate(detections)]
    git = rule(
        {"s": {"action": ["repo.destroy"]}, "condition": "s"}, logsource={"product": "github", "service": "audit"}
    )
    rules = written(tmp_path, *documents, git | {"title": "git"})
    events = [event(raw=okta, source="okta"), event(source="github", action="repo.destroy")]
    assert sorted(one.title for one in scan(events, rules).findings) == ["git", *(f"t{at}" for at in range(7))]


def test_an_actor_of_a_log_without_a_profile_here_is_known_by_both_its_id_and_its_name(tmp_path: Path) -> None:
    names: list[Any] = ["octocat", {"id": 1}, None]
    events = [event(raw={"actor": name}, source="github", actor=f"u{at}") for at, name in enumerate(names)]
    log = {"product": "github", "service": "audit"}

    def found(detection: dict[str, Any]) -> list[str]:
        rules = written(tmp_path, rule({"s": detection, "condition": "s"}, logsource=log))
        return sorted(one.actor for one in scan(events, rules).findings)

    assert found({"actor": "Octocat"}) == found({"actor": "u0"}) == ["u0"]
    assert found({"actor|contains": ["id", "1"]}) == ["u1"]
    assert found({"actor|neq": "octocat"}) == ["u1", "u2"]


def test_a_rule_whose_log_is_not_there_is_said_to_be_idle(tmp_path: Path) -> None:
    windows = rule(
        {"s": {"Image": "x"}, "condition": "s"}, logsource={"category": "process_creation", "product": "windows"}
    )
    rules = written(tmp_path, windows)
    assert scan([event()], rules).idle == [rules.rules[0].id]
    assert load([tmp_path], shipped=False).untranslated == ()
