"""CodeRabbit's half: every parameter, every error, and pages that shift under a client."""

import itertools
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest


def ids(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["id"] for entry in entries]


def test_an_entry_has_the_documented_fields_and_nothing_else(sandbox: Any) -> None:
    (entry,) = sandbox.pages(page_size=1).json()["data"]
    assert list(entry) == [
        *("id", "action", "actionLabel", "resourceType", "resourceTypeLabel", "resourceSummary", "actor", "metadata"),
        *("ipAddress", "createdAt", "relativeTime"),
    ]
    assert list(entry["actor"]) == ["name", "subtitle", "isBot", "avatarUrl"]


def test_pages_hold_every_entry_once_newest_first(sandbox: Any) -> None:
    entries = sandbox.read_all()
    assert len(entries) == len(set(ids(entries))) == sandbox.at["coderabbit_events"]
    assert all(one["createdAt"] >= other["createdAt"] for one, other in itertools.pairwise(entries))
    assert len({entry["createdAt"] for entry in entries}) < len(entries)  # some were made in one go


def test_the_defaults_and_the_last_page(sandbox: Any) -> None:
    first = sandbox.pages().json()["pagination"]
    assert (first["page"], first["page_size"], first["has_previous_page"]) == (1, 10, False)
    last = sandbox.pages(page=first["total_pages"]).json()
    assert last["pagination"]["has_next_page"] is False
    beyond = sandbox.pages(page=first["total_pages"] + 1).json()
    assert (beyond["data"], beyond["pagination"]["total_count"]) == ([], first["total_count"])


def test_both_dates_are_inclusive(sandbox: Any) -> None:
    entries = sandbox.read_all()
    newest, oldest = entries[20]["createdAt"], entries[40]["createdAt"]
    expected = [entry["id"] for entry in entries if oldest <= entry["createdAt"] <= newest]
    assert ids(sandbox.read_all(date_from=oldest, date_to=newest)) == expected


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        ({"actions": "api_key_create,api_key_delete"}, lambda entry: entry["action"].startswith("api_key")),
        ({"resource_types": "seat, user_role"}, lambda entry: entry["resourceType"] in {"seat", "user_role"}),
        ({"search": "CODERABBITAI"}, lambda entry: entry["actor"]["isBot"]),
        ({"search": "ü"}, lambda entry: "ü" in entry["actor"]["name"].casefold()),
        ({"actions": "no_such_action"}, lambda _: False),
        ({"search": "%"}, lambda entry: "%" in entry["actor"]["name"]),
    ],
)
def test_filters_let_through_what_they_name(
    sandbox: Any, query: dict[str, str], matches: Callable[[dict[str, Any]], bool]
) -> None:
    assert ids(sandbox.read_all(**query)) == [entry["id"] for entry in sandbox.read_all() if matches(entry)]


def test_filter_options_count_the_whole_log_whatever_is_asked(sandbox: Any) -> None:
    options = sandbox.pages(actions="no_such_action").json()["filter_options"]
    entries = sandbox.read_all()
    for name, field in (("actions", "action"), ("resource_types", "resourceType")):
        counted = {option["value"]: option["count"] for option in options[name]}
        assert counted == {value: sum(entry[field] == value for entry in entries) for value in counted}
        assert sum(counted.values()) == len(entries)


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 5},
        {"page": 0},
        {"page": "1.0"},
        {"page": "²"},
        {"page_size": 0},
        {"page_size": 101},
        {"search": "x" * 201},
        {"actions": ",".join(["api_key_create"] * 51)},
        {"resource_types": "," * 50},
        {"date_from": "yesterday"},
        {"date_from": "2026-11-01"},
        {"date_from": "2026-11-01T00:00:00"},
        {"date_from": "2026-11-02T00:00:00Z", "date_to": "2026-11-01T23:59:59Z"},
        {"page": [1, 2]},
        {"org_id": "org-6b1f0c7e-meridian"},
    ],
)
def test_parameters_out_of_range_are_refused(sandbox: Any, query: dict[str, Any]) -> None:
    answer = sandbox.pages(**query)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "INVALID_PARAMETER")


def test_no_key_and_keys_that_may_not(sandbox: Any) -> None:
    bare = sandbox.http.get(f"{sandbox.at['coderabbit_url']}/v1/audit-logs?nonsense=1")
    assert (bare.status_code, list(bare.json()["errors"][0])) == (401, ["message"])
    for key, code in (("coderabbit_member_key", "NOT_ADMIN"), ("coderabbit_legacy_key", "LEGACY_API_KEY")):
        answer = sandbox.pages(key)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, code)


def test_a_workspace_key_sees_its_organizations_together_or_one(sandbox: Any) -> None:
    def total(key: str, **query: str) -> int:
        return int(sandbox.pages(key, **query).json()["pagination"]["total_count"])

    both = total("coderabbit_workspace_key")
    one = total("coderabbit_workspace_key", org_id=sandbox.at["coderabbit_org"])
    other = total("coderabbit_workspace_key", org_id=sandbox.at["coderabbit_other_org"])
    assert (one, other, both) == (total("coderabbit_key"), total("coderabbit_other_key"), one + other)
    assert sandbox.pages("coderabbit_workspace_key", org_id="org-of-someone-else").status_code == 404


def test_the_rate_limit_says_how_long_to_wait_and_opens_again(sandbox: Any, wait_for: Callable[..., Any]) -> None:
    sandbox.switch(rate_limit=1)
    refused = wait_for(lambda: answer if (answer := sandbox.pages()).status_code == 429 else None)
    assert (refused.headers["retry-after"], refused.json()["error"]["code"]) == ("1", "RATE_LIMITED")
    assert wait_for(lambda: True if sandbox.pages().status_code == 200 else None)


def test_entries_that_arrive_shift_the_pages(sandbox: Any) -> None:
    sandbox.switch(arrivals=1)
    first, second = (sandbox.pages("coderabbit_other_key", page=page).json() for page in (1, 2))
    assert second["pagination"]["total_count"] == first["pagination"]["total_count"] + 1
    assert second["data"][0]["id"] == first["data"][-1]["id"]
    newest = sandbox.pages("coderabbit_other_key", page_size=1).json()["data"][0]["createdAt"]
    assert datetime.fromisoformat(newest) > datetime.fromisoformat(first["data"][0]["createdAt"])


def test_so_many_arrivals_are_dated_into_the_range_asked_for(sandbox: Any) -> None:
    sandbox.switch(arrivals=1, backdated=2)
    asked = {"date_from": sandbox.at["window"]["start"], "date_to": sandbox.at["brief"]["window"]["end"]}
    totals = [sandbox.pages("coderabbit_other_key", **asked).json()["pagination"]["total_count"] for _ in range(5)]
    assert [total - totals[0] for total in totals] == [0, 1, 2, 2, 2]
