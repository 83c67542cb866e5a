"""An audit in the forms pipelines read: SARIF 2.1.0 (OASIS) and JUnit's XML.

What a log says stands in them as text that no viewer acts on: controls as escapes, no link, no placeholder, no markup.
"""

from __future__ import annotations

import json
from collections import defaultdict
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

from investigate.audit.findings import at_or_above
from investigate.case.display import visible
from investigate.events import iso

if TYPE_CHECKING:
    from investigate.audit.findings import Finding
    from investigate.audit.ruleset import Rule
    from investigate.case.audited import Audit

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: Final = {"critical": "error", "high": "error", "medium": "warning", "low": "note", "informational": "note"}
_SCORES: Final = {"critical": "9.5", "high": "8.0", "medium": "5.0", "low": "3.0", "informational": "0.0"}
"""What GitHub's code scanning orders by: its property `security-severity`."""
_LISTED: Final = 20


def sarif(audit: Audit, _fail_on: str | None = None) -> str:
    """The audit as a SARIF log of one run.

    A finding is a result at a logical location, its identity; suppressed ones carry their suppression. Rules that were
    not run and gaps in the coverage are notifications.
    """
    rules = [rule for rule in audit.rules if rule.reports]
    places = {rule.id: at for at, rule in enumerate(rules)}
    results = [_result(one, places) for one in audit.findings]
    for one, entry in audit.suppressed:
        said = f"{entry.reason} (until {entry.until.isoformat()})"
        results.append(_result(one, places) | {"suppressions": [{"kind": "external", "justification": visible(said)}]})
    driver = {"name": "investigate", "version": _version(), "rules": [_descriptor(rule) for rule in rules]}
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": "investigate/audit/"},
        "invocations": [_invocation(audit)],
        "results": results,
        "properties": {
            "window": audit.window.as_json(),
            "coverage": audit.coverage.as_json(),
            "lakeVersion": audit.lake_version,
            "events": audit.events,
            "newOnly": audit.new_only,
        },
    }
    document = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=1).replace("\x7f", "\\u007f") + "\n"


def junit(audit: Audit, fail_on: str | None = None) -> str:
    """The audit as JUnit XML: a rule is a test, and a finding at or above `fail_on` fails it.

    Args:
        audit: to be written.
        fail_on: a severity; None lets every finding fail its rule.
    """
    found: dict[str, list[Finding]] = defaultdict(list)
    for one in audit.findings:
        found[one.rule_id].append(one)
    grave = {id(one) for one in (audit.findings if fail_on is None else at_or_above(audit.findings, fail_on))}
    suite = ET.Element("testsuite", name="investigate audit", timestamp=iso(audit.window.end).removesuffix("Z"))
    failures = skipped = 0
    for rule in (rule for rule in audit.rules if rule.reports):
        case = _case(suite, rule.rule_file, rule.title)
        lines = [_line(one) for one in found[rule.id]]
        if failed := [one for one in found[rule.id] if id(one) in grave]:
            failures += 1
            said = f"{rule.severity}: {len(failed)} findings"
            ET.SubElement(case, "failure", message=said, type=rule.severity).text = "\n".join(lines)
        elif lines:
            ET.SubElement(case, "system-out").text = "\n".join(lines)
    for file, title, reason in _not_run(audit):
        skipped += 1
        ET.SubElement(_case(suite, file, title), "skipped", message=visible(reason))
    tests = str(len(suite.findall("testcase")))
    suite.attrib |= {"tests": tests, "failures": str(failures), "errors": "0", "skipped": str(skipped), "time": "0"}
    ET.SubElement(suite, "system-out").text = "\n".join(map(visible, [*audit.lines(), *audit.coverage.lines()]))
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _result(one: Finding, places: dict[str, int]) -> dict[str, Any]:
    who = one.identity or "several identities"
    name = f" ({one.actor_name})" if one.actor_name else ""
    message = f"{one.title}: {who}{name}, {one.events} events, {iso(one.first)} to {iso(one.last)}"
    address = {"name": visible(who), "fullyQualifiedName": visible(f"{one.source}/{one.tenant}/{who}")}
    facts = {"severity": one.severity, "first": iso(one.first), "last": iso(one.last), "events": one.events}
    facts |= {name: [visible(value) for value in getattr(one, name)] for name in ("event_uids", "src_ips", "actions")}
    return {
        "ruleId": one.rule_id,
        **({"ruleIndex": places[one.rule_id]} if one.rule_id in places else {}),
        "level": _LEVELS[one.severity],
        "message": {"text": _message(message)},
        "locations": [{"logicalLocations": [address]}],
        "partialFingerprints": {"investigateIdentity/v1": one.fingerprint},
        "properties": facts,
    }


def _descriptor(rule: Rule) -> dict[str, Any]:
    sigma = rule.sigma
    text = str(sigma.description or rule.title).strip()
    found: dict[str, Any] = {
        "id": rule.id,
        "name": visible(rule.title),
        "shortDescription": {"text": _message(rule.title)},
        "fullDescription": {"text": _message(text)},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {
            "tags": ["security", *(visible(str(tag)) for tag in sigma.tags or ())],
            "security-severity": _SCORES[rule.severity],
            "file": visible(rule.rule_file),
        },
    }
    if sigma.falsepositives:
        found["help"] = {"text": _message("May also be: " + "; ".join(map(str, sigma.falsepositives)))}
    return found


def _version() -> str:
    try:
        return version("investigate")
    except PackageNotFoundError:
        return "0"


def _invocation(audit: Audit) -> dict[str, Any]:
    notes = [_notification("warning", f"{file}: {title}: {reason}") for file, title, reason in _not_run(audit)]
    gaps = [_notification("warning", line) for line in audit.coverage.lines() if not audit.coverage.complete]
    return {
        "executionSuccessful": True,
        "toolConfigurationNotifications": notes,
        "toolExecutionNotifications": gaps,
    }


def _notification(level: str, text: str) -> dict[str, Any]:
    return {"level": level, "message": {"text": _message(text)}}


def _not_run(audit: Audit) -> list[tuple[str, str, str]]:
    found = [(one.rule_file, one.title or one.rule_id, one.reason) for one in audit.untranslated]
    return found + [(rule.rule_file, rule.title, "its log is not in this lake") for rule in audit.idle]


def _message(text: str) -> str:
    """Plain text of SARIF, in which brackets make a link and braces a placeholder (sections 3.11.5 and 3.11.6)."""
    shown = visible(text)
    for sign, escaped in (("\\", "\\\\"), ("[", "\\["), ("]", "\\]"), ("{", "{{"), ("}", "}}")):
        shown = shown.replace(sign, escaped)
    return shown


def _case(suite: ET.Element, file: str, title: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=visible(file), name=visible(title), time="0")


def _line(one: Finding) -> str:
    shown = ", ".join(one.event_uids[:_LISTED]) + (" …" if one.events > _LISTED else "")
    who = one.identity or "several identities"
    return visible(f"{one.severity}  {who}  {one.events} events  {iso(one.first)} .. {iso(one.last)}  {shown}")
