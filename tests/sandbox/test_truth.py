"""The truth file against a reader that knows nothing but the brief and the raw logs."""

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def truth(running: Any, state: Path) -> dict[str, Any]:
    assert running.at
    return dict(json.loads((state / "truth.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def hours(running: Any, log: list[Any]) -> list[Any]:
    """The entries in the hours of the brief."""
    window = running.at["brief"]["window"]
    return [entry for entry in log if window["start"] <= entry["timestamp"] < window["end"]]


def touched(entry: dict[str, Any]) -> set[str]:
    return {thing["id"] for thing in entry["objects"]}


def test_the_truth_is_what_the_raw_log_says(sandbox: Any, truth: dict[str, Any], hours: list[Any]) -> None:
    token = sandbox.at["brief"]["token"]
    resources: set[str] = set()
    for entry in hours:
        if (entry["credential"] or {}).get("id") == token:
            resources |= touched(entry)
    identities = {entry["actor"]["id"] for entry in hours if resources & touched(entry)}
    assert truth["resources"] == sorted(resources)
    assert truth["identities"] == sorted(identities)
    assert truth["window"] == sandbox.at["brief"]["window"]
    assert len(resources) >= 15


def test_the_innocent_are_many_and_those_nearby_are_not_among_them(
    truth: dict[str, Any], hours: list[Any], log: list[Any]
) -> None:
    resources, identities = set(truth["resources"]), set(truth["identities"])
    assert 5 <= len(identities - set(truth["suspects"])) <= 20
    ever = {entry["actor"]["id"] for entry in log if resources & touched(entry)}
    assert len(ever - identities) >= 4  # they touched the same objects, but not in these hours
    near = {don for entry in hours for don in touched(entry) if don.endswith(("ticket/47", "ticket/4711"))}
    assert len(near) == 2
    assert not near & resources
    assert any(don.endswith("ticket/471") for don in resources)
    nearby = {entry["actor"]["id"] for entry in hours if near & touched(entry)}
    assert nearby - identities


def test_the_incident_is_one_person_from_one_address_in_both_logs(
    sandbox: Any, truth: dict[str, Any], hours: list[Any]
) -> None:
    don, name = truth["suspects"]
    entries = [entry for entry in hours if entry["id"] in truth["event_uids"]]
    keys = [entry for entry in sandbox.read_all() if entry["id"] in truth["event_uids"]]
    assert {entry["actor"]["id"] for entry in entries} == {don}
    assert {entry["actor"]["display_name"] for entry in entries} == {name} == {key["actor"]["name"] for key in keys}
    addresses = {entry["context"]["ip_address"] for entry in entries} | {key["ipAddress"] for key in keys}
    assert len(addresses) == 1
    assert [key["action"] for key in keys] == ["api_key_delete", "api_key_create"]
    assert len(truth["event_uids"]) == len(entries) + len(keys)
    # The owner's own use of the token, from the office, is in the window too, and is not the incident.
    own = [entry for entry in hours if (entry["credential"] or {}).get("id") == sandbox.at["brief"]["token"]]
    assert len(own) > len(entries)


def test_the_brief_gives_nothing_away(sandbox: Any, state: Path, truth: dict[str, Any]) -> None:
    brief = json.loads((state / "brief.json").read_text(encoding="utf-8"))
    assert brief == sandbox.at["brief"]
    don, name = truth["suspects"]
    assert don not in json.dumps(brief)
    assert name not in json.dumps(brief, ensure_ascii=False)
    assert brief["tenant"] == sandbox.at["tenant"]


def test_the_log_has_the_oddities_of_a_real_one(log: list[Any]) -> None:
    names = {entry["actor"]["display_name"] for entry in log if entry["actor"]}
    assert None in names
    assert any(name and "<img" in name for name in names)
    assert any(entry["actor"] is None for entry in log)
    assert any(entry["context"]["ip_address"] is None for entry in log)
    assert any(len(entry["objects"]) > 2 for entry in log)
    assert any(not entry["objects"] for entry in log)
    assert {entry["outcome"]["status"] for entry in log} == {"success", "failure"}
    assert len({entry["id"] for entry in log}) == len(log)
